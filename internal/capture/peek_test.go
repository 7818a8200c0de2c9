package capture

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/internal/config"
)

// A watcher is a Look, and what was seen with it.
type watcher struct {
	mu          sync.Mutex
	chunk, comm string // guarded by mu; of comm each in brackets
}

func (w *watcher) look() Look {
	return Look{CaptureMaxBytes: 1 << 20,
		Chunk: func(p []byte) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.chunk += string(p)
		},
		Comm: func(p []byte) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.comm += "[" + string(p) + "]"
		}}
}

func (w *watcher) seen() (chunk, comm string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.chunk, w.comm
}

// smallSidePipe gives outputs a side pipe that shows one page at a time, and believes that it is as
// large as others.
func smallSidePipe(k *rig) {
	usual := sidePipes
	sidePipes = make(chan *sidePipe, 1)
	p := takeSidePipe()
	if _, err := unix.FcntlInt(uintptr(p.r), unix.F_SETPIPE_SZ, 4096); err != nil {
		k.Fatal(err)
	}
	p.release()
	k.Cleanup(func() {
		p := <-sidePipes
		unix.Close(p.r)
		unix.Close(p.w)
		sidePipes = usual
	})
}

// packets makes each write to w a piece of its own of the pipe, which has room for 64.
func packets(k *rig, w *os.File) {
	raw, _ := w.SyscallConn()
	var err error
	raw.Control(func(fd uintptr) {
		if _, err = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, 64<<12); err == nil {
			_, err = unix.FcntlInt(fd, unix.F_SETFL, unix.O_DIRECT|unix.O_NONBLOCK)
		}
	})
	if err != nil {
		k.Skip("such a pipe is not to be had: ", err)
	}
}

func TestTokensInPipesOfAllKinds(t *testing.T) {
	big := strings.Repeat("0123456789", 30000) // far more than fits into the pipe
	bytewise := func(text string) []string { return strings.Split(text, "") }
	for _, c := range []struct {
		name   string
		set    func(k *rig, w *os.File)
		writes []string
		first  string // what is seen of the first before the second comes
		log    string
		comm   string
	}{
		{name: "one write", writes: []string{"a" + beginToken + "b" + endToken + "c"}, log: "ac", comm: "[b]"},
		{name: "a write that blocks behind what may be a token", writes: []string{"a<", big}, first: "a", log: "a<" + big},
		{name: "behind a begin token", writes: []string{"a" + beginToken, big, endToken + "c"}, first: "a", log: "ac", comm: "[" + big + "]"},
		{name: "behind half an end token", writes: []string{beginToken + "b" + endToken[:9], big, endToken + "c"}, first: "b",
			log: "c", comm: "[b" + endToken[:9] + big + "]"},
		{name: "without an end token", writes: []string{"a" + beginToken + "b", big}, first: "ab", log: "ab" + big},
		{name: "a byte", writes: []string{"a<", beginToken[1:] + "b" + endToken}, first: "a", comm: "[b]", log: "a"},
		{name: "byte by byte", writes: bytewise("a" + beginToken + "b" + endToken + "c"), log: "ac", comm: "[b]"},
		{name: "bytes that are packets", set: packets, writes: bytewise("a" + beginToken + big[:300] + endToken + "c"), log: "ac", comm: "[" + big[:300] + "]"},
		{name: "packets", set: packets, writes: []string{"a" + beginToken + "b", "c" + endToken + "d" + beginToken + "e" + endToken + "f"}, log: "adf", comm: "[bc][e]"},
	} {
		for _, way := range []struct {
			name string
			how  func(o *Output)
			set  func(k *rig)
		}{
			{"spliced", func(*Output) {}, func(*rig) {}},
			{"copied", copying, func(*rig) {}},
			{"through a small side pipe", func(*Output) {}, smallSidePipe},
			{"read", func(o *Output) { o.view.reads = true }, func(*rig) {}},
		} {
			t.Run(c.name+", "+way.name, func(t *testing.T) {
				k := newRig(t)
				way.set(k)
				var seen watcher
				o, w := k.start(config.Log{File: k.path("log")}, looking(seen.look()), way.how)
				if c.set != nil {
					c.set(k, w)
				}
				for i, text := range c.writes {
					k.until("the first is seen", func() bool {
						got, _ := seen.seen()
						return i != 1 || strings.HasPrefix(got, c.first)
					})
					w.SetWriteDeadline(time.Now().Add(long))
					if _, err := io.WriteString(w, text); err != nil {
						t.Fatal(err)
					}
				}
				w.Close()
				k.ended(o)
				if got := k.read("log"); got != c.log {
					t.Errorf("log: got %d bytes, %.60q, want %d, %.60q", len(got), got, len(c.log), c.log)
				}
				if _, got := seen.seen(); got != c.comm {
					t.Errorf("comm: got %d bytes, %.60q, want %d, %.60q", len(got), got, len(c.comm), c.comm)
				}
			})
		}
	}
}

// of is what f finds of a pipe.
func of(end *os.File, f func(fd int) int) (n int) {
	raw, _ := end.SyscallConn()
	raw.Control(func(fd uintptr) { n = f(int(fd)) })
	return n
}

func TestWhatWaitsForItsTokenStaysInThePipe(t *testing.T) {
	k := newRig(t)
	var seen watcher
	o, w := k.start(config.Log{File: k.path("log")}, looking(seen.look()))
	for _, c := range []struct {
		text         string
		log          string // what it then holds
		waiting      int
		chunks, comm string
	}{
		{"one <!--XSUPER", "one ", 10, "one ", ""},
		{"MAN", "one <!--XSUPERMAN", 0, "one <!--XSUPERMAN", ""},
		{beginToken, "one <!--XSUPERMAN", 24, "one <!--XSUPERMAN", ""},
		{"data", "one <!--XSUPERMAN", 28, "one <!--XSUPERMANdata", ""},
		{endToken + " two", "one <!--XSUPERMAN two", 0, "one <!--XSUPERMANdata two", "[data]"},
		{beginToken + "more", "one <!--XSUPERMAN two", 28, "one <!--XSUPERMANdata twomore", "[data]"},
	} {
		io.WriteString(w, c.text)
		k.until(fmt.Sprintf("after %q all is as it should be", c.text), func() bool {
			chunks, comm := seen.seen()
			return chunks == c.chunks && comm == c.comm && of(w, inPipe) == c.waiting && k.read("log") == c.log
		})
	}
	o.Drain()
	if got := k.read("log"); got != "one <!--XSUPERMAN twomore" || of(w, inPipe) != 0 {
		t.Errorf("got %q, and %d bytes are in the pipe", got, of(w, inPipe))
	}
}

// Who looks does not wait for a full disk, and the disk does not lose what was looked at.
func TestOnAFullDiskWhatWasSeenStaysInThePipe(t *testing.T) {
	k := newRig(t)
	k.smallDisk(1 << 20)
	os.WriteFile(k.path("disk/ballast"), make([]byte, 2<<20), 0o644)
	var seen watcher
	o, w := k.start(config.Log{File: k.path("disk/log")}, looking(seen.look()))
	io.WriteString(w, "one")
	k.saying("no space left on device")
	text := " two" + strings.Repeat(beginToken+"data"+endToken+"text", 100) + " three" + beginToken + "last words"
	io.WriteString(w, text)
	o.Drain()
	check := func() {
		t.Helper()
		chunk, comm := seen.seen()
		if want := "one two" + strings.Repeat("datatext", 100) + " threelast words"; chunk != want {
			t.Errorf("chunks: got %q", chunk)
		}
		if want := strings.Repeat("[data]", 100); comm != want {
			t.Errorf("comm: got %q", comm)
		}
	}
	check()
	if got := of(w, inPipe); got != len("one"+text) {
		t.Errorf("%d bytes are in the pipe, want %d", got, len("one"+text))
	}
	os.Remove(k.path("disk/ballast"))
	k.holds("disk/log", "one two"+strings.Repeat("text", 100)+" threelast words")
	k.saying("nothing was lost")
	check()
}

// A program may read from its own stdout, as if that were a terminal.
func TestSomebodyElseReadsFromThePipe(t *testing.T) {
	k := newRig(t)
	var seen watcher
	o, w := k.start(config.Log{File: k.path("log")}, looking(seen.look()))
	thief, err := os.Open(procPath(w))
	if err != nil {
		t.Skip("no /proc here: ", err)
	}
	defer thief.Close()
	io.WriteString(w, "one"+beginToken+"data")
	k.until("it was seen", func() bool { chunk, _ := seen.seen(); return chunk == "onedata" })
	k.holds("log", "one")
	io.ReadFull(thief, make([]byte, len(beginToken+"data")))
	start := time.Now()
	o.Drain()
	if d := time.Since(start); d >= patience {
		t.Errorf("Drain took %v", d)
	}
	io.WriteString(w, "two")
	k.holds("log", "onetwo")
}

// Whoever looks at the bytes may be slow: as long as some come through, the child's end waits for the rest.
func TestDrainWaitsWhileSomethingGoesOn(t *testing.T) {
	k := newRig(t)
	slow := Look{Chunk: func([]byte) { time.Sleep(patience + patience/5) }} // below what is taken for a standstill
	o, w := k.start(config.Log{File: k.path("log")}, looking(slow))
	SetPipeSize(int(w.Fd()))
	size, err := unix.FcntlInt(w.Fd(), unix.F_GETPIPE_SZ, 0)
	if err != nil || size < 3*chunk/2 {
		t.Skip("the pipe is too small: ", size)
	}
	text := strings.Repeat("0123456789abcde\n", 3*chunk/2/16)
	io.WriteString(w, text)
	o.Drain()
	if got, _ := os.ReadFile(k.path("log")); string(got) != text {
		t.Errorf("%d bytes of %d are logged", len(got), len(text))
	}
}

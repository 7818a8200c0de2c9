package capture

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/internal/config"
)

// long is a bound that only a broken run meets.
const long = 30 * time.Second

func TestMain(m *testing.M) {
	switch what, arg := os.Getenv("CAPTURE_TEST_CHILD"), os.Getenv("CAPTURE_TEST_ARG"); what {
	case "daemon":
		childToStdout(arg)
		return
	case "killable":
		childKillable(arg, false)
		return
	case "looking killable":
		childKillable(arg, true)
		return
	case "writer":
		childWriter(arg)
		return
	}
	devNull() // these stay, so they are no leak of the first test
	thePoller()
	var all []*sidePipe
	for range cap(sidePipes) {
		all = append(all, takeSidePipe())
	}
	for _, p := range all {
		p.release()
	}
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		_ = flag.Set("test.parallel", "4") // allWaysAtOnce
	}
	os.Setenv("GORACE", os.Getenv("GORACE")+" atexit_sleep_ms=0") // for the children: with -race each would sleep for a second at its end
	os.Exit(m.Run())
}

// A rig is what a test needs, and sees to it that nothing is left behind.
type rig struct {
	*testing.T
	dir  string
	logs *Logs
	log  *slog.Logger

	mu    sync.Mutex
	lines []string      // guarded by mu; what was said
	said  chan struct{} // closed and renewed with each line; guarded by mu
}

func newRig(t *testing.T) *rig {
	fds, goroutines := countFDs(t), runtime.NumGoroutine()
	k := newRigBeside(t)
	t.Cleanup(func() {
		k.until("all goroutines have ended", func() bool { return runtime.NumGoroutine() <= goroutines })
		k.until("all descriptors are closed", func() bool { return countFDs(t) <= fds })
	})
	return k
}

// newRigBeside is newRig while others are at work, whose goroutines and descriptors are not told from its own.
func newRigBeside(t *testing.T) *rig {
	k := &rig{T: t, dir: t.TempDir(), said: make(chan struct{})}
	k.log = slog.New(slog.NewTextHandler(k, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
	k.logs = NewLogs(k.log)
	t.Cleanup(func() {
		k.until("no file is held", func() bool {
			k.logs.mu.Lock()
			defer k.logs.mu.Unlock()
			return len(k.logs.files) == 0
		})
	})
	return k
}

func (k *rig) Write(line []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.lines = append(k.lines, strings.ReplaceAll(string(line), `\"`, `"`))
	close(k.said)
	k.said = make(chan struct{})
	return len(line), nil
}

// saying waits until a line with the text has been said.
func (k *rig) saying(text string) {
	k.Helper()
	bound := time.After(long)
	for {
		k.mu.Lock()
		n, said := k.countLocked(text), k.said
		k.mu.Unlock()
		if n > 0 {
			return
		}
		select {
		case <-said:
		case <-bound:
			k.Fatalf("%q was not said, but %q", text, k.lines)
		}
	}
}

func (k *rig) count(text string) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.countLocked(text)
}

func (k *rig) countLocked(text string) (n int) {
	for _, l := range k.lines {
		if strings.Contains(l, text) {
			n++
		}
	}
	return n
}

// until looks again and again whether something that gives no sign of itself has come about.
func (k *rig) until(what string, ok func() bool) {
	k.Helper()
	for end := time.Now().Add(long); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			k.Fatalf("not so after %v: %s", long, what)
		}
	}
}

func (k *rig) path(name string) string { return filepath.Join(k.dir, name) }

func (k *rig) read(name string) string {
	k.Helper()
	b, err := os.ReadFile(k.path(name))
	if err != nil && !os.IsNotExist(err) {
		k.Fatal(err)
	}
	return string(b)
}

// holds waits until the file holds exactly that.
func (k *rig) holds(name, want string) {
	k.Helper()
	k.until(fmt.Sprintf("%s holds %.80q", name, want), func() bool { return k.read(name) == want })
}

// start starts an output and returns it with the end that the child writes to.
func (k *rig) start(cfg config.Log, more ...func(*Output)) (*Output, *os.File) {
	k.Helper()
	s, err := k.logs.Open(cfg)
	if err != nil {
		k.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		k.Fatal(err)
	}
	o := newOutput(fdOf(r), s, "web", k.log)
	for _, f := range more {
		f(o)
	}
	go o.run()
	k.Cleanup(func() {
		w.Close()
		o.Close()
		k.ended(o)
	})
	return o, w
}

// fdOf is r as Start takes it: nothing else knows of it.
func fdOf(r *os.File) int {
	fd, err := unix.FcntlInt(r.Fd(), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		panic(err)
	}
	r.Close()
	return fd
}

func (k *rig) ended(o *Output) {
	k.Helper()
	select {
	case <-o.Done():
	case <-time.After(long):
		k.Fatal("the output has not ended")
	}
}

// rotated is what the file and its backups hold together.
func (k *rig) rotated(name string, backups int) string {
	k.Helper()
	var b strings.Builder
	for i := backups; i >= 1; i-- {
		b.WriteString(k.read(fmt.Sprintf("%s.%d", name, i)))
	}
	b.WriteString(k.read(name))
	return b.String()
}

func copying(o *Output) { o.copying = true }

// looking gives an output a Look.
func looking(l Look) func(*Output) { return func(o *Output) { o.view = newView(l) } }

func countFDs(t *testing.T) int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// ways are the ways that bytes go; each rule holds for all.
var ways = []struct {
	name string
	how  func(*Output)
}{
	{"spliced", func(*Output) {}},
	{"copied", copying},
	{"seen", looking(Look{Chunk: func([]byte) {}})},
	{"read", looking(Look{StripANSI: true})},
}

func allWays(t *testing.T, f func(k *rig, how func(*Output))) {
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) { f(newRig(t), way.how) })
	}
}

// allWaysAtOnce is allWays for what mostly waits.
func allWaysAtOnce(t *testing.T, f func(k *rig, how func(*Output))) {
	newRig(t) // nothing of any of them is left
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			f(newRigBeside(t), way.how)
		})
	}
}

func TestRotationLosesAndDoublesNothing(t *testing.T) {
	for _, big := range []int{200, 40 << 10, 300 << 10} {
		t.Run(fmt.Sprintf("writes of up to %d bytes", big), func(t *testing.T) {
			allWays(t, func(k *rig, how func(*Output)) {
				const maxBytes, backups = 100 << 10, 30
				o, w := k.start(config.Log{File: k.path("log"), MaxBytes: maxBytes, Backups: backups}, how)
				var want bytes.Buffer
				rnd := rand.New(rand.NewPCG(1, uint64(big)))
				for i := 0; want.Len() < 2<<20; {
					var part bytes.Buffer
					for size := rnd.IntN(big) + 1; part.Len() < size; i++ {
						fmt.Fprintf(&part, "line %d\n", i)
					}
					want.Write(part.Bytes())
					w.Write(part.Bytes())
				}
				w.Close()
				k.ended(o)

				var got bytes.Buffer
				for i := backups; i >= 1; i-- {
					b := k.read(fmt.Sprintf("log.%d", i))
					if b != "" && (len(b) < maxBytes || len(b) >= maxBytes+chunk) {
						t.Errorf("log.%d has %d bytes", i, len(b))
					}
					got.WriteString(b)
				}
				got.WriteString(k.read("log"))
				if !bytes.Equal(got.Bytes(), want.Bytes()) {
					t.Errorf("the logs together have %d bytes, and not the %d that were written", got.Len(), want.Len())
				}
			})
		})
	}
}

func TestOutputsWithOnePathShareTheFile(t *testing.T) {
	allWays(t, func(k *rig, how func(*Output)) {
		cfg := config.Log{File: k.path("log"), MaxBytes: 64 << 10, Backups: 1000}
		var writers sync.WaitGroup
		var outputs []*Output
		const each = 20000
		for p := range 4 {
			o, w := k.start(cfg, how)
			outputs = append(outputs, o)
			writers.Go(func() {
				for i := range each {
					fmt.Fprintf(w, "%c%05d%c", 'a'+p, i, 'a'+p)
				}
				w.Close()
			})
		}
		writers.Wait()
		for _, o := range outputs {
			k.ended(o)
		}
		var got strings.Builder
		for i := cfg.Backups; i >= 1; i-- {
			got.WriteString(k.read(fmt.Sprintf("log.%d", i)))
		}
		got.WriteString(k.read("log"))
		if got.Len() != 4*each*7 {
			t.Errorf("%d bytes are logged, %d were written", got.Len(), 4*each*7)
		}
		if n := len(k.lines); n != 0 {
			t.Errorf("said: %q", k.lines)
		}
	})
}

func TestOthersMayTouchTheFile(t *testing.T) {
	allWays(t, func(k *rig, how func(*Output)) {
		_, w := k.start(config.Log{File: k.path("log")}, how)
		io.WriteString(w, "one\n")
		k.holds("log", "one\n")

		// logrotate's copytruncate
		if err := os.Truncate(k.path("log"), 0); err != nil {
			k.Fatal(err)
		}
		io.WriteString(w, "two\n")
		k.holds("log", "two\n")

		// logrotate, and then SIGUSR2
		if err := os.Rename(k.path("log"), k.path("log.1")); err != nil {
			k.Fatal(err)
		}
		io.WriteString(w, "three\n")
		k.holds("log.1", "two\nthree\n")
		k.logs.Reopen()
		io.WriteString(w, "four\n")
		k.holds("log", "four\n")
		k.holds("log.1", "two\nthree\n")

		// a cleanup, and then a restart of the program
		if err := os.Remove(k.path("log")); err != nil {
			k.Fatal(err)
		}
		_, w2 := k.start(config.Log{File: k.path("log")}, how)
		io.WriteString(w, "five\n")
		k.holds("log", "five\n")
		io.WriteString(w2, "six\n")
		k.holds("log", "five\nsix\n")

		// something else appends
		f, err := os.OpenFile(k.path("log"), os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			k.Fatal(err)
		}
		io.WriteString(f, "other\n")
		f.Close()
		io.WriteString(w, "seven\n")
		k.holds("log", "five\nsix\nother\nseven\n")
	})
}

func TestClearBeginsANewFileAndLeavesBackups(t *testing.T) {
	allWays(t, func(k *rig, how func(*Output)) {
		cfg := config.Log{File: k.path("log"), MaxBytes: 4, Backups: 1}
		s, err := k.logs.Open(cfg)
		if err != nil {
			k.Fatal(err)
		}
		defer s.Close()
		_, w := k.start(cfg, how)
		io.WriteString(w, "back\n")
		k.holds("log.1", "back\n")
		io.WriteString(w, "x\n")
		k.holds("log", "x\n")
		if err := s.Clear(); err != nil {
			k.Fatal(err)
		}
		k.holds("log", "")
		io.WriteString(w, "y\n")
		k.holds("log", "y\n")
		k.holds("log.1", "back\n")
	})
}

func TestAutoLogsAreNobodyElses(t *testing.T) {
	k := newRig(t)
	for _, c := range []struct {
		auto bool
		want os.FileMode
	}{{false, 0o644}, {true, 0o600}} {
		name := fmt.Sprintf("auto-%v", c.auto)
		old := unix.Umask(0o022)
		s, err := k.logs.Open(config.Log{File: k.path(name), Auto: c.auto})
		unix.Umask(old)
		if err != nil {
			t.Fatal(err)
		}
		s.Close()
		st, err := os.Stat(k.path(name))
		if err != nil {
			t.Fatal(err)
		}
		if st.Mode().Perm() != c.want {
			t.Errorf("%s has mode %v, want %v", name, st.Mode().Perm(), c.want)
		}
	}
}

package capture

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/internal/config"
	"holdfast/internal/logfile"
)

// pipe returns a pipe to be used as a log.
func (k *rig) pipe() (r, w *os.File) {
	k.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		k.Fatal(err)
	}
	k.Cleanup(func() { r.Close(); w.Close() })
	return r, w
}

func procPath(f *os.File) string {
	raw, _ := f.SyscallConn()
	var path string
	raw.Control(func(fd uintptr) { path = fmt.Sprintf("/proc/self/fd/%d", fd) })
	return path
}

func TestOpenSaysWhyNot(t *testing.T) {
	k := newRig(t)
	os.WriteFile(k.path("file"), nil, 0o644)
	for _, c := range []struct{ name, path, want string }{
		{"the directory is missing", k.path("missing/log"), "ENOENT"},
		{"it is a directory", k.dir, "EISDIR"},
		{"its directory is a file", k.path("file/log"), "ENOTDIR"},
	} {
		_, err := k.logs.Open(config.Log{File: c.path})
		if got := logfile.ErrnoName(err); got != c.want {
			t.Errorf("%s: got %q from %v, want %s", c.name, got, err, c.want)
		}
	}
}

func TestWithoutAFileOutputIsReadAway(t *testing.T) {
	k := newRig(t)
	o, w := k.start(config.Log{})
	b := make([]byte, 1<<20)
	for range 16 {
		if _, err := w.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	w.Close()
	k.ended(o)
	if len(k.lines) != 0 {
		t.Errorf("said: %q", k.lines)
	}
}

func TestPipesAsLogsDoNotRotate(t *testing.T) {
	allWays(t, func(k *rig, how func(*Output)) {
		r, target := k.pipe()
		o, w := k.start(config.Log{File: procPath(target), MaxBytes: 10, Backups: 3}, how)
		want := strings.Repeat("0123456789\n", 100000) // far more than fits: the reader sets the pace
		go func() { io.WriteString(w, want); w.Close() }()
		got := make([]byte, len(want))
		r.SetReadDeadline(time.Now().Add(long))
		if _, err := io.ReadFull(r, got); err != nil {
			k.Fatal(err)
		}
		if string(got) != want {
			k.Error("what came is not what was written")
		}
		k.ended(o)
		if len(k.lines) != 0 {
			k.Errorf("said: %q", k.lines)
		}
	})
}

func TestATerminalAsLog(t *testing.T) {
	k := newRig(t)
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no terminals here: ", err)
	}
	defer master.Close()
	raw, _ := master.SyscallConn()
	var n int
	raw.Control(func(fd uintptr) {
		unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0)
		n, err = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
	})
	if err != nil {
		t.Skip("no terminals here: ", err)
	}
	_, w := k.start(config.Log{File: fmt.Sprintf("/dev/pts/%d", n), MaxBytes: 1})
	for range 3 {
		io.WriteString(w, "hello\n")
		got := make([]byte, 7)
		if _, err := io.ReadFull(master, got); err != nil || string(got) != "hello\r\n" {
			t.Fatalf("got %q, %v", got, err)
		}
	}
}

func TestAFifoWithoutReaderTakesWhatFits(t *testing.T) {
	k := newRig(t)
	if err := unix.Mkfifo(k.path("fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, w := k.start(config.Log{File: k.path("fifo")})
	io.WriteString(w, "early\n")
	r, err := os.Open(k.path("fifo"))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got := make([]byte, 6)
	r.SetReadDeadline(time.Now().Add(long))
	if _, err := io.ReadFull(r, got); err != nil || string(got) != "early\n" {
		t.Fatalf("got %q, %v", got, err)
	}
}

// childToStdout is the daemon of TestStdoutAsLog: one output with the log path.
func childToStdout(path string) {
	logs := NewLogs(slog.Default())
	s, err := logs.Open(config.Log{File: path, MaxBytes: 1})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	r, w, _ := os.Pipe()
	o := Start(fdOf(r), s, "web", slog.Default(), Look{})
	for i := range 3 {
		fmt.Fprintf(w, "line %d\n", i)
		o.Drain()
	}
	w.Close()
	<-o.Done()
}

func TestStdoutAsLog(t *testing.T) {
	const want = "line 0\nline 1\nline 2\n"
	for _, c := range []struct {
		name  string
		open  func(k *rig) (out *os.File, got func() string)
		start string // what was in it before
	}{
		{"a socket, as systemd gives", func(k *rig) (*os.File, func() string) {
			fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				k.Fatal(err)
			}
			near, far := os.NewFile(uintptr(fds[0]), "near"), os.NewFile(uintptr(fds[1]), "far")
			return far, func() string {
				defer near.Close()
				b, _ := io.ReadAll(near)
				return string(b)
			}
		}, ""},
		{"a pipe", func(k *rig) (*os.File, func() string) {
			r, w := k.pipe()
			return w, func() string {
				b, _ := io.ReadAll(r)
				return string(b)
			}
		}, ""},
		{"a file", func(k *rig) (*os.File, func() string) {
			os.WriteFile(k.path("out"), []byte("before\n"), 0o644)
			f, err := os.OpenFile(k.path("out"), os.O_WRONLY|os.O_APPEND, 0)
			if err != nil {
				k.Fatal(err)
			}
			return f, func() string { return k.read("out") }
		}, "before\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := newRig(t)
			out, got := c.open(k)
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), "CAPTURE_TEST_CHILD=daemon", "CAPTURE_TEST_ARG=/dev/stdout")
			cmd.Stdout, cmd.Stderr = out, os.Stderr
			err := cmd.Run()
			out.Close()
			if err != nil {
				t.Fatal(err)
			}
			if g := got(); g != c.start+want {
				t.Errorf("got %q, want %q", g, c.start+want)
			}
		})
	}
}

func TestAClosedTargetIsSaidOnce(t *testing.T) {
	allWays(t, func(k *rig, how func(*Output)) {
		r, target := k.pipe()
		o, w := k.start(config.Log{File: procPath(target)}, how)
		target.Close()
		io.WriteString(w, "one\n")
		got := make([]byte, 4)
		if _, err := io.ReadFull(r, got); err != nil {
			k.Fatal(err)
		}
		r.Close()
		var n int
		for n < 8<<20 { // the child must not block, nor be told
			m, err := w.Write(make([]byte, 64<<10))
			if err != nil {
				k.Fatal(err)
			}
			n += m
		}
		w.Close()
		k.ended(o)
		if got := k.count("broken pipe; its output is discarded"); got != 1 {
			k.Errorf("said %d times: %q", got, k.lines)
		}
		if k.count(fmt.Sprintf("web: %d bytes of its output", n)) != 1 {
			k.Errorf("the %d lost bytes are not told: %q", n, k.lines)
		}
	})
}

func TestAStuckReaderHoldsUpTheChildForAWhileOnly(t *testing.T) {
	allWaysAtOnce(t, func(k *rig, how func(*Output)) {
		r, target := k.pipe()
		o, w := k.start(config.Log{File: procPath(target)}, how)
		const size = 4 << 20
		if _, err := w.Write(make([]byte, size)); err != nil { // nobody reads: it returns all the same
			k.Fatal(err)
		}
		k.saying("its output waits")
		w.Close()
		target.Close() // ours is now the only end that is written to
		var got int64
		counted := make(chan struct{})
		go func() {
			defer close(counted)
			got, _ = io.Copy(io.Discard, r)
		}()
		k.ended(o)
		<-counted
		if k.count(fmt.Sprintf("%d bytes of its output", size-got)) != 1 {
			k.Errorf("%d of %d bytes came, but said was: %q", got, size, k.lines)
		}
	})
}

func TestADeviceThatIsFull(t *testing.T) {
	k := newRig(t)
	o, w := k.start(config.Log{File: "/dev/full", MaxBytes: 1000})
	const size = 8 << 20
	if _, err := w.Write(make([]byte, size)); err != nil { // does not block
		t.Fatal(err)
	}
	o.Drain() // nor does this
	o.Close()
	w.Close()
	k.ended(o)
	if got := k.count(`cannot write to log "/dev/full": no space left on device; its output waits`); got != 1 {
		t.Errorf("said %d times: %q", got, k.lines)
	}
}

// smallDisk mounts one of size bytes.
func (k *rig) smallDisk(size int) string {
	k.Helper()
	dir := k.path("disk")
	os.Mkdir(dir, 0o755)
	err := syscall.Mount("none", dir, "tmpfs", 0, fmt.Sprintf("size=%d", size))
	if errors.Is(err, syscall.EPERM) {
		k.Skip("mounting a small disk needs root")
	}
	if err != nil {
		k.Fatal(err)
	}
	k.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			syscall.Unmount(dir, syscall.MNT_DETACH)
			k.Error(err)
		}
	})
	return dir
}

func TestAFullDiskLosesNothingThatFitsIntoThePipe(t *testing.T) {
	allWaysAtOnce(t, func(k *rig, how func(*Output)) {
		k.smallDisk(1 << 20)
		ballast := k.path("disk/ballast")
		fill := func() {
			os.WriteFile(ballast, make([]byte, 2<<20), 0o644) // as much as there is room for
		}
		fill()
		o, w := k.start(config.Log{File: k.path("disk/log")}, how)
		want := strings.Repeat("waits\n", 1000)
		io.WriteString(w, want)
		k.saying("no space left on device; its output waits")
		o.Drain() // doesn't wait for room
		if k.read("disk/log") != "" {
			k.Fatal("the disk is not full")
		}
		if err := os.Remove(ballast); err != nil {
			k.Fatal(err)
		}
		k.holds("disk/log", want)
		k.saying("can be written to again; nothing was lost")

		// and once more, with too much: the oldest goes
		fill()
		size := 4 << 20
		if _, err := w.Write(make([]byte, size)); err != nil {
			k.Fatal(err)
		}
		k.until("said again", func() bool { return k.count("its output waits") == 2 })
		io.WriteString(w, "the newest\n")
		os.Remove(ballast)
		k.until("the newest is there", func() bool { return strings.HasSuffix(k.read("disk/log"), "the newest\n") })
		w.Close()
		k.ended(o)
		lost := size + len("the newest\n") + len(want) - len(k.read("disk/log"))
		if k.count(fmt.Sprintf("can be written to again; %d bytes of its output were lost", lost)) != 1 {
			k.Errorf("%d bytes were lost, but said was: %q", lost, k.lines)
		}
	})
}

func TestAFullDiskDoesNotSlowAnother(t *testing.T) {
	k := newRig(t)
	_, stuck := k.start(config.Log{File: "/dev/full"})
	defer flood(k, stuck)()
	k.saying("no space left")
	r, target := k.pipe()
	_, w := k.start(config.Log{File: procPath(target)})
	for range 100 {
		io.WriteString(w, "tick\n")
		r.SetReadDeadline(time.Now().Add(long))
		if _, err := io.ReadFull(r, make([]byte, 5)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestARotationThatFailsLosesNothing(t *testing.T) {
	allWays(t, func(k *rig, how func(*Output)) {
		if err := os.MkdirAll(k.path("log.1/not empty"), 0o755); err != nil {
			k.Fatal(err)
		}
		o, w := k.start(config.Log{File: k.path("log"), MaxBytes: 100, Backups: 1}, how)
		var want strings.Builder
		for i := range 50 {
			line := fmt.Sprintf("line %d\n", i)
			want.WriteString(line)
			io.WriteString(w, line)
			o.Drain()
		}
		k.holds("log", want.String())
		if n := k.count("cannot rotate log"); n < 1 || n > 4 {
			k.Errorf("said %d times: %q", n, k.lines)
		}
	})
}

func TestSetPipeSize(t *testing.T) {
	k := newRig(t)
	r, _ := k.pipe()
	raw, _ := r.SyscallConn()
	raw.Control(func(fd uintptr) {
		if got := SetPipeSize(int(fd)); got != pipeSize(int(fd)) || got < 4096 {
			t.Errorf("got %d, and the pipe has %d", got, pipeSize(int(fd)))
		}
	})
	if got := SetPipeSize(-1); got != 64<<10 {
		t.Errorf("without a pipe: got %d", got)
	}
}

package child

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"holdfast/internal/config"
	"holdfast/internal/launch"
	"holdfast/internal/process"
	"holdfast/internal/survive"
)

// If this daemon dies before its loop has noted an end, the next one needs what is held to find out once more.
func TestWhatIsHeldStaysUntilTheEndIsNoted(t *testing.T) {
	var held sync.Map // by key
	k := newRigWith(t, func(o *Options) {
		o.Hold = func(key string, _ ...int) { held.Store(key, true) }
		o.Release = func(key string) { held.Delete(key) }
	})
	holds := func(p *config.Process, spawn uint64) bool {
		_, ok := held.Load(SpawnKey(p, spawn))
		return ok
	}
	p := k.program("report")
	first := k.spawn(p)
	k.ended(first)
	// One that ended later, and is let go: so the first one would be by now.
	second := k.spawn(p)
	k.ended(second)
	k.Done(second)
	k.eventually("the second one is let go", func() bool { return !holds(p, second) })
	if !holds(p, first) {
		t.Error("let go before the end was noted")
	}
	k.Done(first)
	k.eventually("the first one is let go", func() bool { return !holds(p, first) })
}

// A pidfd that is held knows what nobody was told.
func TestAHeldPidfdTellsAnEndThatNobodyKnows(t *testing.T) {
	before := newRig(t)
	pid := before.spawned(before.spawn(before.program("wait")))
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	before.Signal(before.last, syscall.SIGKILL, false)
	want := before.ended(before.last)
	want.Status.After = 0 // the next daemon does not know what this one has sent
	if _, ok := launch.PidfdStatus(pidfd); !ok {
		unix.Close(pidfd)
		t.Skip("this kernel does not keep exit statuses")
	}
	cell := new(launch.Cell)
	in := Inheritance{
		Conclusion: survive.Conclusion{Fate: survive.Ended, PID: pid, Status: process.ExitStatus{Unknown: true}},
		PidFD:      pidfd, Stage: -1, Cell: cell,
	}
	for i, ours := range []int{1, 0, 0} {
		var theirs int
		if in.Files[i], theirs, err = openPipe(ours); err != nil {
			t.Fatal(err)
		}
		unix.Close(theirs)
	}
	k := newRigWith(t, func(o *Options) {
		o.Inherited = func(*config.Process, uint64) Inheritance { return in }
	})
	k.last = 1
	k.Adopt(k.program("wait"), k.last)
	if got := k.ended(k.last); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if s, ok := cell.Status(); !ok || s != want.Status {
		t.Errorf("noted %+v, %v", s, ok)
	}
}

// noMoreFiles makes each open fail with EMFILE until more is called.
func noMoreFiles(t *testing.T) (more func()) {
	t.Helper()
	return fewFiles(t, 3)
}

// fewFiles lets files be opened only below a number, until more is called.
func fewFiles(t *testing.T, number uint64) (more func()) {
	t.Helper()
	var lim unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &lim); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: number, Max: lim.Max}); err != nil {
		t.Fatal(err)
	}
	more = sync.OnceFunc(func() {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &lim); err != nil {
			t.Fatal(err)
		}
	})
	t.Cleanup(more)
	return more
}

// words are what is logged.
type words struct {
	mu  sync.Mutex
	all bytes.Buffer // guarded by mu
}

func (w *words) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.all.Write(b)
}

func (w *words) count(text string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Count(w.all.String(), text)
}

// afterBoth is a rig that takes over a process of k after the death of the daemon and of the guard: nobody has held
// anything.
func (k *rig) afterBoth(cell *launch.Cell, spawn uint64) (n *rig, log *words) {
	k.t.Helper()
	in := Inheritance{Files: noFiles, PidFD: -1, Stage: -1, Notify: -1, Cell: cell}
	k.leaveTo(&in, spawn)
	in.Told, log = false, new(words)
	n = newRigWith(k.t, func(o *Options) {
		o.Log = slog.New(slog.NewTextHandler(log, nil))
		o.Inherited = func(*config.Process, uint64) Inheritance { return in }
	})
	n.dir, n.last = k.dir, spawn
	return n, log
}

// A process is taken over when there are files for it again, and is what it was until then.
func TestAShortageOfFilesEndsNothing(t *testing.T) {
	const waits = "not all processes can be taken over yet, 'web' for one: "
	for _, signalled := range []bool{false, true} {
		cell := new(launch.Cell)
		k := newRigWith(t, func(o *Options) { o.Cell = func(*config.Process) (*launch.Cell, error) { return cell, nil } })
		sign := filepath.Join(k.dir, "sign")
		p := k.program("late", sign)
		spawn := k.spawn(p)
		n, log := k.afterBoth(cell, spawn)

		more := noMoreFiles(t)
		n.Adopt(p, spawn)
		n.eventually("it is said", func() bool { return log.count(waits) == 1 })
		n.mu.Lock()
		if facts := n.facts[spawn]; len(facts) != 0 {
			t.Errorf("of a process that lives: %#v", facts)
		}
		n.mu.Unlock()
		if signalled {
			n.Signal(spawn, syscall.SIGTERM, false)
		}
		more()
		want := process.ExitStatus{Signal: syscall.SIGTERM, After: syscall.SIGTERM}
		if !signalled {
			n.eventually("it is taken over", func() bool { return n.live(spawn) != nil })
			if err := n.WriteStdin(spawn, []byte("to it\n")); err != nil {
				t.Error(err)
			}
			if err := os.WriteFile(sign, nil, 0o644); err != nil {
				t.Fatal(err)
			}
			want = process.ExitStatus{}
		}
		if e, ok := n.fact(spawn, 0).(process.Ended); !ok || e.Status != want {
			t.Errorf("signalled %v: got %#v, want %v", signalled, n.fact(spawn, 0), want)
		}
		if got := n.read("out.log"); !signalled && got != "late words\n" {
			t.Errorf("logged %q", got)
		}
		if log.count(waits) != 1 {
			t.Error("it is said more than once")
		}
	}
}

// The last files are not for processes.
func TestAStartLeavesTheLastFiles(t *testing.T) {
	k := newRig(t)
	p := k.program("wait")
	free, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	unix.Close(free)
	more := fewFiles(t, uint64(free)+10)
	if e, ok := k.fact(k.spawn(p), 0).(process.SpawnFailed); !ok || e.Err != "too many open files to spawn 'web'" {
		t.Errorf("got %#v", e)
	}
	more()
	k.spawned(k.spawn(p))
}

// A process that has put another file in the place of its stdout keeps its stderr, which is not taken for the other.
func TestStderrIsFollowedWithoutStdout(t *testing.T) {
	cell := new(launch.Cell)
	k := newRigWith(t, func(o *Options) { o.Cell = func(*config.Process) (*launch.Cell, error) { return cell, nil } })
	p := k.program("sh")
	p.Stdout.EventsEnabled, p.Stderr.EventsEnabled = true, true
	sign := filepath.Join(k.dir, "sign")
	p.Command = `/bin/sh -c "exec >/dev/null; echo closed >&2; until [ -e ` + sign + ` ]; do sleep 0.01; done; echo words >&2"`
	spawn := k.spawn(p)
	k.eventually("stdout is closed", func() bool { return k.read("err.log") == "closed\n" })
	n, log := k.afterBoth(cell, spawn)
	var mu sync.Mutex
	var seen []Output
	n.Manager.opts.Output = func(_ uint64, o Output) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, Output{Stderr: o.Stderr, Data: bytes.Clone(o.Data)})
	}
	n.Adopt(p, spawn)
	n.eventually("it is taken over", func() bool { return log.count("it has closed its stdout") == 1 })
	if err := os.WriteFile(sign, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	n.fact(spawn, 0) // its end
	mu.Lock()
	defer mu.Unlock()
	if len(seen) != 1 || !seen[0].Stderr || string(seen[0].Data) != "words\n" {
		t.Errorf("seen %+v", seen)
	}
	if out, err := n.read("out.log"), n.read("err.log"); out != "" || err != "closed\nwords\n" {
		t.Errorf("logged %q and %q", out, err)
	}
}

// What was held and can't be put into its log yet stays where it is.
func TestHeldOutputWaitsForFiles(t *testing.T) {
	in := Inheritance{
		Conclusion: survive.Conclusion{Fate: survive.Ended, PID: 1 << 22, Status: process.ExitStatus{Code: 3}},
		Known:      true, PidFD: -1, Stage: -1, Notify: -1, Cell: new(launch.Cell),
	}
	for i, ours := range []int{1, 0, 0} {
		var theirs int
		var err error
		if in.Files[i], theirs, err = openPipe(ours); err != nil {
			t.Fatal(err)
		}
		if i == 1 {
			unix.Write(theirs, []byte("last words\n"))
		}
		unix.Close(theirs)
	}
	log := new(words)
	n := newRigWith(t, func(o *Options) {
		o.Log = slog.New(slog.NewTextHandler(log, nil))
		o.Inherited = func(*config.Process, uint64) Inheritance { return in }
	})
	p := n.program("wait")
	more := noMoreFiles(t)
	n.Adopt(p, 1)
	n.eventually("it is said", func() bool { return log.count("not all processes can be taken over yet") == 1 })
	more()
	if e, ok := n.fact(1, 0).(process.Ended); !ok || e.Status.Code != 3 {
		t.Errorf("got %#v", n.fact(1, 0))
	}
	if got := n.read("out.log"); got != "last words\n" {
		t.Errorf("logged %q", got)
	}
}

// A pidfd that was held is let go if nothing else can be followed.
func TestNoPidfdIsLeftOpen(t *testing.T) {
	before := newRig(t)
	spawn := before.spawn(before.program("wait"))
	in := Inheritance{Files: noFiles, Stage: -1, Notify: -1, Cell: new(launch.Cell)} // whose pipes nobody knows
	before.leaveTo(&in, spawn)
	pidfd, err := unix.PidfdOpen(in.PID, unix.PIDFD_NONBLOCK)
	if err != nil {
		t.Fatal(err)
	}
	in.PidFD = pidfd
	id := func() (st unix.Stat_t) { _ = unix.Fstat(pidfd, &st); return st }
	was := id()
	k := newRigWith(t, func(o *Options) { o.Inherited = func(*config.Process, uint64) Inheritance { return in } })
	k.last = spawn
	k.Adopt(before.program("wait"), spawn)
	k.eventually("it is taken over", func() bool { return k.live(spawn) != nil })
	k.Signal(spawn, syscall.SIGKILL, false)
	k.fact(spawn, 0)
	k.eventually("its pidfd is closed", func() bool { now := id(); return now.Ino != was.Ino || now.Dev != was.Dev })
}

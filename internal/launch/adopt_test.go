package launch

import (
	"os"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"holdfast/internal/process"
)

// adopt takes over the process and gives what is said of its end.
func adopt(t *testing.T, a Adoption) (*Process, chan exit) {
	t.Helper()
	exits := make(chan exit, 2)
	a.Exited = func(s process.ExitStatus, alive bool) { exits <- exit{s, alive} }
	a.GroupGone = func() {}
	a.PidFD = -1
	p, err := Adopt(a)
	if err != nil {
		t.Fatal(err)
	}
	return p, exits
}

// member makes a process that this package has not started: its leader has, and has ended.
func member(t *testing.T) (pid int, start uint64) {
	t.Helper()
	if err := Subreaper(); err != nil {
		t.Fatal(err)
	}
	c := start1(t)
	pid = c.number("member ")
	c.wait()
	s, err := Look(pid)
	if err != nil {
		t.Fatalf("pid %d is not there: %v", pid, err)
	}
	return pid, s
}

func start1(t *testing.T) *child { return start(t, Spec{}, "leave-member", "wait") }

func TestAdoptedProcessThatIsOurChild(t *testing.T) {
	pid, start := member(t)
	var cell Cell
	p, exits := adopt(t, Adoption{PID: pid, Start: start, Cell: &cell})
	if err := p.Signal(syscall.SIGKILL, false); err != nil {
		t.Fatal(err)
	}
	if e := receive(t, "exit", exits); e.Signal != syscall.SIGKILL {
		t.Errorf("got %+v", e)
	}
	if s, ok := cell.Status(); !ok || s.Signal != syscall.SIGKILL {
		t.Errorf("noted %+v, %v", s, ok)
	}
	if err := p.Signal(syscall.SIGKILL, false); err != syscall.ESRCH {
		t.Errorf("a signal after its end: %v", err)
	}
}

func TestAdoptionChecksTheStartTime(t *testing.T) {
	pid, start := member(t)
	defer syscall.Kill(pid, syscall.SIGKILL)
	for _, a := range []Adoption{{PID: pid, Start: start + 1}, {PID: pid, Start: 0}, {PID: 1 << 22, Start: start}} {
		a.PidFD = -1
		if _, err := Adopt(a); err != syscall.ESRCH {
			t.Errorf("%+v: %v", a, err)
		}
	}
}

// The child of a process that is not ours, as the guard's are.
func TestAdoptedProcessOfSomebodyElse(t *testing.T) {
	for _, told := range []bool{true, false} {
		holder := start(t, Spec{}, "hold-child")
		pid := holder.number("child ")
		begin, _ := Look(pid)
		p, exits := adopt(t, Adoption{PID: pid, Start: begin, Teller: map[bool]int{true: holder.PID()}[told]})
		if err := p.Signal(syscall.SIGTERM, false); err != nil {
			t.Fatal(err)
		}
		want := process.ExitStatus{Signal: syscall.SIGTERM}
		if told {
			if holder.line() != "reaped" {
				t.Error("the holder says something else")
			}
			if Ended(pid, begin+1, 9) || !Ended(pid, begin, syscall.WaitStatus(syscall.SIGTERM)) {
				t.Error("Ended does not know whom it is about")
			}
		}
		e := receive(t, "exit", exits)
		if e.Unknown && !told {
			t.Log("this kernel does not say how a process has ended")
			want = process.ExitStatus{Unknown: true}
		}
		if e.ExitStatus != want {
			t.Errorf("told %v: got %+v, want %+v", told, e, want)
		}
		holder.Signal(syscall.SIGKILL, false)
		holder.wait()
	}
}

func TestAdoptedGroup(t *testing.T) {
	if err := Subreaper(); err != nil {
		t.Fatal(err)
	}
	c := start1(t)
	c.number("member ")
	c.wait()
	gone := make(chan struct{}, 1)
	p, err := AdoptGroup(c.PID(), func() { gone <- struct{}{} })
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Signal(syscall.SIGKILL, true); err != nil {
		t.Fatal(err)
	}
	receive(t, "end of the group", gone)
	if _, err := AdoptGroup(c.PID(), nil); err != syscall.ESRCH {
		t.Errorf("an empty group: %v", err)
	}
	if _, err := AdoptGroup(os.Getpid(), nil); err != syscall.ESRCH {
		t.Errorf("a number that is a stranger's: %v", err)
	}
}

// What is noted of a process must be there before it can be gone.
func TestCell(t *testing.T) {
	bothWays(t, func(t *testing.T) {
		mem, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_ANONYMOUS)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Munmap(mem)
		cell := (*Cell)(unsafe.Pointer(&mem[0]))
		c := start(t, Spec{Cell: cell, Spawn: 7}, "wait")
		begin, _ := Look(c.PID())
		since := time.Duration(sinceBoot() - cell.Begun)
		if cell.Spawn != 7 || int(cell.PID) != c.PID() || cell.Start != begin || cell.Start == 0 || since < 0 || since > bound {
			t.Errorf("running: %+v, begun %v ago", *cell, since)
		}
		if _, ok := cell.Status(); ok {
			t.Error("ended already")
		}
		c.Signal(syscall.SIGKILL, false)
		c.wait()
		if s, ok := cell.Status(); !ok || s != (process.ExitStatus{Signal: syscall.SIGKILL}) {
			t.Errorf("ended: %+v, %v", s, ok)
		}
		next := start(t, Spec{Cell: cell, Spawn: 8}, "wait")
		if _, ok := cell.Status(); ok || cell.Spawn != 8 || int(cell.PID) != next.PID() {
			t.Errorf("the next one: %+v", *cell)
		}
		next.Signal(syscall.SIGKILL, false)
		next.wait()
	})
}

func TestAPidfdTellsHowAProcessHasEnded(t *testing.T) {
	pid, start := member(t)
	p, exits := adopt(t, Adoption{PID: pid, Start: start})
	fd := p.PidFD()
	if fd < 0 {
		t.Skip("this kernel does not keep exit statuses")
	}
	defer unix.Close(fd)
	if s, ok := PidfdStatus(fd); ok {
		t.Errorf("while it lives: %v", s)
	}
	if err := p.Signal(syscall.SIGKILL, false); err != nil {
		t.Fatal(err)
	}
	receive(t, "exit", exits)
	s, ok := PidfdStatus(fd)
	if !ok && exitInfoIsOld(fd) {
		t.Skip("this kernel does not keep exit statuses")
	}
	if !ok || s.Signal != syscall.SIGKILL {
		t.Errorf("got %v, %v", s, ok)
	}
	if got := p.PidFD(); got != -1 {
		t.Errorf("a pidfd of what has ended: %d", got)
	}
}

// exitInfoIsOld tells of a kernel from before 6.15.
func exitInfoIsOld(fd int) bool {
	_, _, err := exitInfo(fd)
	return err != nil
}

// noMoreFiles makes each open fail with EMFILE until more is called.
func noMoreFiles(t *testing.T) (more func()) {
	t.Helper()
	var lim unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &lim); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 3, Max: lim.Max}); err != nil {
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

func TestALookThatCantBeMadeIsNoEnd(t *testing.T) {
	if _, err := Look(1 << 22); err != syscall.ESRCH {
		t.Errorf("a process that there is not: %v", err)
	}
	more := noMoreFiles(t)
	for _, pid := range []int{os.Getpid(), 1 << 22} {
		if _, err := Look(pid); !Short(err) {
			t.Errorf("without files: %v", err)
		}
	}
	more()
	if _, err := Look(os.Getpid()); err != nil {
		t.Error(err)
	}
}

// What can't be opened at a takeover says nothing of the process.
func TestAdoptionWithoutFiles(t *testing.T) {
	unknown := process.ExitStatus{Unknown: true}
	killed := process.ExitStatus{Signal: syscall.SIGKILL}
	t.Run("of our child", func(t *testing.T) {
		pid, start := member(t)
		more := noMoreFiles(t)
		p, exits := adopt(t, Adoption{PID: pid, Start: start})
		if err := p.Signal(syscall.SIGKILL, false); !Short(err) {
			t.Errorf("a signal to what may be a stranger: %v", err)
		}
		more()
		if err := p.Signal(syscall.SIGKILL, false); err != nil {
			t.Error(err)
		}
		if e := receive(t, "exit", exits); e.ExitStatus != killed {
			t.Errorf("got %+v", e)
		}
	})
	t.Run("of one whose start time was not noted", func(t *testing.T) {
		cell := &Cell{Begun: sinceBoot()}
		pid, _ := member(t)
		more := noMoreFiles(t)
		p, exits := adopt(t, Adoption{PID: pid, Cell: cell})
		more()
		if err := p.Signal(syscall.SIGKILL, false); err != nil {
			t.Error(err)
		}
		if e := receive(t, "exit", exits); e.ExitStatus != killed {
			t.Errorf("got %+v", e)
		}
	})
	t.Run("of somebody else's", func(t *testing.T) {
		holder := start(t, Spec{}, "hold-child")
		pid := holder.number("child ")
		begin, _ := Look(pid)
		more := noMoreFiles(t)
		p, exits := adopt(t, Adoption{PID: pid, Start: begin})
		more()
		if err := p.Signal(syscall.SIGTERM, false); err != nil {
			t.Error(err)
		}
		if e := receive(t, "exit", exits); e.Signal != syscall.SIGTERM && e.ExitStatus != unknown {
			t.Errorf("got %+v", e)
		}
	})
	t.Run("of a stranger", func(t *testing.T) {
		pid, start := member(t)
		defer syscall.Kill(pid, syscall.SIGKILL)
		more := noMoreFiles(t)
		p, exits := adopt(t, Adoption{PID: pid, Start: start + 1})
		more()
		for _, group := range []bool{false, true} {
			if err := p.Signal(syscall.SIGKILL, group); err != syscall.ESRCH {
				t.Errorf("a signal to a stranger, group %v: %v", group, err)
			}
		}
		if e := receive(t, "exit", exits); e.ExitStatus != unknown {
			t.Errorf("got %+v", e)
		}
		if _, err := Look(pid); err != nil {
			t.Errorf("the stranger: %v", err)
		}
	})
	t.Run("of one that its teller has waited for", func(t *testing.T) {
		more := noMoreFiles(t)
		_, exits := adopt(t, Adoption{PID: 1 << 22, Start: 1000, Teller: os.Getppid(), Told: true})
		more()
		if !Ended(1<<22, 0, 9) { // it could not look at its start time either
			t.Error("nobody knows it")
		}
		if e := receive(t, "exit", exits); e.ExitStatus != killed {
			t.Errorf("got %+v", e)
		}
	})
}

func TestAdoptionWithoutAPidfd(t *testing.T) {
	holder := start(t, Spec{}, "hold-child")
	pid := holder.number("child ")
	begin, _ := Look(pid)
	p, exits := adopt(t, Adoption{PID: pid, Start: begin, Frugal: true})
	if fd := p.PidFD(); fd != -1 {
		t.Errorf("it has one: %d", fd)
	}
	if err := p.Signal(syscall.SIGTERM, true); err != nil {
		t.Error(err)
	}
	if e := receive(t, "exit", exits); e.Signal != syscall.SIGTERM && !e.Unknown {
		t.Errorf("got %+v", e)
	}
	if err := p.Signal(syscall.SIGTERM, false); err != syscall.ESRCH {
		t.Errorf("a signal after its end: %v", err)
	}
}

func TestAPidfdThatWasKept(t *testing.T) {
	pid, start := member(t)
	fd, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	if err != nil {
		t.Fatal(err)
	}
	exits := make(chan exit, 1)
	p, err := Adopt(Adoption{PID: pid, Start: start, PidFD: fd, Exited: func(s process.ExitStatus, alive bool) { exits <- exit{s, alive} }})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Signal(syscall.SIGKILL, false); err != nil {
		t.Error(err)
	}
	if e := receive(t, "exit", exits); e.Signal != syscall.SIGKILL {
		t.Errorf("got %+v", e)
	}
}

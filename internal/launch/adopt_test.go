package launch

import (
	"os"
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
	s, ok := Look(pid)
	if !ok {
		t.Fatalf("pid %d is not there", pid)
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
		if _, err := Adopt(a); err != syscall.ESRCH && err != syscall.EINVAL {
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

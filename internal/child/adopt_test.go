package child

import (
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

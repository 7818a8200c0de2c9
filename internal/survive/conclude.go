package survive

import (
	"syscall"

	"holdfast/internal/launch"
	"holdfast/internal/process"
)

// A Fate is what has become of a process while no daemon was there.
type Fate int

const (
	// AtRest: nothing was under way, the record stands.
	AtRest Fate = iota
	// NotForked: it was to be started, and there was no fork.
	NotForked
	// Alive: it runs, or its end is still to be told by who waits for it.
	Alive
	// Ended: it has ended, and Status is how.
	Ended
	// LeaderGone: it had ended before, and the end of its process group was awaited.
	LeaderGone
)

func (f Fate) String() string {
	return [...]string{"at rest", "not forked", "alive", "ended", "leader gone"}[f]
}

// A Conclusion is an Entry's fate.
type Conclusion struct {
	Fate
	PID    int
	Start  uint64             // of an Alive process; 0: not known
	Status process.ExitStatus // of an Ended one
	Told   bool               // the end of an Alive one will be told, even if it is not there any more
}

// An Exit is an end that somebody else has waited for.
type Exit struct {
	PID    int
	Start  uint64 // 0: not known
	Status syscall.WaitStatus
}

// Conclude says what has become of e's process. look is launch.Look. told are ends that the
// guard, which has that pid, has waited for meanwhile; it will tell of more, if they were its children.
//
// Only a fact ends a process: one that can't be looked at now counts as alive, and who adopts it looks again.
func Conclude(e *Entry, told []Exit, guard int, look func(pid int) (start uint64, err error)) Conclusion {
	r, c := &e.Record, &e.Cell
	forking := r.PID == 0 && (r.State == process.Starting && !r.Held || r.State == process.Stopping)
	switch {
	case r.LeaderGone:
		return Conclusion{Fate: LeaderGone, PID: r.PID}
	case r.PID == 0 && !forking:
		return Conclusion{Fate: AtRest}
	case forking && (c.Spawn != r.Spawn || c.PID == 0):
		return Conclusion{Fate: NotForked}
	}
	// The loop notes a pid only after the kernel has: a cell of another spawn is none of ours.
	lost := Conclusion{Fate: Ended, PID: r.PID, Status: process.ExitStatus{Unknown: true}}
	if c.Spawn != r.Spawn || c.PID <= 0 || r.PID != 0 && r.PID != int(c.PID) {
		return lost
	}
	pid := int(c.PID)
	lost.PID = pid
	if s, ok := c.Status(); ok {
		return Conclusion{Fate: Ended, PID: pid, Status: s}
	}
	guarded := guard != 0 && (guard == int(c.Parent) || guard == int(c.Grandparent))
	for _, x := range told {
		if x.PID == pid && (c.Is(x.Start) || x.Start == 0 && guarded) {
			return Conclusion{Fate: Ended, PID: pid, Status: launch.ExitStatus(x.Status)}
		}
	}
	start, err := look(pid)
	switch {
	case err == nil && c.Is(start):
		return Conclusion{Fate: Alive, PID: pid, Start: start, Told: guarded} // it may end this moment
	case guarded, err != nil && err != syscall.ESRCH:
		return Conclusion{Fate: Alive, PID: pid, Start: c.Start, Told: guarded}
	}
	return lost
}

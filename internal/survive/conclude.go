package survive

import (
	"syscall"
	"time"

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
	Start  uint64             // of an Alive process
	Status process.ExitStatus // of an Ended one
	Told   bool               // the end of an Alive one will be told, even if it is not there any more
}

// An Exit is an end that somebody else has waited for.
type Exit struct {
	PID    int
	Start  uint64
	Status syscall.WaitStatus
}

// forkTime is how far after the cell's note of a fork the process's start may lie, where its exact time
// was not noted: the daemon died right then.
const forkTime = 2 * time.Second

// tick is the unit of start times: what the kernel shows to programs is in hundredths of a second.
const tick = 10 * time.Millisecond

// Conclude says what has become of e's process. look is launch.Look. told are ends that the
// guard, which has that pid, has waited for meanwhile; it will tell of more, if they were its children.
func Conclude(e *Entry, told []Exit, guard int, look func(pid int) (start uint64, ok bool)) Conclusion {
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
	for _, x := range told {
		if x.PID == pid && isOurs(c, x.Start) {
			return Conclusion{Fate: Ended, PID: pid, Status: launch.ExitStatus(x.Status)}
		}
	}
	guarded := guard != 0 && (guard == int(c.Parent) || guard == int(c.Grandparent))
	if start, ok := look(pid); ok && isOurs(c, start) {
		return Conclusion{Fate: Alive, PID: pid, Start: start, Told: guarded} // it may end this moment
	}
	if guarded {
		return Conclusion{Fate: Alive, PID: pid, Start: c.Start, Told: true}
	}
	return lost
}

// isOurs tells whether a process with the cell's pid and this start time is the cell's.
func isOurs(c *launch.Cell, start uint64) bool {
	if c.Start != 0 {
		return start == c.Start
	}
	at := time.Duration(start) * tick
	begun := time.Duration(c.Begun)
	return at >= begun-tick && at <= begun+forkTime
}

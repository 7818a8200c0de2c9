package child

import "time"

// A line makes starts go through a step in the order in which they were asked for, one at a time.
// So processes that are started together come up in the order of their priorities; and a hundred
// of them that open their files at once would cost the runtime a hundred threads.
type line struct {
	last chan struct{} // closed when the last one has passed; nil: there was none
}

// A ticket is one start's place in a line.
type ticket struct {
	before chan struct{}
	passed chan struct{}
}

// patience is how long a start waits for the one before it: one that hangs in an open, on a mount
// that is gone for instance, delays the next one once and nobody for good.
const patience = 50 * time.Millisecond

func (l *line) ticket() *ticket {
	t := &ticket{before: l.last, passed: make(chan struct{})}
	l.last = t.passed
	return t
}

// await returns when the one before has passed, or has taken too long.
func (t *ticket) await() {
	if t.before == nil {
		return
	}
	select {
	case <-t.before:
		return
	default:
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-t.before:
	case <-timer.C:
	}
}

// pass lets the next one through.
func (t *ticket) pass() { close(t.passed) }

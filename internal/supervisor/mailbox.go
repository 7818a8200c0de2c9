package supervisor

import "sync"

// A mailbox brings work to the loop, in order, and makes nobody wait but those who bring output: a
// hand that reports a fact may hold a lock that the loop is about to ask for.
type mailbox struct {
	wake chan struct{} // sent to when the box stops being empty, or closes; room for one, since one wake is enough
	*box
}

type box struct {
	mu     sync.Mutex
	work   []func() // guarded by mu
	bytes  int      // guarded by mu; what is in work by putBytes
	closed bool     // guarded by mu

	emptied *sync.Cond // of mu
}

// room is how many bytes may wait for the loop.
const room = 1 << 20

func newMailbox() mailbox {
	b := new(box)
	b.emptied = sync.NewCond(&b.mu)
	return mailbox{wake: make(chan struct{}, 1), box: b}
}

// put leaves f for the loop, and tells whether it will be run.
func (m mailbox) put(f func()) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.putLocked(f)
}

// putBytes is put for an f that has n bytes in it. Programs can write faster than the loop makes events
// of it, so this waits for the loop where there is no room.
func (m mailbox) putBytes(n int, f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for m.bytes > 0 && m.bytes+n > room && !m.closed {
		m.emptied.Wait()
	}
	m.bytes += n
	m.putLocked(f)
}

// putLocked is put with the lock held.
func (m mailbox) putLocked(f func()) bool {
	if m.closed {
		return false
	}
	m.work = append(m.work, f)
	if len(m.work) == 1 {
		select {
		case m.wake <- struct{}{}:
		default:
		}
	}
	return true
}

// take empties the box.
func (m mailbox) take() []func() {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.takeLocked()
}

// takeLocked is take with the lock held.
func (m mailbox) takeLocked() []func() {
	work := m.work
	m.work, m.bytes = nil, 0
	m.emptied.Broadcast()
	return work
}

// call runs f on the loop and returns when it has run; false: the loop has ended.
func (m mailbox) call(f func()) bool {
	done := make(chan bool, 1) // room for one, so that the loop never waits
	if !m.put(func() { f(); done <- true }) {
		return false
	}
	return <-done
}

// close runs what is left in the box and takes nothing more.
func (m mailbox) close() {
	m.mu.Lock()
	m.closed = true
	work := m.takeLocked()
	m.mu.Unlock()
	for _, f := range work {
		f()
	}
}

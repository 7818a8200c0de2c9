package supervisor

import "sync"

// A mailbox brings work to the loop, in order, and makes nobody wait but who calls: a hand that reports a
// fact may hold a lock that the loop is about to ask for.
type mailbox struct {
	wake chan struct{} // sent to when the box stops being empty, or closes; room for one, since one wake is enough
	*box
}

type box struct {
	mu     sync.Mutex
	work   []func() // guarded by mu
	closed bool     // guarded by mu
}

func newMailbox() mailbox { return mailbox{wake: make(chan struct{}, 1), box: new(box)} }

// put leaves f for the loop, and tells whether it will be run.
func (m mailbox) put(f func()) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
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
	work := m.work
	m.work = nil
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
	work := m.work
	m.work = nil
	m.mu.Unlock()
	for _, f := range work {
		f()
	}
}

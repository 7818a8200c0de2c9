package listener

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"holdfast/internal/dlog"
	"holdfast/internal/event"
	"holdfast/internal/process"
)

// Kept is what the next daemon must know of a member.
type Kept struct {
	Said    State
	Pending string // output that says nothing yet
	Missing int    // how much of a result is still to come; 0 or less: its line is awaited
	Result  string // its beginning
	Heard   string // the last of its output
	InHand  uint64 // one more than the pool's number of the event that it has in hand; 0: it has none
}

// Kept is what Resume wants of a member.
func (p *Pool) Kept(member int) Kept {
	m := &p.members[member]
	k := Kept{Said: m.state, Pending: string(m.pending), Missing: m.missing, Result: string(m.result), Heard: m.heard}
	if m.event != nil {
		k.InHand = m.event.poolSerial + 1
	}
	return k
}

// Resume tells of a member that a daemon before this one has left: its process's state, what was kept of it,
// and the number of the pool's next event. Restore follows, when all members are there.
func (p *Pool) Resume(member int, state process.State, k Kept, next uint64) {
	m := &p.members[member]
	m.reset()
	m.running, m.resumed = state == process.Running, true
	m.alive = !state.IsStopped() && state != process.Backoff || state == process.Unknown
	if k.Said != 0 {
		m.state = k.Said
	}
	m.pending, m.result, m.heard = []byte(k.Pending), []byte(k.Result), k.Heard
	if k.Missing > 0 {
		m.missing = k.Missing
	}
	if k.InHand != 0 && m.state == Busy {
		m.event = &item{poolSerial: k.InHand - 1}
	}
	if next > p.serial.Peek() {
		p.serial = event.SerialFrom(next)
	}
}

// Restore brings back the events that were kept. The pool had so many: those that are not there are lost, and
// the log says that.
func (p *Pool) Restore(now time.Time, kept []Saved, had int) []Action {
	inHand := make(map[uint64]*member)
	for n := range p.members {
		if m := &p.members[n]; m.event != nil {
			inHand[m.event.poolSerial] = m
			m.event = nil
		}
	}
	slices.SortFunc(kept, func(a, b Saved) int { return cmp.Compare(a.PoolSerial, b.PoolSerial) })
	for _, s := range kept {
		i := &item{event: s.Event, serial: s.Serial, poolSerial: s.PoolSerial, vain: s.Vain, sent: now}
		if m := inHand[s.PoolSerial]; m != nil {
			m.event = i
			delete(inHand, s.PoolSerial)
		} else {
			p.queue.PushBack(i)
		}
	}
	// What is in hand may still be processed.
	if lost := had - len(kept) - len(inHand); lost > 0 {
		p.counts.Discarded += uint64(lost)
		p.log(dlog.Warn, lostText(p.o.Name, lost))
	}
	return p.done()
}

// maxHeard is how much of a member's output is remembered: more than it may write for one event and not wait.
const maxHeard = 128

// takenWithin is how long an event waits for Taken: a log on a disk that is full holds up no events.
const takenWithin = time.Second

func (m *member) hear(data []byte) {
	heard := m.heard + string(data[max(0, len(data)-maxHeard):])
	m.heard = heard[max(0, len(heard)-maxHeard):]
}

// Taken takes the news that no daemon will hear once more what member has written so far.
func (p *Pool) Taken(member int) { p.members[member].heard = "" }

// waited tells whether m has waited long enough for Taken. It begins to wait.
func (m *member) waited(now time.Time) bool {
	if m.ready() && m.waitsSince.IsZero() {
		m.waitsSince = now
	}
	return m.ready() && !now.Before(m.waitsSince.Add(takenWithin))
}

// sentTo notes that m is sent an event: what it writes from now on is new.
func (m *member) sentTo() { m.heard, m.resumed, m.waitsSince = "", false, time.Time{} }

// withoutEcho takes off what the daemon before had heard already, and died before it could take it out of the
// pipe.
func (m *member) withoutEcho(data []byte) []byte {
	for from := range m.heard {
		if echo := m.heard[from:]; strings.HasPrefix(string(data[:min(len(data), len(echo))]), echo) {
			return data[len(echo):]
		}
	}
	return data
}

// NextSerial is the number that the pool's next event will have.
func (p *Pool) NextSerial() uint64 { return p.serial.Peek() }

// lostInHand says that the event that m had in hand can't be sent again.
func (p *Pool) lostInHand(m *member) {
	p.counts.Discarded++
	p.log(dlog.Warn, lostInHandText(m.name, p.o.Name))
}

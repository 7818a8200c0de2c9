// Package listener is the pure machine of one pool of event listeners: the queue of its events,
// the state of each of its processes (its members), and what they say on their stdout. It writes
// to no pipe and no log; its methods return what the caller has to do, in order.
//
//	                  "READY\n"            Dispatch
//	ACKNOWLEDGED ──────────────────▶ READY ────────▶ BUSY
//	      ▲  │ anything else           │ anything     │ │ what is no result: the event
//	      │  └──────────▶ UNKNOWN ◀────┴──────────────┼─┘ goes back to the queue's head
//	      └───────────────────────────────────────────┘
//	          "RESULT 2\nOK": the event was processed
//	          any other result: it was rejected and goes back to the queue's head
//
// A start of the process brings every state back to ACKNOWLEDGED, and nothing else ends UNKNOWN.
//
// An event that was accepted is in one place at any time: queued, in the hands of one member,
// processed, or discarded, because newer ones needed its room or the pool has ended, with a line in
// the log. The caller's part:
//
//	if pool.Wants(e.Type()) { do(pool.Accept(serial, e)) }
//	do(pool.Changed(member, state))   // each process.Changed of a member, after its own event was published
//	do(pool.Output(member, data))     // of the member's present spawn
//	pool.Taken(member)                // when no daemon after this one will hear that again
//	do(pool.Dispatch(now))            // at the end of a turn, and at Deadline
//	do(pool.End())                    // at last
//
// and where a Write could not be carried out, do(pool.WriteFailed(member, why)) and Dispatch again.
package listener

import (
	"container/list"
	"log/slog"
	"slices"
	"time"

	"holdfast/internal/dlog"
	"holdfast/internal/event"
	"holdfast/internal/process"
)

// An Action is something that the caller has to do, in the order given.
type Action interface{ action() }

type (
	// Write: write Data to the stdin of a member, and then, unless that failed, write Done to the
	// log.
	Write struct {
		Member int
		Data   []byte
		Done   Log
	}
	// Log: write a line to the main log.
	Log struct {
		Level slog.Level
		Text  string
	}
	// Keep: note an event that was accepted, for Restore.
	Keep struct{ Saved }
	// Drop: it needs no Restore any more.
	Drop struct{ PoolSerial uint64 }
)

func (Write) action() {}
func (Log) action()   {}
func (Keep) action()  {}
func (Drop) action()  {}

// A Saved is an event that the pool has accepted.
type Saved struct {
	Event      event.Event
	Serial     uint64
	PoolSerial uint64
	Vain       bool // no listener could be told of it
}

// Options is what [eventlistener:x] says of a pool.
type Options struct {
	Name       string
	Server     string // [supervisord] identifier=
	BufferSize int    // at least 1
	Events     event.Subscription
	Members    []string // the names of its processes; a member's number is its place here
}

// A Pool is the queue of one [eventlistener:x] and its members.
type Pool struct {
	o       Options
	serial  event.Serial
	queue   list.List // of *item, the oldest first
	members []member
	counts  Counts

	do []Action // of the call under way
}

// An item is an event that this pool has accepted.
type item struct {
	event      event.Event
	serial     uint64
	poolSerial uint64
	sent       time.Time // last
	rejections int       // by an answer, not by the end of a process
	vain       bool      // it came when no listener could be told, and none has been
}

// An event that was rejected quickRejections times is sent again only when rejectionPause has passed
// since it was sent.
//
// Differs: the original sends it again at once and for ever. A listener that can't do its work would
// take a processor, and drive everything else out of the log.
const (
	quickRejections = 5
	rejectionPause  = time.Second
)

// due is when i may be sent.
func (i *item) due() time.Time {
	if i.rejections < quickRejections {
		return time.Time{}
	}
	return i.sent.Add(rejectionPause)
}

// answerWithin is how long a listener may have an event in hand before the log says so.
//
// Differs: the original never says a word. A listener that hangs takes its pool with it, and what
// one notices first is that events are lost.
const answerWithin = time.Minute

// Counts is what became of a pool's events since it was made.
type Counts struct {
	Accepted  uint64
	Processed uint64 // answered with OK
	Rejected  uint64 // sent and put back: another answer, or none because the process ended
	Discarded uint64 // lost: the queue was full, or the pool has ended

	Queued, InFlight int // now
}

// New makes a pool whose processes have not been started yet.
func New(o Options) *Pool {
	p := &Pool{o: o, members: make([]member, len(o.Members))}
	for i, name := range o.Members {
		p.members[i] = member{name: name, state: Acknowledged, missing: noLength}
	}
	return p
}

// Wants tells whether the pool is subscribed to events of type t.
func (p *Pool) Wants(t event.Type) bool { return p.o.Events[t] }

// Counts tells what became of the events so far.
func (p *Pool) Counts() Counts {
	c := p.counts
	c.Queued = p.queue.Len()
	for i := range p.members {
		if p.members[i].event != nil {
			c.InFlight++
		}
	}
	return c
}

// State is the state of a member.
func (p *Pool) State(member int) State { return p.members[member].state }

// Accept takes an event that the pool Wants. serial is its number in the daemon, the same for
// every pool that takes it; an event that no pool wants uses up no number.
func (p *Pool) Accept(serial uint64, e event.Event) []Action {
	p.counts.Accepted++
	i := &item{event: e, serial: serial, poolSerial: p.serial.Next(), vain: p.vain(e)}
	p.makeRoom()
	p.queue.PushBack(i)
	p.do = append(p.do, Keep{Saved{i.event, i.serial, i.poolSerial, i.vain}})
	return p.done()
}

// vain tells whether e is news of the pool's own processes, or none of them runs.
func (p *Pool) vain(e event.Event) bool {
	s, ok := e.(event.ProcessState)
	return ok && s.Group == p.o.Name || !slices.ContainsFunc(p.members, func(m member) bool { return m.running })
}

// Changed takes the news that the process of a member is in another state now. Its output up to
// then has to be brought before.
func (p *Pool) Changed(member int, to process.State) []Action {
	m := &p.members[member]
	m.running = to == process.Running
	switch to {
	case process.Running, process.Stopping, process.Unknown: // it lives
	case process.Starting:
		m.reset()
	default:
		m.alive = false
		if m.state == Busy {
			p.reject(m)
		}
	}
	return p.done()
}

// Dispatch sends the oldest events to the members whose process is RUNNING and that are READY, the
// first ones first.
func (p *Pool) Dispatch(now time.Time) []Action {
	p.remind(now)
	sent := false
	for n := range p.members {
		m := &p.members[n]
		front := p.queue.Front()
		if front == nil || now.Before(front.Value.(*item).due()) {
			break
		}
		if !m.eligible() && !m.waited(now) {
			continue
		}
		m.sentTo()
		i := p.queue.Remove(front).(*item)
		i.sent, i.vain = now, false
		m.event, m.state, m.missing, m.reminded = i, Busy, noLength, false
		v := event.Envelope{Server: p.o.Server, Serial: i.serial, Pool: p.o.Name, PoolSerial: i.poolSerial}
		p.do = append(p.do, Write{n, v.Pack(i.event), Log{dlog.Debug, sentText(i.serial, m.name)}})
		sent = true
	}
	// The original takes the next event out, finds nobody for it and puts it back, and says so.
	if front := p.queue.Front(); sent && front != nil {
		p.log(dlog.Debug, rebufferingText(front.Value.(*item).serial, p.o.Name, p.queue.Len()-1, p.o.BufferSize))
	}
	return p.done()
}

// remind says once of each event in hand that it is there for long.
func (p *Pool) remind(now time.Time) {
	for n := range p.members {
		m := &p.members[n]
		if at := m.remindAt(); !at.IsZero() && !now.Before(at) {
			m.reminded = true
			p.log(dlog.Warn, noAnswerText(m.name, m.event))
		}
	}
}

// Deadline is when Dispatch has something to do even if nothing happens until then; zero: never. It is
// behind the now of the last Dispatch.
func (p *Pool) Deadline() (at time.Time) {
	earlier := func(t time.Time) {
		if at.IsZero() || !t.IsZero() && t.Before(at) {
			at = t
		}
	}
	for n := range p.members {
		m := &p.members[n]
		earlier(m.remindAt())
		if front := p.queue.Front(); front != nil && m.eligible() {
			earlier(front.Value.(*item).due())
		} else if front != nil && m.ready() && !m.waitsSince.IsZero() {
			earlier(m.waitsSince.Add(takenWithin))
		}
	}
	return at
}

// WriteFailed takes the news that the last Write to a member could not be carried out. The event
// goes back to the head of the queue, for another member.
//
// Differs: the original tries a member whose stdin is closed again on every turn of its loop, and
// logs it each time (quirks 84). Here it gets nothing more until it is started again, and the log
// says that.
func (p *Pool) WriteFailed(member int, why error) []Action {
	m := &p.members[member]
	if !m.deaf && m.alive {
		m.deaf = true
		p.log(dlog.Warn, deafText(m.name, why))
	}
	i := m.event
	if i == nil {
		return p.done() // it has answered, or ended, meanwhile
	}
	p.log(dlog.Debug, epipeText(i.serial, m.name))
	spoken := len(m.pending) > 0 || m.missing != noLength
	m.event, m.state = nil, Ready
	p.putBack(i)
	if spoken { // nobody has asked it anything
		p.enter(m, Unknown)
	}
	return p.done()
}

// End gives up the events that are left, since the pool is removed or the daemon ends.
//
// Differs: the original loses them in silence. No pool can be told of the end of its own processes and of
// what comes behind it, so that alone is no reason to warn.
func (p *Pool) End() []Action {
	var left []*item
	for n := range p.members {
		if m := &p.members[n]; m.event != nil {
			left = append(left, m.event)
			*m = member{name: m.name}
		}
	}
	for e := p.queue.Front(); e != nil; e = e.Next() {
		left = append(left, e.Value.(*item))
	}
	p.queue.Init()
	if len(left) == 0 {
		return nil
	}
	for _, i := range left {
		p.drop(i)
	}
	p.counts.Discarded += uint64(len(left))
	level := dlog.Info
	for _, i := range left {
		if !i.vain {
			level = dlog.Warn
		}
	}
	p.log(level, endText(p.o.Name, len(left)))
	return p.done()
}

// reject takes the event from m, which will not process it.
//
// Differs: the original gives it to every pool that has a process of the same priority, whatever
// that pool is subscribed to (quirks 76).
func (p *Pool) reject(m *member) {
	i := m.event
	m.event = nil
	if i == nil {
		p.lostInHand(m)
		return
	}
	p.counts.Rejected++
	p.putBack(i)
}

// putBack makes i the next to be sent. If that leaves too many, the oldest of the others goes.
func (p *Pool) putBack(i *item) {
	p.log(dlog.Debug, rebufferingText(i.serial, p.o.Name, p.queue.Len(), p.o.BufferSize))
	p.makeRoom()
	p.queue.PushFront(i)
}

func (p *Pool) makeRoom() {
	if p.queue.Len() < p.o.BufferSize || p.queue.Len() == 0 {
		return
	}
	oldest := p.queue.Remove(p.queue.Front()).(*item)
	p.counts.Discarded++
	p.drop(oldest)
	p.log(dlog.Error, overflowText(p.o.Name, oldest.serial))
}

func (p *Pool) drop(i *item) { p.do = append(p.do, Drop{i.poolSerial}) }

func (p *Pool) log(level slog.Level, text string) { p.do = append(p.do, Log{level, text}) }

// done gives what the call under way has to do.
func (p *Pool) done() []Action {
	do := p.do
	p.do = nil
	return do
}

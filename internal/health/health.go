// Package health is the pure machine that knows whether a process is ready and whether it is alive: what
// checks find, what the process says of itself (sd_notify) and the time go in, and out come the checks to make
// and what follows. It is beside the machine of package process, which knows the states of the API.
//
// A process without a check is ready while it is RUNNING; one with a check as soon, and as long, as that says so,
// before startsecs have passed too. While it is not ready it is checked again soon; once ready, every Period.
//
// Nothing is done about a process that is not alive before it was ready once, nor while it is blocked, that is
// while something that it depends on is not up.
package health

import (
	"cmp"
	"hash/fnv"
	"log/slog"
	"time"

	"holdfast/internal/dlog"
)

// A Program is the part of a process's configuration that says how its health is found out.
type Program struct {
	Name         string
	Ready        *Check // nil: it is ready while it is RUNNING
	Live         *Check // nil: it is alive while it runs
	Watchdog     time.Duration
	StartTimeout time.Duration
}

// A Check is one way to find out. The thresholds count outcomes in a row.
type Check struct {
	Passive          bool // its outcome comes unasked, as Notified or Matched
	InitialDelay     time.Duration
	Period           time.Duration
	SuccessThreshold int
	FailureThreshold int
}

// Life is how far the process has come.
type Life int

const (
	Gone     Life = iota // there is none, or it is being stopped
	Starting             // it was forked
	Running              // it is RUNNING
)

// Kept is what a daemon after this one must know.
type Kept struct {
	Ready bool
	Once  bool      // it has been ready in this life
	Since time.Time // of Ready's value
	// Said is what it has said of itself.
	Said
}

// Said is what a process has said of itself.
type Said struct {
	Ready   bool // READY=1, or the line that was waited for
	Status  string
	MainPID int // 0: not said
	// Watchdog is how often it says WATCHDOG=1 from now on; 0: as the program's.
	Watchdog time.Duration
}

// A Record is all that is remembered of one process. The zero Record is of one that was never started.
type Record struct {
	Kept
	Life    Life
	Blocked bool
	Why     string // it is not ready; empty: nothing is known yet

	ready, live probe
	startBy     time.Time // zero: any time
	watchdog    time.Time // when it must have said WATCHDOG=1; zero: it need not
}

// A probe is the course of a Check.
type probe struct {
	next     time.Time // zero: none is to come
	underWay bool
	stale    bool // the one under way doesn't count
	good     int  // in a row
	bad      int
	tries    int // since it was last ready
}

// An Event is something that happened.
type Event interface{ event() }

type (
	// Lives is how far the process has come now.
	Lives struct{ Life Life }
	// Resume is the first word about a process that a daemon before this one has left.
	Resume struct {
		Kept
		Life Life
	}
	// Probed is the outcome of a Probe; Err is empty if all is well. One that is Unmade says nothing about the
	// process, and Err is why.
	Probed struct {
		Live   bool
		Err    string
		Unmade bool
	}
	// Notified is a message of the process; each field that is not zero says something.
	Notified struct {
		Ready, Reloading, Stopping bool
		Watchdog                   bool
		WatchdogEvery              time.Duration
		Trigger                    bool // it asks to be taken for dead
		Status                     *string
		MainPID                    int
		Extend                     time.Duration
	}
	// Matched is the news that it has written the line that was waited for.
	Matched struct{}
	// Block tells whether something that it depends on is not up.
	Block struct{ Blocked bool }
	// Deadline is the fact that Record.Deadline has passed.
	Deadline struct{}
)

func (Lives) event()    {}
func (Resume) event()   {}
func (Probed) event()   {}
func (Notified) event() {}
func (Matched) event()  {}
func (Block) event()    {}
func (Deadline) event() {}

// An Unmade is the error of a check that could not be made, for a want of something on our side.
type Unmade struct{ Err error }

func (e *Unmade) Error() string { return e.Err.Error() }
func (e *Unmade) Unwrap() error { return e.Err }

// An Action is something that the caller has to do, in the order given.
type Action interface{ action() }

type (
	// Probe makes a check; one Probed must come back.
	Probe struct{ Live bool }
	// Changed: it is ready now, or not any more.
	Changed struct {
		Ready bool
		Why   string // not
	}
	// Failed: it is to be stopped, as it has not become ready in time or is not alive.
	Failed struct {
		Start bool
		Why   string
	}
	// Extend: it asks for time until then to stop in.
	Extend struct{ Until time.Time }
	// Log: write a line to the main log.
	Log struct {
		Level slog.Level
		Text  string
	}
)

func (Probe) action()   {}
func (Changed) action() {}
func (Failed) action()  {}
func (Extend) action()  {}
func (Log) action()     {}

// Deadline is when the caller is to send Deadline; zero: never.
func (r *Record) Deadline() time.Time {
	at := r.startBy
	for _, t := range []time.Time{r.watchdog, r.ready.due(), r.live.due()} {
		if !t.IsZero() && (at.IsZero() || t.Before(at)) {
			at = t
		}
	}
	return at
}

func (p *probe) due() time.Time {
	if p.underWay {
		return time.Time{}
	}
	return p.next
}

// IsReady tells whether a process of p is ready.
func (r *Record) IsReady(p *Program) bool {
	if p.Ready == nil {
		return r.Life == Running
	}
	return r.Ready
}

// A machine is one Step under way.
type machine struct {
	p   *Program
	r   Record
	now time.Time
	do  []Action
}

// Step is what happens to a process with record r when e happens at now. It changes nothing but what it
// returns.
func Step(p *Program, r Record, e Event, now time.Time) (Record, []Action) {
	m := machine{p: p, r: r, now: now}
	switch e := e.(type) {
	case Lives:
		m.lives(e.Life)
	case Resume:
		m.resume(e)
	case Probed:
		m.probed(e)
	case Notified:
		m.notified(e)
	case Matched:
		if m.r.Life != Gone {
			m.r.Said.Ready = true
			m.said()
		}
	case Block:
		m.block(e.Blocked)
	case Deadline:
		m.deadline()
	}
	return m.r, m.do
}

func (m *machine) log(l slog.Level, text string) { m.do = append(m.do, Log{l, text}) }

func (m *machine) lives(l Life) {
	before := m.r.Life
	if l == before {
		return
	}
	m.r.Life = l
	switch {
	case l == Gone:
		m.notReady("")
		m.end()
	case before == Gone:
		m.begin()
		if p := m.p.Ready; p != nil && !p.Passive {
			m.r.ready.next = m.now.Add(p.InitialDelay)
		}
		if m.p.StartTimeout > 0 && m.p.Ready != nil {
			m.r.startBy = m.now.Add(m.p.StartTimeout)
		}
	}
	if l == Running && m.p.Ready == nil {
		m.once()
	}
	m.deadlineNow()
}

// begin forgets what was of an earlier life.
func (m *machine) begin() {
	m.r.Kept = Kept{Since: m.now}
	m.r.Why = ""
	m.r.ready, m.r.live = m.r.ready.anew(), m.r.live.anew()
	m.r.startBy, m.r.watchdog = time.Time{}, time.Time{}
}

// end ends all that is to come.
func (m *machine) end() {
	m.r.ready, m.r.live = m.r.ready.anew(), m.r.live.anew()
	m.r.startBy, m.r.watchdog = time.Time{}, time.Time{}
}

// anew is p from its beginning; what is under way is of an earlier course.
func (p probe) anew() probe { return probe{underWay: p.underWay, stale: p.underWay} }

// resumeGrace is the least time that a start has after a while in which nobody was there to see it ready.
const resumeGrace = 5 * time.Second

func (m *machine) resume(e Resume) {
	m.r = Record{Kept: e.Kept, Life: e.Life, Blocked: m.r.Blocked}
	if e.Life == Gone { // that daemon may have noted a new start before it took back what was of the life before
		m.r.Ready, m.r.Once, m.r.Said.Ready = false, false, false
		return
	}
	if p := m.p.Ready; p != nil {
		switch {
		case p.Passive:
		case m.r.Ready:
			m.r.ready.next = m.now.Add(m.part(p.Period))
		default:
			m.r.ready.next = m.now
		}
		if m.p.StartTimeout > 0 && !m.r.Once {
			m.r.startBy = later(m.r.Since.Add(m.p.StartTimeout), m.now.Add(resumeGrace))
		}
	}
	switch {
	case m.r.Once:
		m.watch()
	case e.Life == Running && m.p.Ready == nil:
		m.once()
	}
	m.deadlineNow()
}

// part is a part of d: the upper half's, by the process's name. What has begun together is not to be checked
// together for ever.
func (m *machine) part(d time.Duration) time.Duration {
	h := fnv.New32a()
	h.Write([]byte(m.p.Name))
	return d - time.Duration(float64(d)/2*float64(h.Sum32()%1024)/1024)
}

// once: it is ready for the first time, and what makes it not alive counts from now on.
func (m *machine) once() {
	if m.r.Once {
		return
	}
	m.r.Once = true
	m.r.startBy = time.Time{}
	m.watch()
}

// watch begins to see whether it is alive.
func (m *machine) watch() {
	m.r.live = m.r.live.anew()
	m.r.watchdog = time.Time{}
	if m.r.Blocked {
		return
	}
	if p := m.p.Live; p != nil {
		m.r.live.next = m.now.Add(max(p.InitialDelay, m.part(p.Period)))
	}
	if m.p.Watchdog > 0 {
		m.r.watchdog = m.now.Add(m.watchdog())
	}
}

func (m *machine) block(blocked bool) {
	if m.r.Blocked == blocked {
		return
	}
	m.r.Blocked = blocked
	if m.r.Once && m.r.Life != Gone {
		m.watch()
	}
}

func (m *machine) setReady() {
	if m.r.Ready {
		return
	}
	took := m.now.Sub(m.r.Since)
	m.r.Ready, m.r.Since, m.r.Why, m.r.ready.tries = true, m.now, "", 0
	m.log(dlog.Info, readyText(m.p.Name, took))
	m.do = append(m.do, Changed{Ready: true})
	m.once()
}

// notReady ends a process's being ready; why is empty if it is being stopped or has ended.
func (m *machine) notReady(why string) {
	if !m.r.Ready {
		return
	}
	m.r.Ready, m.r.Since, m.r.Why = false, m.now, why
	if why != "" {
		m.log(dlog.Warn, notReadyText(m.p.Name, why))
	}
	m.do = append(m.do, Changed{Why: why})
}

// extendMost is the longest time that a process gets at a time: it must not be able to stay for good.
const extendMost = 5 * time.Minute

func (m *machine) notified(n Notified) {
	n.Extend = min(n.Extend, extendMost)
	if m.r.Life == Gone {
		if n.Extend > 0 {
			m.do = append(m.do, Extend{m.now.Add(n.Extend)})
		}
		return
	}
	if n.Status != nil {
		m.r.Status = *n.Status
	}
	if n.MainPID != 0 {
		m.r.MainPID = n.MainPID
	}
	if n.Extend > 0 && !m.r.startBy.IsZero() {
		m.r.startBy = later(m.r.startBy, m.now.Add(n.Extend))
	}
	if n.WatchdogEvery > 0 && m.p.Watchdog > 0 {
		m.r.Said.Watchdog = n.WatchdogEvery
	}
	if (n.Watchdog || n.WatchdogEvery > 0) && !m.r.watchdog.IsZero() {
		m.r.watchdog = m.now.Add(m.watchdog())
	}
	if n.Ready || n.Reloading || n.Stopping {
		m.r.Said.Ready = n.Ready
		m.said()
	}
	if why := "it says that it is reloading"; n.Reloading && !n.Ready && m.passive() {
		m.notReady(why)
	} else if n.Stopping && m.passive() {
		m.notReady("it says that it is stopping")
	}
	if n.Trigger && m.p.Watchdog > 0 && m.r.Once && !m.r.Blocked {
		m.fail("it asks for it (WATCHDOG=trigger)")
	}
}

func (m *machine) watchdog() time.Duration { return cmp.Or(m.r.Said.Watchdog, m.p.Watchdog) }

func (m *machine) passive() bool { return m.p.Ready != nil && m.p.Ready.Passive }

// said takes up that it has said to be ready.
func (m *machine) said() {
	if m.passive() && m.r.Said.Ready {
		m.setReady()
	}
}

func (m *machine) probed(e Probed) {
	at, check := &m.r.ready, m.p.Ready
	if e.Live {
		at, check = &m.r.live, m.p.Live
	}
	stale := at.stale || check == nil || at.next.IsZero()
	at.underWay, at.stale = false, false
	if stale {
		m.deadlineNow()
		return
	}
	at.next = m.now.Add(check.Period)
	if e.Unmade {
		if !e.Live && !m.r.Ready {
			m.r.Why = e.Err
		}
	} else if e.Err == "" {
		at.good, at.bad = at.good+1, 0
		if !e.Live && !m.r.Ready && at.good >= check.SuccessThreshold {
			m.setReady()
			at.next = m.now.Add(m.part(check.Period))
		}
	} else {
		at.good, at.bad = 0, at.bad+1
		switch {
		case e.Live && at.bad >= check.FailureThreshold:
			m.fail(notAliveText(at.bad, e.Err))
		case !e.Live && at.bad >= check.FailureThreshold && m.r.Ready:
			m.notReady(e.Err)
		}
		if !e.Live && !m.r.Ready {
			m.r.Why = e.Err
		}
	}
	if !e.Live && !m.r.Ready {
		at.next = m.now.Add(soon(at.tries, check.Period))
		at.tries++
	}
	m.deadlineNow()
}

// What is not ready is checked again after firstDelay, twice that, and so on, but at least every lastDelay.
const (
	firstDelay = 100 * time.Millisecond
	lastDelay  = time.Second
)

func soon(tries int, period time.Duration) time.Duration {
	return min(firstDelay<<min(tries, 10), lastDelay, period)
}

// fail: it is not alive.
func (m *machine) fail(why string) {
	m.r.live, m.r.watchdog = m.r.live.anew(), time.Time{}
	m.do = append(m.do, Failed{Why: why})
}

func (m *machine) deadline() {
	if due(m.r.startBy, m.now) {
		m.r.startBy = time.Time{}
		m.do = append(m.do, Failed{Start: true, Why: lateText(m.now.Sub(m.r.Since), m.r.Why)})
	}
	if due(m.r.watchdog, m.now) {
		m.fail(silentText(m.watchdog()))
	}
	m.deadlineNow()
}

// deadlineNow makes the checks that are due.
func (m *machine) deadlineNow() {
	if p := &m.r.ready; due(p.due(), m.now) {
		p.underWay = true
		m.do = append(m.do, Probe{})
	}
	if p := &m.r.live; due(p.due(), m.now) {
		p.underWay = true
		m.do = append(m.do, Probe{Live: true})
	}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func due(at, now time.Time) bool { return !at.IsZero() && !at.After(now) }

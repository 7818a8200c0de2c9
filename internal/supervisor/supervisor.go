// Package supervisor is the loop: one goroutine that owns every group, every process's record,
// the deadlines, whoever waits for a process, and the order of a shutdown. It decides, through
// the pure machine of package process, and lets hands act; it touches no file, socket, clock
// other than time.Now, or process, and nothing that can block runs on it.
//
// Wishes come in as calls of the API's methods, from any goroutine; facts come in as Post. Both
// go through one mailbox, in order. What the loop says and keeps for the daemon after this one stands together
// (commit), before anything outside can follow from it. What takes time (looking a command up, reading the
// configuration, writing to a child) runs on the caller's goroutine, before or after its visit
// to the loop.
package supervisor

import (
	"cmp"
	"container/heap"
	"context"
	"log/slog"
	"slices"
	"syscall"
	"time"

	"holdfast/internal/config"
	"holdfast/internal/event"
	"holdfast/internal/health"
	"holdfast/internal/listener"
	"holdfast/internal/process"
)

// Hands do what the loop decides. Spawn, Cancel, Signal, Stage, Send, Done, Probe, StopCommand and PostStop are
// called on the loop and return at once; what comes of the first three is posted. The others may block and are
// called on a caller's goroutine.
type Hands interface {
	// Spawn starts a process under a number that is unique in the daemon; one of
	// process.Spawned and process.SpawnFailed follows, and after Spawned one process.Ended.
	Spawn(p *config.Process, spawn uint64)
	// Cancel makes a Spawn that has not forked yet fail promptly.
	Cancel(spawn uint64)
	// Signal reports process.SignalFailed for any failure but that there is no such process.
	Signal(spawn uint64, sig syscall.Signal, group bool)
	// Stage leaves data for the process to read, from Send on; an error says that it never will. kept tells
	// that the daemon after this one has what is not sent yet.
	Stage(spawn uint64, data []byte) (kept bool, err error)
	Send(spawn uint64)
	// Done tells that the end of a spawn was noted, logged and committed: no fact about it matters any more.
	// It comes once a spawn, and before the next one of that process, and returns at once.
	Done(spawn uint64)

	// Check tells whether p's command could be executed now; the error is a
	// *process.CommandError.
	Check(p *config.Process) error
	ClearLogs(spawn uint64) error
	// WriteStdin leaves data for the process to read.
	WriteStdin(spawn uint64, data []byte) error
	// Adopt takes over, under its number, a spawn that a daemon before this one has left; what has
	// become of it is posted, Spawned too if that daemon did not know of it yet. It returns at once.
	Adopt(p *config.Process, spawn uint64)
	// Probe makes a check of a process, which may be found under pid, and calls done once with what is wrong, or
	// with a *health.Unmade.
	Probe(p *config.Process, c *config.Check, pid int, done func(error))
	// StopCommand runs p's stop command, and PostStop what comes after its end; both call done once, unless this
	// daemon is at its end.
	StopCommand(p *config.Process, pid int, done func(error))
	PostStop(p *config.Process, pid int, done func(error))
	// Reload runs p's reload command.
	Reload(ctx context.Context, p *config.Process, pid int) error
	// Prepare returns g with its AUTO logs made; an error also tells that a socket can't be.
	Prepare(g *config.Group) (*config.Group, error)
}

// Options is what a Supervisor needs from outside.
type Options struct {
	Hands Hands
	Log   *slog.Logger
	// Load reads the configuration anew. With an error it may still return the groups that were
	// good.
	Load func() (*config.Config, error)
	// Serial numbers the events: the next Supervisor of the same daemon goes on with it. nil is a new one.
	Serial *event.Serial
	// Memory, if not nil, is told what a daemon after this one must know. It returns at once.
	Memory Memory
}

// A Memory outlives this daemon. It is called on the loop. What it is told counts from Commit on.
type Memory interface {
	// Keep notes what is known of p.
	Keep(p *config.Process, k Kept)
	// Forget drops p, which is not active any more.
	Forget(p *config.Process)
	// KeepDaemon notes what is known beside the processes.
	KeepDaemon(KeptDaemon)
	// KeepEvent notes an event that a pool has accepted, and EndEvent that it is not needed any more.
	KeepEvent(pool string, e listener.Saved)
	EndEvent(pool string, poolSerial uint64)
	// Commit also logs lines; after a death none is there of which the cause does not count, or the other way
	// round.
	Commit(lines []slog.Record)
}

// KeptDaemon is what is kept beside the processes.
type KeptDaemon struct {
	Mood       Mood
	NextSerial uint64
	Beginning  bool // not all groups have come yet, and nothing was started: a daemon after this one begins anew
	ExitCode   int  // of the process that ends the daemon
}

// Kept is what is kept of a process.
type Kept struct {
	Record process.Record
	Kill   process.Kill // about to be sent; zero: nothing
	// AutoStart: it is about to be started, as its group has just come.
	AutoStart bool
	// PostStop: the commands around the end of this process are under way, and it has ended; 0: none is.
	PostStop int
	Health   health.Kept

	// Of an event listener.
	Listener   listener.Kept
	Staged     bool   // what it has in hand is kept by the hands until it is sent
	NextSerial uint64 // of its pool
	Events     int    // that its pool has
}

// A Supervisor owns the groups and their processes. Make it with New, then Run it.
type Supervisor struct {
	Options
	mail mailbox

	// Owned by the loop from here on.
	mood        Mood
	exitCode    int            // of the process that ends the daemon
	beginning   bool           // not all groups of Run have come
	parsed      *config.Config // read last; AddGroup takes from here
	groups      []*group       // by priority, then in the order of their coming
	lastCame    int            // group.came of the group that came last
	spawns      map[uint64]*proc
	lastSpawn   uint64
	deadlines   deadlines
	toStop      []*group // in a shutdown: what is still to be stopped, the last one first
	nextReport  time.Time
	ticks       event.Ticks
	nextTick    time.Time // zero: nobody listens for TICKs
	members     map[member]*proc
	dependents  map[member][]*proc // those that depend on it
	gated       int                // processes whose starts may be held
	unsettled   bool               // something has changed that others may wait for
	said        []slog.Record      // for commit
	uncommitted bool               // Memory was told something since the last commit
	unsent      []uint64           // spawns that have something staged
}

// A group is an active group.
type group struct {
	config *config.Group
	came   int            // a later group has a higher number
	procs  []*proc        // in configuration order
	pool   *listener.Pool // nil unless it is one of event listeners
	grace  time.Time      // in a shutdown: until when its events go before its stop; zero: its turn has not come
}

// A proc is one active process.
type proc struct {
	group   *group
	member  int // its place in group.procs
	config  *config.Process
	program process.Program
	record  process.Record
	waiters []waiter
	kept    *Kept // what Memory has; nil: nothing
	// autoStart: it is to be started when all of its group has come.
	autoStart bool
	staged    bool // the hands keep the event that it was given last
	// stopReport is when the log next says that somebody waits for its stop; zero: nobody does.
	stopReport time.Time
	lastPID    int // of the process that there was before the last step
	health     health.Record
	checks     *health.Program // nil: there is nothing to be found out about it
	needs      []config.Dependency
	stopRuns   bool // its stop command does
	// postStop is the main process of the life whose last commands are under way: the stop command, if the process was
	// faster, then what comes after the end; 0: none is. No start goes on before they are over.
	postStop int
	index    int  // in deadlines; -1: not there
	removed  bool // its group is gone; a caller may still hold it
}

// New makes a Supervisor with no group. cfg's groups are added, and their processes started, by
// Run.
func New(cfg *config.Config, o Options) *Supervisor {
	if o.Serial == nil {
		o.Serial = new(event.Serial)
	}
	return &Supervisor{
		Options: o,
		mail:    newMailbox(),
		mood:    MoodRunning,
		parsed:  cfg,
		spawns:  make(map[uint64]*proc),
		members: make(map[member]*proc),

		dependents: make(map[member][]*proc),
	}
}

// Post brings the fact e about the process that was spawned under the number spawn. It never
// blocks.
func (s *Supervisor) Post(spawn uint64, e process.Event) {
	s.mail.put(func() {
		if p := s.spawns[spawn]; p != nil && p.record.Spawn == spawn {
			s.step(p, e)
			if !awaitsFacts(&p.record) {
				s.forget(spawn)
			}
		}
		s.commit()
	})
}

// forget ends a spawn about which no fact is awaited any more. That must be committed.
func (s *Supervisor) forget(spawn uint64) {
	if s.spawns[spawn] != nil {
		delete(s.spawns, spawn)
		s.Hands.Done(spawn)
	}
}

// awaitsFacts tells whether more facts about r's last spawn matter.
func awaitsFacts(r *process.Record) bool {
	return r.PID != 0 || !r.State.IsStopped() && r.State != process.Backoff && !(r.Held && r.State == process.Starting)
}

// Run adds groups (prepared by the hands), starts what is to be started, and returns when a
// shutdown or a restart that was asked for has stopped everything: MoodShutdown or
// MoodRestarting.
func (s *Supervisor) Run(groups []*config.Group) Mood {
	s.beginning = true
	s.keepDaemon()
	for _, g := range groups {
		s.add(g)
	}
	s.beginning = false
	s.keepDaemon()
	s.publish(event.SupervisorStateChange{})
	for _, g := range slices.Clone(s.groups) {
		s.autostart(g)
	}
	return s.loop()
}

// loop carries out what comes, until a shutdown or a restart is done.
func (s *Supervisor) loop() Mood {
	defer s.commit()
	defer s.endPools()
	defer s.mail.close()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		s.expire()
		s.settle()
		s.tick()
		s.dispatch()
		if s.mood != MoodRunning && s.shutdownDone() {
			return s.mood
		}
		s.dispatch()
		s.commit()
		if at := s.nextDeadline(); at.IsZero() {
			timer.Stop()
		} else {
			timer.Reset(time.Until(at))
		}
		select {
		case <-s.mail.wake:
			for _, f := range s.mail.take() {
				f()
			}
		case <-timer.C:
		}
	}
}

// step carries out what e does to p.
func (s *Supervisor) step(p *proc, e process.Event) {
	r, do := process.Step(&p.program, p.record, e, time.Now())
	before := p.record
	p.record = r
	s.unsettled = true
	if before.PID != 0 {
		p.lastPID = before.PID
	}
	if before.PID != 0 && r.PID == 0 && (p.stopRuns || p.config.Hooks.PostStop != "") {
		p.postStop = cmp.Or(p.health.MainPID, before.PID)
	}
	var end *process.EndSupervisor
	for _, a := range do {
		switch a := a.(type) {
		case process.SpawnProcess:
			before := p.record.Spawn
			s.lastSpawn++
			p.record.Spawn = s.lastSpawn
			s.spawns[s.lastSpawn] = p
			s.keep(p, process.Kill{})
			s.commit() // before there can be a fork
			s.forget(before)
			s.Hands.Spawn(p.config, s.lastSpawn)
		case process.CancelSpawn:
			s.Hands.Cancel(p.record.Spawn)
		case process.Kill:
			s.keep(p, a)
			s.commit()
			s.Hands.Signal(p.record.Spawn, a.Signal, a.Group)
		case process.RunStopCommand:
			s.keep(p, process.Kill{})
			s.commit()
			s.stopCommand(p)
		case process.Log:
			s.log(a.Level, a.Text)
		case process.Changed:
			s.changed(p, a)
			p.tellWaiters(a.To)
		case process.EndSupervisor:
			end = &a
		}
	}
	s.lives(p)
	s.keep(p, process.Kill{})
	if end != nil {
		s.exitCode = end.Code
		s.setMood(MoodShutdown)
	}
	s.commit()
	if p.postStop != 0 && before.PID != 0 && r.PID == 0 && !p.stopRuns {
		s.runPostStop(p)
	}
	p.tellWaiters(p.record.State)
	s.schedule(p)
}

// shutdownDone advances the shutdown: the last group of toStop is told to stop, and dropped once
// it has (spec process §3). It tells whether nothing is left.
func (s *Supervisor) shutdownDone() bool {
	for len(s.toStop) > 0 {
		g := s.toStop[len(s.toStop)-1]
		if s.delivering(g) {
			break
		}
		for _, p := range g.byPriority(true) {
			s.stopLast(p)
		}
		s.settle()
		if g.unstopped() {
			break
		}
		s.toStop = s.toStop[:len(s.toStop)-1]
	}
	if len(s.toStop) == 0 {
		return true
	}
	if now := time.Now(); !now.Before(s.nextReport) {
		s.nextReport = now.Add(3 * time.Second)
		s.logShutdown()
	}
	return false
}

// SetMood begins a shutdown or a restart. A shutdown overrides a restart under way, but not the
// other way round (spec process §8).
func (s *Supervisor) SetMood(m Mood) { s.mail.call(func() { s.setMood(m) }) }

// ExitCode is what the daemon is to end with, once Run has returned MoodShutdown: 0, or that of the process
// whose end is the daemon's.
func (s *Supervisor) ExitCode() int { return s.exitCode }

// Mood is what the supervisor is about; after Run has returned it is MoodShutdown.
func (s *Supervisor) Mood() Mood {
	m := MoodShutdown
	s.mail.call(func() { m = s.mood })
	return m
}

func (s *Supervisor) setMood(m Mood) {
	before := s.mood
	if m < before {
		s.mood = m
		s.keepDaemon()
	}
	if before == MoodRunning && m != MoodRunning {
		s.publish(event.SupervisorStateChange{Stopping: true})
		s.toStop = slices.Clone(s.groups)
		for _, g := range s.groups {
			for _, p := range g.procs {
				s.step(p, process.Freeze{})
			}
		}
	}
}

// unstopped tells whether a process of g is not in one of the stopped states.
func (g *group) unstopped() bool {
	return slices.ContainsFunc(g.procs, func(p *proc) bool { return p.unstopped() })
}

// UNKNOWN counts as stopped, as in the original: its process can't be signalled.
func (p *proc) unstopped() bool { return !p.record.State.IsStopped() || p.postStop != 0 }

// byPriority lists g's processes by priority, equal ones in configuration order; reversed for a
// shutdown.
func (g *group) byPriority(reverse bool) []*proc {
	list := slices.Clone(g.procs)
	slices.SortStableFunc(list, func(a, b *proc) int { return a.config.Priority - b.config.Priority })
	if reverse {
		slices.Reverse(list)
	}
	return list
}

// expire sends Deadline to every process whose deadline has passed, and repeats the log's word
// about stops that somebody waits for.
func (s *Supervisor) expire() {
	now := time.Now()
	for len(s.deadlines) > 0 {
		p := s.deadlines[0]
		if p.nextDeadline().After(now) {
			return
		}
		if d := p.record.Deadline; !d.IsZero() && !d.After(now) {
			s.step(p, process.Deadline{})
		}
		if d := p.health.Deadline(); !d.IsZero() && !d.After(now) {
			s.judge(p, health.Deadline{})
		}
		if r := p.stopReport; !r.IsZero() && !r.After(now) {
			p.stopReport = now.Add(2 * time.Second)
			s.logWaitingToStop(p)
		}
		s.schedule(p)
	}
}

func (s *Supervisor) nextDeadline() time.Time {
	var at time.Time
	if len(s.deadlines) > 0 {
		at = s.deadlines[0].nextDeadline()
	}
	for _, g := range s.groups {
		if g.pool == nil {
			continue
		}
		if d := g.pool.Deadline(); !d.IsZero() && (at.IsZero() || d.Before(at)) {
			at = d
		}
	}
	if s.mood != MoodRunning && (at.IsZero() || s.nextReport.Before(at)) {
		at = s.nextReport
	}
	if n := len(s.toStop); n > 0 {
		if g := s.toStop[n-1].grace; g.After(time.Now()) && g.Before(at) {
			at = g
		}
	}
	if !s.nextTick.IsZero() && (at.IsZero() || s.nextTick.Before(at)) {
		at = s.nextTick
	}
	return at
}

// schedule puts p where its deadline belongs.
func (s *Supervisor) schedule(p *proc) {
	switch wanted := !p.nextDeadline().IsZero(); {
	case wanted && p.index < 0:
		heap.Push(&s.deadlines, p)
	case wanted:
		heap.Fix(&s.deadlines, p.index)
	case p.index >= 0:
		heap.Remove(&s.deadlines, p.index)
	}
}

func (p *proc) nextDeadline() time.Time {
	at := p.record.Deadline
	for _, t := range []time.Time{p.stopReport, p.health.Deadline()} {
		if at.IsZero() || !t.IsZero() && t.Before(at) {
			at = t
		}
	}
	return at
}

// deadlines is a heap of the processes that have one, the earliest first.
type deadlines []*proc

func (d deadlines) Len() int           { return len(d) }
func (d deadlines) Less(i, j int) bool { return d[i].nextDeadline().Before(d[j].nextDeadline()) }
func (d deadlines) Swap(i, j int) {
	d[i], d[j] = d[j], d[i]
	d[i].index, d[j].index = i, j
}

func (d *deadlines) Push(x any) {
	p := x.(*proc)
	p.index = len(*d)
	*d = append(*d, p)
}

func (d *deadlines) Pop() any {
	old := *d
	p := old[len(old)-1]
	*d = old[:len(old)-1]
	p.index = -1
	return p
}

package supervisor

import (
	"time"

	"holdfast/internal/event"
	"holdfast/internal/listener"
	"holdfast/internal/process"
)

// PostOutput brings what the process that was spawned under the number spawn has written: a piece
// of its output where it is an event listener or has events enabled for that channel, or, for comm,
// what stood between capture tokens. It keeps data.
//
// It returns when what came of it is kept: only then may data go out of the pipe that the daemon after this
// one finds. So a program that floods is slowed down, as by a pipe that is full. The caller holds no lock
// that Hands want.
func (s *Supervisor) PostOutput(spawn uint64, ch event.Channel, comm bool, data []byte) {
	s.mail.call(func() {
		defer s.commit()
		p := s.spawns[spawn]
		switch {
		case p == nil:
		case comm:
			s.publish(event.ProcessCommunication{Name: p.config.Name, Group: p.group.config.Name, PID: p.record.PID,
				Channel: ch, Data: string(data)})
		case p.group.pool != nil && ch == event.Stdout:
			s.perform(p.group, p.group.pool.Output(p.member, data))
		default:
			s.publish(event.ProcessLog{Name: p.config.Name, Group: p.group.config.Name, PID: p.record.PID,
				Channel: ch, Data: string(data)})
		}
	})
}

// PostOutputTaken brings the news that what an event listener has written so far is not there any more for a
// daemon after this one. It never blocks.
func (s *Supervisor) PostOutputTaken(spawn uint64) {
	s.mail.put(func() {
		if p := s.spawns[spawn]; p != nil && p.group.pool != nil {
			p.group.pool.Taken(p.member)
			s.keep(p, process.Kill{})
			s.commit()
		}
	})
}

// PostStdinBroken brings the news that the process that was spawned under the number spawn has closed its
// stdin before all that was written to it has arrived. It never blocks.
func (s *Supervisor) PostStdinBroken(spawn uint64, why error) {
	s.mail.put(func() {
		if p := s.spawns[spawn]; p != nil && p.group.pool != nil {
			s.perform(p.group, p.group.pool.WriteFailed(p.member, why))
		}
		s.commit()
	})
}

// publish brings e to the pools that want it. An event that none wants uses up no serial.
func (s *Supervisor) publish(e event.Event) {
	var serial uint64
	accepted := false
	for _, g := range s.groups {
		if g.pool == nil || !g.pool.Wants(e.Type()) {
			continue
		}
		if !accepted {
			serial, accepted = s.Serial.Next(), true
			s.keepDaemon()
		}
		s.perform(g, g.pool.Accept(serial, e))
	}
}

// changed tells the pools of a change of p's state, and p's own pool that a member has changed.
func (s *Supervisor) changed(p *proc, c process.Changed) {
	s.publish(event.ProcessState{Name: p.config.Name, Group: p.group.config.Name, Change: c})
	if p.group.pool != nil {
		s.perform(p.group, p.group.pool.Changed(p.member, c.To))
	}
}

// dispatch sends what the pools have to members that are ready.
func (s *Supervisor) dispatch() {
	for _, g := range s.groups {
		if g.pool != nil {
			s.perform(g, g.pool.Dispatch(time.Now()))
		}
	}
	if len(s.unsent) == 0 {
		return
	}
	s.commit() // that they have it in hand
	for _, spawn := range s.unsent {
		s.Hands.Send(spawn)
	}
	s.unsent = s.unsent[:0]
}

// endPools has the pools give up what is left.
func (s *Supervisor) endPools() {
	for _, g := range s.groups {
		if g.pool != nil {
			s.perform(g, g.pool.End())
		}
	}
}

// deliverFor is how long the stop of a pool in a shutdown waits for its listeners to take what there
// is, the news of the shutdown above all.
//
// Differs: in the original they have the second that each turn of its loop takes.
const deliverFor = time.Second

// delivering tells whether a shutdown has to wait with the stop of g for the events of its pool.
func (s *Supervisor) delivering(g *group) bool {
	if g.pool == nil || !g.unstopped() {
		return false
	}
	if c := g.pool.Counts(); c.Queued+c.InFlight == 0 {
		return false
	}
	if g.grace.IsZero() {
		g.grace = time.Now().Add(deliverFor)
	}
	return time.Now().Before(g.grace)
}

// perform carries out what g's pool wants done.
func (s *Supervisor) perform(g *group, do []listener.Action) {
	for _, a := range do {
		switch a := a.(type) {
		case listener.Log:
			s.log(a.Level, a.Text)
		case listener.Keep:
			if s.Memory != nil {
				s.uncommitted = true
				s.Memory.KeepEvent(g.config.Name, a.Saved)
			}
		case listener.Drop:
			if s.Memory != nil {
				s.uncommitted = true
				s.Memory.EndEvent(g.config.Name, a.PoolSerial)
			}
		case listener.Write:
			p := g.procs[a.Member]
			var err error
			if p.staged, err = s.Hands.Stage(p.record.Spawn, a.Data); err == nil {
				s.unsent = append(s.unsent, p.record.Spawn)
				s.log(a.Done.Level, a.Done.Text)
				continue
			}
			s.perform(g, g.pool.WriteFailed(a.Member, err))
			s.perform(g, g.pool.Dispatch(time.Now())) // another member may take it
		}
	}
	for _, p := range g.procs {
		s.keep(p, process.Kill{})
	}
}

// newPool makes the pool of an [eventlistener:x].
func (s *Supervisor) newPool(g *group) *listener.Pool {
	names := make([]string, len(g.procs))
	for i, p := range g.procs {
		names[i] = p.config.Name
	}
	return listener.New(listener.Options{
		Name:       g.config.Name,
		Server:     s.parsed.Supervisord.Identifier,
		BufferSize: g.config.Listener.BufferSize,
		Events:     event.Subscribe(g.config.Listener.Events),
		Members:    names,
	})
}

// wantTicks sees whether anybody listens for TICKs; without, the loop does not wake for them.
func (s *Supervisor) wantTicks() {
	wanted := false
	for _, g := range s.groups {
		wanted = wanted || g.pool != nil &&
			(g.pool.Wants("TICK_5") || g.pool.Wants("TICK_60") || g.pool.Wants("TICK_3600"))
	}
	switch {
	case !wanted:
		s.ticks, s.nextTick = event.Ticks{}, time.Time{}
	case s.nextTick.IsZero():
		now := time.Now()
		s.ticks.At(now) // where they count from
		s.nextTick = s.ticks.Next(now)
	}
}

// tick publishes the TICKs that are due.
func (s *Supervisor) tick() {
	now := time.Now()
	if s.nextTick.IsZero() || now.Before(s.nextTick) {
		return
	}
	for _, t := range s.ticks.At(now) {
		s.publish(t)
	}
	s.nextTick = s.ticks.Next(now)
}

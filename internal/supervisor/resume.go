package supervisor

import (
	"slices"
	"time"

	"holdfast/internal/config"
	"holdfast/internal/event"
	"holdfast/internal/listener"
	"holdfast/internal/process"
)

// A Past is what a daemon before this one has left.
type Past struct {
	Groups []*config.Group
	Kept   func(p *config.Process) (Kept, bool)
	Events func(pool string) []listener.Saved
	Daemon KeptDaemon
	// Adopted is called when the hands know of all that is adopted; it must return at once.
	Adopted func()
}

// Resume goes on, as Run does, where a daemon before this one was when it ended. Nothing is started that
// was not under way or about to be, and nobody is told of what has been told already.
func (s *Supervisor) Resume(past Past) Mood {
	*s.Serial = event.SerialFrom(past.Daemon.NextSerial)
	var left []*proc
	for _, cfg := range past.Groups {
		left = append(left, s.insertWith(cfg, &past).procs...)
	}
	s.wantTicks()
	for _, p := range left {
		s.lastSpawn = max(s.lastSpawn, p.record.Spawn)
	}
	for _, p := range left {
		if awaitsFacts(&p.record) {
			s.spawns[p.record.Spawn] = p
			s.Hands.Adopt(p.config, p.record.Spawn)
			if p.record.State == process.Stopping && p.record.PID == 0 {
				s.Hands.Cancel(p.record.Spawn) // if it was not forked, its start has begun anew
			}
		}
		s.schedule(p)
	}
	s.exitCode = past.Daemon.ExitCode
	past.Adopted()
	for _, p := range left {
		s.resumeHealth(p)
	}
	s.keepDaemon()
	for _, g := range slices.Clone(s.groups) {
		s.autostart(g)
	}
	s.setMood(past.Daemon.Mood)
	return s.loop()
}

// insertWith is insert for a group whose processes have a past.
func (s *Supervisor) insertWith(cfg *config.Group, past *Past) *group {
	g := s.insert(cfg)
	events := 0
	for _, p := range g.procs {
		k, ok := past.Kept(p.config)
		if !ok { // that daemon was adding the group
			p.autoStart = p.config.AutoStart
			s.keep(p, process.Kill{})
			continue
		}
		p.record, p.kept, p.autoStart, p.postStop = k.Record, &k, k.AutoStart, k.PostStop
		p.health.Kept = k.Health
		if g.pool != nil {
			g.pool.Resume(p.member, p.record.State, k.Listener, k.NextSerial)
			p.staged, events = k.Staged, max(events, k.Events)
		}
	}
	if g.pool != nil {
		s.perform(g, g.pool.Restore(time.Now(), past.Events(cfg.Name), events))
	}
	return g
}

// keep notes p for the daemon after this one. about is what is going to be sent to it.
func (s *Supervisor) keep(p *proc, about process.Kill) {
	if s.Memory == nil || p.removed {
		return
	}
	k := Kept{Record: p.record, Kill: about, AutoStart: p.autoStart, PostStop: p.postStop, Health: p.health.Kept}
	if p.group.pool != nil {
		pool := p.group.pool
		c := pool.Counts()
		k.Listener, k.NextSerial, k.Events = pool.Kept(p.member), pool.NextSerial(), c.Queued+c.InFlight
		k.Staged = p.staged && k.Listener.InHand != 0
	}
	if p.kept == nil || k != *p.kept {
		s.uncommitted = true
		p.kept = &k
		s.Memory.Keep(p.config, k)
	}
}

// commit makes what was said and kept since the last one stand, all of it at once.
func (s *Supervisor) commit() {
	if !s.uncommitted && len(s.said) == 0 {
		return
	}
	s.uncommitted = false
	s.Memory.Commit(s.said)
	clear(s.said)
	s.said = s.said[:0]
}

func (s *Supervisor) keepDaemon() {
	if s.Memory != nil {
		s.uncommitted = true
		s.Memory.KeepDaemon(KeptDaemon{s.mood, s.Serial.Peek(), s.beginning, s.exitCode})
	}
}

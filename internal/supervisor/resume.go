package supervisor

import (
	"slices"

	"holdfast/internal/config"
	"holdfast/internal/event"
	"holdfast/internal/process"
)

// A Past is what a daemon before this one has left.
type Past struct {
	Groups     []*config.Group
	Kept       func(p *config.Process) (Kept, bool)
	Mood       Mood
	NextSerial uint64
	// Adopted is called when the hands know of all that is adopted; it must return at once.
	Adopted func()
}

// Resume goes on, as Run does, where a daemon before this one was when it ended. Nothing is started that
// was not under way or about to be, and nobody is told of what has been told already.
func (s *Supervisor) Resume(past Past) Mood {
	*s.Serial = event.SerialFrom(past.NextSerial)
	var left []*proc
	for _, cfg := range past.Groups {
		left = append(left, s.insertWith(cfg, past.Kept).procs...)
	}
	s.wantTicks()
	for _, p := range left {
		s.lastSpawn = max(s.lastSpawn, p.record.Spawn)
	}
	for _, p := range left {
		if awaitsFacts(&p.record) {
			s.spawns[p.record.Spawn] = p
			s.Hands.Adopt(p.config, p.record.Spawn)
		}
		s.schedule(p)
	}
	past.Adopted()
	s.keepDaemon()
	for _, g := range slices.Clone(s.groups) {
		s.autostart(g)
	}
	s.setMood(past.Mood)
	return s.loop()
}

// insertWith is insert for a group whose processes have a past.
func (s *Supervisor) insertWith(cfg *config.Group, kept func(p *config.Process) (Kept, bool)) *group {
	g := s.insert(cfg)
	for _, p := range g.procs {
		k, ok := kept(p.config)
		if !ok { // that daemon was adding the group
			p.autoStart = p.config.AutoStart
			s.keep(p, process.Kill{})
			continue
		}
		p.record, p.kept, p.autoStart = k.Record, &k, k.AutoStart
		if g.pool != nil {
			g.pool.Resume(p.member, p.record.State, k.Said, k.NextSerial)
		}
	}
	return g
}

// keep notes p for the daemon after this one. about is what is going to be sent to it.
func (s *Supervisor) keep(p *proc, about process.Kill) {
	if s.Memory == nil || p.removed {
		return
	}
	k := Kept{Record: p.record, Kill: about, AutoStart: p.autoStart}
	if p.group.pool != nil {
		k.Said, k.NextSerial = p.group.pool.State(p.member), p.group.pool.NextSerial()
	}
	if p.kept == nil || k != *p.kept {
		p.kept = &k
		s.Memory.Keep(p.config, k)
	}
}

func (s *Supervisor) keepDaemon() {
	if s.Memory != nil {
		s.Memory.KeepDaemon(s.mood, s.Serial.Peek(), s.beginning)
	}
}

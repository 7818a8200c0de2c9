package supervisor

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"holdfast/internal/config"
	"holdfast/internal/dlog"
	"holdfast/internal/health"
	"holdfast/internal/process"
)

// A member is the name of a process in its group.
type member struct{ group, name string }

func memberOf(d config.Dependency) member { return member{d.Group, d.Name} }

func (p *proc) id() member { return member{p.group.config.Name, p.config.Name} }

// join makes p known to those that depend on it, and it to those that it depends on.
func (s *Supervisor) join(p *proc) {
	s.members[p.id()] = p
	s.unsettled = true
	if p.program.Gated {
		s.gated++
	}
	if path := s.circle(p); path != nil {
		// The configuration that was read last has none: it is one with what is active from before.
		s.log(dlog.Warn, fmt.Sprintf("%s is started without waiting for others, until supervisorctl update: what is active depends on itself: %s",
			p.namespec(), strings.Join(path, " -> ")))
		p.needs = nil // until rejoin
	}
	s.depends(p)
}

// depends makes p known to those that it depends on.
func (s *Supervisor) depends(p *proc) {
	for _, d := range p.needs {
		s.dependents[memberOf(d)] = append(s.dependents[memberOf(d)], p)
	}
}

// rejoin has p depend on others again if that was a circle, and is none any more.
func (s *Supervisor) rejoin(p *proc) {
	if p.removed || len(p.needs) == len(p.config.DependsOn) {
		return
	}
	p.needs = p.config.DependsOn
	if s.circle(p) != nil {
		p.needs = nil
		return
	}
	s.depends(p)
}

// circle is the way from p back to it, or nil.
func (s *Supervisor) circle(p *proc) (path []string) {
	seen := make(map[*proc]bool)
	var search func(q *proc) bool
	search = func(q *proc) bool {
		seen[q] = true
		path = append(path, q.namespec())
		for _, d := range q.needs {
			next := s.members[memberOf(d)]
			if next == p {
				path = append(path, p.namespec())
				return true
			}
			if next != nil && !seen[next] && search(next) {
				return true
			}
		}
		path = path[:len(path)-1]
		return false
	}
	if search(p) {
		return path
	}
	return nil
}

// leaves ends join.
func (s *Supervisor) leaves(p *proc) {
	s.unsettled = true
	if p.program.Gated {
		s.gated--
	}
	delete(s.members, p.id())
	for _, d := range p.needs {
		list := slices.DeleteFunc(s.dependents[memberOf(d)], func(q *proc) bool { return q == p })
		if s.dependents[memberOf(d)] = list; len(list) == 0 {
			delete(s.dependents, memberOf(d))
		}
	}
	s.each(s.rejoin)
}

// isNeeded tells whether a process depends on p. The stop of such a one is held until it is settled.
func (s *Supervisor) isNeeded(p *proc) bool { return len(s.dependents[p.id()]) > 0 }

// settle lets go on what is held and need not wait any more, and stops what must not run without what it
// requires. Whoever changes something that another process may wait for says so by unsettled.
func (s *Supervisor) settle() {
	for s.unsettled && s.gated > 0 {
		s.unsettled = false
		s.each(s.stopWithoutRequired)
		if s.unsettled {
			continue // all that is to be stopped must be known before a stop that waits for it goes on
		}
		s.each(s.settleOne)
	}
}

func (s *Supervisor) each(f func(*proc)) {
	for _, g := range s.groups {
		for _, p := range g.procs {
			f(p)
		}
	}
}

// stopWithoutRequired stops p if it runs without something that it requires.
func (s *Supervisor) stopWithoutRequired(p *proc) {
	if state := p.record.State; s.mood != MoodRunning || p.record.Held || state != process.Running && state != process.Starting {
		return
	}
	if s.lacksRequired(p) {
		s.step(p, process.Stop{Again: true, Held: s.isNeeded(p)})
	}
}

// settleOne lets p go on if it is held and need not wait any more.
func (s *Supervisor) settleOne(p *proc) {
	r := &p.record
	if p.checks != nil && len(p.needs) > 0 {
		if blocked := s.firstMissing(p) != nil; blocked != p.health.Blocked {
			s.judge(p, health.Block{Blocked: blocked})
		}
	}
	switch {
	case r.Held && r.State == process.Stopping:
		if s.stillStopping(p) == nil {
			s.step(p, process.Release{})
		}
	case s.mood != MoodRunning:
	case r.Held:
		if s.firstMissing(p) == nil && p.postStop == 0 {
			s.step(p, process.Release{})
		}
	}
}

// stillStopping is one of those that depend on p whose stop is under way, or nil.
func (s *Supervisor) stillStopping(p *proc) *proc {
	for _, q := range s.dependents[p.id()] {
		if q.record.State == process.Stopping || q.postStop != 0 {
			return q
		}
	}
	return nil
}

// firstMissing is the first of what p depends on that is not up, or nil.
func (s *Supervisor) firstMissing(p *proc) *config.Dependency {
	for i := range p.needs {
		if d := &p.needs[i]; !s.members[memberOf(*d)].fulfils(d) {
			return d
		}
	}
	return nil
}

// fulfils tells whether p, which may be nil, is what d waits for.
func (p *proc) fulfils(d *config.Dependency) bool {
	switch {
	case p == nil:
		return false
	case d.Until == config.UntilCompleted || d.Until == config.UntilUp && p.config.OneShot:
		return p.completed()
	case d.Until == config.UntilRunning:
		return p.record.State == process.Running
	}
	return p.isReady()
}

// completed tells whether p has exited as expected, and is not running again. One that was told to as it was not alive
// has failed, whatever its status.
func (p *proc) completed() bool {
	r := &p.record
	return r.State == process.Exited && r.Exit != nil && r.SpawnErr == "" && p.program.Expects(*r.Exit)
}

// lacksRequired tells whether something has no process any more that p requires.
func (s *Supervisor) lacksRequired(p *proc) bool {
	return slices.ContainsFunc(p.needs, func(d config.Dependency) bool {
		if !d.Required {
			return false
		}
		q := s.members[memberOf(d)]
		return q == nil || life(&q.record) == health.Gone && !q.fulfils(&d)
	})
}

// stopLast is the stop of a shutdown: what depends on p goes first. There may be more ways from p to one of these
// than could be gone: one that is being stopped was come to on another.
func (s *Supervisor) stopLast(p *proc) {
	for _, q := range s.dependents[p.id()] {
		if q.record.State.IsRunning() {
			s.stopLast(q)
		}
	}
	s.step(p, process.Stop{Final: true, Held: s.isNeeded(p)})
}

// waitsFor says, for operators, what a process waits for, another or a command of its own; empty: nothing.
func (s *Supervisor) waitsFor(p *proc, now time.Time) string {
	if own := p.command(); own != "" {
		return "waiting for its " + own
	}
	switch {
	case !p.record.Held:
		return ""
	case p.record.State == process.Stopping:
		if q := s.stillStopping(p); q != nil {
			return "waiting for " + q.namespec() + " to stop"
		}
		return ""
	}
	d := s.firstMissing(p)
	if d == nil {
		return ""
	}
	why := "it is not active, see supervisorctl avail"
	if q := s.members[memberOf(*d)]; q != nil {
		why = s.whyMissing(q, d, now)
	}
	return "waiting for " + s.nameOf(d) + " (" + why + ")"
}

// command is the option of the command of p that is under way and that p waits for, or empty.
func (p *proc) command() string {
	switch r := &p.record; {
	case p.stopRuns:
		return "stop_command"
	case p.postStop != 0:
		return "post_stop_command"
	case r.State == process.Starting && r.PID == 0 && !r.Held && p.config.Hooks.PreStart != "":
		return "pre_start_command"
	}
	return ""
}

// nameOf is what operators call the one that d is about.
func (s *Supervisor) nameOf(d *config.Dependency) string {
	if q := s.members[memberOf(*d)]; q != nil {
		return q.namespec()
	}
	if d.Group == d.Name {
		return d.Name
	}
	return d.Group + ":" + d.Name
}

// whyMissing says why p is not what d waits for.
func (s *Supervisor) whyMissing(p *proc, d *config.Dependency, now time.Time) string {
	switch state, own := p.record.State, p.command(); {
	case own != "":
		return "waiting for its " + own
	case d.Until == config.UntilCompleted || p.config.OneShot:
		switch {
		case state == process.Running:
			return "not completed, it runs for " + health.Seconds(now.Sub(p.record.Started))
		case state == process.Exited && p.record.Exit != nil: // EXITED alone is what one looks like that is done
			why := p.record.Exit.String()
			if p.program.Expects(*p.record.Exit) {
				why = p.record.SpawnErr
			}
			return "EXITED, " + why
		}
	case p.record.Held && state == process.Starting:
		if next := s.firstMissing(p); next != nil { // what that waits for stands with it: the way to the end may be long
			return "waiting for " + s.nameOf(next)
		}
	case d.Until != config.UntilRunning && p.config.Health.Ready != nil && life(&p.record) != health.Gone:
		text := "not ready"
		if p.health.Why != "" {
			text += ": " + p.health.Why
		}
		return text + ", " + health.Seconds(now.Sub(p.health.Since))
	}
	return p.record.State.String()
}

package supervisor

import (
	"cmp"
	"context"
	"errors"
	"time"

	"holdfast/internal/config"
	"holdfast/internal/dlog"
	"holdfast/internal/event"
	"holdfast/internal/health"
	"holdfast/internal/process"
)

// checks is the part of c that package health needs; nil if there is none.
func checks(c *config.Process) *health.Program {
	h := &c.Health
	if h.Ready == nil && h.Live == nil && h.WatchdogSecs == 0 {
		return nil
	}
	return &health.Program{
		Name: c.Name, Ready: check(h.Ready), Live: check(h.Live),
		Watchdog: seconds(h.WatchdogSecs), StartTimeout: seconds(h.StartTimeoutSecs),
	}
}

func check(c *config.Check) *health.Check {
	if c == nil {
		return nil
	}
	return &health.Check{
		Passive:      c.Kind == config.CheckNotify || c.Kind == config.CheckOutput,
		InitialDelay: seconds(c.InitialDelaySecs), Period: seconds(c.PeriodSecs),
		SuccessThreshold: c.SuccessThreshold, FailureThreshold: c.FailureThreshold,
	}
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }

// life is how far the process of r has come.
func life(r *process.Record) health.Life {
	switch {
	case r.PID == 0:
		return health.Gone
	case r.State == process.Starting:
		return health.Starting
	case r.State == process.Running:
		return health.Running
	}
	return health.Gone
}

func (p *proc) isReady() bool {
	if p.config.Health.Ready == nil {
		return p.record.State == process.Running
	}
	return p.health.Ready
}

// mainPID is the process that does what p is there for, which may stand behind a wrapper.
func (p *proc) mainPID() int {
	if p.health.MainPID != 0 {
		return p.health.MainPID
	}
	return p.record.PID
}

// lives brings how far p has come to its health.
func (s *Supervisor) lives(p *proc) {
	if p.checks != nil {
		s.judge(p, health.Lives{Life: life(&p.record)})
	}
}

// resumeHealth goes on with what is beside a process's state.
func (s *Supervisor) resumeHealth(p *proc) {
	if p.checks != nil {
		s.judge(p, health.Resume{Kept: p.health.Kept, Life: life(&p.record)})
	}
	if p.record.Commanded {
		s.stopCommand(p)
	}
	if p.postStop != 0 {
		s.runPostStop(p)
	}
}

// judge carries out what e does to p's health.
func (s *Supervisor) judge(p *proc, e health.Event) {
	r, do := health.Step(p.checks, p.health, e, time.Now())
	p.health = r
	for _, a := range do {
		switch a := a.(type) {
		case health.Probe:
			c := p.config.Health.Ready
			if a.Live {
				c = p.config.Health.Live
			}
			s.Hands.Probe(p.config, c, p.mainPID(), func(err error) {
				var unmade *health.Unmade
				outcome := health.Probed{Live: a.Live, Err: text(err), Unmade: errors.As(err, &unmade)}
				s.mail.put(func() { s.judgeAndCommit(p, outcome) })
			})
		case health.Changed:
			s.unsettled = true
			if a.Ready {
				s.step(p, process.Ready{})
			}
			s.publish(p.healthEvent(event.ProcessHealth{Ready: a.Ready, Why: a.Why}))
		case health.Failed:
			s.publish(p.healthEvent(event.ProcessHealth{Failed: true, Why: a.Why}))
			unwell := process.NotAlive
			if a.Start {
				unwell = process.NotReady
			}
			s.step(p, process.Unhealthy{Unwell: unwell, Why: a.Why})
		case health.Extend:
			s.step(p, process.Extend{Until: a.Until})
		case health.Log:
			s.log(a.Level, a.Text)
		}
	}
	s.keep(p, process.Kill{})
	s.schedule(p)
}

func (s *Supervisor) judgeAndCommit(p *proc, e health.Event) {
	if !p.removed {
		s.judge(p, e)
		s.commit()
	}
}

func (p *proc) healthEvent(e event.ProcessHealth) event.ProcessHealth {
	e.Name, e.Group, e.PID = p.config.Name, p.group.config.Name, cmp.Or(p.record.PID, p.lastPID)
	return e
}

// PostNotified brings what the process that was spawned under the number spawn has said of itself, and PostMatched
// that it has written the line that tells that it is ready. They return when what came of it is kept.
func (s *Supervisor) PostNotified(spawn uint64, n health.Notified) { s.postHealth(spawn, n) }
func (s *Supervisor) PostMatched(spawn uint64)                     { s.postHealth(spawn, health.Matched{}) }

func (s *Supervisor) postHealth(spawn uint64, e health.Event) {
	s.mail.call(func() {
		if p := s.spawns[spawn]; p != nil && p.record.Spawn == spawn && p.checks != nil {
			s.judgeAndCommit(p, e)
		}
	})
}

// stopCommand runs the stop command of p. Its outcome counts while it is waited for.
func (s *Supervisor) stopCommand(p *proc) {
	p.stopRuns = true
	s.Hands.StopCommand(p.config, p.mainPID(), func(err error) {
		s.mail.put(func() {
			p.stopRuns = false
			switch {
			case p.record.Commanded:
				s.step(p, process.StopCommandDone{Err: text(err)})
				s.commit()
			case p.postStop != 0: // its process was faster
				if err != nil {
					s.log(dlog.Warn, p.config.Name+" stop_command: "+err.Error())
				}
				s.commit()
				s.runPostStop(p)
			}
		})
	})
}

// runPostStop runs the command that follows the end of p's process, if there is one.
func (s *Supervisor) runPostStop(p *proc) {
	over := func() {
		p.postStop = 0
		s.unsettled = true
		s.keep(p, process.Kill{})
		p.tellWaiters(p.record.State)
		s.commit()
	}
	if p.config.Hooks.PostStop == "" {
		s.mail.put(over)
		return
	}
	s.Hands.PostStop(p.config, p.postStop, func(error) { s.mail.put(over) }) // an error is in the log
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// ReloadProcess has a process read its own configuration again, by its reload_command or reload_signal.
func (s *Supervisor) ReloadProcess(ctx context.Context, name string) error {
	var p *proc
	var pid int
	if err := s.visit(func() (err error) {
		if p, err = s.find(name); err != nil {
			return err
		}
		hooks := &p.config.Hooks
		if life(&p.record) == health.Gone {
			return &Error{ErrNotRunning, name}
		}
		if hooks.ReloadSignal != 0 {
			s.logSignal(p, hooks.ReloadSignal)
			s.commit()
			s.Hands.Signal(p.record.Spawn, hooks.ReloadSignal, false)
		} else if hooks.Reload == "" {
			return &Error{ErrFailed, name + " has neither reload_command= nor reload_signal="}
		}
		pid = p.mainPID()
		return nil
	}); err != nil || p.config.Hooks.Reload == "" {
		return err
	}
	err := s.Hands.Reload(ctx, p.config, pid)
	if errors.Is(err, context.Canceled) { // if the caller has gone, nobody reads it
		err = errors.New("it was ended with this daemon, and may have done a part of it")
	}
	if err != nil {
		return &Error{ErrFailed, name + ": reload_command: " + err.Error()}
	}
	return nil
}

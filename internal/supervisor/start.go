package supervisor

import (
	"context"
	"errors"
	"time"

	"holdfast/internal/config"
	"holdfast/internal/process"
)

// A target is a process that a call is about, and the name that the caller's faults give it.
type target struct {
	proc *proc
	name string
}

// StartProcess starts one process. With wait it returns when the process is RUNNING, or has
// failed once; without, when it has been forked.
func (s *Supervisor) StartProcess(ctx context.Context, name string, wait bool) error {
	var t target
	if err := s.visit(func() (err error) {
		t.proc, err = s.find(name)
		t.name = name
		return err
	}); err != nil {
		return err
	}
	return one(s.start(ctx, []target{t}, wait))
}

// StartGroup starts those processes of a group that are in no running state.
func (s *Supervisor) StartGroup(ctx context.Context, group string, wait bool) ([]Result, error) {
	targets, err := s.inGroup(group, func(r *process.Record) bool { return !r.State.IsRunning() })
	if err != nil {
		return nil, err
	}
	return s.start(ctx, targets, wait)
}

// StartAll does what StartGroup does, for every group.
func (s *Supervisor) StartAll(ctx context.Context, wait bool) ([]Result, error) {
	targets, err := s.inGroup("", func(r *process.Record) bool { return !r.State.IsRunning() })
	if err != nil {
		return nil, err
	}
	return s.start(ctx, targets, wait)
}

// inGroup lists the processes of a group, or of all groups for "", whose record is wanted.
func (s *Supervisor) inGroup(name string, wanted func(*process.Record) bool) ([]target, error) {
	var targets []target
	err := s.visit(func() error {
		groups := s.groups
		if name != "" {
			g := s.group(name)
			if g == nil {
				return &Error{ErrBadName, name}
			}
			groups = []*group{g}
		}
		for _, g := range groups {
			for _, p := range g.byPriority(false) {
				if wanted(&p.record) {
					targets = append(targets, target{p, p.namespec()})
				}
			}
		}
		return nil
	})
	return targets, err
}

// one is the outcome of a call on a single process.
func one(results []Result, err error) error {
	if err != nil {
		return err
	}
	return results[0].Err
}

// start starts targets together, and returns when each outcome is known.
func (s *Supervisor) start(ctx context.Context, targets []target, wait bool) ([]Result, error) {
	// The lookups may block, on a mount that is gone for instance, so they are made here.
	checks := make([]error, len(targets))
	for i, t := range targets {
		checks[i] = commandError(s.check(t.proc.config))
	}
	reply := make(chan answer, len(targets)) // room for every answer, so that the loop never waits
	started := time.Now()
	err := s.visit(func() error {
		for i, t := range targets {
			err := checks[i]
			over := err != nil
			if !over {
				over, err = s.begin(t, wait)
			}
			if over {
				reply <- answer{Result: t.proc.result(err), place: i}
				continue
			}
			w := waiter{kind: forked, name: t.name, reply: reply, answer: answer{Result: t.proc.result(nil), place: i}}
			if wait {
				w.kind = up
			}
			s.await(t.proc, w)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return s.collect(ctx, reply, targets, started)
}

// checkPatience is how long a start waits for the look at its command.
//
// Differs: the original hangs with the mount.
const checkPatience = 50 * time.Millisecond

// check tells what is wrong with p's command. Where that takes too long, on a mount that is gone, the
// answer is nothing: then only p's spawn hangs, and not the start of the others.
func (s *Supervisor) check(p *config.Process) error {
	answer := make(chan error, 1) // room for an answer that nobody waits for any more
	go func() { answer <- s.Hands.Check(p) }()
	patience := time.NewTimer(checkPatience)
	defer patience.Stop()
	select {
	case err := <-answer:
		return err
	case <-patience.C:
		return nil
	}
}

// begin starts t's process; over tells that there is nothing to wait for.
func (s *Supervisor) begin(t target, wait bool) (over bool, err error) {
	p := t.proc
	switch state := p.record.State; {
	case p.removed:
		return true, &Error{ErrBadName, t.name}
	case state.IsRunning():
		return true, &Error{ErrAlreadyStarted, t.name}
	case state == process.Unknown:
		return true, &Error{ErrFailed, t.name + " is in an unknown process state"}
	}
	if p.record.IsWanted() {
		return false, nil // it is being stopped, and the start that follows is as good
	}
	stopping := p.record.State == process.Stopping
	s.step(p, process.Start{})
	if !stopping {
		return false, nil
	}
	if wait {
		return true, &Error{ErrAbnormalTermination, t.name}
	}
	return true, nil
}

// commandError is the fault for a command that can't be executed.
func commandError(err error) error {
	var bad *process.CommandError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &bad) && bad.NotFound:
		return &Error{ErrNoFile, bad.Text}
	}
	return &Error{ErrNotExecutable, err.Error()}
}

// autostart starts those processes of g that ask for it.
func (s *Supervisor) autostart(g *group) {
	for _, p := range g.procs {
		if p.autoStart {
			p.autoStart = false
			s.step(p, process.Start{})
		}
	}
}

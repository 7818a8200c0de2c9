package supervisor

import (
	"context"
	"time"

	"holdfast/internal/config"
	"holdfast/internal/process"
)

// StopProcess stops one process. With wait it returns when the process is in a stopped state,
// without, when the stop signal was sent.
func (s *Supervisor) StopProcess(ctx context.Context, name string, wait bool) error {
	var t target
	if err := s.visit(func() (err error) {
		t.proc, err = s.find(name)
		t.name = name
		return err
	}); err != nil {
		return err
	}
	return one(s.stop(ctx, []target{t}, wait))
}

// StopGroup stops those processes of a group that are in a running state.
func (s *Supervisor) StopGroup(ctx context.Context, group string, wait bool) ([]Result, error) {
	return s.stopMany(ctx, group, wait)
}

// StopAll does what StopGroup does, for every group.
func (s *Supervisor) StopAll(ctx context.Context, wait bool) ([]Result, error) {
	return s.stopMany(ctx, "", wait)
}

func (s *Supervisor) stopMany(ctx context.Context, group string, wait bool) ([]Result, error) {
	resting := func(r *process.Record) bool { return r.State == process.Exited || r.State == process.Fatal }
	ended, err := s.inGroup(group, resting)
	if err != nil {
		return nil, err
	}
	if err := s.visit(func() error {
		for _, t := range ended { // they may be about to be started again
			if resting(&t.proc.record) {
				s.step(t.proc, process.Stop{})
			}
		}
		return nil
	}); err != nil {
		return nil, err
	}
	targets, err := s.inGroup(group, (*process.Record).IsWanted)
	if err != nil {
		return nil, err
	}
	return s.stop(ctx, targets, wait)
}

func (s *Supervisor) stop(ctx context.Context, targets []target, wait bool) ([]Result, error) {
	reply := make(chan answer, len(targets)) // room for every answer, so that the loop never waits
	err := s.visit(func() error {
		for i, t := range targets {
			p := t.proc
			if !p.record.IsWanted() {
				s.step(p, process.Stop{}) // it may be about to be started again
				reply <- answer{Result: p.result(&Error{ErrNotRunning, t.name}), place: i}
				continue
			}
			s.step(p, process.Stop{Held: s.isNeeded(p)})
			if wait {
				s.await(p, waiter{kind: stopped, name: t.name, reply: reply, answer: answer{Result: p.result(nil), place: i}})
			} else {
				reply <- answer{Result: p.result(nil), place: i}
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return s.collect(ctx, reply, targets, time.Time{})
}

// SignalProcess sends a signal, given by name or number, to one process. Its state is not
// touched, and stopasgroup does not matter (spec process §4.4).
func (s *Supervisor) SignalProcess(_ context.Context, name, signal string) error {
	return s.visit(func() error {
		p, err := s.find(name)
		if err != nil {
			return err
		}
		return s.signal(p, name, signal)
	})
}

// SignalGroup signals those processes of a group that have one to signal.
func (s *Supervisor) SignalGroup(_ context.Context, group, signal string) ([]Result, error) {
	return s.signalAll(group, signal)
}

// SignalAll does what SignalGroup does, for every group.
func (s *Supervisor) SignalAll(_ context.Context, signal string) ([]Result, error) {
	return s.signalAll("", signal)
}

func (s *Supervisor) signalAll(group, signal string) ([]Result, error) {
	targets, err := s.inGroup(group, func(r *process.Record) bool { return r.State.IsSignallable() && r.PID != 0 })
	if err != nil {
		return nil, err
	}
	results := make([]Result, 0, len(targets))
	err = s.visit(func() error {
		for _, t := range targets {
			results = append(results, t.proc.result(s.signal(t.proc, t.name, signal)))
		}
		return nil
	})
	return results, err
}

func (s *Supervisor) signal(p *proc, name, signal string) error {
	sig, err := config.ParseSignal(signal)
	if err != nil {
		return &Error{ErrBadSignal, signal}
	}
	if !p.record.State.IsSignallable() || p.record.PID == 0 {
		return &Error{ErrNotRunning, name}
	}
	s.logSignal(p, sig)
	s.commit()
	s.Hands.Signal(p.record.Spawn, sig, false)
	return nil
}

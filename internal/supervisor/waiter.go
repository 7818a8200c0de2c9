package supervisor

import (
	"context"
	"slices"
	"strings"
	"time"

	"holdfast/internal/process"
)

// A wait is what somebody waits for a process to become.
type wait int

const (
	forked  wait = iota // the spawn is answered
	up                  // RUNNING, or it is clear that this start will not get there
	stopped             // one of the stopped states
)

// A waiter is a caller whose answer depends on what becomes of a process.
type waiter struct {
	kind   wait
	name   string // as the caller calls it, for the fault's text
	reply  chan<- answer
	answer answer // Err and at are filled in when it is sent
	late   bool   // the stop was sent, or the process forked, and that did not settle it
	ended  bool   // it was stopped, and what comes after that is awaited; a start may have come meanwhile
}

// An answer is the outcome for one of the processes of a call.
type answer struct {
	Result
	place int       // of the process in the call
	at    time.Time // when a wait for it ended; zero: it was clear at once
}

// await leaves w with p, unless its answer is known already.
func (s *Supervisor) await(p *proc, w waiter) {
	p.waiters = append(p.waiters, w)
	p.tellWaiters(p.record.State)
	if w.kind == stopped && !p.record.State.IsStopped() {
		s.logWaitingToStop(p)
		p.stopReport = time.Now().Add(2 * time.Second)
		s.schedule(p)
	}
}

// tellWaiters answers those whose wait ends with p being in state.
func (p *proc) tellWaiters(state process.State) {
	waiting := p.waiters[:0]
	for _, w := range p.waiters {
		over, reason := w.over(p, state)
		if !over {
			w.late = w.kind == stopped || p.record.PID != 0
			waiting = append(waiting, w)
			continue
		}
		switch reason {
		case "":
		case ErrFailed:
			w.answer.Err = &Error{reason, "unknown problem killing " + p.config.Name + "; the daemon's log has it"}
		default:
			w.answer.Err = &Error{reason, w.name}
		}
		if w.late {
			w.answer.at = time.Now()
		}
		w.reply <- w.answer
	}
	clear(p.waiters[len(waiting):])
	p.waiters = waiting
	if !slices.ContainsFunc(p.waiters, func(w waiter) bool { return w.kind == stopped }) {
		p.stopReport = time.Time{}
	}
}

// over tells whether w's wait ends with p being in state, and if badly, why.
func (w *waiter) over(p *proc, state process.State) (bool, Reason) {
	if w.kind == stopped {
		if state == process.Unknown {
			return true, ErrFailed
		}
		w.ended = w.ended || state.IsStopped()
		return w.ended && p.postStop == 0, ""
	}
	switch state {
	case process.Starting:
		return w.kind == forked && (p.record.PID != 0 || p.record.Held), ""
	case process.Running:
		return true, ""
	case process.Backoff, process.Fatal:
		return true, ErrSpawn
	case process.Stopping, process.Stopped:
		if p.record.IsWanted() { // it is started again then, or its start has failed
			return false, ""
		}
	case process.Exited:
		if w.kind == forked || p.completed() {
			return true, ""
		}
	}
	return true, ErrAbnormalTermination
}

// collect receives the results for all targets and puts them in order; started is inOrder's. When ctx ends
// first the waiters are dropped; what they waited for goes on.
func (s *Supervisor) collect(ctx context.Context, reply chan answer, targets []target, started time.Time) ([]Result, error) {
	answers := make([]answer, 0, len(targets))
	for len(answers) < len(targets) {
		select {
		case a := <-reply:
			answers = append(answers, a)
		case <-ctx.Done():
			if len(reply) > 0 {
				continue // an answer that is there is given, above all at the end of a shutdown
			}
			s.mail.put(func() {
				for _, t := range targets {
					p := t.proc
					p.waiters = slices.DeleteFunc(p.waiters, func(w waiter) bool { return w.reply == reply })
					p.tellWaiters(p.record.State)
					s.schedule(p)
				}
			})
			return nil, ctx.Err()
		}
	}
	return inOrder(answers, started), nil
}

// visit runs f on the loop, unless the mood or the end of the loop forbids it.
func (s *Supervisor) visit(f func() error) error {
	err := error(&Error{Reason: ErrShutdownState})
	s.mail.call(func() {
		if s.mood == MoodRunning {
			err = f()
			s.commit()
		}
	})
	return err
}

// find looks up "group:name", or "name" for "name:name".
func (s *Supervisor) find(name string) (*proc, error) {
	groupName, procName, ok := strings.Cut(name, ":")
	if !ok {
		procName = groupName
	}
	if g := s.group(groupName); g != nil {
		for _, p := range g.procs {
			if p.config.Name == procName {
				return p, nil
			}
		}
	}
	return nil, &Error{ErrBadName, name}
}

func (s *Supervisor) group(name string) *group {
	for _, g := range s.groups {
		if g.config.Name == name {
			return g
		}
	}
	return nil
}

// namespec is how a process is called when its group is not plain from the context.
func (p *proc) namespec() string {
	if p.group.config.Name == p.config.Name {
		return p.config.Name
	}
	return p.group.config.Name + ":" + p.config.Name
}

func (p *proc) result(err error) Result {
	return Result{Name: p.config.Name, Group: p.group.config.Name, Err: err}
}

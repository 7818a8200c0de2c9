package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"time"

	"holdfast/client"
)

// actor asks for this and that until stop is closed. The programs are its alone, so that it knows what is wished.
func (s *session) actor(rng *rand.Rand, mine []*program, updates bool, stop <-chan struct{}) {
	upgrade := false
	if updates {
		out, _ := s.ctl("help", "upgrade")
		upgrade = strings.HasPrefix(out, "upgrade")
	}
	for {
		select {
		case <-stop:
			return
		case <-time.After(time.Duration(rng.ExpFloat64() * float64(150*time.Millisecond))):
		}
		p := mine[rng.IntN(len(mine))]
		what := rng.IntN(20)
		switch {
		case updates && upgrade && what == 0:
			s.upgrade()
		case updates && what < 6:
			s.update(rng)
		case p.wanted() == absent:
		case what < 9:
			s.stop(p, rng.IntN(2) == 0)
		case what < 14:
			s.start(p, rng.IntN(2) == 0)
		case what < 17:
			s.restart(p, rng.IntN(2) == 0)
		case what < 19:
			s.signal(p, rng.IntN(2) == 0)
		default:
			s.states()
		}
		s.count("commands")
	}
}

// command has supervisorctl say a command until the daemon has answered it; the result is what that was.
func (s *session) command(who string, answers []string, args ...string) (answer string) {
	for try := 1; ; try++ {
		out, status := s.ctl(args...)
		s.note(who, "supervisorctl %s: %q, status %d", strings.Join(args, " "), out, status)
		last := out[strings.LastIndexByte(out, '\n')+1:]
		for _, a := range answers {
			if last == who+": "+a {
				return a
			}
		}
		if status < 0 || try > 3000 {
			s.fail(who, "supervisorctl %s was not answered as it should be: %q", strings.Join(args, " "), out)
			return ""
		}
		s.count("calls broken off")
		time.Sleep(20 * time.Millisecond)
	}
}

// code is that of a fault.
func code(err error) int {
	var f *client.Fault
	if errors.As(err, &f) {
		return f.Code
	}
	return 0
}

func (s *session) stop(p *program, byCtl bool) {
	if byCtl {
		switch s.command(p.name, []string{"stopped", "ERROR (not running)"}, "stop", p.name) {
		case "stopped":
			p.wants(stopped)
		default:
			s.wasDown(p)
		}
		return
	}
	err := s.call(p.name, "stopProcess", func(ctx context.Context) error { return s.client.StopProcess(ctx, p.name, true) })
	switch {
	case err == nil:
		p.wants(stopped)
	case code(err) == client.NotRunning:
		s.wasDown(p)
	default:
		s.fail(p.name, "stopProcess: %v", err)
	}
}

// wasDown is when a stop finds that p did not run. That it is STOPPED is known if it was before.
func (s *session) wasDown(p *program) {
	if p.wanted() != stopped {
		p.wants(down)
	}
}

func (s *session) start(p *program, byCtl bool) {
	for {
		how := ""
		if byCtl {
			how = s.command(p.name, []string{"started", "ERROR (already started)", "ERROR (spawn error)", "ERROR (abnormal termination)"}, "start", p.name)
		} else {
			err := s.call(p.name, "startProcess", func(ctx context.Context) error { return s.client.StartProcess(ctx, p.name, true) })
			switch code(err) {
			case 0, client.AlreadyStarted, client.SpawnError, client.AbnormalTermination:
			default:
				s.fail(p.name, "startProcess: %v", err)
			}
			if c := code(err); c == client.AbnormalTermination {
				how = "ERROR (abnormal termination)"
			}
		}
		if how != "ERROR (abnormal termination)" || !s.stopping(p) {
			p.wants(up)
			return
		}
	}
}

// stopping tells whether a start has met a stop under way: that of a call that has broken off.
func (s *session) stopping(p *program) bool {
	states, err := s.states()
	state := states[p.name].State
	return err == nil && (state == client.Stopping || state == client.Stopped)
}

func (s *session) restart(p *program, byCtl bool) {
	if !byCtl {
		s.stop(p, false)
		s.start(p, false)
		return
	}
	// The last line is the start's.
	how := s.command(p.name, []string{"started", "ERROR (already started)", "ERROR (spawn error)", "ERROR (abnormal termination)"}, "restart", p.name)
	p.wants(up)
	if how == "ERROR (abnormal termination)" && s.stopping(p) {
		s.start(p, false)
	}
}

func (s *session) signal(p *program, byCtl bool) {
	killed := func() {
		p.mu.Lock()
		p.kills = append(p.kills, Now())
		p.mu.Unlock()
	}
	if byCtl {
		killed()
		out, status := s.ctl("signal", "KILL", p.name)
		s.note(p.name, "supervisorctl signal KILL: %q, status %d", out, status)
	} else {
		_ = s.call(p.name, "signalProcess KILL", func(ctx context.Context) error {
			killed()
			return s.client.SignalProcess(ctx, p.name, "KILL")
		})
	}
	killed()
}

// update changes the configuration and has it applied.
func (s *session) update(rng *rand.Rand) {
	for _, p := range s.programs {
		if !p.spare {
			continue
		}
		switch {
		case p.wanted() == absent:
			p.wants(up)
		case rng.IntN(2) == 0:
			p.wants(absent)
		default:
			p.version++
			p.wants(up)
		}
	}
	if err := s.configure(); err != nil {
		s.t.Error(err)
	}
	s.applied("update")
}

// applied has supervisorctl say a command until it succeeds.
func (s *session) applied(args ...string) {
	for try := 1; ; try++ {
		out, status := s.ctl(args...)
		s.note("", "supervisorctl %s: %q, status %d", strings.Join(args, " "), out, status)
		if status == 0 && !strings.Contains(out, "rror") && !strings.Contains(out, "refused") {
			return
		}
		if status < 0 || try > 1000 {
			s.fail("", "supervisorctl %s does not succeed: %q", strings.Join(args, " "), out)
			return
		}
		s.count("calls broken off")
		time.Sleep(20 * time.Millisecond)
	}
}

func (s *session) upgrade() {
	s.count("upgrades")
	s.applied("upgrade")
}

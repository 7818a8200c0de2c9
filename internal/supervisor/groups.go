package supervisor

import (
	"context"
	"slices"
	"time"

	"holdfast/internal/config"
	"holdfast/internal/event"
	"holdfast/internal/process"
)

// ReloadConfig reads the configuration anew and says how it differs from the active groups. No
// process is touched: AddGroup and RemoveGroup apply it. Where single programs are bad, the
// others can be applied all the same, and the error tells of the bad ones.
func (s *Supervisor) ReloadConfig(context.Context) (added, changed, removed []string, err error) {
	if err := s.Ready(); err != nil {
		return nil, nil, nil, err
	}
	parsed, loadErr := s.Load()
	err = s.visit(func() error {
		if parsed != nil {
			s.keepBad(parsed)
			s.parsed = parsed
		}
		if loadErr != nil {
			return &Error{ErrCantReread, loadErr.Error()}
		}
		added, changed, removed = config.Diff(s.activeConfig(), parsed.Groups)
		return nil
	})
	return added, changed, removed, err
}

// keepBad puts the active definition of a group into parsed where the one in the file is bad, so
// that a slip in a file doesn't make its group look removed.
func (s *Supervisor) keepBad(parsed *config.Config) {
	for _, name := range parsed.Bad {
		if g := s.group(name); g != nil {
			parsed.Groups = append(parsed.Groups, *g.config)
		}
	}
}

func (s *Supervisor) activeConfig() []config.Group {
	active := make([]config.Group, len(s.groups))
	for i, g := range s.inOrderOfComing() {
		active[i] = *g.config
	}
	return active
}

// inOrderOfComing lists the active groups, those that were added later behind the others.
func (s *Supervisor) inOrderOfComing() []*group {
	list := slices.Clone(s.groups)
	slices.SortFunc(list, func(a, b *group) int { return a.came - b.came })
	return list
}

// AddGroup makes a group of the configuration that was read last active, and starts those of its
// processes that ask for it.
func (s *Supervisor) AddGroup(_ context.Context, name string) error {
	var wanted config.Group
	lookUp := func() error {
		if s.group(name) != nil {
			return &Error{ErrAlreadyAdded, name}
		}
		i := slices.IndexFunc(s.parsed.Groups, func(g config.Group) bool { return g.Name == name })
		if i < 0 {
			return &Error{ErrBadName, name}
		}
		wanted = s.parsed.Groups[i]
		return nil
	}
	if err := s.visit(lookUp); err != nil {
		return err
	}
	prepared, err := s.Hands.Prepare(&wanted)
	if err != nil {
		return &Error{ErrFailed, err.Error()}
	}
	return s.visit(func() error {
		if s.group(name) != nil { // another caller was quicker
			return &Error{ErrAlreadyAdded, name}
		}
		s.autostart(s.add(prepared))
		return nil
	})
}

// add makes g active, and says so.
func (s *Supervisor) add(cfg *config.Group) *group {
	g := s.insert(cfg)
	for _, p := range g.procs {
		p.autoStart = p.config.AutoStart
		s.keep(p, process.Kill{})
	}
	s.publish(event.ProcessGroup{Name: cfg.Name})
	s.wantTicks()
	return g
}

// insert makes a group, behind the groups of its priority, and of lower ones.
func (s *Supervisor) insert(cfg *config.Group) *group {
	s.lastCame++
	g := &group{config: cfg, came: s.lastCame}
	for i := range cfg.Processes {
		c := &cfg.Processes[i]
		p := &proc{group: g, member: i, config: c, program: program(c), checks: checks(c), needs: c.DependsOn, index: -1}
		g.procs = append(g.procs, p)
		s.join(p)
	}
	if cfg.Listener != nil {
		g.pool = s.newPool(g)
	}
	at := slices.IndexFunc(s.groups, func(o *group) bool { return o.config.Priority > cfg.Priority })
	if at < 0 {
		at = len(s.groups)
	}
	s.groups = slices.Insert(s.groups, at, g)
	return g
}

// program is the part of c that the pure machine needs.
func program(c *config.Process) process.Program {
	var stopMore []process.StopStep
	for _, s := range c.StopMore {
		stopMore = append(stopMore, process.StopStep(s))
	}
	return process.Program{
		Name:         c.Name,
		AutoRestart:  process.AutoRestart(c.AutoRestart),
		StartSecs:    c.StartSecs,
		StartRetries: c.StartRetries,
		ExitCodes:    c.ExitCodes,
		StopSignal:   c.StopSignal,
		StopWaitSecs: c.StopWaitSecs,
		StopAsGroup:  c.StopAsGroup,
		KillAsGroup:  c.KillAsGroup,
		StopMore:     stopMore,
		EndsWhen:     process.EndsWhen(c.ExitSupervisorWhen),
		Gated:        len(c.DependsOn) > 0 || c.Hooks.Stop != "" || c.Hooks.PostStop != "",
		OneShot:      c.OneShot,
		StopCommand:  c.Hooks.Stop != "",
		StartBound:   c.Health.StartTimeoutSecs > 0,
		LiveSignal:   c.Health.LiveSignal,
		Patience:     process.Patience(c.Patience),
	}
}

// RemoveGroup forgets a group whose processes are all in a stopped state. It waits for a post_stop_command.
func (s *Supervisor) RemoveGroup(ctx context.Context, name string) error {
	if err := s.awaitPostStops(ctx, name); err != nil {
		return err
	}
	return s.visit(func() error {
		g := s.group(name)
		if g == nil {
			return &Error{ErrBadName, name}
		}
		// An UNKNOWN process that lives on would be nobody's then.
		if slices.ContainsFunc(g.procs, func(p *proc) bool { return p.unstopped() || p.record.PID != 0 }) {
			return &Error{ErrStillRunning, name}
		}
		s.settle() // a stop that is held for one of these, which is gone, goes on
		for _, p := range g.procs {
			s.step(p, process.Stop{}) // of a restart that was to come
			s.forget(p.record.Spawn)
			p.removed = true
			s.leaves(p)
			if s.Memory != nil {
				s.uncommitted = true
				s.Memory.Forget(p.config)
			}
		}
		if g.pool != nil {
			s.perform(g, g.pool.End())
		}
		s.groups = slices.DeleteFunc(s.groups, func(o *group) bool { return o == g })
		s.publish(event.ProcessGroup{Name: name, Removed: true})
		s.wantTicks()
		return nil
	})
}

// awaitPostStops returns when the commands are over that follow the ends of the processes of a group.
func (s *Supervisor) awaitPostStops(ctx context.Context, name string) error {
	stopping, err := s.inGroup(name, func(r *process.Record) bool { return r.State.IsStopped() })
	if err != nil {
		return err
	}
	reply := make(chan answer, len(stopping)) // room for every answer, so that the loop never waits
	if err := s.visit(func() error {
		for _, t := range stopping {
			if t.proc.postStop != 0 {
				s.await(t.proc, waiter{kind: stopped, name: t.name, reply: reply, ended: true})
			} else {
				reply <- answer{}
			}
		}
		return nil
	}); err != nil {
		return err
	}
	_, err = s.collect(ctx, reply, stopping, time.Time{})
	return err
}

// SendStdin writes to a process's standard input.
func (s *Supervisor) SendStdin(_ context.Context, name, chars string) error {
	var spawn uint64
	if err := s.visit(func() error {
		p, err := s.find(name)
		if err != nil {
			return err
		}
		if p.record.PID == 0 || p.record.Killing {
			return &Error{ErrNotRunning, name}
		}
		spawn = p.record.Spawn
		return nil
	}); err != nil {
		return err
	}
	if err := s.Hands.WriteStdin(spawn, []byte(chars)); err != nil {
		return &Error{ErrNoFile, name}
	}
	return nil
}

// ClearLogs empties the logs of a process; one that has none open is left alone.
func (s *Supervisor) ClearLogs(_ context.Context, name string) error {
	var spawn uint64
	if err := s.visit(func() error {
		p, err := s.find(name)
		if err == nil {
			spawn = p.record.Spawn
		}
		return err
	}); err != nil {
		return err
	}
	return s.clear(spawn, name)
}

func (s *Supervisor) clear(spawn uint64, name string) error {
	if err := s.Hands.ClearLogs(spawn); err != nil {
		return &Error{ErrFailed, name}
	}
	return nil
}

// ClearAllLogs does what ClearLogs does, for every process.
func (s *Supervisor) ClearAllLogs(context.Context) ([]Result, error) {
	targets, err := s.inGroup("", func(*process.Record) bool { return true })
	if err != nil {
		return nil, err
	}
	results := make([]Result, len(targets))
	spawns := make([]uint64, len(targets))
	err = s.visit(func() error {
		for i, t := range targets {
			spawns[i] = t.proc.record.Spawn
			results[i] = t.proc.result(nil)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for i, t := range targets {
		results[i].Err = s.clear(spawns[i], t.name)
	}
	return results, nil
}

// Ready answers nil while the mood is RUNNING.
func (s *Supervisor) Ready() error { return s.visit(func() error { return nil }) }

// Shutdown begins to stop everything; Run returns when that is done.
func (s *Supervisor) Shutdown() error { return s.leave(MoodShutdown) }

// Restart begins to stop everything, to be started anew by whoever called Run.
func (s *Supervisor) Restart() error { return s.leave(MoodRestarting) }

func (s *Supervisor) leave(m Mood) error {
	return s.visit(func() error {
		s.setMood(m)
		return nil
	})
}

// SendRemoteCommEvent brings an event from a client to those who listen for it, in any mood.
func (s *Supervisor) SendRemoteCommEvent(kind, data string) error {
	if !s.mail.call(func() {
		s.publish(event.RemoteCommunication{Kind: kind, Data: data})
		s.commit()
	}) {
		return &Error{Reason: ErrShutdownState}
	}
	return nil
}

// Identifier is the supervisor's name, as the configuration read last has it.
//
// Differs: it is all of a changed [supervisord] that counts before a restart. In the original strip_ansi,
// childlogdir and the names of the log and the pidfile do, too, though these stay open under the old ones.
func (s *Supervisor) Identifier() (id string, err error) {
	err = s.visit(func() error { id = s.parsed.Supervisord.Identifier; return nil })
	return id, err
}

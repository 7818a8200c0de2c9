package supervisor

import (
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/internal/config"
	"holdfast/internal/listener"
	"holdfast/internal/process"
)

// kept is a Memory that holds what it was told last.
type kept struct {
	procs     map[string]Kept
	beginning []bool       // as it was told, in order
	daemon    []KeptDaemon // too
}

func (k *kept) Keep(p *config.Process, now Kept) { k.procs[p.Name] = now }
func (k *kept) Forget(p *config.Process)         { delete(k.procs, p.Name) }
func (k *kept) KeepDaemon(d KeptDaemon) {
	k.beginning = append(k.beginning, d.Beginning)
	k.daemon = append(k.daemon, d)
}
func (k *kept) KeepEvent(string, listener.Saved) {}
func (k *kept) EndEvent(string, uint64)          {}
func (k *kept) Commit([]slog.Record)             {}

func TestAGroupThatWasBeingAddedIsStarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &config.Group{Name: "g"}
		for _, name := range []string{"noted", "not-noted", "not-asked-for", "stopped"} {
			g.Processes = append(g.Processes, config.Process{Group: "g", Name: name, AutoStart: name != "not-asked-for"})
		}
		past := map[string]Kept{
			"noted":   {AutoStart: true},
			"stopped": {Record: process.Record{State: process.Stopped, Spawn: 3}},
		}
		sc := &scene{t: t, start: time.Now(), spawned: make(map[string]uint64)}
		memory := &kept{procs: make(map[string]Kept)}
		s := New(&config.Config{}, Options{Hands: sc, Log: slog.New(slog.DiscardHandler), Memory: memory})
		over := make(chan struct{})
		go func() {
			s.Resume(Past{
				Groups:  []*config.Group{g},
				Kept:    func(p *config.Process) (Kept, bool) { k, ok := past[p.Name]; return k, ok },
				Daemon:  KeptDaemon{Mood: MoodRunning},
				Adopted: func() {},
			})
			close(over)
		}()
		synctest.Wait()
		for _, name := range []string{"noted", "not-noted"} {
			if k := memory.procs[name]; sc.spawned[name] == 0 || k.AutoStart || k.Record.State != process.Starting {
				t.Errorf("%s: spawned as %d, kept %+v", name, sc.spawned[name], k)
			}
		}
		for _, name := range []string{"not-asked-for", "stopped"} {
			if sc.spawned[name] != 0 {
				t.Errorf("%s was started", name)
			}
		}
		s.SetMood(MoodShutdown)
		for _, name := range []string{"noted", "not-noted"} {
			s.Post(sc.spawned[name], process.SpawnFailed{})
		}
		<-over
	})
}

func TestNothingIsStartedBeforeAllGroupsAreNoted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var groups []*config.Group
		for _, name := range []string{"a", "b"} {
			groups = append(groups, &config.Group{Name: name, Processes: []config.Process{{Group: name, Name: name, AutoStart: true}}})
		}
		sc := &scene{t: t, start: time.Now(), spawned: make(map[string]uint64)}
		memory := &kept{procs: make(map[string]Kept)}
		s := New(&config.Config{}, Options{Hands: sc, Log: slog.New(slog.DiscardHandler), Memory: memory})
		over := make(chan struct{})
		go func() {
			s.Run(groups)
			close(over)
		}()
		synctest.Wait()
		if len(memory.beginning) < 2 || !memory.beginning[0] || memory.beginning[len(memory.beginning)-1] {
			t.Errorf("beginning: %v", memory.beginning)
		}
		s.SetMood(MoodShutdown)
		for _, g := range groups {
			s.Post(sc.spawned[g.Name], process.SpawnFailed{})
		}
		<-over
	})
}

// A daemon after the next one must not take the shutdown for called off, nor lose what it is to end with.
func TestAShutdownGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := &kept{procs: map[string]Kept{}}
		s := New(&config.Config{}, Options{Memory: memory})
		mood := s.Resume(Past{Daemon: KeptDaemon{Mood: MoodShutdown, ExitCode: 7}, Adopted: func() {}})
		if mood != MoodShutdown || s.ExitCode() != 7 {
			t.Errorf("got mood %v and status %d, want a shutdown with 7", mood, s.ExitCode())
		}
		if d := memory.daemon[len(memory.daemon)-1]; d.Mood != MoodShutdown || d.ExitCode != 7 {
			t.Errorf("kept %+v", d)
		}
	})
}

// A start that was stopped before its fork is not made after all by the next daemon, with its pre_start_command.
func TestAStopBeforeTheForkGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &config.Group{Name: "g", Processes: []config.Process{{Group: "g", Name: "p"}}}
		sc := &scene{t: t, start: time.Now(), spawned: make(map[string]uint64)}
		s := New(&config.Config{}, Options{Hands: sc, Log: slog.New(slog.DiscardHandler)})
		over := make(chan struct{})
		go func() {
			s.Resume(Past{
				Groups: []*config.Group{g},
				Kept: func(*config.Process) (Kept, bool) {
					return Kept{Record: process.Record{State: process.Stopping, Spawn: 3, Killing: true}}, true
				},
				Daemon:  KeptDaemon{Mood: MoodRunning},
				Adopted: func() {},
			})
			close(over)
		}()
		synctest.Wait()
		if out := sc.output(); !strings.Contains(out, "cancel #3") {
			t.Errorf("got %s", out)
		}
		s.SetMood(MoodShutdown)
		s.Post(3, process.SpawnFailed{})
		<-over
	})
}

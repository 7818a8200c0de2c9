package supervisor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/internal/config"
	"holdfast/internal/health"
	"holdfast/internal/process"
)

// A land is hands for programs that live, fail and die as chance has it, and that see to it that nothing is
// started before what it waits for is there, or signalled while what needs it goes on.
type land struct {
	sup  *Supervisor
	fail func(format string, args ...any)

	mu    sync.Mutex
	sound map[string]bool   // what checks find; guarded by mu
	deaf  bool              // they don't end by their stop signal; guarded by mu
	live  map[uint64]string // guarded by mu
	told  map[uint64]bool   // to end; the loop's
	order []string          // guarded by mu: the names of those that ended, in order
}

func (l *land) Spawn(p *config.Process, spawn uint64) {
	me := l.sup.members[member{p.Group, p.Name}]
	if d := l.sup.firstMissing(me); d != nil {
		l.fail("%s is started without %s", p.Name, d.Name)
	}
	l.mu.Lock()
	l.live[spawn] = p.Name
	l.mu.Unlock()
	l.sup.Post(spawn, process.Spawned{PID: 100 + int(spawn)})
}

func (l *land) Signal(spawn uint64, sig syscall.Signal, _ bool) {
	l.stops(l.sup.spawns[spawn])
	if !l.isDeaf() || sig == syscall.SIGKILL {
		l.end(spawn, process.ExitStatus{Signal: sig})
	}
}

// stops: p is told to end. Those that depend on it and are to be stopped as well must be gone then.
func (l *land) stops(p *proc) {
	if l.told[p.record.Spawn] {
		return
	}
	l.told[p.record.Spawn] = true
	if q := l.sup.stillStopping(p); q != nil {
		l.fail("%s is stopped before %s", p.config.Name, q.config.Name)
	}
	for _, q := range l.sup.dependents[p.id()] {
		if life(&q.record) != health.Gone && l.sup.lacksRequired(q) {
			l.fail("%s is stopped and %s, which requires it, is not", p.config.Name, q.config.Name)
		}
	}
}

func (l *land) StopCommand(p *config.Process, _ int, done func(error)) {
	l.stops(l.sup.members[member{p.Group, p.Name}])
	done(nil)
}

func (l *land) isDeaf() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.deaf
}

func (l *land) end(spawn uint64, s process.ExitStatus) {
	l.mu.Lock()
	name, ok := l.live[spawn]
	delete(l.live, spawn)
	if ok {
		l.order = append(l.order, name)
	}
	l.mu.Unlock()
	if ok {
		l.sup.Post(spawn, process.Ended{Status: s})
	}
}

// endOf ends the process of a name, if there is one.
func (l *land) endOf(name string, s process.ExitStatus) {
	l.mu.Lock()
	var spawn uint64
	for n, who := range l.live {
		if who == name {
			spawn = n
		}
	}
	l.mu.Unlock()
	l.end(spawn, s)
}

func (l *land) Probe(p *config.Process, c *config.Check, _ int, done func(error)) {
	l.mu.Lock()
	ok := l.sound[p.Name]
	l.mu.Unlock()
	if ok {
		done(nil)
	} else {
		done(errors.New("no"))
	}
}

func (l *land) Cancel(spawn uint64)                                      {}
func (l *land) Done(uint64)                                              {}
func (l *land) Adopt(*config.Process, uint64)                            {}
func (l *land) Check(*config.Process) error                              { return nil }
func (l *land) Stage(uint64, []byte) (bool, error)                       { return false, nil }
func (l *land) Send(uint64)                                              {}
func (l *land) WriteStdin(uint64, []byte) error                          { return nil }
func (l *land) ClearLogs(uint64) error                                   { return nil }
func (l *land) Prepare(g *config.Group) (*config.Group, error)           { return g, nil }
func (l *land) PostStop(_ *config.Process, _ int, done func(error))      { done(nil) }
func (l *land) Reload(_ context.Context, _ *config.Process, _ int) error { return nil }
func (l *land) alive() int                                               { l.mu.Lock(); defer l.mu.Unlock(); return len(l.live) }

// settled is a supervisor of groups of one program each, in a land. It must run in a bubble of fake time.
func settled(t testing.TB, programs []config.Process) (l *land, over chan struct{}) {
	l = &land{fail: t.Errorf, sound: make(map[string]bool), live: make(map[uint64]string), told: make(map[uint64]bool)}
	var groups []*config.Group
	for _, p := range programs {
		p.Group, p.Command, p.ExitCodes, p.StopSignal, p.StopWaitSecs = p.Name, "/bin/"+p.Name, []int{0}, syscall.SIGTERM, 10
		p.AutoRestart, p.StartSecs = config.RestartUnexpected, 1
		p.StartRetries = -1
		groups = append(groups, &config.Group{Name: p.Name, Priority: 999, Processes: []config.Process{p}})
	}
	l.sup = New(&config.Config{}, Options{Hands: l, Log: slog.New(slog.DiscardHandler)})
	over = make(chan struct{})
	go func() { l.sup.Run(groups); close(over) }()
	synctest.Wait()
	return l, over
}

// states are the processes of the supervisor in each state.
func states(s *Supervisor) map[process.State]int {
	n := make(map[process.State]int)
	infos, _ := s.AllProcessInfo()
	for _, i := range infos {
		n[i.State]++
	}
	return n
}

// FuzzOrder: whatever happens, nothing is started before what it waits for, nothing is stopped before what needs it
// is gone, everything comes up once it can, and a shutdown ends.
func FuzzOrder(f *testing.F) {
	f.Add([]byte{4, 0, 1, 2, 0x13, 0x84, 0, 1, 2, 3, 0x10, 0x21, 5, 6, 7})
	f.Add([]byte{7, 0xff, 0xff, 0x0f, 0xff, 0x42, 9, 3, 0x33, 5, 0x16, 0x27, 8, 4})
	f.Add([]byte{3, 0xc7, 0x41, 0x81, 9, 0x10, 5, 0x20, 4, 6, 1, 1, 7, 8})
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) == 0 || len(data) > 200 {
			return
		}
		n := 2 + int(data[0]%7)
		if len(data) < 1+n {
			return
		}
		var programs []config.Process
		for i, b := range data[1 : 1+n] {
			p := config.Process{Name: string(rune('a' + i)), AutoStart: b&8 == 0}
			for on := range i { // no circles
				if (int(b)>>(on%3))&1 != 0 {
					d := config.Dependency{Group: programs[on].Name, Name: programs[on].Name, Required: b&64 != 0}
					p.DependsOn = append(p.DependsOn, d)
				}
			}
			if b&16 != 0 {
				p.Health.Ready = &config.Check{Kind: config.CheckTCP, PeriodSecs: 2, SuccessThreshold: 1, FailureThreshold: 2}
			} else if b&32 != 0 {
				p.OneShot = true
			}
			if b&128 != 0 {
				p.Hooks.PostStop, p.Hooks.Stop = "x", "x"
			}
			programs = append(programs, p)
		}
		synctest.Test(t, func(t *testing.T) {
			l, over := settled(t, programs)
			ctx := t.Context()
			for _, b := range data[1+n:] {
				name := programs[int(b>>4)%n].Name
				switch b & 15 {
				case 0, 1:
					l.endOf(name, process.ExitStatus{Code: int(b & 1)})
				case 2, 3:
					l.mu.Lock()
					l.sound[name] = b&1 != 0
					l.mu.Unlock()
				case 4:
					_ = l.sup.StartProcess(ctx, name, false)
				case 5:
					_ = l.sup.StopProcess(ctx, name, false)
				case 6:
					_, _ = l.sup.StopAll(ctx, false)
				case 7:
					l.mu.Lock()
					l.deaf = !l.deaf
					l.mu.Unlock()
				default:
					time.Sleep(time.Duration(b>>4) * 300 * time.Millisecond)
				}
				synctest.Wait()
			}
			// Whatever came before, it all comes up when it can.
			l.mu.Lock()
			for _, p := range programs {
				l.sound[p.Name] = true
			}
			l.mu.Unlock()
			time.Sleep(30 * time.Second)
			for range 3 * n {
				for _, p := range programs {
					if info, _ := l.sup.ProcessInfo(p.Name); info.State == process.Stopped || !p.OneShot {
						_ = l.sup.StartProcess(ctx, p.Name, false)
						synctest.Wait()
					}
					if p.OneShot {
						l.endOf(p.Name, process.ExitStatus{})
					}
				}
				time.Sleep(30 * time.Second)
				synctest.Wait()
			}
			infos, _ := l.sup.AllProcessInfo()
			for i, info := range infos {
				if info.State != process.Running && !(programs[i].OneShot && info.State == process.Exited) {
					t.Errorf("%s: %v %s", info.Name, info.State, info.Waiting)
				}
			}
			l.sup.SetMood(MoodShutdown)
			select {
			case <-over:
			case <-time.After(time.Hour):
				t.Errorf("the shutdown does not end: %v", states(l.sup))
				panic("stuck")
			}
			if n := l.alive(); n > 0 {
				t.Errorf("%d processes outlive the shutdown", n)
			}
		})
	})
}

// TestAThousand: in a chain and in a fan all come up, one after the other or all at once, and go down the other way.
func TestAThousand(t *testing.T) {
	const n = 1000
	name := func(i int) string { return fmt.Sprintf("p%04d", i) }
	for _, shape := range []string{"chain", "fan"} {
		t.Run(shape, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var programs []config.Process
				for i := range n {
					p := config.Process{Name: name(i), AutoStart: true}
					if on := map[string]int{"chain": i - 1}[shape]; i > 0 {
						p.DependsOn = []config.Dependency{{Group: name(on), Name: name(on)}}
					}
					programs = append(programs, p)
				}
				rand.Shuffle(n, func(i, j int) { programs[i], programs[j] = programs[j], programs[i] })
				l, over := settled(t, programs)
				if got := l.alive(); got != 1 {
					t.Errorf("%d at the beginning, want 1", got)
				}
				time.Sleep(map[string]time.Duration{"chain": n, "fan": 2}[shape] * time.Second)
				synctest.Wait()
				if got := states(l.sup)[process.Running]; got != n {
					t.Errorf("%d are up, want %d", got, n)
				}
				l.sup.SetMood(MoodShutdown)
				<-over
				last := l.order[len(l.order)-1]
				if len(l.order) != n || last != name(0) {
					t.Errorf("%d have ended, the last one is %s", len(l.order), last)
				}
				if shape == "chain" {
					for i, got := range l.order {
						if got != name(n-1-i) {
							t.Fatalf("number %d to end was %s", i, got)
						}
					}
				}
			})
		})
	}
}

// TestShutdownOfLayers: all programs of a layer depend on all of the one below, so that there are more ways through them
// than could be gone in a shutdown.
func TestShutdownOfLayers(t *testing.T) {
	const layers, width = 20, 4
	synctest.Test(t, func(t *testing.T) {
		var programs []config.Process
		for layer := range layers {
			for i := range width {
				p := config.Process{Name: fmt.Sprintf("l%02d-%d", layer, i), AutoStart: true}
				for j := range width {
					if below := fmt.Sprintf("l%02d-%d", layer-1, j); layer > 0 {
						p.DependsOn = append(p.DependsOn, config.Dependency{Group: below, Name: below})
					}
				}
				programs = append(programs, p)
			}
		}
		slices.Reverse(programs) // the one below is the first to be told to stop
		l, over := settled(t, programs)
		time.Sleep(layers * 2 * time.Second)
		synctest.Wait()
		if got := states(l.sup)[process.Running]; got != layers*width {
			t.Errorf("%d are up", got)
		}
		l.sup.SetMood(MoodShutdown)
		<-over
	})
}

// TestRemovedInOneTurn: a stop is held until it is settled, which it must be when nobody depends on others any more, too.
func TestRemovedInOneTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, over := settled(t, []config.Process{
			{Name: "a", AutoStart: true},
			{Name: "b", DependsOn: []config.Dependency{{Group: "a", Name: "a"}}},
		})
		time.Sleep(2 * time.Second)
		busy := func() { time.Sleep(time.Second) }
		l.sup.mail.put(busy)
		synctest.Wait()
		go l.sup.StopProcess(t.Context(), "a", false)
		synctest.Wait()
		l.sup.mail.put(busy)
		time.Sleep(1500 * time.Millisecond)
		go l.sup.RemoveGroup(t.Context(), "b") // in one turn with the stop
		time.Sleep(5 * time.Second)
		synctest.Wait()
		info, _ := l.sup.ProcessInfo("a")
		if info.State != process.Stopped {
			t.Fatalf("a is %v %q", info.State, info.Waiting)
		}
		l.sup.SetMood(MoodShutdown)
		<-over
	})
}

// What is active may depend on itself, where definitions of two readings meet; then nobody waits for ever.
func TestCircleOfOldAndNew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lines []string
		l, over := settled(t, []config.Process{
			{Name: "a", AutoStart: true, DependsOn: []config.Dependency{{Group: "b", Name: "b"}}},
			{Name: "b", AutoStart: true, DependsOn: []config.Dependency{{Group: "c", Name: "c"}}},
		})
		l.sup.Log = slog.New(logged(func(text string) { lines = append(lines, text) }))
		l.sup.visit(func() error {
			l.sup.parsed = &config.Config{Groups: []config.Group{{Name: "c", Processes: []config.Process{
				{Name: "c", Group: "c", AutoStart: true, StartSecs: 1, StopSignal: syscall.SIGTERM, StopWaitSecs: 1,
					DependsOn: []config.Dependency{{Group: "a", Name: "a"}}}}}}}
			return nil
		})
		if err := l.sup.AddGroup(t.Context(), "c"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if got := states(l.sup)[process.Running]; got != 3 {
			t.Errorf("%d are up, want 3", got)
		}
		if len(lines) == 0 || !strings.Contains(lines[0], "c -> a -> b -> c") {
			t.Errorf("log: %q", lines)
		}
		l.sup.SetMood(MoodShutdown)
		<-over
	})
}

// logged is a slog.Handler that hands on the text of each record.
type logged func(text string)

func (f logged) Enabled(context.Context, slog.Level) bool { return true }
func (f logged) Handle(_ context.Context, r slog.Record) error {
	f(r.Message)
	return nil
}
func (f logged) WithAttrs([]slog.Attr) slog.Handler { return f }
func (f logged) WithGroup(string) slog.Handler      { return f }

// BenchmarkStatusOfChain: a status of a thousand that wait for each other. The loop stands still meanwhile.
func BenchmarkStatusOfChain(b *testing.B) {
	const n = 1000
	s := New(&config.Config{}, Options{Hands: &land{}})
	for i := range n {
		name := fmt.Sprint("p", i)
		p := config.Process{Name: name, Group: name}
		if i > 0 {
			on := fmt.Sprint("p", i-1)
			p.DependsOn = []config.Dependency{{Group: on, Name: on}}
		}
		g := s.insert(&config.Group{Name: name, Processes: []config.Process{p}})
		if i > 0 {
			g.procs[0].record = process.Record{State: process.Starting, Held: true}
		}
	}
	for b.Loop() {
		now := time.Now()
		for _, g := range s.groups {
			s.info(g.procs[0], now)
		}
	}
}

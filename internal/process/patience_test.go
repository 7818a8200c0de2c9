package process

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A delay has at most a tenth added to it, which is another one for another process and another try.
func TestDelay(t *testing.T) {
	p := Patience{RestartSecs: 2, MaxDelaySecs: 30}
	for n, want := range []time.Duration{2, 2, 4, 8, 16, 30, 30} {
		for spawn := range uint64(20) {
			if got := p.delay("web", spawn, n, 1); got < want*time.Second || got > want*time.Second*11/10 {
				t.Errorf("try %d: %v, want %ds and a bit", n, got, want)
			}
		}
	}
	if got := p.delay("web", 1, math.MaxInt, 1); got > 33*time.Second {
		t.Errorf("after many tries: %v", got)
	}
	if p := (Patience{RestartSecs: 3600}); p.delay("web", 1, math.MaxInt, 1) <= 0 {
		t.Error("without a longest one it overflows")
	}
	if got := (&Patience{RestartSecs: 1, MaxDelaySecs: 7200}).delay("web", 1, 20, 1); got < 2*time.Hour {
		t.Errorf("the longest one is two hours, and it stays at %v", got)
	}
	seen := map[time.Duration]bool{}
	for spawn := range uint64(50) {
		seen[p.delay("web", spawn, 1, 1)] = true
		seen[p.delay("db", spawn, 1, 1)] = true
	}
	if len(seen) < 50 {
		t.Errorf("100 tries have only %d delays", len(seen))
	}
	if got := (&Patience{MaxDelaySecs: 60}).delay("web", 7, 3, 70); got != time.Minute {
		t.Errorf("the original's delays with a longest one: %v", got)
	}
	if got := (&Patience{}).delay("web", 7, 3, 70); got != 70*time.Second {
		t.Errorf("the original's: %v", got)
	}
}

// A day of a program that always fails, and of one that always ends: it is tried for ever, not too often.
func TestPatienceForADay(t *testing.T) {
	for _, c := range []struct {
		name string
		p    *Program
		life time.Duration
		most int
	}{
		{"fails", prog(func(p *Program) { p.StartRetries, p.Patience = -1, Patience{MaxDelaySecs: 60, ResetSecs: 120} }), 0, 24*60 + 70},
		{"fails, doubling", prog(func(p *Program) {
			p.StartRetries, p.Patience = -1, Patience{RestartSecs: 1, MaxDelaySecs: 60, ResetSecs: 120}
		}), 0, 24*60 + 10},
		{"ends", prog(func(p *Program) {
			p.AutoRestart, p.Patience = RestartAlways, Patience{RestartSecs: 1, MaxDelaySecs: 60, ResetSecs: 120}
		}), 2 * time.Second, 24*60 + 10},
		{"ends, stable", prog(func(p *Program) {
			p.AutoRestart, p.Patience = RestartAlways, Patience{RestartSecs: 1, MaxDelaySecs: 60, ResetSecs: 120}
		}), 2 * time.Minute, 24*60/2 + 1},
		{"recovers", prog(func(p *Program) { p.Patience = Patience{FatalRetrySecs: 600} }), 0, 4 * 24 * 6},
		{"is limited", prog(func(p *Program) {
			p.StartSecs, p.AutoRestart, p.Patience = 0, RestartAlways, Patience{LimitBurst: 5, LimitSecs: 10, FatalRetrySecs: 600}
		}), 0, 5 * 24 * 6},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, now, spawns := Record{}, t0, 0
			events := []Event{Start{}}
			for now.Before(t0.Add(24 * time.Hour)) {
				e := events[0]
				events = events[1:]
				var do []Action
				r, do = Step(c.p, r, e, now)
				for _, a := range do {
					if _, ok := a.(SpawnProcess); ok {
						spawns++
						events = append(events, Spawned{spawns})
					}
				}
				switch {
				case len(events) > 0:
				case r.PID != 0 && (r.Deadline.IsZero() || r.Deadline.Sub(r.Started) > c.life):
					now = r.Started.Add(c.life)
					events = append(events, Ended{})
				case !r.Deadline.IsZero():
					now = r.Deadline
					events = append(events, Deadline{})
				default:
					t.Fatalf("it is never tried again: %+v", r)
				}
			}
			if spawns > c.most || spawns < c.most*8/10 {
				t.Errorf("started %d times, want about %d", spawns, c.most)
			}
		})
	}
}

func TestPatience(t *testing.T) {
	limited := prog(func(p *Program) {
		p.StartSecs, p.AutoRestart, p.Patience = 0, RestartAlways, Patience{LimitBurst: 2, LimitSecs: 10, FatalRetrySecs: 60}
	})
	fails := prog(func(p *Program) { p.StartRetries, p.Patience = 0, Patience{FatalRetrySecs: 60} })
	const overLimit = `0s Start: STOPPED→STARTING tries:0 spawn
0s Spawned: “spawned: 'web' with pid 1” STARTING→RUNNING pid:1 “success: web entered RUNNING state, process has stayed up for > than 0 seconds (startsecs)”
0s Ended: “exited: web (exit status 0; expected)” RUNNING→EXITED pid:1 expected EXITED→STARTING tries:0 spawn
0s Spawned: “spawned: 'web' with pid 2” STARTING→RUNNING pid:2 “success: web entered RUNNING state, process has stayed up for > than 0 seconds (startsecs)”
0s Ended: “exited: web (exit status 0; expected)” RUNNING→EXITED pid:2 expected EXITED→FATAL “gave up: web entered FATAL state, it was started 2 times within 10 seconds (startlimitburst)” [1m0s]
`
	const isFatal = `0s Start: STOPPED→STARTING tries:0 spawn
0s SpawnFailed: “spawnerr: x” STARTING→BACKOFF tries:1 BACKOFF→FATAL “gave up: web entered FATAL state, too many start retries too quickly” [1m0s]
`
	for _, c := range []struct{ name, got, want string }{
		{"an operator's start begins a new window", script(limited, Start{}, Spawned{1}, Ended{}, Spawned{2}, Ended{}, 5.0, Start{}, Spawned{3}, Ended{}),
			overLimit + `5s Start: FATAL→STARTING tries:0 spawn
5s Spawned: “spawned: 'web' with pid 3” STARTING→RUNNING pid:3 “success: web entered RUNNING state, process has stayed up for > than 0 seconds (startsecs)”
5s Ended: “exited: web (exit status 0; expected)” RUNNING→EXITED pid:3 expected EXITED→STARTING tries:0 spawn
`},
		{"FATAL is left", script(fails, Start{}, SpawnFailed{"x"}, 60.0, Deadline{}),
			isFatal + `1m0s Deadline: “trying again: web was FATAL for 60 seconds (fatalretrysecs)” FATAL→STARTING tries:0 spawn
`},
		{"a stop calls it off", script(fails, Start{}, SpawnFailed{"x"}, 30.0, Stop{}), isFatal + "30s Stop:\n"},
		{"so does a shutdown", script(fails, Start{}, SpawnFailed{"x"}, 30.0, Freeze{}), isFatal + "30s Freeze:\n"},
	} {
		if diff := cmp.Diff(c.want, c.got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

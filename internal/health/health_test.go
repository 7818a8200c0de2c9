package health

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var t0 = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// script runs events through Step, and renders all that it does, a line an event; a number is the time in
// seconds from the beginning, and a text is what all checks find from then on.
func script(p *Program, steps ...any) string {
	var b strings.Builder
	var r Record
	now, found := t0, ""
	for _, s := range steps {
		switch s := s.(type) {
		case float64:
			until := t0.Add(time.Duration(s * float64(time.Second)))
			for at := r.Deadline(); !at.IsZero() && !at.After(until); at = r.Deadline() {
				now = at
				run(&b, p, &r, Deadline{}, now, found)
			}
			now = until
		case string:
			found = s
		case Event:
			run(&b, p, &r, s, now, found)
		}
	}
	return b.String()
}

func run(b *strings.Builder, p *Program, r *Record, e Event, now time.Time, found string) {
	after, do := Step(p, *r, e, now)
	*r = after
	fmt.Fprintf(b, "%v %s:", now.Sub(t0), strings.TrimPrefix(fmt.Sprintf("%T", e), "health."))
	var probed []Event
	for _, a := range do {
		switch a := a.(type) {
		case Probe:
			probed = append(probed, Probed{Live: a.Live, Err: found, Unmade: found == "no files"})
			b.WriteString(map[bool]string{false: " ready?", true: " alive?"}[a.Live])
		case Changed:
			b.WriteString(map[bool]string{false: " NOT READY", true: " READY"}[a.Ready])
		case Failed:
			fmt.Fprintf(b, " FAILED(start %v: %s)", a.Start, a.Why)
		case Log:
			b.WriteString(" “" + a.Text + "”")
		case Extend:
			fmt.Fprintf(b, " extend to %v", a.Until.Sub(t0))
		}
	}
	b.WriteByte('\n')
	for _, e := range probed {
		run(b, p, r, e, now, found)
	}
}

func TestStep(t *testing.T) {
	check := &Check{Period: 5 * time.Second, SuccessThreshold: 1, FailureThreshold: 2}
	passive := &Check{Passive: true, SuccessThreshold: 1, FailureThreshold: 1}
	status := "warming up"
	for _, tt := range []struct {
		name string
		p    Program
		do   []any
		want string
	}{
		{"ready while running", Program{}, []any{Lives{Starting}, Lives{Running}, Lives{Gone}}, `
0s Lives:
0s Lives:
0s Lives:
`},
		{"checked until ready, and then rarely", Program{Ready: check}, []any{"refused", Lives{Starting}, 1.0, "", 7.0, "refused", 13.0, Lives{Gone}, 60.0}, `
0s Lives: ready?
0s Probed:
100ms Deadline: ready?
100ms Probed:
300ms Deadline: ready?
300ms Probed:
700ms Deadline: ready?
700ms Probed:
1.5s Deadline: ready?
1.5s Probed: “ready: hbo (after 1.5 s)” READY
6.5s Deadline: ready?
6.5s Probed:
11.5s Deadline: ready?
11.5s Probed:
13s Lives: NOT READY
`},
		{"not ready any more, and ready again", Program{Ready: check}, []any{Lives{Starting}, 1.0, "timed out", 10.5, "", 11.0}, `
0s Lives: ready?
0s Probed: “ready: hbo (after 0.0 s)” READY
5s Deadline: ready?
5s Probed:
10s Deadline: ready?
10s Probed: “not ready: hbo (timed out)” NOT READY
10.1s Deadline: ready?
10.1s Probed:
10.3s Deadline: ready?
10.3s Probed:
10.7s Deadline: ready?
10.7s Probed: “ready: hbo (after 0.7 s)” READY
`},
		{"it says so itself", Program{Ready: passive}, []any{Lives{Starting}, Notified{Status: &status}, 2.0, Notified{Ready: true}, Lives{Running},
			3.0, Notified{Reloading: true}, 4.0, Notified{Ready: true}, 5.0, Notified{Stopping: true}, Lives{Gone}, Notified{Ready: true}, Notified{Extend: time.Minute}}, `
0s Lives:
0s Notified:
2s Notified: “ready: hbo (after 2.0 s)” READY
2s Lives:
3s Notified: “not ready: hbo (it says that it is reloading)” NOT READY
4s Notified: “ready: hbo (after 1.0 s)” READY
5s Notified: “not ready: hbo (it says that it is stopping)” NOT READY
5s Lives:
5s Notified:
5s Notified: extend to 1m5s
`},
		{"late", Program{Ready: passive, StartTimeout: 30 * time.Second}, []any{Lives{Starting}, Notified{Extend: 40 * time.Second}, 60.0}, `
0s Lives:
0s Notified:
40s Deadline: FAILED(start true: it was not ready within 40 s (start_timeout_secs))
`},
		{"alive is asked only of what was ready once", Program{Ready: passive, Live: check}, []any{"refused", Lives{Starting}, Lives{Running}, 60.0, Matched{}, 75.0}, `
0s Lives:
0s Lives:
1m0s Matched: “ready: hbo (after 60 s)” READY
1m5s Deadline: alive?
1m5s Probed:
1m10s Deadline: alive?
1m10s Probed: FAILED(start false: its liveness check has failed 2 times: refused)
`},
		{"what could not be checked is no failure", Program{Live: check}, []any{"no files", Lives{Running}, 12.0, "refused", 16.0}, `
0s Lives:
5s Deadline: alive?
5s Probed:
10s Deadline: alive?
10s Probed:
15s Deadline: alive?
15s Probed:
`},
		{"and never while what it depends on is down", Program{Live: check}, []any{"refused", Lives{Starting}, Lives{Running}, 6.0, Block{true}, 60.0, Block{false}, 66.0, Block{true}}, `
0s Lives:
0s Lives:
5s Deadline: alive?
5s Probed:
6s Block:
1m0s Block:
1m5s Deadline: alive?
1m5s Probed:
1m6s Block:
`},
		{"watchdog", Program{Watchdog: 10 * time.Second}, []any{Lives{Starting}, Notified{Watchdog: true}, 5.0, Lives{Running}, 14.0, Notified{Watchdog: true}, 60.0}, `
0s Lives:
0s Notified:
5s Lives:
14s Notified:
24s Deadline: FAILED(start false: it has not said WATCHDOG=1 for 10 s (watchdog_secs))
`},
		{"it asks for its end", Program{Watchdog: 10 * time.Second}, []any{Lives{Running}, Notified{Trigger: true}, 60.0}, `
0s Lives:
0s Notified: FAILED(start false: it asks for it (WATCHDOG=trigger))
`},
		{"taken over", Program{Ready: passive, Live: check}, []any{Resume{Kept{Ready: true, Once: true, Said: Said{Ready: true}}, Running}, 6.0}, `
0s Resume:
5s Deadline: alive?
5s Probed:
`},
	} {
		tt.p.Name = "hbo" // whose part of a period is all of it
		if diff := cmp.Diff(strings.TrimPrefix(tt.want, "\n"), script(&tt.p, tt.do...)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// What a check of an earlier life finds counts for none, and there are never two at a time.
func TestStaleProbe(t *testing.T) {
	p := &Program{Ready: &Check{Period: time.Second, SuccessThreshold: 1, FailureThreshold: 1}}
	var r Record
	probes := 0
	for i, e := range []Event{Lives{Starting}, Lives{Gone}, Lives{Starting}, Probed{}, Probed{Err: "x"}} {
		var do []Action
		r, do = Step(p, r, e, t0)
		for _, a := range do {
			if _, ok := a.(Probe); ok {
				probes++
			}
		}
		if r.Ready {
			t.Errorf("step %d: ready", i)
		}
	}
	if probes != 2 {
		t.Errorf("%d probes, want 2", probes)
	}
}

// FuzzStep: whatever comes, at most one check of a kind is under way; what is said of readiness alternates; nobody
// is taken for dead who was never ready, who is blocked or who is gone; and no deadline stands still.
func FuzzStep(f *testing.F) {
	f.Add([]byte{1, 1, 0, 0x10, 1, 0x11, 2, 8, 3, 8, 0x30})
	f.Add([]byte{7, 3, 0, 0x10, 4, 8, 8, 8, 5, 0x15, 8})
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) < 2 {
			return
		}
		p := &Program{Name: "x"}
		if data[0]&1 != 0 {
			p.Ready = &Check{Passive: data[0]&2 != 0, InitialDelay: time.Duration(data[0]>>4) * time.Second, Period: time.Second * time.Duration(1+data[1]&7),
				SuccessThreshold: 1 + int(data[1]>>6), FailureThreshold: 1 + int(data[1]>>4&3)}
		}
		if data[0]&4 != 0 {
			p.Live = &Check{Period: time.Second * time.Duration(1+data[1]&7), SuccessThreshold: 1, FailureThreshold: 1 + int(data[1]>>4&3)}
		}
		if data[0]&8 != 0 {
			p.Watchdog, p.StartTimeout = 5*time.Second, time.Duration(data[1])*time.Second
		}
		var r Record
		now, ready := t0, false
		underWay := map[bool]bool{}
		for _, b := range data[2:] {
			arg := b >> 4
			var e Event
			switch b & 15 {
			case 0:
				e = Lives{Life(arg % 3)}
			case 1, 2:
				live := b&15 == 2
				if !underWay[live] {
					continue
				}
				underWay[live] = false
				e = Probed{Live: live, Err: []string{"", "x"}[arg&1], Unmade: arg > 12}
			case 3:
				e = Notified{Ready: arg&1 != 0, Reloading: arg&2 != 0, Stopping: arg&4 != 0, Watchdog: arg&8 != 0}
			case 4:
				e = Notified{Trigger: arg&1 != 0, Extend: time.Duration(arg) * time.Second, MainPID: int(arg)}
			case 5:
				e = Block{arg&1 != 0}
			case 6:
				e = Matched{}
			case 7:
				r.ready.underWay, r.live.underWay = false, false // a new daemon has none
				underWay = map[bool]bool{}
				e = Resume{r.Kept, r.Life}
			default:
				at := r.Deadline()
				if at.IsZero() || arg < 4 {
					now = now.Add(time.Duration(arg) * 200 * time.Millisecond)
				} else if at.After(now) {
					now = at
				}
				e = Deadline{}
			}
			before := r
			var do []Action
			r, do = Step(p, r, e, now)
			for _, a := range do {
				switch a := a.(type) {
				case Probe:
					if underWay[a.Live] || r.Life == Gone {
						t.Fatalf("%#v in %+v: a check too many", e, before)
					}
					underWay[a.Live] = true
				case Changed:
					if a.Ready == ready {
						t.Fatalf("%#v in %+v: said twice", e, before)
					}
					ready = a.Ready
				case Failed:
					if r.Life == Gone || !a.Start && (!r.Once || r.Blocked) || a.Start && r.Once {
						t.Fatalf("%#v in %+v: failed, start %v", e, before, a.Start)
					}
				}
			}
			if r.Ready != ready || r.Ready && r.Life == Gone {
				t.Fatalf("%#v in %+v: ready %v", e, before, r.Ready)
			}
			if at := r.Deadline(); !at.IsZero() && !at.After(now) {
				t.Fatalf("%#v in %+v: the deadline has passed: %v", e, before, now.Sub(at))
			}
			if r.Life == Gone && !r.Deadline().IsZero() {
				t.Fatalf("%#v in %+v: a deadline of nobody", e, before)
			}
		}
	})
}

// A daemon that has died between a new start and the word that the life before was over has left this.
func TestWhatIsNotForkedIsNotReady(t *testing.T) {
	p := Program{Ready: &Check{Passive: true}}
	left := Kept{Ready: true, Once: true, Said: Said{Ready: true, MainPID: 7}}
	r, do := Step(&p, Record{}, Resume{left, Gone}, t0)
	if r.IsReady(&p) || r.Once || r.Said.Ready || len(do) > 0 {
		t.Errorf("got %+v, %v", r, do)
	}
	if r.MainPID != 7 {
		t.Error("a stop_command that goes on has another MAINPID")
	}
}

// Programs that were ready at the same moment, or were taken over together, are not checked at the same moment.
func TestChecksAreSpread(t *testing.T) {
	for _, events := range [][]Event{{Lives{Starting}, Probed{}}, {Resume{Kept{Ready: true, Once: true}, Running}}} {
		at := make(map[time.Time]bool)
		for i := range 100 {
			p := &Program{Name: fmt.Sprint("p", i), Ready: &Check{Period: 10 * time.Second, SuccessThreshold: 1, FailureThreshold: 3}}
			var r Record
			for _, e := range events {
				r, _ = Step(p, r, e, t0)
			}
			next := r.Deadline()
			if d := next.Sub(t0); d < 5*time.Second || d > 10*time.Second {
				t.Errorf("%s after %T: the next check is after %v", p.Name, events[0], d)
			}
			at[next] = true
		}
		if len(at) < 80 {
			t.Errorf("after %T: only %d moments for 100 checks", events[0], len(at))
		}
	}
}

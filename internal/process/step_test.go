package process

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast/internal/dlog"
)

var t0 = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func at(secs float64) time.Time { return t0.Add(time.Duration(secs * float64(time.Second))) }

// prog is the manual's default program.
func prog(change ...func(*Program)) *Program {
	p := &Program{Name: "web", AutoRestart: RestartUnexpected, StartSecs: 1, StartRetries: 3,
		ExitCodes: []int{0}, StopSignal: syscall.SIGTERM, StopWaitSecs: 10}
	for _, f := range change {
		f(p)
	}
	return p
}

// script runs events through Step, and renders all that it does, a line an event.
func script(p *Program, steps ...any) string {
	var b strings.Builder
	var r Record
	now := t0
	for _, s := range steps {
		switch s := s.(type) {
		case float64:
			now = at(s)
			continue
		case Event:
			var do []Action
			r, do = Step(p, r, s, now)
			fmt.Fprintf(&b, "%v %s:", now.Sub(t0), strings.TrimPrefix(fmt.Sprintf("%T", s), "process."))
			for _, a := range do {
				b.WriteString(" " + show(a))
			}
			if !r.Deadline.IsZero() {
				fmt.Fprintf(&b, " [%v]", r.Deadline.Sub(t0))
			}
			b.WriteByte('\n')
		}
	}
	return b.String()
}

func show(a Action) string {
	switch a := a.(type) {
	case SpawnProcess:
		return "spawn"
	case RunStopCommand:
		return "run stop_command"
	case EndSupervisor:
		return fmt.Sprintf("end:%d", a.Code)
	case CancelSpawn:
		return "cancel"
	case Kill:
		if a.Group {
			return "kill group " + SignalName(a.Signal)
		}
		return "kill " + SignalName(a.Signal)
	case Log:
		return "“" + a.Text + "”"
	case Changed:
		s := a.From.String() + "→" + a.To.String()
		if a.To == Starting || a.To == Backoff {
			s += fmt.Sprintf(" tries:%d", a.Tries)
		} else if a.PID != 0 {
			s += fmt.Sprintf(" pid:%d", a.PID)
		}
		if a.Expected {
			s += " expected"
		}
		return s
	}
	return fmt.Sprintf("%T", a)
}

func code(c int) Ended                { return Ended{Status: ExitStatus{Code: c}} }
func killedBy(s syscall.Signal) Ended { return Ended{Status: ExitStatus{Signal: s}} }

func TestStep(t *testing.T) {
	for _, tc := range []struct {
		rule  string
		prog  *Program
		steps []any
		want  string
	}{
		{"a start that stays up for startsecs is RUNNING", prog(),
			[]any{Start{}, 0.1, Spawned{42}, 1.1, Deadline{}}, `
0s Start: STOPPED→STARTING tries:0 spawn
100ms Spawned: “spawned: 'web' with pid 42” [1.1s]
1.1s Deadline: STARTING→RUNNING pid:42 “success: web entered RUNNING state, process has stayed up for > than 1 seconds (startsecs)”
`},
		{"startsecs=0 is RUNNING at once, and an early exit is an exit", prog(func(p *Program) { p.StartSecs = 0 }),
			[]any{Start{}, Spawned{42}, code(0)}, `
0s Start: STOPPED→STARTING tries:0 spawn
0s Spawned: “spawned: 'web' with pid 42” STARTING→RUNNING pid:42 “success: web entered RUNNING state, process has stayed up for > than 0 seconds (startsecs)”
0s Ended: “exited: web (exit status 0; expected)” RUNNING→EXITED pid:42 expected
`},
		{"a too quick exit is a failure even with an expected code; waits grow by a second; startretries+1 tries", prog(func(p *Program) { p.StartRetries = 1 }),
			[]any{Start{}, Spawned{42}, 0.5, code(0), 1.5, Deadline{}, Spawned{43}, 1.6, code(1)}, `
0s Start: STOPPED→STARTING tries:0 spawn
0s Spawned: “spawned: 'web' with pid 42” [1s]
500ms Ended: “exited: web (exit status 0; not expected)” STARTING→BACKOFF tries:1 [1.5s]
1.5s Deadline: BACKOFF→STARTING tries:1 spawn
1.5s Spawned: “spawned: 'web' with pid 43” [2.5s]
1.6s Ended: “exited: web (exit status 1; not expected)” STARTING→BACKOFF tries:2 BACKOFF→FATAL “gave up: web entered FATAL state, too many start retries too quickly”
`},
		{"a log that takes its time with the last words makes no success of a too quick exit", prog(func(p *Program) { p.StartRetries = 0 }),
			[]any{Start{}, Spawned{42}, 0.5, Reaped{}, 1.5, code(0)}, `
0s Start: STOPPED→STARTING tries:0 spawn
0s Spawned: “spawned: 'web' with pid 42” [1s]
500ms Reaped:
1.5s Ended: “exited: web (exit status 0; not expected)” STARTING→BACKOFF tries:1 BACKOFF→FATAL “gave up: web entered FATAL state, too many start retries too quickly”
`},
		{"a spawn error counts as a failed start", prog(func(p *Program) { p.StartRetries = 0 }),
			[]any{Start{}, SpawnFailed{"can't find command 'x'"}}, `
0s Start: STOPPED→STARTING tries:0 spawn
0s SpawnFailed: “spawnerr: can't find command 'x'” STARTING→BACKOFF tries:1 BACKOFF→FATAL “gave up: web entered FATAL state, too many start retries too quickly”
`},
		{"an unexpected exit is restarted at once, with no delay", prog(),
			[]any{Start{}, Spawned{42}, 1.0, Deadline{}, 9.0, killedBy(9)}, `
0s Start: STOPPED→STARTING tries:0 spawn
0s Spawned: “spawned: 'web' with pid 42” [1s]
1s Deadline: STARTING→RUNNING pid:42 “success: web entered RUNNING state, process has stayed up for > than 1 seconds (startsecs)”
9s Ended: “exited: web (terminated by SIGKILL; not expected)” RUNNING→EXITED pid:42 EXITED→STARTING tries:0 spawn
`},
		{"an exit at the very end of startsecs goes through RUNNING without a success line", prog(func(p *Program) { p.AutoRestart = RestartNever }),
			[]any{Start{}, Spawned{42}, 1.0, code(3)}, `
0s Start: STOPPED→STARTING tries:0 spawn
0s Spawned: “spawned: 'web' with pid 42” [1s]
1s Ended: STARTING→RUNNING pid:42 “exited: web (exit status 3; not expected)” RUNNING→EXITED pid:42
`},
		{"an expected exit with autorestart=unexpected stays EXITED; with true it is restarted", prog(func(p *Program) { p.AutoRestart, p.StartSecs = RestartAlways, 0 }),
			[]any{Start{}, Spawned{42}, code(0)}, `
0s Start: STOPPED→STARTING tries:0 spawn
0s Spawned: “spawned: 'web' with pid 42” STARTING→RUNNING pid:42 “success: web entered RUNNING state, process has stayed up for > than 0 seconds (startsecs)”
0s Ended: “exited: web (exit status 0; expected)” RUNNING→EXITED pid:42 expected EXITED→STARTING tries:0 spawn
`},
		{"a stop sends stopsignal, SIGKILL after stopwaitsecs, and again as long as it takes", prog(),
			[]any{Start{}, Spawned{42}, 1.0, Deadline{}, 2.0, Stop{}, 12.0, Deadline{}, 22.0, Deadline{}, killedBy(9)}, `
0s Start: STOPPED→STARTING tries:0 spawn
0s Spawned: “spawned: 'web' with pid 42” [1s]
1s Deadline: STARTING→RUNNING pid:42 “success: web entered RUNNING state, process has stayed up for > than 1 seconds (startsecs)”
2s Stop: RUNNING→STOPPING pid:42 “killing web (pid 42) with signal SIGTERM” kill SIGTERM [12s]
12s Deadline: “killing 'web' (42) with SIGKILL” “killing web (pid 42) with signal SIGKILL” kill SIGKILL [22s]
22s Deadline: “killing 'web' (42) with SIGKILL” “killing web (pid 42) with signal SIGKILL” kill SIGKILL [32s]
22s Ended: “stopped: web (terminated by SIGKILL)” STOPPING→STOPPED pid:42
`},
		{"stopwaitsecs=0 kills at once, then once a second", prog(func(p *Program) { p.StopWaitSecs = 0 }),
			[]any{Start{}, Spawned{42}, Stop{}, Deadline{}}, `
0s Start: STOPPED→STARTING tries:0 spawn
0s Spawned: “spawned: 'web' with pid 42” [1s]
0s Stop: STARTING→STOPPING pid:42 “killing web (pid 42) with signal SIGTERM” kill SIGTERM [0s]
0s Deadline: “killing 'web' (42) with SIGKILL” “killing web (pid 42) with signal SIGKILL” kill SIGKILL [1s]
`},
		{"with stopasgroup a stop ends when the group is empty, not when the leader dies", prog(func(p *Program) { p.StopAsGroup, p.KillAsGroup, p.StartSecs = true, true, 0 }),
			[]any{Start{}, Spawned{42}, Stop{}, Ended{Status: ExitStatus{Signal: 3}, GroupAlive: true},
				10.0, Deadline{}, 10.1, GroupGone{}}, `
0s Start: STOPPED→STARTING tries:0 spawn
0s Spawned: “spawned: 'web' with pid 42” STARTING→RUNNING pid:42 “success: web entered RUNNING state, process has stayed up for > than 0 seconds (startsecs)”
0s Stop: RUNNING→STOPPING pid:42 “killing web (pid 42) process group with signal SIGTERM” kill group SIGTERM [10s]
0s Ended: “waiting for the process group of web to end (terminated by SIGQUIT)” [10s]
10s Deadline: “killing 'web' (42) with SIGKILL” “killing web (pid 42) process group with signal SIGKILL” kill group SIGKILL [20s]
10.1s GroupGone: “stopped: web (terminated by SIGQUIT)” STOPPING→STOPPED pid:42
`},
		{"without it the stop ends with the leader", prog(func(p *Program) { p.StartSecs = 0 }),
			[]any{Start{}, Spawned{42}, Stop{}, Ended{Status: ExitStatus{Code: 0}, GroupAlive: true}}, `
0s Start: STOPPED→STARTING tries:0 spawn
0s Spawned: “spawned: 'web' with pid 42” STARTING→RUNNING pid:42 “success: web entered RUNNING state, process has stayed up for > than 0 seconds (startsecs)”
0s Stop: RUNNING→STOPPING pid:42 “killing web (pid 42) with signal SIGTERM” kill SIGTERM [10s]
0s Ended: “stopped: web (exit status 0)” STOPPING→STOPPED pid:42
`},
		{"a stop during BACKOFF stops at once and forgets the failures", prog(),
			[]any{Start{}, SpawnFailed{"x"}, 0.5, Stop{}, Start{}}, `
0s Start: STOPPED→STARTING tries:0 spawn
0s SpawnFailed: “spawnerr: x” STARTING→BACKOFF tries:1 [1s]
500ms Stop: “Attempted to kill web, which is in BACKOFF state.” BACKOFF→STOPPED
500ms Start: STOPPED→STARTING tries:0 spawn
`},
		{"the stop of a shutdown turns BACKOFF into FATAL", prog(),
			[]any{Start{}, SpawnFailed{"x"}, Freeze{}, Stop{Final: true}}, `
0s Start: STOPPED→STARTING tries:0 spawn
0s SpawnFailed: “spawnerr: x” STARTING→BACKOFF tries:1 [1s]
0s Freeze:
0s Stop: BACKOFF→FATAL
`},
		{"a stop before the fork's answer cancels the spawn", prog(),
			[]any{Start{}, Stop{}, SpawnFailed{"cancelled"}}, `
0s Start: STOPPED→STARTING tries:0 spawn
0s Stop: STARTING→STOPPING cancel
0s SpawnFailed: STOPPING→STOPPED
`},
		{"and where the fork was quicker, the child gets the stop signal", prog(),
			[]any{Start{}, Stop{}, 0.1, Spawned{42}, killedBy(15)}, `
0s Start: STOPPED→STARTING tries:0 spawn
0s Stop: STARTING→STOPPING cancel
100ms Spawned: “spawned: 'web' with pid 42” “killing web (pid 42) with signal SIGTERM” kill SIGTERM [10.1s]
100ms Ended: “stopped: web (terminated by SIGTERM)” STOPPING→STOPPED pid:42
`},
		{"a start during STOPPING is refused in the log", prog(),
			[]any{Start{}, Spawned{42}, Stop{}, Start{}}, `
0s Start: STOPPED→STARTING tries:0 spawn
0s Spawned: “spawned: 'web' with pid 42” [1s]
0s Stop: STARTING→STOPPING pid:42 “killing web (pid 42) with signal SIGTERM” kill SIGTERM [10s]
0s Start: “process 'web' already running” [10s]
`},
		{"nothing is restarted once the daemon goes down", prog(func(p *Program) { p.AutoRestart = RestartAlways }),
			[]any{Start{}, Spawned{42}, 1.0, Deadline{}, Freeze{}, code(1)}, `
0s Start: STOPPED→STARTING tries:0 spawn
0s Spawned: “spawned: 'web' with pid 42” [1s]
1s Deadline: STARTING→RUNNING pid:42 “success: web entered RUNNING state, process has stayed up for > than 1 seconds (startsecs)”
1s Freeze:
1s Ended: “exited: web (exit status 1; not expected)” RUNNING→EXITED pid:42
`},
		{"a program that ends at once all the time is started again at once five times, then once a second", prog(func(p *Program) { p.StartSecs, p.AutoRestart = 0, RestartAlways }),
			[]any{Start{}, Spawned{1}, code(0), Spawned{2}, code(0), Spawned{3}, code(0), Spawned{4}, code(0), Spawned{5}, code(0), Spawned{6}, 0.2, code(0),
				1.0, Deadline{}, Spawned{7}, 1.1, code(0), 1.5, Stop{}}, `
0s Start: STOPPED→STARTING tries:0 spawn
0s Spawned: “spawned: 'web' with pid 1” STARTING→RUNNING pid:1 “success: web entered RUNNING state, process has stayed up for > than 0 seconds (startsecs)”
0s Ended: “exited: web (exit status 0; expected)” RUNNING→EXITED pid:1 expected EXITED→STARTING tries:0 spawn
0s Spawned: “spawned: 'web' with pid 2” STARTING→RUNNING pid:2 “success: web entered RUNNING state, process has stayed up for > than 0 seconds (startsecs)”
0s Ended: “exited: web (exit status 0; expected)” RUNNING→EXITED pid:2 expected EXITED→STARTING tries:0 spawn
0s Spawned: “spawned: 'web' with pid 3” STARTING→RUNNING pid:3 “success: web entered RUNNING state, process has stayed up for > than 0 seconds (startsecs)”
0s Ended: “exited: web (exit status 0; expected)” RUNNING→EXITED pid:3 expected EXITED→STARTING tries:0 spawn
0s Spawned: “spawned: 'web' with pid 4” STARTING→RUNNING pid:4 “success: web entered RUNNING state, process has stayed up for > than 0 seconds (startsecs)”
0s Ended: “exited: web (exit status 0; expected)” RUNNING→EXITED pid:4 expected EXITED→STARTING tries:0 spawn
0s Spawned: “spawned: 'web' with pid 5” STARTING→RUNNING pid:5 “success: web entered RUNNING state, process has stayed up for > than 0 seconds (startsecs)”
0s Ended: “exited: web (exit status 0; expected)” RUNNING→EXITED pid:5 expected EXITED→STARTING tries:0 spawn
0s Spawned: “spawned: 'web' with pid 6” STARTING→RUNNING pid:6 “success: web entered RUNNING state, process has stayed up for > than 0 seconds (startsecs)”
200ms Ended: “exited: web (exit status 0; expected)” RUNNING→EXITED pid:6 expected [1s]
1s Deadline: EXITED→STARTING tries:0 spawn
1s Spawned: “spawned: 'web' with pid 7” STARTING→RUNNING pid:7 “success: web entered RUNNING state, process has stayed up for > than 0 seconds (startsecs)”
1.1s Ended: “exited: web (exit status 0; expected)” RUNNING→EXITED pid:7 expected [2s]
1.5s Stop:
`},
		{"a signal that can't be sent makes the state UNKNOWN; the exit is still noticed", prog(),
			[]any{Start{}, Spawned{42}, Stop{}, SignalFailed{15, "EPERM"}, code(0)}, `
0s Start: STOPPED→STARTING tries:0 spawn
0s Spawned: “spawned: 'web' with pid 42” [1s]
0s Stop: STARTING→STOPPING pid:42 “killing web (pid 42) with signal SIGTERM” kill SIGTERM [10s]
0s SignalFailed: “unknown problem killing web (42):SIGTERM: EPERM” STOPPING→UNKNOWN pid:42
0s Ended: “stopped: web (exit status 0)” UNKNOWN→STOPPED pid:42
`},
	} {
		t.Run(tc.rule, func(t *testing.T) {
			if diff := cmp.Diff(strings.TrimPrefix(tc.want, "\n"), script(tc.prog, tc.steps...)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestExitCode(t *testing.T) {
	for _, tc := range []struct {
		rule string
		exit *ExitStatus
		want int
	}{
		{"never ended", nil, 0},
		{"by itself", &ExitStatus{Code: 3}, 3},
		{"by a signal", &ExitStatus{Signal: 9}, -1},
	} {
		r := Record{Exit: tc.exit}
		if got := r.ExitCode(); got != tc.want {
			t.Errorf("%s: got %d, want %d", tc.rule, got, tc.want)
		}
	}
}

// TestExpectsIsComplete walks every pair of a reachable kind of record and an event: what is not
// expected changes nothing and says so.
func TestExpectsIsComplete(t *testing.T) {
	status := &ExitStatus{}
	records := map[string]Record{
		"STOPPED":                     {},
		"STARTING, fork not answered": {State: Starting},
		"STARTING":                    {State: Starting, PID: 9, Deadline: t0},
		"STARTING, held":              {State: Starting, Held: true},
		"STOPPING, held":              {State: Stopping, PID: 9, Killing: true, Held: true},
		"STOPPING, by a command":      {State: Stopping, PID: 9, Killing: true, Commanded: true, Deadline: t0},
		"RUNNING":                     {State: Running, PID: 9},
		"BACKOFF":                     {State: Backoff, Retries: 1, Deadline: t0},
		"BACKOFF, frozen":             {State: Backoff, Retries: 1, Frozen: true},
		"STOPPING, fork not answered": {State: Stopping, Killing: true},
		"STOPPING":                    {State: Stopping, PID: 9, Killing: true, Deadline: t0},
		"STOPPING, leader gone":       {State: Stopping, PID: 9, Killing: true, LeaderGone: true, Exit: status, Deadline: t0},
		"EXITED":                      {State: Exited, Exit: status},
		"EXITED, to be started again": {State: Exited, Exit: status, Deadline: t0},
		"FATAL":                       {State: Fatal},
		"UNKNOWN":                     {State: Unknown, PID: 9},
	}
	facts := map[string]Event{
		"Spawned": Spawned{9}, "SpawnFailed": SpawnFailed{"x"}, "Reaped": Reaped{}, "Ended": code(0),
		"GroupGone": GroupGone{}, "SignalFailed": SignalFailed{}, "Deadline": Deadline{},
		"Release": Release{}, "StopCommandDone": StopCommandDone{},
	}
	expected := map[string]string{
		"STOPPED":                     "",
		"STARTING, fork not answered": "Spawned SpawnFailed",
		"STARTING":                    "Reaped Ended SignalFailed Deadline",
		"STARTING, held":              "Release",
		"STOPPING, held":              "Reaped Ended SignalFailed Release",
		"STOPPING, by a command":      "Reaped Ended SignalFailed Deadline StopCommandDone",
		"RUNNING":                     "Reaped Ended SignalFailed",
		"BACKOFF":                     "Deadline",
		"BACKOFF, frozen":             "",
		"STOPPING, fork not answered": "Spawned SpawnFailed",
		"STOPPING":                    "Reaped Ended SignalFailed Deadline",
		"STOPPING, leader gone":       "GroupGone SignalFailed Deadline",
		"EXITED":                      "",
		"EXITED, to be started again": "Deadline",
		"FATAL":                       "",
		"UNKNOWN":                     "Reaped Ended SignalFailed",
	}
	for in, r := range records {
		want, ok := expected[in]
		if !ok {
			t.Fatalf("no row for %s", in)
		}
		for name, e := range facts {
			if got, want := Expects(&r, e), strings.Contains(" "+want+" ", " "+name+" "); got != want {
				t.Errorf("%s in %s: expected %v, want %v", name, in, got, want)
			}
			got, do := Step(prog(), r, e, t0)
			if Expects(&r, e) {
				continue
			}
			if diff := cmp.Diff(r, got); diff != "" {
				t.Errorf("%s in %s changed the record: %s", name, in, diff)
			}
			if len(do) != 1 || !strings.HasPrefix(do[0].(Log).Text, "internal error: web: ") {
				t.Errorf("%s in %s: got %v, want one log line", name, in, do)
			}
		}
	}
}

func TestStatusText(t *testing.T) {
	for want, s := range map[string]ExitStatus{
		"exit status 3":                       {Code: 3},
		"terminated by SIGKILL":               {Signal: 9},
		"terminated by SIGQUIT (core dumped)": {Signal: 3, Core: true},
		"terminated by signal 40":             {Signal: 40},
	} {
		if got := s.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func BenchmarkStep(b *testing.B) {
	p := prog(func(p *Program) { p.AutoRestart = RestartAlways })
	var r Record
	for b.Loop() {
		for _, e := range []Event{Start{}, Spawned{42}, Deadline{}, Stop{}, killedBy(9)} {
			r, _ = Step(p, r, e, t0)
		}
	}
}

// Which ends of a process are the supervisor's, and with what code.
func TestEndSupervisor(t *testing.T) {
	exits := func(s ExitStatus) []any { return []any{Start{}, Spawned{1}, 5.0, Deadline{}, Ended{Status: s}} }
	fails := func(s ExitStatus) []any { return []any{Start{}, Spawned{1}, Ended{Status: s}} }
	for _, tt := range []struct {
		name  string
		steps []any
		want  [4]string // with EndsNever, EndsFatal, EndsFailed, EndsExited
	}{
		{"an expected exit", exits(ExitStatus{}), [4]string{"", "", "", "end:0"}},
		{"an unexpected exit", exits(ExitStatus{Code: 3}), [4]string{"", "", "end:3", "end:3"}},
		{"a signal", exits(ExitStatus{Signal: syscall.SIGSEGV}), [4]string{"", "", "end:139", "end:139"}},
		{"an end that nobody saw", exits(ExitStatus{Unknown: true}), [4]string{"", "", "end:1", "end:1"}},
		{"the last failed start", fails(ExitStatus{Code: 4}), [4]string{"", "end:4", "end:4", "end:4"}},
		{"no command", []any{Start{}, SpawnFailed{"x"}}, [4]string{"", "end:1", "end:1", "end:1"}},
		{"not alive, and it exits as if all were well", []any{Start{}, Spawned{1}, 5.0, Deadline{}, Unhealthy{NotAlive, "x"}, Ended{}}, [4]string{"", "", "end:1", "end:1"}},
		{"not alive, and it says why", []any{Start{}, Spawned{1}, 5.0, Deadline{}, Unhealthy{NotAlive, "x"}, Ended{Status: ExitStatus{Code: 3}}}, [4]string{"", "", "end:3", "end:3"}},
		{"not ready in time", []any{Start{}, Spawned{1}, 5.0, Deadline{}, Unhealthy{NotReady, "x"}, Ended{}}, [4]string{"", "end:1", "end:1", "end:1"}},
		{"a stop", []any{Start{}, Spawned{1}, 5.0, Deadline{}, Stop{}, Ended{}}, [4]string{}},
		{"a shutdown", append([]any{Freeze{}}, exits(ExitStatus{Code: 3})...), [4]string{}},
	} {
		for when, want := range tt.want {
			p := prog(func(p *Program) { p.StartRetries, p.EndsWhen, p.AutoRestart = 0, EndsWhen(when), RestartAlways })
			got := script(p, tt.steps...)
			if has := strings.Contains(got, "end:"); has != (want != "") || !strings.Contains(got, want) {
				t.Errorf("%s, EndsWhen %d: want %q:\n%s", tt.name, when, want, got)
			}
			if want != "" && (!strings.HasSuffix(got, want+"\n") || strings.Count(got, "spawn") > 2) {
				t.Errorf("%s, EndsWhen %d: it is not the last action, or it is started again:\n%s", tt.name, when, got)
			}
		}
	}
}

func TestStopSignals(t *testing.T) {
	p := prog(func(p *Program) {
		p.StopWaitSecs, p.StopMore = 60, []StopStep{{syscall.SIGINT, 5}, {syscall.SIGQUIT, 3}}
		p.StopAsGroup, p.KillAsGroup = true, true
	})
	got := script(p, Start{}, Spawned{1}, 5.0, Deadline{}, 10.0, Stop{}, 70.0, Deadline{}, 75.0, Deadline{}, 78.0, Deadline{}, 138.0, Deadline{}, Ended{})
	_, got, _ = strings.Cut(got, "10s ")
	const want = `Stop: RUNNING→STOPPING pid:1 “killing web (pid 1) process group with signal SIGTERM” kill group SIGTERM [1m10s]
1m10s Deadline: “killing 'web' (1) with SIGINT” “killing web (pid 1) process group with signal SIGINT” kill group SIGINT [1m15s]
1m15s Deadline: “killing 'web' (1) with SIGQUIT” “killing web (pid 1) process group with signal SIGQUIT” kill group SIGQUIT [1m18s]
1m18s Deadline: “killing 'web' (1) with SIGKILL” “killing web (pid 1) process group with signal SIGKILL” kill group SIGKILL [2m18s]
2m18s Deadline: “killing 'web' (1) with SIGKILL” “killing web (pid 1) process group with signal SIGKILL” kill group SIGKILL [3m18s]
2m18s Ended: “stopped: web (exit status 0)” STOPPING→STOPPED pid:1
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestHeld(t *testing.T) {
	gated := prog(func(p *Program) { p.Gated = true })
	for _, tt := range []struct {
		name string
		p    *Program
		do   []any
		want string
	}{
		{"a start waits", gated, []any{Start{}, 60.0, Release{}, Spawned{7}, 61.0, Deadline{}}, `
0s Start: STOPPED→STARTING tries:0
1m0s Release: spawn
1m0s Spawned: “spawned: 'web' with pid 7” [1m1s]
1m1s Deadline: STARTING→RUNNING pid:7 “success: web entered RUNNING state, process has stayed up for > than 1 seconds (startsecs)”
`},
		{"its stop is none", gated, []any{Start{}, Stop{}}, `
0s Start: STOPPED→STARTING tries:0
0s Stop: STARTING→STOPPING STOPPING→STOPPED
`},
		{"a failed start waits too, and loses no retry by it", gated, []any{Start{}, Release{}, SpawnFailed{"x"}, 1.0, Deadline{}, 3600.0, Release{}, SpawnFailed{"x"}}, `
0s Start: STOPPED→STARTING tries:0
0s Release: spawn
0s SpawnFailed: “spawnerr: x” STARTING→BACKOFF tries:1 [1s]
1s Deadline: BACKOFF→STARTING tries:1
1h0m0s Release: spawn
1h0m0s SpawnFailed: “spawnerr: x” STARTING→BACKOFF tries:2 [1h0m2s]
`},
		{"a stop waits", prog(), []any{Start{}, Spawned{7}, 1.0, Deadline{}, Stop{Held: true}, 60.0, Release{}, Ended{}}, `
0s Start: STOPPED→STARTING tries:0 spawn
0s Spawned: “spawned: 'web' with pid 7” [1s]
1s Deadline: STARTING→RUNNING pid:7 “success: web entered RUNNING state, process has stayed up for > than 1 seconds (startsecs)”
1s Stop: RUNNING→STOPPING pid:7
1m0s Release: “killing web (pid 7) with signal SIGTERM” kill SIGTERM [1m10s]
1m0s Ended: “stopped: web (exit status 0)” STOPPING→STOPPED pid:7
`},
		{"and starts again", gated, []any{Start{}, Release{}, Spawned{7}, Stop{Again: true}, Ended{}}, `
0s Start: STOPPED→STARTING tries:0
0s Release: spawn
0s Spawned: “spawned: 'web' with pid 7” [1s]
0s Stop: STARTING→STOPPING pid:7 “killing web (pid 7) with signal SIGTERM” kill SIGTERM [10s]
0s Ended: “stopped: web (exit status 0)” STOPPING→STOPPED pid:7 STOPPED→STARTING tries:0
`},
		{"unless somebody stops it meanwhile", gated, []any{Start{}, Release{}, Spawned{7}, Stop{Again: true}, Stop{}, Ended{}}, `
0s Start: STOPPED→STARTING tries:0
0s Release: spawn
0s Spawned: “spawned: 'web' with pid 7” [1s]
0s Stop: STARTING→STOPPING pid:7 “killing web (pid 7) with signal SIGTERM” kill SIGTERM [10s]
0s Stop: [10s]
0s Ended: “stopped: web (exit status 0)” STOPPING→STOPPED pid:7
`},
	} {
		if diff := cmp.Diff(strings.TrimPrefix(tt.want, "\n"), script(tt.p, tt.do...)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestUnhealthy(t *testing.T) {
	up := []any{Start{}, Spawned{7}, 1.0, Deadline{}}
	const upText = `
0s Start: STOPPED→STARTING tries:0 spawn
0s Spawned: “spawned: 'web' with pid 7” [1s]
1s Deadline: STARTING→RUNNING pid:7 “success: web entered RUNNING state, process has stayed up for > than 1 seconds (startsecs)”
`
	for _, tt := range []struct {
		name string
		p    *Program
		do   []any
		want string
	}{
		{"not alive", prog(func(p *Program) { p.LiveSignal, p.StopCommand = syscall.SIGABRT, true }),
			[]any{Unhealthy{NotAlive, "no answer"}, 2.0, Ended{Status: ExitStatus{Signal: syscall.SIGABRT, Core: true}}}, `
1s Unhealthy: “killing 'web' (7): no answer” RUNNING→STOPPING pid:7 “killing web (pid 7) with signal SIGABRT” kill SIGABRT [11s]
2s Ended: “exited: web (terminated by SIGABRT (core dumped); not expected)” STOPPING→EXITED pid:7 EXITED→STARTING tries:0 spawn
`},
		{"not alive, and wants time", prog(),
			[]any{Unhealthy{NotAlive, "no answer"}, Extend{at(100)}, 11.0, Deadline{}}, `
1s Unhealthy: “killing 'web' (7): no answer” RUNNING→STOPPING pid:7 “killing web (pid 7) with signal SIGTERM” kill SIGTERM [11s]
1s Extend: [11s]
11s Deadline: “killing 'web' (7) with SIGKILL” “killing web (pid 7) with signal SIGKILL” kill SIGKILL [21s]
`},
		{"not alive, and an operator stops it", prog(),
			[]any{Unhealthy{NotAlive, "no answer"}, Stop{}, Ended{}}, `
1s Unhealthy: “killing 'web' (7): no answer” RUNNING→STOPPING pid:7 “killing web (pid 7) with signal SIGTERM” kill SIGTERM [11s]
1s Stop: [11s]
1s Ended: “stopped: web (exit status 0)” STOPPING→STOPPED pid:7
`},
		{"not ready in time, twice", prog(func(p *Program) { p.StartBound, p.StartRetries = true, 1 }),
			[]any{61.0, Unhealthy{NotReady, "x"}, Ended{}, 62.0, Deadline{}, Spawned{8}, 63.0, Deadline{}, 122.0, Unhealthy{NotReady, "x"}, Ended{}}, `
1m1s Unhealthy: “killing 'web' (7): x” RUNNING→STOPPING pid:7 “killing web (pid 7) with signal SIGTERM” kill SIGTERM [1m11s]
1m1s Ended: “exited: web (exit status 0; not expected)” STOPPING→BACKOFF tries:1 [1m2s]
1m2s Deadline: BACKOFF→STARTING tries:1 spawn
1m2s Spawned: “spawned: 'web' with pid 8” [1m3s]
1m3s Deadline: STARTING→RUNNING pid:8 “success: web entered RUNNING state, process has stayed up for > than 1 seconds (startsecs)”
2m2s Unhealthy: “killing 'web' (8): x” RUNNING→STOPPING pid:8 “killing web (pid 8) with signal SIGTERM” kill SIGTERM [2m12s]
2m2s Ended: “exited: web (exit status 0; not expected)” STOPPING→BACKOFF tries:2 BACKOFF→FATAL “gave up: web entered FATAL state, too many start retries too quickly”
`},
	} {
		want := upText + strings.TrimPrefix(tt.want, "\n")
		if diff := cmp.Diff(strings.TrimPrefix(want, "\n"), script(tt.p, append(up[:len(up):len(up)], tt.do...)...)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestStopCommand(t *testing.T) {
	p := prog(func(p *Program) { p.StopCommand = true })
	got := script(p, Start{}, Spawned{7}, Stop{}, 2.0, StopCommandDone{}, 3.0, Ended{},
		10.0, Start{}, Spawned{8}, Stop{}, 20.0, Deadline{}, 30.0, Deadline{}, Ended{},
		40.0, Start{}, Spawned{9}, Stop{}, StopCommandDone{"exit status 1"}, Extend{at(100)}, Ended{})
	want := `
0s Start: STOPPED→STARTING tries:0 spawn
0s Spawned: “spawned: 'web' with pid 7” [1s]
0s Stop: STARTING→STOPPING pid:7 run stop_command [10s]
2s StopCommandDone: “killing web (pid 7) with signal SIGTERM” kill SIGTERM [12s]
3s Ended: “stopped: web (exit status 0)” STOPPING→STOPPED pid:7
10s Start: STOPPED→STARTING tries:0 spawn
10s Spawned: “spawned: 'web' with pid 8” [11s]
10s Stop: STARTING→STOPPING pid:8 run stop_command [20s]
20s Deadline: “stop_command of web: it is not done; going on with stopsignal” “killing web (pid 8) with signal SIGTERM” kill SIGTERM [30s]
30s Deadline: “killing 'web' (8) with SIGKILL” “killing web (pid 8) with signal SIGKILL” kill SIGKILL [40s]
30s Ended: “stopped: web (exit status 0)” STOPPING→STOPPED pid:8
40s Start: STOPPED→STARTING tries:0 spawn
40s Spawned: “spawned: 'web' with pid 9” [41s]
40s Stop: STARTING→STOPPING pid:9 run stop_command [50s]
40s StopCommandDone: “stop_command of web: exit status 1; going on with stopsignal” “killing web (pid 9) with signal SIGTERM” kill SIGTERM [50s]
40s Extend: [1m40s]
40s Ended: “stopped: web (exit status 0)” STOPPING→STOPPED pid:9
`
	if diff := cmp.Diff(strings.TrimPrefix(want, "\n"), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestOneShot(t *testing.T) {
	p := prog(func(p *Program) { p.OneShot = true })
	got := script(p, Start{}, Spawned{7}, Ended{}, Start{}, Spawned{8}, Ended{Status: ExitStatus{Code: 3}})
	want := `
0s Start: STOPPED→STARTING tries:0 spawn
0s Spawned: “spawned: 'web' with pid 7” [1s]
0s Ended: STARTING→RUNNING pid:7 “exited: web (exit status 0; expected)” RUNNING→EXITED pid:7 expected
0s Start: EXITED→STARTING tries:0 spawn
0s Spawned: “spawned: 'web' with pid 8” [1s]
0s Ended: “exited: web (exit status 3; not expected)” STARTING→BACKOFF tries:1 [1s]
`
	if diff := cmp.Diff(strings.TrimPrefix(want, "\n"), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Long says more than the line of the log.
func TestLongExitStatus(t *testing.T) {
	for want, s := range map[string]ExitStatus{
		"exit status 3":                               {Code: 3},
		"exit status 2":                               {Code: 2, After: 15},
		"exit status unknown":                         {Unknown: true, OOM: true},
		"terminated by SIGKILL":                       {Signal: 9, After: 1},
		"terminated by SIGTERM (sent by supervisord)": {Signal: 15, After: 15},
		"terminated by SIGABRT (core dumped)":         {Signal: 6, Core: true},
		"terminated by SIGKILL (perhaps for want of memory: oom_kill of the cgroup has risen while it ran)":       {Signal: 9, OOM: true},
		"exit status 2 (after SIGQUIT from supervisord, of which a Go program writes its goroutines and ends so)": {Code: 2, After: 3},
	} {
		if got := s.Long(); got != want {
			t.Errorf("%+v: got %q, want %q", s, got, want)
		}
	}
}

func TestTheLogTellsOfWantOfMemory(t *testing.T) {
	p := &Program{Name: "web", StartSecs: 1}
	r := Record{State: Running, Spawn: 1, PID: 42}
	_, do := Step(p, r, Ended{Status: ExitStatus{Signal: 9, OOM: true}}, time.Unix(1000, 0))
	want := Log{Level: dlog.Warn, Text: "web was perhaps killed for want of memory: oom_kill of the cgroup has risen while it ran"}
	if len(do) < 2 || do[0] != want {
		t.Errorf("got %v, want %v first", do, want)
	}
}

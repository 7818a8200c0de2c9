package process

import (
	"syscall"
	"testing"
	"time"
)

// A world carries out the actions as the hands would, in an order that the fuzzer chooses, and
// knows what is really alive.
type world struct {
	t         *testing.T
	p         *Program
	r         Record
	now       time.Time
	nextPID   int
	forking   bool // SpawnProcess is not answered yet
	cancelled bool
	alive     bool // the leader
	reaped    bool // Reaped was said, Ended is to follow
	group     bool // other members of its group
	awaiting  bool // Ended said GroupAlive; GroupGone is to follow
}

func (w *world) step(e Event) {
	before := w.r
	r, do := Step(w.p, w.r, e, w.now)
	w.r = r
	state := before.State
	for _, a := range do {
		switch a := a.(type) {
		case SpawnProcess:
			if w.p.Gated && !before.Held {
				w.t.Fatalf("%#v in %+v: a spawn without a release", e, before)
			}
			if w.forking || w.alive || w.awaiting && before.LeaderGone {
				w.t.Fatalf("%#v in %+v: a second spawn beside a live one", e, before)
			}
			w.forking, w.cancelled, w.group, w.awaiting = true, false, false, false
		case CancelSpawn:
			if !w.forking {
				w.t.Fatalf("%#v in %+v: nothing to cancel", e, before)
			}
			w.cancelled = true
		case RunStopCommand:
			if !w.p.StopCommand || !w.r.Commanded || w.r.State != Stopping {
				w.t.Fatalf("%#v in %+v: a stop command", e, before)
			}
		case Kill:
			if w.r.Held {
				w.t.Fatalf("%#v in %+v: a signal of a stop that is held", e, before)
			}
			if w.r.PID <= 0 && before.PID <= 0 {
				w.t.Fatalf("%#v in %+v: a signal to pid %d", e, before, w.r.PID)
			}
			if a.Group && !w.p.StopAsGroup && !w.p.KillAsGroup {
				w.t.Fatalf("%#v in %+v: a signal to a group that nobody asked for", e, before)
			}
		case EndSupervisor:
			if w.r.Frozen || !w.r.State.IsStopped() || w.p.EndsWhen == EndsNever {
				w.t.Fatalf("%#v in %+v: the end of the supervisor", e, before)
			}
			defer w.step(Freeze{}) // as the supervisor does
		case Changed:
			if a.From != state {
				w.t.Fatalf("%#v: a change from %v, but the state was %v", e, a.From, state)
			}
			if a.From == a.To {
				w.t.Fatalf("%#v: a change from %v to itself", e, a.From)
			}
			state = a.To
		case Log:
			if len(a.Text) > 14 && a.Text[:14] == "internal error" {
				w.t.Fatalf("%#v in %+v: %s", e, before, a.Text)
			}
		}
	}
	if state != w.r.State {
		w.t.Fatalf("%#v: the changes end in %v, the record in %v", e, state, w.r.State)
	}
	w.check(e)
}

func (w *world) check(e Event) {
	r := &w.r
	if r.State.IsStopped() && r.State != Unknown && (w.alive || w.forking || r.PID != 0) {
		w.t.Fatalf("%#v: %v, but a child lives: %+v", e, r.State, *r)
	}
	if r.State == Stopped && w.awaiting && (w.p.StopAsGroup || w.p.KillAsGroup) && w.group && r.LeaderGone {
		w.t.Fatalf("%#v: STOPPED, but its group lives: %+v", e, *r)
	}
	if w.alive && r.PID == 0 {
		w.t.Fatalf("%#v: a live child was forgotten: %+v", e, *r)
	}
	if r.Held && r.State != Stopping && (r.State != Starting || w.alive || w.forking || !r.Deadline.IsZero()) {
		w.t.Fatalf("%#v: it is held: %+v", e, *r)
	}
	if (r.Commanded || r.Unwell != Well || r.Again) && r.State != Stopping && r.State != Unknown {
		w.t.Fatalf("%#v: a stop is not over: %+v", e, *r)
	}
	switch r.State {
	case Starting, Stopping:
		if r.Deadline.IsZero() && !w.forking && !w.reaped && !r.Held {
			w.t.Fatalf("%#v: %v waits for nothing: %+v", e, r.State, *r)
		}
	case Backoff:
		if r.Deadline.IsZero() && !r.Frozen {
			w.t.Fatalf("%#v: BACKOFF waits for nothing: %+v", e, *r)
		}
	case Exited, Fatal: // it may be started again later
		if r.Frozen && !r.Deadline.IsZero() {
			w.t.Fatalf("%#v: a restart is to come in a shutdown: %+v", e, *r)
		}
	default:
		if !r.Deadline.IsZero() {
			w.t.Fatalf("%#v: %v has a deadline: %+v", e, r.State, *r)
		}
	}
	if r.Retries < 0 || w.p.StartRetries != -1 && r.Retries > max(w.p.StartRetries, 0)+1 {
		w.t.Fatalf("%#v: %d retries of %d", e, r.Retries, w.p.StartRetries)
	}
}

// act lets the world do one thing that it could do now; b chooses.
func (w *world) act(b byte) {
	arg := b >> 4
	switch b & 15 {
	case 0:
		w.step(Start{})
	case 1:
		w.step(Stop{})
	case 2:
		w.step(Stop{Final: true})
	case 3:
		if arg == 15 {
			w.step(Freeze{})
		}
	case 4:
		if w.forking && !w.cancelled || w.forking && arg < 8 { // the fork may win over the cancel
			w.forking, w.alive = false, true
			w.nextPID++
			w.group = arg&1 == 1
			w.step(Spawned{w.nextPID})
		}
	case 5:
		if w.forking {
			w.forking = false
			w.step(SpawnFailed{"x"})
		}
	case 6, 7:
		if w.alive {
			w.alive = false
			status := ExitStatus{Code: int(arg)}
			if b&1 == 1 {
				status = ExitStatus{Signal: syscall.Signal(arg + 1)}
			}
			w.awaiting = w.group
			if arg&2 != 0 {
				w.alive, w.reaped = true, true
				w.step(Reaped{})
				w.now = w.now.Add(time.Duration(arg) * 300 * time.Millisecond)
				w.alive, w.reaped = false, false
			}
			w.step(Ended{Status: status, GroupAlive: w.group})
		}
	case 8:
		if w.awaiting {
			w.awaiting, w.group = false, false
			if w.r.LeaderGone {
				w.step(GroupGone{})
			}
		}
	case 9:
		if w.alive {
			w.step(SignalFailed{syscall.SIGTERM, "EPERM"})
		}
	case 10, 11:
		if !w.r.Deadline.IsZero() {
			if w.r.Deadline.After(w.now) {
				w.now = w.r.Deadline
			}
			w.step(Deadline{})
		}
	case 12:
		if w.r.Held {
			w.step(Release{})
		}
	case 13:
		if w.r.Commanded {
			w.step(StopCommandDone{[]string{"", "exit status 1"}[arg&1]})
		}
	case 14:
		switch {
		case arg < 4:
			w.step(Stop{Held: arg&1 == 1, Again: w.p.Gated})
		case arg < 8:
			w.step(Stop{Held: true})
		case arg < 10:
			w.step(Unhealthy{NotAlive, "x"})
		case arg < 12:
			w.step(Unhealthy{NotReady, "x"})
		case arg < 14:
			w.step(Ready{})
		default:
			w.step(Extend{w.now.Add(time.Minute)})
		}
	default:
		w.now = w.now.Add(time.Duration(arg) * 100 * time.Millisecond)
	}
}

func FuzzStep(f *testing.F) {
	f.Add([]byte{1, 3, 0, 0, 0x04, 10, 1, 6, 0, 0x14, 0x01, 0x06, 10, 8})
	f.Add([]byte{7, 0, 0xff, 0, 0x04, 0x66, 10, 0x14, 0x76, 10, 5, 0xf3, 2})
	f.Add([]byte{0x1f, 1, 1, 0, 1, 0x04, 0x16, 10, 8, 0})
	f.Add([]byte{0x80, 1, 1, 0x45, 0, 12, 4, 0x8e, 6, 12, 0x1e, 6, 0x0e, 0x04, 0x4e, 12, 13, 6, 12})
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) < 4 {
			return
		}
		p := prog(func(p *Program) {
			p.AutoRestart = AutoRestart(data[0] % 3)
			p.StopAsGroup = data[0]&4 != 0
			p.KillAsGroup = p.StopAsGroup || data[0]&8 != 0
			p.StartSecs = int(int8(data[1])) % 5
			p.StartRetries = int(int8(data[2])) % 5
			p.StopWaitSecs = int(data[3]) % 5
			p.Gated, p.OneShot, p.StopCommand = data[0]&16 != 0, data[0]&32 != 0, data[0]&64 != 0
			p.StartBound = data[0]&128 != 0
			p.StopMore = []StopStep{{syscall.SIGINT, 3}, {syscall.SIGQUIT, 0}}[:int(data[1])%3]
			p.EndsWhen = EndsWhen(data[3] >> 2 & 3)
			if data[3] >= 128 {
				p.Patience = Patience{RestartSecs: int(data[0]) / 50, MaxDelaySecs: int(data[0])/50 + int(data[1])%7, ResetSecs: int(data[2]) / 50,
					LimitBurst: int(data[1]) / 80, LimitSecs: 1 + int(data[2])%8, FatalRetrySecs: int(data[3]) % 4}
			}
		})
		w := &world{t: t, p: p, now: t0}
		for _, b := range data[4:] {
			w.act(b)
		}
		// Whatever came before, a daemon that goes down gets it stopped.
		w.step(Freeze{})
		for i := 0; !w.r.State.IsStopped() || w.r.State == Unknown && w.alive; i++ {
			if i > 20 {
				t.Fatalf("it can't be stopped: %+v", w.r)
			}
			w.step(Stop{Final: true})
			w.act(12)
			w.act(0x04)
			w.act(10)
			w.act(0x96)
			w.act(8)
		}
	})
}

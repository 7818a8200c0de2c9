package survive

import (
	"encoding/json"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/internal/health"
	"holdfast/internal/process"
)

// A record is a process.Record in the file. Times are nanoseconds of the clock that runs on while the
// wall clock jumps and while the machine sleeps, and that all processes share; 0 is no time.
type record struct {
	Group      string `json:"group"`
	Name       string `json:"name"`
	State      int    `json:"state"`
	Spawn      uint64 `json:"spawn,omitempty"`
	PID        int    `json:"pid,omitempty"`
	Deadline   int64  `json:"deadline,omitempty"`
	Retries    int    `json:"retries,omitempty"`
	QuickLives int    `json:"quickLives,omitempty"`
	Failures   int    `json:"failures,omitempty"`
	Starts     int    `json:"starts,omitempty"` // in the window
	Window     int64  `json:"window,omitempty"`
	StopSteps  int    `json:"stopSteps,omitempty"`
	Killing    bool   `json:"killing,omitempty"`
	TooQuick   bool   `json:"tooQuick,omitempty"`
	LeaderGone bool   `json:"leaderGone,omitempty"`
	Held       bool   `json:"held,omitempty"`
	Again      bool   `json:"again,omitempty"`
	Commanded  bool   `json:"commanded,omitempty"`
	Unwell     int    `json:"unwell,omitempty"`
	Restarts   int    `json:"restarts,omitempty"`
	Exit       *exit  `json:"exit,omitempty"`
	Last       *exit  `json:"last,omitempty"`
	SpawnErr   string `json:"spawnErr,omitempty"`
	Started    int64  `json:"started,omitempty"`
	Stopped    int64  `json:"stopped,omitempty"`
	Signal     int    `json:"signal,omitempty"` // about to be sent
	ToGroup    bool   `json:"toGroup,omitempty"`
	AutoStart  bool   `json:"autoStart,omitempty"`
	PostStop   int    `json:"postStop,omitempty"`
	Ready      bool   `json:"ready,omitempty"`
	Once       bool   `json:"once,omitempty"`
	Since      int64  `json:"since,omitempty"`
	SaidReady  bool   `json:"saidReady,omitempty"`
	Status     string `json:"status,omitempty"`
	MainPID    int    `json:"mainPID,omitempty"`
	Watchdog   int64  `json:"watchdog,omitempty"` // ns
	*Listener
}

type exit struct {
	Code    int  `json:"code,omitempty"`
	Signal  int  `json:"signal,omitempty"`
	Core    bool `json:"core,omitempty"`
	Unknown bool `json:"unknown,omitempty"`
	After   int  `json:"after,omitempty"`
	OOM     bool `json:"oom,omitempty"`
}

// A clock turns times into the file's and back.
type clock struct {
	now  time.Time
	boot int64 // the same moment
}

func newClock() clock {
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts) != nil {
		_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts)
	}
	return clock{time.Now(), ts.Nano()}
}

func (c clock) out(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return c.boot - int64(c.now.Sub(t))
}

func (c clock) in(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return c.now.Add(time.Duration(n - c.boot))
}

// encode is a record of at most limit bytes; nil if that can't be. Frozen is not in it: it is a
// shutdown's, and the one who goes on with a shutdown says it anew.
func encode(group, name string, k *Kept, limit int) []byte {
	c, r := newClock(), &k.Record
	out := record{
		Group: group, Name: name,
		State: int(r.State), Spawn: r.Spawn, PID: r.PID, Deadline: c.out(r.Deadline),
		Retries: r.Retries, QuickLives: r.QuickLives, Failures: r.Failures, Starts: r.WindowStarts, Window: c.out(r.WindowBegan), StopSteps: r.StopSteps, Killing: r.Killing, TooQuick: r.TooQuick, LeaderGone: r.LeaderGone,
		Held: r.Held, Again: r.Again, Commanded: r.Commanded, Unwell: int(r.Unwell), Restarts: r.Restarts,
		Exit: exitOf(r.Exit), Last: exitOf(r.Last),
		SpawnErr: r.SpawnErr, Started: c.out(r.Started), Stopped: c.out(r.Stopped),
		Signal: k.Signal.Number, ToGroup: k.Signal.Group, AutoStart: k.AutoStart, PostStop: k.PostStop, Listener: k.Listener,
		Ready: k.Health.Ready, Once: k.Health.Once, Since: c.out(k.Health.Since),
		SaidReady: k.Health.Said.Ready, Status: k.Health.Status, MainPID: k.Health.MainPID, Watchdog: int64(k.Health.Watchdog),
	}
	data, err := json.Marshal(out)
	if err == nil && len(data) > limit { // it is for showing
		out.Status = ""
		data, err = json.Marshal(out)
	}
	if err == nil && len(data) > limit { // the name of a command may be long, and can be found out again
		out.SpawnErr = ""
		data, err = json.Marshal(out)
	}
	if l := k.Listener; err == nil && len(data) > limit && l != nil { // what is that long is no result
		less := *l
		less.Pending, less.Heard = nil, nil
		out.Listener = &less
		data, err = json.Marshal(out)
	}
	if err != nil || len(data) > limit {
		return nil
	}
	return data
}

func decode(data []byte) (e Entry, err error) {
	var in record
	if err := json.Unmarshal(data, &in); err != nil {
		return e, err
	}
	c := newClock()
	e = Entry{Group: in.Group, Name: in.Name}
	e.Signal, e.AutoStart, e.PostStop, e.Listener = Signal{in.Signal, in.ToGroup}, in.AutoStart, in.PostStop, in.Listener
	e.Health = health.Kept{Ready: in.Ready, Once: in.Once, Since: c.in(in.Since),
		Said: health.Said{Ready: in.SaidReady, Status: in.Status, MainPID: in.MainPID, Watchdog: time.Duration(in.Watchdog)}}
	e.Record = process.Record{
		State: process.State(in.State), Spawn: in.Spawn, PID: in.PID, Deadline: c.in(in.Deadline),
		Retries: in.Retries, QuickLives: in.QuickLives, Failures: in.Failures, WindowStarts: in.Starts, WindowBegan: c.in(in.Window), StopSteps: in.StopSteps, Killing: in.Killing, TooQuick: in.TooQuick, LeaderGone: in.LeaderGone,
		Held: in.Held, Again: in.Again, Commanded: in.Commanded, Unwell: process.Unwell(in.Unwell), Restarts: in.Restarts,
		Exit: in.Exit.status(), Last: in.Last.status(),
		SpawnErr: in.SpawnErr, Started: c.in(in.Started), Stopped: c.in(in.Stopped),
	}
	return e, nil
}

func exitOf(s *process.ExitStatus) *exit {
	if s == nil {
		return nil
	}
	return &exit{s.Code, int(s.Signal), s.Core, s.Unknown, int(s.After), s.OOM}
}

func (x *exit) status() *process.ExitStatus {
	if x == nil {
		return nil
	}
	return &process.ExitStatus{Code: x.Code, Signal: syscall.Signal(x.Signal), Core: x.Core, Unknown: x.Unknown, After: syscall.Signal(x.After), OOM: x.OOM}
}

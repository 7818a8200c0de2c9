// Package process is the pure machine of one process: what a start, a stop, an exit or a passed
// deadline does to it. It reads no clock, touches no process and writes no log: Step takes the
// record of a process, an event and the time, and returns the new record and the actions that
// somebody else has to carry out.
//
//	            Start                Deadline (startsecs)
//	STOPPED ───────────▶ STARTING ───────────────────────▶ RUNNING
//	   ▲                  │ ▲  │                            │  │
//	   │       SpawnFailed│ │  │Stop                    Stop│  │Ended
//	   │  Ended too quick │ │  ▼                            │  ▼
//	   │                  │ │ STOPPING ◀────────────────────┘ EXITED ──▶ STARTING
//	   │                  ▼ │Deadline                                (autorestart)
//	   ├──────────────── BACKOFF ─────▶ FATAL (retries used up)
//	   │      Stop
//	   └── STOPPING (Ended; with stopasgroup or killasgroup: group empty)
//
// A program that ends at once all the time, or that has a Patience, waits in EXITED for a Deadline before it
// is started again; so it may in FATAL. A start of a Gated program waits in STARTING, held, for Release; so may the
// stop of any program in STOPPING. One that is stopped because it is Unhealthy goes from STOPPING to EXITED, or to
// BACKOFF if that was in its start; one that was stopped to be started Again goes from STOPPED to STARTING.
// UNKNOWN is entered from any state with a live process when a signal can't be sent to it.
//
// A fact (Spawned, SpawnFailed, Reaped, Ended, GroupGone, SignalFailed) belongs to one spawn; the caller
// drops facts of any other spawn than Record.Spawn. A wish (Start, Stop, Freeze, Ready, Extend, Unhealthy) may come in any
// state. A state that waits has its Deadline or waits for a fact that is bound to come, unless it is held.
package process

import (
	"log/slog"
	"syscall"
	"time"
)

// State is a process state; the numbers are the API's (spec process §1).
type State int

const (
	Stopped  State = 0
	Starting State = 10
	Running  State = 20
	Backoff  State = 30
	Stopping State = 40
	Exited   State = 100
	Fatal    State = 200
	Unknown  State = 1000
)

// IsStopped tells whether s is one of the states that the manual calls stopped.
func (s State) IsStopped() bool {
	return s == Stopped || s == Exited || s == Fatal || s == Unknown
}

// IsRunning tells whether s is one of the states that a start finds "already started".
func (s State) IsRunning() bool { return s == Running || s == Starting || s == Backoff }

// IsSignallable tells whether a process in s can be sent a signal.
func (s State) IsSignallable() bool { return s == Running || s == Starting || s == Stopping }

// Program is the part of a process's configuration that decides its life.
type Program struct {
	Name         string
	AutoRestart  AutoRestart
	StartSecs    int
	StartRetries int // -1: as many as it takes
	ExitCodes    []int
	StopSignal   syscall.Signal
	StopWaitSecs int
	StopMore     []StopStep // what follows if it is still there then, before SIGKILL
	StopAsGroup  bool
	KillAsGroup  bool
	Patience     Patience
	EndsWhen     EndsWhen
	Gated        bool           // no start goes on before Release
	OneShot      bool           // an expected exit is no failed start, however early
	StopCommand  bool           // a command comes before the StopSignal
	StartBound   bool           // only Ready ends the count of failed starts
	LiveSignal   syscall.Signal // what an Unhealthy process gets in place of the StopSignal; 0: that
}

// AutoRestart says what happens after an exit from RUNNING.
type AutoRestart int

const (
	RestartNever AutoRestart = iota
	RestartUnexpected
	RestartAlways
)

// A StopStep is a further signal of a stop, and how long to wait after it.
type StopStep struct {
	Signal   syscall.Signal
	WaitSecs int
}

// EndsWhen says which end of a process is the end of the supervisor. Each includes those before it.
type EndsWhen int

const (
	EndsNever  EndsWhen = iota
	EndsFatal           // it is given up
	EndsFailed          // it exits unexpectedly
	EndsExited          // it exits
)

// ExitStatus is how a process ended.
type ExitStatus struct {
	Code   int            // exit code, if Signal is 0
	Signal syscall.Signal // 0: it exited by itself
	Core   bool           // a core was dumped
	// Unknown: it ended while nobody was there to see it, and what the other fields say means nothing.
	Unknown bool

	// What is known of the reason.
	After syscall.Signal // the last signal that it was sent by us; 0: none, or not known
	OOM   bool           // that may have been the kernel, for want of memory
}

// A Record is all that is remembered of one process. The zero Record is a process that was never
// started.
type Record struct {
	State State
	// Spawn is the number of the last spawn, unique in the daemon; the caller sets it when it
	// carries out SpawnProcess.
	Spawn uint64
	// PID is 0 unless there is a live, or not yet reaped, process.
	PID int
	// Deadline is when the caller is to send Deadline; zero: never.
	Deadline time.Time
	// Retries counts the failed starts in a row (the original's backoff).
	Retries int
	// QuickLives counts the lives in a row that ended by themselves within a second.
	QuickLives int
	// Failures counts the lives and failed starts in a row of which none was stable (Patience.ResetSecs).
	Failures int
	// WindowStarts is how often it was started since WindowBegan (Patience.LimitSecs).
	WindowStarts int
	WindowBegan  time.Time
	// StopSteps is how many of Program.StopMore were sent.
	StopSteps int
	// Killing: the end of the process is a stop and not an exit.
	Killing bool
	// TooQuick: the process was reaped before it was up; Ended follows.
	TooQuick bool
	// LeaderGone: the process was reaped, the rest of its process group is awaited.
	LeaderGone bool
	// Frozen: the daemon is going down; nothing is started automatically any more.
	Frozen bool
	// Held: in STARTING there is no spawn before Release, in STOPPING no signal.
	Held bool
	// Again: when it is stopped it is started again.
	Again bool
	// Commanded: in STOPPING its stop command is under way.
	Commanded bool
	// Unwell: in STOPPING, why nobody has asked for the stop.
	Unwell Unwell
	// Restarts counts the starts since the last one that was asked for.
	Restarts int

	Exit     *ExitStatus // of the last end; nil while running, and after a start that failed
	Last     *ExitStatus // of the last end of all
	SpawnErr string
	Started  time.Time // last spawn attempt; zero: never
	Stopped  time.Time // last end; zero: never
}

// IsWanted tells whether the process is up, or is to be up again without anybody's asking: in STOPPING, too, if
// nobody has asked for that.
func (r *Record) IsWanted() bool {
	return r.State.IsRunning() || r.State == Stopping && (r.Again || r.Unwell != Well)
}

// Unwell says why a process is being stopped.
type Unwell int

const (
	Well     Unwell = iota
	NotAlive        // as if it had ended by itself
	NotReady        // its start has failed
)

// code is the status as a shell tells it, for the supervisor to end with.
func (s ExitStatus) code() int {
	switch {
	case s.Unknown:
		return 1
	case s.Signal != 0:
		return 128 + int(s.Signal)
	}
	return s.Code
}

// ExitCode is the exit status as the API shows it: -1 after a signal or an end that nobody saw, 0 where
// there is none.
func (r *Record) ExitCode() int {
	if r.Exit == nil {
		return 0
	}
	return r.Exit.shown()
}

func (s ExitStatus) shown() int {
	if s.Signal != 0 || s.Unknown {
		return -1
	}
	return s.Code
}

// An Event is something that happened to a process: a wish from outside or a fact from the hands.
type Event interface{ event() }

type (
	// Start is the wish that the process run.
	Start struct{}
	// Stop is the wish that it end. Final is the stop of a shutdown, which turns BACKOFF into
	// FATAL where an operator's stop turns it into STOPPED (spec process §7, stop_all). Held puts the first
	// signal off until Release, and Again asks for a new start behind it.
	Stop struct{ Final, Held, Again bool }
	// Freeze is the wish that nothing be started automatically from now on.
	Freeze struct{}
	// Unhealthy is the wish that a process end which does not do what it is there for. Why is for SpawnErr.
	Unhealthy struct {
		Unwell Unwell
		Why    string
	}
	// Ready is the word that its start has succeeded.
	Ready struct{}
	// Extend is the wish for more time to stop in. A process that is Unwell gets none.
	Extend struct{ Until time.Time }

	// Release lets what is Held go on.
	Release struct{}
	// StopCommandDone is the fact that the stop command has ended; Err is empty if well.
	StopCommandDone struct{ Err string }

	// Spawned is the fact that the fork has happened.
	Spawned struct{ PID int }
	// SpawnFailed is the fact that there was no fork: the command is missing, a log can't be
	// opened, the process table is full, or the spawn was cancelled in time. Err is the
	// original's text, ready for spawnerr.
	SpawnFailed struct{ Err string }
	// Reaped is the fact that the process was reaped; Ended follows when its output is in its logs, which
	// a slow one may delay past the Deadline that would call the process up.
	Reaped struct{}
	// Ended is the fact that the process was reaped and its output, as far as it was in the pipes
	// by then, is in its logs, unless they take nothing. GroupAlive tells that its process group
	// still has members; with stopasgroup or killasgroup GroupGone follows, once, when the last of
	// them is gone.
	Ended struct {
		Status     ExitStatus
		GroupAlive bool
	}
	// GroupGone is the fact that the process group of an ended process is empty.
	GroupGone struct{}
	// SignalFailed is the fact that a signal could not be sent, for a reason other than ESRCH.
	SignalFailed struct {
		Signal syscall.Signal
		Err    string
	}
	// Deadline is the fact that Record.Deadline has passed.
	Deadline struct{}
)

func (Start) event()        {}
func (Stop) event()         {}
func (Freeze) event()       {}
func (Spawned) event()      {}
func (SpawnFailed) event()  {}
func (Reaped) event()       {}
func (Ended) event()        {}
func (GroupGone) event()    {}
func (SignalFailed) event() {}
func (Deadline) event()     {}

func (Unhealthy) event()       {}
func (Ready) event()           {}
func (Extend) event()          {}
func (Release) event()         {}
func (StopCommandDone) event() {}

// An Action is something that the caller has to do, in the order given.
type Action interface{ action() }

type (
	// SpawnProcess: give Record.Spawn a new number and start the process. Exactly one of Spawned
	// and SpawnFailed must come back.
	SpawnProcess struct{}
	// CancelSpawn: the answer to SpawnProcess has not come and is wanted at once: SpawnFailed if
	// there was no fork yet, and then there will be none.
	CancelSpawn struct{}
	// Kill: send Signal to the process, or to its whole process group.
	Kill struct {
		Signal syscall.Signal
		Group  bool
	}
	// RunStopCommand: run it. StopCommandDone may come back.
	RunStopCommand struct{}
	// Log: write a line to the main log.
	Log struct {
		Level slog.Level
		Text  string
	}
	// EndSupervisor: stop all the others, and end with that exit code. It is the last action.
	EndSupervisor struct{ Code int }
	// Changed: the state is now another one. One for each transition, in order.
	Changed struct {
		From, To State
		PID      int  // of the process that the change is about; 0 if there is none
		Tries    int  // Record.Retries, for STARTING and BACKOFF
		Expected bool // for EXITED: the exit code was one of exitcodes
	}
)

func (SpawnProcess) action() {}
func (CancelSpawn) action()  {}
func (Kill) action()         {}

func (RunStopCommand) action() {}
func (Log) action()            {}
func (Changed) action()        {}
func (EndSupervisor) action()  {}

// A CommandError says why a program's command can't be executed; the text is the original's
// (spec process §5).
type CommandError struct {
	NotFound bool // there is no such file; else it is there and can't be run
	Text     string
}

func (e *CommandError) Error() string { return e.Text }

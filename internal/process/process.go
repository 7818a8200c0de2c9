// Package process is the pure machine of one process: what a start, a stop, an exit or a passed
// deadline does to it.
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

// Program is the part of a process's configuration that decides its life.
type Program struct {
	Name         string
	AutoRestart  AutoRestart
	StartSecs    int
	StartRetries int
	ExitCodes    []int
	StopSignal   syscall.Signal
	StopWaitSecs int
	StopAsGroup  bool
	KillAsGroup  bool
}

// AutoRestart says what happens after an exit from RUNNING.
type AutoRestart int

const (
	RestartNever AutoRestart = iota
	RestartUnexpected
	RestartAlways
)

// ExitStatus is how a process ended.
type ExitStatus struct {
	Code   int            // exit code; meaningful if Signal is 0 and Raw is 0
	Signal syscall.Signal // 0: it exited by itself
	Core   bool           // a core was dumped
}

// An Event is something that happened to a process: a wish from outside or a fact from the hands.
type Event interface{ event() }

type (
	// Start is the wish that the process run.
	Start struct{}
	// Stop is the wish that it end.
	Stop struct{}
	// Spawned is the fact that the fork has happened.
	Spawned struct{ PID int }
	// SpawnFailed is the fact that there was no fork: the command is missing, a log can't be
	// opened, the process table is full, or the spawn was cancelled in time. Err is the
	// original's text, ready for spawnerr.
	SpawnFailed struct{ Err string }
	// Ended is the fact that the process was reaped and its output, as far as it was in the pipes
	// by then, is in its logs. GroupAlive tells that its process group still has members; then
	// GroupGone follows, once, when the last of them is gone.
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

var _ = time.Time{}
var _ slog.Level

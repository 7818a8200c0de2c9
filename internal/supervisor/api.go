package supervisor

import (
	"context"
	"time"

	"holdfast/internal/config"
	"holdfast/internal/process"
)

// A Mood is what the supervisor as a whole is about; the numbers are the API's.
type Mood int

const (
	MoodShutdown   Mood = -1
	MoodRestarting Mood = 0
	MoodRunning    Mood = 1
)

// An Info is what the outside may know of one process; a copy.
type Info struct {
	Name, Group string
	State       process.State
	PID         int       // 0 when it is not running
	Start, Stop time.Time // zero: never
	Now         time.Time
	SpawnErr    string
	ExitStatus  int // -1: killed by a signal
	StdoutLog   string
	StderrLog   string
	Config      *config.Process

	// What the original knows nothing of.
	Waiting    string // what a start or a stop that is held waits for; empty: it isn't
	Ready      bool
	NotReady   string              // why, where it is known
	ReadySince time.Time           // of the value of Ready, where there is a check; else zero
	Status     string              // what it says of itself
	MainPID    int                 // the process that it says is the main one; 0: not said
	LastExit   *process.ExitStatus // of its last end; nil: none
	Restarts   int                 // since it was asked for
	Next       time.Time           // when it is started again, or stopped harder; zero: it is not
}

// A Result is the outcome for one process of a call on several; Err nil is success.
type Result struct {
	Name, Group string
	Err         error
}

// A ConfigInfo is one process of the configuration read last, which may not be active.
type ConfigInfo struct {
	Process       *config.Process
	GroupPriority int
	InUse         bool // a group of that name is active
}

// A Reason is why a call was refused; rpc has the one table from reasons to fault codes.
type Reason string

func (r Reason) Error() string { return string(r) }

const (
	ErrShutdownState       Reason = "shutting down"
	ErrBadName             Reason = "bad name"
	ErrBadSignal           Reason = "bad signal"
	ErrNoFile              Reason = "no file"
	ErrNotExecutable       Reason = "not executable"
	ErrFailed              Reason = "failed"
	ErrAbnormalTermination Reason = "abnormal termination"
	ErrSpawn               Reason = "spawn error"
	ErrAlreadyStarted      Reason = "already started"
	ErrNotRunning          Reason = "not running"
	ErrAlreadyAdded        Reason = "already added"
	ErrStillRunning        Reason = "still running"
	ErrCantReread          Reason = "cannot reread"
)

// An Error is a refused call. errors.Is(err, ErrBadName) tells the reason; Detail is the extra
// text that the original puts behind the fault's name, empty for none.
type Error struct {
	Reason Reason
	Detail string
}

func (e *Error) Error() string {
	if e.Detail == "" {
		return string(e.Reason)
	}
	return string(e.Reason) + ": " + e.Detail
}

func (e *Error) Unwrap() error { return e.Reason }

// API is what the faces call. Every method may be called from any goroutine; a method with wait
// returns when the outcome is known, or with ctx's error when the caller has gone (what was begun
// goes on). While shutting down or restarting every method answers ErrShutdownState.
//
// A name is "name" (the same as "name:name") or "group:name".
type API interface {
	// Ready answers nil while the mood is RUNNING, else ErrShutdownState.
	Ready() error
	StartProcess(ctx context.Context, name string, wait bool) error
	StartGroup(ctx context.Context, group string, wait bool) ([]Result, error)
	StartAll(ctx context.Context, wait bool) ([]Result, error)
	StopProcess(ctx context.Context, name string, wait bool) error
	StopGroup(ctx context.Context, group string, wait bool) ([]Result, error)
	StopAll(ctx context.Context, wait bool) ([]Result, error)
	// SignalProcess takes the signal as the client wrote it: a name or a number in text.
	SignalProcess(ctx context.Context, name, signal string) error
	SignalGroup(ctx context.Context, group, signal string) ([]Result, error)
	SignalAll(ctx context.Context, signal string) ([]Result, error)
	ProcessInfo(name string) (Info, error)
	AllProcessInfo() ([]Info, error)      // by group name, then process name
	AllConfigInfo() ([]ConfigInfo, error) // by process name
	ReloadConfig(ctx context.Context) (added, changed, removed []string, err error)
	AddGroup(ctx context.Context, name string) error
	RemoveGroup(ctx context.Context, name string) error
	Shutdown() error
	Restart() error
	SendStdin(ctx context.Context, name, chars string) error
	ReloadProcess(ctx context.Context, name string) error
	ClearLogs(ctx context.Context, name string) error
	ClearAllLogs(ctx context.Context) ([]Result, error)
	SendRemoteCommEvent(typ, data string) error
	Identifier() (string, error)
}

var _ API = (*Supervisor)(nil)

// Package config turns supervisord.conf into typed, expanded and checked values, and says what
// differs between two of them. It reads the file and what it includes, and asks the system for
// users and directories; it starts, opens and changes nothing.
//
// The way of a value, which is also the way through the files of this package:
//
//	find.go, flags.go   which file, and what the command line says
//	load.go, include.go the text of all files, by package ini
//	section.go          one option: its text, expanded, or its default
//	option.go           a section as a table of options, and one row of it
//	datatypes.go        text to value, with the original's words for what is wrong
//	program.go, ...     the tables, and what the options must be to each other
//	errors.go           everything that was wrong, each with its place and its cure
//	diff.go             what a reread finds changed
//
// Load reports all errors it finds. If none of them is outside the sections of programs and
// groups, it gives the rest of the configuration as well, for a reread to apply:
//
//	cfg, err := config.Load(path, flags, os.Environ())
//	var errs config.Errors
//	if errors.As(err, &errs) { ... }        // print each; cfg is nil or lacks the groups in cfg.Bad
package config

import (
	"log/slog"
	"strings"
	"syscall"
)

// A Config is what one reading of the configuration files says.
type Config struct {
	Path          string // absolute path of the root file
	Supervisord   Supervisord
	Servers       []Server       // inet servers first, then unix, each in file order
	RPCInterfaces []RPCInterface // in file order
	Groups        []Group        // by (priority, name); none of KindEventListener
	Bad           []string       // names of the groups that are left out for their errors
	Notes         []Note         // what the reading wants said once the main log is open
}

// A Note is a line for the main log, found while reading: an included file, a deprecated value.
type Note struct {
	Level slog.Level // dlog.Crit, dlog.Warn or dlog.Info
	Text  string
}

// Supervisord is the [supervisord] section, the command line's values already laid over it.
type Supervisord struct {
	LogFile         string // absolute; "syslog" is kept as it is
	LogFileMaxBytes int64
	LogFileBackups  int
	LogLevel        slog.Level
	PidFile         string // absolute
	Umask           int
	NoDaemon        bool
	Silent          bool
	MinFDs          int
	MinProcs        int
	NoCleanup       bool
	ChildLogDir     string
	UID             *int // nil: user= is not set
	Directory       string
	StripANSI       bool
	Environment     map[string]string
	Identifier      string

	user *string // user= as written, until everything is read
}

// A Server is one [inet_http_server] or [unix_http_server] section.
type Server struct {
	Section  string // as written, without brackets
	Network  string // "tcp" or "unix"
	Address  string // tcp: "host:port", host empty for every interface; unix: absolute path
	Chmod    int    // unix only
	UID, GID int    // unix only: chown=; -1 leaves it as it is
	Username string // empty: no authentication
	Password string // plain, or "{SHA}" and 40 hex digits
}

// An RPCInterface is one [rpcinterface:NAME] section.
type RPCInterface struct {
	Name    string
	Factory string
	Options map[string]string
}

// ServerURL is the address for SUPERVISOR_SERVER_URL of a program that names none: the first unix
// server's, else the last inet server's. It is empty without any server.
func (c *Config) ServerURL() string {
	var inet string
	for _, s := range c.Servers {
		if s.Network == "unix" {
			return "unix://" + s.Address
		}
		if strings.HasPrefix(s.Address, ":") {
			inet = "http://localhost" + s.Address
		} else {
			inet = "http://" + s.Address
		}
	}
	return inet
}

// Processes is how many processes the groups have together.
func (c *Config) Processes() int {
	n := 0
	for i := range c.Groups {
		n += len(c.Groups[i].Processes)
	}
	return n
}

// A Kind tells the three sections apart that make a group of processes.
type Kind int

const (
	KindProgram Kind = iota
	KindFastCGI
	KindEventListener
)

// A Group is one group of processes: a [group:x], or a program section that is in no group.
type Group struct {
	Name      string
	Priority  int
	Kind      Kind
	Processes []Process // in start order
	Listener  *EventListener
	FastCGI   *FastCGI
	Source    Source
}

// EventListener is what [eventlistener:x] has beyond a program.
type EventListener struct {
	BufferSize    int
	Events        []string // upper case, sorted, no doubles
	ResultHandler string
}

// FastCGI is what [fcgi-program:x] has beyond a program.
type FastCGI struct {
	Socket   string // "tcp://host:port" or "unix:///path"
	Backlog  int    // 0: as large as the system allows
	UID, GID int    // -1: as it is
	Mode     int    // -1: not set
}

// Source is where a section was first seen.
type Source struct {
	File    string
	Line    int
	Section string // as written, without brackets
}

// AutoRestart says what happens after an exit from RUNNING.
type AutoRestart int

const (
	RestartNever AutoRestart = iota
	RestartUnexpected
	RestartAlways
)

// A Process is one process of a program: a program section after expansion for one process_num.
// It is never written to after Load has returned it.
type Process struct {
	Name         string
	Group        string
	Program      string // the section's name
	Command      string
	Directory    string // empty: none; DirectorySet tells an empty value from none
	DirectorySet bool
	Umask        *int
	Priority     int
	AutoStart    bool
	AutoRestart  AutoRestart
	StartSecs    int
	StartRetries int // -1: as many as it takes
	ExitCodes    []int
	StopSignal   syscall.Signal
	StopWaitSecs int
	StopMore     []StopStep // what follows StopSignal if it is still there after StopWaitSecs, before SIGKILL
	StopAsGroup  bool
	KillAsGroup  bool
	Patience     Patience
	// ExitSupervisorWhen is process.EndsWhen.
	ExitSupervisorWhen ExitWhen
	Health             Health       `json:",omitzero"`
	DependsOn          []Dependency `json:",omitzero"`
	OneShot            bool         `json:",omitzero"` // it is done when it has exited as expected
	Hooks              Hooks        `json:",omitzero"`
	UID                *int         // nil: user= is not set
	RedirectStderr     bool
	Stdout, Stderr     Log
	Environment        map[string]string // [supervisord] environment= and the program's own, merged
	ServerURL          string            // empty: AUTO, or with ServerURLSet: none
	ServerURLSet       bool
	FastCGI            *FastCGI // the socket that is its stdin; nil for all but a fcgi-program
	Listener           bool     // it is of an eventlistener: its stdout is its side of the event protocol
	Source             Source
}

// Patience says when a process is started again, as process.Patience does; the original has none of it.
type Patience struct {
	RestartSecs, MaxDelaySecs, ResetSecs int
	LimitBurst, LimitSecs                int
	FatalRetrySecs                       int
}

// Health says how it is found out whether a process is ready, and whether it is still alive; the original has
// none of it.
type Health struct {
	Ready            *Check         // nil: it is ready when it is RUNNING
	Live             *Check         // nil: it is alive while it runs; never of CheckNotify or CheckOutput
	WatchdogSecs     int            // it says WATCHDOG=1 at least that often; 0: it need not
	LiveSignal       syscall.Signal // what a process that is not alive gets in place of StopSignal; 0: that
	StartTimeoutSecs int            // a start of which it is not ready by then has failed; 0: no bound
}

// Notifies tells whether the process is given a NOTIFY_SOCKET.
func (h *Health) Notifies() bool {
	return h.WatchdogSecs > 0 || h.Ready != nil && h.Ready.Kind == CheckNotify
}

// CheckKind says what a Check looks at.
type CheckKind int

const (
	CheckNotify CheckKind = iota // it says READY=1 (sd_notify)
	CheckHTTP                    // a GET is answered with a status from 200 to 399
	CheckTCP                     // a connection is accepted
	CheckExec                    // a command exits with 0
	CheckFile                    // a file exists
	CheckOutput                  // it writes a line that matches
)

// A Check is one way to find out about a process. The thresholds are the kubelet's.
type Check struct {
	Kind             CheckKind
	Target           string // URL, host:port, command, path or regular expression
	InitialDelaySecs int
	PeriodSecs       int
	TimeoutSecs      int
	SuccessThreshold int // so many in a row make it ready
	FailureThreshold int // so many in a row make it not ready, or not alive
	HTTP             HTTPCheck
}

// HTTPCheck is what a CheckHTTP has beyond its URL.
type HTTPCheck struct {
	Headers  [][2]string // name and value
	Body     string      // the answer holds it
	CAFile   string      // who may have signed the server's certificate; empty: the system's
	CertFile string      // our own certificate; empty: none
	KeyFile  string
	NoVerify bool // any certificate will do
}

// A Dependency is a process that another one waits for, before it is started.
type Dependency struct {
	Group, Name string
	Until       Until
	Required    bool // without it, the other one is stopped and waits again
}

// Until says what is waited for.
type Until int

const (
	// UntilUp is until it is ready; of a one-shot, until it is done.
	UntilUp Until = iota
	UntilRunning
	UntilReady
	UntilCompleted // it has exited as expected
)

// Hooks are commands and signals around the life of a process; an empty one, or 0, is none.
type Hooks struct {
	PreStart, PostStop, Stop, Reload string
	ReloadSignal                     syscall.Signal
	TimeoutSecs                      int // of each, but for Stop, which has StopWaitSecs
}

// A StopStep is a further signal of a stop, and how long to wait after it.
type StopStep struct {
	Signal   syscall.Signal
	WaitSecs int
}

// ExitWhen says which end of a process ends supervisord; each value includes those before it.
type ExitWhen int

const (
	ExitNever ExitWhen = iota
	ExitFatal
	ExitFailed
	ExitExited
)

// A Log is the target of one output of a process.
type Log struct {
	File            string // empty: none. For Auto it is empty until the group is prepared
	Auto            bool
	Empty           bool `json:",omitempty"` // the option is there with nothing behind it: there is none, which the API tells in other words
	MaxBytes        int64
	Backups         int
	CaptureMaxBytes int64
	EventsEnabled   bool
	Syslog          bool
}

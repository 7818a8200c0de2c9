// Package config turns supervisord.conf into typed, expanded and checked values, and says what
// differs between two of them.
package config

import (
	"log/slog"
	"syscall"
)

// A Config is what one reading of the configuration files says.
type Config struct {
	Path          string // absolute path of the root file
	Supervisord   Supervisord
	Servers       []Server       // inet servers first, then unix, each in file order
	RPCInterfaces []RPCInterface // in file order
	Groups        []Group        // by (priority, name)
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
	Backlog  int
	UID, GID int // -1: as it is
	Mode     int // -1: not set
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
	Name           string
	Group          string
	Program        string // the section's name
	Command        string
	Directory      string // empty: none; DirectorySet tells an empty value from none
	DirectorySet   bool
	Umask          *int
	Priority       int
	AutoStart      bool
	AutoRestart    AutoRestart
	StartSecs      int
	StartRetries   int
	ExitCodes      []int
	StopSignal     syscall.Signal
	StopWaitSecs   int
	StopAsGroup    bool
	KillAsGroup    bool
	UID            *int // nil: user= is not set
	RedirectStderr bool
	Stdout, Stderr Log
	Environment    map[string]string // [supervisord] environment= and the program's own, merged
	ServerURL      string            // empty: AUTO
	Source         Source
}

// A Log is the target of one output of a process.
type Log struct {
	File            string // empty: none. For Auto it is empty until the group is prepared
	Auto            bool
	MaxBytes        int64
	Backups         int
	CaptureMaxBytes int64
	EventsEnabled   bool
	Syslog          bool
}

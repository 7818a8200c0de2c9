package client

import (
	"fmt"
	"reflect"
	"strconv"
	"time"
)

// A ProcessState is the state of a process, as the number that the API has for it.
type ProcessState int

const (
	Stopped  ProcessState = 0
	Starting ProcessState = 10
	Running  ProcessState = 20
	Backoff  ProcessState = 30
	Stopping ProcessState = 40
	Exited   ProcessState = 100
	Fatal    ProcessState = 200
	Unknown  ProcessState = 1000
)

// Down tells whether a process in this state has no child and gets none unless it is started.
func (s ProcessState) Down() bool {
	return s == Stopped || s == Exited || s == Fatal || s == Unknown
}

// A ProcessInfo says how a process is.
type ProcessInfo struct {
	Name          string       `rpc:"name"`
	Group         string       `rpc:"group"`
	Start         time.Time    `rpc:"start"` // zero: never
	Stop          time.Time    `rpc:"stop"`  // zero: never
	Now           time.Time    `rpc:"now"`   // by the server's clock
	State         ProcessState `rpc:"state"`
	StateName     string       `rpc:"statename"`
	SpawnErr      string       `rpc:"spawnerr"`
	ExitStatus    int          `rpc:"exitstatus"` // -1: killed by a signal
	StdoutLogfile string       `rpc:"stdout_logfile"`
	StderrLogfile string       `rpc:"stderr_logfile"`
	PID           int          `rpc:"pid"` // 0: not running
	Description   string       `rpc:"description"`
}

// A ProcessDetails says all that Holdfast knows of a process.
type ProcessDetails struct {
	ProcessInfo
	Ready       bool      `rpc:"ready"`        // without a readiness check: it is Running
	NotReady    string    `rpc:"not_ready"`    // why it is not, where that is known
	ReadySince  time.Time `rpc:"ready_since"`  // since when it is what Ready says; zero: there is no check, or no process
	Waiting     string    `rpc:"waiting"`      // "waiting for …" while its start or stop does; empty: it doesn't
	Status      string    `rpc:"status"`       // what it says of itself (sd_notify)
	MainPID     int       `rpc:"main_pid"`     // behind a wrapper another one than PID; 0: not running
	MainCommand string    `rpc:"main_command"` // with its arguments, cut; empty: it can't be told
	LastExit    string    `rpc:"last_exit"`    // how it ended last, at Stop, in words: "exit status 3"; empty: never
	Restarts    int       `rpc:"restarts"`     // since it was asked for
	Next        time.Time `rpc:"next"`         // when it is started again, or in Stopping stopped harder; zero: it is not
	Readiness   string    `rpc:"readiness"`    // the check that is configured; empty: none
	Liveness    string    `rpc:"liveness"`     // the same
	Reload      string    `rpc:"reload"`       // what ReloadProcess does: "SIGHUP", "exec:COMMAND"; empty: nothing
	DependsOn   []string  `rpc:"depends_on"`   // the names of what its start waits for
}

// A DaemonInfo says how supervisord itself is.
type DaemonInfo struct {
	Version string `rpc:"version"`
	PID     int    `rpc:"pid"`     // the one that stays, as in the pidfile
	Daemon  int    `rpc:"daemon"`  // of the process that does the work, which changes
	Since   int    `rpc:"since"`   // when that was started, in seconds since 1970
	Program string `rpc:"program"` // what it executes
	Config  string `rpc:"config"`  // path of its configuration
	Trouble string `rpc:"trouble"` // what became of the daemon before it, or of the one that was to replace it; empty: nothing bad
}

// A ConfigInfo is what the configuration says of a process. Texts are "none" for an option that
// has no value, and "auto" for AUTO.
type ConfigInfo struct {
	AutoStart             bool   `rpc:"autostart"`
	AutoRestart           string `rpc:"autorestart"` // "true", "false" or "unexpected"; empty: not told
	Directory             string `rpc:"directory"`
	UID                   string `rpc:"uid"`
	Command               string `rpc:"command"`
	ExitCodes             []int  `rpc:"exitcodes"`
	Group                 string `rpc:"group"`
	GroupPriority         int    `rpc:"group_prio"`
	InUse                 bool   `rpc:"inuse"` // the group is active
	KillAsGroup           bool   `rpc:"killasgroup"`
	Name                  string `rpc:"name"`
	ProcessPriority       int    `rpc:"process_prio"`
	RedirectStderr        bool   `rpc:"redirect_stderr"`
	StartRetries          int    `rpc:"startretries"`
	StartSecs             int    `rpc:"startsecs"`
	StdoutCaptureMaxBytes int    `rpc:"stdout_capture_maxbytes"`
	StdoutEventsEnabled   bool   `rpc:"stdout_events_enabled"`
	StdoutLogfile         string `rpc:"stdout_logfile"`
	StdoutLogfileBackups  int    `rpc:"stdout_logfile_backups"`
	StdoutLogfileMaxBytes int    `rpc:"stdout_logfile_maxbytes"`
	StdoutSyslog          bool   `rpc:"stdout_syslog"`
	StopSignal            int    `rpc:"stopsignal"`
	StopWaitSecs          int    `rpc:"stopwaitsecs"`
	StderrCaptureMaxBytes int    `rpc:"stderr_capture_maxbytes"`
	StderrEventsEnabled   bool   `rpc:"stderr_events_enabled"`
	StderrLogfile         string `rpc:"stderr_logfile"`
	StderrLogfileBackups  int    `rpc:"stderr_logfile_backups"`
	StderrLogfileMaxBytes int    `rpc:"stderr_logfile_maxbytes"`
	StderrSyslog          bool   `rpc:"stderr_syslog"`
	ServerURL             string `rpc:"serverurl"`
}

// A Result is the outcome of a call on several processes for one of them.
type Result struct {
	Name        string `rpc:"name"`
	Group       string `rpc:"group"`
	Status      int    `rpc:"status"` // Success, or what would be a Fault's code
	Description string `rpc:"description"`
}

// A DaemonState is the state of supervisord itself; 1, "RUNNING", is the only one in which it
// answers the question.
type DaemonState struct {
	Code int    `rpc:"statecode"`
	Name string `rpc:"statename"`
}

// decode puts v, the value of a response, where into points. A member that the response lacks stays
// as it is: older servers do not send them all.
func decode(v any, into any) error { return set(v, reflect.ValueOf(into).Elem(), "value") }

func set(v any, into reflect.Value, what string) error {
	switch v := v.(type) {
	case Struct:
		if into.Kind() != reflect.Struct {
			break
		}
		for i := range into.NumField() {
			field := into.Type().Field(i)
			if field.Anonymous {
				if err := set(v, into.Field(i), what); err != nil {
					return err
				}
				continue
			}
			name := field.Tag.Get("rpc")
			if x := v.Get(name); x != nil {
				if err := set(x, into.Field(i), name); err != nil {
					return err
				}
			}
		}
		return nil
	case []any:
		if into.Kind() != reflect.Slice {
			break
		}
		s := reflect.MakeSlice(into.Type(), len(v), len(v))
		for i, x := range v {
			if err := set(x, s.Index(i), what); err != nil {
				return err
			}
		}
		into.Set(s)
		return nil
	case string:
		if into.Kind() == reflect.String {
			into.SetString(v)
			return nil
		}
	case bool:
		switch into.Kind() {
		case reflect.Bool:
			into.SetBool(v)
			return nil
		case reflect.String:
			into.SetString(strconv.FormatBool(v))
			return nil
		}
	case int64:
		switch into.Kind() {
		case reflect.Int:
			into.SetInt(v)
			return nil
		case reflect.String:
			into.SetString(strconv.FormatInt(v, 10))
			return nil
		case reflect.Struct:
			if t, ok := into.Addr().Interface().(*time.Time); ok {
				if v != 0 {
					*t = time.Unix(v, 0)
				}
				return nil
			}
		}
	}
	return fmt.Errorf("cannot understand the answer: %s is a %T", what, v)
}

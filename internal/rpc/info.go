package rpc

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"holdfast/internal/config"
	"holdfast/internal/process"
	"holdfast/internal/supervisor"
	"holdfast/internal/xmlrpc"
)

func processInfo(c *call) (any, error) {
	name, err := c.oneProcess(0)
	if err != nil {
		return nil, err
	}
	info, err := c.api.ProcessInfo(name)
	if err != nil {
		return nil, err
	}
	return infoStruct(info), nil
}

func allProcessInfo(c *call) (any, error) {
	infos, err := c.api.AllProcessInfo()
	if err != nil {
		return nil, err
	}
	array := make([]any, len(infos))
	for i, info := range infos {
		array[i] = infoStruct(info)
	}
	return array, nil
}

// infoStruct has its members in the order of the original.
func infoStruct(i supervisor.Info) xmlrpc.Struct {
	return xmlrpc.Struct{
		{Name: "name", Value: i.Name},
		{Name: "group", Value: i.Group},
		{Name: "start", Value: epoch(i.Start)},
		{Name: "stop", Value: epoch(i.Stop)},
		{Name: "now", Value: epoch(i.Now)},
		{Name: "state", Value: int(i.State)},
		{Name: "statename", Value: i.State.String()},
		{Name: "spawnerr", Value: i.SpawnErr},
		{Name: "exitstatus", Value: i.ExitStatus},
		{Name: "logfile", Value: i.StdoutLog},
		{Name: "stdout_logfile", Value: i.StdoutLog},
		{Name: "stderr_logfile", Value: i.StderrLog},
		{Name: "pid", Value: i.PID},
		{Name: "description", Value: description(i)},
	}
}

// epoch is t in whole seconds, as far as 32 bits go; 0 is never.
func epoch(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return min(max(t.Unix(), math.MinInt32), math.MaxInt32)
}

// description is what status shows behind a process's state.
func description(i supervisor.Info) string {
	switch i.State {
	case process.Running:
		return fmt.Sprintf("pid %d, uptime %s", i.PID, uptime(epoch(i.Now)-epoch(i.Start)))
	case process.Fatal, process.Backoff:
		if i.SpawnErr == "" {
			return fmt.Sprintf("unknown error (try \"tail %s\")", i.Name)
		}
		return i.SpawnErr
	case process.Stopped, process.Exited:
		if epoch(i.Start) == 0 {
			return "Not started"
		}
		return time.Unix(epoch(i.Stop), 0).Format("Jan 02 03:04 PM")
	}
	return i.Waiting // Differs: the original has nothing that waits
}

// uptime is Python's text of a time span.
func uptime(secs int64) string {
	secs = max(secs, 0) // the clock was set back
	days, secs := secs/86400, secs%86400
	text := fmt.Sprintf("%d:%02d:%02d", secs/3600, secs/60%60, secs%60)
	switch days {
	case 0:
		return text
	case 1:
		return "1 day, " + text
	}
	return strconv.FormatInt(days, 10) + " days, " + text
}

func allConfigInfo(c *call) (any, error) {
	infos, err := c.api.AllConfigInfo()
	if err != nil {
		return nil, err
	}
	array := make([]any, len(infos))
	for i, info := range infos {
		array[i] = configStruct(info)
	}
	return array, nil
}

// configStruct has its members in the order of the original.
func configStruct(i supervisor.ConfigInfo) xmlrpc.Struct {
	p := i.Process
	exitCodes := make([]any, len(p.ExitCodes))
	for i, code := range p.ExitCodes {
		exitCodes[i] = code
	}
	s := xmlrpc.Struct{
		{Name: "autostart", Value: p.AutoStart},
		{Name: "autorestart", Value: autoRestart(p.AutoRestart)},
		{Name: "directory", Value: orNone(p.Directory, p.DirectorySet)},
		{Name: "uid", Value: uid(p.UID)},
		{Name: "command", Value: p.Command},
		{Name: "exitcodes", Value: exitCodes},
		{Name: "group", Value: p.Group},
		{Name: "group_prio", Value: i.GroupPriority},
		{Name: "inuse", Value: i.InUse},
		{Name: "killasgroup", Value: p.KillAsGroup},
		{Name: "name", Value: p.Name},
		{Name: "process_prio", Value: p.Priority},
		{Name: "redirect_stderr", Value: p.RedirectStderr},
		{Name: "startretries", Value: p.StartRetries},
		{Name: "startsecs", Value: p.StartSecs},
	}
	s = append(s, logMembers("stdout", p.Stdout)...)
	s = append(s,
		xmlrpc.Member{Name: "stopsignal", Value: int(p.StopSignal)},
		xmlrpc.Member{Name: "stopwaitsecs", Value: p.StopWaitSecs})
	s = append(s, logMembers("stderr", p.Stderr)...)
	return append(s, xmlrpc.Member{Name: "serverurl", Value: orNone(p.ServerURL, p.ServerURLSet)})
}

// logMembers is what the API tells of the log of one channel.
//
// Differs: an AUTO log is "auto"; for the original it is the file's name until the first reread.
func logMembers(channel string, l config.Log) xmlrpc.Struct {
	file := orNone(l.File, l.File != "" || l.Empty)
	if l.Auto && l.File == "" {
		file = "auto"
	}
	return xmlrpc.Struct{
		{Name: channel + "_capture_maxbytes", Value: l.CaptureMaxBytes},
		{Name: channel + "_events_enabled", Value: l.EventsEnabled},
		{Name: channel + "_logfile", Value: file},
		{Name: channel + "_logfile_backups", Value: l.Backups},
		{Name: channel + "_logfile_maxbytes", Value: l.MaxBytes},
		{Name: channel + "_syslog", Value: l.Syslog},
	}
}

// autoRestart is the option's value.
// Differs: the original fails with HTTP 500 where a process is restarted always.
func autoRestart(a config.AutoRestart) any {
	switch a {
	case config.RestartAlways:
		return true
	case config.RestartUnexpected:
		return "unexpected"
	}
	return false
}

func uid(u *int) any {
	if u == nil {
		return "none"
	}
	return *u
}

func orNone(s string, set bool) string {
	if !set {
		return "none"
	}
	return s
}

package rpc

import (
	"fmt"

	"holdfast/internal/config"
	"holdfast/internal/process"
	"holdfast/internal/supervisor"
	"holdfast/internal/xmlrpc"
)

// A DaemonInfo is what is known of supervisord itself.
type DaemonInfo struct {
	Version string
	PID     int    // the one that stays
	Daemon  int    // of the process that does the work
	Since   int64  // when that one was started, in seconds since 1970
	Program string // what it executes
	Config  string // path of its configuration
	Trouble string // what became of the daemon before it, or of the one that was to replace it; empty: nothing bad
}

// A MainProcess is the process that does what a program is there for, which may stand behind a wrapper.
type MainProcess struct {
	PID     int    // 0: there is none
	Command string // with its arguments; empty: it can't be told
}

// holdfastMethods are those that the original has not.
var holdfastMethods = []method{
	{name: "getDaemonInfo", returns: "struct", help: "What is known of supervisord itself: version, pid (the one that stays), daemon (the pid of the process that does the work), since, program, config, and trouble, which is what became of the daemon before it if that did not end well.",
		do: daemonInfo},
	{name: "upgrade", returns: "boolean", params: []param{pathParam}, help: "Put the supervisord at that path, or the one that runs if it is empty, in charge of all processes, on the configuration as it is now. The new one is asked first: if it could not take over, that is a fault which says why, and nothing has changed. Returns when the change begins; getDaemonInfo tells when another daemon answers.",
		do: func(c *call) (any, error) { return true, c.daemon.Upgrade(c.ctx, c.text(0)) }},
	{name: "getProcessInfo", returns: "struct", params: []param{nameParam}, help: "What is known of one process: the members of supervisor.getProcessInfo, and behind them " + detailsHelp, do: processDetails},
	{name: "getAllProcessInfo", returns: "array", help: "What is known of each process, as getProcessInfo tells it.", do: allProcessDetails},
	{name: "reloadProcess", returns: "boolean", params: []param{nameParam}, help: "Have a process read its own configuration again, by its reload_command or reload_signal; with a command it returns when that has ended, and is fault 30 if it did not end well.", do: reloadProcess},
}

const detailsHelp = "ready (boolean), not_ready (why it is not, where that is known), ready_since (of ready or not ready, where there is a readiness check; else 0), waiting (what a start or stop waits for), " +
	"status (what it says of itself), main_pid and main_command (of the process behind a wrapper; 0 and empty: there is none), last_exit (how it ended last, in words), restarts (since it was asked for), " +
	"next (when it is started again or stopped harder; 0: it is not), readiness, liveness and reload (what is configured; empty: nothing) and depends_on (an array of names)."

func daemonInfo(c *call) (any, error) {
	d := c.daemon.Info()
	return xmlrpc.Struct{
		{Name: "version", Value: d.Version},
		{Name: "pid", Value: d.PID},
		{Name: "daemon", Value: d.Daemon},
		{Name: "since", Value: d.Since},
		{Name: "program", Value: d.Program},
		{Name: "config", Value: d.Config},
		{Name: "trouble", Value: d.Trouble},
	}, nil
}

func processDetails(c *call) (any, error) {
	name, err := c.oneProcess(0)
	if err != nil {
		return nil, err
	}
	info, err := c.api.ProcessInfo(name)
	if err != nil {
		return nil, err
	}
	return c.details([]supervisor.Info{info})[0], nil
}

func allProcessDetails(c *call) (any, error) {
	infos, err := c.api.AllProcessInfo()
	if err != nil {
		return nil, err
	}
	return c.details(infos), nil
}

func reloadProcess(c *call) (any, error) {
	name, err := c.oneProcess(0)
	if err != nil {
		return nil, err
	}
	return true, c.api.ReloadProcess(c.ctx, name)
}

func (c *call) details(infos []supervisor.Info) []any {
	mains := c.daemon.MainProcesses(infos)
	array := make([]any, len(infos))
	for i, info := range infos {
		array[i] = detailsStruct(info, mains[i])
	}
	return array
}

func detailsStruct(i supervisor.Info, m MainProcess) xmlrpc.Struct {
	lastExit := ""
	if i.LastExit != nil {
		lastExit = i.LastExit.Long()
	}
	needs := make([]any, len(i.Config.DependsOn))
	for n, d := range i.Config.DependsOn {
		needs[n] = namespec(d.Group, d.Name)
	}
	return append(infoStruct(i), xmlrpc.Struct{
		{Name: "ready", Value: i.Ready},
		{Name: "not_ready", Value: i.NotReady},
		{Name: "ready_since", Value: epoch(i.ReadySince)},
		{Name: "waiting", Value: i.Waiting},
		{Name: "status", Value: i.Status},
		{Name: "main_pid", Value: m.PID},
		{Name: "main_command", Value: m.Command},
		{Name: "last_exit", Value: lastExit},
		{Name: "restarts", Value: i.Restarts},
		{Name: "next", Value: epoch(i.Next)},
		{Name: "readiness", Value: checkText(i.Config.Health.Ready)},
		{Name: "liveness", Value: livenessText(&i.Config.Health)},
		{Name: "reload", Value: reloadText(&i.Config.Hooks)},
		{Name: "depends_on", Value: needs},
	}...)
}

// namespec is how a process is named where its group need not be.
func namespec(group, name string) string {
	if group == name {
		return name
	}
	return group + ":" + name
}

// checkText is the option's value as it may be written.
func checkText(c *config.Check) string {
	if c == nil {
		return ""
	}
	switch c.Kind {
	case config.CheckNotify:
		return "notify"
	case config.CheckTCP:
		return "tcp://" + c.Target
	case config.CheckExec:
		return "exec:" + c.Target
	case config.CheckFile:
		return "file:" + c.Target
	case config.CheckOutput:
		return "output:" + c.Target
	}
	return c.Target
}

func livenessText(h *config.Health) string {
	text := checkText(h.Live)
	if h.WatchdogSecs == 0 {
		return text
	}
	watchdog := fmt.Sprintf("watchdog_secs=%d", h.WatchdogSecs)
	if text == "" {
		return watchdog
	}
	return text + ", " + watchdog
}

// reloadText says what has a process read its configuration again.
func reloadText(h *config.Hooks) string {
	switch {
	case h.ReloadSignal != 0:
		return process.SignalName(h.ReloadSignal)
	case h.Reload != "":
		return "exec:" + h.Reload
	}
	return ""
}

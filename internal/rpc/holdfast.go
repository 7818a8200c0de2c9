package rpc

import "holdfast/internal/xmlrpc"

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

// holdfastMethods are those that the original has not.
var holdfastMethods = []method{
	{name: "getDaemonInfo", returns: "struct", help: "What is known of supervisord itself: version, pid (the one that stays), daemon (the pid of the process that does the work), since, program, config, and trouble, which is what became of the daemon before it if that did not end well.",
		do: daemonInfo},
	{name: "upgrade", returns: "boolean", params: []param{pathParam}, help: "Put the supervisord at that path, or the one that runs if it is empty, in charge of all processes, on the configuration as it is now. The new one is asked first: if it could not take over, that is a fault which says why, and nothing has changed. Returns when the change begins; getDaemonInfo tells when another daemon answers.",
		do: func(c *call) (any, error) { return true, c.daemon.Upgrade(c.ctx, c.text(0)) }},
}

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

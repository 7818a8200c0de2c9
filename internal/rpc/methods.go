package rpc

import (
	"context"
	"errors"
	"io/fs"
	"strings"

	"holdfast/internal/supervisor"
	"holdfast/internal/xmlrpc"
)

// A method is one row of the API.
type method struct {
	name    string // without its namespace
	returns string // the type, as methodSignature tells it
	params  []param
	help    string
	anyMood bool // also while the supervisor shuts down or restarts
	do      func(c *call) (any, error)
}

// A call is a method with its arguments: as many as the method has parameters, each what its
// param's take makes of it.
type call struct {
	*server
	ctx  context.Context
	args []any
}

func (c *call) text(i int) string { return c.args[i].(string) }
func (c *call) int(i int) int64   { return c.args[i].(int64) }
func (c *call) truth(i int) bool  { return c.args[i].(bool) }

// invoke calls the method of that name. The order of the checks is the original's.
func (s *server) invoke(ctx context.Context, name string, params []any) (any, error) {
	m := s.methods[name]
	if m == nil {
		return nil, fault(unknownMethod, "")
	}
	if len(params) > len(m.params) || len(params) < len(m.params) && m.params[len(params)].omitted == nil {
		return nil, fault(incorrectParameters, "")
	}
	if !m.anyMood {
		if err := s.api.Ready(); err != nil {
			return nil, err
		}
	}
	c := &call{server: s, ctx: ctx, args: make([]any, len(m.params))}
	for i, p := range m.params {
		if i >= len(params) {
			c.args[i] = p.omitted
			continue
		}
		var err error
		if c.args[i], err = p.take(p.name, params[i]); err != nil {
			return nil, err
		}
	}
	return m.do(c)
}

// supervisorMethods is the supervisor's interface.
var supervisorMethods = []method{
	{name: "getAPIVersion", returns: "string", help: "The version of this API.", do: apiVersion},
	{name: "getVersion", returns: "string", help: "Old name of getAPIVersion.", do: apiVersion},
	{name: "getSupervisorVersion", returns: "string", help: "The version of the supervisor package.",
		do: func(c *call) (any, error) { return c.daemon.Version(), nil }},
	{name: "getIdentification", returns: "string", help: "The identifier that the configuration or the command line gives to this supervisord.",
		do: func(c *call) (any, error) { return c.api.Identifier() }},
	{name: "getState", returns: "struct", help: "The state of supervisord as a whole: statecode and statename.",
		// In another mood the call has been refused before.
		do: func(c *call) (any, error) {
			return xmlrpc.Struct{{Name: "statecode", Value: int(supervisor.MoodRunning)}, {Name: "statename", Value: "RUNNING"}}, nil
		}},
	{name: "getPID", returns: "int", help: "The process id of supervisord.",
		do: func(c *call) (any, error) { return c.daemon.PID(), nil }},

	{name: "readLog", returns: "string", params: []param{offsetParam, lengthParam}, help: "A slice of the main log. " + sliceHelp, do: readMainLog},
	{name: "readMainLog", returns: "string", params: []param{offsetParam, lengthParam}, help: "Old name of readLog.", do: readMainLog},
	{name: "clearLog", returns: "boolean", help: "Empty the main log.", do: clearLog},
	{name: "shutdown", returns: "boolean", help: "Stop all processes and then supervisord. It returns at once.",
		do: func(c *call) (any, error) { return true, c.api.Shutdown() }},
	{name: "restart", returns: "boolean", help: "Stop all processes and start supervisord anew, with its configuration read again. It returns at once.",
		do: func(c *call) (any, error) { return true, c.api.Restart() }},
	{name: "reloadConfig", returns: "array", help: "Read the configuration again. Nothing is started or stopped: it returns [[added, changed, removed]], each the names of groups.",
		do: reloadConfig},
	{name: "addProcessGroup", returns: "boolean", params: []param{nameParam}, help: "Make a group of the configuration read last active.",
		do: func(c *call) (any, error) { return true, c.api.AddGroup(c.ctx, c.text(0)) }},
	{name: "removeProcessGroup", returns: "boolean", params: []param{nameParam}, help: "Take a group, all its processes stopped, out of the active ones.",
		do: func(c *call) (any, error) { return true, c.api.RemoveGroup(c.ctx, c.text(0)) }},

	{name: "startProcess", returns: "boolean", params: []param{nameParam, waitParam}, help: "Start a process; with wait return when it is RUNNING. " + groupHelp, do: startProcess},
	{name: "startProcessGroup", returns: "array", params: []param{groupParam, waitParam}, help: "Start all processes of a group. " + resultsHelp,
		do: func(c *call) (any, error) { return results(c.api.StartGroup(c.ctx, c.text(0), c.truth(1))) }},
	{name: "startAllProcesses", returns: "array", params: []param{waitParam}, help: "Start all processes. " + resultsHelp,
		do: func(c *call) (any, error) { return results(c.api.StartAll(c.ctx, c.truth(0))) }},
	{name: "stopProcess", returns: "boolean", params: []param{nameParam, waitParam}, help: "Stop a process; with wait return when it is stopped. " + groupHelp, do: stopProcess},
	{name: "stopProcessGroup", returns: "array", params: []param{groupParam, waitParam}, help: "Stop all processes of a group. " + resultsHelp,
		do: func(c *call) (any, error) { return results(c.api.StopGroup(c.ctx, c.text(0), c.truth(1))) }},
	{name: "stopAllProcesses", returns: "array", params: []param{waitParam}, help: "Stop all processes. " + resultsHelp,
		do: func(c *call) (any, error) { return results(c.api.StopAll(c.ctx, c.truth(0))) }},
	{name: "signalProcess", returns: "boolean", params: []param{nameParam, signalParam}, help: "Send a signal, by name or number, to a process. " + groupHelp, do: signalProcess},
	{name: "signalProcessGroup", returns: "array", params: []param{groupParam, signalParam}, help: "Send a signal to all processes of a group. " + resultsHelp,
		do: func(c *call) (any, error) { return results(c.api.SignalGroup(c.ctx, c.text(0), c.text(1))) }},
	{name: "signalAllProcesses", returns: "array", params: []param{signalParam}, help: "Send a signal to all processes. " + resultsHelp,
		do: func(c *call) (any, error) { return results(c.api.SignalAll(c.ctx, c.text(0))) }},

	{name: "getAllConfigInfo", returns: "array", help: "The configuration of each process, as it was read last.", do: allConfigInfo},
	{name: "getProcessInfo", returns: "struct", params: []param{nameParam}, help: "What is known of one process.", do: processInfo},
	{name: "getAllProcessInfo", returns: "array", help: "What is known of each process.", do: allProcessInfo},

	{name: "readProcessStdoutLog", returns: "string", params: logParams, help: "A slice of the log of a process's stdout. " + sliceHelp, do: readProcessLog(stdoutLog)},
	{name: "readProcessLog", returns: "string", params: logParams, help: "Old name of readProcessStdoutLog.", do: readProcessLog(stdoutLog)},
	{name: "readProcessStderrLog", returns: "string", params: logParams, help: "A slice of the log of a process's stderr. " + sliceHelp, do: readProcessLog(stderrLog)},
	{name: "tailProcessStdoutLog", returns: "array", params: logParams, help: "Follow the log of a process's stdout. " + tailHelp, do: tailProcessLog(stdoutLog)},
	{name: "tailProcessLog", returns: "array", params: logParams, help: "Old name of tailProcessStdoutLog.", do: tailProcessLog(stdoutLog)},
	{name: "tailProcessStderrLog", returns: "array", params: logParams, help: "Follow the log of a process's stderr. " + tailHelp, do: tailProcessLog(stderrLog)},
	{name: "clearProcessLogs", returns: "boolean", params: []param{nameParam}, help: "Empty the logs of a process.", do: clearProcessLogs},
	{name: "clearProcessLog", returns: "boolean", params: []param{nameParam}, help: "Old name of clearProcessLogs.", do: clearProcessLogs},
	{name: "clearAllProcessLogs", returns: "array", help: "Empty the logs of all processes. " + resultsHelp,
		do: func(c *call) (any, error) { return results(c.api.ClearAllLogs(c.ctx)) }},

	{name: "sendProcessStdin", returns: "boolean", params: []param{nameParam, charsParam}, help: "Write text to the stdin of a process.", do: sendProcessStdin},
	{name: "sendRemoteCommEvent", returns: "boolean", params: []param{typeParam, dataParam}, help: "Send a REMOTE_COMMUNICATION event to the event listeners that subscribe to it.", anyMood: true,
		do: func(c *call) (any, error) { return true, c.api.SendRemoteCommEvent(c.text(0), c.text(1)) }},
}

var logParams = []param{nameParam, offsetParam, lengthParam}

const (
	groupHelp   = "\"group:*\" is all processes of a group and returns an array as for the group."
	resultsHelp = "It returns an array with name, group, status (80, or a fault's code) and description of each process that there was something to do for."
	sliceHelp   = "length bytes from offset on, to the end if length is 0; a negative offset with length 0 is the last bytes."
	tailHelp    = "It returns [text, size, overflow]; ask again with size as the offset. overflow tells that there is more than length since offset, and text is then the last of it."
)

func apiVersion(*call) (any, error) { return "3.0", nil }

// wholeGroup tells whether a name means all processes of a group: "group:*" or "group:".
func wholeGroup(name string) (group string, ok bool) {
	group, process, ok := strings.Cut(name, ":")
	return group, ok && group != "" && (process == "" || process == "*")
}

// oneProcess returns a name that means one process.
func (c *call) oneProcess(i int) (string, error) {
	name := c.text(i)
	if _, ok := wholeGroup(name); ok {
		return "", fault(badName, name)
	}
	return name, nil
}

func startProcess(c *call) (any, error) {
	if group, ok := wholeGroup(c.text(0)); ok {
		return c.groupResults(c.api.StartGroup(c.ctx, group, c.truth(1)))
	}
	return true, c.api.StartProcess(c.ctx, c.text(0), c.truth(1))
}

func stopProcess(c *call) (any, error) {
	if group, ok := wholeGroup(c.text(0)); ok {
		return c.groupResults(c.api.StopGroup(c.ctx, group, c.truth(1)))
	}
	return true, c.api.StopProcess(c.ctx, c.text(0), c.truth(1))
}

func signalProcess(c *call) (any, error) {
	if group, ok := wholeGroup(c.text(0)); ok {
		return c.groupResults(c.api.SignalGroup(c.ctx, group, c.text(1)))
	}
	return true, c.api.SignalProcess(c.ctx, c.text(0), c.text(1))
}

func sendProcessStdin(c *call) (any, error) {
	name, err := c.oneProcess(0)
	if err != nil {
		return nil, err
	}
	return true, c.api.SendStdin(c.ctx, name, c.text(1))
}

func clearProcessLogs(c *call) (any, error) {
	name, err := c.oneProcess(0)
	if err != nil {
		return nil, err
	}
	return true, c.api.ClearLogs(c.ctx, name)
}

func clearLog(c *call) (any, error) {
	if c.daemon.MainLog() == "" {
		return nil, fault(noFile, "")
	}
	err := c.daemon.ClearMainLog()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault(noFile, "")
	}
	if err != nil {
		return nil, fault(failed, "")
	}
	return true, nil
}

func reloadConfig(c *call) (any, error) {
	added, changed, removed, err := c.api.ReloadConfig(c.ctx)
	if err != nil {
		return nil, err
	}
	return []any{[]any{added, changed, removed}}, nil
}

// groupResults is results for a name that means a whole group, which a fault tells as it was given.
func (c *call) groupResults(rs []supervisor.Result, err error) (any, error) {
	if errors.Is(err, supervisor.ErrBadName) {
		return nil, fault(badName, c.text(0))
	}
	return results(rs, err)
}

// results is the outcome for each process of a call on several.
func results(rs []supervisor.Result, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	array := make([]any, len(rs))
	for i, r := range rs {
		status, description := success, "OK"
		if r.Err != nil {
			f := toFault(r.Err)
			status, description = f.Code, f.String
		}
		array[i] = xmlrpc.Struct{
			{Name: "name", Value: r.Name},
			{Name: "group", Value: r.Group},
			{Name: "status", Value: status},
			{Name: "description", Value: description},
		}
	}
	return array, nil
}

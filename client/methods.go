package client

import (
	"context"
	"fmt"
)

// get calls a method whose answer is decoded into a T.
func get[T any](ctx context.Context, c *Client, method string, params ...any) (T, error) {
	var t T
	v, err := c.Call(ctx, method, params...)
	if err == nil {
		if err = decode(v, &t); err != nil {
			err = fmt.Errorf("cannot call %s: %w", method, err)
		}
	}
	return t, err
}

// do calls a method whose answer says nothing but that it was done.
func do(ctx context.Context, c *Client, method string, params ...any) error {
	_, err := c.Call(ctx, method, params...)
	return err
}

// APIVersion returns the version of the API: "3.0".
func (c *Client) APIVersion(ctx context.Context) (string, error) {
	return get[string](ctx, c, "supervisor.getAPIVersion")
}

// Version is APIVersion under its first name, which every server has.
func (c *Client) Version(ctx context.Context) (string, error) {
	return get[string](ctx, c, "supervisor.getVersion")
}

// SupervisorVersion returns the version of the server.
func (c *Client) SupervisorVersion(ctx context.Context) (string, error) {
	return get[string](ctx, c, "supervisor.getSupervisorVersion")
}

// Identification returns the server's identifier, an option of its configuration.
func (c *Client) Identification(ctx context.Context) (string, error) {
	return get[string](ctx, c, "supervisor.getIdentification")
}

func (c *Client) State(ctx context.Context) (DaemonState, error) {
	return get[DaemonState](ctx, c, "supervisor.getState")
}

// PID returns the process id of supervisord.
func (c *Client) PID(ctx context.Context) (int, error) {
	return get[int](ctx, c, "supervisor.getPID")
}

// ReadLog returns length bytes of supervisord's own log from offset on; with length 0 all from
// there, and with a negative offset and length 0 the last -offset bytes.
func (c *Client) ReadLog(ctx context.Context, offset, length int) (string, error) {
	return get[string](ctx, c, "supervisor.readLog", offset, length)
}

// ClearLog empties supervisord's own log.
func (c *Client) ClearLog(ctx context.Context) error { return do(ctx, c, "supervisor.clearLog") }

// Shutdown begins to stop all processes and then supervisord. It does not wait.
func (c *Client) Shutdown(ctx context.Context) error { return do(ctx, c, "supervisor.shutdown") }

// Restart stops all processes and has supervisord begin anew. It does not wait.
func (c *Client) Restart(ctx context.Context) error { return do(ctx, c, "supervisor.restart") }

// ReloadConfig has the configuration read again and returns the names of the groups that are in it
// and not active, that differ, and that are active and no longer in it. No process is touched.
func (c *Client) ReloadConfig(ctx context.Context) (added, changed, removed []string, err error) {
	v, err := get[[][][]string](ctx, c, "supervisor.reloadConfig")
	if err != nil {
		return nil, nil, nil, err
	}
	if len(v) != 1 || len(v[0]) != 3 {
		return nil, nil, nil, fmt.Errorf("cannot call supervisor.reloadConfig: cannot understand the answer")
	}
	return v[0][0], v[0][1], v[0][2], nil
}

// AddProcessGroup makes a group active that the configuration read last has.
func (c *Client) AddProcessGroup(ctx context.Context, group string) error {
	return do(ctx, c, "supervisor.addProcessGroup", group)
}

// RemoveProcessGroup makes a group inactive whose processes are all stopped.
func (c *Client) RemoveProcessGroup(ctx context.Context, group string) error {
	return do(ctx, c, "supervisor.removeProcessGroup", group)
}

// StartProcess starts a process; with wait it returns when the process is RUNNING or has failed.
func (c *Client) StartProcess(ctx context.Context, name string, wait bool) error {
	return do(ctx, c, "supervisor.startProcess", name, wait)
}

// StartProcessGroup starts all processes of a group that are not running; they alone are in the result.
func (c *Client) StartProcessGroup(ctx context.Context, group string, wait bool) ([]Result, error) {
	return get[[]Result](ctx, c, "supervisor.startProcessGroup", group, wait)
}

func (c *Client) StartAllProcesses(ctx context.Context, wait bool) ([]Result, error) {
	return get[[]Result](ctx, c, "supervisor.startAllProcesses", wait)
}

// StopProcess stops a process; with wait it returns when the process is stopped.
func (c *Client) StopProcess(ctx context.Context, name string, wait bool) error {
	return do(ctx, c, "supervisor.stopProcess", name, wait)
}

// StopProcessGroup stops all processes of a group that are running; they alone are in the result.
func (c *Client) StopProcessGroup(ctx context.Context, group string, wait bool) ([]Result, error) {
	return get[[]Result](ctx, c, "supervisor.stopProcessGroup", group, wait)
}

func (c *Client) StopAllProcesses(ctx context.Context, wait bool) ([]Result, error) {
	return get[[]Result](ctx, c, "supervisor.stopAllProcesses", wait)
}

// SignalProcess sends a signal: "HUP", "SIGHUP" or "1".
func (c *Client) SignalProcess(ctx context.Context, name, signal string) error {
	return do(ctx, c, "supervisor.signalProcess", name, signal)
}

func (c *Client) SignalProcessGroup(ctx context.Context, group, signal string) ([]Result, error) {
	return get[[]Result](ctx, c, "supervisor.signalProcessGroup", group, signal)
}

func (c *Client) SignalAllProcesses(ctx context.Context, signal string) ([]Result, error) {
	return get[[]Result](ctx, c, "supervisor.signalAllProcesses", signal)
}

// AllConfigInfo returns the configuration read last, by the names of the processes.
func (c *Client) AllConfigInfo(ctx context.Context) ([]ConfigInfo, error) {
	return get[[]ConfigInfo](ctx, c, "supervisor.getAllConfigInfo")
}

func (c *Client) ProcessInfo(ctx context.Context, name string) (ProcessInfo, error) {
	return get[ProcessInfo](ctx, c, "supervisor.getProcessInfo", name)
}

// AllProcessInfo returns all processes of all active groups, by group and name.
func (c *Client) AllProcessInfo(ctx context.Context) ([]ProcessInfo, error) {
	return get[[]ProcessInfo](ctx, c, "supervisor.getAllProcessInfo")
}

// ReadProcessStdoutLog is ReadLog for what a process writes to stdout.
func (c *Client) ReadProcessStdoutLog(ctx context.Context, name string, offset, length int) (string, error) {
	return get[string](ctx, c, "supervisor.readProcessStdoutLog", name, offset, length)
}

// ReadProcessStderrLog is ReadLog for what a process writes to stderr.
func (c *Client) ReadProcessStderrLog(ctx context.Context, name string, offset, length int) (string, error) {
	return get[string](ctx, c, "supervisor.readProcessStderrLog", name, offset, length)
}

// A LogTail is the end of a log.
type LogTail struct {
	Text     string
	Offset   int  // the size of the log: the offset to ask for next
	Overflow bool // there was more since the offset asked for
}

// TailProcessStdoutLog returns at most length bytes of what was added since offset.
func (c *Client) TailProcessStdoutLog(ctx context.Context, name string, offset, length int) (LogTail, error) {
	return c.tail(ctx, "supervisor.tailProcessStdoutLog", name, offset, length)
}

// TailProcessStderrLog is TailProcessStdoutLog for stderr.
func (c *Client) TailProcessStderrLog(ctx context.Context, name string, offset, length int) (LogTail, error) {
	return c.tail(ctx, "supervisor.tailProcessStderrLog", name, offset, length)
}

func (c *Client) tail(ctx context.Context, method, name string, offset, length int) (LogTail, error) {
	v, err := c.Call(ctx, method, name, offset, length)
	if err != nil {
		return LogTail{}, err
	}
	if a, ok := v.([]any); ok && len(a) == 3 {
		text, ok1 := a[0].(string)
		size, ok2 := a[1].(int64)
		overflow, ok3 := a[2].(bool)
		if ok1 && ok2 && ok3 {
			return LogTail{text, int(size), overflow}, nil
		}
	}
	return LogTail{}, fmt.Errorf("cannot call %s: cannot understand the answer", method)
}

// ClearProcessLogs empties both logs of a process.
func (c *Client) ClearProcessLogs(ctx context.Context, name string) error {
	return do(ctx, c, "supervisor.clearProcessLogs", name)
}

func (c *Client) ClearAllProcessLogs(ctx context.Context) ([]Result, error) {
	return get[[]Result](ctx, c, "supervisor.clearAllProcessLogs")
}

// SendProcessStdin writes chars to the stdin of a process; a line needs its "\n".
func (c *Client) SendProcessStdin(ctx context.Context, name, chars string) error {
	return do(ctx, c, "supervisor.sendProcessStdin", name, chars)
}

// SendRemoteCommEvent sends an event REMOTE_COMMUNICATION to the event listeners.
func (c *Client) SendRemoteCommEvent(ctx context.Context, typ, data string) error {
	return do(ctx, c, "supervisor.sendRemoteCommEvent", typ, data)
}

// ListMethods returns the names of all methods that can be called.
func (c *Client) ListMethods(ctx context.Context) ([]string, error) {
	return get[[]string](ctx, c, "system.listMethods")
}

func (c *Client) MethodHelp(ctx context.Context, method string) (string, error) {
	return get[string](ctx, c, "system.methodHelp", method)
}

// MethodSignature returns the type of a method's value and then those of its parameters.
func (c *Client) MethodSignature(ctx context.Context, method string) ([]string, error) {
	return get[[]string](ctx, c, "system.methodSignature", method)
}

// A MethodCall is one of the calls of a Multicall.
type MethodCall struct {
	Method string
	Params []any
}

// Multicall makes several calls, one after the other, by one request. The result of a call that
// was refused is a *Fault.
func (c *Client) Multicall(ctx context.Context, calls []MethodCall) ([]any, error) {
	list := make([]any, len(calls))
	for i, m := range calls {
		params := m.Params
		if params == nil {
			params = []any{}
		}
		list[i] = Struct{{Name: "methodName", Value: m.Method}, {Name: "params", Value: params}}
	}
	v, err := c.Call(ctx, "system.multicall", list)
	if err != nil {
		return nil, err
	}
	results, _ := v.([]any)
	if len(results) != len(calls) {
		return nil, fmt.Errorf("cannot call system.multicall: %d answers to %d calls", len(results), len(calls))
	}
	for i, r := range results {
		if s, ok := r.(Struct); ok {
			code, isFault := s.Get("faultCode").(int64)
			if text, ok := s.Get("faultString").(string); ok && isFault {
				results[i] = &Fault{Code: int(code), String: text}
			}
		}
	}
	return results, nil
}

// DaemonInfo returns what is known of supervisord itself. Only Holdfast has it; Supervisor answers with the
// fault UnknownMethod.
func (c *Client) DaemonInfo(ctx context.Context) (DaemonInfo, error) {
	return get[DaemonInfo](ctx, c, "holdfast.getDaemonInfo")
}

// Upgrade puts the supervisord at that path, or if it is empty the one that is installed now, in charge of all
// processes. It returns when that begins: DaemonInfo tells when another daemon answers. The fault Failed says
// why it is refused; then nothing has changed. Only Holdfast has it.
func (c *Client) Upgrade(ctx context.Context, path string) error {
	return do(ctx, c, "holdfast.upgrade", path)
}

// ProcessDetails returns all that is known of a process. Only Holdfast has it.
func (c *Client) ProcessDetails(ctx context.Context, name string) (ProcessDetails, error) {
	return get[ProcessDetails](ctx, c, "holdfast.getProcessInfo", name)
}

// AllProcessDetails returns all that is known of all processes of all active groups, by group and name. Only
// Holdfast has it.
func (c *Client) AllProcessDetails(ctx context.Context) ([]ProcessDetails, error) {
	return get[[]ProcessDetails](ctx, c, "holdfast.getAllProcessInfo")
}

// ReloadProcess has a process read its own configuration again, as its reload_command or reload_signal does it.
// With a command it returns when that has ended; the fault Failed says what went wrong. Only Holdfast has it.
func (c *Client) ReloadProcess(ctx context.Context, name string) error {
	return do(ctx, c, "holdfast.reloadProcess", name)
}

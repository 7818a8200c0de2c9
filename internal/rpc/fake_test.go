package rpc

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"

	"holdfast/internal/config"
	"holdfast/internal/supervisor"
)

// A fakeAPI is a supervisor that notes each call and answers as it is told.
type fakeAPI struct {
	mood    error               // what Ready answers
	err     error               // what every other method answers
	results []supervisor.Result // of calls on several
	info    supervisor.Info     // the only process
	configs []supervisor.ConfigInfo
	started chan bool // if not nil, StartProcess says here that it runs, and waits for its context's end

	mu    sync.Mutex
	calls []string // guarded by mu
}

func (f *fakeAPI) note(format string, args ...any) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, fmt.Sprintf(format, args...))
	return f.err
}

func (f *fakeAPI) Ready() error { return f.mood }
func (f *fakeAPI) StartProcess(ctx context.Context, name string, wait bool) error {
	err := f.note("StartProcess %q %v", name, wait)
	if f.started != nil {
		f.started <- true
		<-ctx.Done()
		return ctx.Err()
	}
	return err
}
func (f *fakeAPI) StartGroup(ctx context.Context, group string, wait bool) ([]supervisor.Result, error) {
	return f.results, f.note("StartGroup %q %v", group, wait)
}
func (f *fakeAPI) StartAll(ctx context.Context, wait bool) ([]supervisor.Result, error) {
	return f.results, f.note("StartAll %v", wait)
}
func (f *fakeAPI) StopProcess(ctx context.Context, name string, wait bool) error {
	return f.note("StopProcess %q %v", name, wait)
}
func (f *fakeAPI) StopGroup(ctx context.Context, group string, wait bool) ([]supervisor.Result, error) {
	return f.results, f.note("StopGroup %q %v", group, wait)
}
func (f *fakeAPI) StopAll(ctx context.Context, wait bool) ([]supervisor.Result, error) {
	return f.results, f.note("StopAll %v", wait)
}
func (f *fakeAPI) SignalProcess(ctx context.Context, name, signal string) error {
	return f.note("SignalProcess %q %q", name, signal)
}
func (f *fakeAPI) SignalGroup(ctx context.Context, group, signal string) ([]supervisor.Result, error) {
	return f.results, f.note("SignalGroup %q %q", group, signal)
}
func (f *fakeAPI) SignalAll(ctx context.Context, signal string) ([]supervisor.Result, error) {
	return f.results, f.note("SignalAll %q", signal)
}
func (f *fakeAPI) ProcessInfo(name string) (supervisor.Info, error) {
	if err := f.note("ProcessInfo %q", name); err != nil {
		return supervisor.Info{}, err
	}
	if name != f.info.Name {
		return supervisor.Info{}, &supervisor.Error{Reason: supervisor.ErrBadName, Detail: name}
	}
	info := f.info
	if info.Config == nil {
		info.Config = &config.Process{}
	}
	return info, nil
}
func (f *fakeAPI) AllProcessInfo() ([]supervisor.Info, error) {
	info := f.info
	if info.Config == nil {
		info.Config = &config.Process{}
	}
	return []supervisor.Info{info}, f.note("AllProcessInfo")
}
func (f *fakeAPI) AllConfigInfo() ([]supervisor.ConfigInfo, error) {
	return f.configs, f.note("AllConfigInfo")
}
func (f *fakeAPI) ReloadConfig(ctx context.Context) (added, changed, removed []string, err error) {
	return []string{"a"}, []string{}, []string{"c", "d"}, f.note("ReloadConfig")
}
func (f *fakeAPI) AddGroup(ctx context.Context, name string) error {
	return f.note("AddGroup %q", name)
}
func (f *fakeAPI) RemoveGroup(ctx context.Context, name string) error {
	return f.note("RemoveGroup %q", name)
}
func (f *fakeAPI) Shutdown() error { return f.note("Shutdown") }
func (f *fakeAPI) Restart() error  { return f.note("Restart") }
func (f *fakeAPI) SendStdin(ctx context.Context, name, chars string) error {
	return f.note("SendStdin %q %q", name, chars)
}
func (f *fakeAPI) ReloadProcess(ctx context.Context, name string) error {
	return f.note("ReloadProcess %q", name)
}
func (f *fakeAPI) ClearLogs(ctx context.Context, name string) error {
	return f.note("ClearLogs %q", name)
}
func (f *fakeAPI) ClearAllLogs(ctx context.Context) ([]supervisor.Result, error) {
	return f.results, f.note("ClearAllLogs")
}
func (f *fakeAPI) SendRemoteCommEvent(typ, data string) error {
	return f.note("SendRemoteCommEvent %q %q", typ, data)
}
func (f *fakeAPI) Identifier() (string, error) { return "the-identifier", f.note("Identifier") }

// A fakeDaemon has a main log, which goes when it is cleared.
type fakeDaemon struct {
	log      string
	clearErr error
	upgrade  func(program string) error
}

func (d fakeDaemon) Version() string { return "4.2.5" }
func (d fakeDaemon) PID() int        { return 4711 }
func (d fakeDaemon) Info() DaemonInfo {
	return DaemonInfo{Version: "4.2.5", PID: 4711, Daemon: 4712, Since: 1700000000, Program: "/usr/bin/supervisord", Config: "/etc/supervisord.conf", Trouble: "none"}
}
func (d fakeDaemon) MainProcesses(infos []supervisor.Info) []MainProcess {
	mains := make([]MainProcess, len(infos))
	for i, info := range infos {
		mains[i] = MainProcess{info.PID + 1, "main of " + info.Name}
	}
	return mains
}
func (d fakeDaemon) Upgrade(_ context.Context, program string) error { return d.upgrade(program) }
func (d fakeDaemon) MainLog() string                                 { return d.log }
func (d fakeDaemon) ClearMainLog() error {
	if d.clearErr != nil {
		return d.clearErr
	}
	if err := os.Remove(d.log); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	} else if err != nil {
		return fmt.Errorf("cannot remove: %w", err)
	}
	return nil
}

// Package child runs children: it finds their command, opens their logs and pipes, has package
// launch start them, carries their output into their logs and data to their stdin, and reports
// facts (package process) to the loop.
//
//	Spawn  ->  Spawned{PID}     ->  Ended{Status}  ->  (GroupGone, where the group is awaited)
//	       ->  SpawnFailed{Err}
//
// Before the fork comes the program's pre_start_command. It and the other commands beside a process (Command) are
// no spawns: they die with the daemon, and nothing is kept of them.
//
// Ended is reported when what the process wrote is in its logs, or a log takes nothing; before it
// comes Reaped, as soon as the process has ended. What others still
// write to its pipes, children that it left behind, goes on being logged until they end.
//
// Methods that the loop calls return at once. What may block, be it a log on a disk that hangs,
// blocks a goroutine of that one child.
package child

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"holdfast/internal/capture"
	"holdfast/internal/config"
	"holdfast/internal/launch"
	"holdfast/internal/process"
	"holdfast/internal/sdnotify"
	"holdfast/internal/syslog"
)

// Options are what a Manager needs from outside.
type Options struct {
	Log *slog.Logger
	// Report takes the facts. It is called from any goroutine, the caller's of Signal and Cancel
	// too, and must not block.
	Report      func(spawn uint64, e process.Event)
	ChildLogDir string   // for AUTO logs
	Identifier  string   // in their names
	Environ     []string // the daemon's own, which children inherit
	ServerURL   string   // for SUPERVISOR_SERVER_URL, where the program names none; may be empty
	StripANSI   bool     // take terminal control sequences out of all output

	// Output takes what events are made of: the chunks of outputs with EventsEnabled and of the
	// stdout of event listeners, and captured data. It is called from any goroutine, for one output
	// of one spawn in order and before its Ended is reported. While it waits, that output does. It may be
	// nil.
	Output func(spawn uint64, o Output)
	// Taken tells that what an event listener has written so far, and Output took, will not come again from
	// a daemon after this one. It may be nil.
	Taken func(spawn uint64)

	// StdinBroken takes the news that a process has closed its stdin before it read all that WriteStdin
	// had taken. It is called from any goroutine, and must not block. It may be nil.
	StdinBroken func(spawn uint64, why error)

	// NotifyDir is the directory of the notification sockets, which is made when the first one is needed. Where
	// it can't be used, or is empty, one below os.TempDir takes its place.
	NotifyDir string
	// Notified takes what a process with a notification socket, or somebody it has started, says of itself: in its
	// order, after Spawned was reported and before Ended is. What is said again and again comes ten times a second
	// at most, the newest of it. It is called from any goroutine, and may wait until the next daemon would know: one that is told
	// the same again if this one is killed before it returns. That process's messages wait meanwhile, and so does its
	// end. It may be nil.
	Notified func(spawn uint64, m sdnotify.Message)

	// Matched tells that a process with readiness=output: has written a line that matches, once for a spawn, after
	// Spawned was reported and before Ended is. It is called from any goroutine, and may wait until the next daemon would know:
	// one that sees the line again if this one is killed before it returns. That output waits meanwhile, and so
	// does the end of the process. It may be nil.
	Matched func(spawn uint64)

	// Cell is where a process's forks are noted for the next daemon; with an error they can't be. It may be
	// nil.
	Cell func(p *config.Process) (*launch.Cell, error)
	// Hold gives somebody who outlives this daemon files to hold, under a key, from before the fork on:
	// our ends of the pipes. Release ends that. Both may be nil.
	Hold    func(key string, fds ...int)
	Release func(key string)
	// Socket gives the listening socket of a FastCGI program that a daemon before this one has made, once.
	Socket func(url string) (fd int, ok bool)
	// Inherited is what a daemon before this one has left of a spawn that is adopted.
	Inherited func(p *config.Process, spawn uint64) Inheritance

	SyslogIdent  string // the name under which output goes to syslog
	SyslogSocket string // empty: the usual one
	OOMFile      string // where the kernel counts the kills for want of memory; empty: where it does it for us
}

// syslogPatience is how long Close waits for syslog to take what is queued for it.
const syslogPatience = time.Second

// A Manager has the children of one daemon.
type Manager struct {
	opts    Options
	environ environ
	logs    *capture.Logs
	syslog  *syslog.Writer
	closing chan struct{} // closed by Leave or Close
	silence sync.Once     // closes it
	leaving atomic.Bool   // by Leave

	mu   sync.Mutex
	runs map[uint64]*run // guarded by mu; by spawn number

	sockets *sockets
	oom     *oomCount

	openings, tellings line // guarded by mu

	besides map[string]chan struct{} // the commands that run, each closed at its end; guarded by mu

	starts sync.WaitGroup // the goroutines of Spawn

	shortage    sync.Once // says that processes can't be taken over yet
	notifyMoved sync.Once // says where the notification sockets are
}

// New makes a Manager with no children.
func New(o Options) *Manager {
	return &Manager{
		opts:    o,
		environ: parseEnviron(o.Environ),
		logs:    capture.NewLogs(o.Log),
		syslog: syslog.New(syslog.Options{Ident: o.SyslogIdent, Path: o.SyslogSocket, Say: func(level slog.Level, text string) {
			o.Log.Log(context.Background(), level, text)
		}}),
		closing: make(chan struct{}),
		runs:    make(map[uint64]*run),
		besides: make(map[string]chan struct{}),
		sockets: newSockets(&o),
		oom:     &oomCount{file: cmp.Or(o.OOMFile, oomFile())},
	}
}

// A run is one spawn, from the wish to the last byte of its output.
type run struct {
	m     *Manager
	spawn uint64
	p     *config.Process

	mu    sync.Mutex
	stage stage           // guarded by mu
	proc  *launch.Process // guarded by mu; set together with stage running
	sent  syscall.Signal  // guarded by mu; the last one

	socket           *hold              // what is its stdin if it is a FastCGI program; else nil
	ctx              context.Context    // of its pre_start_command; nil: there is none
	stop             context.CancelFunc // and its end
	opening, telling *ticket            // its turn to open its files, and to tell what came of it
	settled          chan struct{}      // closed when Spawned or SpawnFailed was reported
	noted            chan struct{}      // closed by Done
	gone             chan struct{}      // closed when the process group is empty
	adopted          bool
	reaped           atomic.Bool // of an adopted one: its process has ended

	// Set before settled is closed, constant after; nil if there was no fork. The stdin of an adopted one is
	// there from the beginning.
	stdin   *stdin
	outputs []*capture.Output
	sinks   []*capture.Sink // what outputs write to, in the same order
	notify  *notifier       // nil: it has no notification socket

	oomBefore int64 // how often the kernel had killed for want of memory by the time of its start

	matching *matching // nil: no line is looked for; set before the outputs begin
}

func newRun(m *Manager, p *config.Process, spawn uint64, at stage) *run {
	return &run{m: m, spawn: spawn, p: p, stage: at,
		settled: make(chan struct{}), noted: make(chan struct{}), gone: make(chan struct{})}
}

type stage int

const (
	preparing stage = iota // can be cancelled
	forking                // can't any more
	running
	over // failed, cancelled, or ended; for good
)

// to goes from one stage to another, unless the run is elsewhere.
func (r *run) to(from, to stage) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stage != from {
		return false
	}
	r.stage = to
	return true
}

func (m *Manager) run(spawn uint64) *run {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.runs[spawn]
}

func (m *Manager) forget(spawn uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.runs, spawn)
}

// Cancel makes a Spawn that has not begun to fork fail at once, even one whose goroutine hangs. If
// the fork has begun, Spawned or SpawnFailed comes as it would have.
func (m *Manager) Cancel(spawn uint64) {
	r := m.run(spawn)
	if r == nil || !r.to(preparing, over) {
		return
	}
	if r.stop != nil {
		r.stop()
	}
	m.forget(spawn)
	m.report(spawn, process.SpawnFailed{Err: "start of '" + r.p.Name + "' was cancelled"})
	close(r.settled)
}

// isClosing tells whether nothing is reported any more.
func (m *Manager) isClosing() bool {
	select {
	case <-m.closing:
		return true
	default:
		return false
	}
}

func (m *Manager) report(spawn uint64, e process.Event) {
	if !m.isClosing() {
		m.opts.Report(spawn, e)
	}
}

// Signal sends a signal to the process, or to its process group; to the group also after the
// process itself has ended, while the group's end is awaited. SignalFailed is reported for any
// failure but that there is nobody. Where a shortage of files hides whether an adopted process is still the one, the
// signal goes when that is known.
func (m *Manager) Signal(spawn uint64, sig syscall.Signal, group bool) {
	r := m.run(spawn)
	if r == nil {
		return
	}
	r.mu.Lock()
	proc := r.proc
	if proc != nil {
		r.sent = sig // first: its end may come at once
	}
	r.mu.Unlock()
	if proc == nil {
		return
	}
	send := func() (again bool) {
		err := proc.Signal(sig, group)
		if err != nil && err != syscall.ESRCH && !launch.Short(err) {
			m.report(spawn, process.SignalFailed{Signal: sig, Err: err.Error()})
		}
		return launch.Short(err)
	}
	if send() {
		go func() { // ends when the process has it, or has ended
			for again := true; again; again = send() {
				select {
				case <-time.After(firstPatience):
				case <-m.closing:
					return
				}
			}
		}()
	}
}

// live returns the run if its process was started and has not ended.
func (m *Manager) live(spawn uint64) *run {
	r := m.run(spawn)
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stage != running {
		return nil
	}
	return r
}

// stdinOf is where to write to a process that was started and has not ended; nil: nowhere.
func (m *Manager) stdinOf(spawn uint64) *stdin {
	r := m.run(spawn)
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stage == running || r.stage == forking && r.adopted {
		return r.stdin
	}
	return nil
}

// Stage takes data for an event listener's stdin, to be written from Send on. kept tells that the next daemon
// finds it if this one is killed before the process has it all. The errors are WriteStdin's.
func (m *Manager) Stage(spawn uint64, data []byte) (kept bool, err error) {
	s := m.stdinOf(spawn)
	if s == nil {
		return false, ErrStdinClosed
	}
	return s.put(data)
}

// Send lets go what Stage has taken.
func (m *Manager) Send(spawn uint64) {
	if s := m.stdinOf(spawn); s != nil {
		s.send()
	}
}

// WriteStdin queues data for the process's stdin; the writing goes on behind the caller. The error
// is ErrStdinClosed or ErrStdinFull, and then nothing of data was taken.
func (m *Manager) WriteStdin(spawn uint64, data []byte) error {
	r := m.live(spawn)
	if r == nil {
		return ErrStdinClosed
	}
	return r.stdin.write(data)
}

// ClearLogs deletes the contents of the logs of a running process, backups excepted. As in the
// original it is a success without effect for one that does not run.
func (m *Manager) ClearLogs(spawn uint64) error {
	r := m.live(spawn)
	if r == nil {
		return nil
	}
	for i, s := range r.sinks {
		select {
		case <-r.outputs[i].Done(): // the process has closed that output
		default:
			if err := s.Clear(); err != nil {
				return err
			}
		}
	}
	return nil
}

// ReopenLogs opens all logs anew (SIGUSR2).
func (m *Manager) ReopenLogs() { m.logs.Reopen() }

// Done tells that the loop has noted the end of a spawn, for the next daemon too: its socket may be closed, and
// what is held of it let go. It may be called once a spawn.
func (m *Manager) Done(spawn uint64) {
	m.sockets.dropFor(spawn)
	if r := m.run(spawn); r != nil {
		close(r.noted)
	}
}

// Settle waits a moment until all spawns and adoptions that have begun are done, unless they hang.
func (m *Manager) Settle() {
	done := make(chan struct{})
	go func() { m.starts.Wait(); close(done) }() // ends with them
	select {
	case <-done:
	case <-time.After(settlePatience):
	}
}

// settlePatience is how long Settle waits for those that hang.
const settlePatience = 200 * time.Millisecond

// leavePatience is how long Leave waits for logs that take nothing.
const leavePatience = time.Second

// Leave puts what was read of the outputs into their logs and leaves the rest, the processes and their ends
// to the next daemon: nothing is reported any more. This process must end after it.
func (m *Manager) Leave() {
	m.leaving.Store(true)
	m.silence.Do(func() { close(m.closing) })
	m.mu.Lock()
	runs := slices.Collect(maps.Values(m.runs))
	m.mu.Unlock()
	bound := time.After(leavePatience)
	var outputs []*capture.Output
	for _, r := range runs {
		select {
		case <-r.settled:
			go r.notify.stop() // ends at once, or with Notified
			outputs = append(outputs, r.outputs...)
		default:
		}
	}
	for _, o := range outputs {
		o.Leave()
	}
	for _, o := range outputs {
		select {
		case <-o.Done():
		case <-bound:
			return
		}
	}
}

// closePatience is how long Close waits for logs, those on a disk that hangs.
const closePatience = 5 * time.Second

// Close ends the logging of all outputs, after what is in their pipes, and returns when it has
// ended. Processes are left alone, and nothing is reported any more. It must be called once.
func (m *Manager) Close() {
	m.silence.Do(func() { close(m.closing) })
	m.mu.Lock()
	runs := slices.Collect(maps.Values(m.runs))
	m.mu.Unlock()
	var all sync.WaitGroup
	for _, r := range runs {
		if r.to(preparing, over) {
			continue // its goroutine puts away what it has
		}
		all.Go(func() {
			<-r.settled
			if r.stdin != nil {
				r.stdin.close()
			}
			r.notify.stop()
			r.drain()
			for _, o := range r.outputs {
				o.Close()
			}
			r.finish()
		})
	}
	all.Go(m.starts.Wait) // a cancelled one too has files to put away
	ended := make(chan struct{})
	go func() { all.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(closePatience):
		m.opts.Log.Error("some output could not be brought into its log before the end")
	}
	m.syslog.Close(syslogPatience)
	m.sockets.close()
	m.dropNotifyDirs()
}

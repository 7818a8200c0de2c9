package child

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/internal/capture"
	"holdfast/internal/config"
	"holdfast/internal/launch"
	"holdfast/internal/process"
)

// Spawn starts p under a number that is unique in the daemon. It returns at once; one of Spawned
// and SpawnFailed is reported.
func (m *Manager) Spawn(p *config.Process, spawn uint64) {
	r := newRun(m, p, spawn, preparing)
	if p.FastCGI != nil {
		r.socket = m.sockets.takeFor(spawn, p.FastCGI)
	}
	m.mu.Lock()
	m.runs[spawn] = r
	if p.Hooks.PreStart == "" {
		r.queueLocked()
	} else {
		r.ctx, r.stop = context.WithCancel(context.Background())
	}
	m.mu.Unlock()
	m.starts.Go(r.start) // ends when the program runs, or with what it hangs in
}

// queueLocked takes its place among the starts; r.m.mu is held.
func (r *run) queueLocked() { r.opening, r.telling = r.m.openings.ticket(), r.m.tellings.ticket() }

func (r *run) start() {
	if r.p.Hooks.PreStart != "" && !r.preStart() {
		return
	}
	defer r.telling.pass()
	r.opening.await()
	f, spec, err := r.prepare()
	r.opening.pass()
	if err != nil {
		r.telling.await()
		r.fail(preparing, err.Error())
		return
	}
	proc := r.fork(f, spec)
	if proc == nil {
		return
	}
	f.closeChild()
	r.connect(f)
	r.oomBefore = r.m.oom.now()
	r.mu.Lock()
	r.proc, r.stage = proc, running
	r.mu.Unlock()
	r.telling.await()
	r.m.report(r.spawn, process.Spawned{PID: proc.PID()})
	r.notify.start()
	close(r.settled)
}

// preStart runs the command that comes before the start, which waits for nobody else and nobody for it: its place
// among the others is at its end. It tells whether to go on.
func (r *run) preStart() bool {
	defer r.stop()
	hooks := &r.p.Hooks
	err := r.m.Command(r.ctx, r.p, Command{Name: preStartName, Line: hooks.PreStart, Timeout: time.Duration(hooks.TimeoutSecs) * time.Second})
	if err != nil {
		r.fail(preparing, preStartName+": "+err.Error())
		return false
	}
	r.m.mu.Lock()
	r.queueLocked()
	r.m.mu.Unlock()
	return true
}

const preStartName = "pre_start_command"

// connect begins to carry what comes through the pipes.
func (r *run) connect(f *files) {
	if r.stdin == nil {
		r.stdin = r.newStdin(f.ends[0], f.stage)
	}
	r.notify = f.notify
	for i, s := range f.sinks {
		if s == nil {
			continue
		}
		look := r.look([3]config.Log{1: r.p.Stdout, 2: r.p.Stderr}[i], i == 2)
		r.sinks = append(r.sinks, s)
		r.outputs = append(r.outputs, capture.Start(f.ends[i], s, "'"+r.p.Name+"' "+stdName(i), r.m.opts.Log, look))
	}
}

func (r *run) newStdin(fd, stage int) *stdin {
	s := newStdin(fd, stage)
	if tell := r.m.opts.StdinBroken; tell != nil {
		s.broken = func(why error) { tell(r.spawn, why) }
	}
	return s
}

// prepare finds the command and opens what the child needs.
func (r *run) prepare() (*files, launch.Spec, error) {
	if r.socket != nil {
		<-r.socket.ready
		if err := r.socket.err; err != nil {
			return nil, launch.Spec{}, errors.New(socketText(r.p.FastCGI, err))
		}
	}
	path, args, err := resolve(r.p, r.p.Command, r.m.environ)
	if err != nil {
		return nil, launch.Spec{}, err
	}
	if r.matching, err = r.newMatching(); err != nil {
		return nil, launch.Spec{}, err
	}
	f, err := openFiles(r.m.logs, r.p)
	if err != nil {
		return nil, launch.Spec{}, errors.New(dispatcherError(r.p.Name, err))
	}
	if f.notify, err = r.openNotify(); err != nil {
		f.close()
		return nil, launch.Spec{}, errors.New(notifyText(r.p.Name, err))
	}
	return f, launch.Spec{
		Path: path, Args: args, Env: notifyEnviron(r.m.environ.of(r.p, r.m.opts.ServerURL), r.p, f.notify),
		Files: f.child,
		UID:   r.p.UID, Dir: r.p.Directory, DirSet: r.p.DirectorySet, Umask: r.p.Umask,
		Cell: r.cell(), Spawn: r.spawn,
		Group:     r.p.StopAsGroup || r.p.KillAsGroup,
		Exited:    func(s process.ExitStatus, groupAlive bool) { go r.ended(s, groupAlive) },
		GroupGone: func() { close(r.gone) },
	}, nil
}

// fork starts the process, unless it can't or Cancel was quicker; then there is none.
func (r *run) fork(f *files, spec launch.Spec) *launch.Process {
	if !r.to(preparing, forking) {
		f.close()
		return nil
	}
	if r.socket != nil {
		spec.Files[0] = r.socket.fd // open until Done, which follows the outcome
	}
	r.hold(f, spec.Cell)
	proc, err := launch.Start(spec)
	if err != nil {
		f.close()
		r.release()
		r.fail(forking, forkError(r.p.Name, err))
		return nil
	}
	return proc
}

// fail reports that there was no fork, unless Cancel has said so.
func (r *run) fail(at stage, text string) {
	if !r.to(at, over) {
		return
	}
	r.m.forget(r.spawn)
	r.m.report(r.spawn, process.SpawnFailed{Err: text})
	close(r.settled)
}

// ended is what happens after the process was reaped. It ends with the last byte of the outputs,
// which others may hold open for long, or by Close.
func (r *run) ended(s process.ExitStatus, groupAlive bool) {
	<-r.settled // a process may end before Start has returned
	r.to(running, over)
	r.explain(&s)
	r.m.report(r.spawn, process.Reaped{})
	r.stdin.close()
	r.notify.end()
	r.drain()
	r.matching.end()
	r.m.report(r.spawn, process.Ended{Status: s, GroupAlive: groupAlive})
	wasAlive := groupAlive
	if groupAlive {
		groupAlive = r.tellSurvivors() // a group of zombies has ended
	}
	if r.p.StopAsGroup || r.p.KillAsGroup {
		if groupAlive {
			select {
			case <-r.gone:
				r.drain()
			case <-r.m.closing:
			}
		}
		if wasAlive {
			r.m.report(r.spawn, process.GroupGone{})
		}
	}
	r.finish()
}

// explain adds to the end of the process what is known of its reason.
func (r *run) explain(s *process.ExitStatus) {
	r.mu.Lock()
	s.After = r.sent
	r.mu.Unlock()
	s.OOM = r.m.oom.explains(*s, r.oomBefore)
}

// drain returns when what is in the pipes is in the logs.
func (r *run) drain() {
	var both sync.WaitGroup
	for _, o := range r.outputs[min(1, len(r.outputs)):] {
		both.Go(o.Drain)
	}
	if len(r.outputs) > 0 {
		r.outputs[0].Drain()
	}
	both.Wait()
}

// finish returns when the outputs have ended. What is held stays so until the loop has noted the end: if it
// never comes to that, the next daemon has to find out once more how the process has ended.
func (r *run) finish() {
	for _, o := range r.outputs {
		<-o.Done()
	}
	select {
	case <-r.noted:
	case <-r.m.closing:
	}
	r.release()
	r.m.forget(r.spawn)
}

// tellSurvivors names in the log what lives of the process group, and tells whether anything does. It
// looks through all processes, so it comes when the end has been reported.
func (r *run) tellSurvivors() bool {
	members, err := launch.Members(r.proc.PID())
	var list []string
	for _, m := range members {
		list = append(list, m.String())
	}
	if err != nil { // nobody may say then that the group has ended
		list = append(list, "perhaps others: "+err.Error())
	}
	if len(list) == 0 {
		return false
	}
	r.m.opts.Log.Warn(r.p.Name + " has left processes behind in its process group: " + strings.Join(list, ", "))
	return true
}

// files are what one spawn opens.
type files struct {
	child  [3]int           // the child's 0, 1 and 2
	ends   [3]int           // our ends of their pipes; -1: there is none
	sinks  [3]*capture.Sink // where what comes through them goes; nil: there is none
	stage  int              // an event listener's
	notify *notifier        // nil: it has none
}

// openFiles opens the logs and pipes of p. With an error nothing is left open.
func openFiles(logs *capture.Logs, p *config.Process) (f *files, err error) {
	f = &files{child: noFiles, ends: noFiles, stage: -1}
	defer func() {
		if err != nil {
			f.close()
		}
	}()
	outputs := []config.Log{1: p.Stdout, 2: p.Stderr}
	if p.RedirectStderr {
		outputs = outputs[:2]
	}
	for i := 1; i < len(outputs); i++ {
		if f.sinks[i], err = logs.Open(outputs[i]); err != nil {
			return f, err
		}
	}
	if p.FastCGI == nil { // else its stdin is the socket
		if f.ends[0], f.child[0], err = openPipe(1); err != nil {
			return f, err
		}
	}
	if p.Listener {
		if f.stage, err = openStage(); errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) {
			return f, err
		}
	}
	for i := 1; i < len(outputs); i++ {
		if f.ends[i], f.child[i], err = openPipe(0); err != nil {
			return f, err
		}
		capture.SetPipeSize(f.child[i])
	}
	if slices.ContainsFunc(f.ends[:], isAmongTheLast) {
		return f, unix.EMFILE
	}
	if p.RedirectStderr {
		f.child[2] = f.child[1]
	}
	return f, nil
}

// isAmongTheLast tells whether a file of this number is one of the last that can be open. These are not for
// processes: whoever is to cure a shortage must get through, and a process be looked at before it is signalled.
//
// Differs: the original takes what there is.
func isAmongTheLast(fd int) bool {
	const kept = 8
	var lim unix.Rlimit
	return fd >= 0 && unix.Getrlimit(unix.RLIMIT_NOFILE, &lim) == nil && uint64(fd)+kept >= lim.Cur
}

// openPipe makes a pipe of which our end is the one of the number given (0 reads, 1 writes), and the
// child's is open for both.
//
// So the pipe has a reader and a writer for as long as the child lives. If this daemon dies the
// child gets neither SIGPIPE nor an end of its input, and its output waits in the pipe for the
// next daemon.
func openPipe(ours int) (end, child int, err error) {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		return -1, -1, err
	}
	child = p[1-ours]
	// Differs: the original's pipes have one end for each side.
	both, err := unix.Open("/proc/self/fd/"+strconv.Itoa(child), unix.O_RDWR|unix.O_CLOEXEC, 0)
	switch {
	case err == nil:
		unix.Close(child)
		child = both
	case errors.Is(err, unix.EMFILE), errors.Is(err, unix.ENFILE):
		unix.Close(p[0])
		unix.Close(p[1])
		return -1, -1, err
	default: // no /proc: the child gets a plain end
	}
	return p[ours], child, nil
}

// closeChild closes what only the child has any use for.
func (f *files) closeChild() {
	for i, fd := range f.child {
		if fd >= 0 && (i < 2 || fd != f.child[1]) {
			unix.Close(fd)
		}
	}
}

// close closes everything.
func (f *files) close() {
	f.closeChild()
	for _, fd := range append(f.ends[:], f.stage) {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
	f.notify.end()
	for _, s := range f.sinks {
		if s != nil {
			s.Close()
		}
	}
}

// dispatcherError is the original's text for pipes and logs that can't be opened.
func dispatcherError(name string, err error) string {
	if errors.Is(err, syscall.EMFILE) {
		return "too many open files to spawn '" + name + "'"
	}
	return "unknown error making dispatchers for '" + name + "': " + errnoName(err)
}

// notifyText says why a process has no notification socket. The original has none.
func notifyText(name string, err error) string {
	var e *notifyError
	if errors.As(err, &e) {
		return "'" + name + "': " + e.Error()
	}
	return dispatcherError(name, err)
}

// forkError is the original's text for a fork that failed.
func forkError(name string, err error) string {
	if errors.Is(err, syscall.EAGAIN) {
		return "Too many processes in process table to spawn '" + name + "'"
	}
	return "unknown error during fork for '" + name + "': " + errnoName(err)
}

// errnoName is the name of the errno in err, or all of err if there is none.
func errnoName(err error) string {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return launch.ErrnoName(errno)
	}
	return err.Error()
}

package child

import (
	"context"
	"errors"
	"maps"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/internal/config"
	"holdfast/internal/launch"
	"holdfast/internal/process"
)

// A Command is run beside a process: a hook, or an exec check.
type Command struct {
	// Name is what the log calls it: "pre_start_command". Of one name, one command of a process runs at a
	// time: another one waits, within its own Timeout.
	Name    string
	Line    string        // as command=
	MainPID int           // its MAINPID; 0: none
	Timeout time.Duration // 0: none
	Quiet   bool          // what it says is not logged
}

// An Unable is the error of a command that could not be run, for a want of files, processes or memory on our side:
// an exec check that ends so says nothing about its process.
type Unable struct{ Reason string }

func (e *Unable) Error() string { return e.Reason }

// killPatience is how long Command waits for what it has killed.
const killPatience = time.Second

// Command runs a command as p's user, in its directory, with its umask and environment, and returns when
// it has ended: nil after exit status 0. The other errors are for operators, but for ctx's, which is
// returned as it is.
//
// At its timeout, at ctx's end and when the Manager is closed, its process group is killed, and so is what a
// command that failed has left in it. What one that succeeded has left is left alone, and its output is
// nobody's any more. The command itself dies with the daemon.
func (m *Manager) Command(ctx context.Context, p *config.Process, c Command) error {
	select {
	case <-m.closing:
		return context.Canceled
	default:
	}
	var late <-chan time.Time
	if c.Timeout > 0 {
		timer := time.NewTimer(c.Timeout)
		defer timer.Stop()
		late = timer.C
	}
	b := &beside{m: m, p: p, c: c, stop: make(chan struct{})}
	done := make(chan error, 1) // from the goroutine, which nobody may wait for any more
	go func() {                 // ends with the process, or with what it hangs in before
		done <- b.run()
	}()
	var err error
	select {
	case err := <-done:
		return err
	case <-late:
		err = b.timedOut()
	case <-ctx.Done():
		err = ctx.Err()
	case <-m.closing:
		err = context.Canceled
	}
	b.kill()
	patience := time.NewTimer(killPatience)
	defer patience.Stop()
	select {
	case <-done:
	case <-patience.C:
	}
	return err
}

// beside is one run of a Command.
type beside struct {
	m    *Manager
	p    *config.Process
	c    Command
	stop chan struct{} // closed by kill

	mu      sync.Mutex
	waiting bool            // for the one before; guarded by mu
	proc    *launch.Process // guarded by mu
}

var errStopped = errors.New("stopped") // nobody sees it

func (b *beside) run() error {
	pass := b.await()
	if pass == nil {
		return errStopped
	}
	defer pass()
	path, args, err := resolve(b.p, b.c.Line, b.m.environ)
	if err != nil {
		return err
	}
	out, in, err := besidePipe()
	if err != nil {
		return err
	}
	defer out.Close()
	null, err := unix.Open(os.DevNull, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		unix.Close(in)
		return &Unable{"cannot open " + os.DevNull + ": " + err.Error()}
	}
	type end struct {
		process.ExitStatus
		groupAlive bool
	}
	ended := make(chan end, 1) // from the reaper
	proc, err := b.start(launch.Spec{
		Path: path, Args: args, Env: b.environ(), Files: [3]int{null, in, in},
		UID: b.p.UID, Dir: b.p.Directory, DirSet: b.p.DirectorySet, Umask: b.p.Umask,
		Tied: true, Group: true,
		Exited: func(s process.ExitStatus, groupAlive bool) {
			ended <- end{s, groupAlive}
			_ = out.SetReadDeadline(longAgo) // ends read
		},
		GroupGone: func() {},
	})
	unix.Close(null)
	unix.Close(in)
	if err != nil {
		return err
	}
	var said said
	if !b.c.Quiet {
		said.say = func(line string) { b.m.opts.Log.Info(b.p.Name + " " + b.c.Name + ": " + line) }
	}
	said.read(out)
	e := <-ended
	said.drain(out)
	said.end()
	err = failure(e.ExitStatus, said.last)
	if err != nil && e.groupAlive {
		_ = proc.Signal(syscall.SIGKILL, true)
	}
	return err
}

// await returns when the one before has ended, with what lets the next one run; nil: it was stopped.
func (b *beside) await() (pass func()) {
	key, m := b.p.Group+":"+b.p.Name+" "+b.c.Name, b.m
	passed := make(chan struct{})
	for {
		m.mu.Lock()
		before := m.besides[key]
		if before == nil {
			m.besides[key] = passed
		}
		m.mu.Unlock()
		b.mu.Lock()
		b.waiting = before != nil
		b.mu.Unlock()
		if before == nil {
			return func() {
				m.mu.Lock()
				delete(m.besides, key)
				m.mu.Unlock()
				close(passed)
			}
		}
		select {
		case <-before:
		case <-b.stop:
			return nil
		}
	}
}

func (b *beside) timedOut() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	text := "timed out after " + strconv.FormatFloat(b.c.Timeout.Seconds(), 'f', -1, 64) + " s"
	if b.waiting {
		text += ": the one before has not ended"
	}
	return errors.New(text)
}

func (b *beside) environ() []string {
	if b.c.MainPID == 0 {
		return b.m.environ.of(b.p, b.m.opts.ServerURL)
	}
	p := *b.p
	p.Environment = map[string]string{}
	maps.Copy(p.Environment, b.p.Environment)
	p.Environment["MAINPID"] = strconv.Itoa(b.c.MainPID)
	return b.m.environ.of(&p, b.m.opts.ServerURL)
}

// start forks, unless kill was quicker.
func (b *beside) start(s launch.Spec) (*launch.Process, error) {
	select {
	case <-b.stop:
		return nil, errStopped
	default:
	}
	proc, err := launch.Start(s)
	switch {
	case errors.Is(err, syscall.EAGAIN):
		return nil, &Unable{"cannot fork: too many processes in process table"}
	case err != nil:
		return nil, &Unable{"cannot fork: " + err.Error()}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.proc = proc
	select {
	case <-b.stop:
		b.killLocked()
	default:
	}
	return proc, nil
}

// kill kills the process group, or has it not started. It is called once.
func (b *beside) kill() {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.stop)
	b.killLocked()
}

func (b *beside) killLocked() {
	if b.proc != nil {
		_ = b.proc.Signal(syscall.SIGKILL, true)
	}
}

// besidePipe makes a pipe for what a command says; in is the command's end.
func besidePipe() (out *os.File, in int, err error) {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		return nil, -1, &Unable{"cannot make a pipe: " + err.Error()}
	}
	if err := unix.SetNonblock(p[0], true); err != nil { // else it can't be given a deadline
		unix.Close(p[0])
		unix.Close(p[1])
		return nil, -1, &Unable{"cannot make a pipe: " + err.Error()}
	}
	return os.NewFile(uintptr(p[0]), "pipe"), p[1], nil
}

var longAgo = time.Unix(1, 0)

// failure says what a status and the last line say; nil: it succeeded.
func failure(s process.ExitStatus, last string) error {
	couldnt, before := strings.CutPrefix(last, "supervisor: ")
	switch {
	case s == process.ExitStatus{}:
		return nil
	case s.Signal != 0:
		return errors.New("killed by " + process.SignalName(s.Signal))
	case s.Code == 127 && before: // before its exec, as launch words it
		return errors.New(couldnt)
	case last == "":
		return errors.New(s.String())
	}
	return errors.New(s.String() + ": " + strings.ToValidUTF8(last[:min(len(last), failureBytes)], ""))
}

// failureBytes is how much of the last line an error has: it is part of a line of status.
const failureBytes = 200

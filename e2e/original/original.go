// Package original runs the original's supervisord and supervisorctl for the tests that compare ours
// with them. A Python needs a fifth of a second of processor time to load either, and the tests run
// them hundreds of times: here one process loads both once and forks for each run. Such a run is not
// the test's child, bears another command line, and inherits nothing but its three descriptors; all
// else is as if the program had been executed.
//
// It is for tests only.
package original

import (
	"bufio"
	_ "embed"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Paths of the programs.
const (
	Daemon = "/usr/bin/supervisord"
	Ctl    = "/usr/bin/supervisorctl"
)

//go:embed forks.py
var forks string

// Programs are the original's, loaded by the first run.
type Programs struct {
	// Env is the environment of all runs.
	Env []string

	mu   sync.Mutex
	cmd  *exec.Cmd     // guarded by mu; the process of forks, nil: there is none yet
	runs *net.UnixConn // guarded by mu; the runs for forks
}

// A Process is a run.
type Process struct {
	*os.Process
	pipe *os.File
	says *bufio.Reader // of pipe
}

// Start runs Daemon or Ctl, which argv begins with, in the directory dir. The files stay the caller's; a
// nil one is /dev/null.
func (p *Programs) Start(dir string, stdin, stdout, stderr *os.File, argv ...string) (*Process, error) {
	runs, err := p.load()
	if err != nil {
		return nil, err
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	pipe, theirs, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	var fds []int
	for _, f := range []*os.File{stdin, stdout, stderr, theirs} {
		if f == nil {
			f = null
		}
		fds = append(fds, int(f.Fd()))
	}
	message := dir + "\x00" + strings.Join(argv, "\x00")
	if _, _, err := runs.WriteMsgUnix([]byte(message), syscall.UnixRights(fds...), nil); err != nil {
		pipe.Close()
		return nil, err
	}
	theirs.Close()
	r := &Process{pipe: pipe, says: bufio.NewReader(pipe)}
	pid, err := r.next()
	if err == nil {
		r.Process, err = os.FindProcess(pid)
	}
	if err != nil {
		pipe.Close()
		return nil, err
	}
	return r, nil
}

// Wait waits for the end, and is called once.
func (r *Process) Wait() (syscall.WaitStatus, error) {
	defer r.pipe.Close()
	status, err := r.next()
	return syscall.WaitStatus(status), err
}

func (r *Process) next() (int, error) {
	var n int
	if _, err := fmt.Fscanln(r.says, &n); err != nil {
		return 0, fmt.Errorf("the process that runs the original has ended: %w", err)
	}
	return n, nil
}

// Output is Start for a program that ends, which is killed if it takes longer than patience.
func (p *Programs) Output(dir, stdin string, patience time.Duration, argv ...string) (stdout, stderr string, status syscall.WaitStatus, err error) {
	var files [3]*os.File
	for i := range files {
		f, err := os.CreateTemp("", "hf")
		if err != nil {
			return "", "", 0, err
		}
		defer f.Close()
		os.Remove(f.Name())
		files[i] = f
	}
	if _, err := files[0].WriteString(stdin); err != nil {
		return "", "", 0, err
	}
	if _, err := files[0].Seek(0, io.SeekStart); err != nil {
		return "", "", 0, err
	}
	r, err := p.Start(dir, files[0], files[1], files[2], argv...)
	if err != nil {
		return "", "", 0, err
	}
	alarm := time.AfterFunc(patience, func() { _ = r.Kill() })
	defer alarm.Stop()
	if status, err = r.Wait(); err != nil {
		return "", "", 0, err
	}
	for i, to := range []*string{&stdout, &stderr} {
		data, err := io.ReadAll(io.NewSectionReader(files[i+1], 0, 1<<62))
		if err != nil {
			return "", "", 0, err
		}
		*to = string(data)
	}
	return stdout, stderr, status, nil
}

// load starts forks in the Python of the original, if that was not done.
func (p *Programs) load() (*net.UnixConn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd != nil {
		return p.runs, nil
	}
	script, err := os.ReadFile(Daemon)
	if err != nil {
		return nil, err
	}
	first, _, _ := strings.Cut(string(script), "\n")
	python, ok := strings.CutPrefix(first, "#!")
	if !ok {
		return nil, fmt.Errorf("%s is no Python script", Daemon)
	}
	// A message is a run, and its end is seen when either side dies.
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_SEQPACKET|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	mine, theirs := os.NewFile(uintptr(fds[0]), "runs"), os.NewFile(uintptr(fds[1]), "runs")
	defer mine.Close() // FileConn's is another
	defer theirs.Close()
	conn, err := net.FileConn(mine)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(strings.TrimSpace(python), "-c", forks, Daemon, Ctl)
	cmd.Env, cmd.ExtraFiles, cmd.Stderr = p.Env, []*os.File{theirs}, os.Stderr
	if err := cmd.Start(); err != nil {
		conn.Close()
		return nil, err
	}
	p.cmd, p.runs = cmd, conn.(*net.UnixConn)
	return p.runs, nil
}

// End ends what Start has started, and what has started it.
func (p *Programs) End() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd != nil {
		p.runs.Close()
		_ = p.cmd.Wait()
		p.cmd = nil
	}
}

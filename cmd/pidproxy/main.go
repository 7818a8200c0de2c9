// Pidproxy runs a command and passes the signals that it gets on to the process whose pid stands
// in a file. It goes between a supervisor and a program that daemonizes itself:
//
//	[program:mysql]
//	command=/usr/bin/pidproxy /run/mysqld/mysqld.pid /usr/bin/mysqld_safe
//
// It lives as long as the command does and ends with the command's exit status. Asked to end
// (TERM, INT, QUIT) it passes the signal on and ends, with status 0, when both the process of the
// pidfile and the command are gone.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

const usage = `pidproxy -- run a command and pass signals on to the process in a pidfile.

Usage: %s <pidfile name> <command> [<cmdarg1> ...]

The signals TERM, HUP, INT, USR1, USR2 and QUIT are sent to the pid that the
pidfile holds at that moment. The exit status is the command's.
`

func main() {
	os.Exit(run(os.Args, os.Stdout, os.Stderr))
}

func run(args []string, stdout, stderr io.Writer) int {
	if len(args) < 3 {
		name := "pidproxy"
		if len(args) > 0 {
			name = args[0]
		}
		fmt.Fprintf(stdout, usage, name)
		return 1
	}
	p := &proxy{pidfile: args[1], out: stdout}
	// Before the command is started: a stop that comes at once must not be lost.
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGINT,
		syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGQUIT)

	// The original's rule is kept: no search of PATH, the command is relative to the directory.
	path, err := filepath.Abs(args[2])
	if err != nil {
		fmt.Fprintf(stderr, "pidproxy: cannot find the directory of %q: %v\n", args[2], err)
		return 127
	}
	cmd := &exec.Cmd{Path: path, Args: args[2:], Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}
	if err := cmd.Start(); err != nil {
		// Differs: the original says nothing and ends with 0 after five seconds.
		fmt.Fprintf(stderr, "pidproxy: cannot run %q: %v\n", path, errors.Unwrap(err))
		return 127
	}
	ended := make(chan int, 1)
	go func() {
		// Differs: the original looks every five seconds and loses the status.
		_ = cmd.Wait() // the status says it all
		ended <- exitCode(cmd.ProcessState)
	}()
	return p.loop(signals, ended)
}

type proxy struct {
	pidfile string
	out     io.Writer
}

// loop passes signals on until the command has ended and, after a stop, the process of the
// pidfile too.
func (p *proxy) loop(signals <-chan os.Signal, ended <-chan int) int {
	var (
		stopping  bool
		childGone bool
		gone      <-chan struct{} // closed when the process that was told to stop is gone
	)
	for {
		select {
		case code := <-ended:
			if !stopping {
				return code
			}
			childGone = true
		case s := <-signals:
			stop := s == syscall.SIGTERM || s == syscall.SIGINT || s == syscall.SIGQUIT
			if g, err := p.pass(s.(syscall.Signal)); err != nil {
				fmt.Fprintln(p.out, err)
			} else if stop {
				stopping, gone = true, g
			}
		case <-gone:
			gone = nil
		}
		// Differs: the original ends as soon as the signal is sent, and whoever runs it takes the
		// program for stopped while it still lives.
		if stopping && childGone && gone == nil {
			return 0
		}
	}
}

// pass sends the signal to the process of the pidfile. The channel is closed when that process is
// gone; it is nil when there is no way to know (no pidfds before Linux 5.3).
func (p *proxy) pass(s syscall.Signal) (<-chan struct{}, error) {
	pid, ok := readPid(p.pidfile)
	if !ok {
		return nil, fmt.Errorf("Can't read child pidfile %s!", p.pidfile) //lint:ignore ST1005 the original's text
	}
	// The pidfd first: what is waited for must be what was signalled.
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) {
		return nil, signalError(pid, s, unix.Kill(pid, s))
	}
	if err == nil {
		err = unix.PidfdSendSignal(fd, s, nil, 0)
		if err != nil {
			unix.Close(fd)
		}
	}
	if err != nil {
		return nil, signalError(pid, s, err)
	}
	gone := make(chan struct{})
	go func() { // ends with the process, or with us
		for {
			if _, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1); err != unix.EINTR {
				break
			}
		}
		unix.Close(fd)
		close(gone)
	}()
	return gone, nil
}

// Differs: a signal that can't be sent ends the original with a traceback.
func signalError(pid int, s syscall.Signal, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("pidproxy: cannot send %s to pid %d: %w", unix.SignalName(s), pid, err)
}

// readPid does not take 0 or a negative number for a pid: to kill they mean whole groups of
// processes, or all.
func readPid(file string) (int, bool) {
	b, err := os.ReadFile(file)
	if err != nil {
		return 0, false
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	return pid, err == nil && pid > 0
}

// exitCode is the shell's: 128 and the signal for a command that was killed.
func exitCode(s *os.ProcessState) int {
	ws := s.Sys().(syscall.WaitStatus)
	if ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return ws.ExitStatus()
}

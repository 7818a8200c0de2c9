package ctl

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A terminal is a program on a pseudo-terminal, and what it has shown.
type terminal struct {
	t      *testing.T
	cmd    *exec.Cmd
	master *os.File
	grown  chan struct{} // by the reader; closed at the end of the output
	mu     sync.Mutex
	shown  string // guarded by mu
	seen   int    // up to where expect has found what it looked for
}

// onTerminal runs a program on a terminal of its own, so that Ctrl-C reaches it.
func onTerminal(t *testing.T, name string, argv ...string) *terminal {
	t.Helper()
	master, slave := openPTY(t)
	cmd := exec.Command(name, argv...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.Env = append(os.Environ(), "TERM=xterm")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	slave.Close()
	term := &terminal{t: t, cmd: cmd, master: master, grown: make(chan struct{}, 1)}
	go term.read()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // fails if it has ended, as it should
		_ = cmd.Wait()
		master.Close()
		for range term.grown {
		}
	})
	return term
}

func openPTY(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("there are no pseudo-terminals: %v", err)
	}
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(int(slave.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: screenWidth}); err != nil {
		t.Fatal(err)
	}
	return master, slave
}

// read gathers the output until the program has ended.
func (term *terminal) read() {
	defer close(term.grown)
	buf := make([]byte, 4096)
	for {
		n, err := term.master.Read(buf)
		term.mu.Lock()
		term.shown += string(buf[:n])
		term.mu.Unlock()
		if err != nil {
			return
		}
		select {
		case term.grown <- struct{}{}:
		default:
		}
	}
}

// expect waits until text is shown, after what was expected last.
func (term *terminal) expect(text string) {
	term.t.Helper()
	alarm := time.After(long)
	for {
		term.mu.Lock()
		rest := term.shown[term.seen:]
		i := strings.Index(rest, text)
		if i >= 0 {
			term.seen += i + len(text)
		}
		term.mu.Unlock()
		if i >= 0 {
			return
		}
		select {
		case _, open := <-term.grown:
			if !open {
				term.mu.Lock()
				found := strings.Contains(term.shown[term.seen:], text)
				term.mu.Unlock()
				if !found {
					term.t.Fatalf("it ended without %q; the last was %q", text, rest)
				}
			}
		case <-alarm:
			term.t.Fatalf("waited in vain for %q; the last was %q", text, rest)
		}
	}
}

// enter types keys.
func (term *terminal) enter(keys string) {
	term.t.Helper()
	if _, err := term.master.WriteString(keys); err != nil {
		term.t.Fatal(err)
	}
}

// ended waits for the program's end and returns its exit code; all that it has shown is in shown.
func (term *terminal) ended() int {
	term.t.Helper()
	alarm := time.AfterFunc(long, func() {
		term.t.Error("it does not end")
		_ = term.cmd.Process.Kill()
	})
	_ = term.cmd.Wait() // its error is the exit code
	alarm.Stop()
	for range term.grown {
	}
	return term.cmd.ProcessState.ExitCode()
}

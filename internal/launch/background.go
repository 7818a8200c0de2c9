package launch

import (
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// ReadyEnv names the environment variable that tells a program that Background has started it.
const ReadyEnv = "HOLDFAST_READY_FD"

// Background starts this program once more, with the same arguments, in a session of its own, and
// waits until it closes what Ready gives it after writing to it, or has ended. The result is the
// exit status for this process: 0, or that of the one that ended. Nothing may have been started
// with Start before.
//
// It stands in for the fork of the original, which a program of many threads can't do.
func Background() (status int, err error) {
	r, w, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer r.Close()
	p, err := os.StartProcess("/proc/self/exe", os.Args, &os.ProcAttr{
		Env:   append(os.Environ(), ReadyEnv+"=3"),
		Files: []*os.File{os.Stdin, os.Stdout, os.Stderr, w},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	w.Close()
	if err != nil {
		return 0, err
	}
	if n, _ := r.Read(make([]byte, 1)); n > 0 {
		return 0, p.Release()
	}
	state, err := p.Wait()
	if err != nil {
		return 0, err
	}
	if state.ExitCode() < 0 {
		return 1, nil // a signal
	}
	return state.ExitCode(), nil
}

// Ready is where a program that Background has started says that it is up, or nil in any other.
// It takes the variable out of the environment; a second call answers nil.
func Ready() *os.File {
	fd, err := strconv.Atoi(os.Getenv(ReadyEnv))
	os.Unsetenv(ReadyEnv)
	if err != nil {
		return nil
	}
	// Else ps and pidof know this process as "exe".
	os.WriteFile("/proc/self/comm", []byte(filepath.Base(os.Args[0])), 0)
	syscall.CloseOnExec(fd)
	return os.NewFile(uintptr(fd), "ready")
}

package guard

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Env names the environment variable that makes supervisord the guard: its main calls Main then, before
// anything else.
const Env = "HOLDFAST_GUARD"

// The other variables are the package's own.
const (
	envFD    = "HOLDFAST_GUARD_FD"    // the daemon's end of the socket
	envWhy   = "HOLDFAST_GUARD_WHY"   // what became of the daemon before
	envExec  = "HOLDFAST_GUARD_EXEC"  // execute this as the daemon
	envTrial = "HOLDFAST_GUARD_TRIAL" // the daemon is one that was asked for by exec, and not proved yet
	envState = "HOLDFAST_GUARD_STATE" // a file with the state of the guard before
)

// A state is what the guard gets that takes the place of another: a file with its JSON is open in it.
type state struct {
	Stored []stored
}

// A stored is a key (which need not be text that JSON can hold) and its files.
type stored struct {
	Key []byte
	FDs []int
}

func (s *state) fds() (fds []int) {
	for _, kept := range s.Stored {
		fds = append(fds, kept.FDs...)
	}
	return fds
}

// Become executes this program as the guard, under the same pid; it returns only if it can't.
//
// Without a heritage the guard is the first one: if its daemon can't start, it ends with the daemon's
// status. With one (an empty one will do) it takes the place of a guard that has died: it keeps starting
// daemons, and gives them these files, by key, as those that were stored. The children of this process
// stay its children. If that fails, this process is one that ignores the signals that ask for its end, and
// should end.
func Become(argv []string, heritage map[string][]int) error {
	env := append(environ(), Env+"=1")
	if heritage != nil {
		s := &state{}
		for key, fds := range heritage {
			s.Stored = append(s.Stored, stored{[]byte(key), fds})
		}
		fd, err := s.write()
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		env = append(env, envState+"="+strconv.Itoa(fd))
		pass(s.fds(), true)
		defer pass(s.fds(), false)
		// Between the exec and the new guard's first steps the default action would be its end. (To block
		// them would not help: Go lets most of them through before it has handlers.)
		signal.Ignore(syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGUSR2)
	}
	return fmt.Errorf("cannot execute the guard: %w", syscall.Exec("/proc/self/exe", argv, env))
}

// pass says whether the files are for the program that is executed next.
func pass(fds []int, yes bool) {
	flag := unix.FD_CLOEXEC
	if yes {
		flag = 0
	}
	for _, fd := range fds {
		_, _ = unix.FcntlInt(uintptr(fd), unix.F_SETFD, flag)
	}
}

func (s *state) write() (fd int, err error) {
	b, err := json.Marshal(s)
	if err != nil {
		return -1, err
	}
	fd, err = unix.MemfdCreate("guard", 0)
	if err != nil {
		return -1, fmt.Errorf("cannot make a file for the guard's state: %w", err)
	}
	for n := 0; n < len(b); {
		wrote, err := unix.Pwrite(fd, b[n:], int64(n))
		if err != nil {
			unix.Close(fd)
			return -1, fmt.Errorf("cannot write the guard's state: %w", err)
		}
		n += wrote
	}
	return fd, nil
}

// readState is the state that the guard before has left, or nil if this is the first one.
func readState() (*state, error) {
	v := os.Getenv(envState)
	if v == "" {
		return nil, nil
	}
	fd, err := strconv.Atoi(v)
	if err != nil {
		return nil, fmt.Errorf("bad %s=%s", envState, v)
	}
	f := os.NewFile(uintptr(fd), "state")
	defer f.Close()
	s := &state{}
	if err := json.NewDecoder(io.NewSectionReader(f, 0, 1<<40)).Decode(s); err != nil {
		return nil, fmt.Errorf("cannot read the state of the guard before: %w", err)
	}
	return s, nil
}

// environ is the environment without the package's variables.
func environ() (env []string) {
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); name != Env && !strings.HasPrefix(name, Env+"_") {
			env = append(env, v)
		}
	}
	return env
}

package config

import (
	"errors"
	"strings"
	"syscall"

	"holdfast/internal/pyrepr"
)

// signals are the names that a signal may be given by, without SIG.
//
// Differs: the original also takes SIG_DFL, SIG_IGN, SIG_BLOCK, SIG_UNBLOCK and SIG_SETMASK, which
// are no signals.
var signals = map[string]syscall.Signal{
	"ABRT": syscall.SIGABRT, "ALRM": syscall.SIGALRM, "BUS": syscall.SIGBUS, "CHLD": syscall.SIGCHLD,
	"CLD": syscall.SIGCLD, "CONT": syscall.SIGCONT, "FPE": syscall.SIGFPE, "HUP": syscall.SIGHUP,
	"ILL": syscall.SIGILL, "INT": syscall.SIGINT, "IO": syscall.SIGIO, "IOT": syscall.SIGIOT,
	"KILL": syscall.SIGKILL, "PIPE": syscall.SIGPIPE, "POLL": syscall.SIGPOLL, "PROF": syscall.SIGPROF,
	"PWR": syscall.SIGPWR, "QUIT": syscall.SIGQUIT, "SEGV": syscall.SIGSEGV, "STKFLT": syscall.SIGSTKFLT,
	"STOP": syscall.SIGSTOP, "SYS": syscall.SIGSYS, "TERM": syscall.SIGTERM, "TRAP": syscall.SIGTRAP,
	"TSTP": syscall.SIGTSTP, "TTIN": syscall.SIGTTIN, "TTOU": syscall.SIGTTOU, "URG": syscall.SIGURG,
	"USR1": syscall.SIGUSR1, "USR2": syscall.SIGUSR2, "VTALRM": syscall.SIGVTALRM, "WINCH": syscall.SIGWINCH,
	"XCPU": syscall.SIGXCPU, "XFSZ": syscall.SIGXFSZ, "RTMIN": rtMin, "RTMAX": rtMax,
}

// The real-time signals that have a name in the original; the C library keeps 32 and 33.
const (
	rtMin = syscall.Signal(34)
	rtMax = syscall.Signal(64)
)

// ParseSignal reads a signal as stopsignal= and the API's signal methods take it: a number, or a
// name with or without SIG, in any case of letters. Zero is a signal here, as in the original.
func ParseSignal(text string) (syscall.Signal, error) {
	if n, err := parseInt(text, 10); err == nil {
		sig := syscall.Signal(toInt(n))
		if sig >= 0 && sig <= 31 || sig == rtMin || sig == rtMax {
			return sig, nil
		}
		return 0, errors.New("value " + pyrepr.Repr(text) + " is not a valid signal number")
	}
	name := strings.TrimPrefix(strings.ToUpper(strings.TrimSpace(text)), "SIG")
	if sig, ok := signals[name]; ok {
		return sig, nil
	}
	return 0, errors.New("value " + pyrepr.Repr(text) + " is not a valid signal name")
}

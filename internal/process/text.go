package process

import (
	"fmt"
	"strconv"
	"syscall"
)

// The lines of this file are Supervisor's to the byte where it has such a line (spec process §4,
// §10.1).

const tooQuickText = "Exited too quickly (process log may have details)"

func badExitText(code int) string       { return "Bad exit code " + strconv.Itoa(code) }
func alreadyRunning(name string) string { return "process '" + name + "' already running" }
func spawnErrText(err string) string    { return "spawnerr: " + err }

func spawnedText(name string, pid int) string {
	return "spawned: '" + name + "' with pid " + strconv.Itoa(pid)
}

func successText(name string, secs int) string {
	return "success: " + name + " entered RUNNING state, process has stayed up for > than " +
		strconv.Itoa(secs) + " seconds (startsecs)"
}

func gaveUpText(name string) string {
	return "gave up: " + name + " entered FATAL state, too many start retries too quickly"
}

func overLimitText(name string, starts, secs int) string {
	return fmt.Sprintf("gave up: %s entered FATAL state, it was started %d times within %d seconds (startlimitburst)", name, starts, secs)
}

func outOfFatalText(name string, secs int) string {
	return fmt.Sprintf("trying again: %s was FATAL for %d seconds (fatalretrysecs)", name, secs)
}

func endSupervisorText(name string, s State, code int) string {
	return fmt.Sprintf("%s is %s: shutting down, to end with status %d (exit_supervisor_when)", name, s, code)
}

func exitedText(name string, s ExitStatus, expected bool) string {
	if expected {
		return "exited: " + name + " (" + s.String() + "; expected)"
	}
	return "exited: " + name + " (" + s.String() + "; not expected)"
}

func stoppedText(name string, s ExitStatus) string {
	return "stopped: " + name + " (" + s.String() + ")"
}

func killInBackoffText(name string) string {
	return "Attempted to kill " + name + ", which is in BACKOFF state."
}

func killingText(name string, pid int, sig syscall.Signal, group bool) string {
	who := "(pid " + strconv.Itoa(pid) + ") "
	if group {
		who += "process group "
	}
	return "killing " + name + " " + who + "with signal " + SignalName(sig)
}

func nextSignalText(name string, pid int, sig syscall.Signal) string {
	return fmt.Sprintf("killing '%s' (%d) with %s", name, pid, SignalName(sig))
}

func signalFailedText(name string, pid int, killing bool, e SignalFailed) string {
	if !killing {
		return fmt.Sprintf("unknown problem sending sig %s (%d):%s: %s", name, pid, SignalName(e.Signal), e.Err)
	}
	return fmt.Sprintf("unknown problem killing %s (%d):%s: %s", name, pid, SignalName(e.Signal), e.Err)
}

func unhealthyText(name string, pid int, why string) string {
	return fmt.Sprintf("killing '%s' (%d): %s", name, pid, why)
}

func stopCommandText(name, err string) string {
	return "stop_command of " + name + ": " + err + "; going on with stopsignal"
}

func groupLeftText(name string, s ExitStatus) string {
	return fmt.Sprintf("waiting for the process group of %s to end (%s)", name, s)
}

func oomText(name string) string {
	return name + " was perhaps killed for want of memory: oom_kill of the cgroup has risen while it ran"
}

func describe(p *Program, r *Record, e Event) string {
	return fmt.Sprintf("%s: %T can't happen in %s (pid %d)", p.Name, e, r.State, r.PID)
}

// String is how the log speaks of the end of a process: "exit status 3", "terminated by SIGKILL
// (core dumped)".
func (s ExitStatus) String() string {
	if s.Unknown {
		return "exit status unknown"
	}
	if s.Signal == 0 {
		return "exit status " + strconv.Itoa(s.Code)
	}
	text := "terminated by " + SignalName(s.Signal)
	if s.Core {
		text += " (core dumped)"
	}
	return text
}

// Long is String and what is known of the reason, for those who ask what has happened.
func (s ExitStatus) Long() string {
	text := s.String()
	switch {
	case s.Unknown:
	case s.OOM:
		text += " (perhaps for want of memory: oom_kill of the cgroup has risen while it ran)"
	case s.Signal != 0 && s.Signal == s.After:
		text += " (sent by supervisord)"
	case s.Signal == 0 && s.Code == 2 && s.After == syscall.SIGQUIT:
		text += " (after SIGQUIT from supervisord, of which a Go program writes its goroutines and ends so)"
	}
	return text
}

// String is the manual's name of the state, in capitals.
func (s State) String() string {
	switch s {
	case Stopped:
		return "STOPPED"
	case Starting:
		return "STARTING"
	case Running:
		return "RUNNING"
	case Backoff:
		return "BACKOFF"
	case Stopping:
		return "STOPPING"
	case Exited:
		return "EXITED"
	case Fatal:
		return "FATAL"
	case Unknown:
		return "UNKNOWN"
	}
	return "State(" + strconv.Itoa(int(s)) + ")"
}

// The names are the original's choice where a number has several (6, 17, 29).
var signalNames = map[syscall.Signal]string{
	1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 4: "SIGILL", 5: "SIGTRAP", 6: "SIGABRT", 7: "SIGBUS",
	8: "SIGFPE", 9: "SIGKILL", 10: "SIGUSR1", 11: "SIGSEGV", 12: "SIGUSR2", 13: "SIGPIPE",
	14: "SIGALRM", 15: "SIGTERM", 16: "SIGSTKFLT", 17: "SIGCHLD", 18: "SIGCONT", 19: "SIGSTOP",
	20: "SIGTSTP", 21: "SIGTTIN", 22: "SIGTTOU", 23: "SIGURG", 24: "SIGXCPU", 25: "SIGXFSZ",
	26: "SIGVTALRM", 27: "SIGPROF", 28: "SIGWINCH", 29: "SIGPOLL", 30: "SIGPWR", 31: "SIGSYS",
	34: "SIGRTMIN", 64: "SIGRTMAX",
}

// SignalName is "SIGTERM" for 15, and "signal 40" for a number without a name.
func SignalName(sig syscall.Signal) string {
	if name, ok := signalNames[sig]; ok {
		return name
	}
	return "signal " + strconv.Itoa(int(sig))
}

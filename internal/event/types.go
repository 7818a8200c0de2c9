package event

import (
	"strconv"

	"holdfast/internal/process"
)

// The payloads of this file are Supervisor's to the byte (spec events §2).

type (
	// ProcessState is the change of a process's state.
	ProcessState struct {
		Name, Group string
		Change      process.Changed
	}

	// ProcessLog is a piece of output of a process, with events enabled for it. Whether it is
	// valid UTF-8 is decided piece by piece.
	ProcessLog struct {
		Name, Group string
		PID         int
		Channel     Channel
		Data        string
	}

	// ProcessCommunication is what a process has written between the capture tokens.
	ProcessCommunication struct {
		Name, Group string
		PID         int
		Channel     Channel
		Data        string
	}

	// RemoteCommunication is what a client has sent with sendRemoteCommEvent.
	RemoteCommunication struct{ Kind, Data string }

	// SupervisorStateChange says that the daemon now runs, or begins to stop: to go down or to
	// restart.
	SupervisorStateChange struct{ Stopping bool }

	// Tick says that a period of the clock has begun.
	Tick struct {
		Period int   // seconds: 5, 60 or 3600
		When   int64 // the beginning, in seconds of the epoch
	}

	// ProcessGroup says that a group was added or removed.
	ProcessGroup struct {
		Name    string
		Removed bool
	}

	// ProcessHealth says that a process is ready now, not ready any more, or not alive: then it is going to be
	// stopped.
	ProcessHealth struct {
		Name, Group   string
		PID           int
		Ready, Failed bool
		Why           string // unless it is ready
	}
)

// A Channel is one of the two outputs of a process.
type Channel int

const (
	Stdout Channel = iota
	Stderr
)

func (c Channel) String() string {
	if c == Stderr {
		return "stderr"
	}
	return "stdout"
}

func (e ProcessState) Type() Type { return Type("PROCESS_STATE_" + e.Change.To.String()) }

func (e ProcessState) Payload() string {
	c := e.Change
	s := "processname:" + e.Name + " groupname:" + e.Group + " from_state:" + c.From.String()
	switch c.To {
	case process.Starting, process.Backoff:
		return s + " tries:" + strconv.Itoa(c.Tries)
	case process.Running, process.Stopping, process.Stopped:
		return s + " pid:" + strconv.Itoa(c.PID)
	case process.Exited:
		expected := "0"
		if c.Expected {
			expected = "1"
		}
		return s + " expected:" + expected + " pid:" + strconv.Itoa(c.PID)
	}
	return s // FATAL, UNKNOWN
}

func (e ProcessLog) Type() Type {
	if e.Channel == Stderr {
		return "PROCESS_LOG_STDERR"
	}
	return "PROCESS_LOG_STDOUT"
}

func (e ProcessLog) Payload() string {
	return "processname:" + e.Name + " groupname:" + e.Group + " pid:" + strconv.Itoa(e.PID) +
		" channel:" + e.Channel.String() + "\n" + Text(e.Data)
}

func (e ProcessCommunication) Type() Type {
	if e.Channel == Stderr {
		return "PROCESS_COMMUNICATION_STDERR"
	}
	return "PROCESS_COMMUNICATION_STDOUT"
}

func (e ProcessCommunication) Payload() string {
	return "processname:" + e.Name + " groupname:" + e.Group + " pid:" + strconv.Itoa(e.PID) +
		"\n" + Text(e.Data)
}

func (e RemoteCommunication) Type() Type { return "REMOTE_COMMUNICATION" }

func (e RemoteCommunication) Payload() string { return "type:" + e.Kind + "\n" + e.Data }

func (e SupervisorStateChange) Type() Type {
	if e.Stopping {
		return "SUPERVISOR_STATE_CHANGE_STOPPING"
	}
	return "SUPERVISOR_STATE_CHANGE_RUNNING"
}

func (e SupervisorStateChange) Payload() string { return "" }

func (e Tick) Type() Type { return Type("TICK_" + strconv.Itoa(e.Period)) }

func (e Tick) Payload() string { return "when:" + strconv.FormatInt(e.When, 10) }

func (e ProcessGroup) Type() Type {
	if e.Removed {
		return "PROCESS_GROUP_REMOVED"
	}
	return "PROCESS_GROUP_ADDED"
}

// Payload is the only one that ends its tokens with a newline (quirks 83).
func (e ProcessGroup) Payload() string { return "groupname:" + e.Name + "\n" }

func (e ProcessHealth) Type() Type {
	switch {
	case e.Failed:
		return "PROCESS_HEALTH_FAILED"
	case e.Ready:
		return "PROCESS_HEALTH_READY"
	}
	return "PROCESS_HEALTH_NOT_READY"
}

// Payload has the reason as its data, as it may be any text.
func (e ProcessHealth) Payload() string {
	return "processname:" + e.Name + " groupname:" + e.Group + " pid:" + strconv.Itoa(e.PID) + "\n" + Text(e.Why)
}

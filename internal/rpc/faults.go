package rpc

import (
	"context"
	"errors"

	"holdfast/internal/supervisor"
	"holdfast/internal/xmlrpc"
)

// The faults that this package itself finds; the others come from the supervisor as reasons.
const (
	unknownMethod        = 1
	incorrectParameters  = 2
	badArguments         = 3
	signatureUnsupported = 4
	badName              = 10
	badSignal            = 11
	noFile               = 20
	failed               = 30
	success              = 80 // only as a status
)

// faults is every fault of the API.
var faults = []struct {
	code   int
	name   string
	reason supervisor.Reason // empty: only this package finds it
}{
	{unknownMethod, "UNKNOWN_METHOD", ""},
	{incorrectParameters, "INCORRECT_PARAMETERS", ""},
	{badArguments, "BAD_ARGUMENTS", ""},
	{signatureUnsupported, "SIGNATURE_UNSUPPORTED", ""},
	{6, "SHUTDOWN_STATE", supervisor.ErrShutdownState},
	{badName, "BAD_NAME", supervisor.ErrBadName},
	{badSignal, "BAD_SIGNAL", supervisor.ErrBadSignal},
	{noFile, "NO_FILE", supervisor.ErrNoFile},
	{21, "NOT_EXECUTABLE", supervisor.ErrNotExecutable},
	{failed, "FAILED", supervisor.ErrFailed},
	{40, "ABNORMAL_TERMINATION", supervisor.ErrAbnormalTermination},
	{50, "SPAWN_ERROR", supervisor.ErrSpawn},
	{60, "ALREADY_STARTED", supervisor.ErrAlreadyStarted},
	{70, "NOT_RUNNING", supervisor.ErrNotRunning},
	{90, "ALREADY_ADDED", supervisor.ErrAlreadyAdded},
	{91, "STILL_RUNNING", supervisor.ErrStillRunning},
	{92, "CANT_REREAD", supervisor.ErrCantReread},
}

// fault returns the fault of that code; extra is put behind its name, empty for none. A client's name
// or signal is told even if it is empty.
func fault(code int, extra string) *xmlrpc.Fault {
	text := "UNKNOWN"
	for _, f := range faults {
		if f.code == code {
			text = f.name
		}
	}
	if extra != "" || code == badName || code == badSignal {
		text += ": " + extra
	}
	return &xmlrpc.Fault{Code: code, String: text}
}

// noFileOf is the fault for a log that is not there; its name is told even if it is empty.
func noFileOf(path string) *xmlrpc.Fault {
	f := fault(noFile, "")
	f.String += ": " + path
	return f
}

// toFault returns the fault that tells a client of err.
func toFault(err error) *xmlrpc.Fault {
	var f *xmlrpc.Fault
	if errors.As(err, &f) {
		return f
	}
	var reason supervisor.Reason
	if errors.As(err, &reason) {
		var detail string
		var e *supervisor.Error
		if errors.As(err, &e) {
			detail = e.Detail
		}
		for _, f := range faults {
			if f.reason == reason {
				return fault(f.code, detail)
			}
		}
	}
	if errors.Is(err, context.Canceled) {
		// The client has gone, or else the server ends: then it is there to read why.
		return toFault(supervisor.ErrShutdownState)
	}
	return fault(failed, err.Error())
}

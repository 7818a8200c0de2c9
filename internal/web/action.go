package web

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"holdfast/internal/httpd"
	"holdfast/internal/supervisor"
)

// The messages of this file are Supervisor's to the byte (spec webui §3).

// act does what a form's action says, and redirects to the page with the message about it.
//
// The redirect stays 301, as scripts may look for it: what is said to be not cacheable is asked for
// again, and browsers follow it by GET after a POST.
//
// Differs: Location is relative, and not http:// with the Host of the request, which is wrong
// behind a proxy with TLS or for a path below its root.
func (h *handler) act(w http.ResponseWriter, r *http.Request, f form) {
	action, name := f["action"], f["processname"]
	if source := httpd.SourceOf(r); source != httpd.Trusted && action != "refresh" {
		h.refuse(w, r, source, action, name)
		return
	}
	message, err := h.do(r.Context(), action, name)
	switch {
	case isEnding(err):
		h.ending(w)
	case err != nil:
		// Differs: an action that there is not is the client's error (400) and not ours (500).
		httpd.Error(w, http.StatusBadRequest)
	default:
		noCache(w.Header())
		w.Header().Set("Location", "./?message="+quote(message))
		httpd.Error(w, http.StatusMovedPermanently)
	}
}

var errNoAction = errors.New("no such action")

// do does action and returns the message about it. An error is errNoAction, or isEnding.
//
// What has been begun goes on when the client hangs up: between the stop and the start of a restart
// too, or a phone that loses its network would leave a service stopped.
func (h *handler) do(ctx context.Context, action, name string) (string, error) {
	toItsEnd := context.WithoutCancel(ctx)
	switch action {
	case "refresh":
		return "Page refreshed at " + ctime(), h.api.Ready()
	case "stopall":
		_, err := h.api.StopAll(ctx, true)
		return h.outcome(err, "All stopped at "+ctime(), "")
	case "restartall":
		if _, err := h.api.StopAll(toItsEnd, true); err != nil {
			return h.outcome(err, "", "")
		}
		results, err := h.api.StartAll(ctx, true)
		return h.outcome(err, "All restarted at "+ctime()+h.butNot(results), "")
	}
	if name == "" {
		return "", errNoAction
	}
	if _, err := h.processInfo(name); errors.Is(err, supervisor.ErrBadName) {
		return "No such process named " + name, nil
	} else if err != nil {
		return h.outcome(err, "", "")
	}
	switch action {
	case "start":
		err := h.api.StartProcess(ctx, name, true)
		return h.outcome(err, "Process "+name+" started", "ERROR: Process "+name+": ")
	case "stop":
		err := h.api.StopProcess(ctx, name, true)
		return h.outcome(err, "Process "+name+" stopped", "")
	case "restart":
		if err := h.api.StopProcess(toItsEnd, name, true); isEnding(err) {
			return "", err
		}
		// Differs: a start that fails is told, as by action=start; the original always says
		// that the process was restarted.
		err := h.api.StartProcess(ctx, name, true)
		return h.outcome(err, "Process "+name+" restarted", "ERROR: Process "+name+": ")
	case "clearlog":
		err := h.api.ClearLogs(ctx, name)
		return h.outcome(err, "Log for "+name+" cleared", "")
	}
	return "", errNoAction
}

// outcome is good if err is nil. Else it says what went wrong: behind before, which is not empty
// for a start, whose faults have texts of their own.
func (h *handler) outcome(err error, good, before string) (string, error) {
	switch {
	case err == nil:
		return good, nil
	case isEnding(err):
		return "", err
	case before != "":
		return before + h.startFault(err), nil
	}
	return h.unexpected(err), nil
}

func (h *handler) startFault(err error) string {
	for _, f := range []struct {
		reason supervisor.Reason
		text   string
	}{
		{supervisor.ErrNoFile, "no such file"},
		{supervisor.ErrNotExecutable, "file not executable"},
		{supervisor.ErrAlreadyStarted, "already started"},
		{supervisor.ErrSpawn, "spawn error"},
		{supervisor.ErrAbnormalTermination, "abnormal termination"},
	} {
		if errors.Is(err, f.reason) {
			return f.text
		}
	}
	return h.unexpected(err)
}

// butNot tells of those that failed. The original is silent about them.
func (h *handler) butNot(results []supervisor.Result) string {
	var failed []string
	for _, r := range results {
		if r.Err != nil {
			failed = append(failed, namespec(r.Group, r.Name)+" ("+h.startFault(r.Err)+")")
		}
	}
	if failed == nil {
		return ""
	}
	// Differs: they are named.
	return ", but not " + strings.Join(failed, ", ")
}

// ctime is the time as C's and Python's ctime write it.
func ctime() string { return time.Now().Format(time.ANSIC) }

// Package web is the face for browsers and for those who follow a log:
//
//	GET /logtail/NAME[/CHANNEL]   the log of a process, NAME as "process" or "group:process",
//	                              CHANNEL stdout (the default) or stderr
//	GET /mainlogtail              the daemon's own log
//
// Each answers with the end of the log and goes on, as tail -F does, for as long as the client stays.
package web

import (
	"net/http"
	"strings"

	"holdfast/internal/httpd"
	"holdfast/internal/supervisor"
)

// A Daemon answers what is not the supervisor's to know.
type Daemon interface {
	MainLog() string // path of the main log; empty: there is none, or it is syslog
}

// New returns the handler for every path that is not the XML-RPC's.
func New(api supervisor.API, d Daemon) http.Handler {
	return &handler{api: api, daemon: d}
}

type handler struct {
	api    supervisor.API
	daemon Daemon
}

// ServeHTTP goes by prefix and not by path, as the original.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path
	isLog := strings.HasPrefix(path, "/logtail")
	isMainLog := strings.HasPrefix(path, "/mainlogtail")
	switch {
	case r.Method != http.MethodGet && (isLog || isMainLog || r.Method != http.MethodHead):
		httpd.Error(w, http.StatusBadRequest)
	case isLog:
		follow(w, r, h.processLog(path))
	case isMainLog:
		follow(w, r, h.daemon.MainLog())
	default:
		httpd.Error(w, http.StatusNotFound)
	}
}

// processLog returns the path of the log that a path of the server means; empty if there is none.
//
// Differs: a path without a name (/logtail) is 404 as every other that means no log, and not 500;
// so is the log of a process while supervisord ends, since the supervisor answers nothing then.
func (h *handler) processLog(path string) string {
	_, rest, _ := strings.Cut(strings.TrimLeft(path, "/"), "/")
	name, channel, ok := strings.Cut(rest, "/")
	if !ok {
		channel = "stdout"
	}
	if group, process, ok := strings.Cut(name, ":"); name == "" || ok && (group == "" || process == "" || process == "*") {
		return ""
	}
	info, err := h.api.ProcessInfo(name)
	if err != nil {
		return "" // whatever the reason, the client sees that there is no such log now
	}
	switch channel {
	case "stdout":
		return info.StdoutLog
	case "stderr":
		return info.StderrLog
	}
	return ""
}

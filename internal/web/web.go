// Package web is the face for browsers and for those who follow a log:
//
//	GET, POST /, /index.html      the status of all processes, with ?message=TEXT above it;
//	                              ?action=A[&processname=NAME] does A and redirects there: refresh,
//	                              stopall, restartall, start, stop, restart and clearlog
//	GET, POST /tail.html          ?processname=NAME[&limit=BYTES]: the end of a process's stdout log
//	GET, POST /ok.html            OK
//	GET /logtail/NAME[/CHANNEL]   the log of a process, NAME as "process" or "group:process",
//	                              CHANNEL stdout (the default) or stderr
//	GET /mainlogtail              the daemon's own log
//	GET, HEAD                     a file of static/, by its path
//
// The logs answer with the end of the log and go on, as tail -F does, for as long as the client stays.
//
// The pages are the templates of pages/; they have no script and need nothing from elsewhere. An
// action is done on GET too, as in the original, and never for another site's page: see
// httpd.SourceOf. One that waits for a process blocks its request's goroutine and nothing else.
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

// A Daemon answers what is not the supervisor's to know.
type Daemon interface {
	MainLog() string                            // path of the main log; empty: there is none, or it is syslog
	Version() string                            // the package's version
	Description(supervisor.Info) string         // of a process, as the API tells it
	Fault(error) (code int, faultString string) // that the API answers an error with
}

// New returns the handler for every path that is not the XML-RPC's.
func New(api supervisor.API, d Daemon) http.Handler {
	return &handler{api: api, daemon: d, since: time.Now()}
}

type handler struct {
	api    supervisor.API
	daemon Daemon
	since  time.Time // when the static files became what they are
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// A log may hold anything, so nobody shall guess at what it is.
	w.Header().Set("X-Content-Type-Options", "nosniff")

	path := r.URL.Path
	isGet := r.Method == http.MethodGet
	// Logs go by prefix and not by path, as in the original.
	isLog := strings.HasPrefix(path, "/logtail")
	isMainLog := strings.HasPrefix(path, "/mainlogtail")
	page := h.page(strings.TrimLeft(path, "/"))
	switch {
	case isLog && isGet:
		follow(w, r, h.processLog(path))
	case isMainLog && isGet:
		follow(w, r, h.daemon.MainLog())
	case isLog || isMainLog:
		httpd.Error(w, http.StatusBadRequest)
	case page != nil && (isGet || r.Method == http.MethodPost):
		if f, ok := readForm(w, r); ok {
			page(w, r, f)
		}
	case isGet || r.Method == http.MethodHead:
		h.static(w, r)
	default:
		httpd.Error(w, http.StatusBadRequest)
	}
}

// page is the page of that name; nil if there is none.
func (h *handler) page(name string) func(http.ResponseWriter, *http.Request, form) {
	switch name {
	case "", "index.html":
		return h.index
	case "tail.html":
		return h.tailPage
	case "ok.html":
		return ok
	}
	return nil
}

func readForm(w http.ResponseWriter, r *http.Request) (form, bool) {
	if r.Method != http.MethodPost {
		return parseForm(r.URL.RawQuery, ""), true
	}
	body, ok := httpd.ReadBody(w, r)
	return parseForm(r.URL.RawQuery, string(body)), ok
}

// isEnding tells whether err says that the supervisor, or the server, shuts down or restarts.
func isEnding(err error) bool {
	return errors.Is(err, supervisor.ErrShutdownState) || errors.Is(err, context.Canceled)
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
	info, err := h.processInfo(name)
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

// processInfo is what is known of one process; a whole group (g:*, g:) is none.
func (h *handler) processInfo(name string) (supervisor.Info, error) {
	if group, process, ok := strings.Cut(name, ":"); name == "" || ok && (group == "" || process == "" || process == "*") {
		return supervisor.Info{}, &supervisor.Error{Reason: supervisor.ErrBadName, Detail: name}
	}
	return h.api.ProcessInfo(name)
}

package web

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"holdfast/internal/process"
	"holdfast/internal/supervisor"
)

// An actor is a supervisor that notes each call that changes something and fails as it is told.
type actor struct {
	fakeAPI
	info, start, stop, clear error
	results                  []supervisor.Result // of StartAll
	calls                    []string
}

func (a *actor) note(format string, args ...any) {
	a.calls = append(a.calls, fmt.Sprintf(format, args...))
}

func (a *actor) Ready() error { return a.info }
func (a *actor) ProcessInfo(name string) (supervisor.Info, error) {
	if a.info != nil {
		return supervisor.Info{}, a.info
	}
	return a.fakeAPI.ProcessInfo(name)
}
func (a *actor) AllProcessInfo() ([]supervisor.Info, error) {
	return slices.SortedFunc(maps.Values(a.infos), func(x, y supervisor.Info) int {
		return cmp.Or(cmp.Compare(x.Group, y.Group), cmp.Compare(x.Name, y.Name))
	}), a.info
}
func (a *actor) StartProcess(_ context.Context, name string, wait bool) error {
	a.note("start %s %v", name, wait)
	return a.start
}
func (a *actor) StopProcess(ctx context.Context, name string, wait bool) error {
	a.note("stop %s %v", name, wait)
	return cmp.Or(ctx.Err(), a.stop)
}
func (a *actor) StartAll(_ context.Context, wait bool) ([]supervisor.Result, error) {
	a.note("start all %v", wait)
	return a.results, a.start
}
func (a *actor) StopAll(ctx context.Context, wait bool) ([]supervisor.Result, error) {
	a.note("stop all %v", wait)
	return nil, cmp.Or(ctx.Err(), a.stop)
}
func (a *actor) ClearLogs(_ context.Context, name string) error {
	a.note("clear %s", name)
	return a.clear
}

func newActor() *actor {
	p := supervisor.Info{Name: "p", Group: "p", State: process.Running}
	q := supervisor.Info{Name: "p", Group: "g", State: process.Stopped}
	return &actor{fakeAPI: fakeAPI{infos: map[string]supervisor.Info{"p": p, "g:p": q}}}
}

func refused(reason supervisor.Reason) error { return &supervisor.Error{Reason: reason, Detail: "p"} }

// get sends a request as curl would, unless the header says something else.
func get(h http.Handler, method, target, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if method == "POST" {
		r.Header.Set("Content-Length", fmt.Sprint(len(body)))
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

var clock = regexp.MustCompile(`[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}`)

// messageOf is what a redirect says, with TIME for the time.
func messageOf(w *httptest.ResponseRecorder) string {
	_, query, _ := strings.Cut(w.Header().Get("Location"), "?")
	return clock.ReplaceAllString(parseForm(query, "")["message"], "TIME")
}

func TestActions(t *testing.T) {
	for _, tt := range []struct {
		rule, query string
		api         func(*actor)
		message     string // empty: no redirect
		code        int    // where there is none
		calls       string
	}{
		{"refresh", "action=refresh", nil, "Page refreshed at TIME", 0, ""},
		{"stopall waits", "action=stopall", nil, "All stopped at TIME", 0, "stop all true"},
		{"restartall waits", "action=restartall", nil, "All restarted at TIME", 0, "stop all true, start all true"},
		{"restartall names who did not start", "action=restartall", func(a *actor) {
			a.results = []supervisor.Result{{Name: "p", Group: "p"}, {Name: "p", Group: "g", Err: refused(supervisor.ErrSpawn)},
				{Name: "q", Group: "q", Err: refused(supervisor.ErrFailed)}}
		}, "All restarted at TIME, but not g:p (spawn error), q (unexpected rpc fault [30] FAILED: p)", 0, "stop all true, start all true"},

		{"start waits", "action=start&processname=p", nil, "Process p started", 0, "start p true"},
		{"start in a group", "action=start&processname=g%3Ap", nil, "Process g:p started", 0, "start g:p true"},
		{"start: no file", "action=start&processname=p", func(a *actor) { a.start = refused(supervisor.ErrNoFile) }, "ERROR: Process p: no such file", 0, "start p true"},
		{"start: not executable", "action=start&processname=p", func(a *actor) { a.start = refused(supervisor.ErrNotExecutable) }, "ERROR: Process p: file not executable", 0, "start p true"},
		{"start: already started", "action=start&processname=p", func(a *actor) { a.start = refused(supervisor.ErrAlreadyStarted) }, "ERROR: Process p: already started", 0, "start p true"},
		{"start: spawn error", "action=start&processname=p", func(a *actor) { a.start = refused(supervisor.ErrSpawn) }, "ERROR: Process p: spawn error", 0, "start p true"},
		{"start: abnormal termination", "action=start&processname=p", func(a *actor) { a.start = refused(supervisor.ErrAbnormalTermination) }, "ERROR: Process p: abnormal termination", 0, "start p true"},
		{"start: another fault", "action=start&processname=p", func(a *actor) { a.start = refused(supervisor.ErrBadName) }, "ERROR: Process p: unexpected rpc fault [10] BAD_NAME: p", 0, "start p true"},
		{"start: no fault of the API", "action=start&processname=p", func(a *actor) { a.start = errors.New("oh") }, "ERROR: Process p: unexpected rpc fault [30] FAILED: oh", 0, "start p true"},
		{"start: shutdown meanwhile", "action=start&processname=p", func(a *actor) { a.start = refused(supervisor.ErrShutdownState) }, "", 503, "start p true"},
		{"start: the server closes meanwhile", "action=start&processname=p", func(a *actor) { a.start = context.Canceled }, "", 503, "start p true"},

		{"stop waits", "action=stop&processname=p", nil, "Process p stopped", 0, "stop p true"},
		{"stop: not running", "action=stop&processname=p", func(a *actor) { a.stop = refused(supervisor.ErrNotRunning) }, "unexpected rpc fault [70] NOT_RUNNING: p", 0, "stop p true"},
		{"stop: shutdown meanwhile", "action=stop&processname=p", func(a *actor) { a.stop = refused(supervisor.ErrShutdownState) }, "", 503, "stop p true"},

		{"restart", "action=restart&processname=p", nil, "Process p restarted", 0, "stop p true, start p true"},
		{"restart of what does not run", "action=restart&processname=p", func(a *actor) { a.stop = refused(supervisor.ErrNotRunning) }, "Process p restarted", 0, "stop p true, start p true"},
		{"restart: the start's fault", "action=restart&processname=p", func(a *actor) { a.start = refused(supervisor.ErrSpawn) }, "ERROR: Process p: spawn error", 0, "stop p true, start p true"},
		{"restart: shutdown meanwhile", "action=restart&processname=p", func(a *actor) { a.stop = refused(supervisor.ErrShutdownState) }, "", 503, "stop p true"},

		{"clearlog", "action=clearlog&processname=p", nil, "Log for p cleared", 0, "clear p"},
		{"clearlog: failed", "action=clearlog&processname=p", func(a *actor) { a.clear = refused(supervisor.ErrFailed) }, "unexpected rpc fault [30] FAILED: p", 0, "clear p"},
		{"clearlog: shutdown meanwhile", "action=clearlog&processname=p", func(a *actor) { a.clear = refused(supervisor.ErrShutdownState) }, "", 503, "clear p"},

		{"an unknown process", "action=start&processname=nope", nil, "No such process named nope", 0, ""},
		{"an unknown process comes before an unknown action", "action=nope&processname=nope", nil, "No such process named nope", 0, ""},
		{"a process of another group", "action=stop&processname=g", nil, "No such process named g", 0, ""},
		{"a whole group", "action=stop&processname=g:*", nil, "No such process named g:*", 0, ""},
		{"a whole group in short", "action=stop&processname=g:", nil, "No such process named g:", 0, ""},
		{"no group", "action=stop&processname=:p", nil, "No such process named :p", 0, ""},
		{"a name that is a page", "action=stop&processname=%3Cb%3E%26%22\u00e9", nil, "No such process named <b>&\"\u00e9", 0, ""},
		{"an unknown action", "action=nope&processname=p", nil, "", 400, ""},
		{"an unknown action without a process", "action=nope", nil, "", 400, ""},
		{"an action without its process", "action=stop", nil, "", 400, ""},
		{"an action on an empty process", "action=stop&processname=", nil, "", 400, ""},
		{"a process without an action", "processname=p", nil, "", 200, ""},
		{"an empty action", "action=&processname=p", nil, "", 200, ""},

		{"during a shutdown", "action=stop&processname=p", func(a *actor) { a.info = refused(supervisor.ErrShutdownState) }, "", 503, ""},
		{"refresh during a shutdown", "action=refresh", func(a *actor) { a.info = refused(supervisor.ErrShutdownState) }, "", 503, ""},
		{"stopall during a shutdown", "action=stopall", func(a *actor) { a.stop = refused(supervisor.ErrShutdownState) }, "", 503, "stop all true"},
		{"restartall when a shutdown begins", "action=restartall", func(a *actor) { a.start = refused(supervisor.ErrShutdownState) }, "", 503, "stop all true, start all true"},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			for _, way := range []struct{ method, target, body string }{
				{"GET", "/?" + tt.query, ""},
				{"GET", "/index.html?" + tt.query, ""},
				{"POST", "/index.html?" + tt.query, ""},
				{"POST", "//", tt.query},
			} {
				a := newActor()
				if tt.api != nil {
					tt.api(a)
				}
				w := get(New(a, fakeDaemon("")), way.method, way.target, way.body)
				if calls := strings.Join(a.calls, ", "); calls != tt.calls {
					t.Errorf("%v: calls %q, want %q", way, calls, tt.calls)
				}
				if tt.message == "" {
					if w.Code != tt.code || w.Header().Get("Location") != "" {
						t.Errorf("%v: status %d to %q, want %d", way, w.Code, w.Header().Get("Location"), tt.code)
					}
					continue
				}
				if got := messageOf(w); w.Code != 301 || got != tt.message || !strings.HasPrefix(w.Header().Get("Location"), "./?message=") {
					t.Errorf("%v: status %d to %q, message %q, want %q", way, w.Code, w.Header().Get("Location"), got, tt.message)
				}
				if w.Header().Get("Cache-Control") != "no-cache" || !strings.Contains(w.Body.String(), "<p>Error code 301.\r\n") {
					t.Errorf("%v: header %v, body %q", way, w.Header(), w.Body)
				}
			}
		})
	}
}

// A client that hangs up while a restart stops a process leaves it started.
func TestARestartIsDoneToItsEnd(t *testing.T) {
	for query, want := range map[string]string{
		"action=restart&processname=p": "stop p true, start p true",
		"action=restartall":            "stop all true, start all true",
	} {
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		a := newActor()
		New(a, fakeDaemon("")).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/?"+query, nil).WithContext(gone))
		if got := strings.Join(a.calls, ", "); got != want {
			t.Errorf("%s: calls %q, want %q", query, got, want)
		}
	}
}

// Nothing that changes something is done for another site, and what is refused says so.
func TestOtherSitesChangeNothing(t *testing.T) {
	const browser = "Mozilla/5.0 (X11; Linux x86_64)"
	for _, tt := range []struct {
		rule   string
		header []string
		title  string // of the page that refuses; empty: it is done
	}{
		{"a script", nil, ""},
		{"our own page", []string{"Sec-Fetch-Site", "same-origin"}, ""},
		{"our own page, where the browser says little", []string{"User-Agent", browser, "Origin", "http://192.0.2.1:9001"}, ""},
		{"another site", []string{"Sec-Fetch-Site", "cross-site"}, "Refused"},
		{"another site, where the browser says little", []string{"User-Agent", browser, "Referer", "http://evil.example/<b>"}, "Refused"},
		{"a browser that does not say", []string{"User-Agent", browser}, "Really?"},
		{"a page that is loaded before somebody wants it", []string{"Sec-Purpose", "prefetch;prerender", "Sec-Fetch-Site", "none"}, "Refused"},
	} {
		for _, act := range []string{"stopall", "restartall", "stop", "start", "restart", "clearlog"} {
			for _, method := range []string{"GET", "POST"} {
				a := newActor()
				w := get(New(a, fakeDaemon("")), method, "http://192.0.2.1:9001/?processname=p&action="+act, "", tt.header...)
				body := w.Body.String()
				switch {
				case tt.title == "" && (w.Code != 301 || len(a.calls) == 0):
					t.Errorf("%s, %s %s: status %d, calls %v; want it done", tt.rule, method, act, w.Code, a.calls)
				case tt.title != "" && (w.Code != 403 || len(a.calls) > 0 || !strings.Contains(body, "<title>"+tt.title+"</title>") ||
					!strings.Contains(body, "<dd>"+act+"</dd>") || strings.Contains(body, "<b>")):
					t.Errorf("%s, %s %s: status %d, calls %v, body %s", tt.rule, method, act, w.Code, a.calls, body)
				}
				if asks := strings.Contains(body, `formaction="index.html?processname=p&amp;action=`+act+`"`); asks != (tt.title == "Really?") {
					t.Errorf("%s, %s %s: it asks: %v", tt.rule, method, act, asks)
				}
			}
		}
		// Who only looks may come from anywhere: a dashboard has links to us.
		for _, path := range []string{"/", "/?action=refresh", "/tail.html?processname=p", "/ok.html"} {
			if w := get(New(newActor(), fakeDaemon("")), "GET", path, "", tt.header...); w.Code != 200 && w.Code != 301 {
				t.Errorf("%s: status %d for %s", tt.rule, w.Code, path)
			}
		}
	}
	a := newActor()
	w := get(New(a, fakeDaemon("")), "POST", "http://evil.example:9001/?action=stopall", "", "Origin", "http://evil.example:9001")
	if w.Code != 403 || len(a.calls) > 0 || !strings.Contains(w.Body.String(), "<code>evil.example:9001</code>") {
		t.Errorf("a name that may not be ours: status %d, calls %v, body %s", w.Code, a.calls, w.Body)
	}
}

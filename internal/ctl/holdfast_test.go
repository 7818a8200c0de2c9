package ctl

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/client"
	"holdfast/internal/config"
	"holdfast/internal/xmlrpc"
)

// A server gives one answer for each method: a value, a fault, or a function of the parameters. What it has not is
// UNKNOWN_METHOD.
type server map[string]any

func (s server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	method, params, err := xmlrpc.DecodeCall(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	answer, ok := s[method]
	if f, isFunc := answer.(func([]any) any); isFunc {
		answer = f(params)
	}
	if !ok && method == "supervisor.getVersion" {
		answer, ok = "3.0", true
	}
	if !ok {
		answer = &xmlrpc.Fault{Code: client.UnknownMethod, String: "UNKNOWN_METHOD"}
	}
	f, isFault := answer.(*xmlrpc.Fault)
	if isFault {
		_, _ = w.Write(xmlrpc.EncodeFault(f))
		return
	}
	data, err := xmlrpc.EncodeResponse(answer)
	if err != nil {
		panic(err)
	}
	_, _ = w.Write(data)
}

// runs has a session of its own execute a line, and returns what it printed and its exit code.
func (s server) runs(t *testing.T, line string) (stdout, stderr string, exit int) {
	t.Helper()
	return s.runsWith(t, line, startPatience, nil)
}

// runsWith is runs with another patience; it calls told after each write to stderr, unless it is nil.
func (s server) runsWith(t *testing.T, line string, patience time.Duration, told func()) (stdout, stderr string, exit int) {
	t.Helper()
	server := httptest.NewServer(s)
	defer server.Close()
	var out bytes.Buffer
	errOut := telling{told: told}
	session := newSession(config.Ctl{ServerURL: server.URL}, flags{words: []string{line}}, newInput(strings.NewReader(""), io.Discard), &out, &errOut)
	defer session.close()
	session.startPatience = patience
	session.execute(line)
	return strings.ReplaceAll(out.String(), server.URL, "URL"), errOut.String(), session.exit
}

// telling is a buffer that says when something was written.
type telling struct {
	bytes.Buffer
	told func()
}

func (b *telling) Write(p []byte) (int, error) {
	n, err := b.Buffer.Write(p)
	if b.told != nil {
		b.told()
	}
	return n, err
}

// at is so many seconds after a day's beginning, as the API tells it.
func at(secs int) int64 {
	return time.Date(2026, 3, 4, 0, 0, secs, 0, time.Local).Unix()
}

func member(name string, v any) xmlrpc.Member { return xmlrpc.Member{Name: name, Value: v} }

// process is a process as the API tells it.
func process(group, name string, state client.ProcessState, stateName, description string, more ...xmlrpc.Member) xmlrpc.Struct {
	return append(xmlrpc.Struct{member("group", group), member("name", name), member("state", int(state)), member("statename", stateName),
		member("description", description), member("now", at(3600))}, more...)
}

var someProcesses = []any{
	process("plain", "plain", client.Running, "RUNNING", "pid 41, uptime 0:10:00", member("pid", 41), member("main_pid", 41), member("ready", true), member("main_command", "plain -v")),
	process("api", "kube-apiserver", client.Starting, "STARTING", "waiting for etcd (not ready: connection refused, 12 s)",
		member("waiting", "waiting for etcd (not ready: connection refused, 12 s)"), member("readiness", "https://h/readyz"),
		member("depends_on", []any{"etcd", "g:x"}), member("stop", at(0)), member("last_exit", "exit status 1")),
	process("etcd", "etcd", client.Running, "RUNNING", "pid 42, uptime 0:00:20", member("pid", 42), member("start", at(3580)), member("stop", at(3510)),
		member("main_pid", 43), member("main_command", "etcd --name a"), member("ready", false), member("not_ready", "connection refused"),
		member("ready_since", at(3588)), member("readiness", "http://h/health"), member("status", "loading\u202e"), member("restarts", 3),
		member("last_exit", "terminated by SIGKILL")),
	process("g", "up", client.Running, "RUNNING", "pid 45, uptime 1:00:00", member("pid", 45), member("main_pid", 45), member("ready", true),
		member("ready_since", at(60)), member("readiness", "notify"), member("reload", "SIGHUP")),
	process("g", "begins", client.Starting, "STARTING", "", member("pid", 46), member("main_pid", 46), member("start", at(3598)), member("readiness", "notify"), member("reload", "exec:x")),
	process("g", "stops", client.Stopping, "STOPPING", "", member("pid", 47), member("main_pid", 47), member("start", at(0)), member("next", at(3605)), member("readiness", "notify")),
	process("g", "backs-off", client.Backoff, "BACKOFF", "Exited too quickly (process log may have details)", member("next", at(3602)), member("restarts", 1),
		member("stop", at(3599)), member("last_exit", "exit status 1"), member("reload", "SIGHUP")),
	process("g", "never", client.Stopped, "STOPPED", "Not started"),
}

const someLong = `plain                            RUNNING   pid 41, uptime 0:10:00
api:kube-apiserver               STARTING  waiting for etcd (not ready: connection refused, 12 s)
  depends on   etcd, g:x
  last exit    exit status 1, 1 h 0 min ago (2026-03-04 00:00:00)
etcd                             RUNNING   pid 42, uptime 0:00:20
  not ready    for 12 s (http://h/health): connection refused
  main process 43 etcd --name a
  says         loading\u202e
  restarts     3
  last exit    terminated by SIGKILL, 1 min 30 s ago (2026-03-04 00:58:30)
g:up                             RUNNING   pid 45, uptime 1:00:00
  ready        for 59 min 0 s (notify)
g:begins                         STARTING
  process      46, started 2 s ago (2026-03-04 00:59:58)
  not ready    (notify)
g:stops                          STOPPING
  process      47, started 1 h 0 min ago (2026-03-04 00:00:00)
  next signal  in 5 s
g:backs-off                      BACKOFF   Exited too quickly (process log may have details)
  restarts     1
  last exit    exit status 1, 1 s ago (2026-03-04 00:59:59)
  next start   in 2 s
g:never                          STOPPED   Not started
`

func TestStatusLong(t *testing.T) {
	s := server{"holdfast.getAllProcessInfo": someProcesses, "supervisor.getAllProcessInfo": someProcesses}
	for _, c := range []struct {
		line   string
		stdout string
		exit   int
	}{
		{"status --long", someLong, exitStatusDown},
		{"status --long all", someLong, exitStatusDown},
		{"status --long plain", "plain                            RUNNING   pid 41, uptime 0:10:00\n", exitOK},
		{"status plain nosuch nosuch:* --long", "nosuch: ERROR (no such process)\nnosuch: ERROR (no such group)\nplain                            RUNNING   pid 41, uptime 0:10:00\n", exitStatusUnknown},
		{"status g:up", "g:up                             RUNNING   pid 45, uptime 1:00:00\n", exitOK},
		{"status --lang", "--lang: ERROR (no such process)\n", exitStatusUnknown},
		{"status --long --json", "Error: status takes one of --long and --json\n" + statusCommand.help + "\n", exitGeneric},
	} {
		stdout, stderr, exit := s.runs(t, c.line)
		if stdout != c.stdout || stderr != "" || exit != c.exit {
			t.Errorf("%s: exit %d, want %d, stderr %q, stdout\n%s\nwant\n%s", c.line, exit, c.exit, stderr, stdout, c.stdout)
		}
	}
}

func TestStatusJSON(t *testing.T) {
	s := server{"holdfast.getAllProcessInfo": someProcesses}
	stdout, stderr, exit := s.runs(t, "status --json etcd nosuch")
	if stderr != "nosuch: ERROR (no such process)\n" || exit != exitStatusUnknown {
		t.Errorf("exit %d, stderr %q", exit, stderr)
	}
	var list []map[string]any
	if err := json.Unmarshal([]byte(stdout), &list); err != nil || len(list) != 1 {
		t.Fatalf("%v: %s", err, stdout)
	}
	stamp := func(secs int) string { return time.Unix(at(secs), 0).Format(time.RFC3339) }
	for name, want := range map[string]any{
		"name": "etcd", "statename": "RUNNING", "state": 20.0, "pid": 42.0, "main_pid": 43.0, "ready": false, "not_ready": "connection refused",
		"status": "loading\u202e", "start": stamp(3580), "ready_since": stamp(3588), "now": stamp(3600), "next": nil, "last_exit": "terminated by SIGKILL",
	} {
		if got, there := list[0][name]; !there || got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	for line, want := range map[string]int{"status --json": exitStatusDown, "status --json plain": exitOK, "status --json nosuch": exitStatusUnknown} {
		stdout, _, exit := s.runs(t, line)
		if err := json.Unmarshal([]byte(stdout), &list); err != nil || exit != want {
			t.Errorf("%s: exit %d, want %d; %v: %s", line, exit, want, err, stdout)
		}
	}
}

// With --json stdout has that or nothing; else errors are where they always were.
func TestOursWithoutHoldfast(t *testing.T) {
	const sorry = "ERROR: this supervisord can't do that; %s needs Holdfast, or a newer one\n"
	const status = "status --long or --json"
	for _, c := range []struct {
		rule, line     string
		server         server
		stdout, stderr string
		exit           int
	}{
		{"the original: long", "status --long", nil, fmt.Sprintf(sorry, status), "", exitStatusUnknown},
		{"the original: JSON", "status --json x", nil, "", fmt.Sprintf(sorry, status), exitStatusUnknown},
		{"the original: refresh", "refresh x", nil, fmt.Sprintf(sorry, "refresh"), "", exitGeneric},
		{"shutting down: JSON", "status --json", server{"holdfast.getAllProcessInfo": &xmlrpc.Fault{Code: 6, String: "SHUTDOWN_STATE"}},
			"", "error: <class 'xmlrpc.client.Fault'>, <Fault 6: 'SHUTDOWN_STATE'>\n", exitGeneric},
		{"another version: JSON", "status --json", server{"supervisor.getVersion": "2.0"},
			"", "Sorry, this version of supervisorctl expects to talk to a server with API version 3.0, but the remote version is 2.0.\n", exitStatusUnknown},
	} {
		stdout, stderr, exit := c.server.runs(t, c.line)
		if stdout != c.stdout || stderr != c.stderr || exit != c.exit {
			t.Errorf("%s: exit %d, want %d, stdout %q, stderr %q", c.rule, exit, c.exit, stdout, stderr)
		}
	}
}

func TestRefresh(t *testing.T) {
	var mu sync.Mutex
	var asked []string
	s := server{"holdfast.getAllProcessInfo": someProcesses, "holdfast.reloadProcess": func(params []any) any {
		name := params[0].(string)
		mu.Lock()
		asked = append(asked, name)
		mu.Unlock()
		switch name {
		case "plain":
			return &xmlrpc.Fault{Code: client.Failed, String: "FAILED: plain has neither reload_command= nor reload_signal="}
		case "g:begins":
			return &xmlrpc.Fault{Code: client.Failed, String: "FAILED: g:begins: reload_command: exit status 1"}
		case "g:never":
			return &xmlrpc.Fault{Code: client.NotRunning, String: "NOT_RUNNING: g:never"}
		case "nosuch":
			return &xmlrpc.Fault{Code: client.BadName, String: "BAD_NAME: nosuch"}
		}
		return true
	}}
	for _, c := range []struct {
		line   string
		stdout string
		exit   int
		asked  []string
	}{
		{"refresh g:up", "g:up: refreshed\n", exitOK, []string{"g:up"}},
		{"refresh g:up nosuch etcd", "g:up: refreshed\nnosuch: ERROR (no such process)\netcd: refreshed\n", exitGeneric, []string{"g:up", "nosuch", "etcd"}},
		{"refresh plain", "plain: ERROR (has neither reload_command= nor reload_signal=)\n", exitGeneric, []string{"plain"}},
		{"refresh g:never", "g:never: ERROR (not running)\n", exitNotRunning, []string{"g:never"}},
		{"refresh g:*", "g:up: refreshed\ng:begins: ERROR (reload_command: exit status 1)\n", exitGeneric, []string{"g:up", "g:begins"}},
		{"refresh g: etcd", "g:up: refreshed\ng:begins: ERROR (reload_command: exit status 1)\netcd: refreshed\n", exitGeneric, []string{"g:up", "g:begins", "etcd"}},
		{"refresh all", "g:up: refreshed\ng:begins: ERROR (reload_command: exit status 1)\n", exitGeneric, []string{"g:up", "g:begins"}},
		{"refresh plain:*", "plain:*: ERROR (no process runs that has reload_command= or reload_signal=)\n", exitGeneric, nil},
		{"refresh nosuch:*", "nosuch: ERROR (no such group)\n", exitInvalidArgs, nil},
		{"refresh", "Error: refresh requires a process name\n" + refreshCommand.help + "\n", exitInvalidArgs, nil},
	} {
		asked = nil
		stdout, stderr, exit := s.runs(t, c.line)
		if stdout != c.stdout || stderr != "" || exit != c.exit || !slices.Equal(asked, c.asked) {
			t.Errorf("%s: exit %d, want %d, asked %q, stderr %q, stdout\n%s", c.line, exit, c.exit, asked, stderr, stdout)
		}
	}
}

// A start that takes its time says what it waits for, once, and not where others can read it who read the outcome.
func TestStartTellsWaits(t *testing.T) {
	goOn := make(chan bool, 1) // to the server, for the start to have its outcome
	slow := func(answer any) func([]any) any { return func([]any) any { <-goOn; return answer } }
	// nothing is said of this answer, so the start need not wait for that
	asked := func(answer any) func([]any) any { return func([]any) any { goOn <- true; return answer } }
	unknown := &xmlrpc.Fault{Code: client.UnknownMethod, String: "UNKNOWN_METHOD"}
	waits := "api:kube-apiserver: waiting for etcd (not ready: connection refused, 12 s)\n"
	for _, c := range []struct {
		rule, line     string
		server         server
		patience       time.Duration
		stdout, stderr string
	}{
		{"one that waits", "start api:kube-apiserver", server{"supervisor.startProcess": slow(true), "holdfast.getAllProcessInfo": someProcesses}, 0,
			"api:kube-apiserver: started\n", waits},
		{"a group", "start api:*", server{"supervisor.startProcessGroup": slow([]any{}), "holdfast.getAllProcessInfo": someProcesses}, 0, "", waits},
		{"all", "start all", server{"supervisor.startAllProcesses": slow([]any{}), "holdfast.getAllProcessInfo": someProcesses}, 0, "", waits},
		{"one that does not wait", "start g:begins", server{"supervisor.startProcess": slow(true), "holdfast.getAllProcessInfo": asked(someProcesses)}, 0, "g:begins: started\n", ""},
		{"the original has nothing to tell", "start x", server{"supervisor.startProcess": slow(true), "holdfast.getAllProcessInfo": asked(unknown)}, 0, "x: started\n", ""},
		{"a quick start asks nothing", "start x", server{"supervisor.startProcess": true, "holdfast.getAllProcessInfo": func([]any) any {
			t.Error("asked")
			return someProcesses
		}}, time.Hour, "x: started\n", ""},
	} {
		stdout, stderr, exit := c.server.runsWith(t, c.line, c.patience, func() { goOn <- true })
		if stdout != c.stdout || stderr != c.stderr || exit != exitOK {
			t.Errorf("%s: exit %d, stdout %q, stderr %q", c.rule, exit, stdout, stderr)
		}
	}
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Hour: "0 s", 0: "0 s", 59*time.Second + 999*time.Millisecond: "59 s", time.Minute: "1 min 0 s", time.Hour - time.Second: "59 min 59 s",
		2*time.Hour + 3*time.Minute: "2 h 3 min", 49*time.Hour + 59*time.Minute: "2 d 1 h",
	} {
		if got := span(d); got != want {
			t.Errorf("%v: got %q, want %q", d, got, want)
		}
	}
}

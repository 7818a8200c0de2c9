package ctl

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"holdfast/internal/xmlrpc"
)

// An act is a server that gives these answers, and the command lines that are given to it. An
// answer is a value, a fault, an HTTP status or a hangup; what is not in the table is UNKNOWN_METHOD.
type act struct {
	name    string
	answers map[string]any
	lines   []string
}

type (
	status int
	hangup struct{}
)

func result(group, name string, status int, description string) xmlrpc.Struct {
	return xmlrpc.Struct{{Name: "name", Value: name}, {Name: "group", Value: group}, {Name: "status", Value: status}, {Name: "description", Value: description}}
}

func info(group, name string, state int, stateName, description string) xmlrpc.Struct {
	return xmlrpc.Struct{{Name: "name", Value: name}, {Name: "group", Value: group}, {Name: "state", Value: state},
		{Name: "statename", Value: stateName}, {Name: "description", Value: description}, {Name: "pid", Value: 0}}
}

func fault(code int, text string) *xmlrpc.Fault { return &xmlrpc.Fault{Code: code, String: text} }

func groups(names ...string) []string { return names }

// acts are what no supervisord can be brought to say at will.
var acts = []act{
	{"another version of the API", map[string]any{"supervisor.getVersion": "2.0"},
		[]string{"status", "start x", "version", "tail x"}},
	{"no supervisor namespace", nil,
		[]string{"status", "start x", "version", "pid", "reread", "update", "add x", "remove x", "avail", "shutdown", "reload"}},
	{"shutting down", map[string]any{"": fault(6, "SHUTDOWN_STATE")},
		[]string{"status", "start x", "stop x", "restart x", "signal HUP x", "pid", "tail x", "maintail", "clear x", "fg x", "version",
			"reread", "update", "add x", "remove x", "avail", "shutdown", "reload", "open URL"}},
	{"shutting down after the first question", map[string]any{"supervisor.getVersion": "3.0", "": fault(6, "SHUTDOWN_STATE")},
		[]string{"status", "start x", "start x:*", "start all", "stop x", "stop x:*", "stop all", "restart x", "signal HUP x", "signal HUP x:*",
			"signal HUP all", "pid", "pid x", "pid all", "tail x", "maintail", "clear x", "clear all", "fg x", "version"}},
	{"failures", map[string]any{"supervisor.getVersion": "3.0", "": fault(30, "FAILED: it's \"bad\" é\n\x7f")},
		[]string{"start x", "stop x", "signal HUP g:x", "tail x", "tail x stderr", "maintail", "clear x", "add x", "remove x", "reload", "shutdown", "pid x", "avail", "fg x"}},
	{"no files", map[string]any{"supervisor.getVersion": "3.0", "": fault(20, "NO_FILE")},
		[]string{"start x", "stop x", "tail x", "maintail", "clear x"}},
	{"bad names", map[string]any{"supervisor.getVersion": "3.0", "": fault(10, "BAD_NAME")},
		[]string{"start x:y", "start x:*", "stop x:", "signal HUP x:", "maintail", "clear x:y", "tail x", "fg x", "pid x", "add x y", "remove x y"}},
	{"results of all kinds", map[string]any{
		"supervisor.getVersion": "3.0",
		"supervisor.startAllProcesses": []any{result("a", "a", 80, "OK"), result("g", "b", 50, "SPAWN_ERROR"), result("c", "c", 60, ""),
			result("c", "c", 20, ""), result("c", "c", 21, ""), result("c", "c", 10, ""), result("c", "c", 40, "")},
		"supervisor.stopAllProcesses": []any{result("a", "a", 80, "OK"), result("a", "a", 70, ""), result("a", "a", 30, "as it is"),
			result("g", "a", 10, ""), result("a", "a", 11, "")},
		"supervisor.signalAllProcesses":  []any{result("a", "a", 11, ""), result("a", "a", 80, "OK"), result("a", "a", 70, "")},
		"supervisor.clearAllProcessLogs": []any{result("a", "a", 30, ""), result("a", "a", 80, "OK"), result("a", "a", 99, ""), result("a", "a", 80, "OK")},
		"supervisor.startProcessGroup":   []any{result("g", "a", 60, ""), result("g", "b", 80, "OK")},
		"supervisor.stopProcessGroup":    []any{result("g", "a", 50, "")},
	}, []string{"start all", "stop all", "restart all", "signal HUP all", "clear all", "start g:*", "stop g:*"}},
	{"nothing there", map[string]any{"supervisor.getVersion": "3.0", "supervisor.getAllProcessInfo": []any{}, "supervisor.getAllConfigInfo": []any{},
		"supervisor.startAllProcesses": []any{}, "supervisor.readLog": "", "supervisor.reloadConfig": []any{[]any{groups(), groups(), groups()}}},
		[]string{"status", "status x", "pid all", "avail", "start all", "maintail", "reread", "update", "update x"}},
	{"states and names", map[string]any{"supervisor.getVersion": "3.0", "supervisor.getAllProcessInfo": []any{
		info("a", "a", 40, "STOPPING", ""), info("b", "b", 30, "BACKOFF", "can't find command 'x'"), info("c", "é中", 1000, "UNKNOWN", ""),
		info("d", strings.Repeat("n", 40), 20, "RUNNING", "pid 5, uptime 1 day, 0:00:01"), info("e", "e", 200, "FATAL", "")}},
		[]string{"status", "status a b", "status c:é中", "status d:*", "status e"}},
	{"an update", map[string]any{
		"supervisor.reloadConfig":     []any{[]any{groups("new", "both"), groups("changed"), groups("z-old", "both")}},
		"supervisor.stopProcessGroup": []any{result("g", "a", 80, "OK")}, "supervisor.removeProcessGroup": true, "supervisor.addProcessGroup": true,
		"supervisor.getAllProcessInfo": []any{info("changed", "x", 20, "RUNNING", "")}},
		[]string{"reread", "update", "update all x", "update changed nosuch", "update new nosuch nosuch", "add x", "remove x"}},
	{"an update with a process that does not stop", map[string]any{
		"supervisor.reloadConfig":     []any{[]any{groups("new"), groups("changed"), groups("old")}},
		"supervisor.stopProcessGroup": []any{result("g", "a", 30, "FAILED")}, "supervisor.removeProcessGroup": true, "supervisor.addProcessGroup": true},
		[]string{"update"}},
	{"an update that is refused", map[string]any{
		"supervisor.reloadConfig":     []any{[]any{groups("new"), groups("changed"), groups("old")}},
		"supervisor.stopProcessGroup": []any{}, "supervisor.removeProcessGroup": fault(91, "STILL_RUNNING: old")},
		[]string{"update", "update new", "update changed"}},
	{"a bad configuration", map[string]any{"supervisor.reloadConfig": fault(92, "CANT_REREAD: it's bad")},
		[]string{"reread", "update"}},
	{"logs", map[string]any{"supervisor.getVersion": "3.0", "supervisor.readLog": "é\n\n", "supervisor.readProcessStdoutLog": "no newline", "supervisor.readProcessStderrLog": " <&> "},
		[]string{"maintail", "maintail -5", "tail x", "tail g:x stderr"}},
	{"streams that end", map[string]any{"supervisor.getVersion": "3.0", "/logtail/x/stdout": "one\ntwo", "/mainlogtail": "é\n", "/logtail/g:x/stderr": "", "/logtail/z/stdout": status(410)},
		[]string{"tail -f x", "tail -f x stderr", "tail -f g:x STDERR", "maintail -f", "tail -f z"}},
	{"authentication", map[string]any{"": status(401)},
		[]string{"status", "start x", "reread", "update", "shutdown", "avail", "open URL", "-u a -p b status", "help version", "nosuch"}},
	{"a broken server", map[string]any{"": status(500)},
		[]string{"status", "reread", "shutdown"}},
	{"a server that hangs up", map[string]any{"": hangup{}},
		[]string{"status", "reread", "shutdown"}},
	{"fg", map[string]any{"supervisor.getVersion": "3.0", "supervisor.getProcessInfo": info("x", "x", 10, "STARTING", "")},
		[]string{"fg x"}},
}

func TestCanned(t *testing.T) {
	var lines []step
	for _, a := range acts {
		for _, l := range a.lines {
			lines = append(lines, step{args: l, act: a})
		}
	}
	if *rewrite {
		needOriginal(t)
		record(t, "testdata/canned.txt", lines, perform(tempDir(t), originalCtl))
	}
	compare(t, recorded(t, "testdata/canned.txt"), lines, perform(tempDir(t), ourCtl))
}

// perform returns a runner that has a server of its own for each step.
func perform(dir, ctl string) func(*testing.T, step) string {
	return func(t *testing.T, s step) string {
		server := httptest.NewServer(s.act)
		defer server.Close()
		argv := append([]string{"-s", server.URL}, strings.Fields(strings.ReplaceAll(s.args, "URL", server.URL))...)
		return strings.ReplaceAll(run(t, dir, "", ctl, argv...).normal(dir), server.URL, "URL")
	}
}

func (a act) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	what := r.URL.Path
	if r.Method == http.MethodPost {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		if what, _, err = xmlrpc.DecodeCall(body); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
	}
	answer, ok := a.answers[what]
	if !ok {
		answer, ok = a.answers[""]
	}
	switch x := answer.(type) {
	case hangup:
		panic(http.ErrAbortHandler)
	case status:
		http.Error(w, "", int(x))
		return
	case string:
		if r.Method == http.MethodGet {
			w.Header().Set("Connection", "close") // the original waits on for more otherwise
			w.(http.Flusher).Flush()              // makes it chunked
			fmt.Fprint(w, x)
			return
		}
	}
	if r.Method == http.MethodGet {
		http.NotFound(w, r)
		return
	}
	var data []byte
	f, isFault := answer.(*xmlrpc.Fault)
	switch {
	case !ok:
		data = xmlrpc.EncodeFault(fault(1, "UNKNOWN_METHOD"))
	case isFault:
		data = xmlrpc.EncodeFault(f)
	default:
		var err error
		if data, err = xmlrpc.EncodeResponse(answer); err != nil {
			panic(err)
		}
	}
	w.Header().Set("Content-Type", "text/xml")
	_, _ = w.Write(data)
}

package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast/internal/xmlrpc"
)

// answer is a server that gives one answer to all calls and remembers the last one.
type answer struct {
	value  any
	method string
	params []any
}

func (a *answer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	if a.method, a.params, err = xmlrpc.DecodeCall(body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	var data []byte
	if f, ok := a.value.(*xmlrpc.Fault); ok {
		data = xmlrpc.EncodeFault(f)
	} else if data, err = xmlrpc.EncodeResponse(a.value); err != nil {
		panic(err)
	}
	_, _ = w.Write(data)
}

func serve(t *testing.T, h http.Handler) *Client {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	c, err := New(server.URL, "", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// only drops the error of a method that returns a value.
func only[T any](v T, err error) (any, error) { return v, err }

func nothing(err error) (any, error) { return nil, err }

func TestMethods(t *testing.T) {
	result := []any{Struct{{Name: "name", Value: "a"}, {Name: "group", Value: "g"}, {Name: "status", Value: 80}, {Name: "description", Value: "OK"}}}
	results := []Result{{"a", "g", Success, "OK"}}
	ctx := t.Context()
	for _, c := range []struct {
		method string
		params []any
		value  any
		call   func(c *Client) (any, error)
		want   any
	}{
		{"supervisor.getAPIVersion", nil, "3.0", func(c *Client) (any, error) { return only(c.APIVersion(ctx)) }, "3.0"},
		{"supervisor.getVersion", nil, "3.0", func(c *Client) (any, error) { return only(c.Version(ctx)) }, "3.0"},
		{"supervisor.getSupervisorVersion", nil, "4.2.5", func(c *Client) (any, error) { return only(c.SupervisorVersion(ctx)) }, "4.2.5"},
		{"supervisor.getIdentification", nil, "me", func(c *Client) (any, error) { return only(c.Identification(ctx)) }, "me"},
		{"supervisor.getState", nil, Struct{{Name: "statecode", Value: 1}, {Name: "statename", Value: "RUNNING"}}, func(c *Client) (any, error) { return only(c.State(ctx)) }, DaemonState{1, "RUNNING"}},
		{"supervisor.getPID", nil, 42, func(c *Client) (any, error) { return only(c.PID(ctx)) }, 42},
		{"supervisor.readLog", []any{int64(-5), int64(0)}, "text", func(c *Client) (any, error) { return only(c.ReadLog(ctx, -5, 0)) }, "text"},
		{"supervisor.clearLog", nil, true, func(c *Client) (any, error) { return nothing(c.ClearLog(ctx)) }, nil},
		{"supervisor.shutdown", nil, true, func(c *Client) (any, error) { return nothing(c.Shutdown(ctx)) }, nil},
		{"supervisor.restart", nil, true, func(c *Client) (any, error) { return nothing(c.Restart(ctx)) }, nil},
		{"supervisor.reloadConfig", nil, []any{[]any{[]string{"a"}, []string{"b"}, []string{"c", "d"}}},
			func(c *Client) (any, error) {
				added, changed, removed, err := c.ReloadConfig(ctx)
				return [][]string{added, changed, removed}, err
			}, [][]string{{"a"}, {"b"}, {"c", "d"}}},
		{"supervisor.addProcessGroup", []any{"g"}, true, func(c *Client) (any, error) { return nothing(c.AddProcessGroup(ctx, "g")) }, nil},
		{"supervisor.removeProcessGroup", []any{"g"}, true, func(c *Client) (any, error) { return nothing(c.RemoveProcessGroup(ctx, "g")) }, nil},
		{"supervisor.startProcess", []any{"g:a", true}, true, func(c *Client) (any, error) { return nothing(c.StartProcess(ctx, "g:a", true)) }, nil},
		{"supervisor.startProcessGroup", []any{"g", false}, result, func(c *Client) (any, error) { return only(c.StartProcessGroup(ctx, "g", false)) }, results},
		{"supervisor.startAllProcesses", []any{true}, result, func(c *Client) (any, error) { return only(c.StartAllProcesses(ctx, true)) }, results},
		{"supervisor.stopProcess", []any{"g:a", false}, true, func(c *Client) (any, error) { return nothing(c.StopProcess(ctx, "g:a", false)) }, nil},
		{"supervisor.stopProcessGroup", []any{"g", true}, result, func(c *Client) (any, error) { return only(c.StopProcessGroup(ctx, "g", true)) }, results},
		{"supervisor.stopAllProcesses", []any{true}, []any{}, func(c *Client) (any, error) { return only(c.StopAllProcesses(ctx, true)) }, []Result{}},
		{"supervisor.signalProcess", []any{"a", "HUP"}, true, func(c *Client) (any, error) { return nothing(c.SignalProcess(ctx, "a", "HUP")) }, nil},
		{"supervisor.signalProcessGroup", []any{"g", "1"}, result, func(c *Client) (any, error) { return only(c.SignalProcessGroup(ctx, "g", "1")) }, results},
		{"supervisor.signalAllProcesses", []any{"HUP"}, result, func(c *Client) (any, error) { return only(c.SignalAllProcesses(ctx, "HUP")) }, results},
		{"supervisor.getAllConfigInfo", nil, []any{Struct{{Name: "autostart", Value: true}, {Name: "autorestart", Value: "unexpected"}, {Name: "uid", Value: 33}, {Name: "exitcodes", Value: []any{0, 2}}, {Name: "stdout_logfile_maxbytes", Value: int64(math.MaxInt)}},
			Struct{{Name: "autorestart", Value: false}, {Name: "uid", Value: "none"}}},
			func(c *Client) (any, error) { return only(c.AllConfigInfo(ctx)) },
			[]ConfigInfo{{AutoStart: true, AutoRestart: "unexpected", UID: "33", ExitCodes: []int{0, 2}, StdoutLogfileMaxBytes: math.MaxInt}, {AutoRestart: "false", UID: "none"}}},
		{"supervisor.getProcessInfo", []any{"a"}, Struct{{Name: "name", Value: "a"}, {Name: "state", Value: 20}, {Name: "start", Value: 1700000000}, {Name: "stop", Value: 0}, {Name: "exitstatus", Value: -1}, {Name: "new", Value: "x"}},
			func(c *Client) (any, error) { return only(c.ProcessInfo(ctx, "a")) }, ProcessInfo{Name: "a", State: Running, Start: time.Unix(1700000000, 0), ExitStatus: -1}},
		{"supervisor.getAllProcessInfo", nil, []any{Struct{{Name: "pid", Value: 5}}}, func(c *Client) (any, error) { return only(c.AllProcessInfo(ctx)) }, []ProcessInfo{{PID: 5}}},
		{"holdfast.getProcessInfo", []any{"g:a"}, Struct{{Name: "name", Value: "a"}, {Name: "pid", Value: 5}, {Name: "ready", Value: true}, {Name: "ready_since", Value: 1700000000}, {Name: "next", Value: 0}, {Name: "main_pid", Value: 7}, {Name: "depends_on", Value: []any{"b", "g:c"}}},
			func(c *Client) (any, error) { return only(c.ProcessDetails(ctx, "g:a")) },
			ProcessDetails{ProcessInfo: ProcessInfo{Name: "a", PID: 5}, Ready: true, ReadySince: time.Unix(1700000000, 0), MainPID: 7, DependsOn: []string{"b", "g:c"}}},
		{"holdfast.getAllProcessInfo", nil, []any{Struct{{Name: "last_exit", Value: "exit status 3"}, {Name: "restarts", Value: 2}}},
			func(c *Client) (any, error) { return only(c.AllProcessDetails(ctx)) }, []ProcessDetails{{LastExit: "exit status 3", Restarts: 2}}},
		{"holdfast.reloadProcess", []any{"a"}, true, func(c *Client) (any, error) { return nothing(c.ReloadProcess(ctx, "a")) }, nil},
		{"supervisor.readProcessStdoutLog", []any{"a", int64(0), int64(9)}, "o", func(c *Client) (any, error) { return only(c.ReadProcessStdoutLog(ctx, "a", 0, 9)) }, "o"},
		{"supervisor.readProcessStderrLog", []any{"a", int64(0), int64(9)}, "e", func(c *Client) (any, error) { return only(c.ReadProcessStderrLog(ctx, "a", 0, 9)) }, "e"},
		{"supervisor.tailProcessStdoutLog", []any{"a", int64(0), int64(9)}, []any{"o", 17, false}, func(c *Client) (any, error) { return only(c.TailProcessStdoutLog(ctx, "a", 0, 9)) }, LogTail{"o", 17, false}},
		{"supervisor.tailProcessStderrLog", []any{"a", int64(0), int64(9)}, []any{"e", 17, true}, func(c *Client) (any, error) { return only(c.TailProcessStderrLog(ctx, "a", 0, 9)) }, LogTail{"e", 17, true}},
		{"supervisor.clearProcessLogs", []any{"a"}, true, func(c *Client) (any, error) { return nothing(c.ClearProcessLogs(ctx, "a")) }, nil},
		{"supervisor.clearAllProcessLogs", nil, result, func(c *Client) (any, error) { return only(c.ClearAllProcessLogs(ctx)) }, results},
		{"supervisor.sendProcessStdin", []any{"a", "x\r\n"}, true, func(c *Client) (any, error) { return nothing(c.SendProcessStdin(ctx, "a", "x\r\n")) }, nil},
		{"supervisor.sendRemoteCommEvent", []any{"t", "d"}, true, func(c *Client) (any, error) { return nothing(c.SendRemoteCommEvent(ctx, "t", "d")) }, nil},
		{"system.listMethods", nil, []string{"a", "b"}, func(c *Client) (any, error) { return only(c.ListMethods(ctx)) }, []string{"a", "b"}},
		{"system.methodHelp", []any{"m"}, "help", func(c *Client) (any, error) { return only(c.MethodHelp(ctx, "m")) }, "help"},
		{"system.methodSignature", []any{"m"}, []string{"int"}, func(c *Client) (any, error) { return only(c.MethodSignature(ctx, "m")) }, []string{"int"}},
		{"system.multicall", []any{[]any{Struct{{Name: "methodName", Value: "m"}, {Name: "params", Value: []any{}}}, Struct{{Name: "methodName", Value: "n"}, {Name: "params", Value: []any{int64(1)}}}}},
			[]any{Struct{{Name: "faultCode", Value: 10}, {Name: "faultString", Value: "BAD_NAME"}}, "x"},
			func(c *Client) (any, error) {
				return only(c.Multicall(ctx, []MethodCall{{Method: "m"}, {Method: "n", Params: []any{1}}}))
			},
			[]any{&Fault{BadName, "BAD_NAME"}, "x"}},
		{"plugin.method", []any{"x"}, nil, func(c *Client) (any, error) { return c.Call(ctx, "plugin.method", "x") }, nil},
	} {
		t.Run(c.method, func(t *testing.T) {
			server := &answer{value: c.value}
			got, err := c.call(serve(t, server))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			if server.method != c.method || !reflect.DeepEqual(server.params, c.params) {
				t.Errorf("called %s%v", server.method, server.params)
			}
			// Whatever else a server may answer, it is an error or a value and no panic.
			for _, v := range []any{"x", 1, true, nil, []any{1}, []any{[]any{}}, Struct{{Name: "name", Value: 1}}} {
				_, _ = c.call(serve(t, &answer{value: v}))
			}
		})
	}
}

func TestAnAnswerOfTheWrongTypeIsAnError(t *testing.T) {
	ctx := t.Context()
	for name, call := range map[string]func(c *Client) error{
		"text":   func(c *Client) error { _, err := c.Version(ctx); return err },
		"struct": func(c *Client) error { _, err := c.ProcessInfo(ctx, "a"); return err },
		"array":  func(c *Client) error { _, err := c.AllProcessInfo(ctx); return err },
		"tail":   func(c *Client) error { _, err := c.TailProcessStdoutLog(ctx, "a", 0, 0); return err },
		"reload": func(c *Client) error { _, _, _, err := c.ReloadConfig(ctx); return err },
	} {
		for _, v := range []any{1.5, []any{1.5}, Struct{{Name: "name", Value: 1.5}}} {
			if err := call(serve(t, &answer{value: v})); err == nil {
				t.Errorf("%s: %v is taken", name, v)
			}
		}
	}
}

func TestErrors(t *testing.T) {
	var f *Fault
	c := serve(t, &answer{value: &xmlrpc.Fault{Code: AlreadyStarted, String: "ALREADY_STARTED: a"}})
	if err := c.StartProcess(t.Context(), "a", true); !errors.As(err, &f) || f.Code != AlreadyStarted || f.String != "ALREADY_STARTED: a" {
		t.Errorf("a fault: got %v", err)
	}
	var h *HTTPError
	c = serve(t, http.NotFoundHandler())
	if err := c.Shutdown(t.Context()); !errors.As(err, &h) || h.Code != 404 || h.Reason != "Not Found" {
		t.Errorf("no API: got %v", err)
	}
	c = serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }))
	if err := c.Shutdown(t.Context()); err == nil || errors.As(err, &h) || errors.As(err, &f) {
		t.Errorf("another kind of server: got %v", err)
	}
	for _, url := range []string{"", "localhost:9001", "https://x", "HTTP://x", "/run/s"} {
		if _, err := New(url, "", ""); !errors.Is(err, ErrUnknownProtocol) {
			t.Errorf("%q: got %v", url, err)
		}
	}
	c, err := New("unix://"+t.TempDir()+"/nosuch", "", "")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Shutdown(t.Context()); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("no socket: got %v", err)
	}
}

func TestUnixSocketAndPassword(t *testing.T) {
	dir, err := os.MkdirTemp("", "hf") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	l, err := net.Listen("unix", dir+"/a b%41")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "me" || password != "pass:word" {
			http.Error(w, "", http.StatusUnauthorized)
			return
		}
		(&answer{value: 7}).ServeHTTP(w, r)
	})}
	go func() { _ = server.Serve(l) }() // until Close
	defer server.Close()
	for password, want := range map[string]int{"pass:word": 0, "other": 401} {
		c, err := New("unix://"+dir+"/a b%41", "me", password)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_, err = c.PID(t.Context())
		var h *HTTPError
		if errors.As(err, &h); want == 0 && err != nil || want != 0 && (h == nil || h.Code != want) {
			t.Errorf("%s: got %v", password, err)
		}
	}
}

func TestOneConnectionServesManyCalls(t *testing.T) {
	var conns atomic.Int32
	server := httptest.NewUnstartedServer(&answer{value: 7})
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			conns.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	c, err := New(server.URL, "", "")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for range 10 {
		if _, err := c.PID(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := conns.Load(); n != 1 {
		t.Errorf("10 calls had %d connections", n)
	}
}

func TestACallCanBeGivenUp(t *testing.T) {
	asked := make(chan struct{})
	c := serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then does the server see the client go
		close(asked)
		<-r.Context().Done()
	}))
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-asked
		cancel()
	}()
	if err := c.StopProcess(ctx, "a", true); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestFollow(t *testing.T) {
	c := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/logtail/g:a b/stdout":
			fmt.Fprint(w, "one\n")
			w.(http.Flusher).Flush()
			fmt.Fprint(w, "two\n")
		case "/mainlogtail":
			fmt.Fprint(w, "one\n")
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		default:
			http.NotFound(w, r)
		}
	}))
	for path, want := range map[string]string{"/logtail/g:a b/stdout": "one\ntwo\n", "/mainlogtail": "one\n"} {
		var b bytes.Buffer
		if err := c.Follow(t.Context(), path, &b); err != nil || b.String() != want {
			t.Errorf("%s: got %q, %v", path, b.String(), err)
		}
	}
	var h *HTTPError
	if err := c.Follow(t.Context(), "/logtail/x", io.Discard); !errors.As(err, &h) || h.Code != 404 {
		t.Errorf("no such log: got %v", err)
	}
	full := errors.New("full")
	if err := c.Follow(t.Context(), "/mainlogtail", writerFunc(func([]byte) (int, error) { return 0, full })); !errors.Is(err, full) {
		t.Errorf("a writer that fails: got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if err := c.Follow(ctx, "/mainlogtail", writerFunc(func(p []byte) (int, error) { cancel(); return len(p), nil })); !errors.Is(err, context.Canceled) {
		t.Errorf("given up: got %v", err)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

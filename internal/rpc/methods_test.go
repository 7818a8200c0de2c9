package rpc

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast/internal/supervisor"
	"holdfast/internal/xmlrpc"
)

func newServer(api supervisor.API, d Daemon) *server {
	return New(api, d, Options{Namespaces: []string{"supervisor"}}).(*server)
}

type list = []any

func entry(name string, v any) xmlrpc.Member { return xmlrpc.Member{Name: name, Value: v} }

func result(name, group string, status int, description string) xmlrpc.Struct {
	return xmlrpc.Struct{entry("name", name), entry("group", group), entry("status", status), entry("description", description)}
}

func logFile(t testing.TB, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Each method, with what it asks of the supervisor and what it makes of the answer.
func TestMethods(t *testing.T) {
	log := logFile(t, "0123456789")
	some := []supervisor.Result{
		{Name: "p", Group: "g"},
		{Name: "q", Group: "g", Err: &supervisor.Error{Reason: supervisor.ErrSpawn, Detail: "q"}},
	}
	someResults := list{result("p", "g", 80, "OK"), result("q", "g", 50, "SPAWN_ERROR: q")}
	for _, tt := range []struct {
		method string
		params list
		calls  []string
		want   any
	}{
		{"supervisor.getAPIVersion", nil, nil, "3.0"},
		{"supervisor.getVersion", nil, nil, "3.0"},
		{"supervisor.getSupervisorVersion", nil, nil, "4.2.5"},
		{"supervisor.getIdentification", nil, []string{"Identifier"}, "the-identifier"},
		{"supervisor.getState", nil, nil, xmlrpc.Struct{entry("statecode", 1), entry("statename", "RUNNING")}},
		{"supervisor.getPID", nil, nil, 4711},
		{"holdfast.getDaemonInfo", nil, nil, xmlrpc.Struct{entry("version", "4.2.5"), entry("pid", 4711), entry("daemon", 4712),
			entry("since", int64(1700000000)), entry("program", "/usr/bin/supervisord"), entry("config", "/etc/supervisord.conf"), entry("trouble", "none")}},
		{"holdfast.reloadProcess", list{"g:p"}, []string{`ReloadProcess "g:p"`}, true},
		{"supervisor.readLog", list{int64(2), int64(3)}, nil, "234"},
		{"supervisor.readMainLog", list{int64(-2), int64(0)}, nil, "89"},
		{"supervisor.readLog", list{"2", 3.9}, nil, "234"},
		{"supervisor.readLog", list{true, " 1 "}, nil, "1"},
		{"supervisor.shutdown", nil, []string{"Shutdown"}, true},
		{"supervisor.restart", nil, []string{"Restart"}, true},
		{"supervisor.reloadConfig", nil, []string{"ReloadConfig"}, list{list{[]string{"a"}, []string{}, []string{"c", "d"}}}},
		{"supervisor.addProcessGroup", list{"g"}, []string{`AddGroup "g"`}, true},
		{"supervisor.removeProcessGroup", list{"g"}, []string{`RemoveGroup "g"`}, true},

		{"supervisor.startProcess", list{"p"}, []string{`StartProcess "p" true`}, true},
		{"supervisor.startProcess", list{"g:p", false}, []string{`StartProcess "g:p" false`}, true},
		{"supervisor.startProcess", list{"g:p:q", int64(0)}, []string{`StartProcess "g:p:q" false`}, true},
		{"supervisor.startProcess", list{"p", ""}, []string{`StartProcess "p" false`}, true},
		{"supervisor.startProcess", list{"p", "0"}, []string{`StartProcess "p" true`}, true},
		{"supervisor.startProcess", list{"p", nil}, []string{`StartProcess "p" false`}, true},
		{"supervisor.startProcess", list{"p", list{}}, []string{`StartProcess "p" false`}, true},
		{"supervisor.startProcess", list{"p", xmlrpc.Struct{entry("a", 1)}}, []string{`StartProcess "p" true`}, true},
		{"supervisor.startProcess", list{"p", time.Time{}}, []string{`StartProcess "p" true`}, true},
		{"supervisor.startProcess", list{"g:*"}, []string{`StartGroup "g" true`}, someResults},
		{"supervisor.startProcess", list{"g:", false}, []string{`StartGroup "g" false`}, someResults},
		{"supervisor.startProcess", list{":"}, []string{`StartProcess ":" true`}, true},
		{"supervisor.stopProcess", list{":*"}, []string{`StopProcess ":*" true`}, true},
		{"supervisor.signalProcess", list{":*", "HUP"}, []string{`SignalProcess ":*" "HUP"`}, true},
		{"supervisor.startProcess", list{"*"}, []string{`StartProcess "*" true`}, true},
		{"supervisor.startProcessGroup", list{"g"}, []string{`StartGroup "g" true`}, someResults},
		{"supervisor.startProcessGroup", list{"g:*", false}, []string{`StartGroup "g:*" false`}, someResults},
		{"supervisor.startAllProcesses", nil, []string{"StartAll true"}, someResults},
		{"supervisor.startAllProcesses", list{false}, []string{"StartAll false"}, someResults},
		{"supervisor.stopProcess", list{"p"}, []string{`StopProcess "p" true`}, true},
		{"supervisor.stopProcess", list{"g:*", false}, []string{`StopGroup "g" false`}, someResults},
		{"supervisor.stopProcessGroup", list{"g"}, []string{`StopGroup "g" true`}, someResults},
		{"supervisor.stopAllProcesses", list{0.0}, []string{"StopAll false"}, someResults},
		{"supervisor.signalProcess", list{"p", "HUP"}, []string{`SignalProcess "p" "HUP"`}, true},
		{"supervisor.signalProcess", list{"p", int64(1)}, []string{`SignalProcess "p" "1"`}, true},
		{"supervisor.signalProcess", list{"p", 1.9}, []string{`SignalProcess "p" "1"`}, true},
		{"supervisor.signalProcess", list{"p", true}, []string{`SignalProcess "p" "1"`}, true},
		{"supervisor.signalProcess", list{"g:*", "HUP"}, []string{`SignalGroup "g" "HUP"`}, someResults},
		{"supervisor.signalProcessGroup", list{"g", "HUP"}, []string{`SignalGroup "g" "HUP"`}, someResults},
		{"supervisor.signalAllProcesses", list{"HUP"}, []string{`SignalAll "HUP"`}, someResults},

		{"supervisor.readProcessStdoutLog", list{"p", int64(0), int64(2)}, []string{`ProcessInfo "p"`}, "01"},
		{"supervisor.readProcessLog", list{"p", int64(0), int64(0)}, []string{`ProcessInfo "p"`}, "0123456789"},
		{"supervisor.readProcessStderrLog", list{"p", int64(100), int64(0)}, []string{`ProcessInfo "p"`}, ""},
		{"supervisor.tailProcessStdoutLog", list{"p", int64(0), int64(4)}, []string{`ProcessInfo "p"`}, list{"6789", int64(10), true}},
		{"supervisor.tailProcessLog", list{"p", int64(6), int64(4)}, []string{`ProcessInfo "p"`}, list{"6789", int64(10), false}},
		{"supervisor.tailProcessStderrLog", list{"p", int64(10), int64(4)}, []string{`ProcessInfo "p"`}, list{"", int64(10), false}},
		{"supervisor.clearProcessLogs", list{"p"}, []string{`ClearLogs "p"`}, true},
		{"supervisor.clearProcessLog", list{"p"}, []string{`ClearLogs "p"`}, true},
		{"supervisor.clearAllProcessLogs", nil, []string{"ClearAllLogs"}, someResults},

		{"supervisor.sendProcessStdin", list{"p", "é\n"}, []string{`SendStdin "p" "é\n"`}, true},
		{"supervisor.sendRemoteCommEvent", list{"t", "d"}, []string{`SendRemoteCommEvent "t" "d"`}, true},
		{"supervisor.sendRemoteCommEvent", list{int64(5), true}, []string{`SendRemoteCommEvent "5" "True"`}, true},
		{"supervisor.sendRemoteCommEvent", list{time.Unix(0, 0).UTC(), ""}, []string{`SendRemoteCommEvent "1970-01-01 00:00:00" ""`}, true},
		{"supervisor.sendRemoteCommEvent", list{nil, 2.0}, []string{`SendRemoteCommEvent "None" "2.0"`}, true},

		{"system.methodSignature", list{"supervisor.startProcess"}, nil, list{"boolean", "string", "boolean"}},
		{"system.methodSignature", list{"supervisor.readProcessLog"}, nil, list{"string", "string", "int", "int"}},
		{"system.multicall", list{list{}}, nil, list{}},
		{"system.multicall", list{list{
			xmlrpc.Struct{entry("methodName", "supervisor.startProcess"), entry("params", list{"p"})},
			xmlrpc.Struct{entry("methodName", "supervisor.getPID")},
			xmlrpc.Struct{entry("methodName", "nope")},
			xmlrpc.Struct{entry("params", list{})},
			xmlrpc.Struct{entry("methodName", "system.multicall"), entry("params", list{list{}})},
			xmlrpc.Struct{entry("methodName", "supervisor.getPID"), entry("params", "x")},
			"x",
		}}, []string{`StartProcess "p" true`}, list{
			true,
			4711,
			xmlrpc.Struct{entry("faultCode", 1), entry("faultString", "UNKNOWN_METHOD")},
			xmlrpc.Struct{entry("faultCode", 2), entry("faultString", "INCORRECT_PARAMETERS: No methodName")},
			xmlrpc.Struct{entry("faultCode", 2), entry("faultString", "INCORRECT_PARAMETERS: Recursive system.multicall forbidden")},
			xmlrpc.Struct{entry("faultCode", 2), entry("faultString", "INCORRECT_PARAMETERS: params is not an array")},
			xmlrpc.Struct{entry("faultCode", 2), entry("faultString", "INCORRECT_PARAMETERS: call is not a struct")},
		}},
	} {
		t.Run(tt.method, func(t *testing.T) {
			api := &fakeAPI{results: some, info: supervisor.Info{Name: "p", Group: "p", StdoutLog: log, StderrLog: log}}
			got, err := newServer(api, fakeDaemon{log: log}).invoke(t.Context(), tt.method, tt.params)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("answer, -want +got:\n%s", diff)
			}
			if diff := cmp.Diff(tt.calls, api.calls); diff != "" {
				t.Errorf("calls, -want +got:\n%s", diff)
			}
		})
	}
}

func TestFaults(t *testing.T) {
	log := logFile(t, "0123456789")
	gone := filepath.Join(t.TempDir(), "gone")
	dir := t.TempDir()
	ready := supervisor.Info{Name: "p", StdoutLog: log, StderrLog: log}
	for _, tt := range []struct {
		rule   string
		api    *fakeAPI
		daemon fakeDaemon
		method string
		params list
		want   string
		code   int
	}{
		{"a name without a namespace", nil, fakeDaemon{}, "getPID", nil, "UNKNOWN_METHOD", 1},
		{"a name of no method", nil, fakeDaemon{}, "supervisor.nope", nil, "UNKNOWN_METHOD", 1},
		{"a name of three parts", nil, fakeDaemon{}, "supervisor.getPID.x", nil, "UNKNOWN_METHOD", 1},
		{"a private name", nil, fakeDaemon{}, "supervisor._update", nil, "UNKNOWN_METHOD", 1},
		{"an unknown namespace", nil, fakeDaemon{}, "other.getPID", nil, "UNKNOWN_METHOD", 1},
		{"the unknown comes before the mood", &fakeAPI{mood: supervisor.ErrShutdownState}, fakeDaemon{}, "supervisor.nope", nil, "UNKNOWN_METHOD", 1},
		{"too many arguments", nil, fakeDaemon{}, "supervisor.getPID", list{"x"}, "INCORRECT_PARAMETERS", 2},
		{"too few arguments", nil, fakeDaemon{}, "supervisor.startProcess", nil, "INCORRECT_PARAMETERS", 2},
		{"too many arguments behind wait", nil, fakeDaemon{}, "supervisor.startProcess", list{"p", true, 1}, "INCORRECT_PARAMETERS", 2},
		{"too few of several arguments", nil, fakeDaemon{}, "supervisor.readProcessLog", list{"p", int64(1)}, "INCORRECT_PARAMETERS", 2},
		{"the number of arguments comes before the mood", &fakeAPI{mood: supervisor.ErrShutdownState}, fakeDaemon{}, "supervisor.startProcess", nil, "INCORRECT_PARAMETERS", 2},
		{"sendRemoteCommEvent counts its arguments in every mood", &fakeAPI{mood: supervisor.ErrShutdownState}, fakeDaemon{}, "supervisor.sendRemoteCommEvent", list{"x"}, "INCORRECT_PARAMETERS", 2},

		{"a name that is an int", nil, fakeDaemon{}, "supervisor.startProcess", list{int64(1)}, "INCORRECT_PARAMETERS: name is not a string", 2},
		{"a name that is a list", nil, fakeDaemon{}, "supervisor.getProcessInfo", list{list{}}, "INCORRECT_PARAMETERS: name is not a string", 2},
		{"a name that is nil", nil, fakeDaemon{}, "supervisor.stopProcess", list{nil}, "INCORRECT_PARAMETERS: name is not a string", 2},
		{"an offset that is no number", nil, fakeDaemon{}, "supervisor.readLog", list{"a", int64(0)}, "INCORRECT_PARAMETERS: offset is not an integer", 2},
		{"an offset beyond all integers", nil, fakeDaemon{}, "supervisor.readLog", list{1e30, int64(0)}, "INCORRECT_PARAMETERS: offset is not an integer", 2},
		{"a signal that is a list", nil, fakeDaemon{}, "supervisor.signalProcess", list{"p", list{}}, "INCORRECT_PARAMETERS: signal is not a signal's name or number", 2},
		{"an event type that is a list", nil, fakeDaemon{}, "supervisor.sendRemoteCommEvent", list{list{}, "x"}, "INCORRECT_PARAMETERS: type is not a string", 2},
		{"calls that are no array", nil, fakeDaemon{}, "system.multicall", list{"x"}, "INCORRECT_PARAMETERS: calls is not an array", 2},
		{"chars that are an int", nil, fakeDaemon{}, "supervisor.sendProcessStdin", list{"p", int64(4)}, "INCORRECT_PARAMETERS: 4", 2},
		{"chars that are a boolean", nil, fakeDaemon{}, "supervisor.sendProcessStdin", list{"p", true}, "INCORRECT_PARAMETERS: True", 2},
		{"chars that are a double", nil, fakeDaemon{}, "supervisor.sendProcessStdin", list{"p", 1.5}, "INCORRECT_PARAMETERS: 1.5", 2},
		{"chars that are nil", nil, fakeDaemon{}, "supervisor.sendProcessStdin", list{"p", nil}, "INCORRECT_PARAMETERS", 2},
		{"the mood comes before types", &fakeAPI{mood: supervisor.ErrShutdownState}, fakeDaemon{}, "supervisor.startProcess", list{int64(1)}, "SHUTDOWN_STATE", 6},

		{"help for an unknown method", nil, fakeDaemon{}, "system.methodHelp", list{"nope"}, "SIGNATURE_UNSUPPORTED", 4},
		{"the signature of an unknown method", nil, fakeDaemon{}, "system.methodSignature", list{"nope"}, "SIGNATURE_UNSUPPORTED", 4},

		{"a group where a process is meant: info", nil, fakeDaemon{}, "supervisor.getProcessInfo", list{"g:*"}, "BAD_NAME: g:*", 10},
		{"a group where a process is meant: read", nil, fakeDaemon{}, "supervisor.readProcessLog", list{"g:", int64(0), int64(0)}, "BAD_NAME: g:", 10},
		{"a group where a process is meant: ours", nil, fakeDaemon{}, "holdfast.getProcessInfo", list{"g:*"}, "BAD_NAME: g:*", 10},
		{"a group where a process is meant: reload", nil, fakeDaemon{}, "holdfast.reloadProcess", list{"g:*"}, "BAD_NAME: g:*", 10},
		{"a group where a process is meant: tail", nil, fakeDaemon{}, "supervisor.tailProcessLog", list{"g:*", int64(0), int64(0)}, "BAD_NAME: g:*", 10},
		{"a group where a process is meant: clear", nil, fakeDaemon{}, "supervisor.clearProcessLogs", list{"g:*"}, "BAD_NAME: g:*", 10},
		{"a group where a process is meant: stdin", nil, fakeDaemon{}, "supervisor.sendProcessStdin", list{"g:*", "x"}, "BAD_NAME: g:*", 10},
		{"a group without a name: start", nil, fakeDaemon{}, "supervisor.startProcessGroup", list{""}, "BAD_NAME: ", 10},
		{"a group without a name: stop", nil, fakeDaemon{}, "supervisor.stopProcessGroup", list{""}, "BAD_NAME: ", 10},
		{"a group without a name: signal", nil, fakeDaemon{}, "supervisor.signalProcessGroup", list{"", "HUP"}, "BAD_NAME: ", 10},
		{"a group that there is not, as it was asked for", &fakeAPI{err: &supervisor.Error{Reason: supervisor.ErrBadName, Detail: "g"}}, fakeDaemon{}, "supervisor.startProcess", list{"g:*"}, "BAD_NAME: g:*", 10},
		{"a process that there is not", &fakeAPI{info: ready}, fakeDaemon{}, "supervisor.tailProcessLog", list{"q", int64(0), int64(0)}, "BAD_NAME: q", 10},

		{"a main log that is the syslog", nil, fakeDaemon{}, "supervisor.readLog", list{int64(0), int64(0)}, "NO_FILE: syslog", 20},
		{"a main log that is not there", nil, fakeDaemon{log: gone}, "supervisor.readLog", list{int64(0), int64(0)}, "NO_FILE: " + gone, 20},
		{"a log that is not there comes before its arguments", nil, fakeDaemon{log: gone}, "supervisor.readLog", list{int64(-1), int64(1)}, "NO_FILE: " + gone, 20},
		{"an offset and length that mean nothing", nil, fakeDaemon{log: log}, "supervisor.readLog", list{int64(-1), int64(1)}, "BAD_ARGUMENTS", 3},
		{"a log that can't be read", nil, fakeDaemon{log: dir}, "supervisor.readLog", list{int64(0), int64(0)}, "FAILED", 30},
		{"clear no main log", nil, fakeDaemon{}, "supervisor.clearLog", nil, "NO_FILE", 20},
		{"clear a main log that is not there", nil, fakeDaemon{log: gone}, "supervisor.clearLog", nil, "NO_FILE", 20},
		{"a main log that can't be cleared", nil, fakeDaemon{log: log, clearErr: errors.New("x")}, "supervisor.clearLog", nil, "FAILED", 30},
		{"a process without a log", &fakeAPI{info: supervisor.Info{Name: "p"}}, fakeDaemon{}, "supervisor.readProcessLog", list{"p", int64(0), int64(0)}, "NO_FILE", 20},
		{"a process whose log is not there", &fakeAPI{info: supervisor.Info{Name: "p", StderrLog: gone}}, fakeDaemon{}, "supervisor.readProcessStderrLog", list{"p", int64(0), int64(0)}, "NO_FILE: " + gone, 20},

		{"what nobody foresaw", &fakeAPI{err: errors.New("disk on fire")}, fakeDaemon{}, "supervisor.startProcess", list{"p"}, "FAILED: disk on fire", 30},
		{"a bare reason", &fakeAPI{err: supervisor.ErrNotRunning}, fakeDaemon{}, "supervisor.stopProcess", list{"p"}, "NOT_RUNNING", 70},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			if tt.api == nil {
				tt.api = &fakeAPI{}
			}
			v, err := newServer(tt.api, tt.daemon).invoke(t.Context(), tt.method, tt.params)
			if err == nil {
				t.Fatalf("answer %v, want a fault", v)
			}
			if got := toFault(err); got.Code != tt.code || got.String != tt.want {
				t.Errorf("got %d %q, want %d %q", got.Code, got.String, tt.code, tt.want)
			}
		})
	}
}

// A tail of a log that is not there is one of a log with nothing in it.
func TestTailOfNothing(t *testing.T) {
	for _, path := range []string{"", filepath.Join(t.TempDir(), "gone"), t.TempDir()} {
		api := &fakeAPI{info: supervisor.Info{Name: "p", StdoutLog: path}}
		got, err := newServer(api, fakeDaemon{}).invoke(t.Context(), "supervisor.tailProcessLog", list{"p", int64(0), int64(100)})
		if err != nil || !cmp.Equal(got, list{"", 0, false}) {
			t.Errorf("%q: got %v, error %v", path, got, err)
		}
	}
}

func TestClearLog(t *testing.T) {
	log := logFile(t, "x")
	got, err := newServer(&fakeAPI{}, fakeDaemon{log: log}).invoke(t.Context(), "supervisor.clearLog", nil)
	if got != true || err != nil {
		t.Errorf("got %v, error %v", got, err)
	}
	if _, err := os.Stat(log); !os.IsNotExist(err) {
		t.Errorf("the log: %v", err)
	}
}

func TestReasons(t *testing.T) {
	for reason, want := range map[supervisor.Reason]xmlrpc.Fault{
		supervisor.ErrShutdownState:       {Code: 6, String: "SHUTDOWN_STATE: x"},
		supervisor.ErrBadName:             {Code: 10, String: "BAD_NAME: x"},
		supervisor.ErrBadSignal:           {Code: 11, String: "BAD_SIGNAL: x"},
		supervisor.ErrNoFile:              {Code: 20, String: "NO_FILE: x"},
		supervisor.ErrNotExecutable:       {Code: 21, String: "NOT_EXECUTABLE: x"},
		supervisor.ErrFailed:              {Code: 30, String: "FAILED: x"},
		supervisor.ErrAbnormalTermination: {Code: 40, String: "ABNORMAL_TERMINATION: x"},
		supervisor.ErrSpawn:               {Code: 50, String: "SPAWN_ERROR: x"},
		supervisor.ErrAlreadyStarted:      {Code: 60, String: "ALREADY_STARTED: x"},
		supervisor.ErrNotRunning:          {Code: 70, String: "NOT_RUNNING: x"},
		supervisor.ErrAlreadyAdded:        {Code: 90, String: "ALREADY_ADDED: x"},
		supervisor.ErrStillRunning:        {Code: 91, String: "STILL_RUNNING: x"},
		supervisor.ErrCantReread:          {Code: 92, String: "CANT_REREAD: x"},
	} {
		if got := toFault(&supervisor.Error{Reason: reason, Detail: "x"}); *got != want {
			t.Errorf("%v: got %v, want %v", reason, *got, want)
		}
	}
}

// While supervisord ends everything is refused but system.* and sendRemoteCommEvent.
func TestMood(t *testing.T) {
	s := newServer(&fakeAPI{mood: supervisor.ErrShutdownState}, fakeDaemon{})
	for name, m := range s.methods {
		params := make(list, len(m.params))
		for i, p := range m.params {
			params[i] = map[string]any{"string": "supervisor.getPID", "int": int64(0), "boolean": true, "array": list{}}[p.typ]
		}
		_, err := s.invoke(t.Context(), name, params)
		open := strings.HasPrefix(name, "system.") || name == "supervisor.sendRemoteCommEvent"
		if (err == nil) != open || err != nil && *toFault(err) != (xmlrpc.Fault{Code: 6, String: "SHUTDOWN_STATE"}) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNamespaces(t *testing.T) {
	names := func(namespaces ...string) []string {
		v, err := New(&fakeAPI{}, fakeDaemon{}, Options{Namespaces: namespaces}).(*server).invoke(t.Context(), "system.listMethods", nil)
		if err != nil {
			t.Fatal(err)
		}
		return v.([]string)
	}
	system := []string{"system.listMethods", "system.methodHelp", "system.methodSignature", "system.multicall"}
	if got := names(); !slices.Equal(got, system) {
		t.Errorf("without an rpcinterface: %q", got)
	}
	if got := names("supervisor"); len(got) != 41+len(holdfastMethods) || !slices.IsSorted(got) {
		t.Errorf("with one: %d, %q", len(got), got)
	}
	if got := names("other"); !slices.Contains(got, "other.startProcess") || slices.Contains(got, "supervisor.startProcess") {
		t.Errorf("with one of another name: %q", got)
	}
}

func TestHelp(t *testing.T) {
	s := newServer(&fakeAPI{}, fakeDaemon{})
	for name := range s.methods {
		v, err := s.invoke(t.Context(), "system.methodHelp", list{name})
		if text, ok := v.(string); err != nil || !ok || strings.HasPrefix(text, "\n") || !strings.Contains(text, "@return ") {
			t.Errorf("%s: %q, %v", name, v, err)
		}
	}
}

func TestFloats(t *testing.T) {
	for v, want := range map[float64]string{0: "0.0", 1: "1.0", -1.5: "-1.5", 1e15: "1000000000000000.0", 1e16: "1e+16", 1e-5: "1e-05", 0.0001: "0.0001", 1e300: "1e+300"} {
		if got := float(v); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

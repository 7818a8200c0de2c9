package rpc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast/internal/config"
	"holdfast/internal/httpd"
	"holdfast/internal/supervisor"
)

// serve runs our handler on a unix socket and on TCP, and returns the socket's path and the port's URL.
func serve(t *testing.T, h http.Handler) (socket, url string) {
	t.Helper()
	socket = filepath.Join(t.TempDir(), "s")
	for _, s := range []httpd.Server{
		{Network: "unix", Address: socket, Chmod: 0o700, UID: -1, GID: -1},
		{Network: "tcp", Address: "127.0.0.1:0", Username: "user", Password: "pass"},
	} {
		l, err := httpd.Listen(s)
		if err != nil {
			t.Fatal(err)
		}
		served := make(chan error, 1)
		go func() { served <- l.Serve(h) }()
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), long)
			defer cancel()
			if err := errors.Join(l.Close(ctx), <-served); err != nil {
				t.Error(err)
			}
		})
		url = "http://user:pass@" + l.Addr().String()
	}
	return socket, url
}

// roundTrip sends a call and returns status and body.
func roundTrip(socket, body string) (status, answer string, err error) {
	c, err := net.Dial("unix", socket)
	if err != nil {
		return "", "", err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(long))
	fmt.Fprintf(c, "POST /RPC2 HTTP/1.0\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	all, err := io.ReadAll(c)
	head, answer, _ := strings.Cut(string(all), "\r\n\r\n")
	line, _, _ := strings.Cut(head, "\r\n")
	_, status, _ = strings.Cut(line, " ")
	return status, answer, err
}

// startOriginal runs Supervisor with a program "p", stopped, and a group "g" of one, and returns its socket.
func startOriginal(t *testing.T, dir string) (socket string, pid int) {
	t.Helper()
	const path = "/usr/bin/supervisord"
	if _, err := os.Stat(path); err != nil {
		t.Skipf("the original is not installed: %v", err)
	}
	socket = filepath.Join(dir, "o")
	conf := filepath.Join(dir, "o.conf")
	text := fmt.Sprintf(`[unix_http_server]
file=%[1]s/o
[supervisord]
logfile=%[1]s/main.log
pidfile=%[1]s/o.pid
nodaemon=true
silent=true
childlogdir=%[1]s
identifier=the-identifier
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[program:p]
command=/bin/sleep 1000
autostart=false
stdout_logfile=%[1]s/p.log
stderr_logfile=NONE
stopsignal=QUIT
exitcodes=0,2
autorestart=unexpected
[program:q]
command=/bin/sleep 1000
autostart=false
autorestart=false
user=root
directory=/
redirect_stderr=true
stdout_logfile=%[1]s/q.log
`, dir)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "-c", conf)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Skipf("the original does not start: %v", err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
	})
	for deadline := time.Now().Add(long); ; {
		if _, _, err := roundTrip(socket, callXML("supervisor.getPID")); err == nil {
			return socket, cmd.Process.Pid
		}
		if time.Now().After(deadline) {
			t.Fatalf("the original does not answer: %s", &out)
		}
		time.Sleep(20 * time.Millisecond) // between two looks
	}
}

var (
	now         = regexp.MustCompile(`(<name>now</name>\n<value><int>)\d+`)
	notTheirs   = regexp.MustCompile(`<value><string>holdfast\..*</string></value>\n`)
	autorestart = regexp.MustCompile(`<member>\n<name>autorestart</name>\n.*\n</member>\n`)
)

// The same calls to the original and to us get the same bytes.
func TestAgainstTheOriginal(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("user=root of a program in the original's configuration needs root")
	}
	dir := t.TempDir()
	theirs, pid := startOriginal(t, dir)
	if err := os.WriteFile(filepath.Join(dir, "p.log"), []byte("0123456789é<&>\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	root := 0
	log := func(path string) config.Log {
		return config.Log{File: path, MaxBytes: 50 << 20, Backups: 10}
	}
	process := func(name string) *config.Process {
		return &config.Process{Name: name, Group: name, Command: "/bin/sleep 1000", Priority: 999, StartSecs: 1, StartRetries: 3, StopWaitSecs: 10,
			ExitCodes: []int{0}, StopSignal: syscall.SIGTERM, Stdout: log(filepath.Join(dir, name+".log")), Stderr: log("")}
	}
	p, q := process("p"), process("q")
	p.AutoRestart, p.StopSignal, p.ExitCodes = config.RestartUnexpected, syscall.SIGQUIT, []int{0, 2}
	q.UID, q.Directory, q.DirectorySet, q.RedirectStderr = &root, "/", true, true
	api := &fakeAPI{
		info: supervisor.Info{Name: "p", Group: "p", StdoutLog: filepath.Join(dir, "p.log")},
		configs: []supervisor.ConfigInfo{
			{Process: p, GroupPriority: 999, InUse: true},
			{Process: q, GroupPriority: 999, InUse: true},
		},
	}
	ours, _ := serve(t, New(api, ownPID{fakeDaemon{log: filepath.Join(dir, "main.log")}, pid}, Options{Namespaces: []string{"supervisor"}}))

	call := func(name string, values ...string) string {
		text := "<value><struct><member><name>methodName</name><value>" + name + "</value></member><member><name>params</name><value><array><data>"
		for _, v := range values {
			text += "<value>" + v + "</value>"
		}
		return text + "</data></array></value></member></struct></value>"
	}
	multi := func(calls ...string) string {
		return callXML("system.multicall", "<array><data>"+strings.Join(calls, "")+"</data></array>")
	}
	const i0, i3, bad = "<int>0</int>", "<int>3</int>", "<int>-3</int>"
	for _, body := range []string{
		"x", "<methodCall/>", "<methodCall><methodName/></methodCall>",
		callXML("a", "<int>x</int>"),
		callXML("x"), callXML("supervisor.x"), callXML("supervisor.getPID.x"), callXML("supervisor._update", "x"), callXML("nope.x"), callXML("supervisor"),
		callXML("supervisor.getPID", "x"), callXML("supervisor.startProcess"), callXML("supervisor.startProcess", "a", "b", "c"),
		callXML("supervisor.readLog", i0), callXML("supervisor.sendRemoteCommEvent", "a"), callXML("system.listMethods", "a"),
		callXML("supervisor.getAPIVersion"), callXML("supervisor.getVersion"), callXML("supervisor.getSupervisorVersion"),
		callXML("supervisor.getIdentification"), callXML("supervisor.getState"), callXML("supervisor.getPID"),
		callXML("system.listMethods"), callXML("system.methodHelp", "nope"), callXML("system.methodSignature", "nope"),
		callXML("supervisor.getProcessInfo", "p"), callXML("supervisor.getProcessInfo", "nope"), callXML("supervisor.getProcessInfo", "p:*"),
		callXML("supervisor.getProcessInfo", "p:"), callXML("supervisor.getAllConfigInfo"),
		callXML("supervisor.readLog", bad, i3), callXML("supervisor.readLog", i0, bad), callXML("supervisor.readLog", i0, i3),
		callXML("supervisor.readProcessLog", "p", i0, i3), callXML("supervisor.readProcessStdoutLog", "p", bad, i0),
		callXML("supervisor.readProcessLog", "p", "<int>100</int>", i3), callXML("supervisor.readProcessLog", "p", bad, i3),
		callXML("supervisor.readProcessLog", "p", "<string>2</string>", "<double>3.9</double>"),
		callXML("supervisor.readProcessStderrLog", "p", i0, i3), callXML("supervisor.readProcessLog", "nope", i0, i3), callXML("supervisor.readProcessLog", "p:*", i0, i3),
		callXML("supervisor.tailProcessLog", "p", i0, i3), callXML("supervisor.tailProcessStdoutLog", "p", "<int>12</int>", "<int>4</int>"),
		callXML("supervisor.tailProcessStderrLog", "p", i0, i3), callXML("supervisor.tailProcessLog", "nope", i0, i3), callXML("supervisor.tailProcessLog", "p:*", i0, i3),
		callXML("supervisor.sendProcessStdin", "p", "<int>4</int>"), callXML("supervisor.sendProcessStdin", "p", "<boolean>1</boolean>"),
		callXML("supervisor.sendProcessStdin", "p", "<double>1.5</double>"), callXML("supervisor.sendProcessStdin", "p:*", "x"),
		callXML("supervisor.clearProcessLogs", "p:*"),
		callXML("supervisor.sendRemoteCommEvent", "a", "b"), callXML("supervisor.sendRemoteCommEvent", i3, "<boolean>1</boolean>"),
		multi(), multi(call("supervisor.getPID"), call("nope"), call("supervisor.getProcessInfo", "p:*"), call("system.multicall")),
		multi("<value><struct></struct></value>", call("supervisor.getPID", "x")),
	} {
		wantStatus, want, err := roundTrip(theirs, body)
		if err != nil {
			t.Fatalf("the original did not answer %s: %v", body, err)
		}
		status, got, err := roundTrip(ours, body)
		if err != nil {
			t.Fatal(err)
		}
		want, got = now.ReplaceAllString(want, "${1}0"), now.ReplaceAllString(got, "${1}0")
		got = autorestart.ReplaceAllString(got, "") // 4.2.5 does not tell it
		got = notTheirs.ReplaceAllString(got, "")
		if status != wantStatus || got != want {
			t.Errorf("%s\nstatus %q, want %q, -want +got:\n%s", body, status, wantStatus, cmp.Diff(want, got))
		}
	}

	// Signatures are the same for every method.
	s := newServer(api, fakeDaemon{})
	for name := range s.methods {
		if strings.HasPrefix(name, "holdfast.") {
			continue
		}
		body := callXML("system.methodSignature", name)
		_, want, err := roundTrip(theirs, body)
		if err != nil {
			t.Fatal(err)
		}
		if _, got, _ := roundTrip(ours, body); got != want {
			t.Errorf("signature of %s: got %s, want %s", name, got, want)
		}
	}
}

// An ownPID is a daemon with the pid of another.
type ownPID struct {
	fakeDaemon
	pid int
}

func (d ownPID) PID() int { return d.pid }

// Python's clients work against us: the library's own, and the original's over unix sockets.
func TestPythonClients(t *testing.T) {
	const python = "/usr/bin/python3"
	if out, err := exec.Command(python, "-c", "import supervisor.xmlrpc").CombinedOutput(); err != nil {
		t.Skipf("no Python with Supervisor: %v: %s", err, out)
	}
	log := logFile(t, "héllo\xff\x1b[1m\r\n")
	api := &fakeAPI{
		info:    supervisor.Info{Name: "p", Group: "g", StdoutLog: log, Start: time.Unix(1, 0)},
		results: []supervisor.Result{{Name: "é", Group: "g"}},
	}
	socket, url := serve(t, newServer(api, fakeDaemon{log: log}))
	script := `
import sys, xmlrpc.client
from supervisor.xmlrpc import SupervisorTransport
socket, url = sys.argv[1:]
def check(s):
    assert s.supervisor.getState() == {'statecode': 1, 'statename': 'RUNNING'}
    assert s.supervisor.getPID() == 4711
    assert s.supervisor.startProcess('p', False) is True
    assert s.supervisor.startProcess('g:*') == [{'name': '\xe9', 'group': 'g', 'status': 80, 'description': 'OK'}]
    assert s.supervisor.getProcessInfo('p')['name'] == 'p'
    assert len(s.supervisor.getAllProcessInfo()) == 1
    assert s.supervisor.reloadConfig() == [[['a'], [], ['c', 'd']]]
    text = s.supervisor.readProcessStdoutLog('p', 0, 0)
    assert text.startswith('h\xe9llo\ufffd'), repr(text)
    assert s.supervisor.sendProcessStdin('p', 'x' * 1000000) is True
    assert len(s.system.listMethods()) == 46
    try:
        s.supervisor.getProcessInfo('nope')
        assert False
    except xmlrpc.client.Fault as f:
        assert (f.faultCode, f.faultString) == (10, 'BAD_NAME: nope'), f
    m = xmlrpc.client.MultiCall(s)
    assert s.system.multicall([{'methodName': 'supervisor.getPID', 'params': []}]) == [4711]
for _ in range(2):
    check(xmlrpc.client.ServerProxy('http://x', SupervisorTransport('', '', 'unix://' + socket)))
    check(xmlrpc.client.ServerProxy(url + '/RPC2'))
    check(xmlrpc.client.ServerProxy(url, SupervisorTransport('user', 'pass', url)))
try:
    xmlrpc.client.ServerProxy(url.replace('pass', 'wrong')).supervisor.getPID()
    assert False
except xmlrpc.client.ProtocolError as e:
    assert e.errcode == 401
print('good')
`
	ctx, cancel := context.WithTimeout(t.Context(), long)
	defer cancel()
	out, err := exec.CommandContext(ctx, python, "-c", script, socket, url).CombinedOutput()
	if err != nil || string(out) != "good\n" {
		t.Errorf("%v: %s", err, out)
	}
}

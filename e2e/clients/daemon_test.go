package clients

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/diff"

	"holdfast/client"
)

// long is how long anything may take before the test calls it broken.
const long = 3 * time.Minute

// A side is a supervisord and its supervisorctl, as paths.
type side struct{ daemon, ctl string }

var (
	original = side{"/usr/bin/supervisord", "/usr/bin/supervisorctl"}
	ours     side
)

func TestMain(m *testing.M) {
	os.Setenv("LC_ALL", "C.UTF-8")
	os.Setenv("TZ", "UTC")
	os.Unsetenv("PYTHONUNBUFFERED") // programs in Python are to write by flush, not by print
	flag.Parse()
	// Most of them wait most of the time.
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		_ = flag.Set("test.parallel", "16")
	}
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "hf")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		build := exec.Command("go", "build", "-o", dir+"/", "holdfast/cmd/supervisorctl", "holdfast/cmd/supervisord")
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "cannot build the binaries: %v\n%s", err, out)
			return 1
		}
		ours = side{dir + "/supervisord", dir + "/supervisorctl"}
		if d := os.Getenv("HOLDFAST_SUPERVISORD"); d != "" {
			ours.daemon = d
		}
		return m.Run()
	}())
}

// onBoth gives what use gets from a client, for the original and for ours, at the same time. It must
// be the same on both, and have the signs, lest the same nothing comes from both.
func onBoth(t *testing.T, use func(t *testing.T, s side) string, signs ...string) {
	t.Helper()
	for _, p := range []string{original.daemon, original.ctl} {
		if _, err := os.Stat(p); err != nil {
			t.Skipf("the original is not installed (apt-get install supervisor): %v", err)
		}
	}
	var want, got string
	t.Run("on", func(t *testing.T) { // ends when both have
		t.Run("the original", func(t *testing.T) { t.Parallel(); want = use(t, original) })
		t.Run("ours", func(t *testing.T) { t.Parallel(); got = use(t, ours) })
	})
	if t.Failed() {
		return
	}
	if diff := diff.Diff("the original", []byte(want), "ours", []byte(got)); diff != nil {
		t.Errorf("%s", diff)
	}
	for _, sign := range signs {
		if !strings.Contains(want, sign) {
			t.Errorf("there is no %q in what the original gives:\n%s", sign, want)
		}
	}
	if testing.Verbose() {
		t.Logf("both:\n%s", want)
	}
}

// A daemon is a running supervisord. Its socket is s in its directory.
type daemon struct {
	dir, inet string
	client    *client.Client
}

const (
	user     = "usér"
	password = "pass:wörd"
)

const daemonConfig = `
[unix_http_server]
file=$DIR/s
username=$USER
password=$PASSWORD
[inet_http_server]
port=$INET
username=$USER
password=$PASSWORD

[supervisord]
logfile=$DIR/supervisord.log
pidfile=$DIR/supervisord.pid
childlogdir=$DIR

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl=unix://$DIR/s
username=$USER
password=$PASSWORD

[include]
files=$DIR/conf.d/*.ini
`

// The original looks at what it has to do when something happens, or once a second. Here something
// always happens.
const pacer = `
[program:pacer]
command=/usr/bin/python3 -uc "import time, itertools; any(print(end='.') or time.sleep(.02) for _ in itertools.count())"
startsecs=0
stdout_logfile=NONE
priority=1
`

// services are programs for clients that do not ask for more.
//
// The children of the original lose a SIGTERM that comes between fork and exec, so that a stop that
// follows a start at once takes stopwaitsecs. It is SIGKILL here.
const services = `
[group:web]
programs=a,b
[program:a]
command=/bin/cat
startsecs=0
stopsignal=KILL
[program:b]
command=/bin/cat
startsecs=0
autostart=false
stopsignal=KILL
[program:cat]
command=/bin/cat
startsecs=0
stopsignal=KILL
stdout_logfile=$DIR/cat.log
stderr_logfile=$DIR/cat.err
[program:idle]
command=/bin/cat
autostart=false
stopsignal=KILL
[program:fatal]
command=/no/such/file
autostart=false
` + pacer

const newService = `
[program:new]
command=/bin/cat
startsecs=0
stopsignal=KILL
`

// start runs the supervisord of a side on daemonConfig and programs, and ends it when the test does.
// Both may name its values: $DIR, $INET, $USER, $PASSWORD, $TESTDATA.
func (s side) start(t *testing.T, programs string) *daemon {
	t.Helper()
	d := &daemon{dir: tempDir(t)}
	t.Cleanup(func() {
		if t.Failed() {
			for _, name := range []string{"supervisord.log", "recorder.txt", "talker.err"} {
				if data, _ := os.ReadFile(d.dir + "/" + name); len(data) > 0 {
					t.Logf("%s ends with\n%s", name, data[max(0, len(data)-5000):])
				}
			}
		}
	})
	d.config(t, "conf.d/programs.ini", programs)
	c, err := client.New("unix://"+d.dir+"/s", user, password)
	if err != nil {
		t.Fatal(err)
	}
	d.client = c
	t.Cleanup(c.Close)
	// Somebody may take a port that was free before supervisord does.
	for range 5 {
		d.inet = freePort(t)
		d.config(t, "supervisord.conf", daemonConfig)
		if d.run(t, s.daemon) {
			return d
		}
	}
	t.Fatalf("%s does not start", s.daemon)
	return nil
}

// transports are the ways to a daemon, as URLs.
var transports = map[string]func(d *daemon) string{
	"unix": func(d *daemon) string { return "unix://" + d.dir + "/s" },
	"inet": func(d *daemon) string { return "http://" + d.inet },
}

// run starts supervisord and tells whether it has come up.
func (d *daemon) run(t *testing.T, path string) bool {
	t.Helper()
	cmd := exec.Command(path, "-n", "-c", d.dir+"/supervisord.conf")
	cmd.Dir = d.dir
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // fails if a client has shut it down
		select {
		case <-ended:
		case <-time.After(long):
			t.Errorf("%s does not end", path)
			_ = cmd.Process.Kill()
			<-ended
		}
	})
	up := false
	await(t, "an answer of "+path, func() bool {
		select {
		case <-ended:
			return true
		default:
			_, err := d.client.PID(t.Context())
			up = err == nil
			return up
		}
	})
	return up
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// tempDir is short, since the path of a unix socket must be.
func tempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "hf")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// config writes a file for the daemon, with its values in the place of their names.
func (d *daemon) config(t *testing.T, name, text string) {
	t.Helper()
	testdata, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{"DIR": d.dir, "INET": d.inet, "USER": user, "PASSWORD": password, "TESTDATA": testdata}
	text = os.Expand(text, func(name string) string { return values[name] })
	path := filepath.Join(d.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// output runs a client to its end and returns its stdout without what differs between two runs.
func (d *daemon) output(t *testing.T, env []string, name string, argv ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), long)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, argv...)
	cmd.Env = append(os.Environ(), env...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", cmd, err, out[max(0, len(out)-5000):], stderr.String())
	}
	return d.steady(string(out))
}

// await waits for a sign that can only be looked for.
func await(t *testing.T, what string, sign func() bool) {
	t.Helper()
	for end := time.Now().Add(long); !sign(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// What differs between two runs, and what stands for it.
var differs = []struct {
	found *regexp.Regexp
	is    string
}{
	{regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}`), "DATE"},
	{regexp.MustCompile(`(-std(out|err)---supervisor)-\w{8}\b`), "$1-AUTO"},
	{regexp.MustCompile(`uptime \d+:\d\d:\d\d`), "uptime TIME"},
	{regexp.MustCompile(`[A-Z][a-z]{2} \d\d \d\d:\d\d [AP]M`), "DATE"},
	{regexp.MustCompile(`\b(pid:?|PID) ?[1-9]\d*`), "$1 PID"},
	{regexp.MustCompile(`"pid": ?"?[1-9]\d*"?`), `"pid": PID`},
}

func (d *daemon) steady(text string) string {
	text = strings.ReplaceAll(text, d.dir, "DIR")
	text = strings.ReplaceAll(text, d.inet, "INET")
	for _, d := range differs {
		text = d.found.ReplaceAllString(text, d.is)
	}
	return text
}

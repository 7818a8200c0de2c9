package differential

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"holdfast/client"
	"holdfast/e2e/original"
)

// long is how long anything may take before the test calls it broken.
const long = 30 * time.Second

// A side is one of the two that are compared.
type side struct {
	name, daemon, ctl string
	ours              bool
}

var sides = []side{
	{name: "original", daemon: original.Daemon, ctl: original.Ctl},
	{name: "holdfast", ours: true}, // built by TestMain
}

// originals runs the original's programs.
// originals has one hash seed for all runs, always the same one: a scenario must not depend on it, and one that does
// fails always or never.
var originals = original.Programs{Env: append(environment(), "PYTHONHASHSEED=0")}

// childProgram is the path of e2e/child, built.
var childProgram string

func TestMain(m *testing.M) {
	flag.Parse()
	// Most of a scenario's time is waiting for the original's poll.
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		_ = flag.Set("test.parallel", "24")
	}
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "hf")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		defer originals.End()
		os.Chmod(dir, 0o755)
		build := exec.Command("go", "build", "-o", dir+"/", "holdfast/cmd/supervisorctl", "holdfast/cmd/supervisord", "holdfast/e2e/child")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "cannot build the binaries: %v\n%s", err, out)
			return 1
		}
		sides[1].daemon, sides[1].ctl = dir+"/supervisord", dir+"/supervisorctl"
		childProgram = dir + "/child"
		return m.Run()
	}())
}

func (s *side) need(t *testing.T) {
	if _, err := os.Stat(s.daemon); err != nil {
		t.Skipf("the original is not installed (apt-get install supervisor): %v", err)
	}
}

const basic = `[unix_http_server]
file=$DIR/s
[inet_http_server]
port=127.0.0.1:$PORT
[supervisord]
logfile=$DIR/supervisord.log
pidfile=$DIR/supervisord.pid
childlogdir=$DIR
OPTIONS
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://$DIR/s
[include]
files=conf.d/*.ini
`

// A world is a directory and the daemon in it, while a scenario is played.
type world struct {
	t      *testing.T
	side   *side
	dir    string
	port   string
	client *client.Client
	under  []string           // the command that runs the daemon; empty: it is run directly
	daemon *os.Process        // nil: it was not started yet
	ended  chan struct{}      // closed when daemon has ended
	status syscall.WaitStatus // of daemon, once ended is closed
	stderr bytes.Buffer       // of daemon, once ended is closed
	seen   map[string]int     // file -> how many of its bytes were given out

	streams map[string]*stream     // of follow
	jobs    map[string]chan string // of bg: what it gives, once
}

func newWorld(t *testing.T, s *side) *world {
	dir, err := os.MkdirTemp("", "hf") // short: the path of a unix socket must be
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, side: s, dir: dir, port: freePort(t), seen: map[string]int{},
		streams: map[string]*stream{}, jobs: map[string]chan string{}}
	if w.client, err = client.New("unix://"+dir+"/s", "", ""); err != nil {
		t.Fatal(err)
	}
	w.write("supervisord.conf", strings.Replace(basic, "OPTIONS\n", "", 1))
	t.Cleanup(func() {
		w.end()
		w.client.Close()
		os.RemoveAll(dir)
	})
	return w
}

// nextPort is where freePort goes on. The ports are none that the kernel gives to others by itself, and
// no two scenarios get the same.
var nextPort atomic.Uint32

func init() { nextPort.Store(rand.Uint32N(12000)) }

var ports atomic.Int64 // how many were tried

// freePort is a port that nobody listens on and that no other scenario gets: not one that the system
// would choose, since it may choose the same for the next who asks before this one is opened.
func freePort(t *testing.T) string {
	for range 1000 {
		port := strconv.FormatInt(10000+(int64(os.Getpid())*89+ports.Add(1))%20000, 10)
		if l, err := net.Listen("tcp", "127.0.0.1:"+port); err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal("there is no free port")
	return ""
}

// expand replaces the names that a scenario may use.
func (w *world) expand(s string) string {
	return strings.NewReplacer("$DIR", w.dir, "$CHILD", childProgram, "$PORT", w.port, "$DAEMON", w.side.daemon, "$CTL", w.side.ctl,
		"$UID", strconv.Itoa(os.Getuid())).Replace(s)
}

func (w *world) write(name, text string) {
	path := filepath.Join(w.dir, name)
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		err = os.WriteFile(path, []byte(w.expand(text)), 0o644)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// start runs the daemon, and returns when it answers, or has ended.
func (w *world) start(args []string) string {
	if len(args) == 0 {
		args = []string{"-n", "-c", w.dir + "/supervisord.conf"}
	}
	w.end() // one that was to be refused, and was not
	w.stderr.Reset()
	stdout, err := os.Create(w.dir + "/.stdout")
	if err != nil {
		w.t.Fatal(err)
	}
	stderr, toStderr, err := os.Pipe()
	if err != nil {
		w.t.Fatal(err)
	}
	wait, err := w.execute(stdout, toStderr, args)
	stdout.Close()
	toStderr.Close()
	if err != nil {
		w.t.Fatal(err)
	}
	copied := make(chan struct{})
	go func() { // ends with the last process that has it
		_, _ = w.stderr.ReadFrom(stderr)
		stderr.Close()
		close(copied)
	}()
	w.ended = make(chan struct{})
	go func() {
		var err error
		if w.status, err = wait(); err != nil {
			w.t.Error(err)
		}
		<-copied
		close(w.ended)
	}()
	up := func() bool {
		_, err := w.client.PID(context.Background())
		return err == nil
	}
	if !w.until(func() bool { return w.hasEnded() || up() }) {
		return "it does not answer\n"
	}
	if w.hasEnded() {
		return w.outcome()
	}
	return ""
}

// execute starts w.daemon, and returns what waits for its end.
func (w *world) execute(stdout, stderr *os.File, args []string) (wait func() (syscall.WaitStatus, error), err error) {
	argv := slices.Concat(w.under, []string{w.side.daemon}, args)
	if argv[0] == original.Daemon {
		run, err := originals.Start(w.dir, nil, stdout, stderr, argv...)
		if err != nil {
			return nil, err
		}
		w.daemon = run.Process
		return run.Wait, nil
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.Env = w.dir, stdout, stderr, environment()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	w.daemon = cmd.Process
	return func() (syscall.WaitStatus, error) {
		_ = cmd.Wait() // it says again what the status says
		return cmd.ProcessState.Sys().(syscall.WaitStatus), nil
	}, nil
}

// environment is what the daemons and supervisorctl get.
func environment() []string {
	env := []string{"LC_ALL=C.UTF-8", "TZ=UTC", "PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "INHERITED=50%"}
	if d := os.Getenv("GOCOVERDIR"); d != "" {
		env = append(env, "GOCOVERDIR="+d)
	}
	return env
}

func (w *world) hasEnded() bool {
	select {
	case <-w.ended:
		return true
	default:
		return false
	}
}

// outcome tells of the daemon's end.
func (w *world) outcome() string {
	<-w.ended
	if w.status.Signaled() {
		return fmt.Sprintf("%skilled by signal %d\n", w.stderr.String(), w.status.Signal())
	}
	return fmt.Sprintf("%sexit %d\n", w.stderr.String(), w.status.ExitStatus())
}

// end ends the daemon when the scenario is over.
func (w *world) end() {
	if w.daemon != nil {
		_ = w.daemon.Signal(syscall.SIGTERM) // fails if it has ended
		select {
		case <-w.ended:
		case <-time.After(long):
			w.t.Errorf("%s does not end on SIGTERM", w.side.daemon)
			_ = w.daemon.Kill()
			<-w.ended
		}
	}
	// One in the background is nobody's here.
	if pid, err := w.client.PID(context.Background()); err == nil {
		_ = syscall.Kill(pid, syscall.SIGTERM)
		gone := func() bool { _, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid)); return err != nil }
		if !w.until(gone) {
			w.t.Errorf("%s does not end on SIGTERM", w.side.daemon)
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// until waits for a sign that can only be looked for, and says whether it came.
func (w *world) until(sign func() bool) bool {
	for end := time.Now().Add(long); !sign(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}

// run runs a command of the same side to its end.
func (w *world) run(stdin string, argv ...string) string {
	stdout, stderr, status, err := w.output(stdin, argv)
	if err != nil {
		w.t.Fatal(err)
	}
	for l := range strings.Lines(stderr) {
		stdout += "stderr: " + strings.TrimSuffix(l, "\n") + "\n"
	}
	if code := status.ExitStatus(); code != 0 {
		stdout += fmt.Sprintf("exit %d\n", code)
	}
	return stdout
}

func (w *world) output(stdin string, argv []string) (stdout, stderr string, status syscall.WaitStatus, err error) {
	if argv[0] == original.Ctl {
		return originals.Output(w.dir, stdin, long, argv...)
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir, cmd.Env = w.dir, environment()
	cmd.Stdin = strings.NewReader(stdin)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Start(); err != nil {
		return "", "", 0, err
	}
	alarm := time.AfterFunc(long, func() { _ = cmd.Process.Kill() })
	defer alarm.Stop()
	var exit *exec.ExitError
	if err := cmd.Wait(); err != nil && !errors.As(err, &exit) {
		return "", "", 0, err
	}
	return out.String(), errOut.String(), cmd.ProcessState.Sys().(syscall.WaitStatus), nil
}

// What differs between two runs, and what stands for it.
var varies = []struct {
	found *regexp.Regexp
	is    string
}{
	{regexp.MustCompile(`(?m)^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} `), ""},
	{regexp.MustCompile(`(?m): file: \S+ line: \d+$`), ""}, // a place in the original's source
	{regexp.MustCompile(`\bpid \d+`), "pid PID"},
	{regexp.MustCompile(`\(\d+\) with SIGKILL`), "(PID) with SIGKILL"},
	{regexp.MustCompile(`\bpid:[1-9]\d*`), "pid:PID"},
	{regexp.MustCompile(`(?m)^(ver:.*) len:\d+ (".* pid:P)`), "$1 len:LEN $2"}, // a pid has as many digits as it has
	{regexp.MustCompile(`("pid": )[1-9]\d*`), "${1}PID"},
	{regexp.MustCompile(`(?m)^(<value><int>)[1-9]\d*(</int></value>\n</param>)`), "${1}PID$2"}, // getPID
	{regexp.MustCompile(`("(?:now|start|stop)": )[1-9]\d*`), "${1}TIME"},
	{regexp.MustCompile(`(<name>pid</name>\n<value><int>)[1-9]\d*`), "${1}PID"},
	{regexp.MustCompile(`(<name>(?:now|start|stop)</name>\n<value><int>)[1-9]\d*`), "${1}TIME"},
	{regexp.MustCompile(`\bwhen:\d+`), "when:TIME"},
	{regexp.MustCompile(`since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d`), "since TIME"},
	{regexp.MustCompile(`uptime \d+:\d\d:\d\d`), "uptime TIME"},
	{regexp.MustCompile(`[A-Z][a-z]{2} \d\d \d\d:\d\d [AP]M`), "DATE"},
	{regexp.MustCompile(`[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}`), "CTIME"},
	{regexp.MustCompile(`[A-Z][a-z]{2}%20[A-Z][a-z]{2}%20(?:%20)?\d+%20\d\d%3A\d\d%3A\d\d%20\d{4}`), "CTIME"},
	{regexp.MustCompile(`\[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000\]`), "[TIME]"}, // of the access log
	{regexp.MustCompile(`(?m)^(Last-Modified): .*\d{4} \d\d:\d\d:\d\d GMT`), "$1: DATE"},
	{regexp.MustCompile(`(-std(?:out|err)---\w+)-[a-z0-9_]{8}\.log`), "$1-RANDOM.log"},
	{regexp.MustCompile(`\b4\.2\.5\b|\b4\.4\.0\+holdfast\S*\b`), "VERSION"},
	{regexp.MustCompile(`(?m)^.*UserWarning: Supervisord is running as root .*\n(?:  .*\n)?`), ""},
	{regexp.MustCompile(`(?m)^.* (?:Supervisor is running as root|Increased RLIMIT_).*\n`), ""}, // as the machine has it
}

// normal is an output without what differs between two runs.
func (w *world) normal(text string) string {
	text = strings.NewReplacer(w.dir, "$DIR", childProgram, "$CHILD", w.port, "$PORT", w.side.ctl, "$CTL", w.side.daemon, "$DAEMON").Replace(text)
	for _, v := range varies {
		text = v.found.ReplaceAllString(text, v.is)
	}
	return text
}

package guard

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/internal/launch"
)

// long is a bound that only a broken run meets.
const long = 30 * time.Second

// The guard, its daemons and their children are the test binary; the first argument says which. A daemon and
// a child connect to the test's socket, say who they are, and do what they are told, line by line.
const (
	envSocket = "GUARD_TEST_SOCKET"
	envLimit  = "GUARD_TEST_UP_LIMIT"
)

func TestMain(m *testing.M) {
	if os.Getenv(envSocket) == "" {
		// Whatever a test leaves behind becomes a child of this process, where it is seen.
		if err := launch.Subreaper(); err != nil {
			panic(err)
		}
		os.Exit(m.Run())
	}
	if limit, err := time.ParseDuration(os.Getenv(envLimit)); err == nil {
		upLimit = limit
	}
	if os.Getenv(Env) != "" {
		os.Exit(Main(os.Args, os.Stderr))
	}
	switch os.Args[1] {
	case "boot-ignoring": // as some parents leave it
		signal.Ignore(syscall.SIGCHLD, syscall.SIGHUP)
		boot()
	case "boot-init":
		if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
			panic(err)
		}
		boot()
	case "boot":
		boot()
	case "daemon":
		os.Exit(beDaemon())
	case "child":
		os.Exit(beChild())
	}
}

func boot() {
	panic(Become([]string{os.Args[0], "daemon"}, nil))
}

func dial() net.Conn {
	c, err := net.Dial("unix", os.Getenv(envSocket))
	if err != nil {
		return nil
	}
	return c
}

func beChild() int {
	c := dial()
	if c == nil {
		return 9
	}
	fmt.Fprintf(c, "child %d %d\n", os.Getpid(), StartTime(os.Getpid()))
	line, _ := bufio.NewReader(c).ReadString('\n')
	status, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		return 9
	}
	return status
}

// A testDaemon is a daemon's process.
type testDaemon struct {
	mu    sync.Mutex // of c
	c     net.Conn
	link  *Link
	ready *os.File
}

func (d *testDaemon) say(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	fmt.Fprintf(d.c, format+"\n", args...)
}

func beDaemon() int {
	d := &testDaemon{c: dial(), ready: launch.Ready()}
	if d.c == nil { // the test is over
		if link, err := Connect(); err == nil {
			link.Bye()
		}
		return 0
	}
	// Before Notify: the one thread that takes signals blocks the others.
	status, _ := os.ReadFile("/proc/thread-self/status")
	_, mask, _ := strings.Cut(string(status), "SigBlk:\t")
	mask, _, _ = strings.Cut(mask, "\n")
	signals := make(chan os.Signal, 64)
	for _, sig := range forwarded {
		signal.Notify(signals, sig)
	}
	go func() {
		for sig := range signals {
			d.say("! signal %s", unix.SignalName(sig.(syscall.Signal)))
		}
	}()
	exe, _ := os.Readlink("/proc/self/exe")
	d.say("daemon %d %d %d %s %s", os.Getpid(), os.Getppid(), syscall.Getpgrp(), mask, exe)
	commands := bufio.NewScanner(d.c)
	for commands.Scan() {
		words := strings.Fields(commands.Text())
		if words[0] == "exit" {
			status, _ := strconv.Atoi(words[1])
			return status
		}
		answer, err := d.do(words[0], words[1:])
		if err != nil {
			answer = "error: " + err.Error()
		}
		d.say("= %s", answer)
	}
	if d.link != nil {
		d.link.Bye()
	}
	return 0
}

func (d *testDaemon) do(verb string, args []string) (answer string, err error) {
	switch verb {
	case "connect":
		d.link, err = Connect()
		if err == nil {
			answer = fmt.Sprint(d.link.PID())
		}
	case "watch":
		d.link.Watch(func(e Exit) { d.say("! %v", e) }, func() { d.say("! gone") })
	case "pending": // something to be read
		err = d.link.conn.raw.Read(func(fd uintptr) bool {
			n, _ := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
			return n > 0
		})
	case "why":
		answer = d.link.Why()
	case "exits":
		var list []string
		for _, e := range d.link.Exits() {
			list = append(list, e.String())
		}
		answer = strings.Join(list, ";")
	case "done":
		for _, arg := range args {
			seq, _ := strconv.ParseUint(arg, 10, 64)
			d.link.Done(seq)
		}
	case "up":
		err = d.link.Up()
	case "bye":
		err = d.link.Bye()
	case "exec":
		err = d.link.Exec(args[0])
	case "store", "store-and-die", "bye-and-die": // store KEY TEXT...: a file with each text
		if verb == "bye-and-die" {
			err = d.link.Bye()
		} else {
			err = d.link.Store(args[0], files(args[1:])...)
		}
		if verb != "store" {
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	case "store-many":
		fds := files([]string{"x"})
		for i := range 400 {
			if err == nil {
				err = d.link.Store(fmt.Sprint("many", i), fds...)
			}
		}
	case "drop":
		err = d.link.Drop(args[0])
	case "fds":
		var list []string
		for key, fds := range d.link.Fds() {
			list = append(list, key+"="+strings.Join(contents(fds), ","))
		}
		slices.Sort(list)
		answer = strings.Join(list, ";")
	case "spawn":
		n, _ := strconv.Atoi(args[0])
		for range n {
			_, err = syscall.ForkExec("/proc/self/exe", []string{os.Args[0], "child"},
				&syscall.ProcAttr{Env: os.Environ(), Files: []uintptr{0, 1, 2}})
		}
	case "ready":
		if d.ready == nil {
			return "", fmt.Errorf("nobody waits")
		}
		_, err = d.ready.Write([]byte{1})
		d.ready.Close()
	case "stdio":
		for fd := range 3 {
			name, _ := os.Readlink(fmt.Sprint("/proc/self/fd/", fd))
			answer += name + " "
		}
	case "become":
		err = Become(os.Args, d.link.Fds())
	case "environ":
		answer = strings.Join(os.Environ(), ";")
	default:
		err = fmt.Errorf("what is %q?", verb)
	}
	return answer, err
}

func files(texts []string) (fds []int) {
	for _, text := range texts {
		fd, err := unix.MemfdCreate("test", unix.MFD_CLOEXEC)
		if err != nil {
			panic(err)
		}
		unix.Write(fd, []byte(text))
		fds = append(fds, fd)
	}
	return fds
}

func contents(fds []int) (texts []string) {
	for _, fd := range fds {
		b := make([]byte, 100)
		n, _ := unix.Pread(fd, b, 0)
		texts = append(texts, string(b[:max(n, 0)]))
	}
	return texts
}

// A world is a guard under test.
type world struct {
	t       *testing.T
	dir     string
	cmd     *exec.Cmd
	stderr  *stderrLog
	arrived chan *peer // daemons
	born    chan *peer // children

	mu    sync.Mutex
	peers []*peer
}

// A peer is a daemon or a child, as the test sees it.
type peer struct {
	w         *world
	c         net.Conn
	pid, ppid int
	pgrp      int
	start     uint64
	mask, exe string
	answers   chan string
	events    chan string
}

type stderrLog struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{}
}

func (l *stderrLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case l.more <- struct{}{}:
	default:
	}
	return l.text.Write(b)
}

func (l *stderrLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// newWorld starts a guard. Tweak may change how.
func newWorld(t *testing.T, tweak ...func(*exec.Cmd)) *world {
	t.Helper()
	dir, err := os.MkdirTemp("", "guard") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, dir: dir, arrived: make(chan *peer, 100), born: make(chan *peer, 1000),
		stderr: &stderrLog{more: make(chan struct{}, 1)}}
	listener, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	w.cmd = exec.Command("/proc/self/exe")
	w.cmd.Args = []string{"supervisord", "boot"}
	w.cmd.Env = append(os.Environ(), envSocket+"="+listener.Addr().String(),
		"GORACE=atexit_sleep_ms=0") // what -race waits at each end
	w.cmd.Stderr = w.stderr
	w.cmd.WaitDelay = long
	for _, f := range tweak {
		f(w.cmd)
	}
	if err := w.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	accepted := make(chan struct{})
	go func() {
		defer close(accepted)
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			w.accept(c)
		}
	}()
	t.Cleanup(func() {
		listener.Close()
		<-accepted
		w.mu.Lock()
		for _, p := range w.peers {
			p.c.Close()
		}
		w.mu.Unlock()
		w.nothingLeft()
		if said := w.stderr.String(); strings.Contains(said, "DATA RACE") || strings.Contains(said, "panic") {
			t.Error(said)
		}
		os.RemoveAll(dir)
	})
	return w
}

// nothingLeft waits until all that descends from this test has ended.
func (w *world) nothingLeft() {
	watchdog := time.AfterFunc(long, func() {
		out, _ := exec.Command("ps", "-ef", "--forest").Output()
		panic(fmt.Sprintf("%s: processes are left\n%s\n%s", w.t.Name(), w.stderr, out))
	})
	defer watchdog.Stop()
	w.cmd.Wait() // a second time is harmless
	for {
		if _, err := syscall.Wait4(-1, nil, 0, nil); err == syscall.ECHILD {
			return
		}
	}
}

func (w *world) accept(c net.Conn) {
	p := &peer{w: w, c: c, answers: make(chan string, 1), events: make(chan string, 1000)}
	w.mu.Lock()
	w.peers = append(w.peers, p)
	w.mu.Unlock()
	lines := bufio.NewReader(c)
	hello, err := lines.ReadString('\n')
	if err != nil {
		return
	}
	if strings.HasPrefix(hello, "child") {
		fmt.Sscanf(hello, "child %d %d", &p.pid, &p.start)
		w.born <- p
		return
	}
	fmt.Sscanf(hello, "daemon %d %d %d %s %s", &p.pid, &p.ppid, &p.pgrp, &p.mask, &p.exe)
	w.arrived <- p
	go func() { // ends with the connection
		defer close(p.events)
		defer close(p.answers)
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				return
			}
			line = strings.TrimSuffix(line, "\n")
			if event, ok := strings.CutPrefix(line, "! "); ok {
				p.events <- event
			} else {
				p.answers <- strings.TrimPrefix(line, "= ")
			}
		}
	}()
}

func get[T any](w *world, c <-chan T, what string) T {
	w.t.Helper()
	select {
	case v, ok := <-c:
		if !ok {
			w.t.Fatalf("the process ended; it was to say %s\n%s", what, w.stderr)
		}
		return v
	case <-time.After(long):
		w.t.Fatalf("no %s came\n%s", what, w.stderr)
	}
	panic("not reached")
}

// next is the next daemon, before it has connected to the guard.
func (w *world) next() *peer {
	w.t.Helper()
	return get(w, w.arrived, "daemon")
}

// connected is the next daemon, which has heard the guard's greeting.
func (w *world) connected() *peer {
	w.t.Helper()
	p := w.next()
	if got, want := p.do("connect"), strconv.Itoa(p.ppid); got != want {
		w.t.Fatalf("the daemon takes %s for its guard; it is %s", got, want)
	}
	p.do("watch")
	return p
}

// upDaemon is the next daemon, which is up.
func (w *world) upDaemon() *peer {
	w.t.Helper()
	p := w.connected()
	p.do("up")
	return p
}

func (w *world) children(n int) (list []*peer) {
	w.t.Helper()
	for range n {
		list = append(list, get(w, w.born, "child"))
	}
	return list
}

// status is the guard's exit status.
func (w *world) status() int {
	w.t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- w.cmd.Wait() }()
	get(w, ended, "end of the guard")
	return exitStatus(w.cmd.ProcessState.Sys().(syscall.WaitStatus))
}

// says waits for a line on the guard's stderr.
func (w *world) says(want string) {
	w.t.Helper()
	deadline := time.After(long)
	for !strings.Contains(w.stderr.String(), want+"\n") {
		select {
		case <-w.stderr.more:
		case <-deadline:
			w.t.Fatalf("the guard said\n%swhich is not %q", w.stderr, want)
		}
	}
}

func (w *world) kill(pid int, sig syscall.Signal) {
	w.t.Helper()
	if err := syscall.Kill(pid, sig); err != nil {
		w.t.Fatalf("kill %d: %v", pid, err)
	}
}

func (w *world) signal(sig syscall.Signal) {
	w.t.Helper()
	w.kill(w.cmd.Process.Pid, sig)
}

// do tells a daemon to do something, and waits for its answer.
func (p *peer) do(format string, args ...any) string {
	p.w.t.Helper()
	p.tell(format, args...)
	command := fmt.Sprintf(format, args...)
	answer := get(p.w, p.answers, "answer to "+command)
	if strings.HasPrefix(answer, "error:") {
		p.w.t.Fatalf("%s: %s\n%s", command, answer, p.w.stderr)
	}
	return answer
}

// tell tells a peer to do something of which no answer comes.
func (p *peer) tell(format string, args ...any) {
	p.w.t.Helper()
	if _, err := io.WriteString(p.c, fmt.Sprintf(format, args...)+"\n"); err != nil {
		p.w.t.Fatal(err)
	}
}

// hears waits for an event.
func (p *peer) hears(want string) {
	p.w.t.Helper()
	if got := get(p.w, p.events, want); got != want {
		p.w.t.Fatalf("the daemon got %q, want %q", got, want)
	}
}

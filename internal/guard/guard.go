package guard

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/internal/launch"
	"holdfast/internal/sdnotify"
)

// upLimit is how long a daemon of a new path has to get up.
var upLimit = 10 * time.Second

// A guard is the guard's process. All fields are the main goroutine's.
type guard struct {
	argv    []string
	environ []string
	lines   *lines
	ready   *os.File // waits for the first daemon that is up; nil: it was, or nobody waits
	signals *signals

	daemon    *daemon     // nil: there is none, the timer says when
	timer     *time.Timer // the next start, or the end of patience with a candidate
	program   int         // an fd of what starts a daemon; -1: this program itself
	candidate string      // the path of another one that is to be tried
	deaths    int         // that followed each other closely
	why       string      // what became of the last daemon
	wasUp     bool        // some daemon was

	stored map[string][]int
	exits  exits
	held   []syscall.Signal // for the next daemon that is up, one of a kind
	asked  syscall.Signal   // the last one that asked for the end

	over   bool
	status int
}

// A daemon is the one that is running.
type daemon struct {
	pid       int
	conn      *conn
	in        chan packet // converse sends and closes
	open      bool        // in is
	candidate string      // the path that it tries
	up        time.Time   // zero: not yet
	greeted   bool
	bye       bool
	gone      bool
}

// Main is the guard, for a process that was started with Env in its environment; argv is its daemon's
// too. The result is the exit status for this process.
func Main(argv []string, stderr *os.File) int {
	if path := os.Getenv(envExec); path != "" {
		return execDaemon(path, argv, stderr)
	}
	// It sleeps nearly always, and is there as long as the machine.
	runtime.GOMAXPROCS(1)
	debug.SetGCPercent(10)
	g := &guard{
		argv:    argv,
		program: -1,
		lines:   newLines(stderr),
		signals: newSignals(),
		stored:  make(map[string][]int),
	}
	defer g.lines.flush()
	// A write to a closed stderr must be an error and not the end. (Ignored, it would be so for the daemon.)
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	g.ready = launch.Ready()
	if err := launch.CloseOnExec(); err != nil {
		g.lines.say("%v", err)
	}
	if err := launch.Subreaper(); err != nil {
		g.lines.say("%v", err)
	}
	_ = os.WriteFile("/proc/self/comm", []byte(filepath.Base(argv[0])), 0) // else ps knows it as "exe"
	s, err := readState()
	if err != nil {
		g.lines.say("%v", err)
		return 1
	}
	g.environ = environ()
	return g.run(s)
}

// execDaemon is the daemon's process when it is of another path. It is not the guard that executes it:
// where that fails, or never ends (a dead mount), it must have a pid that can be waited for and killed.
func execDaemon(path string, argv []string, stderr *os.File) int {
	os.Unsetenv(Env)
	os.Unsetenv(envExec)
	err := syscall.Exec(path, argv, os.Environ())
	fmt.Fprintf(stderr, "supervisord: cannot execute %s: %v\n", path, err)
	return 127
}

func (g *guard) run(s *state) int {
	children := make(chan os.Signal, 1)
	signal.Notify(children, syscall.SIGCHLD)
	g.timer = time.NewTimer(0)
	g.timer.Stop()
	if s != nil {
		g.inherit(s)
	}
	g.start()
	c := g.signals
	for {
		g.reap()
		if g.over {
			return g.status
		}
		var in chan packet
		if g.daemon != nil && g.daemon.open {
			in = g.daemon.in
		}
		select {
		case <-children:
		case p, ok := <-in:
			if ok {
				g.handle(p)
			} else {
				g.daemon.open = false // only its end says what that means
			}
		case <-g.timer.C:
			g.timeout()
		case <-c[0]:
			g.signal(forwarded[0])
		case <-c[1]:
			g.signal(forwarded[1])
		case <-c[2]:
			g.signal(forwarded[2])
		case <-c[3]:
			g.signal(forwarded[3])
		case <-c[4]:
			g.signal(forwarded[4])
		case <-c[5]:
			g.signal(forwarded[5])
		}
	}
}

// start starts a daemon, or sets the timer for the next try.
func (g *guard) start() {
	d, err := g.fork()
	if err == nil {
		g.daemon, g.why = d, ""
		if d.candidate != "" {
			g.timer.Reset(upLimit)
		}
		return
	}
	if !g.wasUp && !errors.Is(err, syscall.EAGAIN) && !errors.Is(err, syscall.ENOMEM) {
		g.lines.say("cannot start the daemon: %v", err)
		g.end(1)
		return
	}
	var wait time.Duration
	g.deaths, wait = delay(max(g.deaths, 1), 0)
	g.lines.say("cannot start the daemon: %v; trying again%s", err, in(wait))
	g.timer.Reset(wait)
}

func (g *guard) fork() (*daemon, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(pair[1])
	c, err := newConn(pair[0])
	if err != nil {
		return nil, err
	}
	files := []uintptr{0, 1, 2, uintptr(pair[1])}
	env := append(slices.Clip(g.environ), envFD+"=3")
	if g.ready != nil {
		files = append(files, g.ready.Fd())
		env = append(env, launch.ReadyEnv+"=4")
	}
	if g.why != "" {
		env = append(env, envWhy+"="+g.why)
	}
	d := &daemon{conn: c, in: make(chan packet), open: true, candidate: g.candidate}
	path := "/proc/self/exe"
	switch {
	case d.candidate != "":
		env = append(env, Env+"=1", envExec+"="+d.candidate, envTrial+"=1")
	case g.program >= 0:
		path = "/proc/self/fd/" + strconv.Itoa(g.program)
	}
	d.pid, err = syscall.ForkExec(path, g.argv, &syscall.ProcAttr{
		Env:   env,
		Files: files,
		Sys:   &syscall.SysProcAttr{Setpgid: true}, // Ctrl-C is for the guard, which passes it on
	})
	if err != nil {
		c.close()
		return nil, err
	}
	go d.converse(g.greeting())
	return d, nil
}

// greeting is what a new daemon is told first.
func (g *guard) greeting() (hello []packet) {
	for key, fds := range g.stored {
		hello = append(hello, packet{text: "fd " + key, fds: fds})
	}
	for i := range g.exits.window() {
		o := &g.exits.list[i]
		o.sent = true
		hello = append(hello, packet{text: o.String()})
	}
	return append(hello, packet{text: "go"})
}

// converse greets a daemon and then receives, to the end of what it says. A daemon says nothing before it
// was greeted, so that none of the files in the greeting is closed meanwhile.
func (d *daemon) converse(hello []packet) {
	for _, p := range hello {
		err := d.conn.send(p.text, p.fds...)
		if err != nil && len(p.fds) > 0 && !gone(err) {
			continue // these can't be sent; without its "go" the daemon would wait for ever
		}
		if err != nil {
			break // it has ended; which the reaper finds
		}
	}
	d.in <- packet{greeted: true}
	d.listen()
}

// listen receives until the daemon's end of the socket is closed, or the file's deadline.
func (d *daemon) listen() {
	defer close(d.in)
	for {
		p, err := d.conn.receive()
		if err != nil {
			return
		}
		d.in <- p
	}
}

// handle does what the daemon says.
func (g *guard) handle(p packet) {
	d := g.daemon
	if p.greeted {
		d.greeted = true
	}
	verb, rest, _ := strings.Cut(p.text, " ")
	if verb != "store" {
		closeAll(p.fds)
	}
	switch verb {
	case "store":
		closeAll(g.stored[rest])
		delete(g.stored, rest)
		if p.lost {
			closeAll(p.fds)
			g.lines.say("cannot keep the files of %q for the next daemon: too many open files", rest)
			break
		}
		g.stored[rest] = p.fds
	case "drop":
		closeAll(g.stored[rest])
		delete(g.stored, rest)
	case "done":
		if seq, err := strconv.ParseUint(rest, 10, 64); err == nil {
			g.exits.done(seq)
		}
	case "up":
		g.up()
	case "bye":
		d.bye = true
	case "exec":
		g.candidate = rest
	}
	g.tell()
}

// tell says the exits that the daemon is to know.
func (g *guard) tell() {
	d := g.daemon
	if d == nil || !d.greeted || d.gone {
		return
	}
	for i := range g.exits.window() {
		o := &g.exits.list[i]
		// There is no room only while the daemon has not read its greeting. When it has, it says "up".
		if !o.sent && d.conn.try(o.String()) == nil {
			o.sent = true
		}
	}
}

// up is when a daemon says that it is.
func (g *guard) up() {
	d := g.daemon
	if !d.up.IsZero() || !g.prove(d) {
		return
	}
	d.up = time.Now()
	if !g.wasUp {
		g.wasUp = true
		g.notify(sdnotify.Ready)
		g.detach()
		debug.FreeOSMemory()
	}
	if !d.gone {
		g.release()
	}
}

// prove makes the program of a candidate that is up the one that starts daemons. It is held open: what is
// in its place tomorrow was not tried.
func (g *guard) prove(d *daemon) bool {
	if d.candidate == "" {
		return true
	}
	fd, err := openHigh(fmt.Sprintf("/proc/%d/exe", d.pid))
	if err != nil { // the daemon is gone, or there are too many open files
		return false
	}
	if g.program >= 0 {
		unix.Close(g.program)
	}
	g.program = fd
	g.timer.Stop()
	if g.candidate == d.candidate {
		g.candidate = ""
	}
	return true
}

// openHigh opens a file that is to be executed, above the numbers that a daemon's files get before that.
func openHigh(path string) (int, error) {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	defer unix.Close(fd)
	return unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 16)
}

// release passes on the signals that were held.
func (g *guard) release() {
	held := g.held
	g.held = nil
	for _, sig := range held {
		_ = syscall.Kill(g.daemon.pid, sig)
	}
}

// detach lets the process go that waits for the first daemon in the terminal, and the terminal itself.
func (g *guard) detach() {
	if g.ready == nil {
		return
	}
	g.ready.Close()
	g.ready = nil
	if null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0); err == nil {
		for fd := range 3 {
			_ = unix.Dup3(int(null.Fd()), fd, 0)
		}
		null.Close()
	}
}

// signal passes a signal on, now or when there is a daemon that is up.
func (g *guard) signal(sig syscall.Signal) {
	g.reap() // a signal to a zombie is lost
	if g.over {
		return
	}
	d, end := g.daemon, asksForEnd(sig)
	if end {
		g.asked = sig
		g.notify(sdnotify.Stopping)
	}
	switch {
	case d != nil && !d.up.IsZero():
		_ = syscall.Kill(d.pid, sig)
	case g.wasUp || !end:
		g.hold(sig)
		if d == nil && end {
			g.timer.Reset(0) // whoever asks for the end has no use for our patience
		}
	case d != nil:
		_ = syscall.Kill(d.pid, sig) // nothing is lost with a daemon that was never up
	default:
		g.end(128 + int(sig))
	}
}

func (g *guard) hold(sig syscall.Signal) {
	if !slices.Contains(g.held, sig) {
		g.held = append(g.held, sig)
	}
}

// timeout is when the timer has run out.
func (g *guard) timeout() {
	switch d := g.daemon; {
	case d == nil:
		g.start()
	case d.candidate != "" && d.up.IsZero():
		_ = syscall.Kill(d.pid, syscall.SIGKILL) // whose end says the rest
	}
}

// reap waits for all children that have ended.
func (g *guard) reap() {
	var end *syscall.WaitStatus // the daemon's
	for pid := ended(); pid > 0; pid = ended() {
		start := StartTime(pid)
		status, ok := reap(pid)
		switch {
		case !ok:
		case g.daemon != nil && pid == g.daemon.pid:
			end = &status
			g.daemon.gone = true
		default:
			g.exits.add(Exit{PID: pid, Start: start, Status: status})
		}
	}
	if end != nil {
		g.died(*end) // what it left is known to the next one from the start
	}
	g.tell()
}

// died is the daemon's end: the guard's own, or the next daemon's start.
func (g *guard) died(status syscall.WaitStatus) {
	d := g.daemon
	d.conn.shutdown()
	for p := range d.in {
		g.handle(p)
	}
	d.conn.close()
	g.daemon = nil
	g.timer.Stop()

	var up time.Duration
	if !d.up.IsZero() {
		up = time.Since(d.up)
	}
	failed := d.candidate != "" && d.up.IsZero()
	g.why = fmt.Sprintf("the daemon (pid %d) %s", d.pid, ending(status))
	switch {
	case d.bye, !g.wasUp && !failed && (status.Exited() || g.asked != 0):
		g.end(exitStatus(status))
		return
	case failed:
		if g.candidate == d.candidate {
			g.candidate = ""
		}
		g.why = fmt.Sprintf("the new daemon %s (pid %d) %s before it was up", d.candidate, d.pid, ending(status))
		g.lines.say("%s; going back to the one before", g.why)
	case g.candidate != "":
		g.why = "" // it has made room
	default:
		var wait time.Duration
		if status.Signaled() && status.Signal() == syscall.SIGKILL {
			wait = killedDelay(up)
		} else {
			g.deaths, wait = delay(g.deaths, up)
		}
		g.lines.say("%s; starting it again%s", g.why, in(wait))
		if wait > 0 {
			g.timer.Reset(wait)
			g.holdAsked()
			return
		}
	}
	g.holdAsked()
	g.start()
}

// holdAsked keeps the wish for an end for the next daemon: the one that had it has not said bye.
func (g *guard) holdAsked() {
	if g.asked != 0 {
		g.hold(g.asked)
	}
}

// notify tells a service manager how this one is.
func (g *guard) notify(what string) {
	if err := sdnotify.Send(what); err != nil {
		g.lines.say("%v", err)
	}
}

func (g *guard) end(status int) { g.over, g.status = true, status }

// inherit takes the place of a guard that has died.
func (g *guard) inherit(s *state) {
	pass(s.fds(), false)
	g.wasUp = true
	for _, kept := range s.Stored {
		g.stored[string(kept.Key)] = kept.FDs
	}
}

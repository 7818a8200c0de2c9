package guard

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func TestACrashedDaemonIsStartedAgain(t *testing.T) {
	w := newWorld(t)
	first := w.upDaemon()
	if first.ppid != w.cmd.Process.Pid || first.pgrp != first.pid {
		t.Errorf("the daemon's parent is %d, want %d; its group is %d, want its own", first.ppid, w.cmd.Process.Pid, first.pgrp)
	}
	if strings.Trim(first.mask, "0") != "" {
		t.Errorf("the daemon was started with signals blocked: %s", first.mask)
	}
	if env := first.do("environ"); strings.Contains(env, Env) {
		t.Errorf("the daemon's children would get %s", env)
	}
	w.kill(first.pid, syscall.SIGKILL)
	second := w.upDaemon()
	if second.ppid != first.ppid || second.pid == first.pid {
		t.Errorf("the second daemon is %d under %d, the first was %d under %d", second.pid, second.ppid, first.pid, first.ppid)
	}
	why := fmt.Sprintf("the daemon (pid %d) was killed by SIGKILL", first.pid)
	if got := second.do("why"); got != why {
		t.Errorf("the second daemon was told %q, want %q", got, why)
	}
	w.says("supervisord: " + why + "; starting it again")

	second.tell("exit 0") // after "up" and without "bye": no end that was meant
	third := w.upDaemon()
	w.says(fmt.Sprintf("supervisord: the daemon (pid %d) exited with status 0; starting it again", second.pid))
	w.kill(third.pid, syscall.SIGSEGV)
	fourth := w.upDaemon()
	w.says(fmt.Sprintf("supervisord: the daemon (pid %d) exited with status 2; starting it again in 0.1 s", third.pid))
	fourth.do("bye")
	fourth.tell("exit 3")
	if got := w.status(); got != 3 {
		t.Errorf("the guard ended with %d, want the daemon's 3", got)
	}
}

func TestAByeThatWasStillInTheQueueCounts(t *testing.T) {
	w := newWorld(t)
	w.upDaemon().tell("bye-and-die")
	if got := w.status(); got != 128+9 {
		t.Errorf("the guard ended with %d, want 137", got)
	}
}

func TestADaemonThatCannotStartEndsTheGuard(t *testing.T) {
	w := newWorld(t)
	w.next().tell("exit 2")
	if got := w.status(); got != 2 {
		t.Errorf("the guard ended with %d, want 2", got)
	}
	if got := w.stderr.String(); got != "" {
		t.Errorf("the guard said %q; the daemon has said what there is to say", got)
	}
}

func TestAFirstDaemonThatIsKilledIsStartedAgain(t *testing.T) {
	w := newWorld(t)
	w.kill(w.next().pid, syscall.SIGKILL)
	w.next().tell("exit 4")
	if got := w.status(); got != 4 {
		t.Errorf("the guard ended with %d, want 4", got)
	}
}

func TestADaemonThatCannotStartLaterIsTriedAgain(t *testing.T) {
	w := newWorld(t)
	d := w.upDaemon()
	w.kill(d.pid, syscall.SIGKILL)
	w.next().tell("exit 2")
	w.upDaemon()
}

func TestSignals(t *testing.T) {
	t.Run("are passed on to a daemon that is up", func(t *testing.T) {
		w := newWorld(t)
		d := w.upDaemon()
		for _, sig := range forwarded {
			w.signal(sig)
			d.hears("signal " + unix.SignalName(sig))
		}
	})
	t.Run("wait for the next daemon", func(t *testing.T) {
		w := newWorld(t)
		w.kill(w.upDaemon().pid, syscall.SIGKILL)
		d := w.next()
		w.signal(syscall.SIGUSR2)
		w.signal(syscall.SIGTERM)
		w.kill(d.pid, syscall.SIGKILL)
		d = w.upDaemon()
		got := map[string]bool{get(w, d.events, "signal"): true, get(w, d.events, "signal"): true}
		if !got["signal SIGUSR2"] || !got["signal SIGTERM"] {
			t.Errorf("got %v", got)
		}
	})
	t.Run("that ask for the end do not wait for the first daemon", func(t *testing.T) {
		w := newWorld(t)
		d := w.next()
		w.signal(syscall.SIGHUP)
		w.signal(syscall.SIGTERM)
		d.hears("signal SIGTERM")
		d.do("connect")
		d.do("up")
		d.hears("signal SIGHUP")
	})
	t.Run("that ask for the end and kill the first daemon end the guard", func(t *testing.T) {
		w := newWorld(t)
		d := w.next()
		w.signal(syscall.SIGINT)
		d.hears("signal SIGINT")
		w.kill(d.pid, syscall.SIGKILL) // the test's daemon takes SIGINT
		if got := w.status(); got != 128+9 {
			t.Errorf("the guard ended with %d, want 137", got)
		}
	})
	t.Run("that asked a daemon for the end are for the one after it, too", func(t *testing.T) {
		w := newWorld(t)
		d := w.upDaemon()
		w.signal(syscall.SIGTERM)
		d.hears("signal SIGTERM")
		w.kill(d.pid, syscall.SIGKILL)
		d = w.upDaemon()
		d.hears("signal SIGTERM")
		d.do("bye")
		d.tell("exit 0")
		if got := w.status(); got != 0 {
			t.Errorf("the guard ended with %d, want 0", got)
		}
	})
}

// Signals come while daemons die and programs change.
func TestAStormOfSignalsEndsNothing(t *testing.T) {
	w := newWorld(t)
	path := w.copyProgram()
	d := w.upDaemon()
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-quit:
				return
			default:
				syscall.Kill(w.cmd.Process.Pid, syscall.SIGHUP)
				syscall.Kill(w.cmd.Process.Pid, syscall.SIGUSR1)
			}
		}
	}()
	drain := func(d *peer) {
		go func() {
			for range d.events {
			}
		}()
	}
	for range 3 {
		drain(d)
		d.do("exec %s", path)
		w.kill(d.pid, syscall.SIGKILL)
		d = w.upDaemon()
	}
	close(quit)
	<-ended
	w.signal(syscall.SIGTERM)
	for get(w, d.events, "SIGTERM") != "signal SIGTERM" {
	}
}

func TestOrphans(t *testing.T) {
	w := newWorld(t)
	d := w.upDaemon()
	d.do("spawn 3")
	children := w.children(3)
	w.kill(d.pid, syscall.SIGKILL)

	d = w.upDaemon()
	if got := d.do("exits"); got != "" {
		t.Fatalf("exits %q of children that live", got)
	}
	first := fmt.Sprintf("exit 1 %d %d %d", children[0].pid, children[0].start, 7<<8)
	children[0].tell("7")
	d.hears(first)
	if _, err := os.Stat(fmt.Sprint("/proc/", children[0].pid)); err == nil {
		t.Errorf("pid %d is a zombie", children[0].pid)
	}
	second := fmt.Sprintf("exit 2 %d %d %d", children[1].pid, children[1].start, syscall.SIGTERM)
	w.kill(children[1].pid, syscall.SIGTERM)
	d.hears(second)
	for range 3 {
		w.kill(d.pid, syscall.SIGKILL)
		d = w.upDaemon()
		if got, want := d.do("exits"), first+";"+second; got != want {
			t.Fatalf("got exits %q, want %q", got, want)
		}
	}
	d.do("done 1")
	w.kill(d.pid, syscall.SIGKILL)
	children[2].tell("0")
	d = w.upDaemon()
	d.do("done 2")
	d.do("done 77")
	// The third one has come with the greeting, or after it.
	third := fmt.Sprintf("exit 3 %d %d 0", children[2].pid, children[2].start)
	if got := d.do("exits"); got != second+";"+third {
		if got != second {
			t.Fatalf("got exits %q, want %q and perhaps %q", got, second, third)
		}
		d.hears(third)
	}
}

func TestNoMoreThanAWindowOfExitsIsUnanswered(t *testing.T) {
	const n = 3*window + 5
	w := newWorld(t)
	d := w.upDaemon()
	d.do("spawn %d", n)
	children := w.children(n)
	w.kill(d.pid, syscall.SIGKILL)
	d = w.connected()
	for _, c := range children {
		c.tell("0")
	}
	for range window {
		get(w, d.events, "exit")
	}
	for _, c := range children { // the guard has waited for them all
		for end := time.Now().Add(long); ; time.Sleep(time.Millisecond) {
			if _, err := os.Stat(fmt.Sprint("/proc/", c.pid)); err != nil {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("pid %d was not waited for", c.pid)
			}
		}
	}
	w.kill(d.pid, syscall.SIGKILL)

	d = w.upDaemon()
	list := strings.Split(d.do("exits"), ";")
	if len(list) != window {
		t.Fatalf("the daemon was greeted with %d exits, want %d", len(list), window)
	}
	pids := map[int]bool{}
	for i := range n {
		if i >= window {
			list = append(list, get(w, d.events, "exit"))
		}
		e, err := parseExit(strings.TrimPrefix(list[i], "exit "))
		if err != nil || e.Seq != uint64(i+1) {
			t.Fatalf("exit %d is %q (%v)", i, list[i], err)
		}
		pids[e.PID] = true
		d.do("done %d", e.Seq)
	}
	for _, c := range children {
		if !pids[c.pid] {
			t.Errorf("the exit of %d was not told", c.pid)
		}
	}
}

func TestStore(t *testing.T) {
	w := newWorld(t)
	d := w.upDaemon()
	if got := d.do("fds"); got != "" {
		t.Fatalf("the first daemon got %q", got)
	}
	d.do("store a one two")
	d.do("store b three")
	d.do("store c four")
	d.do("store b five")
	d.do("drop c")
	d.tell("store-and-die last six")
	for range 2 {
		d = w.upDaemon()
		if got, want := d.do("fds"), "a=one,two;b=five;last=six"; got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
		w.kill(d.pid, syscall.SIGKILL)
	}
	d = w.upDaemon()
	d.do("drop a")
	w.kill(d.pid, syscall.SIGKILL)
	d = w.upDaemon()
	if got, want := d.do("fds"), "b=five;last=six"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	// The guard holds what it was given and no more: three are stdio.
	w.waitFDs(w.cmd.Process.Pid, 2)
}

// The kernel says of a dead daemon that it has not read everything, before it gives what it has sent.
func TestWhatADaemonSentLastWithoutReading(t *testing.T) {
	w := newWorld(t)
	d := w.upDaemon()
	d.do("spawn 1")
	child := w.children(1)[0]
	w.kill(d.pid, syscall.SIGKILL)
	d = w.next()
	d.do("connect")
	d.do("up")
	child.tell("0")
	if d.do("exits") == "" {
		d.do("pending")
	}
	w.signal(syscall.SIGSTOP)
	if _, err := syscall.Wait4(w.cmd.Process.Pid, nil, syscall.WUNTRACED, nil); err != nil {
		t.Fatal(err)
	}
	d.tell("store-and-die last text")
	select {
	case <-d.events: // closed
	case <-time.After(long):
		t.Fatal("the daemon lives")
	}
	w.signal(syscall.SIGCONT)
	if got := w.upDaemon().do("fds"); got != "last=text" {
		t.Errorf("the next daemon got %q", got)
	}
}

// waitFDs waits until a process has n memfds open.
func (w *world) waitFDs(pid, n int) {
	w.t.Helper()
	var got []string
	for end := time.Now().Add(long); time.Now().Before(end); time.Sleep(time.Millisecond) {
		got = nil
		entries, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
		for _, e := range entries {
			name, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", pid, e.Name()))
			if strings.HasPrefix(name, "/memfd:") {
				got = append(got, name)
			}
		}
		if len(got) == n {
			return
		}
	}
	w.t.Errorf("the process has %q open, want %d", got, n)
}

// A daemon that does not read its greeting keeps the guard from nothing.
func TestADaemonThatHangs(t *testing.T) {
	w := newWorld(t)
	d := w.upDaemon()
	d.do("store-many") // more packets than the socket takes
	d.do("spawn 1")
	child := w.children(1)[0]
	w.kill(d.pid, syscall.SIGKILL)

	d = w.next() // which does not connect
	w.signal(syscall.SIGUSR2)
	child.tell("5")
	w.kill(d.pid, syscall.SIGKILL)

	d = w.upDaemon()
	if got := strings.Count(d.do("fds"), "=x"); got != 400 {
		t.Errorf("got %d stored files, want 400", got)
	}
	exit := fmt.Sprintf("exit 1 %d %d %d", child.pid, child.start, 5<<8)
	want := map[string]bool{"signal SIGUSR2": true}
	if got := d.do("exits"); got != exit {
		want[exit] = true
	}
	for len(want) > 0 {
		e := get(w, d.events, "signal or exit")
		if !want[e] {
			t.Fatalf("got %q, want one of %v", e, want)
		}
		delete(want, e)
	}
}

func (w *world) copyProgram() string {
	w.t.Helper()
	b, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		w.t.Fatal(err)
	}
	path := filepath.Join(w.dir, "new")
	if err := os.WriteFile(path, b, 0o700); err != nil {
		w.t.Fatal(err)
	}
	return path
}

func TestUpgrade(t *testing.T) {
	w := newWorld(t)
	path := w.copyProgram()
	d := w.upDaemon()
	d.do("spawn 2")
	children := w.children(2)
	d.do("store k text")
	d.do("exec %s", path)
	d.tell("exit 0")

	d = w.connected()
	if d.exe != path {
		t.Errorf("the daemon is of %s, want %s", d.exe, path)
	}
	if got := d.do("why"); got != "" {
		t.Errorf("the new daemon was told %q; nothing was wrong", got)
	}
	children[0].tell("1")
	exit := fmt.Sprintf("exit 1 %d %d %d", children[0].pid, children[0].start, 1<<8)
	d.hears(exit)
	d.do("up")
	children[1].tell("2")
	d.hears(fmt.Sprintf("exit 2 %d %d %d", children[1].pid, children[1].start, 2<<8))
	d.do("done 2")
	d.do("store l more")
	w.signal(syscall.SIGUSR2)
	d.hears("signal SIGUSR2")
	// What was tried is kept, and not what comes to stand in its place.
	if err := os.Rename(path, path+"er"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o700); err != nil {
		t.Fatal(err)
	}
	w.kill(d.pid, syscall.SIGKILL)

	d = w.upDaemon()
	if path += "er"; d.exe != path || strings.Trim(d.mask, "0") != "" {
		t.Errorf("the daemon is of %s, want %s; it blocks %s", d.exe, path, d.mask)
	}
	if got, want := d.do("exits")+" "+d.do("fds"), exit+" k=text;l=more"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	d.do("bye")
	d.tell("exit 0")
	if got := w.status(); got != 0 {
		t.Errorf("the guard ended with %d", got)
	}
}

func TestAnUpgradeThatFails(t *testing.T) {
	old, err := os.Readlink("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	goesBack := func(t *testing.T, w *world, why string) {
		t.Helper()
		d := w.upDaemon()
		if d.exe != old {
			t.Errorf("the daemon is of %s, want %s", d.exe, old)
		}
		if got := d.do("why"); !strings.HasSuffix(got, why) {
			t.Errorf("the daemon was told %q, want %q", got, why)
		}
		w.says("supervisord: " + d.do("why") + "; going back to the one before")
		w.kill(d.pid, syscall.SIGKILL)
		if d = w.upDaemon(); d.exe != old {
			t.Errorf("the daemon after it is of %s, want %s", d.exe, old)
		}
	}
	t.Run("path that is not there", func(t *testing.T) {
		w := newWorld(t)
		d := w.upDaemon()
		d.do("exec /nowhere/supervisord")
		d.tell("exit 0")
		goesBack(t, w, "exited with status 127 before it was up")
		w.says("supervisord: cannot execute /nowhere/supervisord: no such file or directory")
	})
	t.Run("daemon that ends", func(t *testing.T) {
		w := newWorld(t)
		path := w.copyProgram()
		d := w.upDaemon()
		d.do("exec %s", path)
		d.tell("exit 0")
		if d = w.connected(); d.exe != path {
			t.Errorf("the daemon is of %s, want %s", d.exe, path)
		}
		d.tell("exit 2")
		goesBack(t, w, "exited with status 2 before it was up")
	})
	t.Run("daemon that hangs", func(t *testing.T) {
		w := newWorld(t, func(c *exec.Cmd) { c.Env = append(c.Env, envLimit+"=100ms") })
		path := w.copyProgram()
		d := w.upDaemon()
		d.do("exec %s", path)
		d.tell("exit 0")
		goesBackPast(t, w)
		goesBack(t, w, "was killed by SIGKILL before it was up")
	})
}

// goesBackPast lets the daemon of the new program go by, if it comes so far before the guard's patience ends.
func goesBackPast(t *testing.T, w *world) {
	t.Helper()
	if d := w.next(); !strings.HasSuffix(d.exe, "/new") {
		w.arrived <- d
	}
}

func TestTheGuardIsKilled(t *testing.T) {
	w := newWorld(t)
	d := w.upDaemon()
	d.do("store k text")
	w.kill(d.pid, syscall.SIGKILL)
	d = w.upDaemon()
	d.do("spawn 1")
	child := w.children(1)[0]
	w.signal(syscall.SIGKILL)
	d.hears("gone")
	if err := syscall.Kill(child.pid, 0); err != nil {
		t.Fatalf("the child has gone with the guard: %v", err)
	}
	d.tell("become")

	next := w.connected()
	if next.ppid != d.pid {
		t.Fatalf("the next daemon's guard is %d, want %d", next.ppid, d.pid)
	}
	if got := next.do("fds"); got != "k=text" {
		t.Errorf("the next daemon got %q", got)
	}
	// It takes the place of one that was up: no status of a daemon is its own, and no signal is early.
	w.kill(d.pid, syscall.SIGTERM)
	next.tell("exit 2")
	next = w.upDaemon()
	next.hears("signal SIGTERM")
	child.tell("6")
	next.hears(fmt.Sprintf("exit 1 %d %d %d", child.pid, child.start, 6<<8))
}

func TestStderrThatIsGone(t *testing.T) {
	for _, how := range []string{"broken", "full", "closed"} {
		t.Run(how, func(t *testing.T) {
			r, wr, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			if how == "full" {
				fd := int(wr.Fd())
				unix.SetNonblock(fd, true)
				for err = nil; err == nil; _, err = unix.Write(fd, make([]byte, 4096)) {
				}
				for err = nil; err == nil; _, err = unix.Write(fd, []byte{0}) {
				}
				unix.SetNonblock(fd, false)
			} else {
				r.Close()
			}
			w := newWorld(t, func(c *exec.Cmd) {
				c.Stderr = wr
				if how == "closed" {
					c.Path, c.Args = "/bin/sh", []string{"sh", "-c", `exec "$0" boot 2>&-`, testProgram(t)}
				}
			})
			wr.Close()
			for range 2 {
				w.kill(w.upDaemon().pid, syscall.SIGKILL)
			}
			d := w.upDaemon()
			d.do("bye")
			d.tell("exit 0")
			if got := w.status(); got != 0 {
				t.Errorf("the guard ended with %d", got)
			}
		})
	}
}

func testProgram(t *testing.T) string {
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAParentThatIgnoredSignals(t *testing.T) {
	w := newWorld(t, func(c *exec.Cmd) { c.Args = []string{"supervisord", "boot-ignoring"} })
	d := w.upDaemon()
	w.signal(syscall.SIGHUP)
	d.hears("signal SIGHUP")
	d.do("spawn 1")
	child := w.children(1)[0]
	w.kill(d.pid, syscall.SIGKILL)
	d = w.upDaemon()
	child.tell("3")
	d.hears(fmt.Sprintf("exit 1 %d %d %d", child.pid, child.start, 3<<8))
}

func TestInit(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root makes a pid namespace")
	}
	w := newWorld(t, func(c *exec.Cmd) {
		c.Args = []string{"supervisord", "boot-init"}
		c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID, Unshareflags: syscall.CLONE_NEWNS}
	})
	d := w.upDaemon()
	if d.ppid != 1 {
		t.Fatalf("the guard is %d, want 1", d.ppid)
	}
	d.do("spawn 1")
	child := w.children(1)[0]
	d.tell("store-and-die k text")
	d = w.upDaemon()
	child.tell("3")
	d.hears(fmt.Sprintf("exit 1 %d %d %d", child.pid, child.start, 3<<8))
	w.signal(syscall.SIGTERM)
	d.hears("signal SIGTERM")
	d.do("bye")
	d.tell("exit 0")
	if got := w.status(); got != 0 {
		t.Errorf("the guard ended with %d", got)
	}
}

// Who has sent supervisord into the background hears of the first daemon that is up, or of the guard's end.
func TestBackground(t *testing.T) {
	r, wr, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	r.SetReadDeadline(time.Now().Add(long))
	w := newWorld(t, func(c *exec.Cmd) {
		c.ExtraFiles = []*os.File{wr}
		c.Env = append(c.Env, "HOLDFAST_READY_FD=3")
	})
	wr.Close()
	w.kill(w.next().pid, syscall.SIGKILL)
	d := w.connected()
	d.do("ready")
	d.do("up")
	if got, err := io.ReadAll(r); err != nil || len(got) != 1 { // the guard holds it no more
		t.Errorf("got %v, %v", got, err)
	}
	w.kill(d.pid, syscall.SIGKILL)
	d = w.upDaemon()
	if got, want := d.do("stdio"), strings.Repeat("/dev/null ", 3); got != want {
		t.Errorf("the daemon after it has %q, want %q", got, want)
	}
}

func TestDelay(t *testing.T) {
	type step struct {
		up   time.Duration
		wait time.Duration
	}
	ms := time.Millisecond
	tests := []struct {
		name  string
		steps []step
	}{
		{"the first death costs nothing", []step{{0, 0}}},
		{"it doubles to half a minute", []step{{0, 0}, {0, 100 * ms}, {0, 200 * ms}, {0, 400 * ms}, {0, 800 * ms},
			{0, 1600 * ms}, {0, 3200 * ms}, {0, 6400 * ms}, {0, 12800 * ms}, {0, 25600 * ms}, {0, 30 * time.Second}, {0, 30 * time.Second}}},
		{"a short life is no life", []step{{0, 0}, {longLife - 1, 100 * ms}, {longLife - 1, 200 * ms}}},
		{"a long life starts anew", []step{{0, 0}, {0, 100 * ms}, {longLife, 0}, {0, 100 * ms}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			deaths := 0
			for i, s := range tt.steps {
				var wait time.Duration
				if deaths, wait = delay(deaths, s.up); wait != s.wait {
					t.Errorf("death %d: got %v, want %v", i+1, wait, s.wait)
				}
			}
		})
	}
	if killedDelay(time.Millisecond) != 0 || killedDelay(0) != firstDelay {
		t.Error("a killed daemon is started again at once, and one that was never up after a while")
	}
	deaths, wait := 0, time.Duration(0)
	for range 1000 {
		deaths, wait = delay(deaths, 0)
	}
	if wait != mostDelay {
		t.Errorf("after 1000 deaths: %v", wait)
	}
}

func TestExits(t *testing.T) {
	x := exits{}
	for pid := range 3 * window {
		x.add(Exit{PID: pid})
	}
	for i := range x.window() {
		x.list[i].sent = true
	}
	x.done(40) // not told
	x.done(0)
	x.done(5)
	x.done(5)
	x.done(1)
	var got []uint64
	for _, o := range x.window()[:5] {
		got = append(got, o.Seq)
	}
	if diff := cmp.Diff([]uint64{2, 3, 4, 6, 7}, got); diff != "" || len(x.list) != 3*window-2 {
		t.Errorf("%d are left\n%s", len(x.list), diff)
	}
	for i, o := range x.window() {
		if o.sent != (i < window-2) {
			t.Errorf("exit %d: sent is %v", o.Seq, o.sent)
		}
	}
	e := Exit{Seq: 7, PID: 42, Start: 1 << 60, Status: 0x8b}
	back, err := parseExit(strings.TrimPrefix(e.String(), "exit "))
	if err != nil || back != e {
		t.Errorf("got %v, %v; want %v", back, err, e)
	}
}

func TestNoGuard(t *testing.T) {
	if l, err := Connect(); l != nil || err != nil {
		t.Errorf("got %v, %v", l, err)
	}
}

func TestAFileThatIsNotThereDoesNotKeepTheDaemonFromItsGo(t *testing.T) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	ours, err := newConn(pair[0])
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := newConn(pair[1])
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.close()
	d := &daemon{conn: ours, in: make(chan packet)}
	go d.converse([]packet{{text: "fd spawn 1", fds: []int{1 << 20}}, {text: "go"}})
	p, err := theirs.receive()
	if err != nil || p.text != "go" {
		t.Errorf("got %q, %v", p.text, err)
	}
	<-d.in // greeted
	ours.shutdown()
	for range d.in {
	}
	ours.close()
}

// What a daemon is started from must not have the number of a file that the daemon is given: those are in their places
// before it is executed.
func TestTheProgramIsOutOfTheWay(t *testing.T) {
	fd, err := openHigh("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if fd < 16 {
		t.Errorf("got %d", fd)
	}
}

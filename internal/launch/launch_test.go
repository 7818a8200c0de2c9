package launch

import (
	"bufio"
	"fmt"
	"os"
	"os/signal"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/internal/process"
	"holdfast/internal/rlimit"
)

// bound is how long a broken test takes to fail.
const bound = 20 * time.Second

// A child is one started process with what the reaper said of it.
type child struct {
	*Process
	t      *testing.T
	out    *bufio.Reader // its fd 1 and 2
	stdin  *os.File
	exited chan exit
	gone   chan struct{}
}

type exit struct {
	process.ExitStatus
	groupAlive bool
}

// start starts the test binary as "child:WHAT", or what Spec says instead.
func start(t *testing.T, s Spec, what string, args ...string) *child {
	t.Helper()
	var in, out [2]int
	if err := unix.Pipe2(in[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	if err := unix.Pipe2(out[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	if s.Path == "" {
		s.Path = "/proc/self/exe"
		s.Args = append([]string{"child:" + what}, args...)
		s.Env = append(s.Env, endsAtOnce)
	}
	c := &child{t: t, exited: make(chan exit, 2), gone: make(chan struct{}, 2)}
	s.Files = [3]int{in[0], out[1], out[1]}
	s.Exited = func(st process.ExitStatus, alive bool) { c.exited <- exit{st, alive} }
	s.GroupGone = func() { c.gone <- struct{}{} }
	p, err := Start(s)
	unix.Close(in[0])
	unix.Close(out[1])
	if err != nil {
		t.Fatal(err)
	}
	c.Process = p
	c.stdin = os.NewFile(uintptr(in[1]), "stdin")
	read := os.NewFile(uintptr(out[0]), "output")
	c.out = bufio.NewReader(read)
	t.Cleanup(func() {
		c.Signal(syscall.SIGKILL, true)
		c.stdin.Close()
		read.Close()
	})
	return c
}

// coverWarning is what a test binary made with -cover says as a child.
const coverWarning = "warning: GOCOVERDIR not set, no coverage data emitted\n"

func (c *child) line() string {
	c.t.Helper()
	for {
		s, err := c.out.ReadString('\n')
		if err != nil {
			c.t.Fatalf("read a line from the child: %q, %v", s, err)
		}
		if s != coverWarning {
			return strings.TrimSuffix(s, "\n")
		}
	}
}

// number reads a line with a pid behind a prefix.
func (c *child) number(prefix string) int {
	c.t.Helper()
	line := c.line()
	n, err := strconv.Atoi(strings.TrimPrefix(line, prefix))
	if err != nil || n <= 1 {
		c.t.Fatalf("the child says %q, want %q and a pid", line, prefix)
	}
	return n
}

func (c *child) all() string {
	var b strings.Builder
	c.out.WriteTo(&b)
	return strings.ReplaceAll(b.String(), coverWarning, "")
}

func (c *child) wait() exit {
	c.t.Helper()
	return receive(c.t, "exit", c.exited)
}

func receive[T any](t *testing.T, what string, c chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(bound):
		t.Fatalf("no %s", what)
		panic("unreachable")
	}
}

// bothWays runs a test with vfork, where there is one, and with fork.
func bothWays(t *testing.T, f func(t *testing.T)) {
	for _, v := range []bool{true, false} {
		if v && !haveVfork {
			continue
		}
		t.Run(map[bool]string{true: "vfork", false: "fork"}[v], func(t *testing.T) {
			useVfork = v
			defer func() { useVfork = haveVfork }()
			f(t)
		})
	}
}

func TestChildIsGivenWhatTheSpecSays(t *testing.T) {
	bothWays(t, func(t *testing.T) {
		dir, umask := t.TempDir(), 0o027
		c := start(t, Spec{Path: "/proc/self/exe", Args: []string{"child:report", "a b", ""}, Env: []string{"X=1", "Y=%s 中", endsAtOnce},
			Dir: dir, DirSet: true, Umask: &umask}, "")
		groups, _ := os.Getgroups()
		want := fmt.Sprintf("args %q\nenv %q\ncwd %s\numask 027\nleader true\nuid %d gid %d groups %v\n",
			[]string{"child:report", "a b", ""}, []string{"X=1", "Y=%s 中", endsAtOnce}, dir, os.Getuid(), os.Getgid(), groups)
		if got := c.all(); got != want {
			t.Errorf("got:\n%swant:\n%s", got, want)
		}
		if e := c.wait(); e != (exit{}) {
			t.Errorf("got %+v", e)
		}
	})
}

func TestChildInheritsUmaskAndDirectory(t *testing.T) {
	old := syscall.Umask(0o022)
	defer syscall.Umask(old)
	wd, _ := os.Getwd()
	got := start(t, Spec{}, "report").all()
	if want := "cwd " + wd + "\numask 022\n"; !strings.Contains(got, want) {
		t.Errorf("got:\n%swant in it:\n%s", got, want)
	}
}

func TestChildHasCleanSignalsLimitsAndFiles(t *testing.T) {
	signal.Ignore(syscall.SIGUSR1, syscall.SIGHUP)
	defer signal.Reset(syscall.SIGUSR1, syscall.SIGHUP)
	// One that nobody marked close-on-exec.
	leak, err := unix.Open("/dev/null", unix.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(leak)

	bothWays(t, func(t *testing.T) {
		// Not Go programs: those install handlers and raise limits themselves.
		for _, line := range strings.Split(start(t, Spec{Path: "/bin/cat", Args: []string{"cat", "/proc/self/status"}}, "").all(), "\n") {
			for _, field := range []string{"SigBlk", "SigIgn", "SigCgt", "SigPnd"} {
				if v, ok := strings.CutPrefix(line, field+":"); ok && strings.Trim(v, "\t0") != "" {
					t.Error(line)
				}
			}
		}
		l, ok := rlimit.NoFile()
		limits := start(t, Spec{Path: "/bin/cat", Args: []string{"cat", "/proc/self/limits"}}, "").all()
		if want := fmt.Sprintf("Max open files            %-21d%-21d", l.Cur, l.Max); !ok || !strings.Contains(limits, want) {
			t.Errorf("got:\n%s\nwant in it %q", limits, want)
		}
		// ls itself opens the directory as 3.
		fds := strings.Fields(start(t, Spec{Path: "/bin/ls", Args: []string{"ls", "/proc/self/fd"}}, "").all())
		if want := []string{"0", "1", "2", "3"}; !slices.Equal(fds, want) {
			t.Errorf("open in the child: %v, want %v", fds, want)
		}
	})
}

func TestCloseOnExec(t *testing.T) {
	fd, err := unix.Open("/dev/null", unix.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := CloseOnExec(); err != nil {
		t.Fatal(err)
	}
	if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("flags %#x, %v", flags, err)
	}
}

func TestFilesMayBeTheStandardOnes(t *testing.T) {
	// Crossed over, so that a plain sequence of dups would lose one.
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	saved := [2]int{}
	for i := range saved {
		saved[i], _ = unix.FcntlInt(uintptr(i+1), unix.F_DUPFD_CLOEXEC, 3)
	}
	unix.Dup3(int(w.Fd()), 1, 0)
	done := make(chan struct{})
	_, err = Start(Spec{Path: "/proc/self/exe", Args: []string{"child:report"}, Env: []string{endsAtOnce}, Files: [3]int{2, 0, 1},
		Exited: func(process.ExitStatus, bool) { close(done) }})
	for i := range saved {
		unix.Dup3(saved[i], i+1, 0)
		unix.Close(saved[i])
	}
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	receive(t, "exit", done)
}

func TestUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can become another user")
	}
	// Whoever has most groups shows most.
	var best *user.User
	var groups []string
	passwd, err := os.ReadFile("/etc/passwd")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(passwd)) {
		name, _, _ := strings.Cut(line, ":")
		u, err := user.Lookup(name)
		if err != nil || u.Uid == "0" {
			continue
		}
		if g, err := u.GroupIds(); err == nil && len(g) > len(groups) {
			best, groups = u, g
		}
	}
	if best == nil {
		t.Skip("there is no user but root")
	}
	uid, _ := strconv.Atoi(best.Uid)
	bothWays(t, func(t *testing.T) {
		// Not the test binary: it lies where only root may look.
		got := start(t, Spec{Path: "/bin/cat", Args: []string{"cat", "/proc/self/status"}, UID: &uid, Dir: "/", DirSet: true}, "").all()
		slices.Sort(groups) // as the kernel does, near enough
		for _, want := range []string{
			fmt.Sprintf("Uid:\t%s\t%[1]s\t%[1]s\t%[1]s\n", best.Uid),
			fmt.Sprintf("Gid:\t%s\t%[1]s\t%[1]s\t%[1]s\n", best.Gid),
		} {
			if !strings.Contains(got, want) {
				t.Errorf("want %q in:\n%s", want, got)
			}
		}
		_, rest, _ := strings.Cut(got, "\nGroups:\t")
		line, _, _ := strings.Cut(rest, "\n")
		have := strings.Fields(line)
		slices.Sort(have)
		if !slices.Equal(have, groups) {
			t.Errorf("groups of %s: got %v, want %v", best.Username, have, groups)
		}
	})
	if os.Getuid() != 0 {
		t.Error("the daemon changed its own user")
	}
}

func TestFailuresBetweenForkAndExec(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	badInterpreter := write("bad-interpreter", "#!/no/such/shell\n", 0o755)
	noFormat := write("no-format", "echo hello\n", 0o755)
	notExecutable := write("not-executable", "", 0o644)
	nobody, self := 987654, os.Getuid()
	for _, row := range []struct {
		name string
		spec Spec
		want string
	}{
		{"directory is missing", Spec{Path: "/bin/cat", Dir: "/no/such/dir", DirSet: true}, "supervisor: couldn't chdir to /no/such/dir: ENOENT\n"},
		{"directory is a file", Spec{Path: "/bin/cat", Dir: notExecutable, DirSet: true}, "supervisor: couldn't chdir to " + notExecutable + ": ENOTDIR\n"},
		{"directory is set and empty", Spec{Path: "/bin/cat", DirSet: true}, "supervisor: couldn't chdir to : ENOENT\n"},
		{"program is missing", Spec{Path: "/no/such"}, "supervisor: couldn't exec argv0: ENOENT\n"},
		{"interpreter is missing", Spec{Path: badInterpreter}, "supervisor: couldn't exec argv0: ENOENT\n"},
		{"no known format", Spec{Path: noFormat}, "supervisor: couldn't exec argv0: ENOEXEC\n"},
		{"not executable", Spec{Path: notExecutable}, "supervisor: couldn't exec argv0: EACCES\n"},
		{"a directory", Spec{Path: dir}, "supervisor: couldn't exec argv0: EACCES\n"},
		{"unknown user", Spec{Path: "/bin/cat", UID: &nobody}, "supervisor: couldn't setuid to 987654: Can't find uid 987654\n"},
		{"the user that we are is no change", Spec{Path: "/no/such", UID: &self}, "supervisor: couldn't exec argv0: ENOENT\n"},
		{"the user comes before the directory", Spec{Path: "/bin/cat", UID: &nobody, Dir: "/no/such/dir", DirSet: true},
			"supervisor: couldn't setuid to 987654: Can't find uid 987654\n"},
	} {
		t.Run(row.name, func(t *testing.T) {
			bothWays(t, func(t *testing.T) {
				row.spec.Args = []string{"argv0", "x"}
				c := start(t, row.spec, "")
				if got, want := c.all(), row.want+"supervisor: child process was not spawned\n"; got != want {
					t.Errorf("got %q, want %q", got, want)
				}
				if e := c.wait(); e.Code != 127 || e.Signal != 0 {
					t.Errorf("got %+v, want exit status 127", e)
				}
			})
		})
	}
}

func TestStartErrors(t *testing.T) {
	for name, s := range map[string]Spec{
		"no argv":               {Path: "/bin/cat"},
		"zero byte in argument": {Path: "/bin/cat", Args: []string{"cat", "a\x00b"}},
		"zero byte in path":     {Path: "/bin/c\x00at", Args: []string{"cat"}},
		"a file is not open":    {Path: "/bin/cat", Args: []string{"cat"}, Files: [3]int{-1, 1, 2}},
	} {
		if _, err := Start(s); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestExitStatus(t *testing.T) {
	if e := start(t, Spec{}, "exit", "3").wait(); e != (exit{ExitStatus: process.ExitStatus{Code: 3}}) {
		t.Errorf("got %+v", e)
	}
	c := start(t, Spec{}, "wait")
	c.line()
	if err := c.Signal(syscall.SIGKILL, false); err != nil {
		t.Fatal(err)
	}
	if e := c.wait(); e != (exit{ExitStatus: process.ExitStatus{Signal: syscall.SIGKILL}}) {
		t.Errorf("got %+v", e)
	}
	for _, group := range []bool{false, true} {
		if err := c.Signal(syscall.SIGTERM, group); err != syscall.ESRCH {
			t.Errorf("a signal to the dead, group %v: %v", group, err)
		}
	}
}

func TestSignalAtOnceReachesTheGroup(t *testing.T) {
	bothWays(t, func(t *testing.T) {
		for range 50 {
			c := start(t, Spec{}, "wait")
			if err := c.Signal(syscall.SIGKILL, true); err != nil {
				t.Fatal(err)
			}
			if e := c.wait(); e.Signal != syscall.SIGKILL {
				t.Fatalf("got %+v", e)
			}
		}
	})
}

// hangingProgram is a program of which the exec hangs, as on a dead mount, until it is let go: a file under a
// write lease cannot be opened until the lease is given up.
func hangingProgram(t *testing.T) (path string, letGo func()) {
	t.Helper()
	binary, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, binary, 0o755); err != nil {
		t.Fatal(err)
	}
	lease, err := unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	// Given up and closed for writing, or the kernel refuses to execute it.
	letGo = sync.OnceFunc(func() {
		unix.FcntlInt(uintptr(lease), unix.F_SETLEASE, unix.F_UNLCK)
		unix.Close(lease)
	})
	t.Cleanup(letGo)
	if _, err := unix.FcntlInt(uintptr(lease), unix.F_SETLEASE, unix.F_WRLCK); err != nil {
		t.Skipf("no leases here: %v", err)
	}
	return path, letGo
}

func TestHangingExecHangsNobodyElse(t *testing.T) {
	if !haveVfork {
		t.Skip("nobody waits for an exec here")
	}
	path, letGo := hangingProgram(t)
	hung := start(t, Spec{Path: path, Args: []string{"child:wait"}}, "")
	if hung.PID() <= 0 {
		t.Fatalf("pid %d", hung.PID())
	}
	// The collector stops all threads that run Go; nobody may wait for the hanging one.
	runtime.GC()
	if e := start(t, Spec{}, "exit", "3").wait(); e.Code != 3 {
		t.Errorf("another program: %+v", e)
	}
	if exe, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", hung.PID())); exe == path {
		t.Fatal("it did not hang")
	}
	// It holds nothing of ours meanwhile.
	if fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", hung.PID())); err != nil || len(fds) != 3 {
		t.Errorf("open in the hanging child: %v, %v", fds, err)
	}

	letGo()
	hung.Signal(syscall.SIGKILL, true)
	if e := hung.wait(); e.Signal != syscall.SIGKILL && e.Code != 127 {
		t.Errorf("got %+v", e)
	}
}

func TestNoFilesOrGoroutinesAreLeft(t *testing.T) {
	start(t, Spec{}, "exit", "0").wait() // the reaper stays
	count := func() (int, int) {
		fds, _ := os.ReadDir("/proc/self/fd")
		return len(fds), runtime.NumGoroutine()
	}
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(null)
	fds, goroutines := count()
	done := make(chan struct{}, 200)
	for range 200 {
		if _, err := Start(Spec{Path: "/proc/self/exe", Args: []string{"child:exit", "0"}, Env: []string{endsAtOnce}, Files: [3]int{null, null, null},
			Exited: func(process.ExitStatus, bool) { done <- struct{}{} }}); err != nil {
			t.Fatal(err)
		}
	}
	for range 200 {
		receive(t, "exit", done)
	}
	eventually(t, "files and goroutines are what they were", func() bool {
		f, g := count()
		return f <= fds && g <= goroutines
	})
	table.Lock()
	defer table.Unlock()
	if len(table.running)+len(table.starting)+len(table.groups) != 0 {
		t.Errorf("left in the table: %v %v %v", table.running, table.starting, table.groups)
	}
}

// eventually asks until the answer is yes.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(bound); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not in %v: %s", bound, what)
		}
	}
}

package child

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"holdfast/internal/config"
	"holdfast/internal/launch"
	"holdfast/internal/process"
)

func TestAProgramRunsAsConfigured(t *testing.T) {
	k := newRig(t)
	p := k.program("report", `"a b"`, "c")
	umask := 0o027
	p.Umask, p.Directory, p.DirectorySet = &umask, "/", true
	p.Environment = map[string]string{"A": "own", "SUPERVISOR_ENABLED": "maybe", "B": "%s"}
	if e := k.ended(k.spawn(p)); e != (process.Ended{}) {
		t.Errorf("got %#v", e)
	}
	want := `args ["a b" "c"]
cwd /
umask 027
PATH=/bin:/usr/bin
HOME=/root
` + endsAtOnce + `
A=own
B=%s
SUPERVISOR_ENABLED=maybe
SUPERVISOR_GROUP_NAME=site
SUPERVISOR_PROCESS_NAME=web
SUPERVISOR_SERVER_URL=unix:///run/x.sock
`
	if got := k.read("out.log"); got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
}

func TestEndedComesAfterTheLastByte(t *testing.T) {
	k := newRig(t)
	for i := range 10 {
		if e := k.ended(k.spawn(k.program("burst"))); e.Status.Code != 3 || e.GroupAlive {
			t.Errorf("got %#v", e)
		}
		if got, want := len(k.read("out.log")), (i+1)*(300<<10); got != want {
			t.Fatalf("run %d: %d bytes in the log when it had ended, want %d", i, got, want)
		}
	}
	if got, want := k.read("err.log"), strings.Repeat("to stderr\n", 10); got != want {
		t.Errorf("stderr log: %q", got)
	}
}

func TestRedirectedStderrKeepsTheOrder(t *testing.T) {
	k := newRig(t)
	p := k.program("mixed")
	p.RedirectStderr = true
	k.ended(k.spawn(p))
	var want strings.Builder
	for i := range 10 {
		fmt.Fprintf(&want, "out %d\nerr %d\n", i, i)
	}
	if got := k.read("out.log"); got != want.String() {
		t.Errorf("got %q", got)
	}
	if _, err := os.Stat(filepath.Join(k.dir, "err.log")); err == nil {
		t.Error("the stderr log was made")
	}
}

func TestOutputWithoutALogIsReadAllTheSame(t *testing.T) {
	k := newRig(t)
	p := k.program("burst")
	p.Stdout, p.Stderr = config.Log{}, config.Log{}
	if e := k.ended(k.spawn(p)); e.Status.Code != 3 {
		t.Errorf("got %#v", e)
	}
}

func TestSpawnFailures(t *testing.T) {
	k := newRig(t)
	file := filepath.Join(k.dir, "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	log := func(path string) func(*config.Process) {
		return func(p *config.Process) { p.Stdout.File = path }
	}
	for _, row := range []struct {
		name, command string
		change        func(*config.Process)
		want          string
	}{
		{"no such command", "no-such-command x", nil, "can't find command 'no-such-command'"},
		{"no such file", "/no/such x", nil, "can't find command '/no/such'"},
		{"quotes that stay open", `cat "x`, nil, `can't parse command 'cat "x': No closing quotation`},
		{"a backslash at the end", `cat \`, nil, `can't parse command 'cat \\': No escaped character`},
		{"no words", "  ", nil, "command is empty"},
		{"a directory", "/tmp", nil, "command at '/tmp' is a directory"},
		{"not executable", file, nil, "command at '" + file + "' is not executable"},
		{"log directory is missing", "cat", log("/no/such/dir/x.log"), "unknown error making dispatchers for 'web': ENOENT"},
		{"log is a directory", "cat", log(k.dir), "unknown error making dispatchers for 'web': EISDIR"},
		{"log below a file", "cat", log(file + "/x"), "unknown error making dispatchers for 'web': ENOTDIR"},
	} {
		t.Run(row.name, func(t *testing.T) {
			p := k.program("wait")
			p.Command = row.command
			if row.change != nil {
				row.change(p)
			}
			got, ok := k.fact(k.spawn(p), 0).(process.SpawnFailed)
			if !ok || got.Err != row.want {
				t.Errorf("got %#v, want %q", got, row.want)
			}
		})
	}
}

func TestTooManyOpenFiles(t *testing.T) {
	k := newRig(t)
	p := k.program("wait")
	more := noMoreFiles(t)
	got := k.fact(k.spawn(p), 0)
	more()
	if want := (process.SpawnFailed{Err: "too many open files to spawn 'web'"}); got != want {
		t.Errorf("got %#v", got)
	}
}

func TestForkErrors(t *testing.T) {
	for err, want := range map[error]string{
		syscall.EAGAIN: "Too many processes in process table to spawn 'web'",
		syscall.ENOMEM: "unknown error during fork for 'web': ENOMEM",
	} {
		if got := forkError("web", err); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestTheChildSaysWhatFailsAfterTheFork(t *testing.T) {
	k := newRig(t)
	p := k.program("wait")
	p.Directory, p.DirectorySet, p.RedirectStderr = "/no/such/dir", true, true
	if e := k.ended(k.spawn(p)); e.Status.Code != 127 {
		t.Errorf("got %#v", e)
	}
	want := "supervisor: couldn't chdir to /no/such/dir: ENOENT\nsupervisor: child process was not spawned\n"
	if got := k.read("out.log"); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestPipesAreOpenBothWaysForTheChild(t *testing.T) {
	k := newRig(t)
	pid := k.spawned(k.spawn(k.program("wait")))
	k.logged("out.log", "ready")
	for fd := range 3 {
		info, err := os.ReadFile(fmt.Sprintf("/proc/%d/fdinfo/%d", pid, fd))
		if err != nil {
			t.Fatal(err)
		}
		var flags int
		_, rest, _ := strings.Cut(string(info), "flags:")
		fmt.Sscanf(rest, "%o", &flags)
		if flags&unix.O_ACCMODE != unix.O_RDWR || flags&unix.O_NONBLOCK != 0 {
			t.Errorf("fd %d of the child has flags %#o", fd, flags)
		}
	}
}

func TestOutputGoesOnWhenTheLeaderIsGone(t *testing.T) {
	k := newRig(t)
	sign := filepath.Join(k.dir, "sign")
	spawn := k.spawn(k.program("leave", "late", sign))
	k.command("late")
	if e := k.ended(spawn); !e.GroupAlive {
		t.Errorf("got %#v", e)
	}
	if got := k.read("out.log"); got != "leader done\n" {
		t.Errorf("got %q", got)
	}
	if err := os.WriteFile(sign, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	k.logged("out.log", "late words\n")
	k.Done(spawn)
	k.eventually("the run is forgotten", func() bool { return k.run(spawn) == nil })
}

func TestTheGroupIsAwaited(t *testing.T) {
	if err := launch.Subreaper(); err != nil {
		t.Fatal(err)
	}
	k := newRig(t)
	k.command("ignore-term")
	p := k.program("leave", "ignore-term")
	p.StopAsGroup = true
	spawn := k.spawn(p)
	e := k.ended(spawn)
	if !e.GroupAlive {
		t.Fatalf("got %#v", e)
	}
	k.logged("out.log", "member ready")
	k.Signal(spawn, syscall.SIGTERM, true)
	k.Signal(spawn, syscall.SIGTERM, false) // to nobody
	k.Signal(spawn, syscall.SIGKILL, true)
	if got := k.fact(spawn, 2); got != (process.GroupGone{}) {
		t.Errorf("got %#v", got)
	}
	k.Done(spawn)
	k.eventually("the run is forgotten", func() bool { return k.run(spawn) == nil })
}

func TestSignals(t *testing.T) {
	k := newRig(t)
	spawn := k.spawn(k.program("wait"))
	k.spawned(spawn)
	k.Signal(spawn, 99, false)
	if got, ok := k.fact(spawn, 1).(process.SignalFailed); !ok || got.Signal != 99 || got.Err == "" {
		t.Errorf("got %#v", got)
	}
	k.Signal(77, syscall.SIGTERM, true) // there is no such spawn
	k.Signal(spawn, syscall.SIGKILL, false)
	if got := k.fact(spawn, 2); got != (process.Ended{Status: process.ExitStatus{Signal: syscall.SIGKILL, After: syscall.SIGKILL}}) {
		t.Errorf("got %#v", got)
	}
}

// A file under a write lease cannot be opened until the lease is given up, like one on a disk that
// hangs.
func TestCancelOfASpawnThatHangs(t *testing.T) {
	k := newRig(t)
	p := k.program("wait")
	lease, err := unix.Open(p.Stdout.File, unix.O_RDWR|unix.O_CREAT|unix.O_CLOEXEC, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(lease)
	if _, err := unix.FcntlInt(uintptr(lease), unix.F_SETLEASE, unix.F_WRLCK); err != nil {
		t.Skipf("no leases here: %v", err)
	}
	spawn := k.spawn(p)
	k.Cancel(spawn)
	if got, ok := k.fact(spawn, 0).(process.SpawnFailed); !ok || got.Err == "" {
		t.Errorf("got %#v", got)
	}
	k.Cancel(spawn) // a second one is nothing
	unix.FcntlInt(uintptr(lease), unix.F_SETLEASE, unix.F_UNLCK)
	unix.Close(lease)

	// The next one finds the log as it should be, and the first one does not come up after all.
	next := k.spawn(k.program("wait"))
	k.spawned(next)
	k.logged("out.log", "ready")
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.facts[spawn]) != 1 || strings.Count(k.read("out.log"), "ready") != 1 {
		t.Errorf("facts %#v, log %q", k.facts[spawn], k.read("out.log"))
	}
}

func TestCancelRacesWithSpawn(t *testing.T) {
	k := newRig(t)
	p := k.program("wait")
	p.Command = "/bin/sleep 1000"
	for i := range 100 {
		spawn := k.spawn(p)
		for range i % 10 * 20 {
			runtime.Gosched()
		}
		k.Cancel(spawn)
		switch f := k.fact(spawn, 0).(type) {
		case process.SpawnFailed:
		case process.Spawned:
			k.Signal(spawn, syscall.SIGKILL, true)
			k.ended(spawn)
		default:
			t.Fatalf("got %#v", f)
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for spawn, facts := range k.facts {
		if _, failed := facts[0].(process.SpawnFailed); failed && len(facts) != 1 {
			t.Errorf("spawn %d: %#v", spawn, facts)
		}
	}
}

func TestManyKilledAtOnceLeaveNothing(t *testing.T) {
	const n = 300
	k := newRig(t)
	p := k.program("wait")
	p.Command = "/bin/sleep 1000"
	p.KillAsGroup = true
	k.ended(k.spawn(k.program("report"))) // what is there once for all is there
	k.Done(k.last)
	k.eventually("the run is forgotten", func() bool { return k.run(k.last) == nil })
	count := func() (int, int) {
		fds, _ := os.ReadDir("/proc/self/fd")
		return len(fds), runtime.NumGoroutine()
	}
	fds, goroutines := count()
	first := k.last + 1
	for range n {
		k.spawn(p)
	}
	for i := range uint64(n) {
		k.spawned(first + i)
	}
	for i := range uint64(n) {
		k.Signal(first+i, syscall.SIGKILL, true)
	}
	for i := range uint64(n) {
		if e := k.ended(first + i); e.Status.Signal != syscall.SIGKILL || e.GroupAlive {
			t.Errorf("got %#v", e)
		}
		k.Done(first + i)
	}
	k.eventually("files and goroutines are what they were", func() bool {
		f, g := count()
		return f <= fds && g <= goroutines
	})
	k.mu.Lock()
	defer k.mu.Unlock()
	for i := range uint64(n) {
		if len(k.facts[first+i]) != 2 {
			t.Errorf("spawn %d: %#v", first+i, k.facts[first+i])
		}
	}
}

func TestClearAndReopenLogs(t *testing.T) {
	k := newRig(t)
	spawn := k.spawn(k.program("echo"))
	k.logged("out.log", "ready\n")
	if err := k.ClearLogs(spawn); err != nil {
		t.Fatal(err)
	}
	if got := k.read("out.log"); got != "" {
		t.Errorf("after the clear: %q", got)
	}
	if err := os.Rename(filepath.Join(k.dir, "out.log"), filepath.Join(k.dir, "old.log")); err != nil {
		t.Fatal(err)
	}
	k.ReopenLogs()
	if err := k.WriteStdin(spawn, []byte("x\n")); err != nil {
		t.Fatal(err)
	}
	k.logged("out.log", `2 "x\n"`)
	k.Signal(spawn, syscall.SIGKILL, false)
	k.ended(spawn)
	if err := k.ClearLogs(spawn); err != nil {
		t.Error(err)
	}
	if k.read("out.log") == "" {
		t.Error("the log of a process that has ended was cleared")
	}
}

package child

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"holdfast/internal/config"
	"holdfast/internal/launch"
	"holdfast/internal/process"
	"holdfast/internal/survive"
)

// A mainLog keeps the messages.
type mainLog struct {
	mu    sync.Mutex
	lines []string // guarded by mu
}

func (l *mainLog) Enabled(context.Context, slog.Level) bool { return true }
func (l *mainLog) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l *mainLog) WithGroup(string) slog.Handler            { return l }
func (l *mainLog) Handle(_ context.Context, r slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, r.Level.String()+" "+r.Message)
	return nil
}

func (l *mainLog) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.lines)
}

func newLoggingRig(t *testing.T) (*rig, *mainLog) {
	log := &mainLog{}
	return newRigWith(t, func(o *Options) { o.Log = slog.New(log) }), log
}

// beside runs the test binary as child-WHAT.
func (k *rig) beside(what string, args ...string) error {
	k.t.Helper()
	return k.Command(k.t.Context(), k.program("wait"), Command{Name: "hook", Timeout: bound,
		Line: strings.Join(append([]string{k.command(what)}, args...), " ")})
}

// pids waits for the "pids" line of child-family.
func (k *rig) pids(log *mainLog) (leader, member int) {
	k.t.Helper()
	k.eventually("the pids are in the log", func() bool {
		for _, line := range log.all() {
			if n, _ := fmt.Sscanf(line, "INFO web hook: pids %d %d", &leader, &member); n == 2 {
				return true
			}
		}
		return false
	})
	return leader, member
}

func lives(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !bytes.Contains(stat, []byte(") Z "))
}

func TestACommandRunsAsItsProcessDoes(t *testing.T) {
	k, log := newLoggingRig(t)
	p := k.program("wait")
	umask := 0o027
	p.Umask, p.Directory, p.DirectorySet = &umask, "/", true
	p.Environment = map[string]string{"A": "own"}
	err := k.Command(t.Context(), p, Command{Name: "hook", Line: k.command("report") + ` "a b" c`, MainPID: 42, Timeout: bound})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{`args ["a b" "c"]`, "cwd /", "umask 027", "PATH=/bin:/usr/bin", "HOME=/root", endsAtOnce, "A=own", "MAINPID=42",
		"SUPERVISOR_ENABLED=1", "SUPERVISOR_GROUP_NAME=site", "SUPERVISOR_PROCESS_NAME=web", "SUPERVISOR_SERVER_URL=unix:///run/x.sock"}
	for i := range want {
		want[i] = "INFO web hook: " + want[i]
	}
	if diff := cmp.Diff(want, log.all()); diff != "" {
		t.Error(diff)
	}
	if _, ok := p.Environment["MAINPID"]; ok {
		t.Error("the configuration was changed")
	}
	// Its own group; stdin is /dev/null.
	if err := k.Command(t.Context(), p, Command{Name: "hook", Line: "cat", Timeout: bound}); err != nil {
		t.Error(err)
	}
}

func TestHowACommandFails(t *testing.T) {
	k, log := newLoggingRig(t)
	dir := k.program("wait")
	dir.Directory, dir.DirectorySet = "/no/such", true
	for _, row := range []struct {
		name, line string
		p          *config.Process
		want       string
	}{
		{"a status and words", k.command("fail") + " 3 the disk is gone", nil, "exit status 3: the disk is gone"},
		{"a status and none", "false", nil, "exit status 1"},
		{"words that are long", k.command("fail") + " 4 " + strings.Repeat("x", 3000), nil, "exit status 4: " + strings.Repeat("x", failureBytes)},
		{"127 of its own", k.command("fail") + " 127 not there", nil, "exit status 127: not there"},
		{"a signal", k.command("die"), nil, "killed by SIGKILL"},
		{"no such command", "no-such-command x", nil, "can't find command 'no-such-command'"},
		{"quotes that stay open", `cat "x`, nil, `can't parse command 'cat "x': No closing quotation`},
		{"no directory", "cat", dir, "couldn't chdir to /no/such: ENOENT"},
	} {
		p := row.p
		if p == nil {
			p = k.program("wait")
		}
		before := len(log.all())
		err := k.Command(t.Context(), p, Command{Name: "check", Line: row.line, Timeout: bound, Quiet: true})
		if err == nil || err.Error() != row.want {
			t.Errorf("%s: got %v, want %q", row.name, err, row.want)
		}
		if said := log.all()[before:]; len(said) != 0 {
			t.Errorf("%s: logged %q", row.name, said)
		}
	}
}

func TestACommandIsKilledWithItsGroup(t *testing.T) {
	if err := launch.Subreaper(); err != nil {
		t.Fatal(err)
	}
	cancel := func(ctx context.Context, stop context.CancelFunc, k *rig) { stop() }
	for _, row := range []struct {
		name    string
		timeout time.Duration
		then    func(context.Context, context.CancelFunc, *rig)
		want    string
	}{
		{"at its timeout", 500 * time.Millisecond, nil, "timed out after 0.5 s"},
		{"at the end of its context", bound, cancel, context.Canceled.Error()},
		{"at the end of its context, without a timeout", 0, cancel, context.Canceled.Error()},
		{"when nothing is reported any more", bound, func(_ context.Context, _ context.CancelFunc, k *rig) { k.Leave() }, context.Canceled.Error()},
	} {
		t.Run(row.name, func(t *testing.T) {
			k, log := newLoggingRig(t)
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			got := make(chan error, 1)
			go func() {
				got <- k.Command(ctx, k.program("wait"), Command{Name: "hook", Line: k.command("family") + " wait", Timeout: row.timeout})
			}()
			leader, member := k.pids(log)
			if row.then != nil {
				row.then(ctx, stop, k)
			}
			if err := <-got; err == nil || err.Error() != row.want {
				t.Errorf("got %v, want %q", err, row.want)
			}
			if lives(leader) {
				t.Error("the command lives")
			}
			k.eventually("its child is gone", func() bool { return !lives(member) })
		})
	}
}

// The end of a command is that of its first process, whoever holds its output open.
func TestWhatACommandLeavesBehind(t *testing.T) {
	if err := launch.Subreaper(); err != nil {
		t.Fatal(err)
	}
	k, log := newLoggingRig(t)
	if err := k.beside("family", "0"); err != nil {
		t.Error(err)
	}
	_, member := k.pids(log)
	if !lives(member) {
		t.Error("it has succeeded, and what it has left is gone")
	}
	syscall.Kill(member, syscall.SIGKILL)

	k, log = newLoggingRig(t)
	if err := k.beside("family", "5"); err == nil || !strings.HasPrefix(err.Error(), "exit status 5") {
		t.Errorf("got %v", err)
	}
	_, member = k.pids(log)
	k.eventually("it has failed, and what it has left is gone", func() bool { return !lives(member) })
}

func TestWhatACommandSaysIsBounded(t *testing.T) {
	k, log := newLoggingRig(t)
	if err := k.beside("talk", "1000"); err != nil {
		t.Fatal(err)
	}
	lines := log.all()
	if len(lines) != saidLines+1 || lines[99] != "INFO web hook: line 99" ||
		lines[100] != "INFO web hook: (900 more lines, 7200 bytes, are left out)" {
		t.Errorf("%d lines, the last ones: %q", len(lines), lines[max(0, len(lines)-2):])
	}
	if err := k.Command(t.Context(), k.program("wait"), Command{Name: "hook", Line: k.command("flood"), Timeout: 100 * time.Millisecond}); err == nil {
		t.Error("a flood that ends")
	}
}

func TestSaid(t *testing.T) {
	long := strings.Repeat("x", 1024)
	for _, row := range []struct {
		name, in string
		want     []string
		last     string
	}{
		{"lines", "a\nb\n", []string{"a", "b"}, "b"},
		{"one without an end", "a\nb", []string{"a", "b"}, "b"},
		{"empty ones", "a\n\n\n", []string{"a"}, "a"},
		{"a long one", long + "yz\n", []string{long + "... (2 bytes more)"}, long + "... (2 bytes more)"},
		{"what does not print", "\x1b[1m中\t\x00\xff\r\u0085\"\\\n", []string{"\\x1b[1m中\t\\x00\\xff\\r\\u0085\"\\"}, "\\x1b[1m中\t\\x00\\xff\\r\\u0085\"\\"},
		{"much", strings.Repeat(long+"\n", 18) + "z", append(slices.Repeat([]string{long}, 16), "(3 more lines, 2049 bytes, are left out)"), "z"},
		{"no program", "supervisor: couldn't exec x: ENOENT\n" + lastWords + "\n", []string{"supervisor: couldn't exec x: ENOENT", lastWords}, "supervisor: couldn't exec x: ENOENT"},
	} {
		var got []string
		s := said{say: func(line string) { got = append(got, line) }}
		for i := 0; i < len(row.in); i += 7 {
			s.write([]byte(row.in[i:min(i+7, len(row.in))]))
		}
		s.end()
		if diff := cmp.Diff(row.want, got); diff != "" || s.last != row.last {
			t.Errorf("%s: last %q, %s", row.name, s.last, diff)
		}
	}
}

// Without files of our own nothing is known of the process.
func TestACommandThatWeCannotRun(t *testing.T) {
	k := newRig(t)
	p := k.program("wait")
	more := noMoreFiles(t)
	err := k.Command(t.Context(), p, Command{Name: "hook", Line: "true", Timeout: bound})
	more()
	var unable *Unable
	if !errors.As(err, &unable) || err.Error() != "cannot make a pipe: too many open files" {
		t.Errorf("got %v", err)
	}
}

func TestOneCommandOfANameAtATime(t *testing.T) {
	k := newRig(t)
	p, sign := k.program("wait"), filepath.Join(k.dir, "sign")
	line := k.command("await") + " " + sign
	first := make(chan error, 1)
	go func() { first <- k.Command(t.Context(), p, Command{Name: "check", Line: line, Timeout: bound}) }()
	k.eventually("the first one runs", func() bool { return k.read("sign.pids") != "" })
	err := k.Command(t.Context(), p, Command{Name: "check", Line: "true", Timeout: 10 * time.Millisecond})
	if err == nil || err.Error() != "timed out after 0.01 s: the one before has not ended" {
		t.Errorf("got %v", err)
	}
	if err := k.Command(t.Context(), p, Command{Name: "other", Line: "true", Timeout: bound}); err != nil {
		t.Errorf("of another name: %v", err)
	}
	second := make(chan error, 1)
	go func() { second <- k.Command(t.Context(), p, Command{Name: "check", Line: "false", Timeout: bound}) }()
	if err := os.WriteFile(sign, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := <-first; err != nil {
		t.Error(err)
	}
	if err := <-second; err == nil || err.Error() != "exit status 1" {
		t.Errorf("got %v", err)
	}
}

func TestCommandsLeaveNothingOpen(t *testing.T) {
	k, log := newLoggingRig(t)
	p := k.program("wait")
	run := func(line string, timeout time.Duration) error {
		return k.Command(t.Context(), p, Command{Name: "hook", Line: line, Timeout: timeout, Quiet: true})
	}
	if err := run("true", bound); err != nil { // what is there once for all is there
		t.Fatal(err)
	}
	count := func() (int, int) {
		fds, _ := os.ReadDir("/proc/self/fd")
		return len(fds), runtime.NumGoroutine()
	}
	fds, goroutines := count()
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			q := *p
			q.Name = fmt.Sprint("web", i)
			for range 25 {
				for line, want := range map[string]bool{"true": true, "false": false, "no-such": false, "/etc": false} {
					err := k.Command(t.Context(), &q, Command{Name: "hook", Line: line, Timeout: bound, Quiet: true})
					if (err == nil) != want {
						t.Errorf("%s: %v", line, err)
					}
				}
				k.Command(t.Context(), &q, Command{Name: "hook", Line: "sleep 1000", Timeout: time.Millisecond, Quiet: true})
			}
		})
	}
	all.Wait()
	if len(log.all()) != 0 {
		t.Errorf("logged %q", log.all())
	}
	k.eventually("files and goroutines are what they were", func() bool {
		f, g := count()
		return f <= fds && g <= goroutines+50 // of a thousand; the threads that fork stay
	})
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.besides) != 0 {
		t.Errorf("left: %v", k.besides)
	}
}

// hooked is a program with a pre_start_command.
func (k *rig) hooked(what string, args ...string) *config.Process {
	p := k.program("wait")
	p.Hooks = config.Hooks{PreStart: strings.Join(append([]string{k.command(what)}, args...), " "), TimeoutSecs: 60}
	return p
}

func TestPreStartCommand(t *testing.T) {
	k, log := newLoggingRig(t)
	k.spawned(k.spawn(k.hooked("talk", "1")))
	if got, want := log.all(), []string{"INFO web pre_start_command: line 0"}; !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	failed := k.spawn(k.hooked("fail", "3", "no disk"))
	if got, want := k.fact(failed, 0), (process.SpawnFailed{Err: "pre_start_command: exit status 3: no disk"}); got != want {
		t.Errorf("got %#v", got)
	}
	k.eventually("the run is forgotten", func() bool { return k.run(failed) == nil })
}

// However long it takes, other programs are started and told of meanwhile.
func TestAPreStartCommandDelaysNobodyElse(t *testing.T) {
	k := newRig(t)
	sign := filepath.Join(k.dir, "sign")
	slow := k.spawn(k.hooked("await", sign))
	k.eventually("it runs", func() bool { return k.read("sign.pids") != "" })
	begin := time.Now()
	for range 20 {
		k.spawned(k.spawn(k.program("wait")))
	}
	if took := time.Since(begin); took > 20*patience {
		t.Errorf("20 others took %v", took)
	}
	if err := os.WriteFile(sign, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	k.spawned(slow)
	k.spawned(k.spawn(k.program("wait")))
}

func TestCancelKillsThePreStartCommand(t *testing.T) {
	k := newRig(t)
	sign := filepath.Join(k.dir, "sign")
	p := k.hooked("await", sign)
	spawn := k.spawn(p)
	var pid int
	k.eventually("it runs", func() bool { n, _ := fmt.Sscan(k.read("sign.pids"), &pid); return n == 1 })
	k.Cancel(spawn)
	if got, want := k.fact(spawn, 0), (process.SpawnFailed{Err: "start of 'web' was cancelled"}); got != want {
		t.Errorf("got %#v", got)
	}
	k.eventually("it is gone", func() bool { return !lives(pid) })
	// The next one runs it anew.
	if err := os.WriteFile(sign, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	k.spawned(k.spawn(p))
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.facts[spawn]) != 1 || strings.Count(k.read("sign.pids"), "\n") != 2 {
		t.Errorf("facts %#v, pids %q", k.facts[spawn], k.read("sign.pids"))
	}
}

func TestCancelRacesWithThePreStartCommand(t *testing.T) {
	k := newRig(t)
	p := k.program("wait")
	p.Command, p.Hooks = "/bin/sleep 1000", config.Hooks{PreStart: "true", TimeoutSecs: 60}
	for i := range 60 {
		spawn := k.spawn(p)
		time.Sleep(time.Duration(i%20) * 200 * time.Microsecond) // somewhere within, and after
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
}

// A daemon that is killed takes its commands along, and has noted no fork; the next one begins anew.
func TestAPreStartCommandDiesWithTheDaemon(t *testing.T) {
	if err := launch.Subreaper(); err != nil {
		t.Fatal(err)
	}
	k := newRigWith(t, func(o *Options) {
		o.Inherited = func(*config.Process, uint64) Inheritance {
			return Inheritance{Conclusion: survive.Conclusion{Fate: survive.NotForked}, Files: noFiles, PidFD: -1, Stage: -1}
		}
	})
	sign := filepath.Join(k.dir, "sign")
	daemon := k.spawn(k.program("daemon", k.command("await"), sign))
	var first, second int
	k.eventually("it runs", func() bool { n, _ := fmt.Sscan(k.read("sign.pids"), &first); return n == 1 })
	k.Signal(daemon, syscall.SIGKILL, false)
	k.ended(daemon)
	k.eventually("it is gone", func() bool { return !lives(first) })

	k.last++
	k.Adopt(k.hooked("await", sign), k.last)
	k.eventually("it runs again", func() bool { n, _ := fmt.Sscan(k.read("sign.pids"), &first, &second); return n == 2 })
	if err := os.WriteFile(sign, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	k.spawned(k.last)
}

func TestCloseEndsAPreStartCommand(t *testing.T) {
	k := newRig(t)
	m := New(Options{Log: slog.New(slog.DiscardHandler), Report: func(uint64, process.Event) { t.Error("reported") }})
	p := k.hooked("await", filepath.Join(k.dir, "sign"))
	m.Spawn(p, 1)
	var pid int
	k.eventually("it runs", func() bool { n, _ := fmt.Sscan(k.read("sign.pids"), &pid); return n == 1 })
	m.Close()
	if lives(pid) {
		t.Error("it lives")
	}
	if err := m.Command(t.Context(), p, Command{Line: "true"}); !errors.Is(err, context.Canceled) {
		t.Errorf("after Close: %v", err)
	}
}

// BenchmarkCommand is an exec check of a program that does nothing.
func BenchmarkCommand(b *testing.B) {
	m := New(Options{Log: slog.New(slog.DiscardHandler), Environ: os.Environ()})
	p := &config.Process{Name: "web", Group: "site"}
	b.ReportAllocs()
	for b.Loop() {
		if err := m.Command(b.Context(), p, Command{Name: "check", Line: "true", Timeout: bound, Quiet: true}); err != nil {
			b.Fatal(err)
		}
	}
}

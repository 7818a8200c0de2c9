package original

import (
	"bytes"
	"fmt"
	"math"
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

const long = time.Minute

// environment is what the daemons of this test get.
var environment = append(os.Environ(), "LC_ALL=C.UTF-8", "X=y")

// The config's program tells what the daemon has from the one that started it, and of its descriptors.
const config = `[supervisord]
logfile=supervisord.log
pidfile=supervisord.pid
[program:x]
command=sh -c 'cd /proc/$PPID; { grep -E "^(Umask|Sig|Groups|Uid|Gid|NoNew|Cpus_allowed):" status; cut -d" " -f5-7 stat; readlink cwd exe; cat limits; tr "\0" "\n" <environ; for f in fd/*; do echo $f $(readlink $f | tr -d 0-9); done; } >%(here)s/.told; mv %(here)s/.told %(here)s/told; exec sleep 1000'
startsecs=0
stdout_logfile=NONE
stderr_logfile=NONE
`

// waiter waits for the end of a daemon.
type waiter func() (syscall.WaitStatus, error)

// told runs a daemon with start until it has told what it has, and then ends it with SIGTERM.
func told(t *testing.T, dir string, start func(stdout, stderr *os.File) (*os.Process, waiter)) string {
	t.Helper()
	stdout, err := os.Create(dir + "/stdout")
	if err != nil {
		t.Fatal(err)
	}
	stderr, theirs, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	process, wait := start(stdout, theirs)
	stdout.Close()
	theirs.Close()
	text := await(t, dir)
	if err := process.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	var errors bytes.Buffer
	_, _ = errors.ReadFrom(stderr) // to the daemon's end
	stderr.Close()
	status, err := wait()
	if err != nil {
		t.Error(err)
	}
	return fmt.Sprintf("%s%s%v\n", text, errors.String(), status)
}

// await returns what the config's program tells, once.
func await(t *testing.T, dir string) []byte {
	t.Helper()
	for end := time.Now().Add(long); ; time.Sleep(10 * time.Millisecond) {
		text, err := os.ReadFile(dir + "/told")
		if err == nil {
			os.Remove(dir + "/told")
			return text
		}
		if time.Now().After(end) {
			t.Error(err)
			return nil
		}
	}
}

// TestAsExecuted holds a run to the program that is executed.
func TestAsExecuted(t *testing.T) {
	t.Parallel()
	dir := need(t)
	// What this test has inherited itself would go to the one that is executed.
	if err := unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	argv := []string{Daemon, "-n", "-c", dir + "/supervisord.conf"}
	want := told(t, dir, func(stdout, stderr *os.File) (*os.Process, waiter) {
		cmd := exec.Command(argv[0], argv[1:]...)
		cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.Env = dir, stdout, stderr, environment
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd.Process, func() (syscall.WaitStatus, error) {
			err := cmd.Wait()
			return cmd.ProcessState.Sys().(syscall.WaitStatus), err
		}
	})
	p := Programs{Env: environment}
	defer p.End()
	for range 2 { // the second has more behind it
		got := told(t, dir, func(stdout, stderr *os.File) (*os.Process, waiter) {
			r, err := p.Start(dir, nil, stdout, stderr, argv...)
			if err != nil {
				t.Fatal(err)
			}
			return r.Process, r.Wait
		})
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
}

func TestOutput(t *testing.T) {
	t.Parallel()
	dir := need(t)
	p := Programs{Env: environment}
	defer p.End()
	for _, argv := range [][]string{
		{Daemon, "-h"},
		{Daemon, "-v"},
		{Daemon, "--no-such-option", "\xff é"},
		{Ctl, "-c", "supervisord.conf", "-s", "unix:///nowhere", "status"},
		{Ctl, "-c", "supervisord.conf", "-s", "unix:///nowhere"},
	} {
		const stdin = "help start\npid\n"
		cmd := exec.Command(argv[0], argv[1:]...)
		cmd.Dir, cmd.Stdin, cmd.Env = dir, strings.NewReader(stdin), environment
		var out, errOut bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errOut
		_ = cmd.Run() // its exit code is compared
		want := fmt.Sprintf("%s--- stderr\n%s--- %v\n", out.String(), errOut.String(), cmd.ProcessState.Sys())
		stdout, stderr, status, err := p.Output(dir, stdin, long, argv...)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, fmt.Sprintf("%s--- stderr\n%s--- %v\n", stdout, stderr, status)); diff != "" {
			t.Errorf("%q:\n%s", argv, diff)
		}
	}
}

func TestOutputOfOneThatStays(t *testing.T) {
	t.Parallel()
	dir := need(t)
	p := Programs{Env: environment}
	defer p.End()
	_, _, status, err := p.Output(dir, "", 100*time.Millisecond, Daemon, "-n", "-c", dir+"/supervisord.conf")
	if err != nil || !status.Signaled() || status.Signal() != syscall.SIGKILL {
		t.Errorf("got %v, %v; want killed", status, err)
	}
}

// TestEnd sees that nothing stays when the test ends, which its death is for forks as well.
func TestEnd(t *testing.T) {
	t.Parallel()
	dir := need(t)
	p := Programs{Env: environment}
	stderr, theirs, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stderr.Close()
	_, err = p.Start(dir, nil, nil, theirs, Daemon, "-n", "-c", dir+"/supervisord.conf")
	theirs.Close()
	if err != nil {
		t.Fatal(err)
	}
	await(t, dir)
	p.End()
	if err := stderr.SetReadDeadline(time.Now().Add(long)); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := b.ReadFrom(stderr); err != nil {
		t.Errorf("the daemon has not ended: %v", err)
	}
}

// need skips without the original, and returns a directory with the config.
func need(t *testing.T) string {
	t.Helper()
	for _, path := range []string{Daemon, Ctl} {
		if _, err := os.Stat(path); err != nil {
			t.Skipf("the original is not installed (apt-get install supervisor): %v", err)
		}
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "supervisord.conf"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

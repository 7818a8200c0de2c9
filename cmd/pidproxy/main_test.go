package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The test binary is, by the first word of its arguments, the program under test or one of its
// children.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "as-pidproxy":
			os.Exit(run(append([]string{"pidproxy"}, os.Args[2:]...), os.Stdout, os.Stderr))
		case "as-exit":
			n, _ := strconv.Atoi(os.Args[2])
			os.Exit(n)
		case "as-killed":
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		case "as-target":
			target()
		}
	}
	os.Setenv("GORACE", os.Getenv("GORACE")+" atexit_sleep_ms=0") // for the children: with -race each would sleep for a second at its end
	os.Exit(m.Run())
}

// target says "ready" and then the name of each signal that it gets; of TERM it says so, waits for
// a line on its stdin, and exits 3.
func target() {
	c := make(chan os.Signal, 8)
	signal.Notify(c, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGINT, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGQUIT)
	fmt.Println("ready", os.Getpid())
	for s := range c {
		fmt.Println(s)
		if s == syscall.SIGTERM {
			bufio.NewReader(os.Stdin).ReadString('\n')
			os.Exit(3)
		}
	}
}

type running struct {
	*exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
}

func start(t *testing.T, args ...string) *running {
	t.Helper()
	r := &running{Cmd: exec.Command(os.Args[0], append([]string{"as-pidproxy"}, args...)...)}
	in, err := r.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := r.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	r.in, r.out = in, bufio.NewScanner(out)
	if err := r.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(time.Minute, func() { r.Process.Kill() }) // only a broken run meets it
	t.Cleanup(func() {
		timer.Stop()
		in.Close()
		r.Process.Kill()
		r.Wait()
	})
	return r
}

func (r *running) line(t *testing.T) string {
	t.Helper()
	if !r.out.Scan() {
		t.Fatalf("no line: %v", r.out.Err())
	}
	return r.out.Text()
}

func (r *running) expect(t *testing.T, want string) {
	t.Helper()
	if got := r.line(t); got != want {
		t.Fatalf("got line %q, want %q", got, want)
	}
}

// ready waits for the target and returns its pid.
func (r *running) ready(t *testing.T) int {
	t.Helper()
	word, pid, _ := strings.Cut(r.line(t), " ")
	n, err := strconv.Atoi(pid)
	if word != "ready" || err != nil {
		t.Fatalf("got %q %q, want ready and a pid", word, pid)
	}
	return n
}

func code(t *testing.T, r *running) int {
	t.Helper()
	r.Wait()
	return r.ProcessState.ExitCode()
}

func TestExitStatus(t *testing.T) {
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, []byte("no program"), 0o644); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		args []string
		want int
		err  string
	}{
		{"the command's exit status is passed on", []string{"pid", os.Args[0], "as-exit", "7"}, 7, ""},
		{"success is passed on", []string{"pid", os.Args[0], "as-exit", "0"}, 0, ""},
		{"death by a signal is 128 and its number", []string{"pid", os.Args[0], "as-killed"}, 137, ""},
		{"a missing command is said", []string{"pid", filepath.Join(dir, "missing")}, 127, "no such file"},
		{"a file that can't be run is said", []string{"pid", plain}, 127, "permission denied"},
		{"there is no search of PATH", []string{"pid", "ls"}, 127, "no such file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cmd := exec.Command(os.Args[0], append([]string{"as-pidproxy"}, tt.args...)...)
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			began := time.Now()
			cmd.Run()
			if got := cmd.ProcessState.ExitCode(); got != tt.want {
				t.Errorf("exit status %d, want %d", got, tt.want)
			}
			if !strings.Contains(stderr.String(), tt.err) {
				t.Errorf("stderr %q, want %q in it", stderr.String(), tt.err)
			}
			if took := time.Since(began); took > 4*time.Second {
				t.Errorf("it took %v: the exit must be noticed at once", took)
			}
		})
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{nil, {"pidproxy"}, {"pidproxy", "file"}} {
		var out, errs bytes.Buffer
		if got := run(args, &out, &errs); got != 1 {
			t.Errorf("run(%q) = %d, want 1", args, got)
		}
		if !strings.Contains(out.String(), "Usage: pidproxy <pidfile name> <command>") || errs.Len() > 0 {
			t.Errorf("run(%q) printed %q and %q", args, out.String(), errs.String())
		}
	}
}

func TestSignalsArePassedOn(t *testing.T) {
	pidfile := filepath.Join(t.TempDir(), "pid")
	r := start(t, pidfile, os.Args[0], "as-target")
	pid := r.ready(t)

	r.Process.Signal(syscall.SIGHUP)
	r.expect(t, fmt.Sprintf("Can't read child pidfile %s!", pidfile))
	for _, bad := range []string{"", "x", "0", "-1"} {
		write(t, pidfile, bad)
		r.Process.Signal(syscall.SIGTERM)
		r.expect(t, fmt.Sprintf("Can't read child pidfile %s!", pidfile))
	}

	write(t, pidfile, fmt.Sprintf(" %d\n", pid))
	for _, s := range []syscall.Signal{syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGINT, syscall.SIGQUIT} {
		r.Process.Signal(s)
		r.expect(t, s.String())
	}

	// A stop is over when the process is, not when the signal is sent: the target holds on until
	// it gets its line, and only then may pidproxy end.
	r.Process.Signal(syscall.SIGTERM)
	r.expect(t, syscall.SIGTERM.String())
	if err := syscall.Kill(r.Process.Pid, 0); err != nil {
		t.Fatalf("pidproxy is gone before its target: %v", err)
	}
	fmt.Fprintln(r.in)
	if got := code(t, r); got != 0 {
		t.Errorf("exit status %d after a stop, want 0", got)
	}
	if err := syscall.Kill(pid, 0); err != syscall.ESRCH {
		t.Errorf("kill(target, 0) = %v, want ESRCH", err)
	}
}

// The usual case: what is signalled is not the command but a process that the command has started.
func TestPidfileOfAnother(t *testing.T) {
	dir := t.TempDir()
	pidfile := filepath.Join(dir, "pid")

	other := exec.Command(os.Args[0], "as-target")
	in, _ := other.StdinPipe()
	out, _ := other.StdoutPipe()
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); other.Process.Kill(); other.Wait() })
	lines := bufio.NewScanner(out)
	lines.Scan()
	write(t, pidfile, strconv.Itoa(other.Process.Pid))

	r := start(t, pidfile, os.Args[0], "as-target")
	child := r.ready(t)
	r.Process.Signal(syscall.SIGTERM)
	if !lines.Scan() || lines.Text() != syscall.SIGTERM.String() {
		t.Fatalf("the other process got %q, want TERM", lines.Text())
	}
	fmt.Fprintln(in)
	other.Wait()

	// Now the command must go too; it was told nothing.
	if err := syscall.Kill(r.Process.Pid, 0); err != nil {
		t.Fatalf("pidproxy is gone before its command: %v", err)
	}
	syscall.Kill(child, syscall.SIGKILL)
	if got := code(t, r); got != 0 {
		t.Errorf("exit status %d after a stop, want 0", got)
	}
}

func TestDeadPid(t *testing.T) {
	dead := exec.Command(os.Args[0], "as-exit", "0")
	if err := dead.Run(); err != nil {
		t.Fatal(err)
	}
	pidfile := filepath.Join(t.TempDir(), "pid")
	write(t, pidfile, strconv.Itoa(dead.Process.Pid))
	r := start(t, pidfile, os.Args[0], "as-target")
	pid := r.ready(t)
	r.Process.Signal(syscall.SIGTERM)
	r.expect(t, fmt.Sprintf("pidproxy: cannot send SIGTERM to pid %d: no such process", dead.Process.Pid))
	syscall.Kill(pid, syscall.SIGKILL)
	if got := code(t, r); got != 137 {
		t.Errorf("exit status %d, want the command's 137", got)
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

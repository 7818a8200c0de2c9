package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A mortal is a supervisord that is killed by SIGKILL, and followed by the next one.
type mortal struct {
	*testing.T
	dir, conf string
}

// newMortal starts one on a configuration that has %[1]s for its directory and %[2]s for that of the binaries.
func newMortal(t *testing.T, text string) *mortal {
	t.Helper()
	dir, err := os.MkdirTemp("", "hf-")
	if err != nil {
		t.Fatal(err)
	}
	os.Chmod(dir, 0o755) // so that notification sockets can be in it
	m := &mortal{t, dir, filepath.Join(dir, "supervisord.conf")}
	t.Cleanup(func() {
		if t.Failed() {
			log, _ := os.ReadFile(filepath.Join(dir, "supervisord.log"))
			t.Logf("guard %d, daemon %d, and at the end of the log:\n%s", m.guard(), m.daemon(), log[max(0, len(log)-10000):])
		}
		killAll(dir)
		os.RemoveAll(dir)
	})
	if err := os.WriteFile(m.conf, fmt.Appendf(nil, text, dir, bin), 0o644); err != nil {
		t.Fatal(err)
	}
	m.start()
	return m
}

// start starts one, unless another one that was about to take over has done so.
func (m *mortal) start() {
	m.Helper()
	out, err := exec.Command(filepath.Join(bin, "supervisord"), "-c", m.conf).CombinedOutput()
	if err != nil && !strings.Contains(string(out), "another supervisord is running") {
		m.Fatalf("%v: %s", err, out)
	}
}

func (m *mortal) guard() int {
	data, _ := os.ReadFile(filepath.Join(m.dir, "supervisord.pid"))
	pid, _ := strconv.Atoi(strings.TrimSpace(string(data)))
	return pid
}

// daemon is the pid of the process that does the work; 0: there is none.
func (m *mortal) daemon() int {
	g := m.guard()
	for _, p := range processes() {
		if g > 1 && p.ppid == g && p.comm == "supervisord" && p.state != "Z" {
			return p.pid
		}
	}
	return 0
}

// kill kills the daemon; both: its guard too, and has the next ones started. It returns when there is another daemon.
func (m *mortal) kill(both bool) {
	m.Helper()
	pid := await(m.T, "a daemon", m.daemon)
	if !both {
		syscall.Kill(pid, syscall.SIGKILL)
		await(m.T, "its end", func() int { return pid - m.daemon() })
	} else {
		g := m.guard()
		syscall.Kill(g, syscall.SIGSTOP)
		syscall.Kill(pid, syscall.SIGKILL)
		syscall.Kill(g, syscall.SIGKILL)
		m.awaitEnd(g)
		m.start()
	}
	await(m.T, "a daemon", m.daemon)
}

func (m *mortal) awaitEnd(pid int) {
	m.Helper()
	await(m.T, fmt.Sprintf("the end of %d", pid), func() int {
		if syscall.Kill(pid, 0) != nil {
			return 1
		}
		return 0
	})
}

func (m *mortal) ctl(args ...string) string { return m.ctlUntil(context.Background(), args...) }

// ctlUntil gives up when ctx ends.
func (m *mortal) ctlUntil(ctx context.Context, args ...string) string {
	out, _ := exec.CommandContext(ctx, filepath.Join(bin, "supervisorctl"), append([]string{"-c", m.conf}, args...)...).CombinedOutput()
	return string(out)
}

func (m *mortal) shutdown() {
	m.Helper()
	g := m.guard()
	m.ctl("shutdown")
	m.awaitEnd(g)
}

// await is what is awaited, which is not 0.
func await(t *testing.T, what string, is func() int) int {
	t.Helper()
	for end := time.Now().Add(2 * patience); ; time.Sleep(10 * time.Millisecond) {
		if v := is(); v != 0 {
			return v
		}
		if time.Now().After(end) {
			t.Fatalf("waited for %s", what)
		}
	}
}

package ctl

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/client"
	"holdfast/e2e/original"
)

const originalDaemon, originalCtl = original.Daemon, original.Ctl

// originals runs originalCtl.
var originals original.Programs

// long is how long anything may take before the test calls it broken.
const long = time.Minute

// Paths of binaries.
var ourCtl, daemonUnderTest, ourPidproxy, ourSample string

func TestMain(m *testing.M) {
	os.Setenv("LC_ALL", "C.UTF-8")
	os.Setenv("TZ", "UTC")
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "hf")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		defer originals.End()
		build := exec.Command("go", "build", "-o", dir+"/", "holdfast/cmd/...")
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "cannot build the binaries: %v\n%s", err, out)
			return 1
		}
		ourCtl, daemonUnderTest = filepath.Join(dir, "supervisorctl"), filepath.Join(dir, "supervisord")
		ourPidproxy, ourSample = filepath.Join(dir, "pidproxy"), filepath.Join(dir, "echo_supervisord_conf")
		if d := os.Getenv("HOLDFAST_SUPERVISORD"); d != "" {
			daemonUnderTest = d
		}
		return m.Run()
	}())
}

func needOriginal(t *testing.T) {
	t.Helper()
	for _, p := range []string{originalDaemon, originalCtl} {
		if _, err := os.Stat(p); err != nil {
			t.Skipf("the original is not installed (apt-get install supervisor): %v", err)
		}
	}
}

// tempDir is short, since the path of a unix socket must be.
func tempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "hf")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

const daemonConfig = `
[unix_http_server]
file=%(here)s/s

[supervisord]
logfile=%(here)s/supervisord.log
pidfile=%(here)s/supervisord.pid
childlogdir=%(here)s

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl=unix://%(here)s/s

[include]
files=conf.d/*.ini
`

// A daemon is a running supervisord.
type daemon struct {
	dir    string
	client *client.Client
}

// startDaemon runs the supervisord at path on daemonConfig and programs, and ends it when the test
// does.
func startDaemon(t *testing.T, path, programs string) *daemon {
	t.Helper()
	d := &daemon{dir: tempDir(t)}
	d.write(t, "supervisord.conf", daemonConfig)
	d.write(t, "conf.d/programs.ini", programs)
	c, err := client.New("unix://"+d.dir+"/s", "", "")
	if err != nil {
		t.Fatal(err)
	}
	d.client = c
	cmd := exec.Command(path, "-n", "-c", d.dir+"/supervisord.conf")
	cmd.Dir = d.dir
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		c.Close()
		_ = cmd.Process.Signal(syscall.SIGTERM) // fails if a command has shut it down
		select {
		case <-ended:
		case <-time.After(long):
			t.Errorf("%s does not end", path)
			_ = cmd.Process.Kill()
			<-ended
		}
	})
	await(t, "an answer of "+path, func() bool {
		_, err := c.PID(t.Context())
		return err == nil
	})
	if path == originalDaemon {
		d.pace(t)
	}
	return d
}

// pace asks the daemon something all the time until the test ends: the original looks at what it has to do when
// something happens, or once a second.
func (d *daemon) pace(t *testing.T) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for t.Context().Err() == nil {
			_, _ = d.client.PID(t.Context()) // fails once it has been shut down
			time.Sleep(50 * time.Millisecond)
		}
	}()
	t.Cleanup(func() { <-done })
}

func (d *daemon) write(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join(d.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// settle waits until the processes are in the states wanted: "web:a RUNNING, idle STOPPED".
func (d *daemon) settle(t *testing.T, wanted string) {
	t.Helper()
	await(t, wanted, func() bool {
		all, err := d.client.AllProcessInfo(context.Background())
		if err != nil {
			return false
		}
		states := map[string]string{}
		for _, p := range all {
			states[p.Group+":"+p.Name] = p.StateName
		}
		for w := range strings.SplitSeq(wanted, ", ") {
			name, state, _ := strings.Cut(w, " ")
			if !strings.Contains(name, ":") {
				name += ":" + name
			}
			if states[name] != state {
				return false
			}
		}
		return true
	})
}

// await waits for a sign that can only be looked for.
func await(t *testing.T, what string, sign func() bool) {
	t.Helper()
	for end := time.Now().Add(long); !sign(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

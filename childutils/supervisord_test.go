package childutils

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The programs of the test below are the test binary under other names.
func TestMain(m *testing.M) {
	switch filepath.Base(os.Args[0]) {
	case "ears":
		fmt.Fprintln(os.Stderr, Run(listen))
		os.Exit(1)
	case "mouth":
		if err := Communicate(os.Stdout, "für\nalle 漢😀"); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		time.Sleep(time.Hour) // until it is stopped
	}
	os.Setenv("GORACE", os.Getenv("GORACE")+" atexit_sleep_ms=0") // for the children: with -race each would sleep for a second at its end
	os.Exit(m.Run())
}

var rejected bool

// listen notes events in the listener's log. It rejects the first one, and ends supervisord out of the last one.
func listen(e *Event) error {
	if !rejected {
		rejected = true
		return errors.New("not now")
	}
	fields, data := e.Fields()
	fmt.Fprintf(os.Stderr, "%d %s %s %s %q\n", e.PoolSerial, e.Server, e.Name, fields["processname"], data)
	c, err := NewClient()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return nil
	}
	defer c.Close()
	ctx := context.Background()
	if e.Name == "PROCESS_COMMUNICATION_STDOUT" {
		err = c.SendRemoteCommEvent(ctx, "last", "größe")
	} else {
		err = c.Shutdown(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	return nil
}

const supervisordConf = `
[unix_http_server]
file=%(here)s/s
[supervisord]
logfile=%(here)s/log
pidfile=%(here)s/pid
childlogdir=%(here)s
nodaemon=true
silent=true
identifier=my host
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[eventlistener:ears]
command=%(here)s/ears
events=PROCESS_COMMUNICATION,REMOTE_COMMUNICATION
startsecs=0
stderr_logfile=%(here)s/heard
[program:mouth]
command=%(here)s/mouth
stdout_capture_maxbytes=1KB
`

// original is where Debian puts the original supervisord.
const original = "/usr/bin/supervisord"

// A listener written with this package, and a program that sends an event with it, under the real supervisord.
func TestUnderSupervisord(t *testing.T) {
	ours := filepath.Join(t.TempDir(), "supervisord")
	build := exec.Command("go", "build", "-o", ours, "holdfast/cmd/supervisord")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("cannot build supervisord: %v\n%s", err, out)
	}
	t.Run("Holdfast", func(t *testing.T) {
		t.Parallel()
		underSupervisord(t, ours, "my_host")
	})
	t.Run("the original", func(t *testing.T) {
		t.Parallel()
		if _, err := os.Stat(original); err != nil {
			t.Skipf("it is not here: %v", err)
		}
		underSupervisord(t, original, "my host")
	})
}

func underSupervisord(t *testing.T, supervisord, server string) {
	dir, err := os.MkdirTemp("", "hf-") // t.TempDir is too long for a socket's path
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := func(name string) string { return filepath.Join(dir, name) }
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ears", "mouth"} {
		if err := os.Symlink(self, path(name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(path("conf"), []byte(supervisordConf), 0o644); err != nil {
		t.Fatal(err)
	}

	// The listener ends it. If it does not, it has a minute, and then so much more to stop its programs.
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, supervisord, "-c", path("conf"))
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 30 * time.Second
	out, err := cmd.CombinedOutput()
	heard, _ := os.ReadFile(path("heard"))
	log, _ := os.ReadFile(path("log"))
	if err != nil || ctx.Err() != nil {
		t.Errorf("supervisord: %v, %v\n%s", err, ctx.Err(), out)
	}
	want := "0 " + server + " PROCESS_COMMUNICATION_STDOUT mouth \"für\\nalle 漢😀\"\n" +
		"1 " + server + " REMOTE_COMMUNICATION  \"größe\"\n"
	if string(heard) != want || strings.Count(string(log), "WARN ears: event was rejected") != 1 {
		t.Errorf("the listener heard\n%swant\n%sand the log is\n%s", heard, want, log)
	}
}

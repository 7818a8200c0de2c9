package daemon

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"holdfast/internal/config"
	"holdfast/internal/httpd"
)

func TestListenErrorsAreTheOriginalsWithTheirPlace(t *testing.T) {
	s := config.Server{Section: "unix_http_server", Network: "unix", Address: "/run/s.sock"}
	for _, tc := range []struct {
		rule string
		err  error
		want []string
	}{
		{"somebody listens there", fmt.Errorf("cannot listen: %w", syscall.EADDRINUSE),
			[]string{"[unix_http_server] /run/s.sock: ", "Another program is already listening on a port that one of our HTTP servers is configured to use.  Shut this program down first before starting supervisord."}},
		{"another errno is named", fmt.Errorf("cannot listen: %w", syscall.EACCES),
			[]string{"Cannot open an HTTP server: socket.error reported errno.EACCES (13)"}},
		{"the socket can't be given away", &httpd.ChownError{Path: "/run/s.sock", UID: 1, GID: 2, Err: syscall.EPERM},
			[]string{"Not permitted to chown /run/s.sock to uid/gid (1, 2); adjust \"sockchown\" value in config file"}},
		{"anything else is told as it is", errors.New("no such host"),
			[]string{"Cannot open an HTTP server: no such host"}},
	} {
		got := listenError(s, tc.err).Error()
		for _, want := range tc.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s: got %q, want %q in it", tc.rule, got, want)
			}
		}
	}
}

// main runs Main and returns its status, stdout and stderr.
func runMain(t *testing.T, args ...string) (int, string, string) {
	t.Helper()
	var files [2]*os.File
	for i := range files {
		f, err := os.Create(filepath.Join(t.TempDir(), "out"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		files[i] = f
	}
	status := Main(append([]string{"/opt/bin/supervisord"}, args...), files[0], files[1])
	var texts [2]string
	for i, f := range files {
		data, err := os.ReadFile(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		texts[i] = string(data)
	}
	return status, texts[0], texts[1]
}

func TestMainAnswersWithoutADaemon(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "bad.conf")
	if err := os.WriteFile(bad, []byte("[supervisord]\nloglevel=loud\nminfds=many\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		rule           string
		args           []string
		status         int
		stdout, stderr string // contained
	}{
		{"-v is the version", []string{"-v"}, 0, Version + "\n", ""},
		{"-h is help", []string{"-h"}, 0, "Usage: /opt/bin/supervisord [options]", ""},
		{"a flag that is none", []string{"--nonsense"}, 2, "", "Error: option --nonsense not recognized\nFor help, use /opt/bin/supervisord -h\n"},
		{"a file that is not there", []string{"-n", "-c", bad + "x"}, 2, "", "Error: could not find config file "},
		{"every error has its line", []string{"-n", "-c", bad}, 2, "", "bad.conf:3: [supervisord] minfds: "},
	} {
		status, stdout, stderr := runMain(t, tc.args...)
		if status != tc.status || !strings.Contains(stdout, tc.stdout) || !strings.Contains(stderr, tc.stderr) {
			t.Errorf("%s: status %d, stdout %q, stderr %q", tc.rule, status, stdout, stderr)
		}
	}
}

func TestAPidfileIsRemovedOnlyIfItWasWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pid")
	if err := os.WriteFile(path, []byte("1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	d := &Daemon{cfg: &config.Config{}}
	d.cfg.Supervisord.PidFile = path
	d.removePIDFile()
	if _, err := os.Stat(path); err != nil {
		t.Errorf("another's pidfile is gone: %v", err)
	}
}

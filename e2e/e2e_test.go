// Package e2e tests the real binaries as their users run them. Each file of testdata is a script
// of rogpeppe/go-internal/testscript; the commands that it has beyond those are in commands_test.go,
// and the children that the daemons run are e2e/child.
package e2e

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// patience is how long a test waits for what must come; only a broken run gets there.
const patience = 20 * time.Second

// bin is the directory of the binaries under test.
var bin string

func TestMain(m *testing.M) {
	flag.Parse()
	// Most of a script's time is waiting.
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		_ = flag.Set("test.parallel", "6")
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "holdfast-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	// Daemons under test change their user; what they run must be reachable for anybody.
	os.Chmod(dir, 0o755)
	bin = filepath.Join(dir, "bin")
	build := exec.Command("go", "build", "-o", bin+"/", "holdfast/cmd/...", "holdfast/e2e/child")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "cannot build the binaries: %v\n%s", err, out)
		return 1
	}
	// Where testscript makes its directories: it leaves some behind when only a part is run.
	os.Setenv("GOTMPDIR", dir)
	return m.Run()
}

func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		Setup:               setup,
		Cmds:                commands,
		Condition:           condition,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}

// setup gives a script the binaries, and a short directory for sockets: a socket's path may have
// 107 bytes and the work directory of a test has many.
func setup(env *testscript.Env) error {
	run, err := os.MkdirTemp("", "hf-")
	if err != nil {
		return err
	}
	// Programs of another user must be able to enter.
	os.Chmod(run, 0o755)
	os.Chmod(filepath.Dir(env.WorkDir), 0o755)
	env.Setenv("PATH", bin+string(os.PathListSeparator)+env.Getenv("PATH"))
	env.Setenv("RUN", run)
	env.Setenv("TMPDIR", run)
	env.Setenv("HOME", run)
	env.Setenv("TZ", "UTC")
	env.Setenv("LANG", "C.UTF-8")
	env.Defer(func() {
		killAll(run, env.WorkDir)
		os.RemoveAll(run)
	})
	return nil
}

func condition(cond string) (bool, error) {
	switch cond {
	case "root":
		return os.Getuid() == 0, nil
	case "etcduser":
		_, err := user.Lookup("etcd")
		return err == nil && os.Getuid() == 0, nil
	case "original":
		_, err := os.Stat(originalDaemon)
		return err == nil, nil
	}
	return false, fmt.Errorf("unknown condition %q", cond)
}

// The original, where Debian puts it.
const (
	originalDaemon = "/usr/bin/supervisord"
	originalCtl    = "/usr/bin/supervisorctl"
)

// writeConfig makes the configuration of a daemon that has all that it needs in dir: a socket s, a log, a pidfile.
func writeConfig(t *testing.T, dir, programs string) {
	t.Helper()
	text := fmt.Sprintf(`[unix_http_server]
file=%[1]s/s
[supervisord]
logfile=%[1]s/log
pidfile=%[1]s/pid
childlogdir=%[1]s
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://%[1]s/s
`, dir)
	if err := os.WriteFile(filepath.Join(dir, "supervisord.conf"), []byte(text+programs), 0o600); err != nil {
		t.Fatal(err)
	}
}

// names tells whether text has the path of dir, or of something in it, and not of a neighbour with a longer name.
func names(text, dir string) bool {
	for {
		_, rest, found := strings.Cut(text, dir)
		if !found {
			return false
		}
		if rest == "" || strings.ContainsRune("/\x00:,; \"'\n", rune(rest[0])) {
			return true
		}
		text = rest
	}
}

// killAll ends what a script has left: every process whose environment or command line names its
// directories.
func killAll(dirs ...string) {
	for range 50 {
		found := false
		entries, _ := os.ReadDir("/proc")
		for _, e := range entries {
			pid, err := strconv.Atoi(e.Name())
			if err != nil || pid == os.Getpid() {
				continue
			}
			environ, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "environ"))
			cmdline, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
			for _, dir := range dirs {
				if names(string(environ)+string(cmdline), dir) && len(cmdline) > 0 {
					found = true
					syscall.Kill(pid, syscall.SIGKILL)
				}
			}
		}
		if !found {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

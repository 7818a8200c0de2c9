package ctl

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// forks is a Python program that loads the original's supervisorctl once and forks for each run, since
// loading it takes a quarter of a second of processor time. A run is a line on fd 3, its exit code the
// answer on fd 4. The child leaves the loop and does what /usr/bin/supervisorctl does.
const forks = `
import json, os, sys
from supervisor.supervisorctl import main
runs, answers = os.fdopen(3), os.fdopen(4, "w")
for line in runs:
    run = json.loads(line)
    pid = os.fork()
    if pid == 0:
        break
    answers.write("%d\n" % os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    answers.flush()
else:
    sys.exit(0)
runs.close()
answers.close()
os.chdir(run["Dir"])
for fd, name, mode in (0, "Stdin", os.O_RDONLY), (1, "Stdout", os.O_WRONLY), (2, "Stderr", os.O_WRONLY):
    f = os.open(run[name], mode)
    os.dup2(f, fd)
    os.close(f)
sys.argv = run["Argv"]
sys.exit(main())
`

// A forker is a process that runs forks.
type forker struct {
	mu      sync.Mutex // held for a run
	dir     string     // of the runs' stdin, stdout and stderr; empty: it is not there yet
	cmd     *exec.Cmd
	runs    *os.File
	answers *bufio.Reader
}

// original is started by the first run; TestMain ends it.
var original forker

// run is run for the original's supervisorctl.
func (f *forker) run(t *testing.T, dir, stdin string, argv ...string) outcome {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.cmd == nil {
		if err := f.start(); err != nil {
			t.Fatal(err)
		}
	}
	files := map[string]string{"stdin": stdin, "stdout": "", "stderr": ""}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(f.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	line, err := json.Marshal(map[string]any{"Dir": dir, "Argv": append([]string{originalCtl}, argv...),
		"Stdin": f.dir + "/stdin", "Stdout": f.dir + "/stdout", "Stderr": f.dir + "/stderr"})
	if err != nil {
		t.Fatal(err)
	}
	alarm := time.AfterFunc(long, func() { _ = syscall.Kill(-f.cmd.Process.Pid, syscall.SIGKILL) })
	defer alarm.Stop()
	_, err = f.runs.Write(append(line, '\n'))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := f.answers.ReadString('\n')
	if err != nil {
		t.Fatalf("%s %q has not ended: %v", originalCtl, argv, err)
	}
	var o outcome
	if o.exit, err = strconv.Atoi(strings.TrimSpace(answer)); err != nil {
		t.Fatal(err)
	}
	for name, to := range map[string]*string{"stdout": &o.stdout, "stderr": &o.stderr} {
		data, err := os.ReadFile(filepath.Join(f.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		*to = string(data)
	}
	return o
}

// start runs forks in the Python of the original's supervisorctl.
func (f *forker) start() error {
	script, err := os.ReadFile(originalCtl)
	if err != nil {
		return err
	}
	first, _, _ := strings.Cut(string(script), "\n")
	python, ok := strings.CutPrefix(first, "#!")
	if !ok {
		return fmt.Errorf("%s is no Python script", originalCtl)
	}
	if f.dir, err = os.MkdirTemp("", "hf"); err != nil {
		return err
	}
	theirs, runs, err := os.Pipe()
	if err != nil {
		return err
	}
	defer theirs.Close()
	answers, toAnswers, err := os.Pipe()
	if err != nil {
		return err
	}
	defer toAnswers.Close()
	cmd := exec.Command(strings.TrimSpace(python), "-c", forks)
	cmd.ExtraFiles = []*os.File{theirs, toAnswers}
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // so that a run that hangs goes with it
	if err := cmd.Start(); err != nil {
		return err
	}
	f.cmd, f.runs, f.answers = cmd, runs, bufio.NewReader(answers)
	return nil
}

// end ends the process, if there is one.
func (f *forker) end() {
	if f.cmd != nil {
		f.runs.Close()
		_ = f.cmd.Wait()
	}
	if f.dir != "" {
		os.RemoveAll(f.dir)
	}
}

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"holdfast/internal/config"
)

var commands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	"waitfor":   waitFor,
	"waitstate": waitState,
	"signal":    sendSignal,
	"waitgone":  waitGone,
	"pidof":     pidOf,
	"repeat":    repeat,
	"subst":     subst,
	"until":     until,
	"shutdown":  shutdown,
	"childof":   childOf,
	"nogroup":   noGroup,
	"nozombies": noZombies,
	"freeport":  freePort,
	"tmpfs":     tmpfs,
	"fill":      fill,
	"raw":       raw,
	"hold":      hold,
	"tells":     tells,
	"waitshown": waitShown,
	"certs":     certs,
}

// eventually calls ok until it answers true.
func eventually(ts *testscript.TestScript, what string, ok func() bool) {
	for end := time.Now().Add(patience); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			ts.Fatalf("waited %v for %s", patience, what)
		}
	}
}

// waitFor FILE REGEXP [COUNT]: until FILE has COUNT (1) lines that match.
func waitFor(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: waitfor FILE REGEXP [COUNT]")
	}
	count := 1
	if len(args) > 2 {
		count, _ = strconv.Atoi(args[2])
	}
	re := regexp.MustCompile("(?m)" + args[1])
	path := ts.MkAbs(args[0])
	eventually(ts, args[0]+" to match "+args[1], func() bool {
		data, _ := os.ReadFile(path)
		return len(re.FindAll(data, count)) >= count
	})
}

// ctl runs supervisorctl on the configuration file supervisord.conf of the script.
func ctl(ts *testscript.TestScript, args ...string) string {
	cmd := exec.Command(filepath.Join(bin, "supervisorctl"), append([]string{"-c", ts.MkAbs("supervisord.conf")}, args...)...)
	cmd.Dir = ts.Getenv("WORK")
	cmd.Env = append(os.Environ(), "RUN="+ts.Getenv("RUN"))
	out, _ := cmd.Output()
	return string(out)
}

// shutdown: supervisorctl shutdown, until the daemon has ended.
func shutdown(ts *testscript.TestScript, neg bool, args []string) {
	pid, err := strconv.Atoi(strings.TrimSpace(ctl(ts, "pid")))
	if err != nil {
		ts.Fatalf("no daemon to shut down: %v", err)
	}
	if got := ctl(ts, "shutdown"); got != "Shut down\n" {
		ts.Fatalf("shutdown: %q", got)
	}
	awaitEnd(ts, pid)
}

// awaitEnd waits until there is no such process.
func awaitEnd(ts *testscript.TestScript, pid int) {
	eventually(ts, fmt.Sprintf("the end of process %d", pid), func() bool {
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		return err != nil || strings.Contains(string(stat), ") Z ")
	})
}

// waitState NAME STATE...: until supervisorctl shows NAME in one of these states.
func waitState(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: waitstate NAME STATE...")
	}
	last := ""
	eventually(ts, strings.Join(args, " "), func() bool {
		last = ctl(ts, "status")
		for line := range strings.Lines(last) {
			if f := strings.Fields(line); len(f) > 1 && f[0] == args[0] {
				for _, state := range args[1:] {
					if f[1] == state {
						return true
					}
				}
			}
		}
		return false
	})
	ts.Logf("%s", last)
}

// pidOf VAR NAME: put the pid of the process NAME into the variable.
func pidOf(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: pidof VAR NAME")
	}
	if pid, err := strconv.Atoi(strings.TrimSpace(ctl(ts, "pid", args[1]))); err == nil && pid > 0 {
		ts.Setenv(args[0], strconv.Itoa(pid))
		return
	}
	ts.Fatalf("no pid of %s", args[1])
}

// pidFrom is a number, or the file that holds it.
func pidFrom(ts *testscript.TestScript, arg string) int {
	pid, err := readPID(ts, arg)
	ts.Check(err)
	return pid
}

// readPID is pidFrom; a file that is not there is an error.
func readPID(ts *testscript.TestScript, arg string) (int, error) {
	pid, err := strconv.Atoi(arg)
	if err != nil {
		data, err := os.ReadFile(ts.MkAbs(arg))
		if err != nil {
			return 0, err
		}
		pid, err = strconv.Atoi(strings.TrimSpace(string(data)))
		ts.Check(err)
	}
	if pid <= 1 {
		ts.Fatalf("pid %d", pid)
	}
	return pid, nil
}

// sendSignal SIGNAL PID|FILE: ! signal: there must be no such process.
func sendSignal(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: signal SIGNAL PID|FILE")
	}
	sig, err := config.ParseSignal(args[0])
	ts.Check(err)
	if err := syscall.Kill(pidFrom(ts, args[1]), sig); (err != nil) != neg {
		ts.Fatalf("signal %v: %v", args, err)
	}
}

// waitGone PID|FILE: until there is no such process; a FILE that is gone counts.
func waitGone(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: waitgone PID|FILE")
	}
	if pid, err := readPID(ts, args[0]); err == nil {
		awaitEnd(ts, pid)
	}
}

// repeat N FILE TEXT: write TEXT N times into FILE, {6} being the number in six digits.
func repeat(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: repeat N FILE TEXT")
	}
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.ReplaceAll(args[2], "{6}", fmt.Sprintf("%06d", i)) + "\n")
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(b.String()), 0o644))
}

// subst FILE...: replace ${VAR} in files, which txtar leaves as they are.
func subst(ts *testscript.TestScript, neg bool, args []string) {
	for _, file := range args {
		data, err := os.ReadFile(ts.MkAbs(file))
		ts.Check(err)
		text := os.Expand(string(data), ts.Getenv)
		ts.Check(os.WriteFile(ts.MkAbs(file), []byte(text), 0o644))
	}
}

package e2e

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

var kills = flag.Int("kills", 24, "how often TestLogAndEventsSurvive kills the daemon")

const survivingConf = `[unix_http_server]
file=%[1]s/s
[supervisord]
logfile=%[1]s/supervisord.log
pidfile=%[1]s/supervisord.pid
childlogdir=%[1]s
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://%[1]s/s
[program:brief]
command=%[2]s/child exit 3
process_name=%%(program_name)s%%(process_num)d
numprocs=20
startsecs=0
stdout_logfile=NONE
stderr_logfile=NONE
[program:talker]
command=%[2]s/child count
stdout_logfile=NONE
stdout_events_enabled=true
[eventlistener:ears]
command=%[2]s/child ears %[1]s/heard fail ok ok ok fail ok ok fail
events=PROCESS_STATE_EXITED,PROCESS_LOG
buffer_size=10000
`

// TestLogAndEventsSurvive kills the daemon, and now and then the guard with it, again and again while programs end
// and are started, one floods with PROCESS_LOG events and a listener rejects some. Each life of a program is in the
// log once, with its end; each event arrives, whole, and with a serial of its own.
func TestLogAndEventsSurvive(t *testing.T) {
	dir, err := os.MkdirTemp("", "hf-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	defer killAll(dir)
	conf := filepath.Join(dir, "supervisord.conf")
	os.WriteFile(conf, fmt.Appendf(nil, survivingConf, dir, bin), 0o644)
	supervisord := func() {
		t.Helper()
		if out, err := exec.Command(filepath.Join(bin, "supervisord"), "-c", conf).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	supervisord()
	guard := func() int {
		data, _ := os.ReadFile(filepath.Join(dir, "supervisord.pid"))
		pid, _ := strconv.Atoi(strings.TrimSpace(string(data)))
		return pid
	}
	daemon := func() int {
		g := guard()
		for _, p := range processes() {
			if g > 1 && p.ppid == g && p.comm == "supervisord" && p.state != "Z" {
				return p.pid
			}
		}
		return 0
	}
	for n := range *kills {
		pid := await(t, "a daemon", daemon)
		time.Sleep(rand.N(60 * time.Millisecond)) // anywhere in what it does
		if n%3 < 2 {
			syscall.Kill(pid, syscall.SIGKILL)
			await(t, "its end", func() int { return pid - daemon() })
			continue
		}
		g := guard()
		syscall.Kill(g, syscall.SIGSTOP)
		syscall.Kill(pid, syscall.SIGKILL)
		syscall.Kill(g, syscall.SIGKILL)
		await(t, "the guard's end", func() int {
			if syscall.Kill(g, 0) != nil {
				return 1
			}
			return 0
		})
		supervisord()
	}
	await(t, "a daemon", daemon)
	ctl := func(args ...string) {
		exec.Command(filepath.Join(bin, "supervisorctl"), append([]string{"-c", conf}, args...)...).Run()
	}
	ctl("stop", "brief:*", "talker")
	g := guard()
	ctl("shutdown")
	await(t, "the end", func() int {
		if syscall.Kill(g, 0) != nil {
			return 1
		}
		return 0
	})
	checkLives(t, filepath.Join(dir, "supervisord.log"))
	checkHeard(t, filepath.Join(dir, "heard"))
}

// await is what is awaited, which is not 0.
func await(t *testing.T, what string, is func() int) int {
	t.Helper()
	for end := time.Now().Add(2 * patience); ; time.Sleep(2 * time.Millisecond) {
		if v := is(); v != 0 {
			return v
		}
		if time.Now().After(end) {
			t.Fatalf("waited for %s", what)
		}
	}
}

var life = regexp.MustCompile(`(spawned: '|exited: |stopped: )(brief\d+)(?:' with pid (\d+)$| \((.*)\)$| \()`)

// checkLives holds that what is said of each program is a beginning, an end, a beginning.
func checkLives(t *testing.T, file string) {
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lives, bad := 0, 0
	pids := make(map[string]string)
	for line := range strings.Lines(string(data)) {
		m := life.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
		if m == nil {
			continue
		}
		begins := m[3] != ""
		if begins == (pids[m[2]] != "") {
			t.Errorf("out of turn, the pid is %q: %s", pids[m[2]], line)
			bad++
		}
		pids[m[2]] = m[3]
		if begins {
			lives++
		} else if strings.HasPrefix(m[1], "exited") && m[4] != "exit status 3; not expected" && !strings.Contains(m[4], "unknown") {
			t.Errorf("not as it was: %s", line)
		}
	}
	t.Logf("%d lives in the log, %d wrong", lives, bad)
	if lives < *kills {
		t.Errorf("only %d lives", lives)
	}
}

var headerOf = regexp.MustCompile(`^ver:3\.0 server:supervisor serial:(\d+) pool:ears poolserial:(\d+) eventname:(\w+) len:\d+ "`)

// checkHeard holds that every event has arrived, and none in the place of another.
func checkHeard(t *testing.T, file string) {
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text := make(map[int]string)
	last, again := -1, 0
	for line := range strings.Lines(string(data)) {
		m := headerOf.FindStringSubmatch(line)
		if m == nil {
			t.Fatalf("torn: %q", line)
		}
		n, _ := strconv.Atoi(m[2])
		if before, ok := text[n]; ok {
			if before != line {
				t.Errorf("two events with poolserial %d:\n%s%s", n, before, line)
			}
			again++
			continue
		}
		if n != last+1 {
			t.Errorf("poolserial %d follows %d", n, last)
		}
		text[n], last = line, n
	}
	t.Logf("%d events, %d times one came again", len(text), again)
	if len(text) < *kills {
		t.Errorf("only %d events", len(text))
	}
}

package e2e

import (
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
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
	t.Parallel()
	m := newMortal(t, survivingConf)
	for n := range *kills {
		time.Sleep(rand.N(60 * time.Millisecond)) // anywhere in what it does
		m.kill(n%3 == 2)
	}
	m.ctl("stop", "brief:*", "talker")
	m.shutdown()
	checkLives(t, filepath.Join(m.dir, "supervisord.log"))
	checkHeard(t, filepath.Join(m.dir, "heard"))
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

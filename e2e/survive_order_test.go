package e2e

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

const orderedConf = `[unix_http_server]
file=%[1]s/s
[supervisord]
logfile=%[1]s/supervisord.log
pidfile=%[1]s/supervisord.pid
childlogdir=%[1]s
loglevel=debug
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://%[1]s/s
[program:db]
command=%[2]s/child notify READY=1 stay
startsecs=0
readiness=notify
start_timeout_secs=15
startretries=-1
post_stop_command=/bin/sh -c 'echo $MAINPID >>%[1]s/ended'
[program:migrate]
command=/bin/sh -c 'sleep 0.02'
oneshot=true
depends_on=db
[program:api]
command=%[2]s/child say serving stay
startsecs=0
requires=db
depends_on=migrate
readiness=output:^serving
pre_start_command=/bin/sh -c 'sleep 0.02'
stop_command=/bin/sh -c 'sleep 0.02'
[program:web]
command=%[2]s/child stay
startsecs=0
requires=api
[eventlistener:ears]
command=%[2]s/child ears %[1]s/heard
events=PROCESS_HEALTH
priority=1
startsecs=0
buffer_size=10000
stopsignal=KILL
`

// TestOrderSurvives kills the daemon, and now and then the guard with it, while programs that wait for each other are
// stopped, started and killed. Nothing is started before its time, nothing is stopped before those that need it, and each
// change of readiness is told once.
func TestOrderSurvives(t *testing.T) {
	t.Parallel()
	m := newMortal(t, orderedConf)
	names := []string{"db", "migrate", "api", "web"}
	ctx, stop := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	for range 2 {
		clients.Go(func() {
			for ctx.Err() == nil {
				name := names[rand.IntN(len(names))]
				switch rand.IntN(4) {
				case 0:
					m.ctlUntil(ctx, "restart", name)
				case 1:
					m.ctlUntil(ctx, "stop", name)
					m.ctlUntil(ctx, "start", name)
				case 2:
					m.ctlUntil(ctx, "signal", "KILL", name)
				case 3:
					m.ctlUntil(ctx, "restart", "db", "migrate", "api", "web")
				}
			}
		})
	}
	for n := range *kills / 3 {
		time.Sleep(rand.N(100 * time.Millisecond)) // anywhere in what it does
		m.kill(n%4 == 3)
	}
	stop()
	clients.Wait() // one may have waited for a program that the other has stopped
	up := regexp.MustCompile(`(?m)^(db|api|web) +RUNNING`)
	await(t, "all to be up", func() int {
		for _, name := range names { // a stop may be under way, and who waits for that one waits
			short, cancel := context.WithTimeout(t.Context(), time.Second)
			m.ctlUntil(short, "start", name)
			cancel()
		}
		if len(up.FindAllString(m.ctl("status"), -1)) == 3 {
			return 1
		}
		return 0
	})
	m.shutdown()
	checkOrder(t, m.dir)
	checkReadiness(t, filepath.Join(m.dir, "heard"))
}

var orderLine = regexp.MustCompile(`(spawned: '|exited: |stopped: |not ready: |ready: |killing )(db|migrate|api|web)(?:' with pid (\d+)$| \(.*)`)

// checkOrder reads the main log.
func checkOrder(t *testing.T, dir string) {
	data, err := os.ReadFile(filepath.Join(dir, "supervisord.log"))
	if err != nil {
		t.Fatal(err)
	}
	ended, _ := os.ReadFile(filepath.Join(dir, "ended"))
	pid, ready := map[string]string{}, map[string]bool{}
	migrated, lives := false, 0
	mayStart := map[string]bool{} // since it has ended, there was a moment at which all was there that it waits for
	note := func() {
		for name, now := range map[string]bool{"db": true, "migrate": ready["db"], "api": ready["db"] && migrated, "web": ready["api"]} {
			mayStart[name] = mayStart[name] || now
		}
	}
	for line := range strings.Lines(string(data)) {
		what := orderLine.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
		if what == nil {
			continue
		}
		wrong := ""
		note()
		switch name := what[2]; what[1] {
		case "spawned: '":
			lives++
			if pid[name] != "" {
				wrong = "it runs already"
			} else if !mayStart[name] {
				wrong = "what it waits for is not there"
			}
			pid[name] = what[3]
			migrated = migrated && name != "migrate"
		case "exited: ", "stopped: ":
			if pid[name] == "" {
				wrong = "it doesn't run"
			} else if name == "db" && !strings.Contains("\n"+string(ended), "\n"+pid[name]+"\n") {
				wrong = "its post_stop_command was not run for pid " + pid[name]
			}
			migrated = migrated || name == "migrate" && strings.Contains(line, "exit status 0; expected")
			pid[name], ready[name], mayStart[name] = "", false, false
		case "ready: ", "not ready: ":
			if ready[name] == (what[1] == "ready: ") || pid[name] == "" {
				wrong = "it was so before, or doesn't run"
			}
			ready[name] = what[1] == "ready: "
		case "killing ":
			if name == "db" && pid["api"] != "" || name == "api" && pid["web"] != "" {
				wrong = "what requires it still runs"
			}
		}
		if wrong != "" {
			t.Errorf("%s: %s", wrong, line)
		}
	}
	t.Logf("%d lives in the log", lives)
	if lives < *kills/3 {
		t.Errorf("only %d lives", lives)
	}
}

var healthEvent = regexp.MustCompile(`poolserial:(\d+) eventname:PROCESS_HEALTH_(\w+) len:\d+ "processname:(\w+) .* pid:(\d+)`)

// checkReadiness reads the events: each process becomes ready and not ready in turn.
func checkReadiness(t *testing.T, file string) {
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	ready := map[string]string{} // the pid; an event after its end has 0
	last, events := -1, 0
	for line := range strings.Lines(string(data)) {
		e := healthEvent.FindStringSubmatch(line)
		if e == nil {
			t.Fatalf("torn: %q", line)
		}
		serial, _ := strconv.Atoi(e[1])
		if serial <= last {
			continue // the one in flight is told again
		}
		last = serial
		events++
		switch name := e[3]; {
		case e[2] == "READY" && ready[name] == "":
			ready[name] = e[4]
		case e[2] == "NOT_READY" && ready[name] != "" && (e[4] == ready[name] || e[4] == "0"):
			ready[name] = ""
		default:
			t.Errorf("%q, and ready is %v", line, ready)
			ready[name] = map[string]string{"READY": e[4]}[e[2]]
		}
	}
	t.Logf("%d events", events)
}

package clients

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// Each pool has a priority of its own: the original gives a rejected event to every pool with the
// same, see the row "a rejected event" of docs/differences.md.
const listeners = `
[eventlistener:recorder]
command=/usr/bin/python3 $TESTDATA/listener.py $DIR/recorder.txt
events=PROCESS_STATE,PROCESS_LOG,PROCESS_COMMUNICATION,REMOTE_COMMUNICATION,SUPERVISOR_STATE_CHANGE,PROCESS_GROUP
buffer_size=1000
priority=-9
environment=SUPERVISOR_USERNAME="$USER",SUPERVISOR_PASSWORD="$PASSWORD"

[eventlistener:ticker]
command=/usr/bin/python3 $TESTDATA/listener.py $DIR/ticker.txt
events=TICK_5
priority=-8
autostart=false
environment=SUPERVISOR_USERNAME="$USER",SUPERVISOR_PASSWORD="$PASSWORD"

[program:talker]
command=/usr/bin/python3 $TESTDATA/talker.py $DIR/recorder.txt
process_name=%(program_name)s_%(process_num)d
numprocs=1
autostart=false
startsecs=0
stdout_logfile=$DIR/talker.out
stderr_logfile=$DIR/talker.err
stdout_capture_maxbytes=1MB
stderr_capture_maxbytes=1MB
stdout_events_enabled=true
stderr_events_enabled=true
environment=SUPERVISOR_USERNAME="$USER",SUPERVISOR_PASSWORD="$PASSWORD"

[program:fatal]
command=/bin/sh -c "exit 3"
startretries=1
autostart=false

[program:quick]
command=/bin/sh -c "read line; exit 3"
startsecs=0
autorestart=false
autostart=false
`

// TestChildutils has event listeners and a program that speak through the original's childutils.
func TestChildutils(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, s side) string {
		d := s.start(t, listeners+pacer)
		awaitText(t, d.dir+"/recorder.txt", `PROCESS_STATE_RUNNING", "len": 0}, {"processname": "recorder`)
		must(t, d.client.StartProcess(t.Context(), "ticker", true))
		tell := func(typ, data string) {
			t.Helper()
			must(t, d.client.SendRemoteCommEvent(t.Context(), typ, data))
			awaitText(t, d.dir+"/recorder.txt", data)
		}
		must(t, d.client.StartProcess(t.Context(), "talker:talker_0", true))
		awaitText(t, d.dir+"/recorder.txt", `"done"`)
		for _, typ := range []string{"ask", "fail", "unheard", "long", "plain"} {
			tell(typ, "first "+typ+" é中")
		}
		tell("ask", "after them")
		if err := d.client.StartProcess(t.Context(), "fatal", true); err == nil {
			t.Error("a program that ends at once has been started")
		}
		awaitText(t, d.dir+"/recorder.txt", "PROCESS_STATE_FATAL")
		must(t, d.client.StartProcess(t.Context(), "quick", true))
		must(t, d.client.SendProcessStdin(t.Context(), "quick", "\n"))
		awaitText(t, d.dir+"/recorder.txt", "PROCESS_STATE_EXITED")
		must(t, d.client.StopProcess(t.Context(), "talker:talker_0", true))
		must(t, d.client.RemoveProcessGroup(t.Context(), "fatal"))
		must(t, d.client.AddProcessGroup(t.Context(), "fatal"))
		tell("end", "the end")
		awaitText(t, d.dir+"/ticker.txt", "TICK_5")
		var text strings.Builder
		for _, name := range []string{"recorder.txt", "ticker.txt", "talker.out", "talker.err"} {
			data, err := os.ReadFile(d.dir + "/" + name)
			must(t, err)
			if name == "ticker.txt" { // the first tick; how many more there are is chance
				data = bytes.Join(bytes.SplitAfterN(data, []byte("\n"), 3)[:2], nil)
			}
			text.WriteString("== " + name + "\n" + string(data))
		}
		return d.steady(text.String())
	}, "PROCESS_COMMUNICATION_STDERR", "PROCESS_LOG_STDERR", "SUPERVISOR_STATE_CHANGE_RUNNING", "PROCESS_STATE_FATAL", "TICK_5")
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// awaitText waits until a file has it.
func awaitText(t *testing.T, file, text string) {
	t.Helper()
	await(t, text+" in "+file, func() bool {
		data, _ := os.ReadFile(file)
		return strings.Contains(string(data), text)
	})
}

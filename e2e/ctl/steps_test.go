package ctl

import (
	"os"
	"strings"
	"testing"
)

// programs has a process in each state that lasts.
const programs = `
[group:web]
programs=a,b
[program:a]
command=/bin/sleep 1000
startsecs=0
[program:b]
command=/bin/sleep 1000
startsecs=0
numprocs=2
process_name=%(program_name)s_%(process_num)02d
autostart=false

[program:cat]
command=/bin/cat
startsecs=0
stdout_logfile=%(here)s/cat.log
stderr_logfile=NONE
priority=5

[program:talker]
command=/bin/sh -c "echo one two three; echo four >&2; exec /bin/sleep 1000"
startsecs=0
stdout_logfile=%(here)s/talker.out
stderr_logfile=%(here)s/talker.err

[program:slow]
command=/bin/sleep 1000
startsecs=1000

[program:idle]
command=/bin/sleep 1000
startsecs=0
autostart=false

[program:gone]
command=/bin/true
startsecs=0
autorestart=false

[program:fatal]
command=/no/such/file
startretries=0

[program:plain]
command=/etc/passwd
autostart=false

[program:quick]
command=/bin/sh -c "exit 3"
startsecs=1
startretries=0
autostart=false

[program:flash]
command=/bin/sh -c "/bin/sleep 0.5; exit 3"
startsecs=3
startretries=0
autostart=false

[program:a-name-that-is-longer-than-thirty-characters]
command=/bin/sleep 1000
startsecs=0
autostart=false
`

const settled = "web:a RUNNING, cat RUNNING, talker RUNNING, slow STARTING, gone EXITED, fatal FATAL"

func removeFile(name string) func(*testing.T, *daemon) {
	return func(t *testing.T, d *daemon) {
		if err := os.Remove(d.dir + "/" + name); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
}

func writeFile(name, text string) func(*testing.T, *daemon) {
	return func(t *testing.T, d *daemon) { d.write(t, name, text) }
}

// steps are given in this order to one supervisord.
var steps = []step{
	{args: "status", settle: settled},
	{args: "status all"},
	{args: "status all nosuch"},
	{args: "status cat"},
	{args: "status cat cat web:*"},
	{args: "status web:"},
	{args: "status slow talker"},
	{args: "status gone"},
	{args: "status nosuch cat"},
	{args: "status nosuch idle"},
	{args: "status nosuch:* web"},
	{args: "status web:nosuch"},
	{args: "status cat:cat"},
	{args: "pid"},
	{args: "pid cat"},
	{args: "pid all"},
	{args: "pid idle"},
	{args: "pid nosuch cat"},
	{args: "pid web:*"},
	{args: "version"},
	{args: "version x"},
	{args: "avail"},
	{args: "avail x"},

	{args: "status-x"},
	{args: "tail-3 talker"},

	{args: "start"},
	{args: "start cat"},
	{args: "start idle"},
	{args: "start idle nosuch"},
	{args: "start nosuch web:nosuch"},
	{args: "start nosuch:*"},
	{args: "start web"},
	{args: "start web:b_00 web:*", only: "sorted"},
	{args: "start web:*", only: "sorted"},
	{args: "start fatal"},
	{args: "start plain"},
	{args: "start quick"},
	{args: "start flash"},
	{args: "stop"},
	{args: "stop idle"},
	{args: "stop idle"},
	{args: "stop nosuch idle"},
	{args: "stop nosuch:*"},
	{args: "stop web:b_01"},
	{args: "stop web:*", only: "sorted"},
	{args: "stop web:*", only: "sorted"},
	{args: "stop slow"},
	{args: "signal"},
	{args: "signal HUP"},
	{args: "signal URG cat"},
	{args: "signal SIGURG cat:"},
	{args: "signal 23 cat"},
	{args: "signal NOSUCH cat"},
	{args: "signal NOSUCH idle"},
	{args: "signal URG idle"},
	{args: "signal URG nosuch"},
	{args: "signal URG nosuch:*"},
	{args: "signal URG web:*", only: "sorted"},
	{args: "signal URG cat nosuch talker"},
	{args: "signal URG all", only: "sorted"},
	{args: "signal NOSUCH all", only: "sorted"},
	{args: "restart"},
	{args: "restart cat"},
	{args: "restart idle"},
	{args: "restart nosuch"},
	{args: "restart nosuch:* cat"},
	{args: "restart web:*", only: "sorted"},
	{args: "restart plain"},
	{args: "status"},

	{args: "tail talker"},
	{args: "tail talker stderr"},
	{args: "tail talker STDERR"},
	{args: "tail -6 talker"},
	{args: "tail -0 talker"},
	{args: "tail --4 talker"},
	{args: "tail -+6 talker stdout"},
	{args: "tail -6 talker foo stderr"},
	{args: "tail -6 talker stderr stdout x"},
	{args: "tail talker foo stderr"},
	{args: "tail talker nosuch"},
	{args: "tail talker it's"},
	{args: "tail"},
	{args: "tail -f"},
	{args: "tail -3"},
	{args: "tail -x talker"},
	{args: "tail - talker"},
	{args: "tail nosuch"},
	{args: "tail web:*"},
	{args: "tail cat stderr"},
	{args: "tail -f nosuch"},
	{args: "tail -f cat stderr"},
	{args: "tail -f talker nosuch"},
	{args: "maintail", only: "exit"},
	{args: "maintail -1", only: "exit"},
	{args: "maintail x"},
	{args: "maintail -x"},
	{args: "maintail -f x"},
	{args: "clear talker"},
	{args: "tail talker"},
	{args: "clear idle nosuch"},
	{args: "clear"},
	{args: "clear all", settle: "talker RUNNING"},
	{args: "tail talker stderr", before: removeFile("talker.err")},
	{args: "fg"},
	{args: "fg cat talker"},
	{args: "fg nosuch"},

	{args: "reread"},
	{args: "update"},
	{args: "reread x"},
	{args: "reread", before: writeFile("conf.d/new.ini", "[program:new]\ncommand=/bin/sleep 1000\nstartsecs=0\n[program:newer]\ncommand=/bin/sleep 1000\nautostart=false\n")},
	{args: "avail"},
	{args: "add new"},
	{args: "add new nosuch"},
	{args: "add"},
	{args: "status new", settle: "new RUNNING"},
	{args: "remove new"},
	{args: "remove nosuch"},
	{args: "remove"},
	{args: "stop new"},
	{args: "remove new"},
	{args: "update nosuch"},
	{args: "update new"},
	{args: "update newer new"},
	{args: "update"},
	{args: "reread", settle: "new RUNNING",
		before: writeFile("conf.d/new.ini", "[program:new]\ncommand=/bin/sleep 2000\nstartsecs=0\n[program:newest]\ncommand=/bin/sleep 1000\nstartsecs=0\n")},
	{args: "update all"},
	{args: "status new newer newest", settle: "new RUNNING, newest RUNNING"},
	{args: "reread", before: writeFile("conf.d/new.ini", "[program:é中]\ncommand=/bin/sleep 1000\nautostart=false\n")},
	{args: "update é中 newest"},
	{args: "update"},
	{args: "status"},
	{args: "status é中"},

	{args: "-s unix://DIR/s status cat"},
	{args: "-sunix://DIR/s pid nosuch"},
	{args: "--server unix://DIR/s pid nosuch"},
	{args: "open unix://DIR/s"},
	{args: "-r x -u a -p b pid nosuch"},
	{args: "-i status nosuch"},

	{args: "-i shutdown", stdin: "n\n"},
	{args: "-i shutdown", stdin: ""},
	{args: "-i reload", stdin: "no\n"},
	{args: "", stdin: "\n  \nhelp quit\nstatus cat\nnosuch\n? pid\npid nosuch\n"},
	{args: "-i", stdin: "quit\nstatus\n"},
	{args: "", stdin: "shutdown\nn\nreload\n\nexit"},
	{args: "", stdin: "shutdown\n"},
	{args: "", stdin: "open unix://DIR\nstatus\nopen foo\n"},
	{args: "", stdin: "start idle\nstop idle\nEOF\nstatus\n"},

	{args: "update", before: writeFile("conf.d/new.ini", "[program:bad]\n"), only: "exit"},
	{args: "reread", only: "exit"},
	{args: "stop all", only: "sorted", before: removeFile("conf.d/new.ini")},
	{args: "stop all"},
	{args: "restart cat talker"},
	{args: "", stdin: "shutdown x\nshutdown\nyes\n"},
	{args: "status", before: func(t *testing.T, d *daemon) {
		await(t, "the end of supervisord", func() bool {
			_, err := d.client.PID(t.Context())
			return err != nil && !strings.Contains(err.Error(), "SHUTDOWN_STATE")
		})
	}},
	{args: "shutdown"},
}

// localSteps need no supervisord.
var localSteps = []step{
	{args: "help"},
	{args: "help help"},
	{args: "?"},
	{args: "? start"},
	{args: "help nosuch"},
	{args: "help EOF"},
	{args: "help add remove"},
	{args: "help add"},
	{args: "help avail"},
	{args: "help clear"},
	{args: "help exit"},
	{args: "help fg"},
	{args: "help maintail"},
	{args: "help open"},
	{args: "help pid"},
	{args: "help quit"},
	{args: "help reload"},
	{args: "help remove"},
	{args: "help reread"},
	{args: "help restart"},
	{args: "help shutdown"},
	{args: "help signal"},
	{args: "help start"},
	{args: "help status"},
	{args: "help stop"},
	{args: "help tail"},
	{args: "help update"},
	{args: "help version"},
	{args: "nosuch command"},
	{args: "!ls"},
	{args: "-- -x"},
	{argv: []string{""}},
	{argv: []string{" "}},
	{args: "quit"},
	{args: "exit now"},
	{args: "EOF"},
	{args: "-s unix://DIR/nosuch status"},
	{args: "-s unix://DIR/nosuch start cat"},
	{args: "-s unix://DIR/nosuch pid"},
	{args: "-s unix://DIR/nosuch tail -f cat"},
	{args: "-s unix://DIR/nosuch add cat"},
	{args: "-s unix://DIR/nosuch remove cat"},
	{args: "-s unix://DIR/nosuch add"},
	{args: "-s unix://DIR/nosuch reread"},
	{args: "-s unix://DIR/nosuch update"},
	{args: "-s unix://DIR/nosuch avail"},
	{args: "-s unix://DIR/nosuch shutdown"},
	{args: "-s unix://DIR/nosuch reload"},
	{args: "-s unix://DIR/supervisord.conf status"},
	{args: "-s unix://DIR/supervisord.conf version"},
	{args: "-s unix://DIR/supervisord.conf/x version"},
	{args: "-s http://127.0.0.1:1 status"},
	{args: "-s http://127.0.0.1:1 stop all"},
	{args: "-s http://127.0.0.1:1 shutdown"},
	{args: "-s http://127.0.0.1:1 reload"},
	{args: "-s ftp://127.0.0.1:1 status"},
	{args: "-s localhost:9001 reread"},
	{args: "-s foo status"},
	{args: "--serverurl foo: status"},
	{args: "--serverurl=//x/y status"},
	{args: "-s http:?x status"},
	{args: "open unix://DIR/nosuch"},
	{args: "open ftp://x"},
	{args: "open"},
	{args: "open HTTP://x"},
	{args: "-c DIR/nosuch status", only: "exit"},
	{args: "-c DIR status", only: "exit"},
	{args: "-c DIR/conf.d/programs.ini status", only: "exit"},
	{args: "-h", only: "exit"},
	{args: "-?", only: "exit"},
	{args: "-x"},
	{args: "--nosuch"},
	{args: "--s x"},
	{args: "-s"},
	{args: "--serverurl"},
	{args: "--help=x"},
	{args: "--history-file x"},
	{args: "-i -i status"},
	{args: "-u a -u b status"},
	{args: "-u a --username b status"},
	{args: "-c x status", only: "exit"},
	{args: "-v"},
	{args: "-s unix://DIR/nosuch", stdin: "version\nreread\n"},
}

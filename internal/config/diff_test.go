package config

import (
	"strings"
	"testing"
)

func TestDiff(t *testing.T) {
	const head = "[supervisord]\n"
	p := func(options string) string { return head + "[program:p]\ncommand=x\n" + options }
	for _, c := range []struct {
		name, active, parsed, want string
		prepared                   bool // the AUTO logs of the active ones have their files
	}{
		{name: "nothing", active: p(""), parsed: p(""), want: "[] [] []"},
		{name: "in the order of the configuration, and of the active ones",
			active: head + "[program:a]\ncommand=x\n[program:b]\ncommand=x\n[program:z]\ncommand=x\n",
			parsed: head + "[program:z]\ncommand=y\n[program:d]\ncommand=x\n[program:c]\ncommand=x\npriority=1\n",
			want:   "[c d] [z] [a b]"},
		{name: "two spellings of one value", active: p("stopsignal=15\n"), parsed: p("stopsignal=TERM\n"), want: "[] [] []"},
		{name: "an unknown option", active: p(""), parsed: p("bogus=1\n"), want: "[] [] []"},
		{name: "its line in the file", active: p(""), parsed: head + "\n\n[program:p]\n\ncommand=x\n", want: "[] [] []"},
		{name: "the default, written", active: p(""), parsed: p("startsecs=1\nexitcodes=0\nserverurl=AUTO\n"), want: "[] [] []"},
		{name: "user=root is not the same as no user", active: p(""), parsed: p("user=root\n"), want: "[] [p] []"},
		{name: "priority", active: p(""), parsed: p("priority=3\n"), want: "[] [p] []"},
		{name: "command", active: p(""), parsed: p("command=y\n"), want: "[] [p] []"},
		{name: "numprocs", active: p(""), parsed: p("numprocs=2\nprocess_name=%(process_num)d\n"), want: "[] [p] []"},
		{name: "umask", active: p("umask=022\n"), parsed: p("umask=027\n"), want: "[] [p] []"},
		{name: "exitcodes", active: p(""), parsed: p("exitcodes=0,2\n"), want: "[] [p] []"},
		{name: "stdout_logfile_backups", active: p(""), parsed: p("stdout_logfile_backups=3\n"), want: "[] [p] []"},
		{name: "stderr_capture_maxbytes", active: p(""), parsed: p("stderr_capture_maxbytes=3\n"), want: "[] [p] []"},
		{name: "environment", active: p(""), parsed: p("environment=A=1\n"), want: "[] [p] []"},
		{name: "the environment of [supervisord] is in all",
			active: p(""), parsed: strings.Replace(p(""), head, head+"environment=A=1\n", 1), want: "[] [p] []"},
		{name: "an empty directory is not the same as none", active: p(""), parsed: p("directory=\n"), want: "[] [p] []"},
		{name: "file to file", active: p("stdout_logfile=/tmp/a\n"), parsed: p("stdout_logfile=/tmp/b\n"), want: "[] [p] []"},
		{name: "file to AUTO is not seen", active: p("stdout_logfile=/tmp/a\n"), parsed: p(""), want: "[] [] []"},
		{name: "AUTO to file is not seen before the group was prepared", active: p(""), parsed: p("stdout_logfile=/tmp/a\n"), want: "[] [] []"},
		{name: "AUTO to file is seen afterwards", active: p(""), parsed: p("stdout_logfile=/tmp/a\n"), prepared: true, want: "[] [p] []"},
		{name: "AUTO to AUTO is not seen afterwards", active: p(""), parsed: p(""), prepared: true, want: "[] [] []"},
		{name: "NONE to file", active: p("stdout_logfile=NONE\n"), parsed: p("stdout_logfile=/tmp/a\n"), want: "[] [p] []"},
		{name: "another kind", active: p(""), parsed: head + "[fcgi-program:p]\ncommand=x\nsocket=tcp://h:1\n", want: "[] [p] []"},
		{name: "the address of a socket",
			active: head + "[fcgi-program:p]\ncommand=x\nsocket=tcp://h:1\n", parsed: head + "[fcgi-program:p]\ncommand=x\nsocket=tcp://h:2\n", want: "[] [p] []"},
		{name: "the mode of a socket is not seen",
			active: head + "[fcgi-program:p]\ncommand=x\nsocket=unix:///s\n", parsed: head + "[fcgi-program:p]\ncommand=x\nsocket=unix:///s\nsocket_mode=0777\nsocket_backlog=5\n", want: "[] [] []"},
		{name: "events in another order and spelling",
			active: head + "[eventlistener:p]\ncommand=x\nevents=TICK,EVENT\n", parsed: head + "[eventlistener:p]\ncommand=x\nevents=event,tick,TICK\n", want: "[] [] []"},
		{name: "events", active: head + "[eventlistener:p]\ncommand=x\nevents=TICK\n", parsed: head + "[eventlistener:p]\ncommand=x\nevents=TICK_5\n", want: "[] [p] []"},
		{name: "buffer_size", active: head + "[eventlistener:p]\ncommand=x\nevents=TICK\n", parsed: head + "[eventlistener:p]\ncommand=x\nevents=TICK\nbuffer_size=1\n", want: "[] [p] []"},
		{name: "members in another order",
			active: p("[program:q]\ncommand=x\n[group:g]\nprograms=p,q\n"), parsed: p("[program:q]\ncommand=x\n[group:g]\nprograms=q,p\n"), want: "[] [g] []"},
		{name: "readiness", active: p(""), parsed: p("readiness=notify\n"), want: "[] [p] []"},
		{name: "readiness_period_secs", active: p("readiness=tcp://h:1\n"), parsed: p("readiness=tcp://h:1\nreadiness_period_secs=5\n"), want: "[] [p] []"},
		{name: "the same readiness", active: p("readiness=tcp://h:1\n"), parsed: p("readiness=tcp://h:01\nreadiness_period_secs=10\n"), want: "[] [] []"},
		{name: "readiness_http_header", active: p("readiness=http://h\n"), parsed: p("readiness=http://h\nreadiness_http_header=A: b\n"), want: "[] [p] []"},
		{name: "liveness", active: p("liveness=file:/a\n"), parsed: p("liveness=file:/b\n"), want: "[] [p] []"},
		{name: "liveness_signal", active: p("liveness=file:/a\n"), parsed: p("liveness=file:/a\nliveness_signal=ABRT\n"), want: "[] [p] []"},
		{name: "watchdog_secs", active: p(""), parsed: p("watchdog_secs=1\n"), want: "[] [p] []"},
		{name: "start_timeout_secs", active: p("readiness=notify\n"), parsed: p("readiness=notify\nstart_timeout_secs=1\n"), want: "[] [p] []"},
		{name: "oneshot", active: p(""), parsed: p("oneshot=true\n"), want: "[] [p] []"},
		{name: "a hook", active: p(""), parsed: p("stop_command=x\n"), want: "[] [p] []"},
		{name: "hook_timeout_secs", active: p("reload_command=x\n"), parsed: p("reload_command=x\nhook_timeout_secs=5\n"), want: "[] [p] []"},
		{name: "none of these, written", active: p(""), parsed: p("watchdog_secs=0\noneshot=false\ndepends_on=\nrequires=\nstop_command=\n"), want: "[] [] []"},
		{name: "depends_on", active: p("[program:q]\ncommand=x\n"), parsed: p("depends_on=q\n[program:q]\ncommand=x\n"), want: "[] [p] []"},
		{name: "depends_on, and requires", active: p("depends_on=q\n[program:q]\ncommand=x\n"), parsed: p("requires=q\n[program:q]\ncommand=x\n"), want: "[] [p] []"},
		{name: "two spellings of one dependency", active: p("depends_on=q\n[program:q]\ncommand=x\n"), parsed: p("depends_on=q:q,q\n[program:q]\ncommand=x\n"), want: "[] [] []"},
		{name: "a group that it depends on has other processes",
			active: p("depends_on=q\n[program:q]\ncommand=x\nprocess_name=%(process_num)d\n"), parsed: p("depends_on=q\n[program:q]\ncommand=x\nprocess_name=%(process_num)d\nnumprocs=2\n"), want: "[] [p q] []"},
		{name: "of two groups of one name the second is changed for ever",
			active: p(""), parsed: p("[program:q]\ncommand=x\n[group:p]\nprograms=q\npriority=1000\n"), want: "[] [p] []"},
	} {
		t.Run(c.name, func(t *testing.T) {
			active := loadGood(t, c.active).Groups
			if c.prepared {
				for _, g := range active {
					g.Processes[0].Stdout.File, g.Processes[0].Stderr.File = "/tmp/out", "/tmp/err"
				}
			}
			added, changed, removed := Diff(active, loadGood(t, c.parsed).Groups)
			if got := strings.Join([]string{text(added), text(changed), text(removed)}, " "); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func text(names []string) string { return "[" + strings.Join(names, " ") + "]" }

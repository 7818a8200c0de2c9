package config

import (
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestHealth(t *testing.T) {
	http := func(c Check) *Check {
		c.PeriodSecs, c.TimeoutSecs, c.SuccessThreshold, c.FailureThreshold = 10, 1, 1, 3
		return &c
	}
	for _, tt := range []struct {
		rule, options string
		want          Health
	}{
		{"there is none of it without the options", "", Health{}},
		{"the defaults are the kubelet's", "readiness=http://127.0.0.1:8080/healthz?x=y\n", Health{Ready: http(Check{Kind: CheckHTTP, Target: "http://127.0.0.1:8080/healthz?x=y"})}},
		{"https, IPv6", "readiness=https://[::1]/\n", Health{Ready: http(Check{Kind: CheckHTTP, Target: "https://[::1]/"})}},
		{"tcp", "readiness=tcp://[::1]:2379\n", Health{Ready: http(Check{Kind: CheckTCP, Target: "[::1]:2379"})}},
		{"exec", "readiness=exec: etcdctl 'endpoint' health\n", Health{Ready: http(Check{Kind: CheckExec, Target: "etcdctl 'endpoint' health"})}},
		{"file", "readiness=file:~/up\n", Health{Ready: http(Check{Kind: CheckFile, Target: "/home/x/up"})}},
		{"a path that is relative stays so, as of a log", "readiness=file:run/up\n", Health{Ready: http(Check{Kind: CheckFile, Target: "run/up"})}},
		{"output is waited for", `readiness=output: ^ready \d+$` + "\n", Health{Ready: &Check{Kind: CheckOutput, Target: `^ready \d+$`}}},
		{"notify is waited for", "readiness=notify\nstart_timeout_secs=90\n", Health{Ready: &Check{Kind: CheckNotify}, StartTimeoutSecs: 90}},
		{"a watchdog needs no check", "watchdog_secs=5\nliveness_signal=ABRT\n", Health{WatchdogSecs: 5, LiveSignal: syscall.SIGABRT}},
		{"a timeout may be longer than the period", "liveness=tcp://h:1\nliveness_timeout_secs=99\nliveness_signal=6\n",
			Health{Live: &Check{Kind: CheckTCP, Target: "h:1", PeriodSecs: 10, TimeoutSecs: 99, SuccessThreshold: 1, FailureThreshold: 3}, LiveSignal: syscall.SIGABRT}},
		{"everything of one", `readiness=https://h:6443/readyz
readiness_initial_delay_secs=1
readiness_period_secs=2
readiness_timeout_secs=3
readiness_success_threshold=4
readiness_failure_threshold=5
readiness_http_header=Host: h
	X-Empty:

	Accept:text/plain
readiness_http_body= ok
readiness_tls_ca=ca.pem
readiness_tls_cert=~/c.pem
readiness_tls_key=/c.key
liveness=https://h/
liveness_tls_verify=no
`, Health{
			Ready: &Check{CheckHTTP, "https://h:6443/readyz", 1, 2, 3, 4, 5,
				HTTPCheck{[][2]string{{"Host", "h"}, {"X-Empty", ""}, {"Accept", "text/plain"}}, "ok", "ca.pem", "/home/x/c.pem", "/c.key", false}},
			Live: http(Check{Kind: CheckHTTP, Target: "https://h/", HTTP: HTTPCheck{NoVerify: true}}),
		}},
	} {
		cfg := loadGood(t, "[supervisord]\n[program:web]\ncommand=web\n"+tt.options, "HOME=/home/x")
		if diff := cmp.Diff(tt.want, cfg.Groups[0].Processes[0].Health); diff != "" {
			t.Errorf("%s: %s", tt.rule, diff)
		}
	}
}

func TestHooks(t *testing.T) {
	for _, tt := range []struct {
		rule, options string
		want          Hooks
	}{
		{"none", "", Hooks{}},
		{"an empty one is none", "pre_start_command=\nreload_command= \nreload_signal=1\n", Hooks{ReloadSignal: syscall.SIGHUP}},
		{"a stop has stopwaitsecs", "stop_command=nginx -s quit\n", Hooks{Stop: "nginx -s quit"}},
		{"the others have a minute", "pre_start_command=a 'b c'\npost_stop_command=d\n", Hooks{PreStart: "a 'b c'", PostStop: "d", TimeoutSecs: 60}},
		{"or what is asked for", "reload_command=a\nhook_timeout_secs=5\n", Hooks{Reload: "a", TimeoutSecs: 5}},
	} {
		cfg := loadGood(t, "[supervisord]\n[program:web]\ncommand=web\n"+tt.options)
		if diff := cmp.Diff(tt.want, cfg.Groups[0].Processes[0].Hooks); diff != "" {
			t.Errorf("%s: %s", tt.rule, diff)
		}
	}
}

func TestHealthErrors(t *testing.T) {
	const kinds = "http://HOST/PATH, https://HOST/PATH, tcp://HOST:PORT, exec:COMMAND or file:PATH)"
	for _, tt := range []struct{ options, want string }{
		{"readiness=ftp://x\n", "4: readiness=ftp://x: there is no such check (use notify, output:REGEXP, " + kinds},
		{"readiness=\n", "4: readiness: there is no such check (use notify, output:REGEXP, " + kinds},
		{"readiness=notify:x\n", "4: readiness=notify:x: there is no such check (use notify, output:REGEXP, " + kinds},
		{"liveness=udp://x\n", "4: liveness=udp://x: there is no such check (use " + kinds},
		{"readiness=http://a b/\n", `4: readiness=http://a b/: the URL is wrong: invalid character " " in host name (use http://HOST:PORT/PATH)`},
		{"readiness=https:///x\n", "4: readiness=https:///x: the URL has no host (use https://HOST:PORT/PATH)"},
		{"readiness=http://:80/x\n", "4: readiness=http://:80/x: the URL has no host (use http://HOST:PORT/PATH)"},
		{"readiness=http:x\n", "4: readiness=http:x: the URL has no host (use http://HOST:PORT/PATH)"},
		{"readiness=http://h:70000/\n", "4: readiness=http://h:70000/: 70000 is above upper bound (65535) (use a port from 1 to 65535)"},
		{"readiness=tcp://h\n", "4: readiness=tcp://h: the address is wrong: missing port in address (use tcp://HOST:PORT, such as tcp://127.0.0.1:2379 or tcp://[::1]:2379)"},
		{"readiness=tcp://h:0\n", "4: readiness=tcp://h:0: 0 is below lower bound (1) (use a port from 1 to 65535)"},
		{"readiness=tcp://h:http\n", "4: readiness=tcp://h:http: invalid literal for int() with base 10: 'http' (use a port from 1 to 65535)"},
		{"readiness=tcp://:80\n", "4: readiness=tcp://:80: the address has no host (use tcp://HOST:PORT, such as tcp://127.0.0.1:2379 or tcp://[::1]:2379)"},
		{"readiness=tcp:h:80\n", "4: readiness=tcp:h:80: tcp: has no // behind it (use tcp://HOST:PORT, such as tcp://127.0.0.1:2379 or tcp://[::1]:2379)"},
		{"readiness=exec:a 'b\n", "4: readiness=exec:a 'b: No closing quotation (use words as in command=, with quotes in pairs)"},
		{"readiness=exec:\n", "4: readiness: exec: names no command (use words as in command=, with quotes in pairs)"},
		{"readiness=file:\n", "4: readiness: file: names no path (use file:PATH)"},
		{"readiness=output:\n", "4: readiness: output: names no regular expression (use output:REGEXP, such as output:^ready)"},
		{"readiness=output:(a\n", "4: readiness=output:(a: the regular expression does not compile: missing closing ): `(a` (use the syntax of Go's package regexp (RE2))"},
		{"liveness=notify\n", "4: liveness=notify: it tells once that it is ready, and not that it is still alive (use watchdog_secs= for a program that says WATCHDOG=1, else " + kinds},
		{"liveness=output:x\n", "4: liveness=output:x: a line tells that it was alive once, and not that it still is (use " + kinds},

		{"readiness_period_secs=1\nliveness_tls_ca=/x\nstart_timeout_secs=1\n",
			"4: readiness_period_secs=1: there is no readiness= that it could be for (add a line readiness=, or remove it)\n" +
				"5: liveness_tls_ca=/x: there is no liveness= that it could be for (add a line liveness=, or remove it)\n" +
				"6: start_timeout_secs=1: there is no readiness= that it could be for (add a line readiness=, or remove it)"},
		{"liveness_signal=ABRT\nwatchdog_secs=0\n", "4: liveness_signal=ABRT: nothing finds out whether it is alive (add a line liveness= or watchdog_secs=, or remove it)"},
		{"watchdog_secs=1\nliveness_signal=0\n", "5: liveness_signal: 0 is no signal that a process notices (use a signal's name or number, such as TERM or 15)"},
		{"watchdog_secs=-1\n", "4: watchdog_secs=-1: it can't be negative (use a whole number of seconds, such as 10)"},
		{"readiness=notify\nreadiness_period_secs=1\nreadiness_timeout_secs=1\nreadiness_http_body=x\n",
			"6: readiness_timeout_secs=1: it is not for a check of the kind notify (remove it)\n5: readiness_period_secs=1: it is not for a check of the kind notify (remove it)\n" +
				"7: readiness_http_body=x: it is not for a check of the kind notify (remove it)"},
		{"readiness=output:x\nreadiness_failure_threshold=1\n", "5: readiness_failure_threshold=1: it is not for a check of the kind output (remove it)"},
		{"liveness=tcp://h:1\nliveness_http_header=A: b\n", "5: liveness_http_header=A: b: it is not for a check of the kind tcp (remove it)"},
		{"liveness=http://h\nliveness_tls_verify=true\n", "5: liveness_tls_verify=true: it is not for a check of the kind http (remove it)"},
		{"readiness=https://h\nreadiness_tls_cert=/c\n", "5: readiness_tls_cert=/c: a certificate is of no use without its key (add a line readiness_tls_key=)"},
		{"readiness=https://h\nreadiness_tls_key=/c\n", "5: readiness_tls_key=/c: a key is of no use without its certificate (add a line readiness_tls_cert=)"},
		{"liveness=https://h\nliveness_tls_ca=/c\nliveness_tls_verify=false\n", "5: liveness_tls_ca=/c: nobody looks at it with liveness_tls_verify=false (remove one of the two)"},
		{"readiness=http://h\nreadiness_http_header=A\n", `5: readiness_http_header: "A" is no header (use Name: value, each header on a line of its own)`},
		{"readiness=http://h\nreadiness_http_header=A B: c\n", `5: readiness_http_header: "A B: c" is no header (use Name: value, each header on a line of its own)`},
		{"liveness=http://h\nliveness_period_secs=0\nliveness_timeout_secs=0\nliveness_failure_threshold=0\nliveness_initial_delay_secs=-1\n",
			"8: liveness_initial_delay_secs=-1: it can't be negative (use a whole number of seconds, such as 10)\n" +
				"5: liveness_period_secs=0: it must be 1 or more (use a whole number of seconds, such as 10)\n" +
				"6: liveness_timeout_secs=0: it must be 1 or more (use a whole number of seconds, such as 10)\n" +
				"7: liveness_failure_threshold=0: it must be 1 or more (use a whole number, such as 3)"},
		{"liveness=http://h\nliveness_success_threshold=2\n", "5: liveness_success_threshold=2: one success is enough to be alive (remove it)"},
		{"liveness=http://h\nliveness_success_threshold=0\n", "5: liveness_success_threshold=0: it must be 1 or more (use a whole number, such as 3)"},

		{"oneshot=true\nautorestart=true\n", "5: autorestart=true: a oneshot program that has exited as expected is done, and not started again (use unexpected or false, or remove oneshot=true)"},
		{"oneshot=true\nreadiness=notify\nliveness=tcp://h:1\nwatchdog_secs=3\n",
			"5: readiness=notify: a oneshot program is up when it has exited as expected (remove it, or oneshot=true)\n" +
				"6: liveness=tcp://h:1: a oneshot program is up when it has exited as expected (remove it, or oneshot=true)\n" +
				"7: watchdog_secs=3: a oneshot program is up when it has exited as expected (remove it, or oneshot=true)"},
		{"reload_command=x\nreload_signal=HUP\n", "5: reload_signal=HUP: it is reloaded by reload_command already (remove one of the two)"},
		{"reload_signal=0\n", "4: reload_signal: 0 is no signal that a process notices (use a signal's name or number, such as TERM or 15)"},
		{"pre_start_command=a \"b\n", `4: pre_start_command=a "b: No closing quotation (use words as in command=, with quotes in pairs)`},
		{"stop_command=x\nhook_timeout_secs=5\n",
			"5: hook_timeout_secs=5: there is no command that it could be for: pre_start_command, post_stop_command or reload_command (add one of these, or remove it)"},
		{"reload_command=x\nhook_timeout_secs=0\n", "5: hook_timeout_secs=0: it must be 1 or more (use a whole number of seconds, such as 10)"},
	} {
		_, err := loadWeb(t, tt.options)
		if err == nil {
			t.Errorf("%q: got no error", tt.options)
			continue
		}
		got := strings.ReplaceAll(err.Error(), " [program:web]", "")
		got = strings.ReplaceAll(got, filepath.Dir(err.(Errors)[0].File)+"/supervisord.conf:", "")
		if a, b := sortedLines(tt.want), sortedLines(got); a != b {
			t.Errorf("%q: got\n%s\nwant\n%s", tt.options, b, a)
		}
	}
}

func sortedLines(text string) string {
	lines := strings.Split(text, "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// What stands in [DEFAULT] is for those programs that have a check of that kind.
func TestHealthOfDefault(t *testing.T) {
	cfg := loadGood(t, `[DEFAULT]
readiness_period_secs=3
readiness_http_body=ok
readiness_tls_verify=false
liveness_failure_threshold=9
liveness_signal=ABRT
hook_timeout_secs=5
[supervisord]
[program:a]
command=x
[program:b]
command=x
readiness=tcp://h:1
[program:c]
command=x
readiness=notify
[program:d]
command=x
readiness=https://h
[program:e]
command=x
readiness=http://h
`)
	tcp := Check{Kind: CheckTCP, Target: "h:1", PeriodSecs: 3, TimeoutSecs: 1, SuccessThreshold: 1, FailureThreshold: 3}
	https, http := tcp, tcp
	https.Kind, https.Target, https.HTTP = CheckHTTP, "https://h", HTTPCheck{Body: "ok", NoVerify: true}
	http.Kind, http.Target, http.HTTP = CheckHTTP, "http://h", HTTPCheck{Body: "ok"}
	var got []*Check
	for _, g := range cfg.Groups {
		got = append(got, g.Processes[0].Health.Ready)
	}
	if diff := cmp.Diff([]*Check{nil, &tcp, {Kind: CheckNotify}, &https, &http}, got); diff != "" {
		t.Error(diff)
	}
	if p := cfg.Groups[0].Processes[0]; p.Health != (Health{}) || p.Hooks != (Hooks{}) {
		t.Errorf("a program without any of it has %+v, %+v", p.Health, p.Hooks)
	}
}

func TestHealthOfEachProcess(t *testing.T) {
	cfg := loadGood(t, `[supervisord]
[program:a]
command=x
numprocs=2
process_name=%(process_num)d
readiness=tcp://h:90%(process_num)02d
liveness=exec:check %(process_num)d
reload_command=%(program_name)s-ctl %(process_num)d
depends_on=b:%(process_num)d
[program:b]
command=x
numprocs=2
process_name=%(process_num)d
`)
	for i, want := range []string{"h:9000 check 0 a-ctl 0 b:0", "h:9001 check 1 a-ctl 1 b:1"} {
		p := cfg.Groups[0].Processes[i]
		got := strings.Join([]string{p.Health.Ready.Target, p.Health.Live.Target, p.Hooks.Reload, p.DependsOn[0].Group + ":" + p.DependsOn[0].Name}, " ")
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func FuzzCheck(f *testing.F) {
	for _, text := range []string{"notify", "http://h:1/x", "https://[::1]/", "tcp://[::1]:2379", "tcp://h:1", "exec:a 'b'", "file:~/x", "output:^a$", "http://%zz"} {
		f.Add(text, "A: b\nC:")
	}
	h := &host{env: map[string]string{"HOME": "/home/x"}}
	f.Fuzz(func(t *testing.T, text, headers string) {
		ready, err := parseTarget(h, text)
		live, liveErr := parseLiveTarget(h, text)
		waits := ready.kind == CheckNotify || ready.kind == CheckOutput
		switch {
		case err != nil && liveErr == nil, err == nil && (liveErr != nil) != waits:
			t.Errorf("%q: %v as readiness, %v as liveness", text, err, liveErr)
		case err == nil && !waits && ready != live:
			t.Errorf("%q: %+v as readiness, %+v as liveness", text, ready, live)
		case err == nil && (ready.text == "") != (ready.kind == CheckNotify):
			t.Errorf("%q: got %+v", text, ready)
		}
		if err == nil && (ready.kind == CheckTCP || ready.kind == CheckHTTP) {
			// What is read can be read again.
			again := ready.text
			if ready.kind == CheckTCP {
				again = "tcp://" + again
			}
			if second, err := parseTarget(h, again); err != nil || second != ready {
				t.Errorf("%q: got %+v, and then %+v, %v", text, ready, second, err)
			}
		}
		list, err := parseHeaders(headers)
		if err != nil {
			return
		}
		var lines string
		for _, pair := range list {
			lines += pair[0] + ": " + pair[1] + "\n"
		}
		if again, err := parseHeaders(lines); err != nil || !cmp.Equal(list, again) {
			t.Errorf("%q: got %q, and then %q, %v", headers, list, again, err)
		}
	})
}

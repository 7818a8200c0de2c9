package rpc

import (
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast/internal/config"
	"holdfast/internal/process"
	"holdfast/internal/supervisor"
	"holdfast/internal/xmlrpc"
)

// Ours come behind the original's, which are what they always were.
func TestDetails(t *testing.T) {
	up := supervisor.Info{
		Name: "p", Group: "g", State: process.Running, PID: 42,
		Start: time.Unix(1000, 0), Stop: time.Unix(900, 0), Now: time.Unix(1061, 0),
		NotReady: "status 500", ReadySince: time.Unix(1050, 0), Status: "compacting",
		LastExit: &process.ExitStatus{Signal: syscall.SIGKILL, After: syscall.SIGKILL}, Restarts: 3,
		Config: &config.Process{
			DependsOn: []config.Dependency{{Group: "etcd", Name: "etcd"}, {Group: "g", Name: "q"}},
			Health: config.Health{Ready: &config.Check{Kind: config.CheckHTTP, Target: "https://127.0.0.1:6443/readyz"},
				Live: &config.Check{Kind: config.CheckTCP, Target: "127.0.0.1:6443"}, WatchdogSecs: 30},
			Hooks: config.Hooks{ReloadSignal: syscall.SIGHUP},
		},
	}
	held := supervisor.Info{Name: "p", Group: "p", State: process.Starting, Waiting: "waiting for etcd (STOPPED)", Next: time.Unix(2000, 0), Config: &config.Process{}}
	for _, tt := range []struct {
		rule string
		info supervisor.Info
		want xmlrpc.Struct
	}{
		{"all there is", up, xmlrpc.Struct{
			entry("ready", false), entry("not_ready", "status 500"), entry("ready_since", int64(1050)), entry("waiting", ""),
			entry("status", "compacting"), entry("main_pid", 43), entry("main_command", "main of p"),
			entry("last_exit", "terminated by SIGKILL (sent by supervisord)"), entry("restarts", 3), entry("next", int64(0)),
			entry("readiness", "https://127.0.0.1:6443/readyz"), entry("liveness", "tcp://127.0.0.1:6443, watchdog_secs=30"),
			entry("reload", "SIGHUP"), entry("depends_on", list{"etcd", "g:q"})}},
		{"next to nothing", held, xmlrpc.Struct{
			entry("ready", false), entry("not_ready", ""), entry("ready_since", int64(0)), entry("waiting", "waiting for etcd (STOPPED)"),
			entry("status", ""), entry("main_pid", 1), entry("main_command", "main of p"),
			entry("last_exit", ""), entry("restarts", 0), entry("next", int64(2000)),
			entry("readiness", ""), entry("liveness", ""), entry("reload", ""), entry("depends_on", list{})}},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			s := newServer(&fakeAPI{info: tt.info}, fakeDaemon{})
			invoke := func(method string, params ...any) any {
				v, err := s.invoke(t.Context(), method, params)
				if err != nil {
					t.Fatal(err)
				}
				return v
			}
			got := invoke("holdfast.getProcessInfo", "p").(xmlrpc.Struct)
			originals := len(got) - len(tt.want)
			if diff := cmp.Diff(invoke("supervisor.getProcessInfo", "p"), any(got[:originals])); diff != "" {
				t.Errorf("- supervisor.getProcessInfo, + the first of ours:\n%s", diff)
			}
			if diff := cmp.Diff(tt.want, got[originals:]); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if diff := cmp.Diff(list{got}, invoke("holdfast.getAllProcessInfo")); diff != "" {
				t.Errorf("- one, + all:\n%s", diff)
			}
		})
	}
}

func TestCheckText(t *testing.T) {
	for want, c := range map[string]*config.Check{
		"":                   nil,
		"notify":             {Kind: config.CheckNotify},
		"http://h/":          {Kind: config.CheckHTTP, Target: "http://h/"},
		"tcp://h:1":          {Kind: config.CheckTCP, Target: "h:1"},
		"exec:/bin/true x":   {Kind: config.CheckExec, Target: "/bin/true x"},
		"file:/run/up":       {Kind: config.CheckFile, Target: "/run/up"},
		`output:^ready \d+$`: {Kind: config.CheckOutput, Target: `^ready \d+$`},
	} {
		if got := checkText(c); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got := livenessText(&config.Health{WatchdogSecs: 3}); got != "watchdog_secs=3" {
		t.Errorf("got %q for a watchdog alone", got)
	}
	if got := reloadText(&config.Hooks{Reload: "nginx -s reload"}); got != "exec:nginx -s reload" {
		t.Errorf("got %q for a command", got)
	}
}

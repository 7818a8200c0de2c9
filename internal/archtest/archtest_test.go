package archtest

import (
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

func TestHouse(t *testing.T) {
	f, err := read(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(f.packages, "internal/archtest") {
		t.Fatalf("the module's packages were not found; got %v", f.packages)
	}
	for _, v := range check(f) {
		t.Error(v)
	}
}

// TestTables holds the tables themselves together: a misspelt room would forbid or allow nothing.
func TestTables(t *testing.T) {
	known := map[string]bool{}
	for _, r := range rooms {
		known[r] = true
	}
	seen := map[string]bool{}
	for _, a := range mayImport {
		if !known[a.from] || seen[a.from] {
			t.Errorf("mayImport: row %q is of no room, or is there twice", a.from)
		}
		seen[a.from] = true
		for _, to := range a.to {
			if !known[to] && rooms[to] == "" {
				t.Errorf("mayImport: row %q names %q, which is neither a room nor a package", a.from, to)
			}
		}
		if a.why == "" {
			t.Errorf("mayImport: row %q has no reason", a.from)
		}
	}
	for r := range known {
		if !seen[r] {
			t.Errorf("mayImport: room %q has no row", r)
		}
	}
	where := func(what string, names []string) {
		for _, n := range names {
			if !known[n] && rooms[n] == "" {
				t.Errorf("%s: %q is neither a room nor a package", what, n)
			}
		}
	}
	for _, b := range importBans {
		where("importBans", b.in)
		where("importBans", b.except)
		if b.why == "" {
			t.Errorf("importBans: %v has no reason", b.paths)
		}
	}
	for _, b := range useBans {
		where("useBans", b.in)
		where("useBans", b.except)
		if b.why == "" {
			t.Errorf("useBans: %v has no reason", b.uses)
		}
	}
}

// TestCheck runs the check over small houses: a rule that never fires holds nothing.
func TestCheck(t *testing.T) {
	tests := []struct {
		name, file, src string
		want            string // what the only violation begins with after the position; "" is none
	}{
		{"cmd may import daemon", "cmd/supervisord/main.go", `import "holdfast/internal/daemon"`, ""},
		{"cmd may not reach past daemon", "cmd/supervisord/main.go", `import "holdfast/internal/supervisor"`,
			"cmd/supervisord (cmd) imports internal/supervisor (loop)"},
		{"nothing but cmd imports daemon", "internal/rpc/a.go", `import "holdfast/internal/daemon"`,
			"internal/rpc (face) imports internal/daemon (daemon)"},
		{"a face may call the supervisor", "internal/rpc/a.go", `import "holdfast/internal/supervisor"`, ""},
		{"a face may not import a face", "internal/web/a.go", `import "holdfast/internal/rpc"`,
			"internal/web (face) imports internal/rpc (face)"},
		{"a face may not import a hand", "internal/web/a.go", `import "holdfast/internal/capture"`,
			"internal/web (face) imports internal/capture (hand)"},
		{"a face may read logs through the ground", "internal/web/a.go", `import "holdfast/internal/logread"`, ""},
		{"ctl may import the public client", "internal/ctl/a.go", `import "holdfast/client"`, ""},
		{"ctl may not import the loop", "internal/ctl/a.go", `import "holdfast/internal/supervisor"`,
			"internal/ctl (ctl) imports internal/supervisor (loop)"},
		{"the loop may not import a hand", "internal/supervisor/a.go", `import "holdfast/internal/launch"`,
			"internal/supervisor (loop) imports internal/launch (launch)"},
		{"the loop may not import os", "internal/supervisor/a.go", `import "os"`,
			"internal/supervisor imports os"},
		{"the loop may use a signal's type", "internal/supervisor/a.go", `import "syscall"; var s = syscall.Signal(9)`, ""},
		{"the loop may not call the system", "internal/supervisor/a.go", `import "syscall"; var f, err = syscall.Open("x", 0, 0)`,
			"internal/supervisor uses syscall.Open"},
		{"the loop may not set a timer a process", "internal/supervisor/a.go", `import "time"; var t = time.AfterFunc(1, nil)`,
			"internal/supervisor uses time.AfterFunc"},
		{"a hand may not import the loop", "internal/child/a.go", `import "holdfast/internal/supervisor"`,
			"internal/child (hand) imports internal/supervisor (loop)"},
		{"a hand may take the machine's types", "internal/launch/a.go", `import "holdfast/internal/process"`, ""},
		{"ground may not import config", "internal/logfile/a.go", `import "holdfast/internal/config"`,
			"internal/logfile (ground) imports internal/config (config)"},
		{"the public client may import the codec", "client/a.go", `import "holdfast/internal/xmlrpc"`, ""},
		{"the public client may not import config", "client/a.go", `import "holdfast/internal/config"`,
			"client (public) imports internal/config (config)"},
		{"childutils may import the public client", "childutils/a.go", `import "holdfast/client"`, ""},
		{"childutils may not import the events", "childutils/a.go", `import "holdfast/internal/event"`,
			"childutils (public) imports internal/event (pure)"},
		{"config may take the names of the event types", "internal/config/a.go", `import "holdfast/internal/event"`, ""},
		{"config may not import the pools", "internal/config/a.go", `import "holdfast/internal/listener"`,
			"internal/config (config) imports internal/listener (pure)"},
		{"pidproxy imports nothing of ours", "cmd/pidproxy/a.go", `import "holdfast/internal/launch"`,
			"cmd/pidproxy (pidproxy) imports internal/launch (launch)"},
		{"nothing imports the benchmarks", "internal/ctl/a.go", `import "holdfast/bench"`,
			"internal/ctl (ctl) imports bench (outside)"},
		{"a package below another is in its room", "internal/process/sub/a.go", `import "os"`,
			"internal/process/sub imports os"},
		{"a package must be in a room", "internal/util/a.go", ``, "internal/util: is in no room"},

		{"a pure package may not import os", "internal/process/a.go", `import "os"`, "internal/process imports os"},
		{"a pure package may not import os/signal", "internal/process/a.go", `import "os/signal"`, "internal/process imports os/signal"},
		{"a pure package may not import sync/atomic", "internal/event/a.go", `import "sync/atomic"`, "internal/event imports sync/atomic"},
		{"a pure package may not import net", "internal/listener/a.go", `import "net"`, "internal/listener imports net"},
		{"a pure package may use a signal's type", "internal/process/a.go",
			`import "syscall"; var s syscall.Signal = syscall.SIGTERM; var n = syscall.Signal(9)`, ""},
		{"a pure package may not call the system", "internal/process/a.go",
			`import "syscall"; var pid = syscall.Getpid()`, "internal/process uses syscall.Getpid"},
		{"a pure package may take a time", "internal/process/a.go",
			`import "time"; func f(now time.Time) time.Duration { return now.Sub(now) }`, ""},
		{"a pure package may not ask for the time", "internal/process/a.go",
			`import "time"; var now = time.Now()`, "internal/process uses time.Now"},
		{"nor pass the clock on", "internal/process/a.go",
			`import "time"; var clock = time.Now`, "internal/process uses time.Now"},
		{"nor under another name", "internal/process/a.go",
			`import clock "time"; var now = clock.Now()`, "internal/process uses time.Now"},
		{"a variable named as a package is no use of it", "internal/process/a.go",
			`import _ "time"; func f(time struct{ Now int }) int { return time.Now }`, ""},
		{"a pure package may not start a goroutine", "internal/process/a.go",
			`func f() { go f() }`, "internal/process uses go"},
		{"a pure package may name a log level", "internal/process/a.go", `import "holdfast/internal/dlog"`, ""},
		{"a pure package may not use the rest of the ground", "internal/process/a.go", `import "holdfast/internal/logfile"`,
			"internal/process (pure) imports internal/logfile (ground)"},
		{"a test of a pure package may do it all", "internal/process/a_test.go",
			`import "os"; var pid = os.Getpid()`, ""},

		{"os/exec is for tests", "internal/launch/a.go", `import "os/exec"`, "internal/launch imports os/exec"},
		{"os/exec in a test", "internal/launch/a_test.go", `import "os/exec"`, ""},
		{"os/exec in pidproxy", "cmd/pidproxy/a.go", `import "os/exec"`, ""},
		{"launch waits", "internal/launch/a.go", `import "syscall"; var f = syscall.Wait4`, ""},
		{"only launch waits", "internal/child/a.go", `import "syscall"; var f = syscall.Wait4`,
			"internal/child uses syscall.Wait4"},
		{"only launch signals", "internal/daemon/a.go", `import "golang.org/x/sys/unix"; var _ = unix.Kill(1, 0)`,
			"internal/daemon uses unix.Kill"},
		{"not by a raw number either", "internal/child/a.go", `import "syscall"; var n = syscall.SYS_VFORK`,
			"internal/child uses syscall.SYS_VFORK"},
		{"only a main ends the process", "internal/rpc/a.go", `import "os"; func f() { os.Exit(1) }`,
			"internal/rpc uses os.Exit"},
		{"Prometheus is in metrics", "internal/metrics/a.go", `import "github.com/prometheus/client_golang/prometheus"`, ""},
		{"Prometheus is nowhere else", "internal/web/a.go", `import "github.com/prometheus/client_golang/prometheus"`,
			"internal/web imports github.com/prometheus/client_golang/prometheus"},
		{"no cgo", "internal/launch/a.go", `import "C"`, "internal/launch imports C"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			src := "package a\n" + strings.ReplaceAll(tt.src, "; ", "\n")
			f, err := read(fstest.MapFS{tt.file: {Data: []byte(src)}})
			if err != nil {
				t.Fatal(err)
			}
			got := check(f)
			if tt.want == "" {
				if len(got) != 0 {
					t.Fatalf("got %q, want nothing", got)
				}
				return
			}
			if len(got) != 1 || !strings.Contains(got[0], tt.want) {
				t.Fatalf("got %q, want one with %q", got, tt.want)
			}
		})
	}
}

package child

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"holdfast/internal/config"
	"holdfast/internal/launch"
)

func TestMainProcess(t *testing.T) {
	k := newRig(t)
	waits := k.command("wait")
	for _, tt := range []struct {
		rule, command string
		want          string // how its command line begins
		behind        bool   // it is another process than the one that was started
		children      int    // of that one
	}{
		{"a program is its own", waits + " 'a b' \x01", waits + ` a b \x01`, false, 0},
		{"behind a shell", `/bin/sh -c "` + waits + ` x; true"`, waits + " x", true, 1},
		{"behind a shell behind a shell", `/bin/sh -c "/bin/sh -c '` + waits + `; true'; true"`, waits, true, 1},
		{"a shell with two children is itself", `/bin/sh -c "` + waits + ` | ` + waits + `; true"`, "/bin/sh -c", false, 2},
		{"a program that is no wrapper is itself", k.command("family") + " wait", k.command("family") + " wait", false, 1},
		{"a long command line is cut", waits + " " + strings.Repeat("x", 300), waits + " xxx", false, 0},
	} {
		spawn := k.spawn(&config.Process{Name: "web", Group: "site", Command: tt.command, KillAsGroup: true})
		pid := k.spawned(spawn)
		var main int
		var command string
		k.eventually(tt.rule, func() bool {
			if len(launch.Children()[pid]) != tt.children {
				return false
			}
			main, command = new(Mains).Of(pid, 0)
			return strings.HasPrefix(command, tt.want) && (main != pid) == tt.behind
		})
		if len(command) > 200 || strings.Contains(tt.rule, "cut") != strings.HasSuffix(command, "xxx...") {
			t.Errorf("%s: %q", tt.rule, command)
		}
	}
	// What a process says of itself counts.
	if main, command := new(Mains).Of(1, os.Getpid()); main != os.Getpid() || !strings.Contains(command, "child.test") {
		t.Errorf("got %d %q for the one that was said", main, command)
	}
	if main, _ := new(Mains).Of(os.Getpid(), 1<<22+1); main != os.Getpid() {
		t.Errorf("got %d for one that has named a process that there is not", main)
	}
	if _, command := new(Mains).Of(1<<22+1, 0); command != "" {
		t.Errorf("got %q for a process that there is not", command)
	}
}

func TestWholeRunes(t *testing.T) {
	for text, want := range map[string]string{"": "", "a": "a", "aé": "aé", "a\xc3": "a", "a\xe4\xb8": "a", "中": "中", "\xf0\x9f\x98": "", "a\xff": "a\xff"} {
		if got := string(wholeRunes([]byte(text))); got != want {
			t.Errorf("%s: got %q, want %q", strconv.Quote(text), got, want)
		}
	}
}

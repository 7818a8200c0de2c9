package child

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"holdfast/internal/process"
)

func countOOM(t *testing.T, file string, kills int) {
	t.Helper()
	if err := os.WriteFile(file, fmt.Appendf(nil, "low 0\noom 3\noom_kill %d\noom_group_kill 9\n", kills), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestWhatTheKernelKills(t *testing.T) {
	file := filepath.Join(t.TempDir(), "memory.events")
	o := &oomCount{file: file}
	killed := process.ExitStatus{Signal: syscall.SIGKILL}
	for _, step := range []struct {
		rule   string
		kills  int // as the kernel counts
		before int64
		status process.ExitStatus
		want   bool
	}{
		{"nothing was killed", 2, 2, killed, false},
		{"one was", 3, 2, killed, true},
		{"it explains one end only", 3, 2, killed, false},
		{"two at once", 5, 3, killed, true},
		{"and the second", 5, 3, killed, true},
		{"and no third", 5, 3, killed, false},
		{"one of before its start is none of its", 6, 6, killed, false},
		{"our own signal explains itself", 7, 6, process.ExitStatus{Signal: syscall.SIGKILL, After: syscall.SIGKILL}, false},
		{"another signal of ours does not", 7, 6, process.ExitStatus{Signal: syscall.SIGKILL, After: syscall.SIGHUP}, true},
		{"a shell's word for it", 8, 6, process.ExitStatus{Code: 137}, true},
		{"another end", 9, 6, process.ExitStatus{Signal: syscall.SIGTERM}, false},
		{"another exit", 9, 6, process.ExitStatus{Code: 9}, false},
		{"an end that nobody saw", 9, 6, process.ExitStatus{Unknown: true, Signal: syscall.SIGKILL}, false},
	} {
		countOOM(t, file, step.kills)
		if got := o.explains(step.status, step.before); got != step.want {
			t.Errorf("%s: got %v", step.rule, got)
		}
	}
	for _, file := range []string{"", filepath.Join(t.TempDir(), "none")} {
		if none := (&oomCount{file: file}); none.explains(killed, none.now()) {
			t.Errorf("%q: got an explanation from nothing", file)
		}
	}
}

func TestAnEndIsReportedWithItsReason(t *testing.T) {
	file := filepath.Join(t.TempDir(), "memory.events")
	countOOM(t, file, 7)
	k := newRigWith(t, func(o *Options) { o.OOMFile = file })
	spawn := k.spawn(k.program("wait"))
	pid := k.spawned(spawn)
	k.logged("out.log", "ready")
	k.Signal(spawn, syscall.SIGCONT, false)
	countOOM(t, file, 8)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if got, want := k.ended(spawn).Status, (process.ExitStatus{Signal: syscall.SIGKILL, After: syscall.SIGCONT, OOM: true}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

package launch

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"holdfast/internal/process"
)

func TestGroupIsAwaitedWhenItsLeaderIsGone(t *testing.T) {
	if err := Subreaper(); err != nil {
		t.Fatal(err)
	}
	c := start(t, Spec{Group: true}, "leave-member", "ignore-term")
	pid := c.number("member ")
	if e := c.wait(); !e.groupAlive {
		t.Fatalf("got %+v, want its group alive", e)
	}
	if line := c.line(); line != "ready" {
		t.Fatalf("the member says %q", line)
	}
	if got, _ := Members(c.PID()); len(got) != 1 || got[0].PID != pid || got[0].Name == "" {
		t.Errorf("members %v, want one with pid %d", got, pid)
	}
	if err := c.Signal(syscall.SIGTERM, false); err != syscall.ESRCH {
		t.Errorf("a signal to the leader that is gone: %v", err)
	}
	if err := c.Signal(syscall.SIGTERM, true); err != nil {
		t.Errorf("TERM to the group: %v", err)
	}
	if got, _ := Members(c.PID()); len(got) != 1 {
		t.Errorf("members %v, want the one that ignores TERM", got)
	}
	if err := c.Signal(syscall.SIGKILL, true); err != nil {
		t.Errorf("KILL to the group: %v", err)
	}
	receive(t, "end of the group", c.gone)
	if err := c.Signal(syscall.SIGKILL, true); err != syscall.ESRCH {
		t.Errorf("KILL to the empty group: %v", err)
	}
}

func TestGroupIsNotAwaitedUnasked(t *testing.T) {
	c := start(t, Spec{}, "leave-member", "wait")
	pid := c.number("member ")
	if e := c.wait(); !e.groupAlive {
		t.Errorf("got %+v, want the group to be seen alive", e)
	}
	if err := c.Signal(syscall.SIGTERM, true); err != syscall.ESRCH {
		t.Errorf("a signal to a group that is not awaited: %v", err)
	}
	syscall.Kill(pid, syscall.SIGKILL)
}

// The last member is a zombie that its parent never waits for, so no reaping of ours tells that
// the group has ended. That is looked for once the group was told to end.
func TestGroupOfZombiesIsGone(t *testing.T) {
	c := start(t, Spec{Group: true}, "leave-held-zombie")
	holder := c.number("holder ")
	defer syscall.Kill(holder, syscall.SIGKILL)
	c.stdin.Close()
	if e := c.wait(); !e.groupAlive {
		t.Errorf("got %+v, want the zombie to count at first", e)
	}
	if got, _ := Members(c.PID()); len(got) != 0 {
		t.Errorf("living members %v", got)
	}
	if err := c.Signal(syscall.SIGTERM, true); err != nil {
		t.Errorf("TERM to the group: %v", err)
	}
	receive(t, "end of the group", c.gone)
}

func TestOrphansAreReaped(t *testing.T) {
	if err := Subreaper(); err != nil {
		t.Fatal(err)
	}
	type orphan struct {
		pid    int
		status process.ExitStatus
	}
	orphans := make(chan orphan, 10)
	OnOrphan(func(pid int, s process.ExitStatus) { orphans <- orphan{pid, s} })
	defer OnOrphan(nil)
	c := start(t, Spec{}, "leave-member", "wait")
	pid := c.number("member ")
	c.wait()
	c.line()
	syscall.Kill(pid, syscall.SIGTERM)
	want := orphan{pid, process.ExitStatus{Signal: syscall.SIGTERM}}
	for got := receive(t, "orphan", orphans); got != want; got = receive(t, "orphan", orphans) {
		t.Logf("another orphan: %v", got) // of an earlier test
	}
}

func TestAThousandKilledAtOnceAreReportedOnceEach(t *testing.T) {
	const n = 1000
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(null)
	var mu sync.Mutex
	ends := make([]int, n)
	done := make(chan struct{}, 2*n)
	var children []*Process
	for i := range n {
		p, err := Start(Spec{Path: "/bin/sleep", Args: []string{"sleep", "1000"}, Files: [3]int{null, null, null}, Group: true,
			Exited: func(s process.ExitStatus, alive bool) {
				mu.Lock()
				ends[i]++
				mu.Unlock()
				if s.Signal != syscall.SIGKILL || alive {
					t.Errorf("child %d: %+v, group alive %v", i, s, alive)
				}
				done <- struct{}{}
			}, GroupGone: func() { t.Errorf("child %d: GroupGone unasked", i) }})
		if err != nil {
			t.Fatal(err)
		}
		children = append(children, p)
	}
	for _, p := range children {
		if err := p.Signal(syscall.SIGKILL, true); err != nil {
			t.Error(err)
		}
	}
	for range n {
		receive(t, "exit", done)
	}
	mu.Lock()
	defer mu.Unlock()
	if i := slices.IndexFunc(ends, func(k int) bool { return k != 1 }); i >= 0 {
		t.Errorf("child %d was reported %d times", i, ends[i])
	}
	members, _ := Members(os.Getpid())
	for _, m := range members {
		_ = m // the scan goes through a /proc full of changes
	}
	if zombies := zombieChildren(t); len(zombies) > 0 {
		t.Errorf("zombies left: %v", zombies)
	}
}

func zombieChildren(t *testing.T) (list []string) {
	t.Helper()
	dir, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range dir {
		stat, err := os.ReadFile("/proc/" + e.Name() + "/stat")
		if err != nil {
			continue
		}
		_, rest, _ := strings.Cut(string(stat), ") ")
		if strings.HasPrefix(rest, fmt.Sprintf("Z %d ", os.Getpid())) {
			list = append(list, string(stat))
		}
	}
	return list
}

func TestStartsAndExitsRaceSafely(t *testing.T) {
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(null)
	bothWays(t, func(t *testing.T) {
		orphans := make(chan int, 1000)
		OnOrphan(func(pid int, _ process.ExitStatus) { orphans <- pid })
		defer OnOrphan(nil)
		exits := make(chan int, 1000)
		pids := make(map[int]int)
		var mu sync.Mutex
		var g sync.WaitGroup
		for range 8 {
			g.Go(func() {
				for range 50 {
					// It fails before exec, so that it ends as early as a child can.
					var p *Process
					started := make(chan struct{})
					p, err := Start(Spec{Path: "/no/such", Args: []string{"x"}, Files: [3]int{null, null, null},
						Exited: func(s process.ExitStatus, _ bool) {
							go func() { <-started; exits <- p.PID() }()
						}})
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					pids[p.PID()]++
					mu.Unlock()
					close(started)
				}
			})
		}
		g.Wait()
		for range 400 {
			pid := receive(t, "exit", exits)
			mu.Lock()
			pids[pid]--
			mu.Unlock()
		}
		for pid, n := range pids {
			if n != 0 {
				t.Errorf("pid %d: %d starts without an exit", pid, n)
			}
		}
		select {
		case pid := <-orphans:
			if _, ours := pids[pid]; ours {
				t.Errorf("our own pid %d was called an orphan", pid)
			}
		default:
		}
	})
}

func TestParseStat(t *testing.T) {
	rest := " 1 77 77 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 %s 0 100 0 0"
	line := func(head, threads string) string { return head + strings.Replace(rest, "%s", threads, 1) }
	for _, row := range []struct {
		name, in, comm string
		pgid           int
		alive          bool
	}{
		{"plain", line("12 (sleep) S", "1"), "sleep", 77, true},
		{"a name with blanks and parentheses", line("12 (a) S 1 (b)) R", "1"), "a) S 1 (b)", 77, true},
		{"a zombie", line("12 (sleep) Z", "1"), "sleep", 77, false},
		{"dead", line("12 (sleep) X", "0"), "sleep", 77, false},
		{"first thread gone, others live", line("12 (etcd) Z", "9"), "etcd", 77, true},
		{"many threads", line("12 (etcd) Z", "10"), "etcd", 77, true},
		{"cut off", "12 (sleep) S 1", "", 0, false},
		{"no name", "12", "", 0, false},
	} {
		comm, pgid, alive := parseStat([]byte(row.in))
		if comm != row.comm || pgid != row.pgid || alive != row.alive {
			t.Errorf("%s: got %q %d %v, want %q %d %v", row.name, comm, pgid, alive, row.comm, row.pgid, row.alive)
		}
	}
}

func TestErrnoName(t *testing.T) {
	for e, want := range map[syscall.Errno]string{syscall.ENOENT: "ENOENT", syscall.EWOULDBLOCK: "EAGAIN",
		syscall.EDEADLK: "EDEADLOCK", syscall.EOPNOTSUPP: "ENOTSUP", unix.EHWPOISON: "133", 4000: "4000"} {
		if got := ErrnoName(e); got != want {
			t.Errorf("%d: got %s, want %s", int(e), got, want)
		}
	}
}

package launch

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"holdfast/internal/process"
)

func TestATiedChildDiesWithUs(t *testing.T) {
	if err := Subreaper(); err != nil {
		t.Fatal(err)
	}
	for name, end := range map[string]func(*child){
		"killed": func(c *child) { c.Signal(syscall.SIGKILL, false); c.wait() },
		"exec":   func(c *child) { c.stdin.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			c := start(t, Spec{}, "tie")
			tied, free := c.number("child "), c.number("child ")
			defer syscall.Kill(free, syscall.SIGKILL)
			end(c)
			eventually(t, "the tied one is gone", func() bool { return !lives(tied) })
			if !lives(free) {
				t.Error("the other one is gone too")
			}
		})
	}
}

// lives tells whether the process is there and no zombie.
func lives(pid int) bool {
	s, err := look(pid)
	return err == nil && !s.zombie
}

// The kernel ties a child to the thread that has forked it, and a thread ends with the goroutine that
// is locked to it.
func TestATiedChildLivesAsLongAsWeDo(t *testing.T) {
	bothWays(t, func(t *testing.T) {
		c := start(t, Spec{Path: "/bin/cat", Args: []string{"cat"}, Tied: true}, "")
		before, _ := os.ReadDir("/proc/self/task")
		// All idle threads and more.
		var all, done sync.WaitGroup
		tids := make([]int, len(before)+10)
		all.Add(len(tids))
		for i := range tids {
			done.Go(func() {
				runtime.LockOSThread() // for good
				tids[i] = unix.Gettid()
				all.Done()
				all.Wait()
			})
		}
		done.Wait()
		for _, tid := range tids {
			if tid != os.Getpid() { // the first thread stays
				eventually(t, "the thread has ended", func() bool {
					_, err := os.Stat(fmt.Sprintf("/proc/self/task/%d", tid))
					return err != nil
				})
			}
		}
		fmt.Fprintln(c.stdin, "are you there?")
		if got := c.line(); got != "are you there?" {
			t.Errorf("got %q", got)
		}
		c.stdin.Close()
		if e := c.wait(); e != (exit{}) {
			t.Errorf("got %+v", e)
		}
	})
}

// A tied child does not start if we have died before it could be tied.
func TestATiedChildOfTheDeadEnds(t *testing.T) {
	bothWays(t, func(t *testing.T) {
		null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(null)
		s := Spec{Path: "/bin/cat", Args: []string{"cat"}, Tied: true, Files: [3]int{null, null, null}}
		plan, err := newPlan(&s, nil)
		if err != nil {
			t.Fatal(err)
		}
		plan.parent++ // as if it had another one by now
		reaper.Do(startReaper)
		ended := make(chan exit, 1)
		p := &Process{plan: plan, exited: func(s process.ExitStatus, alive bool) { ended <- exit{s, alive} }}
		table.Lock()
		table.starting[p] = true
		table.Unlock()
		if errno := fork(plan); errno != 0 {
			t.Fatal(errno)
		}
		wakeReaper()
		if e := receive(t, "exit", ended); e.Code != 127 {
			t.Errorf("got %+v", e)
		}
	})
}

// One that hangs in exec keeps its thread; the others have another one.
func TestATiedChildThatHangsHangsNobodyElse(t *testing.T) {
	if !haveVfork {
		t.Skip("nobody waits for an exec here")
	}
	path, letGo := hangingProgram(t)
	var hung []*child
	for range 3 {
		hung = append(hung, start(t, Spec{Path: path, Args: []string{"child:wait"}, Tied: true}, ""))
	}
	if e := start(t, Spec{Tied: true}, "exit", "3").wait(); e.Code != 3 {
		t.Errorf("got %+v", e)
	}
	letGo()
	for _, c := range hung {
		c.Signal(syscall.SIGKILL, true)
		c.wait()
	}
}

// Package launch starts, reaps and signals children. It is the only place that forks, waits and
// kills.
//
//	p, err := launch.Start(launch.Spec{Path: "/bin/sleep", Args: []string{"sleep", "1"}, ...,
//		Exited: func(s process.ExitStatus, groupAlive bool) { ... }})
//	p.Signal(syscall.SIGTERM, true) // true: the whole process group
//
// What goes wrong between fork and exec happens in the child, which says so on its fd 2, in the
// original's words, and exits with status 127. A child that hangs there (a directory on a dead
// mount) has a pid, counts as started and hangs nobody else.
//
// All state is the package's own and not that of some object, because the kernel's is: the
// children of a process are one set, and whoever waits for "any child" takes every exit there is.
// So nothing else in a process that uses this package may wait for children of its own; os/exec
// would lose its exit statuses to the reaper, which calls them orphans.
//
// One mutex makes signals safe. A pid stays taken until its process is waited for; that, and the
// look into the table before a signal, happen under the mutex. So a signal never goes to a stranger
// who got the pid next.
package launch

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/internal/process"
)

// A Spec is what to start.
type Spec struct {
	Path string   // the file to execute; a relative one is looked up after the change to Dir
	Args []string // Args[0] is the name the program sees
	Env  []string // all of it: nothing is inherited
	// Files become 0, 1 and 2. They stay the caller's to close.
	Files  [3]int
	UID    *int // nil: no change of user
	Dir    string
	DirSet bool // whether to change to Dir; an empty Dir is an error like any other
	Umask  *int // nil: inherited

	// Group asks for the end of the process group too: if it has members when the process is
	// reaped, GroupGone comes once it is empty.
	Group bool

	// Tied: the kernel kills it when this process ends or executes something else. Its own children
	// live on, and so does a program that is set-user-ID or has capabilities of its file.
	Tied bool

	// Cell, if not nil, is where the process is noted for whoever comes after this daemon.
	Cell  *Cell
	Spawn uint64 // the caller's number, for Cell

	// Exited also says whether the process group still has members. Exited and GroupGone are called
	// once each, on the reaper's goroutine or that of the watch on groups, possibly before Start
	// has returned, and GroupGone possibly before Exited returns. They must not block and must not
	// call this package.
	Exited    func(s process.ExitStatus, groupAlive bool)
	GroupGone func()
}

// A Process is one child.
type Process struct {
	plan      *plan         // nil once the program runs; guarded by table, as all that follows
	cell      *Cell         // nil: nobody will ask
	pidfd     *os.File      // of a process that was taken over; nil: there is none
	adopted   bool          // it was taken over
	poked     chan struct{} // a signal was sent; room for one, which says all. lookAgain takes it
	start     uint64        // and this is its start time; 0: not known
	pid       int           // 0: not known yet
	ended     bool          // waited for
	group     bool
	signalled bool // its group was sent a signal, so that somebody waits for its end
	watched   bool // its group has been under watch for a whole period
	exited    func(process.ExitStatus, bool)
	groupGone func()
}

// table holds who lives.
var table struct {
	sync.Mutex
	starting map[*Process]bool // forks under way
	running  map[int]*Process  // by pid: started and not yet waited for
	groups   map[int]*Process  // by process group: the leader is gone and the rest is awaited
	watching bool              // watchGroups runs
	orphan   func(pid int, s process.ExitStatus)
}

// execPatience is how long Start waits for the child's exec, which takes well below a millisecond
// unless a file system hangs.
const execPatience = 50 * time.Millisecond

// Start makes the process and returns it. An error means that there is none: the resource
// shortages of fork(2) as syscall.Errno, or a Spec that no kernel would take.
func Start(s Spec) (*Process, error) {
	var u *identity
	if s.UID != nil {
		u = lookup(*s.UID)
	}
	for i, fd := range s.Files {
		if fd > 2 {
			continue
		}
		high, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
		if err != nil {
			return nil, fmt.Errorf("cannot pass fd %d on: %w", fd, err)
		}
		defer unix.Close(high)
		s.Files[i] = high
	}
	plan, err := newPlan(&s, u)
	if err != nil {
		return nil, err
	}
	if s.Cell != nil {
		s.Cell.begin(s.Spawn)
	}
	p := &Process{plan: plan, cell: s.Cell, group: s.Group, exited: s.Exited, groupGone: s.GroupGone}
	reaper.Do(startReaper)

	// The fork has a goroutine of its own, which ends when the program runs, so that one hanging
	// in exec hangs a thread and nobody else.
	forked := make(chan syscall.Errno, 1)
	table.Lock()
	table.starting[p] = true
	table.Unlock()
	on := func(f func()) { go f() }
	if s.Tied {
		on = onLastingThread
	}
	on(func() {
		errno := fork(plan)
		table.Lock()
		p.know()
		p.plan = nil
		delete(table.starting, p)
		var stale *Process
		if errno == 0 {
			// The kernel gives no pid away that is still a group's: that group has ended.
			if stale = table.groups[p.pid]; stale == p {
				stale = nil
			} else {
				delete(table.groups, p.pid)
			}
			if !p.ended {
				table.running[p.pid] = p
			}
		}
		table.Unlock()
		if stale != nil {
			stale.groupGone()
		}
		forked <- errno
	})
	patience := time.NewTicker(execPatience)
	defer patience.Stop()
	var errno syscall.Errno
	for waiting := true; waiting; {
		select {
		case errno = <-forked:
			waiting = false
		case <-patience.C:
			waiting = p.PID() == 0
		}
	}
	if errno != 0 {
		return nil, errno
	}
	if s.Cell != nil {
		if start, err := Look(p.PID()); err == nil { // else it has ended, or Begun must do
			atomic.StoreUint64(&s.Cell.Start, start)
		}
	}
	wakeReaper()
	return p, nil
}

// know takes over the pid of a fork under way, once the kernel has told it. The table is locked.
func (p *Process) know() {
	if p.plan != nil {
		p.pid = int(atomic.LoadInt32(p.plan.pid))
	}
}

// started finds a process that is not waited for yet. The kernel tells a child's pid before the
// child runs, so whoever has ended and is ours is found. The table is locked.
func started(pid int) *Process {
	if p := table.running[pid]; p != nil {
		return p
	}
	for p := range table.starting {
		if p.know(); p.pid == pid {
			return p
		}
	}
	return nil
}

// PID is the process's id. It is for showing; signals go through Signal.
func (p *Process) PID() int {
	table.Lock()
	defer table.Unlock()
	p.know()
	return p.pid
}

// Signal sends sig to the process, or to its whole process group. Once the process has been waited
// for, only the group can be reached, and only while its end is awaited; otherwise the answer is
// ESRCH, as it is when the kernel finds nobody. An error that is Short says that it can't be told
// now whether an adopted process is still the one.
func (p *Process) Signal(sig syscall.Signal, group bool) error {
	table.Lock()
	defer table.Unlock()
	p.know()
	defer p.poke()
	switch {
	case p.pid <= 1: // kill(0), kill(-1) and the like reach everybody
		return syscall.ESRCH
	case p.ended && (!group || table.groups[p.pid] != p):
		return syscall.ESRCH
	}
	if err := p.stranger(); err != nil {
		return err
	}
	if group {
		p.signalled = true
		watch(p)
		// A child that has only just been made may not have its group yet, nor anybody to be in it.
		if err := syscall.Kill(-p.pid, sig); err != syscall.ESRCH || p.ended {
			return err
		}
	}
	return p.kill(sig)
}

// poke has an adopted process looked at soon, if that is how its end is seen.
func (p *Process) poke() {
	select {
	case p.poked <- struct{}{}:
	default: // it is nil, or full
	}
}

// OnOrphan sets who is told of waited-for processes that were not started here: those whose
// parents died and left them to this process. f is called on the reaper's goroutine and must not
// block; it may be nil. The reaper runs from the first call of this or of Start.
func OnOrphan(f func(pid int, s process.ExitStatus)) {
	table.Lock()
	table.orphan = f
	table.Unlock()
	reaper.Do(startReaper)
}

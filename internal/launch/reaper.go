package launch

import (
	"os"
	"os/signal"
	"runtime"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"holdfast/internal/process"
)

var (
	reaper sync.Once
	// wake tells a reaper that found no children that there may be one. Room for one: a wake that
	// is already waiting says all there is to say.
	wake = make(chan struct{}, 1)
)

// startReaper starts the goroutine that waits for every child there is, to the end of this
// process.
func startReaper() {
	table.Lock()
	table.starting = make(map[*Process]bool)
	table.running = make(map[int]*Process)
	table.groups = make(map[int]*Process)
	table.Unlock()
	go func() {
		for {
			if err := awaitAny(); err != nil {
				park()
				continue
			}
			for reap() {
			}
			// The next wait blocks this thread with the scheduler's P in its hand, until the
			// runtime's monitor takes it away, up to 10 ms later. On a machine with one CPU
			// whatever the calls above have made runnable would sit there that long.
			runtime.Gosched()
		}
	}()
}

func wakeReaper() {
	select {
	case wake <- struct{}{}:
	default:
	}
}

// awaitAny blocks until a child has ended, and leaves it a zombie: it must be waited for under the
// table's lock.
func awaitAny() error {
	for {
		err := unix.Waitid(unix.P_ALL, 0, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if err != syscall.EINTR {
			return err
		}
	}
}

// park returns when there may be children again. Without a child there is no descendant either, so
// the next one is a fork of ours; but the init of a pid namespace inherits from strangers, too.
func park() {
	var inherited chan os.Signal
	if os.Getpid() == 1 {
		inherited = make(chan os.Signal, 1)
		signal.Notify(inherited, syscall.SIGCHLD)
		defer signal.Stop(inherited)
		// One that came before Notify.
		if err := unix.Waitid(unix.P_ALL, 0, nil, unix.WEXITED|unix.WNOWAIT|unix.WNOHANG, nil); err == nil {
			return
		}
	}
	select {
	case <-wake:
	case <-inherited:
	}
}

// An end is a process that was waited for, by us or by somebody who tells us.
type end struct {
	pid        int
	p          *Process // nil: an orphan
	status     process.ExitStatus
	groupAlive bool
}

// reap waits for a batch of ended children and reports them. It answers whether there may be more.
func reap() bool {
	const batch = 64 // forks and signals wait meanwhile
	var ends []end
	more := true

	table.Lock()
	for len(ends) < batch {
		var info siginfo
		// First look, so that the status is noted in the cell: once it is waited for nobody else can
		// learn it.
		err := unix.Waitid(unix.P_ALL, 0, (*unix.Siginfo)(unsafe.Pointer(&info)), unix.WEXITED|unix.WNOWAIT|unix.WNOHANG, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || info.pid == 0 {
			more = false
			break
		}
		e := end{pid: int(info.pid), status: info.exitStatus()}
		if e.p = started(e.pid); e.p != nil {
			e.p.cell.Note(e.status)
		}
		var ws syscall.WaitStatus
		if _, err := syscall.Wait4(e.pid, &ws, syscall.WNOHANG, nil); err != nil {
			more = false // it can't be: nobody else waits
			break
		}
		ends = append(ends, e)
	}
	reportLocked(ends)
	return more
}

// reportLocked tells those who wait for these ends. The table is locked, and unlocked.
func reportLocked(ends []end) {
	var pidfds []*os.File
	for _, e := range ends {
		if e.p != nil {
			e.p.ended = true
			delete(table.running, e.pid)
			delete(table.starting, e.p)
			if e.p.pidfd != nil {
				pidfds = append(pidfds, e.p.pidfd)
				e.p.pidfd = nil
			}
		}
	}
	// Only now: members that died together with their leader are reaped together with it.
	for i := range ends {
		e := &ends[i]
		if e.p == nil || !groupExists(e.pid) {
			continue
		}
		e.groupAlive = true
		if e.p.group {
			awaitGroup(e.p)
		}
	}
	var gone []*Process
	if len(ends) > 0 {
		gone = goneGroups()
	}
	orphan := table.orphan
	table.Unlock()

	for _, e := range ends {
		switch {
		case e.p != nil:
			e.p.exited(e.status, e.groupAlive)
		case orphan != nil:
			orphan(e.pid, e.status)
		}
	}
	for _, p := range gone {
		p.groupGone()
	}
	for _, f := range pidfds {
		f.Close() // waits for watchEnd to let go of it
	}
}

// siginfo is what waitid(2) gives, 128 bytes at most. What stands behind code is aligned like a pointer.
type siginfo struct {
	signo, errno, code int32
	_                  [unsafe.Sizeof(uintptr(0)) - 4]byte
	pid, uid, status   int32
	_                  [104]byte
}

func (i *siginfo) exitStatus() process.ExitStatus {
	const exited, dumped = 1, 3 // CLD_EXITED, CLD_DUMPED
	if i.code == exited {
		return process.ExitStatus{Code: int(i.status)}
	}
	return process.ExitStatus{Signal: syscall.Signal(i.status), Core: i.code == dumped}
}

// ExitStatus is a wait status in the machine's words.
func ExitStatus(ws syscall.WaitStatus) process.ExitStatus {
	if ws.Signaled() {
		return process.ExitStatus{Signal: ws.Signal(), Core: ws.CoreDump()}
	}
	return process.ExitStatus{Code: ws.ExitStatus()}
}

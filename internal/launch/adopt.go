package launch

import (
	"bytes"
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/internal/process"
)

// An Adoption is a process that a daemon before this one has started.
type Adoption struct {
	PID int
	// Start is its start time; the pid alone may be a stranger's by now. 0: not known, the cell tells which may be.
	Start uint64
	// PidFD is a pidfd of it that somebody has kept, which becomes Adopt's if there is no error; -1: there is none.
	PidFD int
	// Frugal: it gets no pidfd else. Its pid and start time do for that, at the price that if it is another's child its end
	// is seen later, and its status less often.
	Frugal bool
	// Group, Cell, Exited and GroupGone are as in Spec.
	Group     bool
	Cell      *Cell
	Exited    func(s process.ExitStatus, groupAlive bool)
	GroupGone func()
	// Teller is the pid of who will have Ended called for what it waits for: its own children. Without Told,
	// the process is there. If it is neither the teller's child nor ours, its end is seen all the same, and
	// its status where the kernel says it.
	Teller int
	// Told: it was the teller's child, so that its end is told if it is not there any more.
	Told bool
}

// Adopt takes a running process over. The error is ESRCH if it has ended, unless its end will be told: nothing else
// is an error. What can't be looked at, for want of files, counts as running until it can.
func Adopt(a Adoption) (*Process, error) {
	p := &Process{pid: a.PID, adopted: true, poked: make(chan struct{}, 1), start: a.Start, cell: a.Cell, group: a.Group, exited: a.Exited, groupGone: a.GroupGone}
	fd, opened := a.PidFD, false
	if fd < 0 && !a.Frugal {
		var err error
		fd, err = unix.PidfdOpen(a.PID, unix.PIDFD_NONBLOCK) // -1 does as well
		opened = err == nil
	}
	// With a pidfd the pid can't become another's unnoticed any more. A zombie counts: who waits for it tells its status.
	s, err := look(a.PID)
	gone := err == syscall.ESRCH || err == nil && !p.is(s.start)
	if opened && (gone || err != nil) { // or it may be a stranger's
		unix.Close(fd)
		fd = -1
	}
	if gone && !a.Told {
		return nil, syscall.ESRCH
	}
	var pidfd *os.File
	if fd >= 0 {
		pidfd = os.NewFile(uintptr(fd), "pidfd")
	}
	p.pidfd = pidfd
	if err == nil && !gone {
		p.start = s.start
	}
	reaper.Do(startReaper)
	table.Lock()
	table.running[p.pid] = p
	table.Unlock()
	switch {
	case gone: // the teller tells
	case err != nil:
		go p.lookAgain(a.Teller, a.Told) // ends with the process, or when it was found
	default:
		p.watch(pidfd, s.parent, a.Teller)
	}
	return p, nil
}

// watch sees to it that the end of a process with this pidfd, if not nil, and this parent will be told.
func (p *Process) watch(pidfd *os.File, parent, teller int) {
	switch {
	case parent == os.Getpid():
		wakeReaper()
	case parent == teller:
	case pidfd != nil:
		go p.watchEnd(pidfd) // ends with the process
	default:
		go p.lookAgain(teller, false) // as well
	}
}

const (
	firstLook = 5 * time.Millisecond
	lastLook  = time.Second
)

// lookAgain looks for a process every now and then, and more often after a signal: one without a pidfd that is another's
// child, until it has ended; or one that could not be looked at, until it can.
func (p *Process) lookAgain(teller int, told bool) {
	for pause := firstLook; ; pause = min(2*pause, lastLook) {
		select {
		case <-time.After(pause):
		case <-p.poked:
			pause = firstLook
		}
		s, err := look(p.pid)
		if err != nil && err != syscall.ESRCH {
			continue
		}
		table.Lock()
		gone := err != nil || !p.is(s.start)
		if !gone {
			p.start = s.start
		}
		pidfd := p.pidfd
		switch {
		case p.ended || gone && told:
			table.Unlock()
			return
		case !gone && (pidfd != nil || s.parent == os.Getpid() || s.parent == teller), gone && pidfd != nil:
			table.Unlock()
			p.watch(pidfd, s.parent, teller)
			return
		case gone || s.zombie:
			status := process.ExitStatus{Unknown: true}
			if ws, ok := zombieStatus(p.pid); ok && !gone {
				status = ExitStatus(ws)
			}
			p.cell.Note(status)
			reportLocked([]end{{pid: p.pid, p: p, status: status}}) // unlocks
			return
		}
		table.Unlock()
	}
}

// is tells whether a process with the pid and this start time is p.
func (p *Process) is(start uint64) bool {
	if p.start == 0 {
		return p.cell.Is(start)
	}
	return start == p.start
}

// Gone is a process that has ended: a number to show and to look for its group by.
func Gone(pid int) *Process { return &Process{pid: pid, ended: true} }

// AdoptGroup takes over the rest of a process group whose leader has ended, and which was told to end.
// The error is ESRCH if nobody is left. gone is called as Spec.GroupGone.
func AdoptGroup(pgid int, gone func()) (*Process, error) {
	p := &Process{pid: pgid, group: true, ended: true, signalled: true, groupGone: gone}
	reaper.Do(startReaper)
	table.Lock()
	defer table.Unlock()
	// A process with this number is a stranger: the leader has ended.
	if syscall.Kill(pgid, 0) != syscall.ESRCH || !groupExists(pgid) {
		return nil, syscall.ESRCH
	}
	awaitGroup(p)
	return p, nil
}

// Ended is how somebody else who has waited for a process tells of it; start 0 is one that was not to be had. It answers
// whether the process is known here.
func Ended(pid int, start uint64, ws syscall.WaitStatus) bool {
	reaper.Do(startReaper)
	table.Lock()
	p := table.running[pid]
	if p == nil || !p.adopted || p.start != 0 && start != 0 && p.start != start {
		orphan := table.orphan
		gone := goneGroups()
		table.Unlock()
		for _, g := range gone {
			g.groupGone()
		}
		if orphan != nil {
			orphan(pid, ExitStatus(ws))
		}
		return false
	}
	e := end{pid: pid, p: p, status: ExitStatus(ws)}
	p.cell.Note(e.status)
	reportLocked([]end{e})
	return true
}

// watchEnd waits for the end of a process that is another's child.
func (p *Process) watchEnd(pidfd *os.File) {
	conn, err := pidfd.SyscallConn()
	if err != nil {
		return
	}
	status := process.ExitStatus{Unknown: true}
	// Readable: it has ended. An error: somebody has told of its end.
	_ = conn.Read(func(fd uintptr) bool {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, 0)
		if n == 0 || err == unix.EINTR {
			return false
		}
		refusals := 0
		for range 100 {
			s, known, err := exitInfo(int(fd))
			if err == syscall.ESRCH && refusals < 3 {
				refusals++ // as is the answer too if it is being waited for this moment
				continue
			}
			if err != nil {
				break
			}
			if known {
				status = s
				break
			}
			if ws, ok := zombieStatus(p.pid); ok {
				status = ExitStatus(ws)
				break
			}
			unix.Poll(nil, 10) // a zombie still
		}
		return true
	})
	table.Lock()
	if p.ended {
		table.Unlock()
		return
	}
	p.cell.Note(status)
	reportLocked([]end{{pid: p.pid, p: p, status: status}})
}

// PidFD is a copy of the adopted process's pidfd, for somebody who outlives this one and its guard: with it
// PidfdStatus tells how the process has ended. -1: the kernel does not.
func (p *Process) PidFD() int {
	table.Lock()
	defer table.Unlock()
	own := -1
	err := p.withPidfd(func(fd int) (err error) {
		if err = unix.IoctlPidfdInfo(fd, new(unix.PidfdInfo)); err == nil {
			own, err = unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
		}
		return err
	})
	if err != nil {
		return -1
	}
	return own
}

// PidfdStatus is the status of a process that somebody has waited for, by a pidfd from before.
func PidfdStatus(fd int) (process.ExitStatus, bool) {
	if fd < 0 {
		return process.ExitStatus{}, false
	}
	s, known, err := exitInfo(fd)
	return s, known && err == nil
}

// exitInfo is what Linux 6.15 keeps for those who hold a pidfd, from when the process was waited for.
func exitInfo(fd int) (s process.ExitStatus, known bool, err error) {
	info := unix.PidfdInfo{Mask: unix.PIDFD_INFO_EXIT}
	if err := unix.IoctlPidfdInfo(fd, &info); err != nil {
		return s, false, err
	}
	if info.Mask&unix.PIDFD_INFO_EXIT == 0 {
		return s, false, nil
	}
	return ExitStatus(syscall.WaitStatus(info.Exit_code)), true, nil
}

// zombieStatus reads a zombie's status, which only root may see of everybody.
func zombieStatus(pid int) (syscall.WaitStatus, bool) {
	const exitCode = 49 // field 52 of the manual page
	fields, err := statFields(pid)
	if err != nil || os.Geteuid() != 0 || len(fields) <= exitCode || fields[0] != "Z" {
		return 0, false
	}
	n, err := strconv.Atoi(fields[exitCode])
	return syscall.WaitStatus(n), err == nil
}

// kill sends a signal to the process itself. The table is locked.
func (p *Process) kill(sig syscall.Signal) error {
	if p.pidfd == nil {
		return syscall.Kill(p.pid, sig)
	}
	return p.withPidfd(func(fd int) error { return unix.PidfdSendSignal(fd, sig, nil, 0) })
}

// withPidfd calls f with the pidfd, if there is one.
func (p *Process) withPidfd(f func(fd int) error) error {
	if p.pidfd == nil {
		return syscall.ESRCH
	}
	conn, err := p.pidfd.SyscallConn()
	if err != nil {
		return err
	}
	if e := conn.Control(func(fd uintptr) { err = f(int(fd)) }); e != nil {
		return e
	}
	return err
}

// stranger is ESRCH if the pid of a process without a pidfd is another's by now, and an error if nobody can tell. The table
// is locked. (It is a process of this table that nobody has told the end of: the pid can't come round between this and a
// signal.)
func (p *Process) stranger() error {
	if !p.adopted || p.ended || p.pidfd != nil {
		return nil
	}
	s, err := look(p.pid)
	switch {
	case err == syscall.ESRCH:
		return nil // nobody's: the signal finds that out, or what is left of the group
	case err == nil && !p.is(s.start):
		return syscall.ESRCH
	}
	return err
}

// Short tells whether an error is a shortage of files or memory, of this process or of the machine: it says nothing of what
// was looked for, and passes.
func Short(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.ENOMEM)
}

// Look is when a process was started, zombies included. ESRCH is the fact that there is none; any other error
// says nothing.
func Look(pid int) (start uint64, err error) {
	s, err := look(pid)
	return s.start, err
}

// A sight is what /proc/PID/stat says.
type sight struct {
	parent int
	start  uint64 // in clock ticks since boot
	zombie bool
}

// look is Look with more.
func look(pid int) (s sight, err error) {
	const state, ppid, threads, starttime = 0, 1, 17, 19 // fields 3, 4, 20 and 22 of the manual page
	fields, err := statFields(pid)
	if err != nil {
		return s, err
	}
	if len(fields) <= starttime {
		return s, errors.New("cannot understand /proc/PID/stat")
	}
	if s.parent, err = strconv.Atoi(fields[ppid]); err != nil {
		return s, err
	}
	// While others of its threads go on, one whose first thread has ended looks the same.
	s.zombie = (fields[state] == "Z" || fields[state] == "X") && (fields[threads] == "0" || fields[threads] == "1")
	s.start, err = strconv.ParseUint(fields[starttime], 10, 64)
	return s, err
}

// statFields are those of /proc/PID/stat from the third, the state, on. ESRCH: there is no such process.
func statFields(pid int) ([]string, error) {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	switch {
	case errors.Is(err, syscall.ESRCH), errors.Is(err, syscall.ENOENT) && syscall.Kill(pid, 0) != nil:
		return nil, syscall.ESRCH
	case err != nil: // ENOENT, too, if there is no /proc
		return nil, err
	}
	return strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:])), nil
}

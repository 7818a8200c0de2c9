package launch

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"holdfast/internal/process"
)

// An Adoption is a process that a daemon before this one has started.
type Adoption struct {
	PID   int
	Start uint64 // its start time; the pid alone may be a stranger's by now
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

// Adopt takes a running process over. The error is ESRCH if it has ended, unless its end will be told.
func Adopt(a Adoption) (*Process, error) {
	fd, err := unix.PidfdOpen(a.PID, unix.PIDFD_NONBLOCK)
	if err != nil && !(err == syscall.ESRCH && a.Told) {
		return nil, err
	}
	// Now the pid can't become another's unnoticed. A zombie counts: who waits for it tells its status.
	parent, start, ok := parentAndStart(a.PID)
	if !ok || start != a.Start {
		if fd >= 0 {
			unix.Close(fd)
		}
		if !a.Told {
			return nil, syscall.ESRCH
		}
		fd, parent = -1, 0
	}
	p := &Process{pid: a.PID, pidfd: fd, adopted: true, start: a.Start, cell: a.Cell, group: a.Group, exited: a.Exited, groupGone: a.GroupGone}
	reaper.Do(startReaper)
	table.Lock()
	table.running[p.pid] = p
	table.Unlock()
	switch {
	case parent == os.Getpid():
		wakeReaper()
	case fd >= 0 && parent != a.Teller:
		own, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
		if err != nil {
			return nil, err
		}
		go p.watchEnd(os.NewFile(uintptr(own), "pidfd")) // ends with the process
	}
	return p, nil
}

// Gone is a process that has ended: a number to show and to look for its group by.
func Gone(pid int) *Process { return &Process{pid: pid, pidfd: -1, ended: true} }

// AdoptGroup takes over the rest of a process group whose leader has ended, and which was told to end.
// The error is ESRCH if nobody is left. gone is called as Spec.GroupGone.
func AdoptGroup(pgid int, gone func()) (*Process, error) {
	p := &Process{pid: pgid, pidfd: -1, group: true, ended: true, signalled: true, groupGone: gone}
	reaper.Do(startReaper)
	table.Lock()
	defer table.Unlock()
	// A process with this number is a stranger: the leader has ended.
	if _, _, ok := parentAndStart(pgid); ok || !groupExists(pgid) {
		return nil, syscall.ESRCH
	}
	awaitGroup(p)
	return p, nil
}

// Ended is how somebody else who has waited for a process tells of it. It answers whether the process
// is known here.
func Ended(pid int, start uint64, ws syscall.WaitStatus) bool {
	reaper.Do(startReaper)
	table.Lock()
	p := table.running[pid]
	if p == nil || !p.adopted || p.start != 0 && p.start != start {
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
	defer pidfd.Close()
	conn, err := pidfd.SyscallConn()
	if err != nil {
		return
	}
	status := process.ExitStatus{Unknown: true}
	// Readable: it has ended.
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
	var info unix.PidfdInfo
	if p.pidfd < 0 || unix.IoctlPidfdInfo(p.pidfd, &info) != nil {
		return -1
	}
	fd, err := unix.FcntlInt(uintptr(p.pidfd), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return -1
	}
	return fd
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
	fields := statFields(pid)
	if os.Geteuid() != 0 || len(fields) <= exitCode || fields[0] != "Z" {
		return 0, false
	}
	n, err := strconv.Atoi(fields[exitCode])
	return syscall.WaitStatus(n), err == nil
}

// kill sends a signal to the process itself. The table is locked.
func (p *Process) kill(sig syscall.Signal) error {
	switch {
	case p.pidfd >= 0:
		return unix.PidfdSendSignal(p.pidfd, sig, nil, 0)
	case p.adopted: // taken over when it had ended, which is about to be told
		return syscall.ESRCH
	}
	return syscall.Kill(p.pid, sig)
}

// Look tells whether a process is there, zombies included, and when it was started.
func Look(pid int) (start uint64, ok bool) { return startTime(pid) }

func startTime(pid int) (uint64, bool) {
	_, start, ok := parentAndStart(pid)
	return start, ok
}

// statFields are those of /proc/PID/stat from the third, the state, on.
func statFields(pid int) []string {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return nil
	}
	return strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
}

// parentAndStart reads a process's parent and its start time, in clock ticks since boot.
func parentAndStart(pid int) (parent int, start uint64, ok bool) {
	const ppid, starttime = 1, 19 // fields 4 and 22 of the manual page
	fields := statFields(pid)
	if len(fields) <= starttime {
		return 0, 0, false
	}
	parent, err := strconv.Atoi(fields[ppid])
	if err != nil {
		return 0, 0, false
	}
	start, err = strconv.ParseUint(fields[starttime], 10, 64)
	return parent, start, err == nil
}

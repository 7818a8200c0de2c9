package launch

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"holdfast/internal/rlimit"
)

// A plan is a Spec as the child needs it: everything is in memory before the fork, in the form
// that the kernel takes.
type plan struct {
	path *byte
	argv **byte
	envv **byte
	dir  *byte // nil: stay
	fds  [3]int32

	vfork     bool
	umask     int // -1: inherit
	setUser   bool
	refused   bool // the user cannot be: reason says why
	uid, gid  int
	groups    *uint32
	nGroups   int
	setNoFile bool
	noFile    rlimit.Limit
	tied      bool
	parent    uintptr // our pid, if tied

	// What the child says when a step fails: the step's text, the reason, the end.
	userText, dirText, execText        iovec
	reason, groupsReason, groupIDError iovec
	message                            [3]iovec

	pid   *int32           // written by the kernel, read with sync/atomic
	mask  uint64           // the parent's signal mask meanwhile
	keep  [][]byte         // the bytes of the texts above
	stack [childStack]byte //lint:ignore U1000 the assembly's
}

// childStack is the size of the stack on which a vforked child makes its system calls; the linker
// holds such chains of nosplit functions under 2 KB.
//
//lint:ignore U1000 the assembly's
const childStack = 4096

var (
	allSignals    = ^uint64(0)
	noSignals     uint64
	defaultAction [8]uint64 // a struct sigaction of zeros: SIG_DFL, no flags, no mask
)

const lastWords = "\nsupervisor: child process was not spawned\n"

func newPlan(s *Spec, u *identity) (*plan, error) {
	p := &plan{umask: -1, vfork: useVfork, pid: new(int32), tied: s.Tied}
	if s.Cell != nil {
		p.pid = &s.Cell.PID
	}
	if s.Umask != nil {
		p.umask = *s.Umask
	}
	for i, fd := range s.Files {
		p.fds[i] = int32(fd)
	}
	if len(s.Args) == 0 {
		return nil, fmt.Errorf("cannot start %q: no argv[0]", s.Path)
	}
	for _, list := range [][]string{{s.Path, s.Dir}, s.Args, s.Env} {
		for _, str := range list {
			if strings.IndexByte(str, 0) >= 0 {
				return nil, fmt.Errorf("cannot start %q: zero byte in %q", s.Path, str)
			}
		}
	}
	p.path = cString(s.Path)
	p.argv, p.envv = cStrings(s.Args), cStrings(s.Env)
	if s.DirSet {
		p.dir = cString(s.Dir)
	}
	p.noFile, p.setNoFile = rlimit.NoFile()
	p.parent = uintptr(os.Getpid())

	p.dirText = p.text("supervisor: couldn't chdir to " + s.Dir + ": ")
	p.execText = p.text("supervisor: couldn't exec " + s.Args[0] + ": ")
	p.message[2] = p.text(lastWords)
	if u != nil {
		p.setUser, p.refused = true, u.refusal != ""
		p.uid, p.gid = u.uid, u.gid
		if len(u.groups) > 0 {
			p.groups, p.nGroups = &u.groups[0], len(u.groups)
		}
		p.userText = p.text("supervisor: couldn't setuid to " + strconv.Itoa(u.uid) + ": ")
		p.reason = p.text(u.refusal)
		p.groupsReason = p.text("Could not set groups of effective user")
		p.groupIDError = p.text("Could not set group id of effective user")
	}
	return p, nil
}

func (p *plan) text(s string) iovec {
	b := []byte(s)
	p.keep = append(p.keep, b)
	return vec(b)
}

func vec(b []byte) iovec {
	return iovec{uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b))}
}

func cString(s string) *byte {
	b := make([]byte, len(s)+1)
	copy(b, s)
	return &b[0]
}

// cStrings makes a null-terminated vector; all strings share one block.
func cStrings(list []string) **byte {
	n := 0
	for _, s := range list {
		n += len(s) + 1
	}
	block := make([]byte, 0, n)
	v := make([]*byte, len(list)+1)
	for i, s := range list {
		at := len(block)
		block = append(append(block, s...), 0)
		v[i] = &block[at]
	}
	return &v[0]
}

// useVfork is what this machine can do; tests and benchmarks try the other way too.
var useVfork = haveVfork

// fork makes the child. With vfork it returns when the child has executed its program or has ended,
// otherwise at once. *p.pid is there before the child's first instruction.
//
// From here to exec no side may enter Go's runtime: the child has but one thread, and in its memory
// (the parent's own under vfork, a copy of it otherwise) any lock may be held by a thread that it
// does not have. So there is no stack growth (nosplit), no preemption (signals are blocked, and
// nosplit functions do not check), no allocation, no write barrier (no pointer is stored), no
// bounds check, no race detector (coverage with -race would bring it back in). What is left is
// system calls on memory that newPlan laid out.
//
// vfork spares the copying of the page tables, an order of magnitude for a process like this; its
// price is that the calling thread stands still until the child has called exec, so it does that
// as in a blocking system call. docs/adr/0003-fork.md has the figures.
func fork(p *plan) syscall.Errno {
	var r int
	if p.vfork {
		r = vfork(p)
	} else {
		r = plainFork(p)
	}
	runtime.KeepAlive(p)
	if r < 0 {
		return syscall.Errno(-r)
	}
	return 0
}

//go:noinline
//go:norace
//go:nosplit
//go:nocheckptr
func plainFork(p *plan) int {
	syscall.RawSyscall6(syscall.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK,
		uintptr(unsafe.Pointer(&allSignals)), uintptr(unsafe.Pointer(&p.mask)), 8, 0, 0)
	pid, _, errno := syscall.RawSyscall6(syscall.SYS_CLONE, uintptr(syscall.SIGCHLD)|unix.CLONE_PARENT_SETTID,
		0, uintptr(unsafe.Pointer(p.pid)), 0, 0, 0)
	if errno == 0 && pid == 0 {
		runChild(p)
	}
	// The child does the same; whoever comes first. A signal to the group may be next.
	if errno == 0 {
		syscall.RawSyscall6(syscall.SYS_SETPGID, pid, pid, 0, 0, 0, 0)
	}
	syscall.RawSyscall6(syscall.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK,
		uintptr(unsafe.Pointer(&p.mask)), 0, 8, 0, 0)
	if errno != 0 {
		return -int(errno)
	}
	return int(pid)
}

// runChild is the child from fork to exec, in the original's order (setpgrp, fds, user, directory,
// umask), and its last words when a step fails. It never returns.
//
//go:noinline
//go:norace
//go:nosplit
//go:nocheckptr
func runChild(p *plan) {
	var e syscall.Errno
	var parent uintptr

	// Differs: the original leaves SIGPIPE and SIGXFSZ ignored in its children. Go's handlers
	// must go before signals are let in again, and what the daemon's parent ignored goes too.
	for sig := uintptr(1); sig <= 64; sig++ {
		syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, sig, uintptr(unsafe.Pointer(&defaultAction)), 0, 8, 0, 0)
	}
	syscall.RawSyscall6(syscall.SYS_SETPGID, 0, 0, 0, 0, 0, 0)

	// The fds are all above 2 (Start sees to it), so none overwrites another.
	syscall.RawSyscall6(syscall.SYS_DUP3, uintptr(p.fds[0]), 0, 0, 0, 0, 0)
	syscall.RawSyscall6(syscall.SYS_DUP3, uintptr(p.fds[1]), 1, 0, 0, 0, 0)
	syscall.RawSyscall6(syscall.SYS_DUP3, uintptr(p.fds[2]), 2, 0, 0, 0, 0)
	// Differs: the original closes those below minfds only.
	// All others are close-on-exec, but a child that hangs in chdir or exec must hold no listening
	// socket and no other child's pipe. Before Linux 5.9 it would.
	syscall.RawSyscall6(unix.SYS_CLOSE_RANGE, 3, uintptr(^uint32(0)), 0, 0, 0, 0)

	if p.setNoFile {
		syscall.RawSyscall6(unix.SYS_PRLIMIT64, 0, unix.RLIMIT_NOFILE, uintptr(unsafe.Pointer(&p.noFile)), 0, 0, 0)
	}

	if p.refused {
		p.message[0], p.message[1] = p.userText, p.reason
		goto fail
	}
	if p.setUser {
		_, _, e = syscall.RawSyscall6(sysSetgroups, uintptr(p.nGroups), uintptr(unsafe.Pointer(p.groups)), 0, 0, 0, 0)
		if e != 0 {
			p.message[0], p.message[1] = p.userText, p.groupsReason
			goto fail
		}
		_, _, e = syscall.RawSyscall6(sysSetgid, uintptr(p.gid), 0, 0, 0, 0, 0)
		if e != 0 {
			p.message[0], p.message[1] = p.userText, p.groupIDError
			goto fail
		}
		_, _, e = syscall.RawSyscall6(sysSetuid, uintptr(p.uid), 0, 0, 0, 0, 0)
		if e != 0 {
			// Differs: here the original says nothing but its last words.
			p.message[0], p.message[1] = p.userText, errnoNames[uint8(e)]
			goto fail
		}
	}
	// Only now: a change of user ends it. If we have died since the fork nothing would come of it any
	// more, and the child has another parent.
	if p.tied {
		syscall.RawSyscall6(syscall.SYS_PRCTL, unix.PR_SET_PDEATHSIG, uintptr(syscall.SIGKILL), 0, 0, 0, 0)
		parent, _, _ = syscall.RawSyscall6(syscall.SYS_GETPPID, 0, 0, 0, 0, 0, 0)
		if parent != p.parent {
			goto end
		}
	}
	if p.dir != nil {
		_, _, e = syscall.RawSyscall6(syscall.SYS_CHDIR, uintptr(unsafe.Pointer(p.dir)), 0, 0, 0, 0, 0)
		if e != 0 {
			p.message[0], p.message[1] = p.dirText, errnoNames[uint8(e)]
			goto fail
		}
	}
	if p.umask >= 0 {
		syscall.RawSyscall6(syscall.SYS_UMASK, uintptr(p.umask), 0, 0, 0, 0, 0)
	}
	syscall.RawSyscall6(syscall.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uintptr(unsafe.Pointer(&noSignals)), 0, 8, 0, 0)
	_, _, e = syscall.RawSyscall6(syscall.SYS_EXECVE, uintptr(unsafe.Pointer(p.path)),
		uintptr(unsafe.Pointer(p.argv)), uintptr(unsafe.Pointer(p.envv)), 0, 0, 0)
	p.message[0], p.message[1] = p.execText, errnoNames[uint8(e)]

fail:
	syscall.RawSyscall6(syscall.SYS_WRITEV, 2, uintptr(unsafe.Pointer(&p.message)), 3, 0, 0, 0)
end:
	for {
		syscall.RawSyscall6(syscall.SYS_EXIT_GROUP, 127, 0, 0, 0, 0, 0)
	}
}

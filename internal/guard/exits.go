package guard

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// window is how many exits may be unanswered at a time. So many small packets always have room in a socket.
const window = 32

// An Exit is the end of a process that the guard has waited for.
type Exit struct {
	Seq    uint64 // what Done takes
	PID    int
	Start  uint64 // in the clock ticks of /proc/PID/stat; 0: not known
	Status syscall.WaitStatus
}

func (e Exit) String() string {
	return fmt.Sprintf("exit %d %d %d %d", e.Seq, e.PID, e.Start, uint32(e.Status))
}

func parseExit(s string) (e Exit, err error) {
	_, err = fmt.Sscanf(s, "%d %d %d %d", &e.Seq, &e.PID, &e.Start, (*uint32)(&e.Status))
	return e, err
}

// exits are those that no daemon has answered, the oldest first.
type exits struct {
	list []orphan
	last uint64 // Seq
}

type orphan struct {
	Exit
	sent bool // to the daemon that there is
}

func (x *exits) add(e Exit) {
	x.last++
	e.Seq = x.last
	x.list = append(x.list, orphan{Exit: e})
}

// window are those that the daemon is to know.
func (x *exits) window() []orphan { return x.list[:min(len(x.list), window)] }

// done forgets an exit of the window.
func (x *exits) done(seq uint64) {
	w := x.window()
	i := slices.IndexFunc(w, func(o orphan) bool { return o.Seq == seq && o.sent })
	if i < 0 {
		return
	}
	copy(w[1:i+1], w[:i]) // there may be thousands behind the window
	x.list = x.list[1:]
	if len(x.list) == 0 {
		x.list = nil
	}
}

// ended is the pid of a child that has ended, which stays a zombie, or 0.
func ended() int {
	// What unix.Siginfo does not name: the pid is the first field of the kernel's union, which is
	// aligned as a pointer.
	var info unix.Siginfo
	const at = (unsafe.Offsetof(info.Code) + 4 + unsafe.Sizeof(uintptr(0)) - 1) &^ (unsafe.Sizeof(uintptr(0)) - 1)
	for {
		err := unix.Waitid(unix.P_ALL, 0, &info, unix.WEXITED|unix.WNOWAIT|unix.WNOHANG, nil)
		switch err {
		case nil:
			return int(*(*int32)(unsafe.Add(unsafe.Pointer(&info), at)))
		case unix.EINTR:
		default:
			return 0
		}
	}
}

// reap waits for a child that has ended.
func reap(pid int) (status syscall.WaitStatus, ok bool) {
	for {
		got, err := syscall.Wait4(pid, &status, syscall.WNOHANG, nil)
		if err != syscall.EINTR {
			return status, got == pid && err == nil
		}
	}
}

// StartTime is when a process was started, as field 22 of /proc/PID/stat has it, or 0. Of a zombie it is
// known until somebody has waited for it.
func StartTime(pid int) uint64 {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0
	}
	// The second field is the program's name in parentheses, with anything in it.
	fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	if len(fields) < 20 {
		return 0
	}
	start, _ := strconv.ParseUint(fields[19], 10, 64)
	return start
}

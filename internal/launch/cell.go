package launch

import (
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/internal/process"
)

// A Cell is the note of one fork in memory that outlives this daemon, so that the next one knows of
// each process that was made and of each status that was taken from the kernel. Its layout is the
// state file's: words of the machine, in this order.
type Cell struct {
	// Spawn is Spec.Spawn of the fork that the rest is about.
	Spawn uint64
	// Begun is the time of the fork, in nanoseconds since boot.
	Begun int64
	// Start is the process's start time as /proc/PID/stat has it; 0: not known yet.
	Start uint64
	// PID is 0 until the kernel has made the process.
	PID int32
	// Ended is 1 when what follows is set.
	Ended   uint32
	Code    int32
	Signal  int32
	Core    uint32
	Unknown uint32
	// Parent made the process, and Grandparent is who gets it when Parent dies.
	Parent, Grandparent int32
	// Pipes are the caller's: the inodes of the pipes that it gave the process as 0, 1 and 2.
	Pipes [3]uint64
}

// begin clears the note for a fork to come.
func (c *Cell) begin(spawn uint64) {
	atomic.StoreInt32(&c.PID, 0)
	atomic.StoreUint32(&c.Ended, 0)
	atomic.StoreUint64(&c.Start, 0)
	c.Begun = sinceBoot()
	c.Parent, c.Grandparent = int32(os.Getpid()), int32(os.Getppid())
	atomic.StoreUint64(&c.Spawn, spawn) // last: what is said of another spawn is void
}

func sinceBoot() int64 {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts)
	return ts.Nano()
}

// Note notes the end of the process. A nil Cell notes nothing.
func (c *Cell) Note(s process.ExitStatus) {
	if c == nil {
		return
	}
	c.Code, c.Signal, c.Core, c.Unknown = int32(s.Code), int32(s.Signal), 0, 0
	if s.Core {
		c.Core = 1
	}
	if s.Unknown {
		c.Unknown = 1
	}
	atomic.StoreUint32(&c.Ended, 1)
}

// Status is how the process ended; ok is false if that is not noted.
func (c *Cell) Status() (s process.ExitStatus, ok bool) {
	return process.ExitStatus{Code: int(c.Code), Signal: syscall.Signal(c.Signal), Core: c.Core != 0, Unknown: c.Unknown != 0},
		atomic.LoadUint32(&c.Ended) != 0
}

// forkTime is how far after the note of a fork the process's start may lie, where its exact time
// was not noted: the daemon died right then.
const forkTime = 2 * time.Second

// tick is the unit of start times: what the kernel shows to programs is in hundredths of a second.
const tick = 10 * time.Millisecond

// Is tells whether a process with the cell's pid and this start time is the cell's. A nil Cell has none.
func (c *Cell) Is(start uint64) bool {
	if c == nil {
		return false
	}
	if noted := atomic.LoadUint64(&c.Start); noted != 0 {
		return start == noted
	}
	at := time.Duration(start) * tick
	begun := time.Duration(c.Begun)
	return at >= begun-tick && at <= begun+forkTime
}

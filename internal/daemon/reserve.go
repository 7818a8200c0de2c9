package daemon

import (
	"math"
	"os"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"
)

// spareThreads, beside one a processor, are enough for what the daemon does at one time: the reaper,
// the poller, forks and some disks that hang.
const spareThreads = 14

// reserveThreads makes threads while that is still possible. The runtime makes one whenever a system
// call blocks and ends the process if it can't (a full process table, a limit on processes); those
// that are idle it keeps for ever.
func reserveThreads() {
	var all, done sync.WaitGroup
	n := runtime.GOMAXPROCS(0) + spareThreads
	all.Add(n)
	for range n {
		done.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			all.Done()
			all.Wait()
		})
	}
	done.Wait()
}

// filesFor is how many files are open with n processes: a process has three pipes and two logs, more or less.
func filesFor(n int) int { return 64 + 5*n }

// roomForFiles is how many files can be open.
func roomForFiles() int {
	var l unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &l) != nil || l.Cur > math.MaxInt {
		return math.MaxInt
	}
	return int(l.Cur)
}

// reserveFiles makes room for n open files. The kernel makes the table larger when it is full, and
// in a process of several threads whoever opens that file waits meanwhile for all processors to pass
// a quiet moment, 15 ms and more: in the middle of a start that would hold up every program.
func reserveFiles(n int) {
	null, err := unix.Open(os.DevNull, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	defer unix.Close(null)
	if high, err := unix.FcntlInt(uintptr(null), unix.F_DUPFD_CLOEXEC, n-1); err == nil {
		unix.Close(high)
	}
}

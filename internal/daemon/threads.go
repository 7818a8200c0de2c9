package daemon

import (
	"runtime"
	"sync"
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

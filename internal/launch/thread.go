package launch

import (
	"runtime"
	"time"
)

// What ties a child to its parent (PR_SET_PDEATHSIG) ties it to the thread that has forked it. The
// runtime ends a thread when a goroutine that is locked to it ends, and that may be anybody's. So
// children that are tied to us are forked on threads whose goroutines never end.

// lastingWork is taken by those threads that are idle.
var lastingWork = make(chan func())

// threadPatience is how long a fork waits for a thread before there is one more: as long as one takes
// whose file system does not hang.
const threadPatience = 10 * time.Millisecond

// onLastingThread runs f on a thread that ends with this process.
func onLastingThread(f func()) {
	timer := time.NewTimer(threadPatience)
	defer timer.Stop()
	select {
	case lastingWork <- f:
	case <-timer.C:
		go lastingThread(f)
	}
}

// lastingThread does f and what comes after it, to the end of this process.
func lastingThread(f func()) {
	runtime.LockOSThread()
	for {
		f()
		f = <-lastingWork
	}
}

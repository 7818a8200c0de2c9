package guard

import "time"

const (
	firstDelay = 100 * time.Millisecond
	mostDelay  = 30 * time.Second
	longLife   = 10 * time.Second // a daemon that was up for so long has died for a reason of its own
)

// delay says how long to wait after a death of the daemon before the next one is started. Deaths are
// those before it that followed each other closely; the result counts this one too. Up is how long the
// daemon was up.
func delay(deaths int, up time.Duration) (int, time.Duration) {
	if up >= longLife {
		deaths = 0
	}
	if deaths == 0 {
		return 1, 0
	}
	d := mostDelay
	if deaths < 10 {
		d = min(firstDelay<<(deaths-1), mostDelay)
	}
	return deaths + 1, d
}

// killedDelay is delay for a daemon that somebody has killed with SIGKILL. That is no fault of its own, and
// says nothing of the next one; but the kernel may do it, for lack of memory, to each one that starts.
func killedDelay(up time.Duration) time.Duration {
	if up > 0 {
		return 0
	}
	return firstDelay
}

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

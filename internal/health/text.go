package health

import (
	"fmt"
	"time"
)

func readyText(name string, took time.Duration) string {
	return fmt.Sprintf("ready: %s (after %s)", name, Seconds(took))
}

func notReadyText(name, why string) string { return fmt.Sprintf("not ready: %s (%s)", name, why) }

func notAliveText(times int, err string) string {
	if times == 1 {
		return "its liveness check has failed: " + err
	}
	return fmt.Sprintf("its liveness check has failed %d times: %s", times, err)
}

func lateText(took time.Duration, why string) string {
	text := fmt.Sprintf("it was not ready within %s (start_timeout_secs)", Seconds(took))
	if why != "" {
		text += ": " + why
	}
	return text
}

func silentText(bound time.Duration) string {
	return fmt.Sprintf("it has not said WATCHDOG=1 for %s (watchdog_secs)", Seconds(bound))
}

// Seconds is how operators are told of d: "0.3 s", "12 s".
func Seconds(d time.Duration) string {
	if d < 10*time.Second {
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return fmt.Sprintf("%.0f s", d.Truncate(time.Second).Seconds())
}

package sdnotify

import (
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// MaxSize is the longest datagram that is meant to be understood.
const MaxSize = 4096

// A Message is what one datagram says. The zero Message says nothing.
type Message struct {
	Ready, Reloading, Stopping bool

	Alive    bool          // WATCHDOG=1
	Hung     bool          // WATCHDOG=trigger: take it as if the watchdog had run out
	Watchdog time.Duration // WATCHDOG_USEC: from now on it says Alive that often; 0: it does not say

	Status    string // one line, which may be empty
	StatusSet bool   // it says a Status

	MainPID       int           // 0: it does not say
	ExtendTimeout time.Duration // so much more time for what it is doing; 0: it does not say
	Errno         int
	BusError      string
}

// Parse reads a datagram. Names that it does not know and values that are none are passed over; of the same name the last
// good one counts. A datagram with a NUL byte in it says nothing, as for systemd.
func Parse(datagram []byte) (m Message) {
	text := strings.TrimRight(string(datagram), "\x00")
	if len(datagram) > MaxSize || strings.Contains(text, "\x00") {
		return Message{}
	}
	for line := range strings.SplitSeq(text, "\n") {
		name, value, ok := strings.Cut(line, "=")
		if !ok {
			continue
		}
		yes := value == "1"
		switch name {
		case "READY":
			m.Ready = m.Ready || yes
		case "RELOADING":
			m.Reloading = m.Reloading || yes
		case "STOPPING":
			m.Stopping = m.Stopping || yes
		case "WATCHDOG":
			m.Alive = m.Alive || yes
			m.Hung = m.Hung || value == "trigger"
		case "WATCHDOG_USEC":
			usec(&m.Watchdog, value)
		case "EXTEND_TIMEOUT_USEC":
			usec(&m.ExtendTimeout, value)
		case "STATUS":
			if utf8.ValidString(value) {
				m.Status, m.StatusSet = plain(value), true
			}
		case "MAINPID":
			if n, err := strconv.ParseInt(value, 10, 32); err == nil && n > 1 {
				m.MainPID = int(n)
			}
		case "ERRNO":
			if n, err := strconv.ParseInt(value, 10, 32); err == nil && n > 0 {
				m.Errno = int(n)
			}
		case "BUSERROR":
			if utf8.ValidString(value) {
				m.BusError = plain(value)
			}
		}
	}
	return m
}

// usec sets d to so many microseconds, or as many as there is room for.
func usec(d *time.Duration, value string) {
	if n, err := strconv.ParseUint(value, 10, 64); err == nil && n > 0 {
		*d = time.Duration(min(n, math.MaxInt64/1000)) * time.Microsecond
	}
}

// plain is text that does a terminal nothing.
func plain(text string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) { // nor may it turn the line around (U+202E), or end it (U+2028)
			return ' '
		}
		return r
	}, text))
}

package listener

import (
	"fmt"
	"strconv"
	"time"

	"holdfast/internal/event"
)

// The lines of this file are Supervisor's to the byte (spec events §5, §6), but for the last five.

func changedText(name string, from, to State) string {
	return name + ": " + from.String() + " -> " + to.String()
}

func unknownText(name string) string {
	return name + ": has entered the UNKNOWN state and will no longer receive events, " +
		"this usually indicates the process violated the eventlistener protocol"
}

func badResultText(name string, line []byte) string {
	return name + ": bad result line: '" + event.Text(string(line)) + "'"
}

func processedText(name string) string { return name + ": event was processed" }
func rejectedText(name string) string  { return name + ": event was rejected" }

func sentText(serial uint64, name string) string {
	return fmt.Sprintf("event %d sent to listener %s", serial, name)
}

func epipeText(serial uint64, name string) string {
	return fmt.Sprintf("epipe occurred while sending event %d to listener %s, listener state unchanged", serial, name)
}

func rebufferingText(serial uint64, pool string, queued, size int) string {
	return fmt.Sprintf("rebuffering event %d for pool %s (buf size=%d, max=%d)", serial, pool, queued, size)
}

func overflowText(pool string, serial uint64) string {
	return fmt.Sprintf("pool %s event buffer overflowed, discarding event %d", pool, serial)
}

func endText(pool string, n int) string {
	return fmt.Sprintf("pool %s has ended, events discarded: %d", pool, n)
}

func noAnswerText(name string, i *item) string {
	return fmt.Sprintf("%s: has not answered event %d (%s) in %d seconds", name, i.serial, i.event.Type(), answerWithin/time.Second)
}

func deafText(name string, why error) string {
	return name + ": will receive no events until it is started again: " + why.Error()
}

func lostText(pool string, n int) string {
	return fmt.Sprintf("pool %s: events of a supervisord before this one that are lost: %d", pool, n)
}

func lostInHandText(name, pool string) string {
	return name + ": what it had in hand from a supervisord before this one is lost to pool " + pool
}

// String is the name of the state, in capitals.
func (s State) String() string {
	switch s {
	case Ready:
		return "READY"
	case Busy:
		return "BUSY"
	case Acknowledged:
		return "ACKNOWLEDGED"
	case Unknown:
		return "UNKNOWN"
	}
	return "State(" + strconv.Itoa(int(s)) + ")"
}

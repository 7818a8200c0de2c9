package event

import "time"

// Ticks finds out when a TICK is due. The zero Ticks has seen no clock yet: what it is shown first
// is only where it counts from.
type Ticks struct {
	last  [len(periods)]int64 // the beginning of the period that At saw last
	begun bool
}

var periods = [...]int{5, 60, 3600}

// At gives the ticks that are due at now: at most one of each period, however long ago the last
// look was. A clock that was set back is a change of the period too.
func (t *Ticks) At(now time.Time) []Tick {
	var due []Tick
	for i, period := range periods {
		n := int64(period)
		when := now.Unix() / n * n
		if t.begun && when != t.last[i] {
			due = append(due, Tick{period, when})
		}
		t.last[i] = when
	}
	t.begun = true
	return due
}

// Next is when to look again. It is counted from now, and not a time of the clock, so that a clock
// that is set back by an hour does not stop the ticks for an hour.
func (t *Ticks) Next(now time.Time) time.Time {
	n := int64(periods[0])
	into := time.Duration(now.Unix()%n)*time.Second + time.Duration(now.Nanosecond())
	return now.Add(time.Duration(n)*time.Second - into)
}

package process

import (
	"hash/fnv"
	"time"

	"holdfast/internal/dlog"
)

// Patience says when a process is started again. The zero Patience is the original's: a failed start is
// tried again after 1, 2, 3 … seconds, a process that ends is started again at once, and FATAL is the end.
type Patience struct {
	RestartSecs    int // before the first restart; then twice as long each time. 0: the original's
	MaxDelaySecs   int // the longest delay; 0: none
	ResetSecs      int // a process that ran for so long begins with the first delay again
	LimitBurst     int // so many starts in LimitSecs, and the next one makes it FATAL; 0: any number
	LimitSecs      int
	FatalRetrySecs int // a FATAL process is tried again after so long; 0: never
}

// jitter is the most that is added to a delay, as a part of it: what failed together is not to be started
// together.
const jitter = 0.1

// delay is the wait before the nth try in a row; tries is what the original counts. The machine knows no
// chance, so that the jitter comes out of which try of which process it is.
func (p *Patience) delay(name string, spawn uint64, n, tries int) time.Duration {
	d := time.Duration(tries) * time.Second
	if p.RestartSecs > 0 {
		d = time.Duration(p.RestartSecs) * time.Second
		for ; n > 1 && d < 1<<61; n-- {
			d *= 2
		}
	}
	if most := time.Duration(p.MaxDelaySecs) * time.Second; most > 0 {
		d = min(d, most)
	}
	if p.RestartSecs > 0 {
		h := fnv.New32a()
		h.Write([]byte(name))
		h.Write([]byte{byte(spawn), byte(spawn >> 8)})
		d += time.Duration(float64(d) * jitter * float64(h.Sum32()%1024) / 1024)
	}
	return d
}

// failed counts a life that was not a stable one.
func (m *machine) failed() {
	if p := m.p.Patience; m.now.Sub(m.r.Started) >= time.Duration(p.ResetSecs)*time.Second {
		m.r.Failures = 0
	}
	m.r.Failures++
}

// waited is when the next try is due.
func (m *machine) waited() time.Time {
	return m.now.Add(m.p.Patience.delay(m.p.Name, m.r.Spawn, m.r.Failures, m.r.Retries))
}

// tryAgain is a start that nobody asks for, unless there were too many in too short a time; code is what the
// process has left.
func (m *machine) tryAgain(code int) {
	p := &m.p.Patience
	if p.LimitBurst > 0 && m.now.Sub(m.r.WindowBegan) < time.Duration(p.LimitSecs)*time.Second && m.r.WindowStarts >= p.LimitBurst {
		m.giveUp()
		m.log(dlog.Info, overLimitText(m.p.Name, p.LimitBurst, p.LimitSecs))
		m.end(EndsFatal, code)
		return
	}
	m.spawn()
}

// count notes a start in its window.
func (m *machine) count() {
	p := &m.p.Patience
	if p.LimitBurst == 0 {
		return
	}
	if m.r.WindowStarts == 0 || m.now.Sub(m.r.WindowBegan) >= time.Duration(p.LimitSecs)*time.Second {
		m.r.WindowBegan, m.r.WindowStarts = m.now, 0
	}
	m.r.WindowStarts++
}

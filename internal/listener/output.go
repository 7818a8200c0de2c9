package listener

import (
	"bytes"
	"strconv"
	"strings"
	"time"

	"holdfast/internal/dlog"
)

// A State is what a listener has said last of itself; the numbers are the original's.
type State int

const (
	Ready        State = 10
	Busy         State = 20
	Acknowledged State = 30
	Unknown      State = 40
)

const (
	readyToken  = "READY\n"
	resultToken = "RESULT "
	accepted    = "OK"

	// maxLine is how long the line of a result may be.
	maxLine = 4096
	// noLength is member.missing while the line of the result is awaited.
	noLength = -1
)

// A member is one process of a pool.
type member struct {
	name    string
	alive   bool // it was started and has not ended
	running bool // the process's state is RUNNING
	resumed bool // it was taken over, and has said nothing since
	deaf    bool // its stdin is closed
	state   State
	event   *item // what it has in hand, in BUSY only
	// reminded: the log says that it has it for long.
	reminded bool

	pending []byte // output that says nothing yet: part of a READY, or of the line of a RESULT
	missing int    // how much of the result is still to come
	result  []byte // its beginning, long enough to tell it from OK
	heard   string // the last of its output that may come once more from the next daemon
	// waitsSince is when it could have been sent an event, but for heard.
	waitsSince time.Time
}

// reset is for a process that is started.
func (m *member) reset() {
	*m = member{name: m.name, alive: true, state: Acknowledged, missing: noLength}
}

// ready tells whether m wants an event.
func (m *member) ready() bool { return m.running && m.state == Ready && !m.deaf }

// eligible tells whether m can be sent an event. It is not as long as its READY may be heard once more: with the
// event it could answer, and the one could not be told from the other.
func (m *member) eligible() bool { return m.ready() && m.heard == "" }

// remindAt is when the log is to say that m has an event for long; zero: never.
func (m *member) remindAt() time.Time {
	if m.event == nil || m.reminded {
		return time.Time{}
	}
	return m.event.sent.Add(answerWithin)
}

// Output takes what a member has written to its stdout. How it is cut into pieces makes no
// difference. data is not kept.
func (p *Pool) Output(member int, data []byte) []Action {
	m := &p.members[member]
	if !m.alive {
		return nil
	}
	if m.resumed {
		m.resumed = false
		data = m.withoutEcho(data)
	}
	m.hear(data)
	if len(m.pending) > 0 {
		data = append(m.pending, data...)
		m.pending = nil
	}
	for len(data) > 0 {
		n := p.advance(m, data)
		if n == 0 {
			m.pending = bytes.Clone(data)
			break
		}
		data = data[n:]
	}
	return p.done()
}

// advance looks at what m has written and tells how much of it is dealt with; with 0 there must be
// more of it.
func (p *Pool) advance(m *member, data []byte) int {
	switch {
	case m.state == Acknowledged && len(data) < len(readyToken):
		return 0
	case m.state == Acknowledged && string(data[:len(readyToken)]) == readyToken:
		p.enter(m, Ready)
		return len(readyToken)
	case m.state == Acknowledged, m.state == Ready:
		p.enter(m, Unknown)
	case m.state == Busy && m.missing == noLength:
		return p.resultLine(m, data)
	case m.state == Busy:
		n := min(m.missing, len(data))
		m.missing -= n
		m.result = append(m.result, data[:min(n, len(accepted)+1-len(m.result))]...)
		if m.missing == 0 {
			p.answered(m)
		}
		return n
	}
	return len(data) // UNKNOWN
}

// resultLine reads the line that says how long the result is.
//
// Differs: the original skips the first seven bytes whatever they are, waits for more output when
// the length is 0, is broken for good by a negative one (quirks 80), and waits without end for
// the end of a line or for a length that no memory holds.
func (p *Pool) resultLine(m *member, data []byte) int {
	end := bytes.IndexByte(data[:min(len(data), maxLine+1)], '\n')
	if end < 0 && len(data) <= maxLine {
		return 0
	}
	line := data[:min(len(data), maxLine)]
	if end >= 0 {
		line = data[:end]
		if n, ok := resultLength(string(line)); ok {
			m.missing = n
			if n == 0 {
				p.answered(m)
			}
			return end + 1
		}
	}
	p.log(dlog.Warn, badResultText(m.name, line))
	p.enter(m, Unknown)
	p.reject(m)
	return len(data)
}

// resultLength reads "RESULT 2". Like the original it takes what Python's int takes: blanks around
// the number, such as the \r of a line that ends in \r\n, a sign, and 1_000.
func resultLength(line string) (int, bool) {
	number, ok := strings.CutPrefix(line, resultToken)
	if !ok {
		return 0, false
	}
	number = strings.Trim(number, " \t\n\v\f\r")
	for _, part := range strings.Split(strings.TrimLeft(number, "+-"), "_") {
		if part == "" {
			return 0, false
		}
	}
	n, err := strconv.Atoi(strings.ReplaceAll(number, "_", ""))
	return n, err == nil && n >= 0
}

// answered: the result is complete.
func (p *Pool) answered(m *member) {
	ok := string(m.result) == accepted
	m.missing, m.result = noLength, nil
	if ok {
		p.counts.Processed++
		if m.event != nil { // else a daemon before this one knew it
			p.drop(m.event)
		}
		m.event = nil
		p.log(dlog.Debug, processedText(m.name))
		p.enter(m, Acknowledged)
		return
	}
	p.log(dlog.Warn, rejectedText(m.name))
	p.enter(m, Acknowledged)
	if m.event != nil { // else a daemon before this one knew it
		m.event.rejections++
	}
	p.reject(m)
}

func (p *Pool) enter(m *member, s State) {
	p.log(dlog.Debug, changedText(m.name, m.state, s))
	m.state = s
	if s == Unknown {
		p.log(dlog.Warn, unknownText(m.name))
	}
}

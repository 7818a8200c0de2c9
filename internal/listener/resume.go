package listener

import (
	"bytes"

	"holdfast/internal/dlog"
	"holdfast/internal/event"
	"holdfast/internal/process"
)

// Resume tells of a member that a daemon before this one has left: its process's state, what it has said
// last, and the number of the pool's next event. The event that a BUSY one has in hand is not known any
// more; where it would be sent again the log says that it is lost.
func (p *Pool) Resume(member int, state process.State, said State, next uint64) {
	m := &p.members[member]
	m.reset()
	m.running, m.resumed = state == process.Running, true
	m.alive = !state.IsStopped() && state != process.Backoff || state == process.Unknown
	if said != 0 {
		m.state = said
	}
	if next > p.serial.Peek() {
		p.serial = event.SerialFrom(next)
	}
}

// withoutEcho takes off what the daemon before had seen already, and died before it could take it out of the
// pipe: what brought m into its state.
func (m *member) withoutEcho(data []byte) []byte {
	echo := readyToken
	if m.state == Acknowledged {
		echo = resultToken + "2\n" + accepted
	}
	rest, _ := bytes.CutPrefix(data, []byte(echo))
	return rest
}

// NextSerial is the number that the pool's next event will have.
func (p *Pool) NextSerial() uint64 { return p.serial.Peek() }

// lostInHand says that an event can't be sent again.
func (p *Pool) lostInHand(m *member) {
	p.counts.Discarded++
	p.log(dlog.Warn, lostInHandText(m.name, p.o.Name))
}

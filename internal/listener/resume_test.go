package listener

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/internal/event"
	"holdfast/internal/process"
)

func poolOf(members ...string) *Pool {
	return New(Options{Name: "pool", BufferSize: 10, Events: event.Subscribe([]string{"EVENT"}), Members: members})
}

// A member that is taken over goes on where it was, even if what it wrote last comes once more.
func TestResume(t *testing.T) {
	for _, row := range []struct {
		name  string
		state process.State
		kept  Kept
		says  string
		want  State
		lost  uint64
	}{
		{"ready", process.Running, Kept{Said: Ready}, "", Ready, 0},
		{"ready, heard twice", process.Running, Kept{Said: Ready, Heard: "READY\n"}, "READY\n", Ready, 0},
		{"ready, and out of turn", process.Running, Kept{Said: Ready, Heard: "READY\n"}, "READY\nREADY\n", Unknown, 0},
		{"acknowledged, heard twice", process.Running, Kept{Said: Acknowledged, Heard: "READY\nRESULT 2\nOK"}, "RESULT 2\nOKREADY\n", Ready, 0},
		{"rejected, heard twice", process.Running, Kept{Said: Acknowledged, Heard: "READY\nRESULT 4\nFAIL"}, "RESULT 4\nFAILREADY\n", Ready, 0},
		{"acknowledged", process.Running, Kept{Said: Acknowledged, Heard: "READY\nRESULT 2\nOK"}, "READY\n", Ready, 0},
		{"half a READY", process.Running, Kept{Said: Acknowledged, Pending: "REA", Heard: "REA"}, "DY\n", Ready, 0},
		{"half a READY, heard twice", process.Running, Kept{Said: Acknowledged, Pending: "REA", Heard: "REA"}, "READY\n", Ready, 0},
		{"busy, and done", process.Running, Kept{Said: Busy, Heard: "READY\n"}, "RESULT 2\nOK", Acknowledged, 0},
		{"busy, its READY heard twice", process.Running, Kept{Said: Busy, Heard: "READY\n"}, "READY\nRESULT 2\nOK", Acknowledged, 0},
		{"busy, half of its result there", process.Running, Kept{Said: Busy, Missing: 1, Result: "O", Heard: "READY\nRESULT 2\nO"}, "K", Acknowledged, 0},
		{"busy, and rejects what nobody knows any more", process.Running, Kept{Said: Busy}, "RESULT 4\nFAIL", Acknowledged, 1},
		{"unknown", process.Running, Kept{Said: Unknown}, "READY\n", Unknown, 0},
		{"stopped", process.Stopped, Kept{}, "READY\n", Acknowledged, 0},
	} {
		p := poolOf("m")
		p.Resume(0, row.state, row.kept, 7)
		p.Restore(time.Now(), nil, 0)
		output(p, 0, []byte(row.says))
		if got := p.State(0); got != row.want {
			t.Errorf("%s: state %v, want %v", row.name, got, row.want)
		}
		if got := p.Counts().Discarded; got != row.lost {
			t.Errorf("%s: %d events lost, want %d", row.name, got, row.lost)
		}
		if p.NextSerial() != 7 {
			t.Errorf("%s: next serial %d", row.name, p.NextSerial())
		}
		p.Accept(0, event.Tick{Period: 5})
		writes := slices.ContainsFunc(p.Dispatch(time.Now()), func(a Action) bool { _, ok := a.(Write); return ok })
		if writes != (row.want == Ready) {
			t.Errorf("%s: is sent an event: %v", row.name, writes)
		}
	}
}

// A memory is what a daemon keeps of a pool.
type memory map[uint64]Saved

func (m memory) perform(do []Action) (said []string) {
	for _, a := range do {
		switch a := a.(type) {
		case Keep:
			m[a.PoolSerial] = a.Saved
		case Drop:
			delete(m, a.PoolSerial)
		case Write:
			said = append(said, fmt.Sprintf("to %d: %s", a.Member, strings.SplitAfter(string(a.Data), " eventname")[0]))
		case Log:
			said = append(said, a.Text)
		}
	}
	return said
}

func (m memory) saved() (list []Saved) {
	for _, s := range m { // in no order
		s.Event = event.Recorded{Of: s.Event.Type(), Text: s.Event.Payload()}
		list = append(list, s)
	}
	return list
}

// What waited goes on waiting in its order, and what was in hand comes again if it is rejected.
func TestRestore(t *testing.T) {
	for _, row := range []struct {
		name  string
		then  func(p *Pool) []Action
		queue int
		next  string // is sent to the other one
	}{
		{"it answers OK", func(p *Pool) []Action { return output(p, 0, []byte("RESULT 2\nOK")) }, 3, "poolserial:1 "},
		{"it answers FAIL", func(p *Pool) []Action { return output(p, 0, []byte("RESULT 4\nFAIL")) }, 4, "poolserial:0 "},
		{"it ends", func(p *Pool) []Action { return p.Changed(0, process.Exited) }, 4, "poolserial:0 "},
		{"it writes nonsense", func(p *Pool) []Action { return output(p, 0, []byte("what?\n")) }, 4, "poolserial:0 "},
		{"its stdin is closed", func(p *Pool) []Action { return p.WriteFailed(0, fmt.Errorf("closed")) }, 4, "poolserial:0 "},
	} {
		kept := make(memory)
		p := poolOf("a", "b")
		for m := range 2 {
			kept.perform(p.Changed(m, process.Starting))
			kept.perform(p.Changed(m, process.Running))
		}
		kept.perform(output(p, 0, []byte("READY\n")))
		for i := range 4 {
			kept.perform(p.Accept(uint64(10+i), event.RemoteCommunication{Kind: "k", Data: fmt.Sprint("n", i)}))
		}
		kept.perform(p.Dispatch(time.Now()))

		next := poolOf("a", "b")
		for m := range 2 {
			next.Resume(m, process.Running, p.Kept(m), p.NextSerial())
		}
		if do := next.Restore(time.Now(), kept.saved(), 4); do != nil {
			t.Errorf("%s: %v", row.name, do)
		}
		if c := next.Counts(); c.Queued != 3 || c.InFlight != 1 {
			t.Fatalf("%s: %+v", row.name, c)
		}
		kept.perform(row.then(next))
		if c := next.Counts(); c.Queued != row.queue || c.InFlight != 0 || len(kept) != row.queue {
			t.Errorf("%s: %+v, and %d kept", row.name, c, len(kept))
		}
		kept.perform(output(next, 1, []byte("READY\n")))
		if said := kept.perform(next.Dispatch(time.Now())); !strings.Contains(said[0], "to 1: ver:3.0") || !strings.Contains(said[0], row.next) {
			t.Errorf("%s: %v", row.name, said)
		}
		kept.perform(next.End())
		if len(kept) != 0 {
			t.Errorf("%s: %d are kept after the end", row.name, len(kept))
		}
	}
}

// Events that could not be kept are told as lost: those that waited at once, one in hand when it should come again.
func TestRestoreTellsWhatIsLost(t *testing.T) {
	p := poolOf("m")
	p.Resume(0, process.Running, Kept{Said: Busy, InHand: 5}, 9)
	kept := []Saved{{Event: event.Recorded{Of: "TICK_5"}, PoolSerial: 6}}
	kinds := make(memory)
	if said := kinds.perform(p.Restore(time.Now(), kept, 4)); len(said) != 1 || said[0] != "pool pool: events of a supervisord before this one that are lost: 2" {
		t.Errorf("got %q", said)
	}
	if said := kinds.perform(p.Changed(0, process.Exited)); len(said) != 1 || said[0] != "m: what it had in hand from a supervisord before this one is lost to pool pool" {
		t.Errorf("got %q", said)
	}
	if n := p.Counts().Discarded; n != 3 {
		t.Errorf("%d lost", n)
	}
}

// What a listener has written, and no daemon has taken out of the pipe, can come once more: it is sent nothing
// meanwhile, so that the same text behind that is an answer. A log that takes nothing holds it up for a second.
func TestNoEventBeforeTheOutputIsTaken(t *testing.T) {
	now := time.Now()
	sent := func(p *Pool) bool {
		return slices.ContainsFunc(p.Dispatch(now), func(a Action) bool { _, ok := a.(Write); return ok })
	}
	p := poolOf("m")
	p.Changed(0, process.Starting)
	p.Changed(0, process.Running)
	p.Accept(0, event.Tick{Period: 5})
	p.Accept(1, event.Tick{Period: 5})
	p.Output(0, []byte("READY\n"))
	if sent(p) || p.Kept(0).Heard != "READY\n" {
		t.Errorf("sent before its READY was taken; heard %q", p.Kept(0).Heard)
	}
	if at := p.Deadline(); !at.Equal(now.Add(takenWithin)) {
		t.Errorf("the deadline is in %v", at.Sub(now))
	}
	p.Taken(0)
	if !sent(p) || p.Kept(0).Heard != "" {
		t.Error("not sent")
	}

	next := poolOf("m")
	next.Resume(0, process.Running, p.Kept(0), 2)
	next.Restore(now, []Saved{{Event: event.Tick{Period: 5}}, {Event: event.Tick{Period: 5}, PoolSerial: 1}}, 2)
	next.Output(0, []byte("RESULT 2\nOKREADY\n"))
	if c := next.Counts(); c.Processed != 1 || next.State(0) != Ready {
		t.Errorf("%+v, %v", c, next.State(0))
	}
	if sent(next) {
		t.Error("sent before it was taken")
	}
	now = now.Add(takenWithin)
	if !sent(next) {
		t.Error("not sent after a while")
	}
}

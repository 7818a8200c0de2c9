package listener

import (
	"slices"
	"testing"
	"time"

	"holdfast/internal/event"
	"holdfast/internal/process"
)

// A member that is taken over goes on where it was, even if what it said last comes once more.
func TestResume(t *testing.T) {
	for _, row := range []struct {
		name  string
		state process.State
		said  State
		says  string
		want  State
		lost  uint64
	}{
		{"ready", process.Running, Ready, "", Ready, 0},
		{"ready, heard twice", process.Running, Ready, "READY\n", Ready, 0},
		{"ready, and out of turn", process.Running, Ready, "READY\nREADY\n", Unknown, 0},
		{"acknowledged, heard twice", process.Running, Acknowledged, "RESULT 2\nOKREADY\n", Ready, 0},
		{"acknowledged", process.Running, Acknowledged, "READY\n", Ready, 0},
		{"busy, and done", process.Running, Busy, "RESULT 2\nOK", Acknowledged, 0},
		{"busy, its READY heard twice", process.Running, Busy, "READY\nRESULT 2\nOK", Acknowledged, 0},
		{"busy, and rejects what nobody knows any more", process.Running, Busy, "RESULT 4\nFAIL", Acknowledged, 1},
		{"unknown", process.Running, Unknown, "READY\n", Unknown, 0},
		{"stopped", process.Stopped, 0, "READY\n", Acknowledged, 0},
	} {
		p := New(Options{Name: "pool", BufferSize: 10, Events: event.Subscribe([]string{"EVENT"}), Members: []string{"m"}})
		p.Resume(0, row.state, row.said, 7)
		p.Output(0, []byte(row.says))
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

// The process of a member that was busy ends: what it had in hand is gone.
func TestResumedMemberDies(t *testing.T) {
	p := New(Options{Name: "pool", BufferSize: 10, Members: []string{"m"}})
	p.Resume(0, process.Running, Busy, 0)
	do := p.Changed(0, process.Exited)
	if len(do) != 1 || do[0].(Log).Text != "m: what it had in hand from a supervisord before this one is lost to pool pool" {
		t.Errorf("got %v", do)
	}
}

package listener

import (
	"bytes"
	"reflect"
	"strconv"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"holdfast/internal/event"
	"holdfast/internal/process"
)

// A world is a pool beside its twin, which gets the same output byte by byte, and knows what each
// event has come to.
type world struct {
	t         *testing.T
	pool      *Pool
	twin      *Pool
	events    int
	pieces    [][]byte
	inFlight  map[int]string // by member: the header of the event
	unknown   map[int]bool   // members that have violated the protocol since their start
	closed    map[int]bool   // members to whom a write has failed since their start
	processes []process.State
	now       time.Time
	kept      map[uint64]bool // the events that a next daemon would have
}

// both makes a call on the pool and on its twin.
func (w *world) both(call func(*Pool) []Action) {
	do := call(w.pool)
	w.same(do, call(w.twin))
	w.check(do)
}

func (w *world) same(do, twin []Action) {
	if !reflect.DeepEqual(do, twin) {
		w.t.Fatalf("the twin does otherwise: %s", gocmp.Diff(do, twin))
	}
}

func (w *world) check(do []Action) {
	for _, a := range do {
		switch a := a.(type) {
		case Keep:
			w.kept[a.PoolSerial] = true
		case Drop:
			if !w.kept[a.PoolSerial] {
				w.t.Fatalf("event %d is dropped and was not kept", a.PoolSerial)
			}
			delete(w.kept, a.PoolSerial)
		}
		wr, ok := a.(Write)
		if !ok {
			continue
		}
		n := wr.Member
		switch {
		case w.inFlight[n] != "":
			w.t.Fatalf("%q to member %d, which has %q in hand", wr.Data, n, w.inFlight[n])
		case w.unknown[n]:
			w.t.Fatalf("%q to member %d, which is UNKNOWN", wr.Data, n)
		case w.closed[n]:
			w.t.Fatalf("%q to member %d, whose stdin is closed", wr.Data, n)
		case w.processes[n] != process.Running:
			w.t.Fatalf("%q to member %d, which is %v", wr.Data, n, w.processes[n])
		}
		header, _, _ := bytes.Cut(wr.Data, []byte("\n"))
		for _, h := range w.inFlight {
			if h == string(header) {
				w.t.Fatalf("%q is in two hands", header)
			}
		}
		w.inFlight[n] = string(header)
	}
	c := w.pool.Counts()
	if c.Accepted != uint64(w.events) || c.Accepted != c.Processed+c.Discarded+uint64(c.Queued+c.InFlight) {
		w.t.Fatalf("%d events: %+v", w.events, c)
	}
	if len(w.kept) != c.Queued+c.InFlight {
		w.t.Fatalf("%d events are kept: %+v", len(w.kept), c)
	}
	if c.Queued > w.pool.o.BufferSize {
		w.t.Fatalf("too many are queued: %+v", c)
	}
	for n := range w.processes {
		m := &w.pool.members[n]
		if (m.event != nil) != (m.state == Busy && m.alive) {
			w.t.Fatalf("member %d is %v, alive %v, with event %v", n, m.state, m.alive, m.event)
		}
		if len(m.pending) > maxLine || len(m.result) > len(accepted)+1 {
			w.t.Fatalf("member %d keeps %d and %d bytes", n, len(m.pending), len(m.result))
		}
		if m.event == nil {
			delete(w.inFlight, n)
		}
		if m.state == Unknown {
			w.unknown[n] = true
		} else if w.unknown[n] {
			w.t.Fatalf("member %d is no longer UNKNOWN", n)
		}
	}
}

// act does what one byte of the fuzzer says: the low bits what, the high bits to whom.
func (w *world) act(b byte) {
	n := int(b>>4) % len(w.processes)
	switch b & 15 {
	case 0, 1:
		w.events++
		w.both(func(p *Pool) []Action {
			return p.Accept(uint64(w.events), event.RemoteCommunication{Kind: strconv.Itoa(w.events)})
		})
	case 2:
		w.change(n, process.Starting)
	case 3:
		w.change(n, process.Running)
	case 4:
		w.change(n, process.Stopping)
	case 5:
		w.change(n, process.Exited)
	case 6:
		w.change(n, process.Unknown)
	case 7:
		if w.inFlight[n] != "" {
			w.closed[n] = true
			w.both(func(p *Pool) []Action { return p.WriteFailed(n, errClosed) })
		}
	case 8:
		w.says(n, "READY\n")
	case 9:
		w.says(n, "RESULT 2\nOK")
	case 10:
		w.says(n, "RESULT 4\nFAIL")
	case 11, 12:
		if len(w.pieces) > 0 {
			w.says(n, string(w.pieces[0]))
			w.pieces = w.pieces[1:]
		}
	case 13:
		if at := w.pool.Deadline(); !at.IsZero() {
			w.now = at
		}
		fallthrough
	default:
		w.both(func(p *Pool) []Action { return p.Dispatch(w.now) })
		if at := w.pool.Deadline(); !at.IsZero() && !at.After(w.now) {
			w.t.Fatalf("the next deadline of %v is %v", w.now, at)
		}
	}
}

func (w *world) change(n int, to process.State) {
	if to == process.Starting {
		if w.pool.members[n].alive { // it ends first
			w.change(n, process.Exited)
		}
		delete(w.unknown, n)
		delete(w.closed, n)
	} else if !w.pool.members[n].alive {
		return
	}
	w.processes[n] = to
	w.both(func(p *Pool) []Action { return p.Changed(n, to) })
}

func (w *world) says(n int, data string) {
	do := output(w.pool, n, []byte(data))
	w.same(do, byteByByte(w.twin, n, []byte(data)))
	w.check(do)
}

func FuzzPool(f *testing.F) {
	f.Add([]byte{2, 0x02, 0x03, 0x08, 0x00, 0x0f, 0x09, 0x08, 0x01, 0x0f, 0x0a, 0x05}, []byte("x"))
	f.Add([]byte{6, 0x02, 0x12, 0x03, 0x13, 0x08, 0x18, 0, 0, 0, 0, 0x0f, 0x07, 0x0f, 0x1b, 0x1b}, []byte("RESULT\x00 2\r\nO\x00K\nREADY\n"))
	f.Add([]byte{1, 0x02, 0x03, 0x08, 0, 0x0f, 0x0b, 0x0b, 0x08, 0x05, 0x02, 0x03, 0x08, 0x0f}, []byte("RESULT 0\n\x00RESULT -1\n"))
	f.Fuzz(func(t *testing.T, script, output []byte) {
		if len(script) == 0 || len(output) > 3*maxLine {
			return
		}
		members := []string{"a", "b", "c"}[:1+script[0]%3]
		o := Options{Name: "pool", Server: "s", BufferSize: 1 + int(script[0]>>2)%8,
			Events: event.Subscribe([]string{"EVENT"}), Members: members}
		w := &world{t: t, pool: New(o), twin: New(o), pieces: bytes.Split(output, []byte{0}),
			inFlight: map[int]string{}, unknown: map[int]bool{}, closed: map[int]bool{}, kept: map[uint64]bool{},
			processes: make([]process.State, len(members))}
		for _, b := range script[1:] {
			w.act(b)
		}
		w.both((*Pool).End)
		if c := w.pool.Counts(); c.Accepted != c.Processed+c.Discarded {
			t.Fatalf("after the end: %+v", c)
		}
	})
}

package listener

import (
	"bytes"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"holdfast/internal/event"
	"holdfast/internal/process"
	"holdfast/internal/pyref"
)

// busy is a pool of one member that has an event in hand.
func busy() *Pool {
	p := New(Options{Name: "p", Server: "s", BufferSize: 10, Events: event.Subscribe([]string{"EVENT"}), Members: []string{"l"}})
	p.Changed(0, process.Starting)
	p.Changed(0, process.Running)
	output(p, 0, []byte("READY\n"))
	p.Accept(0, event.SupervisorStateChange{})
	p.Dispatch(time.Time{})
	return p
}

// what became of the event in hand
const (
	inHand    = "in hand"
	processed = "processed"
	putBack   = "put back"

	putBackUnsent = "put back, not counted as rejected"
)

func fate(p *Pool) string {
	switch c := p.Counts(); {
	case c.InFlight == 1:
		return inHand
	case c.Processed == 1:
		return processed
	case c.Rejected == 1 && c.Queued == 1:
		return putBack
	case c.Queued == 1:
		return putBackUnsent
	}
	return "lost"
}

func TestResult(t *testing.T) {
	for _, tt := range []struct {
		rule  string
		says  string
		state State
		event string
		log   string // part of it; empty: whatever
	}{
		{"OK", "RESULT 2\nOK", Acknowledged, processed, "l: event was processed"},
		{"any other result is a rejection", "RESULT 4\nFAIL", Acknowledged, putBack, "l: event was rejected"},
		{"OK with more is a rejection", "RESULT 3\nOK\n", Acknowledged, putBack, ""},
		{"ok in small letters is a rejection", "RESULT 2\nok", Acknowledged, putBack, ""},
		{"a long result is a rejection", "RESULT 100000\n" + strings.Repeat("OK", 50000), Acknowledged, putBack, ""},
		{"an empty result is a rejection, at once", "RESULT 0\n", Acknowledged, putBack, "l: event was rejected"},
		{"-0 is 0", "RESULT -0\n", Acknowledged, putBack, ""},
		{"the next READY may follow at once", "RESULT 2\nOKREADY\n", Ready, processed, ""},
		{"what follows and is too short for a READY waits", "RESULT 2\nOK\nREAD", Acknowledged, processed, ""},
		{"a newline behind the result is too much", "RESULT 2\nOK\nREADY\n", Unknown, processed, "l: ACKNOWLEDGED -> UNKNOWN"},
		{"an incomplete line waits", "RESULT 2", Busy, inHand, ""},
		{"even one that can't be a result any more", "hello", Busy, inHand, ""},
		{"an incomplete result waits", "RESULT 2\nO", Busy, inHand, ""},
		{"a length that never comes waits", "RESULT 9223372036854775807\nOK", Busy, inHand, ""},

		{"blanks around the length, as Python's int takes them", "RESULT  \t2 \r\nOK", Acknowledged, processed, ""},
		{"a sign and zeros", "RESULT +002\nOK", Acknowledged, processed, ""},
		{"underscores between digits", "RESULT 0_2\nOK", Acknowledged, processed, ""},

		{"no number", "RESULT x\nOK", Unknown, putBack, "l: bad result line: 'RESULT x'"},
		{"no length", "RESULT \n", Unknown, putBack, "l: bad result line: 'RESULT '"},
		{"a negative length", "RESULT -1\n", Unknown, putBack, "l: bad result line: 'RESULT -1'"},
		{"two signs", "RESULT +-2\nOK", Unknown, putBack, ""},
		{"an underscore at the end", "RESULT 2_\nOK", Unknown, putBack, ""},
		{"a fraction", "RESULT 2.0\nOK", Unknown, putBack, ""},
		{"a length beyond all memory", "RESULT 9223372036854775808\nOK", Unknown, putBack, ""},
		{"another keyword", "RESULTS2\nOK", Unknown, putBack, "l: bad result line: 'RESULTS2'"},
		{"the keyword in small letters", "result 2\nOK", Unknown, putBack, ""},
		{"an empty line", "\n", Unknown, putBack, "l: bad result line: ''"},
		{"READY instead of a result", "READY\n", Unknown, putBack, "l: bad result line: 'READY'"},
		{"a line that is not UTF-8", "RESULT \xff'\n", Unknown, putBack, `l: bad result line: 'Undecodable: b"RESULT \xff'"'`},
		{"the longest line", "RESULT 2" + strings.Repeat(" ", maxLine-8) + "\nOK", Acknowledged, processed, ""},
		{"a longer line", "RESULT 2" + strings.Repeat(" ", maxLine-7) + "\nOK", Unknown, putBack, ""},
		{"a line without end", strings.Repeat("x", 1<<20), Unknown, putBack, "'" + strings.Repeat("x", maxLine) + "'"},
	} {
		p := busy()
		whole := output(p, 0, []byte(tt.says))
		if p.State(0) != tt.state || fate(p) != tt.event {
			t.Errorf("%s: got %v, event %s; want %v, %s", tt.rule, p.State(0), fate(p), tt.state, tt.event)
		}
		if !strings.Contains(texts(whole), tt.log) {
			t.Errorf("%s: log %q lacks %q", tt.rule, texts(whole), tt.log)
		}
		if len(tt.says) > 1<<17 {
			continue
		}
		q := busy()
		if diff := gocmp.Diff(whole, byteByByte(q, 0, []byte(tt.says))); diff != "" {
			t.Errorf("%s, byte by byte: %s", tt.rule, diff)
		}
	}
}

// output is Pool.Output for what is taken at once.
func output(p *Pool, member int, data []byte) []Action {
	do := p.Output(member, data)
	p.Taken(member)
	return do
}

func texts(do []Action) string {
	var b strings.Builder
	for _, a := range do {
		if l, ok := a.(Log); ok {
			b.WriteString(l.Text + "\n")
		}
	}
	return b.String()
}

func byteByByte(p *Pool, member int, data []byte) (do []Action) {
	for i := range data {
		do = append(do, output(p, member, data[i:i+1])...)
	}
	return do
}

func TestWriteFailedLater(t *testing.T) {
	for _, tt := range []struct {
		rule  string
		says  string // between the write and the news that it failed
		state State
		event string
	}{
		{"it has said nothing: its state is unchanged", "", Ready, putBackUnsent},
		{"it has begun a line that nobody asked for", "RES", Unknown, putBackUnsent},
		{"it has begun a result that nobody asked for", "RESULT 2\n", Unknown, putBackUnsent},
		{"it has answered without reading to the end", "RESULT 2\nOK", Acknowledged, processed},
		{"and is READY again", "RESULT 2\nOKREADY\n", Ready, processed},
		{"it was found to be UNKNOWN meanwhile", "hello\n", Unknown, putBack},
	} {
		p := busy()
		output(p, 0, []byte(tt.says))
		p.WriteFailed(0, errClosed)
		if p.State(0) != tt.state || fate(p) != tt.event {
			t.Errorf("%s: got %v, event %s; want %v, %s", tt.rule, p.State(0), fate(p), tt.state, tt.event)
		}
		p.Accept(1, event.SupervisorStateChange{})
		if do := p.Dispatch(time.Time{}); do != nil {
			t.Errorf("%s: it is written to again: %v", tt.rule, do)
		}
	}
}

func TestOutputIsNotKept(t *testing.T) {
	p := busy()
	for _, piece := range []string{"RES", "ULT 2\nO", "K", "RE", "ADY\n"} {
		data := []byte(piece)
		output(p, 0, data)
		copy(data, bytes.Repeat([]byte("x"), len(data)))
	}
	if p.State(0) != Ready || fate(p) != processed {
		t.Errorf("got %v, event %s", p.State(0), fate(p))
	}
}

// The lengths that Python's int reads out of bytes.
func TestResultLengthIsPythons(t *testing.T) {
	var in []string
	alphabet := []string{"", "0", "1", "12", "_", "+", "-", " ", "\t", "\r", "\v", "\x1c", "\x00", "x", "\xa0"}
	for _, a := range alphabet {
		for _, b := range alphabet {
			for _, c := range alphabet {
				for _, d := range alphabet {
					in = append(in, a+b+c+d)
				}
			}
		}
	}
	var want []int
	runes := make([][]rune, len(in)) // a byte a number
	for i, s := range in {
		for _, c := range []byte(s) {
			runes[i] = append(runes[i], rune(c))
		}
	}
	pyref.Ask(t, `
answer = []
for s in data:
    try: n = int(bytes(s or []))
    except ValueError: n = -1
    answer.append(max(n, -1))
`, runes, &want)
	for i, s := range in {
		n, ok := resultLength(resultToken + s)
		if !ok {
			n = -1
		}
		if n != want[i] {
			t.Errorf("%q: got %d, want %d", s, n, want[i])
		}
	}
}

package childutils

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"holdfast/internal/event"
	"holdfast/internal/listener"
	"holdfast/internal/process"
	"holdfast/internal/pyref"
)

const header = "ver:3.0 server:s serial:7 pool:p poolserial:3 eventname:TICK_5 len:"

func TestNext(t *testing.T) {
	for _, tt := range []struct {
		rule    string
		in      string
		payload string
		err     error // nil with an empty payload: some error
	}{
		{"as many characters as len says", header + "7\nwhen:10and so on", "when:10", nil},
		{"characters are not bytes", header + "6\na:é漢😀\nb", "a:é漢😀\n", nil},
		{"a byte that is not UTF-8 is a character", header + "3\n\xffé\xe9b", "\xffé\xe9", nil},
		{"so are those of half a character", header + "4\n\xe6\xbc\xf0\x9fb", "\xe6\xbc\xf0\x9f", nil},
		{"and U+FFFD is itself", header + "2\n\uFFFDxb", "\uFFFDx", nil},
		{"carriage returns stay", header + "4\na\r\n\rb", "a\r\n\r", nil},
		{"the end", "", "", io.EOF},
		{"the end within the header", header, "", io.ErrUnexpectedEOF},
		{"the end behind the header", header + "7\n", "", io.ErrUnexpectedEOF},
		{"the end within the payload", header + "7\nwhen:1", "", io.ErrUnexpectedEOF},
		{"more than there is memory", header + "9223372036854775807\nwhen:1", "", io.ErrUnexpectedEOF},
		{"no length", strings.TrimSuffix(header, " len:") + "\n", "", nil},
		{"an empty length", header + "\n", "", nil},
		{"a negative length", header + "-1\n", "", nil},
		{"no type", strings.Replace(header, "eventname", "event", 1) + "1\nx", "", nil},
		{"a serial that is no number", strings.Replace(header, "serial:7", "serial:x", 1) + "1\nx", "", nil},
		{"something else", "hello\n", "", nil},
	} {
		for name, in := range map[string]io.Reader{"": strings.NewReader(tt.in), ", byte by byte": iotest.OneByteReader(strings.NewReader(tt.in))} {
			var out strings.Builder
			e, err := NewListener(in, &out).Next()
			switch {
			case out.String() != "READY\n":
				t.Errorf("%s%s: said %q", tt.rule, name, out.String())
			case tt.payload != "" && (err != nil || e.Payload != tt.payload):
				t.Errorf("%s%s: got %+v, %v; want %q", tt.rule, name, e, err, tt.payload)
			case tt.payload == "" && (err == nil || tt.err != nil && !errors.Is(err, tt.err)):
				t.Errorf("%s%s: got %+v, %v; want %v", tt.rule, name, e, err, tt.err)
			}
		}
	}
}

func TestHeader(t *testing.T) {
	want := &Event{Ver: "3.0", Server: "s", Serial: 1<<63 - 1, Pool: "p", PoolSerial: 3, Name: "TICK_5", Len: 7}
	for _, tt := range []struct{ rule, line, server string }{
		{"as it is", "ver:3.0 server:s serial:9223372036854775807 pool:p poolserial:3 eventname:TICK_5 len:7\n", "s"},
		{"a colon in the identifier", "ver:3.0 server:a:b serial:9223372036854775807 pool:p poolserial:3 eventname:TICK_5 len:7\n", "a:b"},
		{"blanks in the identifier, as the original sends them", "ver:3.0 server:my own host serial:9223372036854775807 pool:p poolserial:3 eventname:TICK_5 len:7\n", "my own host"},
		{"even with keys in it", "ver:3.0 server:s len:5 serial:9223372036854775807 pool:p poolserial:3 eventname:TICK_5 len:7\n", "s"},
		{"a key more, and another order", "len:7 new:x ver:3.0 server:s serial:9223372036854775807 pool:p poolserial:3 eventname:TICK_5\n", "s"},
	} {
		want.Server = tt.server
		got, err := parseHeader(tt.line)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v %s", tt.rule, err, diff)
		}
	}
}

func TestFields(t *testing.T) {
	for _, tt := range []struct {
		rule, payload string
		fields        map[string]string
		data          string
	}{
		{"no data", "processname:web pid:42", map[string]string{"processname": "web", "pid": "42"}, ""},
		{"data", "processname:web pid:42\nline one\nline:two\n", map[string]string{"processname": "web", "pid": "42"}, "line one\nline:two\n"},
		{"a line feed behind the fields and no data", "groupname:web\n", map[string]string{"groupname": "web"}, ""},
		{"a value with a colon", "type:a:b\n", map[string]string{"type": "a:b"}, ""},
		{"a value with a blank", "type:my type\nx", map[string]string{"type": "my type"}, "x"},
		{"an empty value", "type:\nx", map[string]string{"type": ""}, "x"},
		{"nothing", "", map[string]string{}, ""},
		{"no fields", "hello", map[string]string{}, ""},
	} {
		fields, data := (&Event{Payload: tt.payload}).Fields()
		if diff := cmp.Diff(tt.fields, fields); diff != "" || data != tt.data {
			t.Errorf("%s: data %q, fields %s", tt.rule, data, diff)
		}
	}
}

func TestResult(t *testing.T) {
	for want, answer := range map[string]func(*Listener) error{
		"RESULT 2\nOK":         (*Listener).OK,
		"RESULT 4\nFAIL":       (*Listener).Fail,
		"RESULT 0\n":           func(l *Listener) error { return l.Result("") },
		"RESULT 9\né\nREADY\n": func(l *Listener) error { return l.Result("é\nREADY\n") }, // its bytes
	} {
		var out strings.Builder
		l := NewListener(strings.NewReader(header+"1\nx"+header+"1\nx"), &out)
		if err := l.OK(); err == nil {
			t.Error("an answer without an event is no error")
		}
		if _, err := l.Next(); err != nil {
			t.Fatal(err)
		}
		if e, err := l.Next(); err == nil {
			t.Errorf("got %v without having answered the one before", e)
		}
		if err := answer(l); err != nil || out.String() != "READY\n"+want {
			t.Errorf("said %q, %v; want %q", out.String(), err, want)
		}
		if e, err := l.Next(); err != nil || e.Payload != "x" {
			t.Errorf("the next event: %v, %v", e, err)
		}
	}
}

func TestRunEnds(t *testing.T) {
	broken := errors.New("broken")
	for _, tt := range []struct {
		rule    string
		writes  int // that work
		handled int
		want    error
	}{
		{"with its input", 5, 2, io.EOF},
		{"when it can't ask for an event", 0, 0, broken},
		{"when it can't answer", 1, 1, broken},
		{"when it can't ask for the next", 2, 1, broken},
		{"when it can't reject that", 3, 2, broken},
	} {
		handled, writes := 0, 0
		out := writerFunc(func(p []byte) (int, error) {
			if writes++; writes > tt.writes {
				return 0, broken
			}
			return len(p), nil
		})
		err := NewListener(strings.NewReader(header+"1\nx"+header+"1\ny"), out).Run(func(e *Event) error {
			if handled++; e.Payload == "y" {
				return errors.New("no")
			}
			return nil
		})
		if !errors.Is(err, tt.want) || handled != tt.handled {
			t.Errorf("%s: got %v, %d handled", tt.rule, err, handled)
		}
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// A daemon is the other side: a pool with one listener.
type daemon struct {
	pool *listener.Pool
	sent bytes.Buffer
}

func newDaemon() *daemon {
	d := &daemon{pool: listener.New(listener.Options{Name: "p", Server: "my host", BufferSize: 10, Members: []string{"l"},
		Events: event.Subscribe([]string{"EVENT"})})}
	d.pool.Changed(0, process.Starting)
	d.pool.Changed(0, process.Running)
	return d
}

func (d *daemon) Write(p []byte) (int, error) {
	d.pool.Output(0, p)
	d.pool.Taken(0)
	return len(p), nil
}

func (d *daemon) Read(p []byte) (int, error) {
	if d.sent.Len() == 0 {
		for _, a := range d.pool.Dispatch(time.Time{}) {
			if w, ok := a.(listener.Write); ok {
				d.sent.Write(w.Data)
			}
		}
	}
	return d.sent.Read(p)
}

// Every result is taken by the daemon's pool for what it is, and the next event comes.
func TestThePoolUnderstandsIt(t *testing.T) {
	d := newDaemon()
	l := NewListener(d, d)
	for i, result := range []string{"OK", "FAIL", "OK", "", "é", strings.Repeat("long\n", 1000), "OK", "OK "} {
		if d.pool.Counts().Queued == 0 {
			d.pool.Accept(uint64(i), event.RemoteCommunication{Kind: "k", Data: strings.Repeat("line é漢😀\r\n", i*100)})
		}
		before := d.pool.Counts()
		if _, err := l.Next(); err != nil {
			t.Fatal(err)
		}
		if err := l.Result(result); err != nil {
			t.Fatal(err)
		}
		want := before
		if result == "OK" {
			want.Processed++
			want.Queued--
		} else {
			want.Rejected++
		}
		if got := d.pool.Counts(); got != want || d.pool.State(0) != listener.Acknowledged {
			t.Errorf("%.10q: %+v, want %+v; the listener is %v", result, got, want, d.pool.State(0))
		}
	}
	if _, err := l.Next(); err != nil { // the last one was rejected
		t.Error(err)
	}
}

// FuzzRead holds that an event arrives as it was sent, whatever is in it.
func FuzzRead(f *testing.F) {
	f.Add("supervisor", "deploy", "one\ntwo", uint64(7))
	f.Add("gr\u00f6\u00dfe with\nlines", "é", "漢\r\n😀\uFFFD", uint64(1<<63-1))
	f.Add("a len:5 b", "", "\xff\xe6\xbc", uint64(0))
	f.Fuzz(func(t *testing.T, server, kind, data string, serial uint64) {
		var stream bytes.Buffer
		var want []*Event
		for i, e := range []event.Event{
			event.RemoteCommunication{Kind: kind, Data: data},
			event.ProcessCommunication{Name: kind, Group: "g", PID: 1, Data: data},
			event.SupervisorStateChange{},
			event.ProcessState{Name: kind, Group: data},
			event.Tick{Period: 5, When: 10},
		} {
			v := event.Envelope{Server: server, Serial: serial, Pool: "p", PoolSerial: uint64(i)}
			stream.Write(v.Pack(e))
			payload := strings.ToValidUTF8(e.Payload(), "\uFFFD")
			want = append(want, &Event{Ver: "3.0", Serial: serial, Pool: "p", PoolSerial: uint64(i),
				Name: string(e.Type()), Len: utf8.RuneCountInString(payload), Payload: payload})
		}
		l := NewListener(&stream, io.Discard)
		for _, w := range want {
			got, err := l.Next()
			if err != nil {
				t.Fatalf("%+v: %v", w, err)
			}
			if utf8.ValidString(server) && !strings.ContainsFunc(server, func(r rune) bool { return r <= ' ' || unicode.IsSpace(r) }) {
				w.Server = server
			} else {
				w.Server = got.Server
			}
			if diff := cmp.Diff(w, got); diff != "" {
				t.Fatal(diff)
			}
			if err := l.OK(); err != nil {
				t.Fatal(err)
			}
		}
		if e, err := l.Next(); err != io.EOF {
			t.Errorf("behind the last event: %+v, %v", e, err)
		}
	})
}

// What is a character is what Python takes for one on a stdin in text mode, where what is not UTF-8 does
// not end the program (errors=surrogateescape).
func TestCharactersArePythons(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	pieces := []string{"a", "é", "漢", "😀", "\r\n", "\r", "\n", "\xff", "\xe6", "\xbc", "\xf0\x9f", "\xed\xa0\x80", "\xc0\x80", "\xf4\x90", "\uFFFD"}
	type text struct {
		Bytes []byte
		N     int
	}
	var texts []text
	var got, want [][]byte
	for range 2000 {
		var b strings.Builder
		for range 1 + r.IntN(12) {
			b.WriteString(pieces[r.IntN(len(pieces))])
		}
		all := text{[]byte(b.String()), 1 + r.IntN(utf8.RuneCountInString(b.String()))}
		texts = append(texts, all)
		s, err := readChars(bufio.NewReader(strings.NewReader(b.String())), all.N)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, []byte(s))
	}
	pyref.Ask(t, `
import base64, io
answer = []
for d in data:
    stdin = io.TextIOWrapper(io.BytesIO(base64.b64decode(d['Bytes'])), encoding='utf-8', errors='surrogateescape', newline='\n')
    answer.append(base64.b64encode(stdin.read(d['N']).encode('utf-8', 'surrogateescape')).decode())
`, texts, &want)
	for i := range texts {
		if !bytes.Equal(got[i], want[i]) {
			t.Errorf("%d of %q: got %q, want %q", texts[i].N, texts[i].Bytes, got[i], want[i])
		}
	}
}

func TestCommunicate(t *testing.T) {
	var out strings.Builder
	if err := Communicate(&out, "a\nb"); err != nil || out.String() != "<!--XSUPERVISOR:BEGIN-->a\nb<!--XSUPERVISOR:END-->" {
		t.Errorf("got %q, %v", out.String(), err)
	}
	if err := Communicate(&out, "a"+endToken); err == nil {
		t.Error("data with the end token is sent")
	}
	broken := errors.New("broken")
	if err := Communicate(writerFunc(func([]byte) (int, error) { return 0, broken }), "x"); err != broken {
		t.Errorf("got %v", err)
	}
}

func TestNewClient(t *testing.T) {
	var user, password string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		user, password, _ = r.BasicAuth()
	}))
	defer server.Close()
	t.Setenv("SUPERVISOR_SERVER_URL", server.URL)
	t.Setenv("SUPERVISOR_USERNAME", "me")
	t.Setenv("SUPERVISOR_PASSWORD", "secret")
	c, err := NewClient()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, _ = c.PID(t.Context()) // the answer is none
	if user != "me" || password != "secret" {
		t.Errorf("the server was called by %q, %q", user, password)
	}
	t.Setenv("SUPERVISOR_SERVER_URL", "")
	if _, err := NewClient(); err == nil || !strings.Contains(err.Error(), "SUPERVISOR_SERVER_URL") {
		t.Errorf("without a server: %v", err)
	}
}

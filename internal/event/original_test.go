package event

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdfast/internal/process"
	"holdfast/internal/pyref"
)

// fields is an event as data, for the script below.
func fields(e Event) map[string]any {
	m := map[string]any{"type": e.Type()}
	switch e := e.(type) {
	case ProcessState:
		c := e.Change
		m["name"], m["group"], m["from"], m["pid"], m["tries"], m["expected"] = e.Name, e.Group, c.From, c.PID, c.Tries, c.Expected
	case ProcessLog:
		m["name"], m["group"], m["pid"], m["data"] = e.Name, e.Group, e.PID, []byte(e.Data)
	case ProcessCommunication:
		m["name"], m["group"], m["pid"], m["data"] = e.Name, e.Group, e.PID, []byte(e.Data)
	case RemoteCommunication:
		m["kind"], m["text"] = e.Kind, e.Data
	case Tick:
		m["when"] = e.When
	case ProcessGroup:
		m["group"] = e.Name
	}
	return m
}

// Every type, with names and data of every sort, packed by the original.
func TestPackIsTheOriginals(t *testing.T) {
	var events []Event
	for _, l := range originals() {
		events = append(events, sample[l])
	}
	for from := range map[process.State]bool{process.Stopped: true, process.Exited: true, process.Unknown: true} {
		events = append(events, ProcessState{"é'\"", "", process.Changed{From: from, To: process.Exited, PID: 1, Expected: true}})
	}
	for _, data := range []string{"", "\xff", "\xed\xa0\x80", "\xc0\x80", "\xf4\x90\x80\x80", "\xe6\xbc", "it's \"\xfe\"", "it's \xfe", "\x00\t\r\n\\\x7f\x1b[0m\x80", "\U0001f600\u2028"} {
		events = append(events, ProcessLog{"w", "g", 5, Stderr, data}, ProcessCommunication{"w", "g", 5, Stdout, data})
	}
	var all []byte
	for c := range 256 {
		all = append(all, byte(c))
	}
	events = append(events, ProcessLog{"w", "g", 5, Stdout, string(all)}, RemoteCommunication{"", "漢\n"})

	var in []map[string]any
	var got [][]byte
	for i, e := range events {
		in = append(in, fields(e))
		got = append(got, Envelope{Server: "sup-é", Serial: uint64(i), Pool: "pool", PoolSerial: uint64(2 * i)}.Pack(e))
	}
	var want [][]byte
	pyref.Ask(t, `
import base64
from supervisor import events
from supervisor.events import EventTypes
from supervisor.process import EventListenerPool
class O:
    def __init__(self, **kw): self.__dict__.update(kw)
pool = object.__new__(EventListenerPool)
pool.config = O(name='pool', options=O(identifier='sup-é'))
answer = []
for i, d in enumerate(data):
    name = d['type']
    cls = getattr(EventTypes, name)
    if name.startswith('PROCESS_GROUP'):
        e = cls(d['group'])
    elif name.startswith('PROCESS_'):
        p = O(pid=d['pid'], backoff=d.get('tries'), config=O(name=d['name']), group=O(config=O(name=d['group'])))
        if name.startswith('PROCESS_STATE'):
            e = cls(p, d['from'], d['expected'])
        else:
            e = cls(p, d['pid'], base64.b64decode(d['data'] or ''))
    elif name.startswith('TICK'):
        e = cls(d['when'], None)
    elif name.startswith('REMOTE'):
        e = cls(d['kind'], d['text'])
    else:
        e = cls()
    packed = pool._eventEnvelope(e.__class__, i, 2 * i, e.payload()).encode()
    answer.append(base64.b64encode(packed).decode())
`, in, &want)
	if len(got) != len(want) {
		t.Fatalf("%d events, %d answers", len(got), len(want))
	}
	for i := range got {
		if !bytes.Equal(got[i], want[i]) {
			t.Errorf("%#v:\n got %q\nwant %q", events[i], got[i], want[i])
		}
	}
}

// The tree as the original has it: which types an event of each leaf is an instance of.
func TestTreeIsTheOriginals(t *testing.T) {
	got := map[Type]map[Type]bool{}
	for subscribed := range parents {
		if strings.HasPrefix(string(subscribed), "PROCESS_HEALTH") {
			continue // ours
		}
		s := Subscribe([]string{string(subscribed)})
		got[subscribed] = map[Type]bool{}
		for _, l := range originals() {
			got[subscribed][l] = s[l]
		}
	}
	var want map[Type]map[Type]bool
	pyref.Ask(t, `
from supervisor.events import EventTypes
types = {k: v for k, v in vars(EventTypes).items() if not k.startswith('_')}
answer = {a: {l: issubclass(types[l], types[a]) for l in data} for a in types}
`, originals(), &want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A listener written with the original's childutils gets each payload whole, and the next header
// where it looks for it.
func TestChildutilsCanReadIt(t *testing.T) {
	var stream bytes.Buffer
	want := []string{"é漢😀\n", "\xff", "", "plain"}
	for i, data := range want {
		e := ProcessCommunication{"w", "g", 1, Stdout, data}
		stream.Write(Envelope{Server: "s", Serial: uint64(i), Pool: "p", PoolSerial: uint64(i)}.Pack(e))
		want[i] = Text(data)
	}
	var got []string
	pyref.Ask(t, `
import base64, io
from supervisor import childutils
stdin = io.TextIOWrapper(io.BytesIO(base64.b64decode(data)), encoding='utf-8')
answer = []
for i in range(4):
    headers, payload = childutils.listener.wait(stdin, io.StringIO())
    assert headers['serial'] == str(i)
    answer.append(childutils.eventdata(payload)[1])
`, stream.Bytes(), &got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

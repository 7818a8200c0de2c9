package event

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"holdfast/internal/process"
)

// sample has one event of each type, by its type.
var sample = map[Type]Event{
	"PROCESS_STATE_STARTING": state(process.Changed{From: process.Backoff, To: process.Starting, Tries: 2}),
	"PROCESS_STATE_BACKOFF":  state(process.Changed{From: process.Starting, To: process.Backoff, Tries: 4}),
	"PROCESS_STATE_RUNNING":  state(process.Changed{From: process.Starting, To: process.Running, PID: 42}),
	"PROCESS_STATE_STOPPING": state(process.Changed{From: process.Running, To: process.Stopping, PID: 42}),
	"PROCESS_STATE_STOPPED":  state(process.Changed{From: process.Stopping, To: process.Stopped, PID: 42}),
	"PROCESS_STATE_EXITED":   state(process.Changed{From: process.Running, To: process.Exited, PID: 42}),
	"PROCESS_STATE_FATAL":    state(process.Changed{From: process.Backoff, To: process.Fatal, PID: 7, Tries: 7}),
	"PROCESS_STATE_UNKNOWN":  state(process.Changed{From: process.Stopping, To: process.Unknown, PID: 42}),

	"PROCESS_LOG_STDOUT":           ProcessLog{"web", "site", 42, Stdout, "é\n"},
	"PROCESS_LOG_STDERR":           ProcessLog{"web", "site", 42, Stderr, "caf\xe9"},
	"PROCESS_COMMUNICATION_STDOUT": ProcessCommunication{"web", "site", 42, Stdout, "漢\nx"},
	"PROCESS_COMMUNICATION_STDERR": ProcessCommunication{"web", "site", 42, Stderr, "\xff'"},

	"REMOTE_COMMUNICATION":             RemoteCommunication{"deploy", "a b\nc"},
	"SUPERVISOR_STATE_CHANGE_RUNNING":  SupervisorStateChange{},
	"SUPERVISOR_STATE_CHANGE_STOPPING": SupervisorStateChange{Stopping: true},
	"TICK_5":                           Tick{5, 1700000005},
	"TICK_60":                          Tick{60, 1700000040},
	"TICK_3600":                        Tick{3600, 1699999200},
	"PROCESS_GROUP_ADDED":              ProcessGroup{Name: "site"},
	"PROCESS_GROUP_REMOVED":            ProcessGroup{Name: "site", Removed: true},

	"PROCESS_HEALTH_READY":     ProcessHealth{Name: "web", Group: "site", PID: 42, Ready: true},
	"PROCESS_HEALTH_NOT_READY": ProcessHealth{Name: "web", Group: "site", PID: 42, Why: "status 503: no quorum"},
	"PROCESS_HEALTH_FAILED":    ProcessHealth{Name: "web", Group: "site", PID: 42, Failed: true, Why: "it hangs"},
}

func state(c process.Changed) ProcessState { return ProcessState{"web", "site", c} }

// leaves are the types that nothing stands below.
func leaves() (list []Type) {
	above := map[Type]bool{}
	for _, p := range parents {
		above[p] = true
	}
	for t := range parents {
		if !above[t] {
			list = append(list, t)
		}
	}
	slices.Sort(list)
	return list
}

// originals are those that the original has too.
func originals() []Type {
	return slices.DeleteFunc(leaves(), func(t Type) bool { return strings.HasPrefix(string(t), "PROCESS_HEALTH") })
}

func TestEveryLeafHasItsEvent(t *testing.T) {
	var have []Type
	for typ, e := range sample {
		have = append(have, e.Type())
		if e.Type() != typ {
			t.Errorf("%#v is a %s, want %s", e, e.Type(), typ)
		}
	}
	slices.Sort(have)
	if diff := cmp.Diff(leaves(), have); diff != "" {
		t.Error(diff)
	}
}

func TestPayload(t *testing.T) {
	for _, tt := range []struct {
		rule string
		e    Event
		want string
	}{
		{"STARTING counts the failures before it", sample["PROCESS_STATE_STARTING"], "processname:web groupname:site from_state:BACKOFF tries:2"},
		{"BACKOFF counts this failure too", sample["PROCESS_STATE_BACKOFF"], "processname:web groupname:site from_state:STARTING tries:4"},
		{"RUNNING has the pid", sample["PROCESS_STATE_RUNNING"], "processname:web groupname:site from_state:STARTING pid:42"},
		{"STOPPING has the pid", sample["PROCESS_STATE_STOPPING"], "processname:web groupname:site from_state:RUNNING pid:42"},
		{"STOPPED has the pid", sample["PROCESS_STATE_STOPPED"], "processname:web groupname:site from_state:STOPPING pid:42"},
		{"STOPPED out of BACKOFF has pid 0", state(process.Changed{From: process.Backoff, To: process.Stopped}),
			"processname:web groupname:site from_state:BACKOFF pid:0"},
		{"EXITED, not expected", sample["PROCESS_STATE_EXITED"], "processname:web groupname:site from_state:RUNNING expected:0 pid:42"},
		{"EXITED, expected", state(process.Changed{From: process.Running, To: process.Exited, PID: 42, Expected: true}),
			"processname:web groupname:site from_state:RUNNING expected:1 pid:42"},
		{"FATAL has no more", sample["PROCESS_STATE_FATAL"], "processname:web groupname:site from_state:BACKOFF"},
		{"UNKNOWN has no more", sample["PROCESS_STATE_UNKNOWN"], "processname:web groupname:site from_state:STOPPING"},

		{"output", sample["PROCESS_LOG_STDOUT"], "processname:web groupname:site pid:42 channel:stdout\né\n"},
		{"output that is not UTF-8", sample["PROCESS_LOG_STDERR"], "processname:web groupname:site pid:42 channel:stderr\nUndecodable: b'caf\\xe9'"},
		{"a communication has no channel", sample["PROCESS_COMMUNICATION_STDOUT"], "processname:web groupname:site pid:42\n漢\nx"},
		{"a communication that is not UTF-8", sample["PROCESS_COMMUNICATION_STDERR"], "processname:web groupname:site pid:42\nUndecodable: b\"\\xff'\""},
		{"a communication of nothing", ProcessCommunication{Name: "web", Group: "site", PID: 42}, "processname:web groupname:site pid:42\n"},

		{"ready", sample["PROCESS_HEALTH_READY"], "processname:web groupname:site pid:42\n"},
		{"not ready has the reason", sample["PROCESS_HEALTH_NOT_READY"], "processname:web groupname:site pid:42\nstatus 503: no quorum"},

		{"from a client", sample["REMOTE_COMMUNICATION"], "type:deploy\na b\nc"},
		{"the daemon runs", sample["SUPERVISOR_STATE_CHANGE_RUNNING"], ""},
		{"the daemon stops", sample["SUPERVISOR_STATE_CHANGE_STOPPING"], ""},
		{"a tick", sample["TICK_60"], "when:1700000040"},
		{"a group's payload ends with a newline", sample["PROCESS_GROUP_ADDED"], "groupname:site\n"},
		{"a removed group's too", sample["PROCESS_GROUP_REMOVED"], "groupname:site\n"},
	} {
		if got := tt.e.Payload(); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.rule, got, tt.want)
		}
	}
}

func TestSubscribe(t *testing.T) {
	for _, tt := range []struct {
		rule  string
		names string
		want  string // the leaves
	}{
		{"a leaf is itself", "TICK_5", "TICK_5"},
		{"a parent is all below it", "TICK", "TICK_3600 TICK_5 TICK_60"},
		{"a parent and its child are the parent", "TICK TICK_5", "TICK_3600 TICK_5 TICK_60"},
		{"a name that begins like another is not below it", "PROCESS_LOG", "PROCESS_LOG_STDERR PROCESS_LOG_STDOUT"},
		{"a leaf without siblings", "REMOTE_COMMUNICATION", "REMOTE_COMMUNICATION"},
		{"nothing is nothing", "", ""},
		{"what is no type is nothing", "TOCK tick_5", ""},
		{"EVENT is all that the original knows", "EVENT", join(originals())},
		{"health is asked for by name", "PROCESS_HEALTH", "PROCESS_HEALTH_FAILED PROCESS_HEALTH_NOT_READY PROCESS_HEALTH_READY"},
	} {
		s := Subscribe(strings.Fields(tt.names))
		var got []Type
		for _, l := range leaves() {
			if s[l] {
				got = append(got, l)
			}
		}
		if join(got) != tt.want {
			t.Errorf("%s: got %s, want %s", tt.rule, join(got), tt.want)
		}
	}
}

func join(types []Type) string {
	var s []string
	for _, t := range types {
		s = append(s, string(t))
	}
	return strings.Join(s, " ")
}

func TestPack(t *testing.T) {
	for _, tt := range []struct {
		rule string
		e    Event
		want string
	}{
		{"header, newline, payload and no end", sample["TICK_5"],
			"ver:3.0 server:sup serial:7 pool:p poolserial:3 eventname:TICK_5 len:15\nwhen:1700000005"},
		{"an empty payload", SupervisorStateChange{},
			"ver:3.0 server:sup serial:7 pool:p poolserial:3 eventname:SUPERVISOR_STATE_CHANGE_RUNNING len:0\n"},
		{"len counts characters, not bytes", RemoteCommunication{"t", "é漢😀"},
			"ver:3.0 server:sup serial:7 pool:p poolserial:3 eventname:REMOTE_COMMUNICATION len:10\ntype:t\né漢😀"},
	} {
		got := string(Envelope{Server: "sup", Serial: 7, Pool: "p", PoolSerial: 3}.Pack(tt.e))
		if got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.rule, got, tt.want)
		}
	}
}

func TestPackStaysReadable(t *testing.T) {
	for _, tt := range []struct {
		rule         string
		server, name string
		header, body string
	}{
		{"an identifier that is not ASCII is written as it is", "größe", "web", "server:größe serial", "processname:web"},
		{"one with blanks and line feeds is one word", "my\n host\u00a0\x1f", "web", "server:my__host__ serial", "processname:web"},
		{"a colon does not hurt whoever cuts at the first one", "host:9001", "web", "server:host:9001 serial", "processname:web"},
		{"an identifier with a byte that is not UTF-8", "caf\xe9", "web", "server:caf\uFFFD serial", "processname:web"},
		{"a name with a byte that is not UTF-8", "s", "caf\xe9", "server:s serial", "processname:caf\uFFFD"},
	} {
		e := ProcessState{tt.name, "site", process.Changed{From: process.Backoff, To: process.Fatal}}
		header, body, _ := strings.Cut(string(Envelope{Server: tt.server, Pool: "p"}.Pack(e)), "\n")
		length := strconv.Itoa(utf8.RuneCountInString(body))
		if !strings.Contains(header, tt.header) || !strings.HasSuffix(header, " len:"+length) ||
			!strings.HasPrefix(body, tt.body) || !utf8.ValidString(header+body) {
			t.Errorf("%s: got %q, %q", tt.rule, header, body)
		}
	}
}

func TestSerial(t *testing.T) {
	var s Serial
	for want := range uint64(3) {
		if got := s.Next(); got != want {
			t.Errorf("got %d, want %d", got, want)
		}
	}
	s.next = math.MaxInt64
	if a, b := s.Next(), s.Next(); a != math.MaxInt64 || b != 0 {
		t.Errorf("after the last number: got %d, %d", a, b)
	}
}

func TestTicks(t *testing.T) {
	at := func(secs float64) time.Time {
		return time.Unix(1699999200, 0).Add(time.Duration(secs * float64(time.Second))) // a full hour
	}
	var ticks Ticks
	for _, tt := range []struct {
		rule string
		now  float64
		want string
		next float64
	}{
		{"the first look gives none", 1, "", 5},
		{"nothing within the period", 4.9, "", 5},
		{"on the second", 5, "TICK_5 when:1699999205", 10},
		{"once a period", 9.9, "", 10},
		{"a late look says when the period began", 12, "TICK_5 when:1699999210", 15},
		{"the minute, shortest period first", 60, "TICK_5 when:1699999260, TICK_60 when:1699999260", 65},
		{"after a long stall there is one of each", 3723, "TICK_5 when:1700002920, TICK_60 when:1700002920, TICK_3600 when:1700002800", 3725},
		{"a clock that is set back", 100, "TICK_5 when:1699999300, TICK_60 when:1699999260, TICK_3600 when:1699999200", 105},
	} {
		var got []string
		for _, e := range ticks.At(at(tt.now)) {
			got = append(got, string(e.Type())+" "+e.Payload())
		}
		if s := strings.Join(got, ", "); s != tt.want {
			t.Errorf("%s: got %s, want %s", tt.rule, s, tt.want)
		}
		if next := ticks.Next(at(tt.now)); !next.Equal(at(tt.next)) {
			t.Errorf("%s: next is %v, want %v", tt.rule, next, at(tt.next))
		}
	}
}

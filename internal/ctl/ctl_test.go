package ctl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"holdfast/client"
)

func TestParseLine(t *testing.T) {
	for _, c := range []struct{ typed, name, arg, line string }{
		{"", "", "", ""},
		{" \t", "", "", ""},
		{"status", "status", "", "status"},
		{"  start  a  b ", "start", "a  b", "start  a  b"},
		{"tail-f x", "tail", "-f x", "tail-f x"},
		{"?start", "help", "start", "help start"},
		{"?", "help", "", "help "},
		{"!ls", "", "!ls", "!ls"},
		{"a_1 b", "a_1", "b", "a_1 b"},
		{"é", "", "é", "é"},
	} {
		if name, arg, line := parseLine(c.typed); name != c.name || arg != c.arg || line != c.line {
			t.Errorf("%q: got %q, %q, %q", c.typed, name, arg, line)
		}
	}
}

func TestSplitName(t *testing.T) {
	for typed, want := range map[string][2]string{
		"a":     {"a", "a"},
		"a:b":   {"a", "b"},
		"a:b:c": {"a", "b:c"},
		"a:*":   {"a", ""},
		"a:":    {"a", ""},
		"*":     {"*", "*"},
	} {
		if group, process := splitName(typed); group != want[0] || process != want[1] {
			t.Errorf("%q: got %q, %q", typed, group, process)
		}
	}
}

func TestIsURL(t *testing.T) {
	for s, want := range map[string]bool{
		"http://localhost:9001": true, "unix:///run/s": true, "unix://s": true, "localhost:9001": true, "http:///": true,
		"": false, "foo": false, "//host/": false, "http:": false, "http://": false, "http://?x": false, "1a://x": false, "a b://x": false,
	} {
		if got := isURL(s); got != want {
			t.Errorf("%q: got %v", s, got)
		}
	}
}

func TestColumns(t *testing.T) {
	for _, c := range []struct {
		names []string
		width int
		want  string
	}{
		{nil, 79, ""},
		{[]string{"one"}, 2, "one\n"},
		{[]string{"a", "b", "c"}, 79, "a  b  c\n"},
		{[]string{"a", "bb", "c", "d"}, 7, "a   c\nbb  d\n"},
		{[]string{"a", "bb", "c"}, 7, "a   c\nbb\n"},
		{[]string{"éé", "b"}, 3, "éé\nb \n"},
	} {
		if got := columns(c.names, c.width); got != c.want {
			t.Errorf("%q in %d: got %q, want %q", c.names, c.width, got, c.want)
		}
	}
}

func TestErrorLine(t *testing.T) {
	errno := func(e syscall.Errno) error {
		return &net.OpError{Op: "dial", Net: "unix", Err: os.NewSyscallError("connect", e)}
	}
	for _, c := range []struct {
		err  error
		want string
	}{
		{&client.Fault{Code: 1, String: "UNKNOWN_METHOD"}, "error: <class 'xmlrpc.client.Fault'>, <Fault 1: 'UNKNOWN_METHOD'>"},
		{&client.HTTPError{Code: 401, Reason: "Unauthorized"}, "error: <class 'xmlrpc.client.ProtocolError'>, <ProtocolError for 127.0.0.1/RPC2: 401 Unauthorized>"},
		{errno(syscall.ECONNREFUSED), "error: <class 'ConnectionRefusedError'>, [Errno 111] Connection refused"},
		{errno(syscall.ENOENT), "error: <class 'FileNotFoundError'>, [Errno 2] No such file or directory"},
		{errno(syscall.ENOTDIR), "error: <class 'NotADirectoryError'>, [Errno 20] Not a directory"},
		{errno(syscall.EACCES), "error: <class 'PermissionError'>, [Errno 13] Permission denied"},
		{errno(syscall.ECONNRESET), "error: <class 'ConnectionResetError'>, [Errno 104] Connection reset by peer"},
		{errno(syscall.ECONNABORTED), "error: <class 'ConnectionAbortedError'>, [Errno 103] Software caused connection abort"},
		{errno(syscall.EPIPE), "error: <class 'BrokenPipeError'>, [Errno 32] Broken pipe"},
		{errno(syscall.ETIMEDOUT), "error: <class 'TimeoutError'>, [Errno 110] Connection timed out"},
		{errno(syscall.EHOSTUNREACH), "error: <class 'OSError'>, [Errno 113] No route to host"},
		{&net.DNSError{Err: "no such host", IsNotFound: true}, "error: <class 'socket.gaierror'>, [Errno -2] Name or service not known"},
		{&net.DNSError{Err: "server misbehaving", IsTemporary: true}, "error: <class 'socket.gaierror'>, [Errno -3] Temporary failure in name resolution"},
		{io.EOF, "error: <class 'http.client.RemoteDisconnected'>, Remote end closed connection without response"},
		{valueError("x"), "error: <class 'ValueError'>, x"},
		{errNoLine, "error: <class 'EOFError'>, EOF when reading a line"},
		{errors.New("cannot do it"), "error: cannot call x: cannot do it"},
	} {
		if got := errorLine(fmt.Errorf("cannot call x: %w", c.err)); got != c.want {
			t.Errorf("%v: got %s, want %s", c.err, got, c.want)
		}
	}
}

func TestEveryCommandIsInOrderAndCanBeHelpedWith(t *testing.T) {
	s := &session{commands: table()}
	var names []string
	for _, c := range s.commands {
		names = append(names, c.name)
		if c.run == nil {
			t.Errorf("%s does nothing", c.name)
		}
		if c.help != "" && !strings.HasPrefix(c.help, c.name) {
			t.Errorf("the help of %s is %q", c.name, c.help)
		}
	}
	if !slices.IsSorted(names) {
		t.Errorf("not in order: %v", names)
	}
}

func TestCompleteLine(t *testing.T) {
	s := &session{commands: table(), asked: true, processes: []client.ProcessInfo{
		{Group: "cat", Name: "cat"}, {Group: "web", Name: "a"}, {Group: "web", Name: "b"}, {Group: "é", Name: "é"}, {Group: "ê", Name: "ê"}}}
	for _, c := range []struct {
		name, before, after string
		wantBefore          string
		offers              []string
	}{
		{"the only offer", "vers", "", "version ", nil},
		{"what offers have in common", "sta", "", "sta", []string{"start ", "status "}},
		{"more in common than is typed", "r", "", "re", nil},
		{"a name of its own group", "start c", "", "start cat ", nil},
		{"a group's name with a colon", "start cat:", "", "start cat:", []string{"cat:* ", "cat:cat "}},
		{"an unknown name", "start x", "", "start x", nil},
		{"a second name", "start cat web:a", "", "start cat web:a ", nil},
		{"before other words", "start c", " x", "start cat ", nil},
		{"no letter is cut in two", "start ", "", "start ", []string{"cat ", "web:* ", "web:a ", "web:b ", "é ", "ê "}},
		{"groups for update", "update ", "", "update ", []string{"cat ", "web ", "é ", "ê "}},
		{"nothing for an unknown command", "nosuch c", "", "nosuch c", nil},
		{"nothing for version", "version ", "", "version ", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			line, pos, offers := s.completeLine(c.before+c.after, len(c.before))
			if line != c.wantBefore+c.after || pos != len(c.wantBefore) || !slices.Equal(offers, c.offers) {
				t.Errorf("got %q at %d, %q", line, pos, offers)
			}
		})
	}
}

func TestInputLosesNothingWhenTheWaitIsGivenUp(t *testing.T) {
	r, w := io.Pipe()
	in := newInput(r, io.Discard)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := in.line(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	go func() {
		_, _ = io.WriteString(w, "one\ntwo\nthr")
		_, _ = io.WriteString(w, "ee")
		w.Close()
	}()
	for _, want := range []string{"one", "two", "three"} {
		if got, err := in.line(t.Context()); got != want || err != nil {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
	if got, err := in.line(t.Context()); err != io.EOF {
		t.Errorf("got %q, %v at the end", got, err)
	}
	if _, err := in.ask(t.Context(), "?"); !errors.Is(err, errNoLine) {
		t.Errorf("got %v for an answer at the end", err)
	}
}

func TestHistory(t *testing.T) {
	file := t.TempDir() + "/history"
	var h history
	h.load(file) // there is none yet
	h.Add("one")
	h.Add("one")
	h.Add("")
	h.Add("two")
	h.off = true
	h.Add("secret")
	if h.Len() != 0 {
		t.Error("a question can be answered from the history")
	}
	h.off = false
	h.save(file)
	if data, err := os.ReadFile(file); err != nil || string(data) != "one\ntwo\n" {
		t.Errorf("the file is %q, %v", data, err)
	}
	if err := os.WriteFile(file, []byte("one\none\n\ntwo\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var again history
	again.load(file)
	again.Add("two")
	if got := strings.Join(again.lines, ","); got != "one,one,two" {
		t.Errorf("got %q: a file is kept as it is", got)
	}
}

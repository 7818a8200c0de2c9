package child

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdfast/internal/config"
	"holdfast/internal/process"
)

func TestStdin(t *testing.T) {
	k := newRig(t)
	spawn := k.spawn(k.program("echo"))
	k.logged("out.log", "ready")
	// More than any pipe holds: it is taken at once, and arrives in order.
	if err := k.WriteStdin(spawn, append(bytes.Repeat([]byte("x"), 3<<20), '\n')); err != nil {
		t.Fatal(err)
	}
	if err := k.WriteStdin(spawn, []byte("second\n")); err != nil {
		t.Fatal(err)
	}
	k.logged("out.log", "3145729 \"xxxxxxxxxxxxxxxxxxxx\"\n7 \"second\\n\"\n")
	if err := k.WriteStdin(spawn, nil); err != nil {
		t.Error(err)
	}
	k.Signal(spawn, syscall.SIGKILL, false)
	k.ended(spawn)
	if err := k.WriteStdin(spawn, []byte("x")); !errors.Is(err, ErrStdinClosed) {
		t.Errorf("after the end: %v", err)
	}
	if err := k.WriteStdin(999, []byte("x")); !errors.Is(err, ErrStdinClosed) {
		t.Errorf("no such spawn: %v", err)
	}
}

func TestStdinThatTheChildHasClosed(t *testing.T) {
	k := newRig(t)
	spawn := k.spawn(k.program("close-stdin"))
	k.logged("out.log", "closed")
	if err := k.WriteStdin(spawn, []byte("x")); !errors.Is(err, ErrStdinClosed) {
		t.Errorf("got %v", err)
	}
}

func TestStdinIsBounded(t *testing.T) {
	k := newRig(t)
	spawn := k.spawn(k.program("wait"))
	k.spawned(spawn)
	var err error
	for range 2 * stdinLimit >> 20 {
		if err = k.WriteStdin(spawn, make([]byte, 1<<20)); err != nil {
			break
		}
	}
	if !errors.Is(err, ErrStdinFull) {
		t.Errorf("got %v", err)
	}
}

func TestCheck(t *testing.T) {
	dir := t.TempDir()
	first, second := filepath.Join(dir, "1"), filepath.Join(dir, "2")
	for _, d := range []string{first, second} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for path, mode := range map[string]os.FileMode{first + "/plain": 0o644, second + "/plain": 0o755, second + "/tool": 0o755} {
		if err := os.WriteFile(path, nil, mode); err != nil {
			t.Fatal(err)
		}
	}
	own := map[string]string{"PATH": first + ":" + second + "/"}
	m := New(Options{Environ: []string{"PATH=/bin:/usr/bin"}})
	for _, row := range []struct {
		name    string
		program config.Process
		want    *process.CommandError
	}{
		{"the daemon's PATH", config.Process{Command: "cat x"}, nil},
		{"the program's PATH", config.Process{Command: "tool", Environment: own}, nil},
		{"the program's PATH instead of the daemon's", config.Process{Command: "cat", Environment: own},
			&process.CommandError{NotFound: true, Text: "can't find command 'cat'"}},
		{"the first that exists counts", config.Process{Command: "plain", Environment: own},
			&process.CommandError{Text: "command at '" + first + "/plain' is not executable"}},
		{"a slash means no search", config.Process{Command: "./cat"},
			&process.CommandError{NotFound: true, Text: "can't find command './cat'"}},
		{"a quote in the name", config.Process{Command: `"/it's"`},
			&process.CommandError{NotFound: true, Text: `can't find command "/it's"`}},
	} {
		var got *process.CommandError
		if err := m.Check(&row.program); err != nil && !errors.As(err, &got) {
			t.Fatalf("%s: got %T", row.name, err)
		}
		if diff := cmp.Diff(row.want, got); diff != "" {
			t.Errorf("%s: %s", row.name, diff)
		}
	}
}

func TestSearchPathWithoutPATH(t *testing.T) {
	for _, list := range [][]string{nil, {"PATH="}} {
		got := searchPath(&config.Process{}, parseEnviron(list))
		if want := []string{"/bin", "/usr/bin", "/usr/local/bin"}; !slices.Equal(got, want) {
			t.Errorf("%v: got %v", list, got)
		}
	}
}

func TestEnviron(t *testing.T) {
	e := parseEnviron([]string{"B=1", "A=x=y", "B=2", "nonsense", "SUPERVISOR_SERVER_URL=inherited"})
	p := &config.Process{Name: "web_00", Group: "web"}
	names := []string{"SUPERVISOR_ENABLED=1", "SUPERVISOR_GROUP_NAME=web", "SUPERVISOR_PROCESS_NAME=web_00"}
	for _, row := range []struct {
		name, server, own string
		set               bool
		want              []string
	}{
		{"no server", "", "", false, append([]string{"B=1", "A=x=y", "SUPERVISOR_SERVER_URL=inherited"}, names...)},
		{"the daemon's server", "unix:///s", "", false, append([]string{"B=1", "A=x=y"}, append(names, "SUPERVISOR_SERVER_URL=unix:///s")...)},
		{"the program's", "unix:///s", "http://h", true, append([]string{"B=1", "A=x=y"}, append(names, "SUPERVISOR_SERVER_URL=http://h")...)},
		{"the program wants none", "unix:///s", "", true, append([]string{"B=1", "A=x=y", "SUPERVISOR_SERVER_URL=inherited"}, names...)},
	} {
		p.ServerURL, p.ServerURLSet = row.own, row.set
		if diff := cmp.Diff(row.want, e.of(p, row.server)); diff != "" {
			t.Errorf("%s: %s", row.name, diff)
		}
	}
}

func TestPrepare(t *testing.T) {
	k := newRig(t)
	auto := config.Log{Auto: true}
	g := &config.Group{Name: "g", Processes: []config.Process{
		{Name: "a", Stdout: auto, Stderr: auto},
		{Name: "b", Stdout: auto, Stderr: auto, RedirectStderr: true},
		{Name: "c", Stdout: config.Log{File: "/x"}},
	}}
	got, err := k.Prepare(g)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct{ file, pattern string }{
		{got.Processes[0].Stdout.File, `^a-stdout---supervisor-[a-z0-9_]{8}\.log$`},
		{got.Processes[0].Stderr.File, `^a-stderr---supervisor-[a-z0-9_]{8}\.log$`},
		{got.Processes[1].Stdout.File, `^b-stdout---supervisor-[a-z0-9_]{8}\.log$`},
	} {
		info, err := os.Stat(row.file)
		if err != nil || info.Mode() != 0o600 || filepath.Dir(row.file) != k.dir ||
			!regexp.MustCompile(row.pattern).MatchString(filepath.Base(row.file)) {
			t.Errorf("%q: %v, %v", row.file, info, err)
		}
	}
	if f := got.Processes[1].Stderr.File; f != "" {
		t.Errorf("redirected stderr has the log %q", f)
	}
	if f := got.Processes[2].Stdout.File; f != "/x" {
		t.Errorf("a named log became %q", f)
	}
	if g.Processes[0].Stdout.File != "" {
		t.Error("the original group was changed")
	}
}

func TestPrepareUndoesWhatItMadeWhenItFails(t *testing.T) {
	dir := t.TempDir()
	m := New(Options{ChildLogDir: dir, Identifier: "s"})
	_, err := m.Prepare(&config.Group{Processes: []config.Process{
		{Name: "a", Stdout: config.Log{Auto: true}},
		{Name: "no/such", Stdout: config.Log{Auto: true}},
	}})
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

func TestCleanAutoLogs(t *testing.T) {
	dir := t.TempDir()
	files := map[string]bool{ // whether it stays
		"web-stdout---my.id-abcdefgh.log":      false,
		"web-stderr---my.id-abcdefgh.log":      false,
		"web-stdout---my.id-abcdefgh.log.1":    false,
		"web-stdout---my.id-abcdefgh.log.1234": false,

		"web-stdout---my.id-abcdefgh.log.bak":   true,
		"web-stdout---my.id-abcdefgh.log.12345": true,
		"web-stdout---myxid-abcdefgh.log":       true, // the dot is a dot
		"web-stdout---my.id-abc def.log":        true,
		"web-stdout---other-abcdefgh.log":       true,
		"---my.id-abcdefgh.log":                 true,
		"supervisord.log":                       true,
	}
	for name := range files {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "d---my.id-x.log"), 0o700); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	log := slog.New(slog.NewTextHandler(&said, nil))
	CleanAutoLogs(dir, "my.id", log)
	for name, stays := range files {
		if _, err := os.Stat(filepath.Join(dir, name)); (err == nil) != stays {
			t.Errorf("%s: stays %v, want %v", name, err == nil, stays)
		}
	}
	if want := "Failed to clean up '" + dir + "/d---my.id-x.log'"; !strings.Contains(said.String(), want) {
		t.Errorf("said %q, want %q", said.String(), want)
	}
	said.Reset()
	CleanAutoLogs(filepath.Join(dir, "no"), "my.id", log)
	if !strings.Contains(said.String(), "Could not clear childlog dir") {
		t.Errorf("said %q", said.String())
	}
	CleanAutoLogs(dir, "((", slog.New(slog.NewTextHandler(io.Discard, nil)))
}

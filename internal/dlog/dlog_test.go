package dlog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast/internal/logfile"
)

// long is a bound that only a broken run meets.
const long = 30 * time.Second

func newLog(t *testing.T, o Options) *Log {
	t.Helper()
	l, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		l.Close(long)
		select {
		case <-l.done:
		default:
			t.Error("the writer has not ended")
		}
	})
	return l
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

var stamp = regexp.MustCompile(`(?m)^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d\d\d `)

// unstamped is what was logged without the times.
func unstamped(text string) string { return stamp.ReplaceAllString(text, "") }

func flush(t *testing.T, l *Log) {
	t.Helper()
	if !l.Flush(long) {
		t.Fatal("not flushed")
	}
}

func TestLevels(t *testing.T) {
	want := []string{"critical", "error", "warn", "info", "debug", "trace", "blather"}
	last := slog.Level(100)
	for _, name := range want {
		got, ok := ParseLevel(strings.ToUpper(name))
		if !ok || got >= last {
			t.Errorf("%s: %d, %v", name, got, ok)
		}
		last = got
	}
	for _, name := range []string{"", "crit", "debg", "warning", "50", " info"} {
		if l, ok := ParseLevel(name); ok {
			t.Errorf("%q is level %d", name, l)
		}
	}
}

func TestLine(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 678999999, time.Local)
	for _, c := range []struct {
		level   slog.Level
		message string
		want    string
	}{
		{Info, "spawned: 'web' with pid 42", "2026-01-02 03:04:05,678 INFO spawned: 'web' with pid 42\n"},
		{Crit, "x", "2026-01-02 03:04:05,678 CRIT x\n"},
		{Error, "x", "2026-01-02 03:04:05,678 ERRO x\n"},
		{Warn, "x", "2026-01-02 03:04:05,678 WARN x\n"},
		{Debug, "several\nlines", "2026-01-02 03:04:05,678 DEBG several\nlines\n"},
		{Trace, "", "2026-01-02 03:04:05,678 TRAC \n"},
		{Blather, "x", "2026-01-02 03:04:05,678 BLAT x\n"},
		{Blather - 5, "x", "2026-01-02 03:04:05,678 BLAT x\n"},
	} {
		if got := string(format(at, c.level, c.message)); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func TestLogger(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l := newLog(t, Options{File: path, Level: Debug})
	log := l.Logger()
	log.Info("plain")
	log.Log(context.Background(), Trace, "below the level")
	log.Log(context.Background(), Crit, "above it")
	log.With("a", 1).WithGroup("g").With("b", 2).WithGroup("").Debug("with", "c", 3, slog.Group("h", "d", 4), slog.Group("", "e", 5))
	flush(t, l)
	want := "INFO plain\nCRIT above it\nDEBG with a=1 g.b=2 g.c=3 g.h.d=4 g.e=5\n"
	if d := cmp.Diff(want, unstamped(read(t, path))); d != "" {
		t.Error(d)
	}
	if l.Path() != path {
		t.Errorf("Path is %q", l.Path())
	}
}

func TestRotation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l := newLog(t, Options{File: path, MaxBytes: 50, Backups: 1})
	for _, text := range []string{"one", "two", "three"} {
		l.Logger().Info(text)
	}
	flush(t, l)
	if got := unstamped(read(t, path+".1")); got != "INFO one\nINFO two\n" {
		t.Errorf("the backup has %q", got)
	}
	if got := unstamped(read(t, path)); got != "INFO three\n" {
		t.Errorf("the log has %q", got)
	}
}

func TestOpenSaysWhyNot(t *testing.T) {
	_, err := New(Options{File: filepath.Join(t.TempDir(), "missing", "log"), Stdout: os.Stdout})
	if logfile.ErrnoName(err) != "ENOENT" {
		t.Errorf("got %v", err)
	}
}

func TestForeground(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "log")
	t.Run("both get each line", func(t *testing.T) {
		stdout, err := os.Create(filepath.Join(dir, "stdout"))
		if err != nil {
			t.Fatal(err)
		}
		defer stdout.Close()
		l := newLog(t, Options{File: path, Stdout: stdout})
		l.Logger().Info("x")
		flush(t, l)
		if a, b := read(t, path), read(t, stdout.Name()); a != b || unstamped(a) != "INFO x\n" {
			t.Errorf("got %q and %q", a, b)
		}
	})
	t.Run("where both are the same it stands once", func(t *testing.T) {
		stdout, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer stdout.Close()
		l := newLog(t, Options{File: path, Stdout: stdout})
		l.Logger().Info("x")
		flush(t, l)
		if got := unstamped(read(t, path)); got != "INFO x\n" {
			t.Errorf("got %q", got)
		}
	})
	t.Run("stdout alone", func(t *testing.T) {
		r, w, _ := os.Pipe()
		defer r.Close()
		defer w.Close()
		l := newLog(t, Options{Stdout: w})
		l.Logger().Info("x")
		got := make([]byte, len("2026-01-02 03:04:05,678 INFO x\n"))
		if _, err := io.ReadFull(r, got); err != nil || unstamped(string(got)) != "INFO x\n" {
			t.Errorf("got %q, %v", got, err)
		}
	})
}

func TestAStuckOrClosedStdoutDoesNotDisturbTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	r, w, _ := os.Pipe()
	defer r.Close()
	defer w.Close()
	l := newLog(t, Options{File: path, Stdout: w})
	const n = 3000
	for i := range n {
		l.Logger().Info(fmt.Sprintf("line %d %s", i, strings.Repeat("x", 50)))
	}
	flush(t, l)
	if got := strings.Count(read(t, path), "\n"); got != n {
		t.Errorf("the file has %d lines of %d", got, n)
	}

	// What fitted comes out, then what was lost is said, and it goes on.
	text := make(chan string)
	go func() {
		var got strings.Builder
		b := make([]byte, 4096)
		for !strings.Contains(got.String(), "INFO last\n") {
			m, err := r.Read(b)
			if err != nil {
				break
			}
			got.Write(b[:m])
		}
		text <- got.String()
	}()
	l.Logger().Info("more")
	flush(t, l)
	for l.targets[0].lost > 0 { // the reader may be slower than we
		l.Logger().Info("more")
		flush(t, l)
	}
	l.Logger().Info("last")
	got := unstamped(<-text)
	lines := strings.Split(strings.TrimSuffix(got, "\n"), "\n")
	var came int
	var lost string
	for _, line := range lines {
		switch {
		case strings.HasPrefix(line, "INFO line "):
			if !strings.HasPrefix(line, fmt.Sprintf("INFO line %d ", came)) || !strings.HasSuffix(line, "x") {
				t.Fatalf("line %d is %q", came, line)
			}
			came++
		case strings.HasPrefix(line, "WARN ") && lost == "":
			lost = line
		}
	}
	if came == n || !strings.Contains(lost, "lines of this log were lost: cannot write to log") {
		t.Errorf("%d lines came, and the rest was told by %q", came, lost)
	}

	r.Close()
	l.Logger().Info("nobody reads this")
	flush(t, l)
	if got := unstamped(read(t, path)); !strings.HasSuffix(got, "INFO last\nINFO nobody reads this\n") {
		t.Errorf("the file ends with %q", got[max(0, len(got)-100):])
	}
}

func TestAFullDiskDoesNotDisturbStdout(t *testing.T) {
	stdout, err := os.Create(filepath.Join(t.TempDir(), "stdout"))
	if err != nil {
		t.Fatal(err)
	}
	defer stdout.Close()
	l := newLog(t, Options{File: "/dev/full", Stdout: stdout, MaxBytes: 10})
	l.Logger().Info("one")
	l.Logger().Info("two")
	flush(t, l)
	if got := unstamped(read(t, stdout.Name())); got != "INFO one\nINFO two\n" {
		t.Errorf("got %q", got)
	}
}

func TestAHangingDiskHoldsUpNobody(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l := newLog(t, Options{File: path})
	hangs, release := make(chan struct{}), make(chan struct{})
	ended := make(chan struct{})
	go func() {
		l.do(func() { close(hangs); <-release }, long)
		close(ended)
	}()
	<-hangs
	for range maxLines + 10 {
		l.Logger().Info("x")
	}
	l.Logger().Info(strings.Repeat("x", maxBytes)) // as many bytes as may wait, and more
	if l.Flush(time.Millisecond) {
		t.Error("flushed, though nothing can be written")
	}
	if err := l.do(func() {}, time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	l.Close(time.Millisecond) // returns
	close(release)
	<-ended
	<-l.done
	got := unstamped(read(t, path))
	if !strings.HasPrefix(got, "WARN 11 lines of this log were lost: they came faster than they could be written\nINFO x\n") {
		t.Errorf("it begins with %q", got[:min(len(got), 200)])
	}
	if n := strings.Count(got, "INFO x\n"); n != maxLines {
		t.Errorf("%d lines were kept, not %d", n, maxLines)
	}
	if l.Flush(long) {
		t.Error("flushed after the end")
	}
}

func TestReopenAndClear(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "log")
	stdout, err := os.Create(filepath.Join(dir, "stdout"))
	if err != nil {
		t.Fatal(err)
	}
	defer stdout.Close()
	l := newLog(t, Options{File: path, Stdout: stdout})
	l.Logger().Info("one")
	flush(t, l)
	os.Rename(path, path+".old")
	l.Logger().Info("two")
	if err := l.Reopen(); err != nil {
		t.Fatal(err)
	}
	l.Logger().Info("three")
	flush(t, l)
	if got := unstamped(read(t, path+".old")); got != "INFO one\nINFO two\n" {
		t.Errorf("the old file has %q", got)
	}
	if got := unstamped(read(t, path)); got != "INFO three\n" {
		t.Errorf("the new file has %q", got)
	}

	if err := l.Clear(); err != nil {
		t.Fatal(err)
	}
	if got := read(t, path); got != "" {
		t.Errorf("after Clear the file has %q", got)
	}
	want := "INFO one\nINFO two\nINFO three\nINFO reopening log file\nINFO reopening log file\n"
	if got := unstamped(read(t, stdout.Name())); got != want {
		t.Errorf("stdout has %q, want %q", got, want)
	}
	os.Remove(path)
	if err := l.Clear(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Clear without a file: %v", err)
	}
}

func TestNothingIsLeft(t *testing.T) {
	count := func() (fds, goroutines int) {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(entries), runtime.NumGoroutine()
	}
	path := filepath.Join(t.TempDir(), "log")
	fds, goroutines := count()
	l, err := New(Options{File: path, Stdout: os.Stdout})
	if err != nil {
		t.Fatal(err)
	}
	l.Close(long)
	l.Close(long)
	l.Logger().Info("lost") // after the end it does no harm
	runtime.Gosched()
	if f, g := count(); f > fds || g > goroutines {
		t.Errorf("%d descriptors, %d goroutines; before it were %d and %d", f, g, fds, goroutines)
	}
}

func BenchmarkInfo(b *testing.B) {
	l, err := New(Options{File: filepath.Join(b.TempDir(), "log")})
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close(long)
	log := l.Logger()
	b.ReportAllocs()
	for b.Loop() {
		log.Info("spawned: 'web' with pid 42")
	}
}

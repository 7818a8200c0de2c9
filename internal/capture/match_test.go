package capture

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/internal/config"
)

func TestMatcher(t *testing.T) {
	const limit = matchLimit
	x := strings.Repeat("x", 3*limit)
	for _, c := range []struct {
		name, text string
		want       []string
	}{
		{"lines", "one\ntwo\n", []string{"one", "two"}},
		{"empty ones too", "\n\na\n", []string{"", "", "a"}},
		{"a carriage return belongs to the end", "a\r\nb\rc\r\n", []string{"a", "b\rc"}},
		{"the last one may lack its end", "a\nb", []string{"a", "b"}},
		{"nothing", "", nil},
		{"no longer ones than the limit", x[:limit] + "\nb\n", []string{x[:limit], "b"}},
		{"of a longer one its beginning", x[:limit+1] + "\nb\n", []string{x[:limit], "b"}},
		{"of a much longer one its beginning, once", x + "\nb\n", []string{x[:limit], "b"}},
		{"one without an end is shown when it is long enough", x, []string{x[:limit]}},
		{"nothing after the one that was looked for", "a\nready\nb\n", []string{"a", "ready"}},
	} {
		for _, cuts := range [][]byte{nil, ones(c.text), bytes.Repeat([]byte{200}, len(c.text)/200)} {
			var got []string
			m := matcher{match: func(line []byte) bool {
				got = append(got, string(line))
				return string(line) == "ready"
			}}
			most := 0
			for _, p := range pieces(c.text, cuts) {
				m.add(p)
				most = max(most, m.unfinished())
			}
			m.end()
			if !slices.Equal(got, c.want) {
				t.Errorf("%s, in %d pieces: got %.50q, want %.50q", c.name, len(cuts)+1, got, c.want)
			}
			if most > limit {
				t.Errorf("%s: %d bytes are kept", c.name, most)
			}
		}
	}
}

// lookFor is a Look for a pattern, with how often it was found and how many lines were shown.
func lookFor(pattern string) (l Look, n, lines *atomic.Int64) {
	re := regexp.MustCompile(pattern)
	n, lines = new(atomic.Int64), new(atomic.Int64)
	l.Match = func(line []byte) bool {
		lines.Add(1)
		if re.Match(line) {
			n.Add(1)
			return true
		}
		return false
	}
	return l, n, lines
}

// After the line that was looked for the output goes on as one that nobody looks at.
func TestAfterTheMatchNobodyLooks(t *testing.T) {
	for _, c := range []struct {
		name string
		with func(*Look)
		goes bool
	}{
		{"nothing else", func(*Look) {}, true},
		{"tokens", func(l *Look) { l.CaptureMaxBytes = 100 }, false},
		{"events", func(l *Look) { l.Chunk = func([]byte) {} }, false},
		{"stripping", func(l *Look) { l.StripANSI = true }, false},
		{"syslog", func(l *Look) { l.Syslog = func(string) {} }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := newRig(t)
			look, n, lines := lookFor("^ready to serve$")
			c.with(&look)
			o, w := k.start(config.Log{File: k.path("log")}, looking(look))
			io.WriteString(w, "not ready\nready \x1b[1m"[:16])
			k.until("the first line is shown", func() bool { return lines.Load() == 1 })
			io.WriteString(w, "to serve\r\nrest")
			k.until("it is found", func() bool { return n.Load() == 1 })
			k.until("all is logged", func() bool { return strings.HasSuffix(k.read("log"), "\nrest") })
			io.WriteString(w, "\nready to serve\n")
			w.Close()
			k.ended(o)
			if got, want := k.read("log"), "not ready\nready to serve\r\nrest\nready to serve\n"; got != want {
				t.Errorf("got %q", got)
			}
			if n.Load() != 1 || lines.Load() != 2 {
				t.Errorf("%d lines were shown, %d of them as found", lines.Load(), n.Load())
			}
			if gone := o.view == nil; gone != c.goes {
				t.Errorf("the view is gone: %v", gone)
			}
		})
	}
}

// What has no end for long is in the log all the same, and the line is whole when its end comes.
func TestALineThatTakesItsTime(t *testing.T) {
	k := newRig(t)
	look, n, _ := lookFor("^ready to serve$")
	o, w := k.start(config.Log{File: k.path("log")}, looking(look))
	io.WriteString(w, "ready ")
	k.until("it is logged", func() bool { return k.read("log") == "ready " })
	io.WriteString(w, "to serve")
	o.Drain()
	if n.Load() != 1 || k.read("log") != "ready to serve" {
		t.Errorf("after the drain: found %d, log %q", n.Load(), k.read("log"))
	}
	w.Close()
	k.ended(o)
}

// One who leaves in the middle of a line leaves its beginning in the pipe.
func TestALineIsWholeForTheNextOne(t *testing.T) {
	k := newRig(t)
	r, w := k.pipe()
	fd, err := unix.FcntlInt(r.Fd(), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		t.Fatal(err)
	}
	start := func(r *os.File, l Look) *Output {
		s, err := k.logs.Open(config.Log{File: k.path("log")})
		if err != nil {
			t.Fatal(err)
		}
		return Start(fdOf(r), s, "web", k.log, l)
	}
	look, n, lines := lookFor("^ready to serve$")
	o := start(r, look)
	io.WriteString(w, "first\nready to")
	k.until("the first line is shown", func() bool { return lines.Load() == 1 })
	o.Leave()
	k.ended(o)
	left := inPipe(fd)
	if left == 0 {
		t.Skip("this machine is so slow that the rest of the line is in the log")
	}
	o = start(os.NewFile(uintptr(fd), "pipe"), look)
	io.WriteString(w, " serve\n")
	w.Close()
	k.ended(o)
	if n.Load() != 1 || k.read("log") != "first\nready to serve\n" {
		t.Errorf("found %d, log %q", n.Load(), k.read("log"))
	}
}

// A flood without a line feed, however it comes, takes no memory and is logged whole.
func TestAFloodThatIsNoLine(t *testing.T) {
	k := newRig(t)
	look, n, _ := lookFor("ready")
	o, w := k.start(config.Log{File: k.path("log")}, looking(look))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	piece := bytes.Repeat([]byte{0, 0xff, 'x', '\r'}, 1000)
	const pieces = 4000
	for range pieces {
		if _, err := w.Write(piece); err != nil {
			t.Fatal(err)
		}
	}
	runtime.ReadMemStats(&after)
	io.WriteString(w, "ready\nready\n")
	w.Close()
	k.ended(o)
	if got, want := len(k.read("log")), pieces*len(piece)+12; got != want {
		t.Errorf("%d bytes are logged, want %d", got, want)
	}
	if n.Load() != 1 {
		t.Errorf("found %d times", n.Load())
	}
	if more := int64(after.HeapAlloc) - int64(before.HeapAlloc); more > 4<<20 {
		t.Errorf("%d bytes more are in use", more)
	}
}

// Cut anywhere, by reads and by writers, each line is seen once.
func TestEveryLineIsShown(t *testing.T) {
	k := newRig(t)
	var text strings.Builder
	for i := range 20000 {
		fmt.Fprintf(&text, "line %d %s\n", i, strings.Repeat("y", i%97))
	}
	var got strings.Builder
	o, w := k.start(config.Log{File: k.path("log")}, looking(Look{CaptureMaxBytes: 10, Match: func(line []byte) bool {
		got.Write(line)
		got.WriteByte('\n')
		return false
	}}))
	begin := time.Now()
	for rest := text.String(); rest != ""; {
		n := min(len(rest), 1+len(rest)%5000)
		io.WriteString(w, rest[:n])
		rest = rest[n:]
	}
	w.Close()
	k.ended(o)
	if got.String() != text.String() || k.read("log") != text.String() {
		t.Errorf("%d bytes were shown and %d logged, want %d (after %v)", got.Len(), len(k.read("log")), text.Len(), time.Since(begin))
	}
}

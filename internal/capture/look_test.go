package capture

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"holdfast/internal/config"
)

// seen is all that a Look at text gives.
func seen(l Look, text string, cuts []byte, small bool) (out string, chunks, comm, lines []string) {
	var chunk string
	l.Chunk = func(p []byte) { chunk += string(p) }
	l.Comm = func(p []byte) { comm = append(comm, string(p)) }
	l.Syslog = func(line string) { lines = append(lines, line) }
	var matched []string
	if match := l.Match; match != nil {
		l.Match = func(line []byte) bool {
			matched = append(matched, "matched with "+string(line))
			return match(line)
		}
	}
	v := viewed{view: newView(l), small: small}
	for _, p := range pieces(text, cuts) {
		v.show(p)
	}
	v.end()
	return v.log, []string{chunk}, comm, append(lines, matched...)
}

// A viewed is a view with the pipe and the log.
type viewed struct {
	*view
	pipe, log string
	small     bool // the pipe has no room for what waits for an end token
}

func (v *viewed) show(p []byte) {
	if !v.reads {
		v.pipe += string(p)
	}
	v.log += string(v.view.show(nil, p))
	v.carry()
	if v.small && v.open+v.line > 0 {
		v.giveWay()
		v.carry()
	}
}

func (v *viewed) end() {
	v.log += string(v.view.end(nil))
	v.carry()
}

// carry does what runs say. What then is in the pipe was shown, and nothing else.
func (v *viewed) carry() {
	for len(v.runs) > 0 {
		r := v.runs[0]
		next := v.pipe[:r.n]
		v.pipe = v.pipe[r.n:]
		if !r.drop {
			v.log += next + string(r.text)
		}
		v.gone(r.n)
	}
	if len(v.pipe) != v.seen() {
		panic(fmt.Sprintf("%d bytes are in the pipe, and %d were shown of them", len(v.pipe), v.seen()))
	}
}

func TestLook(t *testing.T) {
	const begin, end = beginToken, endToken
	for _, c := range []struct {
		name, text string
		look       Look
		log, chunk string
		comm       []string
	}{
		{name: "captured data is in no log, and in chunks", text: "a" + begin + "b" + end + "c", look: Look{CaptureMaxBytes: 10},
			log: "ac", chunk: "abc", comm: []string{"b"}},
		{name: "without capture mode tokens are text", text: "a" + begin + "b" + end,
			log: "a" + begin + "b" + end, chunk: "a" + begin + "b" + end},
		{name: "the last of what is captured is kept", text: begin + "0123456789" + end + begin + "0123" + end, look: Look{CaptureMaxBytes: 4},
			chunk: "01234567890123", comm: []string{"6789", "0123"}},
		{name: "nothing captured is an event too", text: begin + end, look: Look{CaptureMaxBytes: 4}, comm: []string{""}},
		{name: "without an end token it goes into the log", text: "a" + begin + "last words" + end[:4], look: Look{CaptureMaxBytes: 100},
			log: "alast words" + end[:4], chunk: "alast words" + end[:4]},
		{name: "sequences go everywhere", text: "\x1b[1ma" + begin + "b\x1b[0m" + end + "\x1b[Kc", look: Look{CaptureMaxBytes: 10, StripANSI: true},
			log: "ac", chunk: "abc", comm: []string{"b"}},
		{name: "a token ends a sequence", text: "a\x1b[1" + begin + "b\x1b" + end + "c", look: Look{CaptureMaxBytes: 10, StripANSI: true},
			log: "ac", chunk: "ab\x1bc", comm: []string{"b\x1b"}},
	} {
		for _, cuts := range [][]byte{nil, ones(c.text)} {
			for _, small := range []bool{false, true} {
				log, chunks, comm, _ := seen(c.look, c.text, cuts, small)
				if log != c.log || chunks[0] != c.chunk || !slices.Equal(comm, c.comm) {
					t.Errorf("%s, in %d pieces, in a small pipe %v: got log %q, chunks %q, comm %q", c.name, len(cuts)+1, small, log, chunks[0], comm)
				}
			}
		}
	}
}

func TestAChunkIsOneCallUnlessThereIsAToken(t *testing.T) {
	var got []string
	v := newView(Look{StripANSI: true, CaptureMaxBytes: 9, Chunk: func(p []byte) { got = append(got, string(p)) }})
	v.show(nil, []byte("a \x1b[1m<"))
	v.show(nil, []byte("b> \x1b[0m c"+beginToken+"d"+endToken+"e"))
	if want := []string{"a ", "<b>  c", "d", "e"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAChildsEndEndsItsCapture(t *testing.T) {
	v := viewed{view: newView(Look{CaptureMaxBytes: 9})}
	v.show([]byte("a" + beginToken + "b"))
	if !v.withholds() {
		t.Error("it withholds nothing")
	}
	v.end()
	if v.withholds() {
		t.Error("it still withholds something")
	}
	if v.show([]byte("c")); v.log != "abc" {
		t.Errorf("got %q", v.log)
	}
}

func FuzzLook(f *testing.F) {
	f.Add("\x1b[1ma"+beginToken+"b\n\x1b[0m"+endToken+"\n\nc\n", []byte{3, 30, 1}, uint8(3), true)
	f.Add("a"+beginToken+"b\n"+endToken+"c\r\nready\nd\n", []byte{1, 1}, uint8(9), false)
	f.Fuzz(func(t *testing.T, text string, cuts []byte, limit uint8, strip bool) {
		l := Look{CaptureMaxBytes: int64(limit), StripANSI: strip, Match: func(line []byte) bool { return string(line) == "ready" }}
		show := func(cuts []byte, small bool) string {
			log, chunks, comm, lines := seen(l, text, cuts, small)
			return fmt.Sprintf("log %q, chunks %q, comm %q, lines %q", log, chunks, comm, lines)
		}
		whole := show(nil, false)
		for _, c := range [][]byte{nil, cuts, ones(text)} {
			for _, small := range []bool{false, true} {
				if got := show(c, small); got != whole {
					t.Errorf("in a small pipe %v, cut: %s\nwhole: %s", small, got, whole)
				}
			}
		}
	})
}

func TestWhenDrainReturnsAllWasShown(t *testing.T) {
	k := newRig(t)
	var shown atomic.Int64
	var comm atomic.Int64
	look := looking(Look{CaptureMaxBytes: 1 << 20,
		Chunk: func(p []byte) { shown.Add(int64(len(p))) }, Comm: func(p []byte) { comm.Add(int64(len(p))) }})
	for i := range int64(50) {
		o, w := k.start(config.Log{File: k.path("log")}, look)
		before := k.read("log")
		last := strings.Repeat("last words\n", 4000) // within a pipe of 64 KiB, and more than one read
		io.WriteString(w, last+beginToken+"captured"+endToken+last[:9000]+"<!--XSUPER")
		o.Drain()
		if got, want := k.read("log"), before+last+last[:9000]+"<!--XSUPER"; got != want {
			t.Fatalf("Drain returned and %d bytes of %d are in the log", len(got), len(want))
		}
		if got, want := shown.Load(), (i+1)*int64(len(last)+9000+len("captured<!--XSUPER")); got != want || comm.Load() != (i+1)*8 {
			t.Fatalf("Drain returned and %d bytes of %d were shown, and %d of comm", got, want, comm.Load())
		}
		w.Close()
		k.ended(o)
	}
}

// What is withheld at the end of the pipe is not lost either.
func TestTheEndOfThePipeEndsTheLook(t *testing.T) {
	k := newRig(t)
	o, w := k.start(config.Log{File: k.path("log")}, looking(Look{CaptureMaxBytes: 1 << 20}))
	io.WriteString(w, "a"+beginToken+"last words<!--XSUPERVISOR:END-")
	w.Close()
	k.ended(o)
	k.holds("log", "alast words<!--XSUPERVISOR:END-")
}

// Events must go on when the disk is full: what is to be seen does not wait for the log.
func TestAnOutputIsShownThoughItsLogTakesNothing(t *testing.T) {
	for _, c := range []struct {
		name string
		path func(k *rig) string
	}{
		{"a full disk", func(*rig) string { return "/dev/full" }},
		{"a pipe that nobody reads any more", func(k *rig) string {
			r, w := k.pipe()
			path := procPath(w)
			k.Cleanup(func() { w.Close() })
			r.Close()
			if err := os.Symlink(path, k.path("pipe")); err != nil {
				k.Fatal(err)
			}
			return k.path("pipe")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := newRig(t)
			var shown atomic.Int64
			o, w := k.start(config.Log{File: c.path(k)}, looking(Look{CaptureMaxBytes: 10, Chunk: func(p []byte) { shown.Add(int64(len(p))) }}))
			io.WriteString(w, "one")
			k.saying("cannot write to log")
			const size = 4 << 20
			if _, err := w.Write(make([]byte, size)); err != nil { // does not block
				t.Fatal(err)
			}
			io.WriteString(w, "<!--")
			o.Drain()
			if got := shown.Load(); got != size+3+4 {
				t.Errorf("%d bytes were shown, %d written", got, size+3+4)
			}
			w.Close()
			o.Close()
			k.ended(o)
			if k.count(fmt.Sprintf("%d bytes of its output", size+3+4)) != 1 {
				t.Errorf("said: %q", k.lines)
			}
		})
	}
}

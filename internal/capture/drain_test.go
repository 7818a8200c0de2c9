package capture

import (
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"holdfast/internal/config"
)

func TestDrain(t *testing.T) {
	allWays(t, func(k *rig, how func(*Output)) {
		for range 50 {
			o, w := k.start(config.Log{File: k.path("log")}, how)
			before := k.read("log")
			last := strings.Repeat("last words\n", 5000) // within a pipe of 64 KiB
			io.WriteString(w, last)
			o.Drain()
			if got := k.read("log"); got != before+last {
				k.Fatalf("Drain returned and %d bytes of %d are in the log", len(got)-len(before), len(last))
			}
			w.Close()
			k.ended(o)
			o.Drain() // after the end it returns at once
		}
	})
}

func TestDrainDoesNotWaitForTheEndOfThePipe(t *testing.T) {
	k := newRig(t)
	o, w := k.start(config.Log{File: k.path("log")})
	io.WriteString(w, "leader\n")
	o.Drain()
	k.holds("log", "leader\n")
	// The process group that outlives its leader keeps being logged.
	io.WriteString(w, "grandchild\n")
	k.holds("log", "leader\ngrandchild\n")
	o.Drain()
	select {
	case <-o.Done():
		t.Error("it ended while the pipe had a writer")
	default:
	}
	w.Close()
	k.ended(o)
}

func TestDrainReturnsThoughAGrandchildFloods(t *testing.T) {
	allWays(t, func(k *rig, how func(*Output)) {
		o, w := k.start(config.Log{File: k.path("log"), MaxBytes: 1 << 20}, how)
		stop := flood(k, w)
		for range 20 {
			drained := make(chan struct{})
			go func() { o.Drain(); close(drained) }()
			select {
			case <-drained:
			case <-time.After(long):
				k.Fatal("Drain does not return")
			}
		}
		stop()
	})
}

// flood writes to w as fast as it can until the returned function is called.
func flood(k *rig, w *os.File) (stop func()) {
	stopped, ended := make(chan struct{}), make(chan struct{})
	lines := []byte(strings.Repeat("flood\n", 10000))
	go func() {
		defer close(ended)
		for {
			select {
			case <-stopped:
				return
			default:
			}
			if _, err := w.Write(lines); err != nil {
				return
			}
		}
	}()
	return func() { close(stopped); <-ended }
}

func TestAFloodDoesNotStarveAnother(t *testing.T) {
	k := newRig(t)
	_, w := k.start(config.Log{File: k.path("flood"), MaxBytes: 1 << 20, Backups: 1})
	stop := flood(k, w)
	defer stop()

	// The other's log is a pipe, so that each line is a sign of its own.
	r, target := k.pipe()
	_, quiet := k.start(config.Log{File: procPath(target)})
	for range 200 {
		io.WriteString(quiet, "tick\n")
		r.SetReadDeadline(time.Now().Add(long))
		got := make([]byte, 5)
		if _, err := io.ReadFull(r, got); err != nil || string(got) != "tick\n" {
			t.Fatalf("got %q, %v", got, err)
		}
	}
}

func TestCloseStopsAtOnce(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(k *rig) *Output
	}{
		{"while idle", func(k *rig) *Output {
			o, _ := k.start(config.Log{File: k.path("log")})
			return o
		}},
		{"before anything", func(k *rig) *Output {
			o, w := k.start(config.Log{})
			io.WriteString(w, "x")
			return o
		}},
		{"while the target fails", func(k *rig) *Output {
			o, w := k.start(config.Log{File: "/dev/full"})
			io.WriteString(w, "x")
			k.saying("no space left")
			return o
		}},
		{"in a flood", func(k *rig) *Output {
			o, w := k.start(config.Log{})
			k.Cleanup(flood(k, w))
			return o
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := newRig(t)
			o := c.do(k)
			o.Close()
			k.ended(o)
			o.Close() // a second one does nothing
			o.Drain()
		})
	}
}

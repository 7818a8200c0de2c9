package child

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"holdfast/internal/config"
	"holdfast/internal/process"
)

// A matchRig is a rig that notes the matches among the facts.
type matchRig struct {
	*rig
	mu    sync.Mutex
	all   []string // guarded by mu
	held  []int    // guarded by mu: copies of the last spawn's files
	while func()   // what Matched does before it returns; nil: nothing
}

func newMatchRig(t *testing.T, change func(*Options)) *matchRig {
	k := &matchRig{}
	k.rig = newRigWith(t, func(o *Options) {
		report := o.Report
		o.Report = func(spawn uint64, e process.Event) {
			if e != (process.Reaped{}) {
				k.add(fmt.Sprintf("%d: %T", spawn, e))
			}
			report(spawn, e)
		}
		o.Matched = func(spawn uint64) {
			if k.while != nil {
				k.while()
			}
			k.add(fmt.Sprintf("%d: matched", spawn))
		}
		o.Hold = func(_ string, fds ...int) {
			k.mu.Lock()
			defer k.mu.Unlock()
			k.held = nil
			for _, fd := range fds {
				own, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
				if err != nil {
					t.Error(err)
				}
				k.held = append(k.held, own)
			}
		}
		o.Release = func(string) {}
		if change != nil {
			change(o)
		}
	})
	t.Cleanup(func() {
		for _, fd := range k.held {
			unix.Close(fd)
		}
	})
	return k
}

func (k *matchRig) add(line string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.all = append(k.all, line)
}

func (k *matchRig) story() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.all)
}

func (k *matchRig) looksFor(pattern string, lines ...string) *config.Process {
	p := k.program("lines", lines...)
	p.Health.Ready = &config.Check{Kind: config.CheckOutput, Target: pattern}
	return p
}

func TestALineThatMatches(t *testing.T) {
	const begin, end = "<!--XSUPERVISOR:BEGIN-->", "<!--XSUPERVISOR:END-->"
	for _, row := range []struct {
		name, pattern string
		lines         []string
		change        func(*config.Process, *Options)
		matches       bool
	}{
		{"on stdout", "^ready", []string{"a~ready~b~"}, nil, true},
		{"on stderr", "^ready$", []string{"a~", "!a~ready~"}, nil, true},
		{"on a redirected stderr", "^ready$", []string{"a~", "!ready~"}, func(p *config.Process, _ *Options) { p.RedirectStderr = true }, true},
		{"in several writes", "^ready$", []string{"re", "a", "dy", "~"}, nil, true},
		{"without an end, at the end", "^ready$", []string{"ready"}, nil, true},
		{"again and again, on both", "ready", []string{"ready~ready~", "!ready~", "ready~"}, nil, true},
		{"none", "^ready", []string{"not-ready~", "!already~"}, nil, false},
		{"around a capture", "^ready$", []string{"rea" + begin + "ready~" + end + "dy~"},
			func(p *config.Process, _ *Options) { p.Stdout.CaptureMaxBytes = 100 }, true},
		{"captured", "ready", []string{begin + "ready~" + end + "~"},
			func(p *config.Process, _ *Options) { p.Stdout.CaptureMaxBytes = 100 }, false},
		{"with events", "ready", []string{"a~", "ready~"}, func(p *config.Process, o *Options) { p.Stdout.EventsEnabled = true }, true},
		{"with sequences", "^ready$", []string{"a~", "\x1b[1mrea\x1b[0mdy~"}, func(_ *config.Process, o *Options) { o.StripANSI = true }, true},
		{"with sequences that stay", "^ready$", []string{"\x1b[1mready~"}, nil, false},
		{"of an event listener", "^READY$", []string{"READY~"}, func(p *config.Process, _ *Options) { p.Listener = true }, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			var p *config.Process
			k := newMatchRig(t, func(o *Options) {
				o.Output = func(uint64, Output) {}
				if row.change != nil {
					row.change(&config.Process{}, o)
				}
			})
			p = k.looksFor(row.pattern, row.lines...)
			if row.change != nil {
				row.change(p, &Options{})
			}
			k.ended(k.spawn(p))
			want := []string{"1: process.Spawned", "1: matched", "1: process.Ended"}
			if !row.matches {
				want = slices.Delete(want, 1, 2)
			}
			if got := k.story(); !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestABadPattern(t *testing.T) {
	k := newMatchRig(t, nil)
	if got, ok := k.fact(k.spawn(k.looksFor("(")), 0).(process.SpawnFailed); !ok {
		t.Errorf("got %#v", got)
	}
}

// What others write after the process has ended says nothing of it.
func TestNothingMatchesAfterTheEnd(t *testing.T) {
	k := newMatchRig(t, nil)
	k.command("late")
	p := k.looksFor("late words")
	p.Command = k.command("leave") + " late " + filepath.Join(k.dir, "sign")
	spawn := k.spawn(p)
	k.ended(spawn)
	if err := os.WriteFile(filepath.Join(k.dir, "sign"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	k.logged("out.log", "late words")
	k.Done(spawn)
	k.eventually("the run is forgotten", func() bool { return k.run(spawn) == nil })
	if got := k.story(); slices.Contains(got, "1: matched") {
		t.Errorf("got %q", got)
	}
}

// The next daemon goes on looking, unless it is told that it need not.
func TestTheNextDaemonLooksOn(t *testing.T) {
	for _, matched := range []bool{false, true} {
		k := newMatchRig(t, nil)
		sign := filepath.Join(k.dir, "sign")
		p := k.looksFor("^ready_to_serve$", "first~", "@"+sign, "ready~ready_to_serve~", "stay")
		spawn := k.spawn(p)
		k.logged("out.log", "first\n")
		n := k.next(p, spawn, matched)
		if err := os.WriteFile(sign, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		n.Adopt(p, spawn)
		n.logged("first.log", "ready_to_serve\n")
		n.Signal(spawn, syscall.SIGKILL, false)
		n.eventually("its end is reported", func() bool { return slices.Contains(n.story(), "1: process.Ended") })
		if got := n.story(); slices.Contains(got, "1: matched") == matched {
			t.Errorf("matched before %v: %q", matched, got)
		}
	}
}

// A line that was found is seen by the next daemon if this one was killed before Matched returned.
func TestALineInHandIsNotLost(t *testing.T) {
	k := newMatchRig(t, nil)
	in, forever := make(chan struct{}), make(chan struct{})
	k.while = func() {
		close(in)
		<-forever
	}
	p := k.looksFor("^ready$", "first~", "ready~", "stay")
	spawn := k.spawn(p)
	<-in
	n := k.next(p, spawn, false)
	n.Adopt(p, spawn)
	n.eventually("it matches", func() bool { return slices.Contains(n.story(), "1: matched") })
	n.logged("first.log", "first\nready\n")
	close(forever)
}

// next is a rig that takes spawn over from one that has left. Its log is first.log in its own directory.
func (k *matchRig) next(p *config.Process, spawn uint64, matched bool) *matchRig {
	k.t.Helper()
	in := Inheritance{PidFD: -1, Stage: -1, Notify: -1, Matched: matched}
	k.leaveTo(&in, spawn)
	k.mu.Lock()
	in.Files, _ = HeldFiles(p, k.held)
	k.held = nil
	k.mu.Unlock()
	n := newMatchRig(k.t, func(o *Options) {
		o.Inherited = func(*config.Process, uint64) Inheritance { return in }
	})
	n.last = spawn
	if err := os.Symlink(p.Stdout.File, filepath.Join(n.dir, "first.log")); err != nil {
		k.t.Fatal(err)
	}
	return n
}

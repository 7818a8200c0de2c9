package child

import (
	"errors"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// pipedStdin is a stdin and the end that a process would read.
func pipedStdin(t *testing.T) (s *stdin, reader *os.File, broken chan error) {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	s = newStdin(p[1], -1)
	broken = make(chan error, 2)
	s.broken = func(why error) { broken <- why }
	reader = os.NewFile(uintptr(p[0]), "reader")
	t.Cleanup(func() {
		s.close()
		reader.Close()
	})
	return s, reader, broken
}

// more than any pipe holds
var large = make([]byte, 2<<20)

func TestStdinTellsThatItIsBroken(t *testing.T) {
	s, reader, broken := pipedStdin(t)
	if err := s.write(large); err != nil {
		t.Fatal(err)
	}
	if n, err := reader.Read(make([]byte, 1000)); n != 1000 || err != nil {
		t.Fatal(n, err)
	}
	reader.Close()
	select {
	case why := <-broken:
		if !errors.Is(why, ErrStdinClosed) {
			t.Errorf("told %v", why)
		}
	case <-time.After(bound):
		t.Fatal("not told that the rest can't be written")
	}
	if err := s.write([]byte("x")); !errors.Is(err, ErrStdinClosed) {
		t.Errorf("a later write: %v", err)
	}
	if len(broken) != 0 {
		t.Error("told twice")
	}
}

func TestStdinThatIsClosedIsNotBroken(t *testing.T) {
	s, _, broken := pipedStdin(t)
	flushed := make(chan struct{})
	s.mu.Lock() // what flush finds
	s.pending, s.queue = len(large), large
	if _, err := s.try(nil); err != nil {
		t.Fatal(err)
	}
	s.mu.Unlock()
	go func() { s.flush(); close(flushed) }()
	for taken := false; !taken; runtime.Gosched() {
		s.mu.Lock()
		taken = s.queue == nil
		s.mu.Unlock()
	}
	if !s.close() || s.close() {
		t.Error("close does not tell who was the first")
	}
	select {
	case <-flushed:
	case <-time.After(bound):
		t.Fatal("the writing goes on")
	}
	if len(broken) != 0 {
		t.Error("told that it is broken")
	}
}

// A listener that never reads, with an event that is larger than its pipe: it can be ended like any other.
func TestAProcessThatNeverReadsCanBeEnded(t *testing.T) {
	k := newRig(t)
	spawn := k.spawn(k.program("wait"))
	k.logged("out.log", "ready")
	if err := k.WriteStdin(spawn, large); err != nil {
		t.Fatal(err)
	}
	k.Signal(spawn, syscall.SIGTERM, false)
	if e := k.ended(spawn); e.Status.Signal != syscall.SIGTERM {
		t.Errorf("got %v", e)
	}
	if err := k.WriteStdin(spawn, []byte("x")); !errors.Is(err, ErrStdinClosed) {
		t.Errorf("after the end: %v", err)
	}
}

// What is written to a stdin whose file is still to come waits for it.
func TestStdinThatIsAwaited(t *testing.T) {
	for _, name := range []string{"write", "send", "stage", "nobody"} {
		ours, theirs, err := openPipe(1)
		if err != nil {
			t.Fatal(err)
		}
		stage := -1
		if name == "stage" {
			if stage, err = openStage(); err != nil {
				t.Fatal(err)
			}
		}
		s := newStdin(-1, stage)
		broken := make(chan error, 2)
		s.broken = func(why error) { broken <- why }
		s.await()
		s.resume(false)
		if name == "write" || name == "nobody" {
			err = s.write([]byte("data"))
		} else {
			var kept bool
			if kept, err = s.put([]byte("data")); kept != (stage >= 0) {
				t.Errorf("%s: kept %v", name, kept)
			}
			s.send()
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if name == "nobody" {
			unix.Close(ours)
			s.arrive(-1)
			if why := <-broken; why != ErrStdinClosed {
				t.Errorf("got %v", why)
			}
			if err := s.write([]byte("more")); err != ErrStdinClosed {
				t.Errorf("got %v", err)
			}
		} else {
			s.arrive(ours)
			got := make([]byte, 10)
			if n, err := unix.Read(theirs, got); string(got[:max(n, 0)]) != "data" {
				t.Errorf("%s: got %q, %v", name, got[:max(n, 0)], err)
			}
		}
		s.close()
		unix.Close(theirs)
	}
}

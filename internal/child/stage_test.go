package child

import (
	"bytes"
	"errors"
	"io"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// stagedStdin is a stdin with a stage, of which the second file is what somebody else holds.
func stagedStdin(t *testing.T) (s *stdin, reader *os.File, held [2]int) {
	t.Helper()
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	stage, err := openStage()
	if err != nil {
		t.Fatal(err)
	}
	for i, fd := range []int{p[1], stage} {
		if held[i], err = unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3); err != nil {
			t.Fatal(err)
		}
	}
	s, reader = newStdin(p[1], stage), os.NewFile(uintptr(p[0]), "reader")
	t.Cleanup(func() {
		s.close()
		reader.Close()
	})
	return s, reader, held
}

// next is the daemon after one that died.
func next(t *testing.T, s *stdin, held [2]int) *stdin {
	s.close()
	n := newStdin(held[0], held[1])
	t.Cleanup(func() { n.close() })
	return n
}

// readAll reads what comes until the writing ends are closed.
func readAll(t *testing.T, reader *os.File) []byte {
	t.Helper()
	reader.SetReadDeadline(time.Now().Add(bound))
	all, err := io.ReadAll(reader)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// pattern is n bytes of which no part looks like another.
func pattern(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i>>8 ^ i*7)
	}
	return p
}

// What was sent arrives whole, however much of it the pipe took before the daemon died; what was not sent
// never does.
func TestStageOutlivesTheDaemon(t *testing.T) {
	for _, row := range []struct {
		name string
		size int
		sent bool // the one who died had come to send
		let  bool // and the next one is told so
		want bool
	}{
		{"a small one, sent", 100, true, true, true},
		{"a small one, committed and not sent", 100, false, true, true},
		{"a small one, not committed", 100, false, false, false},
		{"a large one, half of it in the pipe", 300_000, true, true, true},
		{"a large one, committed and not sent", 300_000, false, true, true},
		{"a large one, not committed", 300_000, false, false, false},
	} {
		s, reader, held := stagedStdin(t)
		data := pattern(row.size)
		if kept, err := s.put(data); !kept || err != nil {
			t.Fatalf("%s: %v %v", row.name, kept, err)
		}
		if row.sent {
			s.send()
		}
		n := next(t, s, held)
		n.resume(row.let)
		want := []byte("more")
		if row.want {
			want = append(data, want...)
		}
		if err := n.write([]byte("more")); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(want))
		if _, err := io.ReadFull(reader, got); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %v, the right bytes: %v", row.name, err, bytes.Equal(got, want))
		}
		n.close()
		if rest := readAll(t, reader); len(rest) > 0 {
			t.Errorf("%s: %d bytes more", row.name, len(rest))
		}
	}
}

// What the stage does not take is written all the same, in its turn.
func TestWhatIsNotStaged(t *testing.T) {
	s, reader, held := stagedStdin(t)
	unix.Close(held[0])
	unix.Close(held[1])
	var want []byte
	for i, size := range []int{200_000, 1000, 1 << 23, 10} {
		data := pattern(size)
		kept, err := s.put(data)
		if err != nil || kept != (i == 0) {
			t.Fatalf("%d bytes: kept %v, %v", size, kept, err)
		}
		s.send()
		want = append(want, data...)
	}
	got := make([]byte, len(want))
	if _, err := io.ReadFull(reader, got); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%v, the right bytes: %v", err, bytes.Equal(got, want))
	}
	// With an empty pipe again it is taken.
	for end := time.Now().Add(bound); ; {
		s.mu.Lock()
		idle := !s.flushes
		s.mu.Unlock()
		if idle {
			break
		} else if time.Now().After(end) {
			t.Fatal("the writer does not end")
		}
	}
	if kept, err := s.put([]byte("x")); !kept || err != nil {
		t.Errorf("kept %v, %v", kept, err)
	}
}

func TestStagedForAProcessThatHasClosedItsStdin(t *testing.T) {
	s, reader, _ := stagedStdin(t)
	broken := make(chan error, 2)
	s.broken = func(why error) { broken <- why }
	if kept, err := s.put([]byte("x")); !kept || err != nil {
		t.Fatal(kept, err)
	}
	reader.Close()
	s.send()
	if why := <-broken; !errors.Is(why, ErrStdinClosed) {
		t.Errorf("told %v", why)
	}
	if _, err := s.put([]byte("x")); !errors.Is(err, ErrStdinClosed) {
		t.Errorf("a later one: %v", err)
	}

	s, reader, _ = stagedStdin(t)
	reader.Close()
	if _, err := s.put([]byte("x")); !errors.Is(err, ErrStdinClosed) {
		t.Errorf("closed before: %v", err)
	}
}

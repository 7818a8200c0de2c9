package survive

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdfast/internal/dlog"
)

// texts are the lines that the next daemon finds.
func texts(t *testing.T, path string) (list []string) {
	t.Helper()
	s := open(t, path)
	defer s.Close()
	for _, l := range s.Left() {
		list = append(list, string(l.Text))
	}
	return list
}

func TestLinesOutliveTheDaemon(t *testing.T) {
	long := strings.Repeat("x", ringSize-3*lineHeader-20)
	for _, row := range []struct {
		name string
		do   func(s *State, add func(text string) uint64)
		want []string
	}{
		{"nothing", func(*State, func(string) uint64) {}, nil},
		{"what was added and not published does not count", func(s *State, add func(string) uint64) {
			add("one")
			s.Publish()
			add("two")
		}, []string{"one"}},
		{"what is written is gone", func(s *State, add func(string) uint64) {
			add("one")
			mark := add("two")
			add("three")
			s.Commit()
			s.Written(mark)
		}, []string{"three"}},
		{"all is written", func(s *State, add func(string) uint64) {
			mark := add("one")
			s.Publish()
			s.Written(mark)
		}, nil},
		{"an empty ring begins anew, and was not published", func(s *State, add func(string) uint64) {
			mark := add("one")
			s.Publish()
			s.Written(mark)
			add("two")
		}, nil},
		{"over the end of the ring", func(s *State, add func(string) uint64) {
			mark := add("one")
			add(long)
			s.Publish()
			s.Written(mark)
			mark = add("two")
			s.Publish()
			add("three")
			s.Commit()
			add("four")
			_ = mark
		}, []string{long, "two", "three"}},
		{"what has no room is left out", func(s *State, add func(string) uint64) {
			add(long)
			if mark := add(strings.Repeat("y", 40)); mark != 0 {
				s.Written(mark)
			}
			add("z")
			s.Publish()
		}, []string{long, "z"}},
		{"an empty line", func(s *State, add func(string) uint64) {
			add("")
			add("")
			s.Publish()
		}, []string{"", ""}},
	} {
		path := filepath.Join(t.TempDir(), "x.state")
		s := open(t, path)
		row.do(s, func(text string) uint64 {
			mark, _ := s.Add([]byte(text))
			return mark
		})
		s.Close()
		if d := cmp.Diff(row.want, texts(t, path)); d != "" {
			t.Errorf("%s: %s", row.name, d)
		}
		if _, ok := s.Add(nil); ok {
			t.Errorf("%s: a line was added behind the end", row.name)
		}
		s.Publish()
		s.Written(1)
		s.Begin(1, dlog.Place{})
	}
}

// However full the ring is and wherever in it: what was published and not written is there, in order.
func TestRingGoesRound(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.state")
	s := open(t, path)
	var want []string
	var marks []uint64
	for n := range 5000 {
		text := fmt.Sprintf("%d%s", n, strings.Repeat(".", n*n%1000))
		mark, ok := s.Add([]byte(text))
		if ok {
			want, marks = append(want, text), append(marks, mark)
		}
		s.Publish()
		if !ok || n%7 == 0 && len(marks) > 300 {
			k := min(len(marks), n%500)
			if k > 0 {
				s.Written(marks[k-1])
				want, marks = want[k:], marks[k:]
			}
		}
		if n%500 != 0 {
			continue
		}
		s.Close()
		if d := cmp.Diff(want, texts(t, path)); d != "" {
			t.Fatalf("%d: %s", n, d)
		}
		s = open(t, path)
	}
	s.Close()
}

// What is kept in a turn counts from its commit on, all of it.
func TestNothingCountsBeforeTheCommit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.state")
	s := open(t, path)
	turn := func(n uint64) {
		for i := range n { // any number of times
			s.Keep("g", "p", &Kept{Listener: &Listener{NextSerial: i}})
			s.Keep("g", "p", &Kept{Listener: &Listener{NextSerial: n}})
		}
		s.KeepEvent(&Event{Group: "g", PoolSerial: n, Payload: strings.Repeat("x", int(n)*partSize)})
		s.EndEvent("g", n-1)
		s.KeepDaemon(Daemon{NextSerial: n})
		s.Add([]byte{byte(n)})
	}
	check := func(n uint64) {
		t.Helper()
		s.Close()
		s = open(t, path)
		switch e, ev, lines := s.Found(), s.FoundEvents(), s.Left(); {
		case len(e) != 1 || e[0].Listener.NextSerial != n:
			t.Errorf("%d: entries %+v", n, e)
		case len(ev) != 1 || ev[0].PoolSerial != n || len(ev[0].Payload) != int(n)*partSize:
			t.Errorf("%d: %d events", n, len(ev))
		case s.FoundDaemon().NextSerial != n:
			t.Errorf("%d: daemon %+v", n, s.FoundDaemon())
		case len(lines) == 0 || !bytes.Equal(lines[len(lines)-1].Text, []byte{byte(n)}):
			t.Errorf("%d: %d lines", n, len(lines))
		}
	}
	for n := uint64(1); n < 6; n++ {
		turn(n)
		s.Commit()
		check(n)
		turn(n + 1)
		check(n)
		turn(n + 1)
		s.Publish() // another's line
		s.Close()
		s = open(t, path)
		if e := s.Found(); e[0].Listener.NextSerial != n {
			t.Errorf("%d: entries %+v", n, e)
		}
	}
	s.Close()
}

// The room for events is bounded, and comes back.
func TestRoomForEvents(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.state")
	s := open(t, path)
	large := strings.Repeat("x", 100*partSize)
	for round := range uint64(3) {
		kept := uint64(0)
		for s.KeepEvent(&Event{Group: "g", PoolSerial: 1000*round + kept, Payload: large}) {
			kept++
		}
		if kept != maxParts/101 {
			t.Errorf("round %d: %d were kept", round, kept)
		}
		s.Commit()
		for n := range kept {
			s.EndEvent("g", 1000*round+n)
		}
		s.Commit()
	}
	if s.parts != 0 || len(s.free) != s.n {
		t.Errorf("%d slots are used by nothing, %d of %d are free", s.parts, len(s.free), s.n)
	}
	s.KeepEvent(&Event{Group: "g"})
	s.Commit()
	s.Clear()
	s.Close()
	next := open(t, path)
	defer next.Close()
	if len(next.FoundEvents()) != 0 {
		t.Errorf("found %v after Clear", next.FoundEvents())
	}
}

func BenchmarkAdd(b *testing.B) {
	s, err := Open(filepath.Join(b.TempDir(), "x.state"), header)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	line := []byte("2026-01-02 03:04:05,678 INFO spawned: 'web' with pid 42\n")
	b.ReportAllocs()
	for b.Loop() {
		mark, _ := s.Add(line)
		s.Publish()
		s.Written(mark)
	}
}

func BenchmarkEvent(b *testing.B) {
	s, err := Open(filepath.Join(b.TempDir(), "x.state"), header)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	e := Event{Group: "ears", Type: "PROCESS_LOG_STDOUT", Payload: strings.Repeat("x", 500)}
	b.ReportAllocs()
	for b.Loop() {
		e.PoolSerial++
		s.KeepEvent(&e)
		s.Commit()
		s.EndEvent("ears", e.PoolSerial)
		s.Commit()
	}
}

// FuzzJournal does what the fuzzer says and is killed after any of it: what counts comes back in order, whatever
// stands in the ring beside it.
func FuzzJournal(f *testing.F) {
	f.Add([]byte("a\x05p\x00a\xffw\x01k\x00a\x10a\x20p\x00k\x00"), []byte("old"))
	f.Add(bytes.Repeat([]byte("a\xffa\xfep\x00w\x01"), 400), []byte{})
	f.Fuzz(func(t *testing.T, ops, old []byte) {
		mem := make([]byte, headerSize)
		copy(mem[journalAt:], old) // a file that no daemon has written
		s := &State{journal: journal{mem: mem}}
		s.txn, _ = s.journal.load()
		for _, l := range s.Left() {
			s.Written(l.Mark)
		}
		type line struct {
			text string
			mark uint64
		}
		var counts, added []line
		for n := 0; n+1 < len(ops); n += 2 {
			switch arg := int(ops[n+1]); ops[n] {
			case 'a':
				text := strings.Repeat(string(rune('a'+n%26)), arg*arg)
				if mark, ok := s.Add([]byte(text)); ok {
					added = append(added, line{text, mark})
				}
			case 'p':
				s.Publish()
				counts, added = append(counts, added...), nil
			case 'c':
				s.Commit()
				counts, added = append(counts, added...), nil
			case 'w':
				if arg = min(arg, len(counts)); arg > 0 {
					s.Begin(counts[arg-1].mark, dlog.Place{})
					s.Written(counts[arg-1].mark)
					counts = counts[arg:]
				}
			case 'k':
				s, added = &State{journal: journal{mem: mem}}, nil
				s.txn, _ = s.journal.load()
				left := s.Left()
				if len(left) != len(counts) {
					t.Fatalf("%d lines, want %d", len(left), len(counts))
				}
				for i, l := range left {
					if string(l.Text) != counts[i].text || l.Mark != counts[i].mark {
						t.Fatalf("line %d is of %d bytes, mark %d; want %d, %d", i, len(l.Text), l.Mark, len(counts[i].text), counts[i].mark)
					}
				}
			}
		}
	})
}

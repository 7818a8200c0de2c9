package dlog

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A paper is a Journal that outlives nothing.
type paper struct {
	mu        sync.Mutex
	lines     []Line // guarded by mu
	mark      uint64 // guarded by mu
	published int    // guarded by mu; calls
	full      bool
}

func (p *paper) Add(line []byte) (uint64, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.full {
		return 0, false
	}
	p.mark++
	p.lines = append(p.lines, Line{Text: line, Mark: p.mark})
	return p.mark, true
}

func (p *paper) Publish() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.published++
}

func (p *paper) Begin(mark uint64, at Place) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.lines {
		p.lines[i].Begun = p.lines[i].Mark == mark
		p.lines[i].At = at
	}
}

func (p *paper) Written(mark uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.lines) > 0 && p.lines[0].Mark <= mark {
		p.lines = p.lines[1:]
	}
}

func (p *paper) Left() []Line {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lines
}

// What a daemon has left is written before all else: what is there of it already is not written again.
func TestWhatIsLeftIsWrittenOnce(t *testing.T) {
	const first, second = "12:00 INFO first\n", "12:01 INFO second\n"
	for _, row := range []struct {
		name   string
		file   string // after "old\n"
		before func(path string)
		want   string
	}{
		{"nothing of it", "", nil, "old\n" + first + second},
		{"a part of the first", first[:7], nil, "old\n" + first + second},
		{"all of the first", first, nil, "old\n" + first + second},
		{"something else", "12:00 INFO other\n", nil, "old\n12:00 INFO other\n" + first + second},
		{"all of the first, and rotated", first, func(path string) { os.Rename(path, path+".1") }, second},
		{"nothing of it, and others have moved the file", "", func(path string) { os.Rename(path, path+".gone") }, first + second},
		{"truncated", first[:7], func(path string) { os.Truncate(path, 0) }, first + second},
	} {
		t.Run(row.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "log")
			os.WriteFile(path, []byte("old\n"+row.file), 0o644)
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			st := info.Sys().(*syscall.Stat_t)
			if row.before != nil {
				row.before(path)
			}
			p := &paper{mark: 2, lines: []Line{
				{Text: []byte(first), Mark: 1, Begun: true, At: Place{Dev: st.Dev, Ino: st.Ino, Offset: 4}},
				{Text: []byte(second), Mark: 2},
			}}
			l := newLog(t, Options{File: path, Level: Info, Journal: p})
			l.Logger().Info("third")
			flush(t, l)
			if diff := cmp.Diff(row.want+"INFO third\n", unstamped(read(t, path))); diff != "" {
				t.Error(diff)
			}
			if left := p.Left(); len(left) != 0 {
				t.Errorf("left: %v", left)
			}
		})
	}
}

// A line is in the journal when the call returns, and until it is in the file; those of Together count with
// what is committed.
func TestLinesAreInTheJournalUntilWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	p := new(paper)
	l := newLog(t, Options{File: path, Level: Info, Journal: p})
	held, hold := make(chan struct{}), make(chan struct{})
	go l.do(func() { close(held); <-hold }, long)
	<-held // the writer
	l.Logger().Info("one")
	records := []slog.Record{slog.NewRecord(time.Now(), Info, "two", 0), slog.NewRecord(time.Now(), Warn, "three", 0)}
	committed := 0
	l.Together(records, func() {
		if committed = len(p.Left()); committed != 3 || len(l.queue) > 1 {
			t.Errorf("committed with %d lines, %d on their way", committed, len(l.queue))
		}
	})
	if committed != 3 || p.published != 1 {
		t.Errorf("%d lines at the commit, %d times published", committed, p.published)
	}
	close(hold)
	flush(t, l)
	if want := "INFO one\nINFO two\nWARN three\n"; unstamped(read(t, path)) != want {
		t.Errorf("got %q", read(t, path))
	}
	if left := p.Left(); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
	p.full = true // then lines are not protected, and that is all
	l.Logger().Info("four")
	flush(t, l)
	if !strings.HasSuffix(read(t, path), " INFO four\n") {
		t.Errorf("got %q", read(t, path))
	}
}

// Where it can't be told what is written nothing is kept.
func TestNoJournalForAPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(path, 0o644); err != nil {
		t.Fatal(err)
	}
	p := &paper{mark: 1, lines: []Line{{Text: []byte("x\n"), Mark: 1}}}
	l := newLog(t, Options{File: path, Level: Info, Journal: p})
	l.Logger().Info("one")
	if left := p.Left(); len(left) != 0 {
		t.Errorf("kept: %v", left)
	}
}

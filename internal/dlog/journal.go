package dlog

import (
	"bytes"
	"log/slog"
	"os"

	"golang.org/x/sys/unix"

	"holdfast/internal/logfile"
)

// A Journal keeps lines where a Log after this one finds them if this process is killed. Its methods return at
// once. Add and Publish are called by one goroutine at a time, the others by the writer's.
type Journal interface {
	// Add keeps a line behind all others. What was added counts only after Publish, or what the commit of
	// Together does. The mark is never 0, and grows; ok is false if there is no room.
	Add(line []byte) (mark uint64, ok bool)
	Publish()
	// Begin notes where the line with that mark is about to be written. Written drops it and all before it.
	Begin(mark uint64, at Place)
	Written(mark uint64)
	// Left are the lines that are kept, the oldest first.
	Left() []Line
}

// A Place is in a file.
type Place struct {
	Dev, Ino uint64
	Offset   int64
}

// A Line was left in a Journal.
type Line struct {
	Text  []byte
	Mark  uint64
	Begun bool // it may have been written, to At, all of it or its first part
	At    Place
}

// Together logs records, and calls commit when they are in the journal: what that makes count counts
// together with them. Before it none of them is written.
func (l *Log) Together(records []slog.Record, commit func()) {
	h := &handler{log: l}
	l.mu.Lock()
	defer l.mu.Unlock()
	items := make([]item, len(records))
	for i, r := range records {
		items[i] = l.keep(h.line(r))
	}
	commit()
	for _, it := range items {
		l.send(it)
	}
}

// useJournal has l write to t the lines that are left in j, and keep its own there. Where t has no end to look
// at afterwards nothing is kept.
func (l *Log) useJournal(j Journal, t *target) {
	if j == nil {
		return
	}
	l.left = j.Left()
	if _, ok := place(t.file); ok {
		l.journal, t.journal = j, j
		return
	}
	if n := len(l.left); n > 0 {
		j.Written(l.left[n-1].Mark)
		l.left = nil
	}
}

// writeLeft writes what a Log before this one has not.
func (l *Log) writeLeft() {
	for _, line := range l.left {
		n := 0
		if line.Begun {
			n = writtenOf(line, l.path)
		}
		for _, t := range l.targets {
			switch {
			case !t.named:
			case n == 0:
				t.put(line.Text, line.Mark)
			default: // where it was begun is noted
				t.rest = line.Text[n:]
				t.tellLost()
				t.written(line.Mark)
			}
		}
	}
	l.left = nil
}

// place is the end of a regular file.
func place(f *logfile.File) (at Place, ok bool) {
	_, end, err := f.End()
	if err != nil || end < 0 {
		return at, false
	}
	at.Dev, at.Ino = f.Identity()
	at.Offset = end
	return at, true
}

// beginning notes where a line is about to be written.
func (t *target) beginning(mark uint64) {
	if t.journal == nil || mark == 0 {
		return
	}
	if at, ok := place(t.file); ok {
		t.journal.Begin(mark, at)
	}
}

// written takes a line out of the journal, unless one is written in part.
func (t *target) written(mark uint64) {
	if t.journal != nil && mark != 0 && len(t.rest) == 0 {
		t.journal.Written(mark)
	}
}

// writtenOf is how much of a line is where it was about to be written: in the file at path, or in its first
// backup, for a line that fills the file brings about a rotation.
func writtenOf(line Line, path string) int {
	for _, path := range []string{path, path + ".1"} {
		f, err := os.Open(path)
		if err != nil {
			continue
		}
		defer f.Close()
		var st unix.Stat_t
		if unix.Fstat(int(f.Fd()), &st) != nil || st.Dev != line.At.Dev || st.Ino != line.At.Ino {
			continue
		}
		there := make([]byte, len(line.Text))
		n, _ := f.ReadAt(there, line.At.Offset)
		if bytes.HasPrefix(line.Text, there[:n]) {
			return n
		}
	}
	return 0
}

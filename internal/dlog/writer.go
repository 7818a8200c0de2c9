package dlog

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"

	"holdfast/internal/logfile"
)

// write is the writer goroutine: it ends after Close and closes the files then.
//
// Differs: the original writes a line before it goes on, and stops with the disk.
func (l *Log) write() {
	defer close(l.done)
	l.writeLeft()
	for {
		select {
		case it := <-l.queue:
			l.handle(it)
			continue
		case <-l.quit:
		}
		for more := true; more; {
			select {
			case it := <-l.queue:
				l.handle(it)
			default:
				more = false
			}
		}
		for _, t := range l.targets {
			t.tellLost()
			t.file.Close()
		}
		return
	}
}

func (l *Log) handle(it item) {
	if it.do != nil {
		it.do()
		return
	}
	l.bytes.Add(-int64(len(it.line)))
	if n := l.dropped.Swap(0); n > 0 {
		l.put(lostLine(n, "they came faster than they could be written"), 0)
	}
	l.put(it.line, it.mark)
}

// put writes line, which has that mark in the journal or is not there, to every target, and once where stdout
// and the log file are the same thing.
func (l *Log) put(line []byte, mark uint64) {
	for i, t := range l.targets {
		if i == 0 && len(l.targets) == 2 && t.file.Same(l.targets[1].file) {
			continue
		}
		t.put(line, mark)
	}
	if l.syslog != nil {
		for _, m := range messages(string(line)) {
			l.syslog.Send(m)
		}
	}
}

// messages are what syslog gets of a line: where the message has several, each by itself under the
// time and the level.
func messages(line string) []string {
	list := strings.Split(strings.TrimRight(line, "\n"), "\n")
	for i, more := range list[1:] {
		list[i+1] = line[:headLen] + more
	}
	return list
}

// A target is one place that lines go to.
type target struct {
	file    *logfile.File
	named   bool    // the main log file, not stdout
	journal Journal // nil: none
	rest    []byte  // of a line that was written in part
	stuck   bool    // it took nothing for patience: don't wait for it again until it does
	lost    int64   // lines that it did not get
	why     error   // and the reason
	note    error   // why the file could not be rotated, to be said
}

// patience is how long one target that takes nothing may hold up the writer.
const patience = 250 * time.Millisecond

func (t *target) put(line []byte, mark uint64) {
	if !t.tellLost() || !t.begin(line, mark) {
		t.lost++
	}
	t.written(mark)
	if t.note != nil && len(t.rest) == 0 {
		t.begin(format(time.Now(), Error, t.note.Error()), 0)
		t.note = nil
	}
}

// tellLost completes what was begun and says how many lines were lost; false if that doesn't work
// yet.
func (t *target) tellLost() bool {
	if len(t.rest) > 0 {
		n := t.write(t.rest)
		t.rest = t.rest[n:]
		if len(t.rest) > 0 {
			return false
		}
		t.rest = nil
	}
	if t.lost == 0 {
		return true
	}
	if !t.begin(lostLine(t.lost, t.why.Error()), 0) {
		return false
	}
	t.lost = 0
	return len(t.rest) == 0
}

// begin writes line, or its first part, and keeps the rest; false if it could not be begun.
func (t *target) begin(line []byte, mark uint64) bool {
	t.beginning(mark)
	n := t.write(line)
	if n == 0 {
		return false
	}
	t.rest = append(t.rest, line[n:]...)
	return true
}

// write writes as much of p as the target takes.
func (t *target) write(p []byte) (written int) {
	pause := time.Millisecond
	for written < len(p) {
		n, err := t.file.Write(p[written:])
		written += n
		switch {
		case err == nil:
			t.stuck, pause = false, time.Millisecond
		case n > 0: // written, but not rotated
			t.note = err
		case errors.Is(err, syscall.EAGAIN) && !t.stuck:
			if time.Sleep(pause); pause > patience/2 {
				t.stuck = true
			}
			pause *= 2
		default:
			t.why = err
			return written
		}
	}
	return written
}

func lostLine(n int64, why string) []byte {
	return format(time.Now(), Warn, fmt.Sprintf("%d lines of this log were lost: %s", n, why))
}

// Package dlog is the daemon's own log (manual: logfile, loglevel, silent): a slog.Handler that
// writes
//
//	2026-01-02 03:04:05,678 INFO spawned: 'web' with pid 42
//
// to the main log file, which rotates, or to syslog, and in the foreground to stdout as well.
//
// Logging never waits. A line goes into a bounded queue and one goroutine writes it; when the disk
// hangs or fills, or nobody reads stdout, lines are dropped, and once writing works again a line
// says how many. The two targets have nothing to do with each other: what one refuses the other
// gets, as long as no disk hangs inside the kernel.
//
// With a Journal a line is safe from the death of this process when the call that logs it has returned: what
// is not in the main log file yet the next Log writes there, before all else.
package dlog

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/internal/logfile"
	"holdfast/internal/syslog"
)

// Options say where the log goes.
type Options struct {
	File     string // path of the main log file; empty: none
	MaxBytes int64
	Backups  int
	Level    slog.Level // lines below it are not written
	Stdout   *os.File   // nil: nothing is written to stdout (a daemon, or silent)

	Syslog       bool   // the lines go to syslog as well
	SyslogIdent  string // under this name
	SyslogSocket string // empty: the usual one

	Journal Journal // for the main log file; nil: none
}

const (
	maxLines = 8192    // lines that may wait for the writer
	maxBytes = 4 << 20 // and their bytes: at debug level a line may hold a whole chunk of output

	// answerTime bounds Reopen and Clear, which wait for the writer.
	answerTime = 5 * time.Second
)

// A Log is the daemon's log. All its methods may be called from any goroutine.
type Log struct {
	level slog.Level
	path  string

	mu      sync.Mutex   // held to send lines, so that they are in journal in the order of queue
	journal Journal      // nil: there is none, or no file that it could be for
	left    []Line       // the writer's own; to be written before what is queued
	queue   chan item    // Handle and do send, nobody closes, write receives
	bytes   atomic.Int64 // of the lines in queue
	dropped atomic.Int64 // lines that found it full

	targets []*target      // the writer's own
	syslog  *syslog.Writer // nil: none

	closing sync.Once
	quit    chan struct{} // closed by Close: write what is queued, then end
	done    chan struct{} // closed by the writer at its end
}

// An item is a line to write or something that the writer shall do between two lines.
type item struct {
	line []byte
	mark uint64 // in the journal; 0: it is not there
	do   func()
}

// New opens the log. Its error wraps the errno of the file that could not be opened.
//
// Differs: in the foreground with logfile=/dev/stdout the original writes every line twice.
func New(o Options) (*Log, error) {
	l := &Log{
		level: o.Level,
		path:  o.File,
		queue: make(chan item, maxLines),
		quit:  make(chan struct{}),
		done:  make(chan struct{}),
	}
	if o.Stdout != nil {
		f, err := logfile.FromFile(o.Stdout)
		if err != nil && o.File == "" {
			return nil, err
		}
		if err == nil { // a closed stdout is no reason not to start
			l.targets = append(l.targets, &target{file: f})
		}
	}
	if o.File != "" {
		f, err := logfile.Open(o.File, 0o666, o.MaxBytes, o.Backups)
		if err != nil {
			for _, t := range l.targets {
				t.file.Close()
			}
			return nil, err
		}
		t := &target{file: f, named: true}
		l.targets = append(l.targets, t)
		l.useJournal(o.Journal, t)
	}
	if o.Syslog {
		l.syslog = syslog.New(syslog.Options{Ident: o.SyslogIdent, Path: o.SyslogSocket, Say: func(level slog.Level, text string) {
			l.Logger().Log(context.Background(), level, text)
		}})
	}
	go l.write()
	return l, nil
}

// Logger returns a logger that writes to l.
func (l *Log) Logger() *slog.Logger { return slog.New(&handler{log: l}) }

// Path returns the path of the main log file, or an empty string.
func (l *Log) Path() string { return l.path }

// Reopen opens the main log file anew, as logrotate wants it. On an error the log goes on in the
// file that was open.
func (l *Log) Reopen() error {
	return l.ask(func() error {
		var errs []error
		for _, t := range l.targets {
			errs = append(errs, t.file.Reopen())
		}
		return errors.Join(errs...)
	})
}

// Clear deletes the main log file and opens a new one; the backups stay. The error is
// fs.ErrNotExist if there is no such file.
//
// As in the original each target has its "reopening log file" said before it is reopened, so the
// line stands in the deleted file, and on stdout in the foreground.
func (l *Log) Clear() error {
	return l.ask(func() error {
		if l.path == "" {
			return fs.ErrNotExist
		}
		if _, err := os.Stat(l.path); err != nil {
			return err
		}
		var errs []error
		for _, t := range l.targets {
			if t.named {
				errs = append(errs, t.file.Remove())
			}
		}
		if err := errors.Join(errs...); err != nil {
			return err
		}
		for _, t := range l.targets {
			if l.level <= Info {
				l.put(format(time.Now(), Info, "reopening log file"), 0)
			}
			errs = append(errs, t.file.Reopen())
		}
		return errors.Join(errs...)
	})
}

// Flush waits until every line that was logged before is written, or for timeout, and tells
// whether they are.
func (l *Log) Flush(timeout time.Duration) bool {
	return l.do(func() {}, timeout) == nil
}

// Close writes what is queued and closes the files. It waits for that no longer than timeout; a
// writer that hangs is left behind. What is logged after Close is lost.
func (l *Log) Close(timeout time.Duration) {
	l.closing.Do(func() { close(l.quit) })
	until := time.Now().Add(timeout)
	wait := time.NewTimer(timeout)
	defer wait.Stop()
	select {
	case <-l.done:
	case <-wait.C:
	}
	if l.syslog != nil {
		l.syslog.Close(time.Until(until))
	}
}

func (l *Log) ask(f func() error) error {
	answer := make(chan error, 1)
	if err := l.do(func() { answer <- f() }, answerTime); err != nil {
		return err
	}
	return <-answer
}

// do has the writer call f after all lines queued so far, and waits for it.
func (l *Log) do(f func(), timeout time.Duration) error {
	wait := time.NewTimer(timeout)
	defer wait.Stop()
	ready := make(chan struct{})
	select {
	case l.queue <- item{do: func() { f(); close(ready) }}:
	case <-l.done:
		return os.ErrClosed
	case <-wait.C:
		return os.ErrDeadlineExceeded
	}
	select {
	case <-ready:
		return nil
	case <-l.done:
		return os.ErrClosed
	case <-wait.C:
		return os.ErrDeadlineExceeded
	}
}

// add queues a line, or drops it.
func (l *Log) add(line []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	it := l.keep(line)
	if l.journal != nil {
		l.journal.Publish()
	}
	l.send(it)
}

// keep puts line into the journal. mu is held.
func (l *Log) keep(line []byte) item {
	it := item{line: line}
	if l.journal != nil {
		it.mark, _ = l.journal.Add(line)
	}
	return it
}

// send queues a line, or drops it: then the next one's mark takes it out of the journal. mu is held.
func (l *Log) send(it item) {
	n := int64(len(it.line))
	if l.bytes.Add(n) > maxBytes {
		l.bytes.Add(-n)
		l.dropped.Add(1)
		return
	}
	select {
	case l.queue <- it:
	default:
		l.bytes.Add(-n)
		l.dropped.Add(1)
	}
}

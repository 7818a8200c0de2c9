package web

import (
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"syscall"
	"time"

	"holdfast/internal/httpd"
)

const (
	// backlog is how much of the log's end a client gets at first. It may cut a line or a character.
	backlog = 1024

	// pollEvery is how often a log is looked at while somebody follows it: two system calls each
	// time. inotify would spare them, but it does not see what is written to a network file system
	// elsewhere, and a log that is away between two rotations has to be polled for all the same.
	pollEvery = 100 * time.Millisecond

	truncated = "==> File truncated <==\n"
)

// follow answers with the end of the log at path and what is added to it until the client goes.
//
// Differs: HTTP/1.0 gets it at once, as HTTP/1.1 does, and not when 64 KiB have come together; and
// a truncated log goes on behind a line that tells it, where the original breaks off. What a rotation
// leaves unread in the old file is not lost, /mainlogtail has X-Accel-Buffering too, and the answer
// ends in order with the daemon.
func follow(w http.ResponseWriter, r *http.Request, path string) {
	t, err := openTail(path)
	if err != nil {
		httpd.Error(w, http.StatusNotFound)
		return
	}
	defer t.close()
	h := w.Header()
	h.Set("Last-Modified", t.modified.UTC().Format(http.TimeFormat))
	h.Set("Content-Type", "text/plain;charset=utf-8")
	h.Set("X-Accel-Buffering", "no") // nginx would else hold back what has come until there is more
	flush := http.NewResponseController(w).Flush

	// The header goes out at once, for a client that wants to know that there is such a log.
	w.WriteHeader(http.StatusOK)
	if flush() != nil {
		return
	}
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for {
		if err := t.copyNew(w, flush); err != nil {
			return // the client has gone, or the log can't be read any more: there is no way to say so
		}
		select {
		case <-r.Context().Done():
			return
		case <-ticker.C:
		}
	}
}

// A tail is a log and how far it has been read.
type tail struct {
	path     string
	modified time.Time // when it was opened
	file     *os.File
	at       int64
	buf      []byte
}

func openTail(path string) (*tail, error) {
	f, info, err := open(path)
	if err != nil {
		return nil, err
	}
	return &tail{path: path, modified: info.ModTime(), file: f, at: max(info.Size()-backlog, 0), buf: make([]byte, 32<<10)}, nil
}

func (t *tail) close() { t.file.Close() }

// copyNew writes to w what was added to the log since the last time, in the file that was moved
// away by a rotation too.
func (t *tail) copyNew(w io.Writer, flush func() error) error {
	for {
		// Before the old file is read to its end, so that what was written up to the rotation is
		// not missed.
		next, err := t.successor()
		if err != nil {
			return err
		}
		if err := t.copyFile(w, flush); err != nil {
			if next != nil {
				next.Close()
			}
			return err
		}
		if next == nil {
			return nil
		}
		t.file.Close()
		t.file, t.at = next, 0
	}
}

// successor is the file that is at the log's path now, or nil if that is still ours or none.
func (t *tail) successor() (*os.File, error) {
	ours, err := t.file.Stat()
	if err != nil {
		return nil, err
	}
	theirs, err := os.Stat(t.path)
	// As long as ours is open no other file gets its number.
	if err != nil || os.SameFile(ours, theirs) {
		return nil, nil // a log that was removed comes again, or stays as it is
	}
	next, _, err := open(t.path)
	if err != nil {
		return nil, nil // gone already: another look later
	}
	return next, nil
}

func (t *tail) copyFile(w io.Writer, flush func() error) error {
	info, err := t.file.Stat()
	if err != nil {
		return err
	}
	if info.Size() < t.at {
		t.at = 0
		if _, err := io.WriteString(w, truncated); err != nil {
			return err
		}
		if err := flush(); err != nil {
			return err
		}
	}
	for {
		n, err := t.file.ReadAt(t.buf, t.at)
		if n > 0 {
			t.at += int64(n)
			if _, err := w.Write(t.buf[:n]); err != nil {
				return err
			}
			if err := flush(); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// open opens a regular file: what is a pipe or a terminal can't be followed without taking from it.
func open(path string) (*os.File, fs.FileInfo, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("cannot follow %q: not a regular file", path)
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

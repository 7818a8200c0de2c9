// Package syslog sends lines to this machine's syslog daemon, as syslog(3) does for a program that
// has not said otherwise: facility user, priority info, without a pid.
//
//	<14>Jan  2 15:04:05 supervisord: web listening on :8080
//
// Sending never waits. Lines go into a bounded queue that one goroutine empties. While the daemon
// is away, or takes nothing, they wait there and it is tried again every second; what finds the
// queue full is counted and said.
package syslog

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Options say where lines go.
type Options struct {
	Ident string // the name that the lines bear
	Path  string // the daemon's socket; empty: /dev/log

	// Say is told when the daemon can't be reached, once, and when it can be again. It is called
	// from the Writer's goroutine and must not wait. It may call Send.
	Say func(level slog.Level, text string)
}

// Differs: the original loses lines in silence while the daemon is away, and hangs when it takes nothing.
const (
	maxLines = 8192    // lines that may wait
	maxBytes = 4 << 20 // and their bytes

	// patience is how long the daemon may take for one line, and when it is tried again.
	patience = time.Second
)

// A Writer sends lines. Its methods may be called from any goroutine.
type Writer struct {
	o     Options
	queue chan string  // Send sends, nobody closes, run receives
	bytes atomic.Int64 // of the lines in queue
	lost  atomic.Int64 // lines that were dropped, and not yet spoken of

	start   sync.Once
	started atomic.Bool
	closing sync.Once
	quit    chan struct{} // closed by Close: send what waits, then end
	done    chan struct{} // closed by run at its end

	// run's own
	conn    net.Conn // nil: not connected
	suffix  string   // behind each message; a stream needs one
	failing bool     // and that was said
}

// New makes a Writer. It connects, and starts its goroutine, with the first line.
func New(o Options) *Writer {
	if o.Path == "" {
		o.Path = "/dev/log"
	}
	return &Writer{o: o, queue: make(chan string, maxLines), quit: make(chan struct{}), done: make(chan struct{})}
}

// Send sends a line. It does not wait, and may drop it.
func (w *Writer) Send(line string) {
	w.start.Do(func() {
		w.started.Store(true)
		go w.run() // ends with Close
	})
	message := "<14>" + time.Now().Format(time.Stamp) + " " + w.o.Ident + ": " + line
	n := int64(len(message))
	if w.bytes.Add(n) <= maxBytes {
		select {
		case w.queue <- message:
			return
		default:
		}
	}
	w.bytes.Add(-n)
	w.lost.Add(1)
}

// Close sends what waits and ends the Writer. It waits for that no longer than timeout. What is
// sent after it is lost.
func (w *Writer) Close(timeout time.Duration) {
	w.closing.Do(func() { close(w.quit) })
	if !w.started.Load() {
		return
	}
	wait := time.NewTimer(timeout)
	defer wait.Stop()
	select {
	case <-w.done:
	case <-wait.C:
	}
}

func (w *Writer) run() {
	defer close(w.done)
	defer func() {
		w.disconnect()
		w.tellLost()
	}()
	for {
		select {
		case m := <-w.queue:
			w.deliver(m)
			if len(w.queue) == 0 && !w.failing {
				w.tellLost()
			}
			continue
		case <-w.quit:
		}
		for {
			select {
			case m := <-w.queue:
				if w.failing {
					w.lost.Add(1)
				} else {
					w.deliver(m)
				}
				continue
			default:
			}
			return
		}
	}
}

// deliver tries until the daemon has the message, or until Close.
func (w *Writer) deliver(message string) {
	w.bytes.Add(-int64(len(message)))
	for {
		connected := w.conn != nil
		err := w.write(message)
		if err != nil && connected {
			err = w.write(message) // it was started anew, and has another socket
		}
		switch {
		case err == nil:
			if w.failing {
				w.failing = false
				w.say(slog.LevelInfo, "takes lines again")
			}
			return
		case errors.Is(err, syscall.EMSGSIZE):
			w.lost.Add(1)
			return
		case !w.failing:
			w.failing = true
			w.say(slog.LevelWarn, fmt.Sprintf("takes no lines: %v; they wait, and it is tried again every second", reason(err)))
		}
		again := time.NewTimer(patience)
		select {
		case <-again.C:
		case <-w.quit:
			again.Stop()
			w.lost.Add(1)
			return
		}
	}
}

// write sends one message, connecting if need be. After an error it is not connected.
func (w *Writer) write(message string) (err error) {
	if w.conn == nil {
		w.conn, w.suffix, err = dial(w.o.Path)
		if err != nil {
			return err
		}
	}
	w.conn.SetWriteDeadline(time.Now().Add(patience))
	if _, err = w.conn.Write([]byte(message + w.suffix)); err != nil {
		w.disconnect()
	}
	return err
}

// dial connects as syslog(3) does: by datagrams, else by a stream in which a NUL ends each message.
func dial(path string) (conn net.Conn, suffix string, err error) {
	d := net.Dialer{Timeout: patience}
	if conn, err = d.Dial("unixgram", path); errors.Is(err, syscall.EPROTOTYPE) {
		suffix = "\x00"
		conn, err = d.Dial("unix", path)
	}
	if err != nil {
		return nil, "", err // not conn, which holds a nil pointer
	}
	return conn, suffix, nil
}

func (w *Writer) disconnect() {
	if w.conn != nil {
		w.conn.Close()
		w.conn = nil
	}
}

func (w *Writer) tellLost() {
	if n := w.lost.Swap(0); n > 0 {
		w.say(slog.LevelWarn, fmt.Sprintf("did not get %d lines", n))
	}
}

func (w *Writer) say(level slog.Level, what string) {
	if w.o.Say != nil {
		w.o.Say(level, "syslog ("+w.o.Path+") "+what)
	}
}

// reason is the errno in err, without what was wrapped round it.
func reason(err error) error {
	var errno syscall.Errno
	switch {
	case errors.As(err, &errno):
		return errno
	case errors.Is(err, os.ErrDeadlineExceeded):
		return os.ErrDeadlineExceeded
	}
	return err
}

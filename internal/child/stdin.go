package child

import (
	"errors"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

var (
	// ErrStdinClosed tells that the process has ended or has closed its stdin.
	ErrStdinClosed = errors.New("stdin is closed")
	// ErrStdinFull tells that the process doesn't read and too much waits for it already.
	ErrStdinFull = errors.New("too much is waiting to be read from stdin")
)

// stdinLimit is how much may wait for a process that does not read; a single write may be larger, for
// an event that is would else never arrive.
//
// Differs: the original queues without limit, and answers HTTP 500 to what it has queued.
const stdinLimit = 16 << 20

// A stdin writes to one process without making anybody wait: what the pipe takes goes at once, the
// rest is queued and written by a goroutine that is there only while something is queued.
type stdin struct {
	fd int // the writing end

	// broken is told, without the lock, when what is queued can never be written, since the process has closed
	// its stdin; not by close. It may be nil.
	broken func(why error)

	mu      sync.Mutex
	f       *os.File // guarded by mu; of fd, from the first write on: most programs are never written to
	queue   []byte   // guarded by mu
	pending int      // guarded by mu; queue and what flush is at
	closed  bool     // guarded by mu
}

// newStdin owns fd from now on. -1 is a stdin that nobody can write to.
func newStdin(fd int) *stdin { return &stdin{fd: fd, closed: fd < 0} }

func (s *stdin) write(data []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return ErrStdinClosed
	case s.pending > 0 && s.pending+len(data) > stdinLimit:
		return ErrStdinFull
	}
	flushing := s.pending > 0
	if !flushing {
		n, err := s.try(data)
		if err != nil {
			s.closeLocked()
			return ErrStdinClosed
		}
		data = data[n:]
	}
	if len(data) == 0 {
		return nil
	}
	s.queue = append(s.queue, data...)
	s.pending += len(data)
	if !flushing {
		go s.flush() // ends when nothing is queued, or by close
	}
	return nil
}

// try writes what the pipe takes now. The lock is held.
func (s *stdin) try(data []byte) (n int, err error) {
	if s.f == nil {
		if err := unix.SetNonblock(s.fd, true); err != nil {
			return 0, err
		}
		s.f = os.NewFile(uintptr(s.fd), "stdin")
	}
	conn, err := s.f.SyscallConn()
	if err != nil {
		return 0, err
	}
	connErr := conn.Write(func(fd uintptr) bool {
		n, err = unix.Write(int(fd), data)
		return true
	})
	if connErr != nil {
		return 0, connErr
	}
	if err == unix.EAGAIN || err == unix.EINTR {
		return 0, nil
	}
	return max(n, 0), err
}

func (s *stdin) flush() {
	for {
		s.mu.Lock()
		data := s.queue
		s.queue = nil
		s.pending = len(data)
		s.mu.Unlock()
		if len(data) == 0 {
			return
		}
		if _, err := s.f.Write(data); err != nil {
			if s.close() && s.broken != nil {
				s.broken(ErrStdinClosed)
			}
			return
		}
	}
}

// close drops what is queued, and tells whether it was the first to close.
func (s *stdin) close() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := !s.closed
	s.closeLocked()
	return first
}

// closeLocked is close with the lock held.
func (s *stdin) closeLocked() {
	s.queue, s.pending = nil, 0
	switch {
	case s.f != nil:
		s.f.Close()
	case !s.closed:
		unix.Close(s.fd)
	}
	s.closed = true
}

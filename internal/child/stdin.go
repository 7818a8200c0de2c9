package child

import (
	"errors"
	"os"
	"sync"
	"syscall"

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
//
// What is staged lies in a pipe of its own, from which splice(2) moves it: a byte is in one of the two pipes at
// any moment, so that a daemon after this one can go on where this one was killed.
type stdin struct {
	fd int // the writing end

	// broken is told, without the lock, when what is queued can never be written, since the process has closed
	// its stdin; not by close. It may be nil.
	broken func(why error)

	mu      sync.Mutex
	f       *os.File // guarded by mu; of fd, from the first write on: most programs are never written to
	stage   int      // guarded by mu; both ends of the pipe of what is staged; -1: there is none
	staged  int      // guarded by mu; bytes in it, which go before queue
	held    []byte   // guarded by mu; what was to be staged and could not be, until send
	queue   []byte   // guarded by mu
	pending int      // guarded by mu; queue and what flush is at
	flushes bool     // guarded by mu; the goroutine is there
	closed  bool     // guarded by mu
	awaits  bool     // guarded by mu; fd is still to come, and what is written waits
}

// newStdin owns both files from now on. fd -1 is a stdin that nobody can write to; stage may be -1 too.
func newStdin(fd, stage int) *stdin { return &stdin{fd: fd, stage: stage, closed: fd < 0} }

func (s *stdin) write(data []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return ErrStdinClosed
	case s.pending > 0 && s.pending+len(data) > stdinLimit:
		return ErrStdinFull
	}
	if !s.flushes && s.staged == 0 && !s.awaits {
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
	s.flushLocked()
	return nil
}

// await makes a stdin of no file one whose file comes by arrive.
func (s *stdin) await() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.awaits, s.closed = true, false
}

// arrive ends await; fd -1: nobody can write to it after all.
func (s *stdin) arrive(fd int) {
	s.mu.Lock()
	s.awaits = false
	switch {
	case s.closed:
		if fd >= 0 {
			unix.Close(fd)
		}
	case fd >= 0:
		s.fd = fd
		if _, err := s.open(); err == nil && s.staged+s.pending > 0 {
			s.flushLocked()
		}
	}
	s.mu.Unlock()
	if fd < 0 && s.close() && s.broken != nil {
		s.broken(ErrStdinClosed)
	}
}

// flushLocked has what waits written behind the caller.
func (s *stdin) flushLocked() {
	if !s.flushes && !s.awaits {
		s.flushes = true
		go s.flush() // ends when nothing waits, or by close
	}
}

// try writes what the pipe takes now. The lock is held.
func (s *stdin) try(data []byte) (n int, err error) {
	conn, err := s.open()
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

// open makes fd one that nobody waits in. The lock is held.
func (s *stdin) open() (syscall.RawConn, error) {
	if s.f == nil {
		if err := unix.SetNonblock(s.fd, true); err != nil {
			return nil, err
		}
		s.f = os.NewFile(uintptr(s.fd), "stdin")
	}
	return s.f.SyscallConn()
}

func (s *stdin) flush() {
	for {
		err := s.flushStage()
		s.mu.Lock()
		data := s.queue
		s.queue = nil
		s.pending = len(data)
		if err == nil && len(data) == 0 || s.closed {
			s.flushes = false
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
		if err == nil {
			_, err = s.f.Write(data)
		}
		if err != nil {
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
	s.queue, s.pending, s.held = nil, 0, nil
	if s.stage >= 0 {
		unix.Close(s.stage)
		s.stage, s.staged = -1, 0
	}
	switch {
	case s.f != nil:
		s.f.Close()
	case !s.closed && s.fd >= 0:
		unix.Close(s.fd)
	}
	s.closed = true
}

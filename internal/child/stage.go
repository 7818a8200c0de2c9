package child

import (
	"errors"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// openStage makes the pipe of what is staged: one file, for both ends.
func openStage() (int, error) {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return -1, err
	}
	defer unix.Close(p[0])
	defer unix.Close(p[1])
	return unix.Open("/proc/self/fd/"+strconv.Itoa(p[1]), unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
}

// put takes data to be written from send on. kept tells that it is in the stage, all of it. It is not where
// there is none, or it has no room for so much, or something is on its way already.
func (s *stdin) put(data []byte) (kept bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return false, ErrStdinClosed
	case s.pending > 0 && s.pending+len(data) > stdinLimit:
		return false, ErrStdinFull
	case !s.awaits && s.deaf():
		s.closeLocked()
		return false, ErrStdinClosed
	case s.stage >= 0 && s.pending == 0 && s.staged == 0 && s.fill(data):
		s.staged = len(data)
		return true, nil
	}
	s.held = append(s.held, data...)
	return false, nil
}

// deaf tells whether the process has closed its stdin. The lock is held.
func (s *stdin) deaf() (yes bool) {
	conn, err := s.open()
	if err != nil {
		return true
	}
	_ = conn.Control(func(fd uintptr) {
		poll := []unix.PollFd{{Fd: int32(fd)}}
		n, _ := unix.Poll(poll, 0)
		yes = n == 1 && poll[0].Revents&unix.POLLERR != 0
	})
	return yes
}

// fill puts data into the stage, all of it or nothing. The lock is held.
func (s *stdin) fill(data []byte) bool {
	if size, err := unix.FcntlInt(uintptr(s.stage), unix.F_GETPIPE_SZ, 0); err == nil && size < len(data) {
		if _, err := unix.FcntlInt(uintptr(s.stage), unix.F_SETPIPE_SZ, len(data)); err != nil {
			return false
		}
	}
	n, err := unix.Write(s.stage, data)
	if err == nil && n == len(data) {
		return true
	}
	s.emptyStage()
	return false
}

// emptyStage throws away what is in the stage. The lock is held.
func (s *stdin) emptyStage() {
	s.staged = 0
	for buf := make([]byte, 4096); s.stage >= 0; {
		if n, err := unix.Read(s.stage, buf); n <= 0 && err != unix.EINTR {
			return
		}
	}
}

// send lets go what put has taken. If the process has closed its stdin, broken is told.
func (s *stdin) send() {
	s.mu.Lock()
	s.queue, s.pending = append(s.queue, s.held...), s.pending+len(s.held)
	s.held = nil
	if s.closed || s.staged == 0 && s.pending == 0 {
		s.mu.Unlock()
		return
	}
	var err error
	if !s.flushes && !s.awaits {
		err = s.move(false)
	}
	if err == nil && s.staged+s.pending > 0 {
		s.flushLocked()
	}
	s.mu.Unlock()
	if err != nil && s.close() && s.broken != nil {
		s.broken(ErrStdinClosed)
	}
}

// resume goes on with what a daemon before this one has left in the stage, or throws it away if that daemon
// had not let it go.
func (s *stdin) resume(sent bool) {
	s.mu.Lock()
	if s.closed || s.stage < 0 {
		s.mu.Unlock()
		return
	}
	if !sent {
		s.emptyStage()
		s.mu.Unlock()
		return
	}
	if n, err := unix.IoctlGetInt(s.stage, unix.TIOCINQ); err == nil {
		s.staged = n
	}
	s.mu.Unlock()
	s.send()
}

// flushStage returns when the stage is empty, or with an error.
func (s *stdin) flushStage() error {
	s.mu.Lock()
	left := s.staged
	s.mu.Unlock()
	if left == 0 {
		return nil
	}
	return s.move(true)
}

// move moves what is in the stage to the process: what its pipe takes now, or, with wait, all of it. With wait
// the lock is not held, else it is.
func (s *stdin) move(wait bool) error {
	lock, unlock := func() {}, func() {}
	if wait {
		lock, unlock = s.mu.Lock, s.mu.Unlock
	}
	lock()
	conn, err := s.open()
	unlock()
	if err != nil {
		return err
	}
	werr := conn.Write(func(fd uintptr) bool {
		lock()
		defer unlock()
		for s.staged > 0 && err == nil {
			var n int64
			n, err = unix.Splice(s.stage, nil, int(fd), nil, s.staged, unix.SPLICE_F_NONBLOCK)
			s.staged -= int(max(n, 0))
			if errors.Is(err, unix.EINTR) {
				err = nil
			}
		}
		if errors.Is(err, unix.EAGAIN) {
			err = nil
			return !wait
		}
		return true
	})
	if werr != nil {
		return werr
	}
	if err != nil {
		return os.NewSyscallError("splice", err)
	}
	return nil
}

package logfile

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// Write appends p and rotates when that is due. Like write(2), and unlike io.Writer, it may write
// a part only; and on a terminal, pipe or socket that takes nothing now it says EAGAIN rather than
// wait. A disk may make it wait.
//
// The error is nil when anything was written, but for that of a rotation (see Advanced).
func (f *File) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	n, err := f.write(p)
	if err != nil {
		return 0, fmt.Errorf("cannot write to log %q: %w", f.path, err)
	}
	return n, f.Advanced(n)
}

func (f *File) write(p []byte) (n int, err error) {
	if f.regular() {
		return f.append(p)
	}
	if f.shared {
		// The descriptor may block. What poll calls writable takes this much without waiting.
		fds := []unix.PollFd{{Fd: int32(f.fd), Events: unix.POLLOUT}}
		if ready, err := unix.Poll(fds, 0); err == nil && ready == 0 {
			return 0, unix.EAGAIN
		}
		p = p[:min(len(p), 4096)]
	}
	err = ignoringEINTR(func() error {
		n, err = unix.Write(f.fd, p)
		return err
	})
	return max(n, 0), err
}

// append writes at the end, wherever that is by now.
func (f *File) append(p []byte) (n int, err error) {
	err = ignoringEINTR(func() error {
		// -1 moves the descriptor's position along: a shell that gave us its stdout goes on behind.
		n, err = unix.Pwritev2(f.fd, [][]byte{p}, -1, unix.RWF_APPEND)
		return err
	})
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EINVAL) {
		_, end, serr := f.End()
		if serr != nil {
			return 0, serr
		}
		err = ignoringEINTR(func() error {
			n, err = unix.Pwrite(f.fd, p, end)
			return err
		})
	}
	if n == 0 && err == nil {
		err = io.ErrShortWrite
	}
	return max(n, 0), err
}

// Splices tells whether the target may be written to by splice. Not so what another, or another File,
// writes to as well: splice puts bytes at an offset and not at the end, so it would overwrite theirs
// (stdout and stderr sent to one file). Nor a socket: it may wait there, and holds the pipe locked
// meanwhile.
func (f *File) Splices() bool { return !f.shared && !(f.regular() && throughProc(f.path)) }

// End returns the descriptor to splice into and the offset to splice to; the offset is -1 where the
// target has no end. Both hold until the next call of any method but this one.
func (f *File) End() (fd int, offset int64, err error) {
	if f.fd < 0 {
		return -1, 0, os.ErrClosed
	}
	if !f.regular() {
		return f.fd, -1, nil
	}
	var st unix.Stat_t
	if err := ignoringEINTR(func() error { return unix.Fstat(f.fd, &st) }); err != nil {
		return -1, 0, err
	}
	return f.fd, st.Size, nil
}

// Advanced is to be called when n bytes were put at the End by other means than Write. It rotates
// when that is due. When it cannot, nothing is lost: writing goes on in the file that is open, and
// the next rotation is tried when that has grown by maxbytes again.
func (f *File) Advanced(n int) error {
	if n <= 0 || f.maxBytes <= 0 || !f.ownFile() {
		return nil
	}
	_, size, err := f.End()
	if err != nil {
		return err
	}
	if size < max(f.maxBytes, f.retryAt) {
		return nil
	}
	if err := f.Rotate(); err != nil {
		f.retryAt = size + f.maxBytes
		return err
	}
	return nil
}

// Rotate moves the file to the first backup, all backups one further, and begins a new file.
// Without backups it empties the file.
func (f *File) Rotate() error {
	if !f.ownFile() {
		return nil
	}
	for i := f.backups - 1; i >= 1; i-- {
		if err := f.rename(i); err != nil {
			return err // going on would overwrite what could not be moved
		}
	}
	if f.backups > 0 {
		if err := f.rename(0); err != nil {
			return err
		}
	}
	if err := f.open(unix.O_TRUNC); err != nil {
		return fmt.Errorf("cannot rotate: %w", err)
	}
	return nil
}

// rename moves backup i to backup i+1; backup 0 is the file itself. A missing one is passed over:
// a cleanup script may have been faster.
func (f *File) rename(i int) error {
	from, to := f.path, fmt.Sprintf("%s.%d", f.path, i+1)
	if i > 0 {
		from = fmt.Sprintf("%s.%d", f.path, i)
	}
	err := ignoringEINTR(func() error { return unix.Rename(from, to) })
	if err != nil && err != unix.ENOENT {
		return fmt.Errorf("cannot rotate log %q to %q: %w", from, to, err)
	}
	return nil
}

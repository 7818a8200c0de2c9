package logfile

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// open opens the path with flags added and puts the result in the place of what was open, if
// anything was. On an error what was open stays.
func (f *File) open(flags int) error {
	// O_NONBLOCK matters to fifos, terminals and devices: neither the opening nor a write may wait.
	const usual = unix.O_NONBLOCK | unix.O_CLOEXEC | unix.O_NOCTTY
	fd, err := openFD(f.path, unix.O_WRONLY|unix.O_CREAT|usual|flags, uint32(f.mode.Perm()))
	if err == unix.ENXIO && isFifo(f.path) {
		// No reader yet. Being one ourselves makes it open, and lets the fifo fill until one comes.
		fd, err = openFD(f.path, unix.O_RDWR|usual, 0)
	}
	if std := f.stdStream(); std >= 0 && (err == unix.ENXIO || err == unix.EACCES) {
		// Linux opens no socket through /proc, and no pipe or terminal of another user, though we
		// hold it open already.
		if err = f.dup(std); err == nil {
			return nil
		}
	}
	if err != nil {
		return fmt.Errorf("cannot open log %q: %w", f.path, err)
	}
	return f.use(fd, false)
}

func (f *File) dup(fd int) error {
	fd, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return err
	}
	return f.use(fd, true)
}

// use puts fd in the place of what was open.
func (f *File) use(fd int, shared bool) error {
	var st unix.Stat_t
	if err := ignoringEINTR(func() error { return unix.Fstat(fd, &st) }); err != nil {
		unix.Close(fd)
		return fmt.Errorf("cannot open log %q: %w", f.path, err)
	}
	f.Close()
	f.fd, f.stat, f.shared, f.retryAt = fd, st, shared, 0
	return nil
}

// stdStream returns the number of the standard stream that the path names, or -1.
func (f *File) stdStream() int {
	switch f.path {
	case "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1":
		return 1
	case "/dev/stderr", "/dev/fd/2", "/proc/self/fd/2":
		return 2
	}
	return -1
}

// throughProc tells whether path names a descriptor and not a file.
func throughProc(path string) bool {
	return path == "/dev/stdin" || path == "/dev/stdout" || path == "/dev/stderr" ||
		strings.HasPrefix(path, "/dev/fd/") || strings.HasPrefix(path, "/proc/")
}

func isFifo(path string) bool {
	var st unix.Stat_t
	return unix.Stat(path, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFIFO
}

func openFD(path string, flags int, mode uint32) (fd int, err error) {
	err = ignoringEINTR(func() error {
		fd, err = unix.Open(path, flags, mode)
		return err
	})
	return fd, err
}

// ignoringEINTR repeats call as long as a signal interrupts it, as network filesystems let happen.
func ignoringEINTR(call func() error) error {
	for {
		if err := call(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

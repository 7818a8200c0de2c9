// Package logfile is one growing file that rotates by size (manual: logfile_maxbytes,
// logfile_backups).
//
//	web.log      the file that is written to
//	web.log.1    what it was before the last rotation
//	web.log.2    what it was before that, and so on up to backups
//
// After a write that brings the file to maxbytes or beyond, web.log.1 becomes web.log.2 and so
// forth, web.log becomes web.log.1, and a new web.log begins; without backups the file is emptied.
// A write is never split over two files.
//
// Terminals, pipes, sockets and devices are written to as well; they have no size, so they never
// rotate and cannot be cleared. Differs: in the original any maxbytes but 0 on such a target ends
// the daemon or that output at its first write.
//
// A File keeps no buffer and no position: its end is asked for before each write, so that others
// may truncate it (logrotate's copytruncate) or append to it. It is not opened with O_APPEND, which
// splice(2) refuses. It makes no goroutine and takes no lock: whoever shares a File guards it.
package logfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// A File is an open log file. It is not safe for concurrent use.
type File struct {
	path     string
	mode     fs.FileMode
	maxBytes int64
	backups  int

	fd      int
	stat    unix.Stat_t // of fd, from when it was opened
	shared  bool        // the open file description is also another's: O_NONBLOCK is not ours to set
	retryAt int64       // after a rotation that failed: the size at which the next one is tried
}

// Open opens the file at path for appending and creates it with mode (less the umask) if need be.
// maxBytes <= 0 means that it never rotates (Differs: below 0 the original logs nothing). Open never waits: a fifo that nobody reads takes what
// fits into it.
//
// The standard streams by name (/dev/stdout and its like) also open when they are sockets, or
// belong to another user. Differs: the original cannot open them then.
func Open(path string, mode fs.FileMode, maxBytes int64, backups int) (*File, error) {
	f := &File{path: path, mode: mode, maxBytes: maxBytes, backups: backups, fd: -1}
	if err := f.open(0); err != nil {
		return nil, err
	}
	return f, nil
}

// FromFile makes a File of a copy of file's descriptor; it never rotates, and Reopen and Clear
// leave it as it is.
func FromFile(file *os.File) (*File, error) {
	f := &File{path: file.Name(), fd: -1, shared: true}
	raw, err := file.SyscallConn()
	if err != nil {
		return nil, err
	}
	if cerr := raw.Control(func(fd uintptr) { err = f.dup(int(fd)) }); cerr != nil {
		err = cerr
	}
	if err != nil {
		return nil, fmt.Errorf("cannot open log %q: %w", f.path, err)
	}
	return f, nil
}

// Path returns the path as Open got it.
func (f *File) Path() string { return f.path }

// SetLimits changes what Open was told about rotation.
func (f *File) SetLimits(maxBytes int64, backups int) {
	f.maxBytes, f.backups, f.retryAt = maxBytes, backups, 0
}

// Close closes the file. A second Close does nothing.
func (f *File) Close() error {
	if f.fd < 0 {
		return nil
	}
	err := unix.Close(f.fd)
	f.fd = -1
	return err
}

// Reopen opens the path anew, as after logrotate has renamed the file. If that fails, writing goes
// on in the file that was open.
func (f *File) Reopen() error {
	if f.shared || !f.regular() && !f.Moved() {
		return nil // a fifo that we keep open ourselves must not be let go
	}
	return f.open(0)
}

// Remove deletes the file; its backups stay, and the File stays open. Something that is not a file
// of its own, such as /dev/stdout, is left as it is.
//
// Differs: the original run by root deletes the device.
func (f *File) Remove() error {
	if !f.ownFile() {
		return nil
	}
	// os.Remove would take away an empty directory that stands in its place.
	if err := ignoringEINTR(func() error { return unix.Unlink(f.path) }); err != nil {
		return &fs.PathError{Op: "unlink", Path: f.path, Err: err}
	}
	return nil
}

// Clear deletes the file, if it is there, and opens a new one.
func (f *File) Clear() error {
	if err := f.Remove(); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot clear log: %w", err)
	}
	return f.Reopen()
}

// Moved tells whether the path no longer leads to the open file.
func (f *File) Moved() bool {
	var now unix.Stat_t
	if err := ignoringEINTR(func() error { return unix.Stat(f.path, &now) }); err != nil {
		return true
	}
	return now.Dev != f.stat.Dev || now.Ino != f.stat.Ino
}

// Same tells whether f and g write to one and the same file, terminal, pipe or socket.
func (f *File) Same(g *File) bool {
	return f.stat.Dev == g.stat.Dev && f.stat.Ino == g.stat.Ino
}

// Identity tells which file is open, whatever its path leads to by now.
func (f *File) Identity() (dev, ino uint64) { return f.stat.Dev, f.stat.Ino }

// regular tells whether the target has an end to write at.
func (f *File) regular() bool { return f.stat.Mode&unix.S_IFMT == unix.S_IFREG }

// ownFile tells whether the target is a file that may be renamed and deleted: not where a standard
// stream was sent, though that be a file.
func (f *File) ownFile() bool { return f.regular() && !f.shared && !throughProc(f.path) }

// ErrnoName returns the name of the errno in err's chain, such as "ENOENT"; empty if there is none.
func ErrnoName(err error) string {
	var errno unix.Errno
	if errors.As(err, &errno) {
		return unix.ErrnoName(errno)
	}
	return ""
}

package httpd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// maxSocketPath is what the kernel has room for (sun_path, less its final NUL).
const maxSocketPath = 107

// A socketFile remembers which file of that path is ours.
type socketFile struct {
	path string
	info fs.FileInfo
}

// A ChownError is a socket that could not be given to its owner.
type ChownError struct {
	Path     string
	UID, GID int
	Err      error
}

func (e *ChownError) Error() string {
	return fmt.Sprintf("cannot chown socket %q to uid/gid (%d, %d): %v", e.Path, e.UID, e.GID, e.Err)
}
func (e *ChownError) Unwrap() error { return e.Err }

// listenUnix makes the socket under a name of its own, with its final mode and owner and already
// listening, and then links it to its place. So at its place there is never a socket that is open
// to the wrong people, or that refuses a second daemon's question whether somebody is there.
func listenUnix(s Server, stderr io.Writer) (net.Listener, *socketFile, error) {
	path := s.Address
	fail := func(err error) (net.Listener, *socketFile, error) {
		return nil, nil, fmt.Errorf("cannot listen on unix socket %q: %w", path, err)
	}
	if len(path) > maxSocketPath {
		return fail(fmt.Errorf("the path is %d bytes long, and a socket's can have %d at most: %w",
			len(path), maxSocketPath, unix.ENAMETOOLONG))
	}
	tmp, err := temporaryName(path)
	if err != nil {
		return fail(err)
	}
	// One of our pid is left of an earlier life, on a machine or in a container that booted again.
	if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fail(err)
	}
	// The mode of an unbound socket is that of the file that bind makes, less the umask.
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var chmodErr error
		err := c.Control(func(fd uintptr) { chmodErr = unix.Fchmod(int(fd), uint32(s.Chmod)) })
		return errors.Join(err, chmodErr)
	}}
	l, err := config.Listen(context.Background(), "unix", tmp)
	if err != nil {
		return fail(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	socket, err := publish(s, tmp, stderr)
	if rmErr := os.Remove(tmp); err == nil {
		err = rmErr
	}
	if err != nil {
		l.Close()
		return fail(err)
	}
	return l, socket, nil
}

// temporaryName is path and our pid, the name cut if that would be too long for a socket.
func temporaryName(path string) (string, error) {
	dir, name := filepath.Split(path)
	suffix := "." + strconv.Itoa(os.Getpid())
	room := maxSocketPath - len(dir) - len(suffix)
	if room < 0 {
		return "", fmt.Errorf("its directory's name is too long by %d bytes to make a socket in it: %w", -room, unix.ENAMETOOLONG)
	}
	return dir + name[:min(room, len(name))] + suffix, nil
}

// publish gives the socket at tmp its mode and owner and links it to its place.
func publish(s Server, tmp string, stderr io.Writer) (*socketFile, error) {
	if err := giveAway(s, tmp); err != nil {
		return nil, err
	}
	info, err := os.Lstat(tmp)
	if err != nil {
		return nil, err
	}
	for range 3 { // more only if others keep making sockets there and dying
		err = os.Link(tmp, s.Address)
		if err == nil {
			return &socketFile{path: s.Address, info: info}, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
		if err := removeStale(s.Address, stderr); err != nil {
			return nil, err
		}
	}
	return nil, unix.EADDRINUSE
}

// giveAway gives a socket its mode, of which the umask may have taken bits away, and its owner.
func giveAway(s Server, path string) error {
	if err := unix.Chmod(path, uint32(s.Chmod)); err != nil {
		return fmt.Errorf("cannot chmod it to %#o: %w", s.Chmod, err)
	}
	if s.UID != -1 || s.GID != -1 {
		if err := os.Chown(path, s.UID, s.GID); err != nil {
			return &ChownError{Path: s.Address, UID: s.UID, GID: s.GID, Err: err}
		}
	}
	return nil
}

// removeStale removes a socket that nobody listens on. In all other cases it returns an error.
func removeStale(path string, stderr io.Writer) error {
	before, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	// Differs: the original takes anything that doesn't answer for a stale socket, and would
	// remove a file that is there by a slip of the pen.
	if before.Mode().Type()&(fs.ModeSocket|fs.ModeSymlink) == 0 {
		return fmt.Errorf("what is there is no socket; remove it or change file=: %w", fs.ErrExist)
	}
	conn, err := net.DialTimeout("unix", path, 5*time.Second)
	if err == nil {
		conn.Close()
		return unix.EADDRINUSE
	}
	if !errors.Is(err, unix.ECONNREFUSED) && !errors.Is(err, unix.ENOENT) {
		// Differs: a full backlog, or a socket that we may not connect to, belongs to somebody alive
		// as far as one can know. The original removes it.
		return fmt.Errorf("%w (%v)", unix.EADDRINUSE, err)
	}
	now, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(before, now) {
		return nil // another daemon was quicker: look again
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(stderr, "Unlinking stale socket %s\n", path)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// removeOurs removes the file if it is still the one that we made. That can be told only while our
// socket is open: then no other file gets its inode number.
func (f *socketFile) removeOurs() error {
	info, err := os.Lstat(f.path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(f.info, info) {
		return nil
	}
	if err == nil {
		err = os.Remove(f.path)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot remove unix socket %q: %w", f.path, err)
	}
	return nil
}

// inherit goes on with a socket that is open already.
func inherit(s Server, l *Listener) (net.Listener, error) {
	defer s.Inherited.Close()
	n, err := net.FileListener(s.Inherited)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %q: %w", s.Address, err)
	}
	if u, ok := n.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false)
		info, err := os.Lstat(s.Address)
		if err != nil || info.Mode().Type() != fs.ModeSocket {
			return n, nil // somebody has taken it away
		}
		socket := &socketFile{path: s.Address, info: info}
		l.remove = sync.OnceValue(func() error { return socket.removeOurs() })
		if err := giveAway(s, s.Address); err != nil {
			n.Close()
			return nil, fmt.Errorf("cannot listen on unix socket %q: %w", s.Address, err)
		}
	}
	return n, nil
}

// Dup is a copy of the listening socket, for whoever is to hold it. It is the caller's to close.
func (l *Listener) Dup() (fd int, err error) {
	c, ok := l.net.(syscall.Conn)
	if !ok {
		return -1, fmt.Errorf("cannot copy a socket of type %T", l.net)
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return -1, err
	}
	// Not by File: what that gives can't be used without making both of them block.
	if e := raw.Control(func(f uintptr) { fd, err = unix.FcntlInt(f, unix.F_DUPFD_CLOEXEC, 3) }); e != nil {
		return -1, e
	}
	return fd, err
}

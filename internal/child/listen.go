package child

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/internal/config"
)

// A socketError is why a socket can't be made, and what can be done about it.
type socketError struct {
	err  error
	cure string
}

func (e *socketError) Error() string { return e.err.Error() }
func (e *socketError) Unwrap() error { return e.err }

const unixScheme = "unix://"

// maxBacklog is more than any system allows; the kernel takes its own limit then.
const maxBacklog = 65535

// socketText is the original's text for a socket that can't be made.
func socketText(cfg *config.FastCGI, err error) string {
	return "Could not create FastCGI socket " + cfg.Socket + ": " + err.Error()
}

// cureOf is what to do about an error of listen.
func cureOf(err error) string {
	var e *socketError
	switch {
	case errors.As(err, &e):
		return e.cure
	case errors.Is(err, unix.EADDRINUSE):
		return "somebody listens there; end that program, or use another socket"
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR):
		return "make its directory first"
	case errors.Is(err, fs.ErrPermission):
		return "supervisord's user must be allowed to make it"
	}
	return "use an address of this machine"
}

// listen makes the socket of cfg. It is blocking, as programs expect their fd 0 to be. For a unix
// socket it also says which file it has made.
func listen(cfg *config.FastCGI) (fd int, file os.FileInfo, err error) {
	path, isUnix := strings.CutPrefix(cfg.Socket, unixScheme)
	if isUnix {
		fd, file, err = bindUnix(path, cfg)
	} else {
		fd, err = bindTCP(strings.TrimPrefix(cfg.Socket, "tcp://"))
	}
	if err != nil {
		return -1, nil, err
	}
	backlog := cfg.Backlog
	if backlog == 0 {
		backlog = maxBacklog
	}
	if err := unix.Listen(fd, backlog); err != nil {
		if isUnix {
			os.Remove(path)
		}
		unix.Close(fd)
		return -1, nil, os.NewSyscallError("listen", err)
	}
	return fd, file, nil
}

// bindTCP is for IPv4 only, as in the original.
func bindTCP(address string) (int, error) {
	host, number, err := net.SplitHostPort(address)
	if err != nil {
		return -1, err
	}
	port, err := strconv.Atoi(number)
	if err != nil {
		return -1, err
	}
	addresses, err := net.DefaultResolver.LookupNetIP(context.Background(), "ip4", host)
	if err != nil {
		return -1, err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	if err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err == nil {
		err = unix.Bind(fd, &unix.SockaddrInet4{Port: port, Addr: addresses[0].Unmap().As4()})
	}
	if err != nil {
		unix.Close(fd)
		return -1, os.NewSyscallError("bind", err)
	}
	return fd, nil
}

// bindUnix makes the socket's file with its owner and mode. Nobody can connect before listen is
// called, so there is no moment at which the wrong people could.
func bindUnix(path string, cfg *config.FastCGI) (_ int, file os.FileInfo, err error) {
	if len(path) > 107 {
		return -1, nil, &socketError{fmt.Errorf("the path has %d bytes: %w", len(path), unix.ENAMETOOLONG),
			"a socket's path can have 107 bytes at most"}
	}
	if err := removeStale(path); err != nil {
		return -1, nil, err
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, nil, os.NewSyscallError("socket", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		unix.Close(fd)
		return -1, nil, os.NewSyscallError("bind", err)
	}
	defer func() {
		if err != nil {
			os.Remove(path)
			unix.Close(fd)
		}
	}()
	if cfg.UID != -1 || cfg.GID != -1 {
		if err := unix.Lchown(path, cfg.UID, cfg.GID); err != nil {
			//lint:ignore ST1005 the original's text
			return -1, nil, &socketError{fmt.Errorf("Could not change ownership of socket file: %w", err),
				"only root can give it away; start supervisord as root, or name its own user in socket_owner"}
		}
	}
	if cfg.Mode != -1 {
		if err := unix.Chmod(path, uint32(cfg.Mode)); err != nil {
			//lint:ignore ST1005 the original's text
			return -1, nil, fmt.Errorf("Could not change permissions of socket file: %w", err)
		}
	}
	file, err = os.Lstat(path)
	return fd, file, err
}

// removeStale removes a socket that nobody listens on any more.
//
// Differs: the original removes whatever is there, a file or another's living socket too.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return nil // there is nothing, or bind will say why not
	}
	if info.Mode().Type()&(fs.ModeSocket|fs.ModeSymlink) == 0 {
		return &socketError{errors.New("what is there is no socket"), "remove it, or use another path"}
	}
	c, err := net.DialTimeout("unix", path, 5*time.Second)
	if err == nil {
		c.Close()
	}
	if !errors.Is(err, unix.ECONNREFUSED) && !errors.Is(err, unix.ENOENT) {
		// Whoever has no room for one more, or does not let us in, lives as far as one can know.
		return unix.EADDRINUSE
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// removeFile removes the socket's file if it is the one that we made, which can be told only while
// the socket is open: until then no other file gets its inode number.
//
// Differs: the original leaves it. A child that a program has left behind, and that still has the
// socket, would make it look alive when it is to be made again.
func removeFile(url string, ours os.FileInfo) {
	path := strings.TrimPrefix(url, unixScheme)
	if info, err := os.Lstat(path); err == nil && os.SameFile(info, ours) {
		os.Remove(path) // if that fails, removeStale meets it
	}
}

// fileOf is the file of a unix socket that is ours; nil for tcp.
func fileOf(url string) os.FileInfo {
	path, ok := strings.CutPrefix(url, unixScheme)
	if !ok {
		return nil
	}
	info, err := os.Lstat(path)
	if err != nil {
		return nil
	}
	return info
}

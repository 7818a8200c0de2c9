package child

import (
	"crypto/rand"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"holdfast/internal/config"
	"holdfast/internal/launch"
)

// The notification sockets are in a directory that all may enter and nobody may list, SPAWN-RANDOM each, for the
// program's user alone. The name says which spawn it belongs to, so that a daemon after this one finds the path
// that a process has in its environment; and it is no other spawn's, neither of another round nor of
// another daemon.
//
// A program that gives up root by itself must notify before, or have user=.

// maxPath is the longest path of a socket (unix(7)).
const maxPath = 107

var notifyName = regexp.MustCompile(`^([0-9]+)-[A-Z2-7]{12}$`)

// longestName is as long as the longest name of a socket can be.
const longestName = 20 + 1 + 12

// notifyDirs are the directories, in the order in which they are tried.
func (m *Manager) notifyDirs() (dirs []string) {
	if m.opts.NotifyDir != "" {
		dirs = append(dirs, m.opts.NotifyDir)
	}
	h := fnv.New64a()
	h.Write([]byte(m.opts.NotifyDir))
	return append(dirs, filepath.Join(os.TempDir(), fmt.Sprintf("supervisord-%d-%016x", os.Geteuid(), h.Sum64())))
}

// newNotifySocket makes the socket of a spawn.
func (m *Manager) newNotifySocket(p *config.Process, spawn uint64) (path string, fd int, err error) {
	var whys []string
	for _, dir := range m.notifyDirs() {
		if err = makeNotifyDir(dir); err == nil {
			path = filepath.Join(dir, strconv.FormatUint(spawn, 10)+"-"+rand.Text()[:12])
			if fd, err = bindNotify(path, p.UID); err == nil {
				if whys != nil {
					m.notifyMoved.Do(func() {
						m.opts.Log.Warn(fmt.Sprintf("the notification sockets are in %s, as they can't be in %s", dir, whys[0]))
					})
				}
				return path, fd, nil
			}
		}
		if errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) {
			return "", -1, err
		}
		whys = append(whys, fmt.Sprintf("%s (%s)", dir, leaf(err)))
	}
	return "", -1, &notifyError{whys}
}

// A notifyError tells why there is no socket; its text is for the log.
type notifyError struct{ whys []string }

func (e *notifyError) Error() string {
	return "can't make its notification socket, in " + strings.Join(e.whys, " nor in ") +
		": set pidfile= to a file in a directory that supervisord can write to and all users may enter, with a short path"
}

// leaf is an error without the path that it names.
func leaf(err error) string {
	var of *fs.PathError
	if errors.As(err, &of) {
		err = of.Err
	}
	if errno, ok := err.(unix.Errno); ok {
		return launch.ErrnoName(errno)
	}
	return err.Error()
}

// oldNotifySocket makes the socket of a spawn anew, where it was.
func (m *Manager) oldNotifySocket(p *config.Process, spawn uint64) (path string, fd int, err error) {
	for _, dir := range m.notifyDirs() {
		sockets, err := notifySockets(dir)
		if launch.Short(err) {
			return "", -1, err
		}
		for _, s := range sockets {
			if s.spawn != spawn {
				continue
			}
			if err := makeNotifyDir(dir); err != nil {
				return "", -1, err
			}
			fd, err = bindNotify(s.path, p.UID)
			return s.path, fd, err
		}
	}
	return "", -1, errors.New("its socket is not there any more")
}

// A notifySocket is one as its name tells.
type notifySocket struct {
	path  string
	spawn uint64
}

func notifySockets(dir string) (list []notifySocket, err error) {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if m := notifyName.FindStringSubmatch(e.Name()); m != nil && e.Type() == fs.ModeSocket {
			if spawn, err := strconv.ParseUint(m[1], 10, 64); err == nil {
				list = append(list, notifySocket{filepath.Join(dir, e.Name()), spawn})
			}
		}
	}
	return list, err
}

// CleanNotify removes the notification sockets that a daemon before this one has left, but for those of spawns that there
// are. Only the one who has the state file may call it, and nothing that was taken over may come later.
func (m *Manager) CleanNotify() {
	for _, dir := range m.notifyDirs() {
		if ownDir(dir) != nil {
			continue
		}
		sockets, _ := notifySockets(dir)
		for _, s := range sockets {
			if m.run(s.spawn) == nil {
				_ = os.Remove(s.path)
			}
		}
	}
}

// dropNotifyDirs removes the directories if nothing is in them.
func (m *Manager) dropNotifyDirs() {
	for _, dir := range m.notifyDirs() {
		if ownDir(dir) == nil {
			_ = os.Remove(dir)
		}
	}
}

// makeNotifyDir makes the directory if it is not there. The error tells why it can't be used.
func makeNotifyDir(dir string) error {
	if len(dir)+1+longestName > maxPath {
		return errors.New("the path is too long for a socket")
	}
	if os.Geteuid() == 0 { // else all programs have our user
		for up := filepath.Dir(dir); ; up = filepath.Dir(up) {
			info, err := os.Stat(up)
			if err == nil && !info.IsDir() {
				err = unix.ENOTDIR
			}
			if err != nil {
				return err
			}
			if info.Mode().Perm()&0o001 == 0 {
				return fmt.Errorf("others may not enter %s", up)
			}
			if up == filepath.Dir(up) {
				break
			}
		}
	}
	if err := os.Mkdir(dir, 0o711); err != nil && !os.IsExist(err) {
		return err
	}
	if err := ownDir(dir); err != nil {
		return err
	}
	return os.Chmod(dir, 0o711)
}

// ownDir tells why a directory is not one that we have made.
func ownDir(dir string) error {
	var st unix.Stat_t
	switch err := unix.Lstat(dir, &st); {
	case err != nil:
		return err
	case st.Mode&unix.S_IFMT != unix.S_IFDIR:
		return unix.ENOTDIR
	case int(st.Uid) != os.Geteuid():
		return fmt.Errorf("it belongs to user %d", st.Uid)
	}
	return nil
}

// bindNotify makes a socket for a user, in place of one that is there; nil: ours.
func bindNotify(path string, uid *int) (fd int, err error) {
	fd, err = unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, err
	}
	_ = os.Remove(path)
	// The file gets this mode when it is made: at no time may others write to it.
	if err = unix.Fchmod(fd, 0o600); err == nil {
		err = unix.Bind(fd, &unix.SockaddrUnix{Name: path})
	}
	if err == nil && uid != nil && *uid != os.Geteuid() {
		if err = os.Lchown(path, *uid, -1); err != nil {
			_ = os.Remove(path)
		}
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// boundTo is the path of a notification socket; empty: it is none.
func boundTo(fd int) string {
	if fd < 0 {
		return ""
	}
	kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil || kind != unix.SOCK_DGRAM {
		return ""
	}
	address, err := unix.Getsockname(fd)
	if at, ok := address.(*unix.SockaddrUnix); ok && err == nil {
		return at.Name
	}
	return ""
}

// removeNotify puts a socket that was held away; -1: there is none.
func removeNotify(fd int) {
	if path := boundTo(fd); path != "" {
		_ = os.Remove(path)
	}
	if fd >= 0 {
		unix.Close(fd)
	}
}

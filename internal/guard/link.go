package guard

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// sendLimit is how long a daemon waits for a guard that does not read.
const sendLimit = time.Second

// A Link is the daemon's side: what it can ask of its guard. Its methods may be called at once.
type Link struct {
	conn  *conn
	pid   int
	why   string
	trial bool
	fds   map[string][]int
	exits []Exit

	mu     sync.Mutex // of what follows, and so that messages are sent one after the other
	undone []uint64   // exits that are answered and for which there was no room in the socket
}

// Connect hears what the guard has to say to a new daemon. It answers nil if this process has no guard.
// It must come before the environment is read: it takes the package's variables out of it, which the
// children are not to have.
//
// An error means that the guard is gone; then Become can put a new one over the next daemon.
func Connect() (*Link, error) {
	v, why, trial := os.Getenv(envFD), os.Getenv(envWhy), os.Getenv(envTrial) != ""
	for _, name := range []string{envFD, envWhy, envTrial} {
		os.Unsetenv(name)
	}
	if v == "" {
		return nil, nil
	}
	fd, err := strconv.Atoi(v)
	if err != nil {
		return nil, fmt.Errorf("cannot speak with the guard: bad %s=%s", envFD, v)
	}
	cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return nil, fmt.Errorf("cannot speak with the guard: %w", err)
	}
	unix.CloseOnExec(fd)
	// Else ps and pidof know this process as "exe".
	_ = os.WriteFile("/proc/self/comm", []byte(filepath.Base(os.Args[0])), 0)
	c, err := newConn(fd)
	if err != nil {
		return nil, fmt.Errorf("cannot speak with the guard: %w", err)
	}
	l := &Link{conn: c, pid: int(cred.Pid), why: why, trial: trial, fds: make(map[string][]int)}
	for {
		p, err := c.receive()
		if err != nil {
			c.close()
			return nil, fmt.Errorf("the guard (pid %d) has gone: %w", l.pid, err)
		}
		verb, rest, _ := strings.Cut(p.text, " ")
		switch verb {
		case "fd":
			if p.lost { // some are as good as none
				closeAll(p.fds)
				continue
			}
			l.fds[rest] = p.fds
		case "exit":
			if e, err := parseExit(rest); err == nil {
				l.exits = append(l.exits, e)
			}
		case "go":
			return l, nil
		}
	}
}

// PID is the guard's pid.
func (l *Link) PID() int { return l.pid }

// Why says what became of the daemon before this one, as in "the daemon (pid 7) was killed by SIGKILL".
// It is empty for the first daemon, and for one that replaces another by Exec.
func (l *Link) Why() string { return l.why }

// OnTrial says that this daemon replaces another by Exec: if it does not get up, that one's program is started
// again.
func (l *Link) OnTrial() bool { return l.trial }

// Fds are the stored files, by key. They are the caller's; the guard keeps its own copies.
func (l *Link) Fds() map[string][]int { return l.fds }

// Exits are those that were known when this daemon was started. Like all others they are to be answered by
// Done, and there may be more, which Watch reports.
func (l *Link) Exits() []Exit { return l.exits }

// Watch calls exit for each exit that comes, one after the other, and then gone once, when the guard has
// ended. It may be called once; till then the exits wait. Its goroutine ends with the guard.
func (l *Link) Watch(exit func(Exit), gone func()) {
	go func() {
		for {
			p, err := l.conn.receive()
			if err != nil {
				gone()
				return
			}
			closeAll(p.fds)
			if rest, ok := strings.CutPrefix(p.text, "exit "); ok {
				if e, err := parseExit(rest); err == nil {
					exit(e)
				}
			}
		}
	}()
}

// Store gives the guard copies of files, in place of those that it has under that key. When it returns nil
// they are safe, whatever becomes of this process.
func (l *Link) Store(key string, fds ...int) error {
	switch {
	case len(fds) == 0 || len(fds) > maxFiles:
		return fmt.Errorf("cannot store %d files under one key: 1 to %d are possible", len(fds), maxFiles)
	case len(key) > maxText/2:
		return errors.New("cannot store files: the key is too long")
	}
	return l.send("store "+key, fds...)
}

// Drop makes the guard close what it has under that key.
func (l *Link) Drop(key string) error { return l.send("drop " + key) }

// Up says that this daemon has taken over what there was: from now on signals come to it.
func (l *Link) Up() error { return l.send("up") }

// Bye says that the end of this process, which must follow, is meant. The guard ends with its status.
func (l *Link) Bye() error { return l.send("bye") }

// Exec makes path the program of the next daemon, which starts as soon as this process ends. If it does not
// say Up in 10 seconds, or ends before, the next one is of the present program again.
func (l *Link) Exec(path string) error {
	if !filepath.IsAbs(path) || len(path) > maxText/2 {
		return fmt.Errorf("cannot start %q: it is no absolute path", path)
	}
	return l.send("exec " + path)
}

// Done answers an exit: it is not said again. It never waits.
func (l *Link) Done(seq uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.undone = append(l.undone, seq)
	if len(l.undone) == 1 { // otherwise somebody is at it
		l.answer()
	}
}

// answer sends what Done has left, now or when there is room. Called with mu.
func (l *Link) answer() {
	for len(l.undone) > 0 {
		err := l.conn.try("done " + strconv.FormatUint(l.undone[0], 10))
		if err != nil && !gone(err) {
			time.AfterFunc(sendLimit/10, func() {
				l.mu.Lock()
				defer l.mu.Unlock()
				l.answer()
			})
			return
		}
		l.undone = slices.Delete(l.undone, 0, 1)
	}
}

// gone says whether err means that there is no guard any more.
func gone(err error) bool {
	return errors.Is(err, unix.EPIPE) || errors.Is(err, unix.ECONNRESET) || errors.Is(err, os.ErrClosed) || errors.Is(err, io.EOF)
}

func (l *Link) send(text string, fds ...int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.conn.f.SetWriteDeadline(time.Now().Add(sendLimit))
	if err := l.conn.send(text, fds...); err != nil {
		verb, _, _ := strings.Cut(text, " ")
		return fmt.Errorf("cannot tell the guard to %s: %w", verb, err)
	}
	return nil
}

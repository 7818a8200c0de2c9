package guard

import (
	"io"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	maxFiles = 253  // SCM_MAX_FD, what the kernel passes with one packet
	maxText  = 8192 // more than the longest path
)

// A conn is one end of the socket between guard and daemon.
type conn struct {
	f   *os.File
	raw syscall.RawConn
	buf []byte // for the one that receives
	oob []byte
}

// A packet is a message and the files that come with it, which are the receiver's.
type packet struct {
	text    string
	fds     []int
	lost    bool // some of the files could not be received
	greeted bool // no packet: the guard has said "go" to the daemon
}

// newConn takes fd over, which must not block.
func newConn(fd int) (*conn, error) {
	f := os.NewFile(uintptr(fd), "guard")
	raw, err := f.SyscallConn()
	if err != nil {
		f.Close()
		return nil, err
	}
	return &conn{f: f, raw: raw, buf: make([]byte, maxText), oob: make([]byte, unix.CmsgSpace(4*maxFiles))}, nil
}

// try sends a packet if there is room for it.
func (c *conn) try(text string, fds ...int) error {
	var err error
	if e := c.raw.Control(func(s uintptr) { err = send(int(s), text, fds) }); e != nil {
		return e
	}
	return err
}

// send sends a packet, and waits for room until the file's deadline.
func (c *conn) send(text string, fds ...int) error {
	for {
		var err error
		e := c.raw.Write(func(s uintptr) bool {
			err = send(int(s), text, fds)
			return err != unix.EAGAIN
		})
		if e != nil {
			return e
		}
		// More files on their way than this user may have open: they are fewer when some have arrived.
		// Nothing says when.
		if err != unix.ETOOMANYREFS {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func send(fd int, text string, fds []int) error {
	var oob []byte
	if len(fds) > 0 {
		oob = unix.UnixRights(fds...)
	}
	for {
		_, err := unix.SendmsgN(fd, []byte(text), oob, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
		if err != unix.EINTR {
			return err
		}
	}
}

// receive waits for a packet, or for io.EOF.
func (c *conn) receive() (p packet, err error) {
	var n, oobn, flags int
	e := c.raw.Read(func(s uintptr) bool {
		for {
			n, oobn, flags, _, err = unix.Recvmsg(int(s), c.buf, c.oob, unix.MSG_DONTWAIT|unix.MSG_CMSG_CLOEXEC)
			// The other end was closed before it had read everything. The kernel says that once, and
			// before what the other end itself has still sent.
			if err != unix.EINTR && err != unix.ECONNRESET {
				return err != unix.EAGAIN
			}
		}
	})
	switch {
	case e != nil:
		return p, e
	case err != nil:
		return p, err
	case n == 0:
		return p, io.EOF
	}
	p.text, p.lost = string(c.buf[:n]), flags&unix.MSG_CTRUNC != 0
	if oobn > 0 {
		p.fds = rights(c.oob[:oobn])
	}
	return p, nil
}

func rights(oob []byte) (fds []int) {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil
	}
	for i := range messages {
		if some, err := unix.ParseUnixRights(&messages[i]); err == nil {
			fds = append(fds, some...)
		}
	}
	return fds
}

// shutdown makes the other end's packets the last ones: they can still be received, and then io.EOF.
func (c *conn) shutdown() {
	_ = c.raw.Control(func(s uintptr) { _ = unix.Shutdown(int(s), unix.SHUT_RDWR) })
}

func (c *conn) close() { c.f.Close() }

func closeAll(fds []int) {
	for _, fd := range fds {
		_ = unix.Close(fd)
	}
}

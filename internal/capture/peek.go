package capture

import (
	"errors"

	"golang.org/x/sys/unix"
)

// A sidePipe takes what tee(2) copies from a child's pipe, which keeps it: references to its pages.
// It is read in the place of that pipe.
type sidePipe struct {
	r, w int
	size int
	left int // bytes in it
}

// sidePipes are those that nobody uses now. A look is quick, so a few serve all outputs. One would not
// do: a child can hold its pipe locked for long, when it writes from memory that is a file on a dead
// mount, and is to hang only its own Output.
var sidePipes = make(chan *sidePipe, 4)

// takeSidePipe waits for one if there is no descriptor for another. There is one, as an Output without
// one at its start does not come here.
func takeSidePipe() *sidePipe {
	p, err := trySidePipe()
	if err != nil {
		p = <-sidePipes
	}
	return p
}

func trySidePipe() (*sidePipe, error) {
	select {
	case p := <-sidePipes:
		return p, nil
	default:
	}
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return nil, err
	}
	return &sidePipe{r: ends[0], w: ends[1], size: pipeSize(ends[0])}, nil
}

// release gives p back, empty.
func (p *sidePipe) release() {
	if p.skip(p.left); p.left == 0 {
		select {
		case sidePipes <- p:
			return
		default:
		}
	}
	unix.Close(p.r)
	unix.Close(p.w)
}

// fit makes p hold all that the pipe can, if that is allowed. What counts is not bytes but pieces.
func (p *sidePipe) fit(pipe int) {
	if size := pipeSize(pipe); size != p.size {
		if got, err := unix.FcntlInt(uintptr(p.r), unix.F_SETPIPE_SZ, size); err == nil {
			p.size = got
		}
	}
}

// fullFor tells whether all pieces of the pipe are in p, and it has no room for another.
func (p *sidePipe) fullFor(pipe int) bool {
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(p.w), Events: unix.POLLOUT}}, 0)
	return n == 0 && err == nil && pipeSize(p.r) >= pipeSize(pipe)
}

// skip throws the first n bytes away.
func (p *sidePipe) skip(n int) {
	for n > 0 {
		m, err := discard(p.r, n)
		if m <= 0 || err != nil {
			return
		}
		n, p.left = n-m, p.left-m
	}
}

// read moves all to b, which has room for it. The child's writes are packets if it has set O_DIRECT,
// and a read stops behind each.
func (p *sidePipe) read(b []byte) (n int, err error) {
	for p.left > 0 && err == nil {
		var m int
		if m, err = unix.Read(p.r, b[n:]); m > 0 {
			n, p.left = n+m, p.left-m
		}
	}
	return n, err
}

// peek copies to b what comes in pipe behind the bytes that were seen, and leaves it there. If that is
// nothing it says EAGAIN, or with bytes that were seen, or without a writer, nothing. full means that
// nothing more can be seen before something is taken out.
func peek(pipe, seen int, b []byte) (n int, full bool, err error) {
	p := takeSidePipe()
	defer p.release()
	have := 0
	if seen > 0 {
		p.fit(pipe)
		have = inPipe(pipe)
	}
	if p.left, err = tee(pipe, p.w, seen+len(b)); err != nil {
		return 0, false, err
	}
	if p.left <= seen {
		return 0, have > p.left || p.fullFor(pipe), nil
	}
	p.skip(seen)
	n, err = p.read(b)
	return n, false, err
}

// readOut reads from pipe what fits into b, and leaves the rest of a packet there, which read(2) throws
// away.
func readOut(pipe int, b []byte) (n int, err error) {
	p := takeSidePipe()
	defer p.release()
	p.fit(pipe)
	n, err = splice(pipe, p.w, nil, len(b))
	if p.left = max(n, 0); p.left == 0 {
		return 0, err
	}
	return p.read(b)
}

// tee is tee(2), never waiting.
func tee(pipe, to, max int) (int, error) {
	for {
		n, err := unix.Tee(pipe, to, max, unix.SPLICE_F_NONBLOCK)
		if err == nil {
			return int(n), nil
		}
		if !errors.Is(err, unix.EINTR) {
			return 0, err
		}
	}
}

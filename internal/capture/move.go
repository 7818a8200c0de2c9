package capture

import (
	"errors"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// errEmpty says that there is nothing in the pipe now.
var errEmpty = errors.New("the pipe is empty")

// buffers are for outputs that have to be copied, for as long as a chunk is on its way.
var buffers = sync.Pool{New: func() any {
	b := make([]byte, 64<<10)
	return &b
}}

// move moves a chunk from the pipe to the target and returns its size; 0 is the end of the pipe.
// The error is errEmpty, or why the target took nothing.
func (o *Output) move() (n int, err error) {
	if !o.deadUntil.IsZero() {
		if time.Now().Before(o.deadUntil) {
			return o.drop(chunk)
		}
		o.deadUntil = time.Time{}
	}
	if !o.copying {
		n, err = o.s.splice(o.fd, chunk)
		if err == nil {
			return n, nil
		}
		if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
			o.copying = true
		}
	}
	if o.copying {
		n, err = o.copy()
	}
	if err == unix.EAGAIN && len(o.held) == 0 && inPipe(o.fd) == 0 {
		err = errEmpty
	}
	return n, err
}

// copy does for a target that refuses splice what splice does, with a buffer between: what it could
// read and not write, it holds.
func (o *Output) copy() (n int, err error) {
	if len(o.held) == 0 {
		o.buffer = buffers.Get().(*[]byte)
		n, err = unix.Read(o.fd, *o.buffer)
		if n <= 0 {
			o.release()
			return 0, err
		}
		o.held = (*o.buffer)[:n]
	}
	n, err = o.s.write(o.held)
	o.held = o.held[n:]
	if len(o.held) == 0 {
		o.release()
	}
	return n, err
}

// release gives the buffer back.
func (o *Output) release() {
	if o.buffer != nil {
		buffers.Put(o.buffer)
	}
	o.buffer, o.held = nil, nil
}

// drop discards about so many bytes, the oldest first; its results are those of move.
func (o *Output) drop(most int) (n int, err error) {
	if n = len(o.held); n > 0 {
		o.release()
	} else if n, err = discard(o.fd, most); errors.Is(err, unix.EAGAIN) {
		err = errEmpty
	}
	o.lost += int64(n)
	return n, err
}

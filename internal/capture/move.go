package capture

import (
	"errors"
	"io"
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

// move moves a chunk from the pipe to the target and returns its size. The error is errEmpty,
// io.EOF at the end of the pipe, or why the target took nothing.
func (o *Output) move() (n int, err error) {
	if !o.deadUntil.IsZero() {
		if time.Now().Before(o.deadUntil) {
			return o.drop(chunk)
		}
		o.deadUntil = time.Time{}
	}
	if o.view == nil && !o.copying {
		n, err = o.s.splice(o.fd, chunk)
		if err == nil {
			return n, atEnd(n)
		}
		if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
			o.copying = true
		}
	}
	switch {
	case o.view != nil:
		n, err = o.show()
	case o.copying:
		n, err = o.copy()
	}
	if err == unix.EAGAIN && len(o.held) == 0 && inPipe(o.fd) == 0 {
		err = errEmpty
	}
	return n, err
}

// atEnd is the error of a read that gave n bytes.
func atEnd(n int) error {
	if n == 0 {
		return io.EOF
	}
	return nil
}

// copy does for a target that refuses splice what splice does, with a buffer between: what it could
// read and not write, it holds.
func (o *Output) copy() (n int, err error) {
	if len(o.held) == 0 {
		o.buffer = buffers.Get().(*[]byte)
		n, err = unix.Read(o.fd, *o.buffer)
		if n <= 0 {
			o.release()
			if err == nil {
				err = io.EOF
			}
			return 0, err
		}
		o.held = (*o.buffer)[:n]
	}
	return o.writeHeld()
}

// show does what copy does with a look at the bytes between; n is how many it has read.
func (o *Output) show() (n int, err error) {
	if len(o.held) == 0 {
		if n, err = o.read(); len(o.held) == 0 {
			return n, err
		}
	}
	_, err = o.writeHeld()
	return n, err
}

// read reads a chunk, shows it to the view, and holds what is left of it. As the original's on its
// pipes of 64 KiB, a chunk is no longer than that. At the end of the pipe it holds what the view
// withheld.
func (o *Output) read() (n int, err error) {
	b := buffers.Get().(*[]byte)
	defer buffers.Put(b)
	if n, err = unix.Read(o.fd, *b); err != nil {
		return 0, err
	}
	if n == 0 {
		o.hold(o.view.end)
		return 0, io.EOF
	}
	o.hold(func(dst []byte) []byte { return o.view.show(dst, (*b)[:n]) })
	return n, nil
}

// hold adds what more appends to held.
func (o *Output) hold(more func([]byte) []byte) {
	if o.buffer == nil {
		o.buffer = buffers.Get().(*[]byte)
		o.held = (*o.buffer)[:0]
	}
	if o.held = more(o.held); len(o.held) == 0 {
		o.release()
	}
}

// writeHeld writes what is held, or its first part.
func (o *Output) writeHeld() (n int, err error) {
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

// drop discards about so many bytes, the oldest first; its results are those of move. A view sees
// what is dropped.
func (o *Output) drop(most int) (n int, err error) {
	if len(o.held) == 0 && o.view != nil {
		n, err = o.read()
	}
	if len(o.held) > 0 {
		n = max(n, len(o.held))
		o.lost += int64(len(o.held))
		o.release()
		return n, nil
	}
	if o.view != nil {
		if errors.Is(err, unix.EAGAIN) {
			err = errEmpty
		}
		return n, err
	}
	n, err = discard(o.fd, most)
	o.lost += int64(n)
	switch {
	case errors.Is(err, unix.EAGAIN):
		err = errEmpty
	case err == nil:
		err = atEnd(n)
	}
	return n, err
}

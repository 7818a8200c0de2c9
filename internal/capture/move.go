package capture

import (
	"errors"
	"io"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// errEmpty says that there is nothing in the pipe now, or only what waits for its token.
var errEmpty = errors.New("the pipe is empty")

// buffers are for what has to be copied or seen, for as long as a chunk is on its way.
var buffers = sync.Pool{New: func() any {
	b := make([]byte, 64<<10)
	return &b
}}

// move moves a chunk from the pipe to the target and returns its size, or with a view, how many
// bytes that was shown meanwhile. The error is errEmpty, io.EOF at the end of the pipe, or why the
// target took nothing.
func (o *Output) move() (n int, err error) {
	if !o.deadUntil.IsZero() {
		if time.Now().Before(o.deadUntil) {
			return o.carry(chunk, true)
		}
		o.deadUntil = time.Time{}
	}
	return o.carry(chunk, false)
}

// carry is move for at most so many bytes. It can lose them instead.
func (o *Output) carry(most int, lose bool) (n int, err error) {
	if o.view != nil && !o.waits() && o.view.over() {
		o.view = nil
	}
	if o.view != nil && !o.waits() {
		if n, err = o.look(); !o.waits() {
			return n, err
		}
	}
	switch {
	case len(o.held) == 0:
		var gone int
		if gone, err = o.next(most, lose); o.view == nil {
			n = gone
		}
	case lose:
		o.lost += int64(len(o.held))
		o.release()
	default:
		err = o.writeHeld()
	}
	if errors.Is(err, unix.EAGAIN) && len(o.held) == 0 && inPipe(o.fd) == 0 {
		err = errEmpty
		if o.view != nil {
			o.view.runs = nil // somebody else has read from the pipe
		}
	}
	return n, err
}

// next does with the first bytes in the pipe what is to be done, and returns how many of them are gone.
func (o *Output) next(most int, lose bool) (n int, err error) {
	r := run{n: most}
	if o.view != nil {
		r = o.view.runs[0]
		defer func() { o.view.gone(n) }()
	}
	switch {
	case r.text != nil:
		o.hold(func(dst []byte) []byte { return append(dst, r.text...) })
		return 0, nil
	case r.drop:
		n, err = discard(o.fd, r.n)
	case lose:
		n, err = discard(o.fd, min(r.n, most))
		o.lost += int64(n)
	default:
		n, err = o.toLog(min(r.n, most))
	}
	if n == 0 && err == nil {
		err = io.EOF
	}
	return n, err
}

// toLog moves up to most bytes from the pipe to the target. One that refuses splice gets them with a
// buffer between: what was read and could not be written is held.
func (o *Output) toLog(most int) (n int, err error) {
	if !o.copying {
		n, err = o.s.splice(o.fd, most)
		if !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOSYS) {
			o.took(n)
			return n, err
		}
		o.copying = true
	}
	o.hold(func(dst []byte) []byte {
		dst = dst[:min(most, cap(dst))]
		if o.view == nil {
			n, err = unix.Read(o.fd, dst)
		} else {
			n, err = readOut(o.fd, dst)
		}
		n = max(n, 0)
		return dst[:n]
	})
	if n > 0 {
		err = o.writeHeld()
	}
	return n, err
}

// look shows the next chunk to the view and returns its size, or ends the view at the end of the pipe.
// As the original's on its pipes of 64 KiB, a chunk is no longer than that.
func (o *Output) look() (n int, err error) {
	b := buffers.Get().(*[]byte)
	defer buffers.Put(b)
	v := o.view
	seen := v.seen()
	hung := seen == 0 || hungUp(o.fd) // before the look, which sees all that was written before the end
	full := false
	if v.reads {
		n, err = unix.Read(o.fd, *b)
	} else {
		n, full, err = peek(o.fd, seen, *b)
	}
	switch {
	case n > 0:
		o.hold(func(dst []byte) []byte { return v.show(dst, (*b)[:n]) })
		return n, nil
	case errors.Is(err, unix.EAGAIN):
		return 0, errEmpty
	case err != nil && seen == 0 && !v.reads:
		v.reads = true // no tee here
		return 0, nil
	case err != nil:
		return 0, err
	case full:
		v.giveWay()
		return 0, nil
	case hung:
		o.hold(v.end)
		return 0, io.EOF
	}
	return 0, errEmpty
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
func (o *Output) writeHeld() error {
	n, err := o.s.write(o.held)
	o.took(n)
	if o.held = o.held[n:]; len(o.held) == 0 {
		o.release()
	}
	return err
}

// took notes that the target has taken n bytes.
func (o *Output) took(n int) {
	if n > 0 {
		o.refusedAt, o.proved = time.Time{}, o.failing
	}
}

// release gives the buffer back.
func (o *Output) release() {
	if o.buffer != nil {
		buffers.Put(o.buffer)
	}
	o.buffer, o.held = nil, nil
}

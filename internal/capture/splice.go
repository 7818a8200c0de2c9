package capture

import (
	"errors"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// splice is splice(2), never waiting for the pipe.
func splice(pipe, to int, at *int64, max int) (int, error) {
	for {
		n, err := unix.Splice(pipe, nil, to, at, max, unix.SPLICE_F_NONBLOCK|unix.SPLICE_F_MOVE)
		if !errors.Is(err, unix.EINTR) {
			return int(n), err
		}
	}
}

// devNull swallows what is discarded, without it being copied anywhere. Never closed.
var devNull = sync.OnceValues(func() (int, error) {
	return unix.Open(os.DevNull, unix.O_WRONLY|unix.O_CLOEXEC, 0)
})

// discard takes up to most bytes out of pipe; its results are those of Sink.splice. A kill does not fall
// in the middle: splice looks for signals only when it has to wait.
func discard(pipe, most int) (int, error) {
	null, err := devNull()
	if err != nil {
		return 0, err
	}
	n, err := splice(pipe, null, nil, most)
	if errors.Is(err, unix.EINVAL) { // no pipe, or no such /dev/null
		b := buffers.Get().(*[]byte)
		defer buffers.Put(b)
		n, err = unix.Read(pipe, (*b)[:min(most, len(*b))])
	}
	return max(n, 0), err
}

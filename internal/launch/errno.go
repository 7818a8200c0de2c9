package launch

import (
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// ErrnoName is the name that the original prints for an error number: "ENOENT", or the number
// itself if it has no name.
func ErrnoName(e syscall.Errno) string {
	switch e {
	case unix.EDEADLK: // of two names for one number Python knows the one defined last
		return "EDEADLOCK"
	case unix.EOPNOTSUPP:
		return "ENOTSUP"
	case unix.EHWPOISON: // Python has no name for it
		return strconv.Itoa(int(e))
	}
	if name := unix.ErrnoName(e); name != "" {
		return name
	}
	return strconv.Itoa(int(e))
}

// An iovec is one piece of a writev, its address a number: a store of it needs no write barrier,
// so that it may happen between fork and exec. Whoever fills it keeps the bytes alive.
type iovec struct{ base, len uintptr }

// errnoNames holds the name of every error number for a child that cannot exec; its bytes are kept
// alive by errnoBytes.
var (
	errnoNames [256]iovec
	errnoBytes [256][]byte
)

func init() {
	for i := range errnoNames {
		errnoBytes[i] = []byte(ErrnoName(syscall.Errno(i)))
		errnoNames[i] = vec(errnoBytes[i])
	}
}

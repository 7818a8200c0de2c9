package capture

import "golang.org/x/sys/unix"

// SetPipeSize makes the pipe as large as it is allowed to, up to 1 MiB, and returns its size: so
// much output survives a daemon that is away for a while. Users who are not root may own 64 MiB of
// enlarged pipes together (/proc/sys/fs/pipe-user-pages-soft); beyond that a pipe stays as it is.
func SetPipeSize(fd int) int {
	for size := 1 << 20; size > 64<<10; size /= 2 {
		if got, err := unix.FcntlInt(uintptr(fd), unix.F_SETPIPE_SZ, size); err == nil {
			return got
		}
	}
	return pipeSize(fd)
}

// pipeSize returns the size of a pipe, and the usual one for what is none.
func pipeSize(fd int) int {
	size, err := unix.FcntlInt(uintptr(fd), unix.F_GETPIPE_SZ, 0)
	if err != nil || size <= 0 {
		return 64 << 10
	}
	return size
}

// inPipe returns how many bytes wait in a pipe.
func inPipe(fd int) int {
	n, err := unix.IoctlGetInt(fd, unix.TIOCINQ)
	if err != nil {
		return 0
	}
	return n
}

package launch

import "golang.org/x/sys/unix"

// The calls without 32 in their names take 16-bit ids.
const (
	sysSetgroups = unix.SYS_SETGROUPS32
	sysSetgid    = unix.SYS_SETGID32
	sysSetuid    = unix.SYS_SETUID32
)

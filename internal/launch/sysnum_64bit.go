//go:build amd64 || arm64 || riscv64 || loong64

package launch

import "syscall"

// On 32-bit machines these numbers are those of the calls for 16-bit ids; where the right ones are not
// known the build fails rather than to switch to a wrong user.
const (
	sysSetgroups = syscall.SYS_SETGROUPS
	sysSetgid    = syscall.SYS_SETGID
	sysSetuid    = syscall.SYS_SETUID
)

// Package rlimit remembers the limit of open files that the daemon was started with, so that its
// children get that one.
//
// Go's syscall package raises the soft limit to the hard one in its init, for the program's own
// good, and puts it back only in children that it starts itself. Ours are started by package
// launch, and a program that sees a soft limit of half a million closes half a million files at
// its start. By then the first value is gone, so it must be read before: this package imports
// nothing, and packages are initialized in the order of their paths as soon as their imports are,
// so it comes before syscall in every binary that holds it. Its test starts a binary to prove it.
package rlimit

import "unsafe"

// A Limit is a resource limit in the kernel's layout.
type Limit struct{ Cur, Max uint64 }

var (
	noFile Limit
	known  bool
)

// NoFile is the limit of open files for children: the one that this process was started with,
// until SetNoFile says another. ok is false if it could not be read.
func NoFile() (l Limit, ok bool) { return noFile, known }

// SetNoFile changes what NoFile says. It is for the daemon's start, when minfds= asks for more; it
// must not run beside NoFile.
func SetNoFile(l Limit) { noFile, known = l, true }

func init() {
	const rlimitNoFile = 7
	_, _, errno := rawSyscall6(sysPrlimit64, 0, rlimitNoFile, 0, uintptr(unsafe.Pointer(&noFile)), 0, 0)
	known = errno == 0
}

// rawSyscall6 is syscall.RawSyscall6, reached without importing syscall. It has no state, so it
// works before that package's init.
//
//go:linkname rawSyscall6 syscall.RawSyscall6
func rawSyscall6(trap, a1, a2, a3, a4, a5, a6 uintptr) (r1, r2, errno uintptr)

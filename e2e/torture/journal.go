package main

import (
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A Journal is what the processes of one program note of themselves. It is a mapped file, so that what
// is noted stays, whenever its writer is killed.
type Journal struct {
	count *uint64
	mem   []byte
}

const (
	// MaxLives is how many processes a journal has room for; what is not used takes no room on the disk.
	MaxLives   = 1 << 16
	lifeSize   = int(unsafe.Sizeof(Life{}))
	headerSize = 4096
)

// A Life is what one process notes of itself. Times are nanoseconds of the clock that all processes share.
// All fields are for sync/atomic while the process lives.
type Life struct {
	PID    uint64
	Began  uint64
	Leader uint64 // the number of the life that started this one; 0: supervisord did
	// Lines that it was about to write, and that it has written, on stdout and stderr.
	Begun, Done [2]uint64
	// Last is when it was about to write, or had written, last.
	Last uint64
	// Plan is the exit status that it was about to exit with, plus one, and PlanAt when.
	Plan, PlanAt uint64
	_            [6]uint64
}

// Now is the time of a Life.
func Now() uint64 {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts)
	return uint64(ts.Nano())
}

// OpenJournal opens the journal of a program, or makes it.
func OpenJournal(dir, program string) (*Journal, error) {
	mem, err := mapFile(filepath.Join(dir, program+".journal"), headerSize+MaxLives*lifeSize)
	if err != nil {
		return nil, err
	}
	return &Journal{(*uint64)(unsafe.Pointer(&mem[0])), mem}, nil
}

func mapFile(path string, size int) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := f.Truncate(int64(size)); err != nil {
		return nil, err
	}
	mem, err := unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("cannot map %s: %w", path, err)
	}
	return mem, nil
}

// Close gives the journal up.
func (j *Journal) Close() error { return unix.Munmap(j.mem) }

// Begin notes a new process. Its number is the one that its lines bear, from 1 on.
func (j *Journal) Begin(leader uint64) (number uint64, l *Life) {
	number = atomic.AddUint64(j.count, 1)
	l = j.Life(number)
	l.Began, l.Last, l.Leader = Now(), Now(), leader
	atomic.StoreUint64(&l.PID, uint64(os.Getpid())) // last: with it the life counts
	return number, l
}

// Count is how many lives there are.
func (j *Journal) Count() uint64 { return atomic.LoadUint64(j.count) }

// Life is the life with this number.
func (j *Journal) Life(number uint64) *Life {
	return (*Life)(unsafe.Pointer(&j.mem[headerSize+int(number-1)*lifeSize]))
}

// A Calm is how the programs are told to write no more and to exit no more.
type Calm struct{ word *uint64 }

// OpenCalm opens the file of it, or makes it.
func OpenCalm(dir string) (Calm, error) {
	mem, err := mapFile(filepath.Join(dir, "calm"), 4096)
	if err != nil {
		return Calm{}, err
	}
	return Calm{(*uint64)(unsafe.Pointer(&mem[0]))}, nil
}

// Set begins the calm.
func (c Calm) Set() { atomic.StoreUint64(c.word, 1) }

// On tells whether it has begun.
func (c Calm) On() bool { return atomic.LoadUint64(c.word) != 0 }

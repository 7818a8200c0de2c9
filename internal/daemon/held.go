package daemon

import (
	"os"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
)

// heldFiles are those that the guard holds copies of, for the daemon to give them to a guard that takes its place.
//
// Their numbers are no way to know them by: whoever uses a file here may close it, or go on with a copy under
// another number, and the number is another file's then.
type heldFiles struct {
	mu    sync.Mutex            // of the link's inherited files too
	files map[string][]identity // guarded by mu
	own   map[string]int        // guarded by mu; by key: open for this alone
}

// An identity is what a file is known by.
type identity struct {
	dev, ino uint64
	mode     int // O_RDONLY and so on: which end of a pipe it is
}

func identify(fd int) (id identity, ok bool) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return id, false
	}
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	return identity{uint64(st.Dev), st.Ino, flags & unix.O_ACCMODE}, err == nil
}

// note remembers what is held under key. The lock is held.
func (h *heldFiles) note(key string, fds []int) {
	if h.files == nil {
		h.files = make(map[string][]identity)
	}
	ids := make([]identity, len(fds))
	for i, fd := range fds {
		ids[i], _ = identify(fd)
	}
	h.files[key] = ids
}

// copies are the caller's copies of all files, by key, that are still open here. The lock is held.
func (h *heldFiles) copies() map[string][]int {
	open := make(map[identity]int)
	wanted := make(map[identity]bool)
	for _, ids := range h.files {
		for _, id := range ids {
			wanted[id] = true
		}
	}
	for range 2 { // a file that took another number during the first look is found by the second
		names, _ := os.ReadDir("/proc/self/fd")
		for _, name := range names {
			fd, err := strconv.Atoi(name.Name())
			if err != nil {
				continue
			}
			id, ok := identify(fd)
			if _, have := open[id]; !ok || !wanted[id] || have {
				continue
			}
			own, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
			if err != nil {
				continue
			}
			if now, ok := identify(own); !ok || now != id { // it was closed, and is another's
				unix.Close(own)
				continue
			}
			open[id] = own
		}
	}
	copies := make(map[string][]int)
	for key, ids := range h.files {
		for _, id := range ids {
			fd, ok := open[id]
			if !ok {
				fd = ended(id.mode)
			}
			copies[key] = append(copies[key], fd)
		}
	}
	return copies
}

// ended takes the place of a pipe's end that nobody needs any more: the one of a pipe that has no other.
func ended(mode int) int {
	var p [2]int
	if unix.Pipe2(p[:], unix.O_CLOEXEC) != nil {
		return -1
	}
	if mode == unix.O_WRONLY {
		unix.Close(p[0])
		return p[1]
	}
	unix.Close(p[1])
	return p[0]
}

// hold gives files to the guard, for the next daemon. They are the caller's; what is still open of them when
// another guard is needed is given to that one.
func (d *Daemon) hold(key string, fds ...int) {
	if d.state == nil || len(fds) == 0 {
		return
	}
	d.held.mu.Lock()
	d.held.note(key, fds)
	d.held.mu.Unlock()
	d.tell(d.link.Store(key, fds...))
}

// holdOwn is hold for a file that is open for this alone, and is to stay so until another takes its place.
func (d *Daemon) holdOwn(key string, fd int) {
	d.held.mu.Lock()
	if d.held.own == nil {
		d.held.own = make(map[string]int)
	}
	before, ok := d.held.own[key]
	d.held.own[key] = fd
	d.held.mu.Unlock()
	d.hold(key, fd)
	if ok {
		unix.Close(before)
	}
}

// release ends hold.
func (d *Daemon) release(key string) {
	if d.state == nil {
		return
	}
	d.held.mu.Lock()
	delete(d.held.files, key)
	d.held.mu.Unlock()
	d.tell(d.link.Drop(key))
}

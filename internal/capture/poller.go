package capture

import (
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A poller tells outputs when there is something in their pipes, and when it is time to look again.
//
// The runtime's own poller would do the first, but it watches a pipe all the time: each write of a
// child then wakes a thread of ours, which costs both sides more than moving the bytes. This one
// watches a pipe only while its output has nothing else to do. And it has a clock that is finer than
// the runtime's millisecond.
type poller struct {
	epoll *os.File // itself watched by the runtime's poller, so no thread waits in it
	fd    int      // of epoll
	clock int      // a timerfd

	mu      sync.Mutex
	outputs map[int32]*Output // guarded by mu; by pipe
	pausing []*Output         // guarded by mu; to be kicked at the next tick
	spare   []*Output         // guarded by mu; the array that pausing had before
}

// thePoller is the one of the process. Its goroutine ends with the process.
var thePoller = sync.OnceValues(func() (*poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create", err)
	}
	clock, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK)
	if err != nil {
		unix.Close(fd)
		return nil, os.NewSyscallError("timerfd_create", err)
	}
	p := &poller{fd: fd, clock: clock, outputs: make(map[int32]*Output)}
	err = unix.SetNonblock(fd, true) // so that NewFile gives it to the runtime's poller
	if err == nil {
		err = p.control(unix.EPOLL_CTL_ADD, clock, unix.EPOLLIN)
	}
	var raw syscall.RawConn
	if err == nil {
		p.epoll = os.NewFile(uintptr(fd), "epoll")
		raw, err = p.epoll.SyscallConn()
	}
	if err != nil {
		unix.Close(clock)
		unix.Close(fd)
		return nil, err
	}
	go raw.Read(p.dispatch)
	return p, nil
})

// dispatch kicks whoever is due. It says that it is not done, so it is called whenever there is
// more.
func (p *poller) dispatch(uintptr) bool {
	var events [64]unix.EpollEvent
	for {
		n, err := unix.EpollWait(p.fd, events[:], 0)
		if err == unix.EINTR {
			continue
		}
		if n <= 0 {
			return false
		}
		for _, e := range events[:n] {
			if int(e.Fd) == p.clock {
				p.tick()
				continue
			}
			p.mu.Lock()
			o := p.outputs[e.Fd]
			p.mu.Unlock()
			if o != nil {
				o.kickOff()
			}
		}
	}
}

func (p *poller) tick() {
	var expirations [8]byte
	unix.Read(p.clock, expirations[:])
	p.mu.Lock()
	due := p.pausing
	p.pausing, p.spare = p.spare[:0], nil
	p.mu.Unlock()
	for i, o := range due {
		o.kickOff()
		due[i] = nil
	}
	p.mu.Lock()
	p.spare = due[:0]
	p.mu.Unlock()
}

// kickAtTick kicks o within interval. All who wait for a tick get the same one.
func (p *poller) kickAtTick(o *Output) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.pausing) == 0 {
		unix.TimerfdSettime(p.clock, 0, &unix.ItimerSpec{Value: unix.NsecToTimespec(int64(interval / time.Nanosecond))}, nil)
	}
	p.pausing = append(p.pausing, o)
}

// add makes o one of p's, to be kicked as by kickOnce.
func (p *poller) add(o *Output) error {
	p.mu.Lock()
	p.outputs[int32(o.fd)] = o
	p.mu.Unlock()
	return p.control(unix.EPOLL_CTL_ADD, o.fd, unix.EPOLLIN|unix.EPOLLONESHOT)
}

// kickOnce kicks o once, as soon as its pipe has bytes or no more writers.
func (p *poller) kickOnce(o *Output) error {
	return p.control(unix.EPOLL_CTL_MOD, o.fd, unix.EPOLLIN|unix.EPOLLONESHOT)
}

// kickAlways kicks o for each write to its pipe, until kickOnce.
func (p *poller) kickAlways(o *Output) error {
	return p.control(unix.EPOLL_CTL_MOD, o.fd, unix.EPOLLIN|unix.EPOLLET)
}

func (p *poller) remove(o *Output) {
	p.control(unix.EPOLL_CTL_DEL, o.fd, 0)
	p.mu.Lock()
	delete(p.outputs, int32(o.fd))
	p.mu.Unlock()
}

func (p *poller) control(op, fd int, events uint32) error {
	err := unix.EpollCtl(p.fd, op, fd, &unix.EpollEvent{Events: events, Fd: int32(fd)})
	return os.NewSyscallError("epoll_ctl", err)
}

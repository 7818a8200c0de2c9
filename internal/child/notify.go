package child

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/internal/config"
	"holdfast/internal/sdnotify"
)

const (
	// notifyEvery is how long what is said again and again is gathered before it is handed on.
	notifyEvery = 100 * time.Millisecond

	// A process that says more in that time waits for us at its socket: datagrams, of which one that must be
	// handed on at once counts as so many.
	notifyMost, notifyNews = 1000, 200

	// notifyRest is how many datagrams are read at most after the process has ended: more than are in the queue of any
	// socket, and others may go on sending.
	notifyRest = 4096
)

// A notifier receives what one spawn, or whoever it has started, says of itself.
//
// A datagram stays in the socket's queue until it was handed on, so that a daemon that is killed leaves it to the
// next one. Only what is said again and again is out of the queue a moment before.
type notifier struct {
	path string
	fd   int // of f
	f    *os.File
	tell func(m sdnotify.Message) (heard bool)

	quiet  <-chan struct{} // closed: nobody hears any more, and what is in the queue stays there
	ending atomic.Bool     // the process has ended
	done   chan struct{}   // closed by run at its end; nil: it was not started
	ended  sync.Once

	mu    sync.Mutex
	woken bool // guarded by mu: no waiting any more

	// Of run.
	gathered sdnotify.Message // said again and not handed on
	news     sdnotify.Message // what was handed on at once last
	last     time.Time        // when something was handed on
	window   time.Time        // since when spent counts
	spent    int
}

func (r *run) newNotifier(path string, fd int) *notifier {
	return &notifier{path: path, fd: fd, f: os.NewFile(uintptr(fd), path), tell: r.notified, quiet: r.m.closing}
}

// notified hands m on, unless nobody hears any more.
func (r *run) notified(m sdnotify.Message) bool {
	select {
	case <-r.m.closing:
		return false
	default:
	}
	if r.m.opts.Notified != nil {
		r.m.opts.Notified(r.spawn, m)
	}
	return true
}

// start begins to receive.
func (n *notifier) start() {
	if n != nil {
		n.done = make(chan struct{})
		go n.run() // ends by end or stop
	}
}

// end returns when what is in the queue was handed on. The process has ended; others get no answer any more.
func (n *notifier) end() {
	if n == nil {
		return
	}
	n.ending.Store(true)
	n.stop()
	_ = os.Remove(n.path)
}

// stop ends the receiving. What it leaves in the queue is for whoever has a copy of the socket.
func (n *notifier) stop() {
	if n == nil {
		return
	}
	n.mu.Lock()
	n.woken = true
	_ = n.f.SetReadDeadline(time.Unix(1, 0))
	n.mu.Unlock()
	if n.done != nil {
		<-n.done
	}
	n.ended.Do(func() { n.f.Close() })
}

func (n *notifier) run() {
	defer close(n.done)
	conn, err := n.f.SyscallConn()
	for rest := notifyRest; err == nil; {
		ending := n.ending.Load() // what was sent before that is seen below
		select {
		case <-n.quiet:
			return
		default:
		}
		some := n.take(ending)
		if ending {
			if rest--; !some || rest == 0 {
				n.flush()
				return
			}
		}
		if n.gathered != (sdnotify.Message{}) && time.Since(n.last) >= notifyEvery {
			n.flush()
		}
		if !some {
			n.wait(conn)
		}
	}
}

// wait returns when there is a datagram, or something gathered is due, or by stop.
func (n *notifier) wait(conn syscall.RawConn) {
	n.mu.Lock()
	if !n.woken {
		var due time.Time
		if n.gathered != (sdnotify.Message{}) {
			due = n.last.Add(notifyEvery)
		}
		_ = n.f.SetReadDeadline(due)
	}
	n.mu.Unlock()
	_ = conn.Read(func(fd uintptr) bool {
		poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		ready, err := unix.Poll(poll, 0)
		return ready != 0 && err == nil
	})
}

var datagrams = sync.Pool{New: func() any { return new([sdnotify.MaxSize]byte) }}

// take deals with the first datagram in the queue; false: there is none. Files that come with it are not received, so
// that the kernel closes them: one who waits for that (sd_notify_barrier) knows then that it was taken.
func (n *notifier) take(hurry bool) bool {
	b := datagrams.Get().(*[sdnotify.MaxSize]byte)
	defer datagrams.Put(b)
	size, flags, err := receive(n.fd, b[:], unix.MSG_PEEK)
	if err != nil {
		return false
	}
	cost := 1
	if flags&unix.MSG_TRUNC == 0 {
		m := sdnotify.Parse(b[:size])
		news := newsOf(m)
		switch {
		case m == sdnotify.Message{}:
		case news != (sdnotify.Message{}) && news != n.news:
			if !n.flush() || !n.hand(m) {
				return true // it stays in the queue
			}
			n.news, cost = news, notifyNews
		default:
			gather(&n.gathered, m)
		}
	}
	if flags&unix.MSG_CTRUNC != 0 {
		if n.flush() {
			cost = notifyNews
		}
	}
	_, _, _ = receive(n.fd, b[:1], 0)
	if !hurry {
		n.spend(cost)
	}
	return true
}

// receive is recvmsg(2) without waiting.
func receive(fd int, b []byte, flags int) (size, got int, err error) {
	for {
		size, _, got, _, err = unix.Recvmsg(fd, b, nil, flags|unix.MSG_DONTWAIT)
		if err != unix.EINTR {
			return size, got, err
		}
	}
}

// newsOf is what of m has to be handed on at once, and in its order, when it is not what was said last.
func newsOf(m sdnotify.Message) sdnotify.Message {
	m.Alive, m.Status, m.StatusSet, m.ExtendTimeout = false, "", false, 0
	return m
}

// gather adds to all what was said later, which is no news or the same as in all.
func gather(all *sdnotify.Message, m sdnotify.Message) {
	alive, status, set, more := all.Alive || m.Alive, all.Status, all.StatusSet, all.ExtendTimeout
	if m.StatusSet {
		status, set = m.Status, true
	}
	if m.ExtendTimeout != 0 {
		more = m.ExtendTimeout
	}
	if newsOf(m) != (sdnotify.Message{}) {
		*all = m
	}
	all.Alive, all.Status, all.StatusSet, all.ExtendTimeout = alive, status, set, more
}

// hand hands m on; false: nobody hears.
func (n *notifier) hand(m sdnotify.Message) bool {
	n.last = time.Now()
	return n.tell(m)
}

// flush hands on what was gathered.
func (n *notifier) flush() bool {
	m := n.gathered
	if m == (sdnotify.Message{}) {
		return true
	}
	n.gathered = sdnotify.Message{}
	return n.hand(m)
}

// spend waits if the process says too much.
func (n *notifier) spend(cost int) {
	now := time.Now()
	if now.Sub(n.window) >= notifyEvery {
		n.window, n.spent = now, 0
	}
	if n.spent += cost; n.spent < notifyMost {
		return
	}
	// The deadline is that of stop, or it passes here.
	n.mu.Lock()
	if !n.woken {
		_ = n.f.SetReadDeadline(n.window.Add(notifyEvery))
	}
	n.mu.Unlock()
	if conn, err := n.f.SyscallConn(); err == nil {
		_ = conn.Read(func(uintptr) bool { return false })
	}
}

// NotifyKey is the key under which the notification socket of a spawn is held.
func NotifyKey(spawn uint64) string { return "notify " + strconv.FormatUint(spawn, 10) }

// holdNotify gives the socket away to be held.
func (r *run) holdNotify(n *notifier) {
	if n != nil && r.m.opts.Hold != nil {
		r.m.opts.Hold(NotifyKey(r.spawn), n.fd)
	}
}

// openNotify makes the socket of a new spawn; nil: it needs none.
func (r *run) openNotify() (*notifier, error) {
	if !r.p.Health.Notifies() {
		return nil, nil
	}
	path, fd, err := r.m.newNotifySocket(r.p, r.spawn)
	if err != nil {
		return nil, err
	}
	return r.newNotifier(path, fd), nil
}

// adoptNotify goes on with the socket of a spawn that runs, or has run; nil: there is none. If nobody has held it, it is
// made anew where the process looks for it.
func (r *run) adoptNotify(in *Inheritance, alive bool) *notifier {
	if !r.p.Health.Notifies() {
		removeNotify(in.Notify)
		return nil
	}
	if path := boundTo(in.Notify); path != "" {
		return r.newNotifier(path, in.Notify)
	}
	if in.Notify >= 0 {
		unix.Close(in.Notify)
	}
	if !alive {
		return nil
	}
	var path string
	var fd int
	err := r.patiently(in, func() (err error) {
		path, fd, err = r.m.oldNotifySocket(r.p, r.spawn)
		return err
	})
	if err != nil {
		r.m.opts.Log.Warn(fmt.Sprintf("adopted: '%s' can't notify any more, until it is started again: %v", r.p.Name, err))
		return nil
	}
	if c := r.p.Health.Ready; c != nil && c.Kind == config.CheckNotify && !in.Matched {
		r.m.opts.Log.Warn(fmt.Sprintf("adopted: if '%s' has said READY=1 while no supervisord was there, nobody has heard it; if it stays not ready, restart it", r.p.Name))
	}
	n := r.newNotifier(path, fd)
	r.holdNotify(n)
	return n
}

// notifyEnviron is env with what a program needs to notify. What the daemon itself has of a service manager is taken out.
func notifyEnviron(env []string, p *config.Process, n *notifier) []string {
	if n == nil {
		return env
	}
	var own []string
	for _, pair := range env {
		switch name, _, _ := strings.Cut(pair, "="); name {
		case sdnotify.Env, sdnotify.EnvWatchdog, sdnotify.EnvWatchdogPID:
		default:
			own = append(own, pair)
		}
	}
	own = append(own, sdnotify.Env+"="+n.path)
	if secs := p.Health.WatchdogSecs; secs > 0 { // no pid: it may be a wrapper's child that says WATCHDOG=1
		own = append(own, sdnotify.EnvWatchdog+"="+strconv.FormatInt(int64(secs)*1e6, 10))
	}
	return own
}

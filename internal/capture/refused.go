package capture

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// refused handles a target that did not take what is in the pipe: it says so once and returns when
// it is time for another try.
//
// Differs: the original loses what could not be written, each time with a traceback on stderr.
func (o *Output) refused(err error) {
	now := time.Now()
	if o.refusedAt.IsZero() {
		o.refusedAt, o.retryIn = now, time.Millisecond
	}
	busy := errors.Is(err, syscall.EAGAIN)
	broken := errors.Is(err, syscall.EPIPE)
	if !o.failing && (!busy || now.Sub(o.refusedAt) >= patience) {
		o.failing = true
		then := "its output waits, and is tried again every second"
		if broken {
			then = "its output is discarded"
		}
		o.say(slog.LevelError, fmt.Sprintf("cannot write to log %q: %v; %s", o.s.path(), reason(err), then))
	}
	o.proved = false
	if o.failing {
		o.showAll()
		o.drained()
	}
	if o.failing && o.s.crowded() && hungUp(o.fd) {
		o.Close()
		return
	}
	switch {
	case broken:
		o.deadUntil = now.Add(retryEvery)
		o.lost += int64(len(o.held))
		o.release()
	case busy:
		o.await(o.retryIn)
		o.retryIn = min(2*o.retryIn, retryEvery)
	default:
		o.await(retryEvery)
	}
}

// showAll shows the view what those want moved who wait in Drain.
func (o *Output) showAll() {
	if o.view == nil || len(o.draining) == 0 {
		return
	}
	for o.left > 0 {
		n := o.makeRoom()
		if n <= 0 {
			break
		}
		o.left -= n
	}
	o.hold(o.view.end)
}

// await waits for d, or until there is a wish. While the target fails it keeps the child from
// blocking.
func (o *Output) await(d time.Duration) {
	end := time.Now().Add(d)
	if o.failing {
		o.poll.kickAlways(o) // without it the look at the pipe may come as late as the next try
	}
	for !o.wished() {
		busy := o.failing && o.makeRoom() > 0
		left := time.Until(end)
		switch {
		case left <= 0:
			return
		case busy:
		case !o.failing:
			o.pauseFor(left)
		case o.pauseFor(o.soon(left)):
			time.Sleep(time.Millisecond) // each write leads here; a flood must not make this spin
		}
	}
}

// makeRoom takes out of the pipe what must be for a target that takes nothing: the oldest output when
// it gets full, or for a view that reads everything, of which the newest is held. Before that a view
// is shown what is new. makeRoom returns how many bytes it took, or showed.
func (o *Output) makeRoom() (n int) {
	if o.view != nil {
		n, _ = o.look()
	}
	if o.view != nil && o.view.reads {
		if over := len(o.held) - o.size; over > 0 {
			o.lost += int64(over)
			o.held = o.held[over:]
		}
		return n
	}
	for len(o.held)+inPipe(o.fd) >= o.nearlyFull() {
		m, err := o.carry(o.size/4, true)
		if err != nil {
			break
		}
		n += m
		o.last = time.Now()
	}
	return n
}

// hungUp tells whether nobody can write to the pipe any more, though it may hold something.
func hungUp(pipe int) bool {
	fds := []unix.PollFd{{Fd: int32(pipe)}}
	n, _ := unix.Poll(fds, 0)
	return n > 0 && fds[0].Revents&unix.POLLHUP != 0
}

// nearlyFull is the number of bytes from which on the child's next write might block. A pipe is
// full when its pages are taken, and writes of a little more than half a page fill but half of each.
func (o *Output) nearlyFull() int { return max(o.size/2-4096, o.size/4) }

// recovered notes that the target takes output again.
func (o *Output) recovered() {
	if !o.proved {
		return
	}
	o.failing, o.proved = false, false
	if o.lost == 0 {
		o.say(slog.LevelInfo, fmt.Sprintf("log %q can be written to again; nothing was lost", o.s.path()))
		return
	}
	o.say(slog.LevelWarn, fmt.Sprintf("log %q can be written to again; %d bytes of its output were lost", o.s.path(), o.lost))
	o.lost = 0
}

// tellLost says at the end what was lost and not yet spoken of.
func (o *Output) tellLost() {
	if o.lost > 0 {
		o.say(slog.LevelWarn, fmt.Sprintf("%d bytes of its output for log %q were lost", o.lost, o.s.path()))
		o.lost = 0
	}
}

func (o *Output) say(level slog.Level, text string) {
	o.log.Log(context.Background(), level, o.name+": "+text)
}

// reason is the errno in err, without what was wrapped round it.
func reason(err error) error {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return err
}

package capture

import (
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// chunk is the most that is moved at once. The original reads as much, so a log file exceeds
	// maxbytes by no more than that.
	chunk = 128 << 10

	// lookEvery is how often, at least, a pipe is looked at in which something waits for its token.
	lookEvery = 100 * time.Millisecond

	// interval is the least time between two splices of a stream of small writes, each of which
	// would cost as much as its write. In this time a fast writer does not fill 64 KiB.
	interval = 250 * time.Microsecond

	// retryEvery is how long a log file that could not be written to is left alone.
	retryEvery = time.Second

	// patience bounds what waits for a target: a slow reader may hold up the child for so long.
	patience = time.Second
)

// An Output is one pipe on its way into one log file.
type Output struct {
	fd   int // the pipe
	size int // of the pipe
	s    *Sink
	name string
	log  *slog.Logger
	poll *poller

	mu     sync.Mutex
	closed bool            // guarded by mu
	leave  bool            // guarded by mu
	drains []chan struct{} // guarded by mu; new ones, each closed when it is satisfied

	opened   atomic.Bool   // fd is there
	moves    atomic.Uint64 // how often bytes were moved
	inFlight atomic.Bool   // bytes may be out of the pipe and not yet in the log

	kick chan struct{} // wakes run: anyone sends who has a reason; one that is pending is enough
	done chan struct{} // closed by run at its end

	// What follows is run's own.

	leaving   bool            // for another process, with nothing of the pipe in memory
	draining  []chan struct{} // the drains that it is at
	left      int             // and the bytes that they still want moved, or shown to the view
	last      time.Time       // when a chunk was moved last
	streaming bool            // and the one before was moved not long before that

	copying bool    // the target refuses splice
	view    *view   // what is done with the bytes on their way; nil: nothing
	held    []byte  // copied out of the pipe and not yet written
	buffer  *[]byte // held's first array, to be given back to buffers; nil if held is empty

	refusedAt time.Time     // since when the target takes nothing; zero if it does
	retryIn   time.Duration // for a target that said EAGAIN
	failing   bool          // and that was said
	proved    bool          // it has taken something since
	deadUntil time.Time     // after EPIPE: until then everything is discarded
	lost      int64         // bytes that were discarded
}

// Start begins to copy pipe to s. It owns both from now on. pipe must be the reading end of a pipe, of
// which nobody else in this process knows, and have its final size. The name is what the log calls the
// output. The bytes go unseen if look is zero.
//
// It goes on until the pipe has no more writers or Close is called.
func Start(pipe int, s *Sink, name string, log *slog.Logger, look Look) *Output {
	o := newOutput(pipe, s, name, log)
	if look.wanted() {
		o.view = newView(look)
	}
	go o.run()
	return o
}

func newOutput(pipe int, s *Sink, name string, log *slog.Logger) *Output {
	return &Output{
		fd: pipe, s: s, name: name, log: log,
		kick: make(chan struct{}, 1),
		done: make(chan struct{}),
	}
}

// open makes the pipe ready to be read.
func (o *Output) open() error {
	err := unix.SetNonblock(o.fd, true)
	if err != nil {
		return err
	}
	o.size = pipeSize(o.fd)
	if o.view != nil && !o.view.reads {
		if p, err := trySidePipe(); err == nil {
			p.release()
		} else {
			o.view.reads = true
		}
	}
	if o.poll, err = thePoller(); err != nil {
		return err
	}
	o.opened.Store(true)
	return o.poll.add(o)
}

// Drain returns when every byte that was in the pipe at the call is in the log, and was shown to the
// functions of the Look; it is for the moment when the child has been reaped, and what the Look
// withheld for a token or a line of it then comes out. Others may go on writing to the pipe, and the Output goes on with
// it. Drain does not wait for a target that takes nothing: what is in the pipe then stays there,
// for the Output to log later.
//
// Differs: the original takes 128 KiB of what is in the pipe, and nothing from those that go on writing.
func (o *Output) Drain() {
	// What was in the pipe before this look has been moved, unless it is on its way; and while it is, a
	// disk that hangs holds the pipe locked, so that the look would hang too.
	if o.opened.Load() && !o.inFlight.Load() && inPipe(o.fd) == 0 && !o.inFlight.Load() {
		return
	}
	drained := make(chan struct{})
	o.wake(func() { o.drains = append(o.drains, drained) })
	for moves := o.moves.Load(); ; {
		select {
		case <-drained:
			return
		case <-o.done:
			return
		case <-time.After(2 * patience): // a disk that hangs in the kernel, unless something went on
			before := moves
			if moves = o.moves.Load(); moves == before {
				return
			}
		}
	}
}

// Close stops the copying and drops what is in the pipe. It does not wait; Done tells.
func (o *Output) Close() {
	o.wake(func() { o.closed = true })
}

// Leave stops the copying as soon as all that was read is in the log, for another process that goes on with
// the pipe. It does not wait; Done tells.
func (o *Output) Leave() {
	o.wake(func() { o.leave = true })
}

// Done is closed when the Output has ended, and its pipe and its Sink are closed.
func (o *Output) Done() <-chan struct{} { return o.done }

// wake sets a wish and makes run see it, wherever it waits.
func (o *Output) wake(wish func()) {
	o.mu.Lock()
	wish()
	o.mu.Unlock()
	o.kickOff()
}

// kickOff makes run look at everything again.
func (o *Output) kickOff() {
	select {
	case o.kick <- struct{}{}:
	default:
	}
}

// run is the Output's goroutine. It ends at the end of the pipe or by Close.
func (o *Output) run() {
	defer o.finish()
	err := o.open()
	if err == nil {
		<-o.kick
	}
	for err == nil && o.wishes() {
		o.coalesce()
		o.inFlight.Store(true)
		n, refusal := o.move()
		o.left -= n
		o.inFlight.Store(o.waits() || o.view != nil && o.view.withholds())
		switch {
		case refusal == errEmpty:
			if o.settle(); o.waits() {
				break
			}
			o.recovered()
			if o.view != nil && o.view.line > 0 && time.Since(o.last) >= lookEvery {
				o.view.letLine()
				break
			}
			if o.view != nil && o.view.seen() > 0 {
				o.pauseFor(o.soon(lookEvery)) // the poller would kick at once
			} else if err = o.poll.kickOnce(o); err == nil {
				<-o.kick
			}
		case refusal == io.EOF:
			return
		case refusal != nil:
			o.refused(refusal)
		default:
			o.accepted(n)
		}
	}
	if err != nil {
		o.say(slog.LevelError, "cannot read its output: "+err.Error())
	}
}

// wishes takes in what others want; false means to end.
func (o *Output) wishes() bool {
	o.mu.Lock()
	closed, leave, drains := o.closed, o.leave, o.drains
	o.drains = nil
	o.mu.Unlock()
	if leave && !o.waits() {
		if o.view != nil && o.view.reads && o.view.withholds() {
			o.view.matcher = matcher{} // half a line is none
			o.hold(o.view.end)
		}
		o.leaving = !o.waits()
	}
	if len(drains) > 0 {
		o.draining = append(o.draining, drains...)
		if o.left = o.fresh(); o.left <= 0 {
			o.settle()
		}
	}
	return !closed && !o.leaving
}

// waits tells whether something is to be done before more comes out of the pipe or is shown.
func (o *Output) waits() bool { return len(o.held) > 0 || o.view != nil && len(o.view.runs) > 0 }

// fresh is how many bytes are in the pipe, without those that the view was shown.
func (o *Output) fresh() int {
	n := inPipe(o.fd)
	if o.view != nil {
		n -= o.view.seen()
	}
	return n
}

// wished tells whether there is something for wishes.
func (o *Output) wished() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.closed || o.leave || len(o.drains) > 0
}

// coalesce lets small writes come together. After a quiet time the first is moved at once.
func (o *Output) coalesce() {
	if len(o.draining) > 0 || o.waits() || time.Since(o.last) >= interval {
		return
	}
	if n := o.fresh(); n < o.size/2 && (n > 0 || o.streaming) {
		o.pause()
	}
}

// pause waits for the next tick, or a wish.
func (o *Output) pause() {
	o.poll.kickAtTick(o)
	<-o.kick
}

// soon is how long to wait before another look at a pipe that is not empty, as nothing tells when a
// writer has filled it and blocks: an eighth of the time in which nothing came, so that no child is
// much slower for it.
func (o *Output) soon(most time.Duration) time.Duration {
	return min(max(time.Since(o.last)/8, interval), most)
}

// pauseFor waits for d, or a kick: then it is true.
func (o *Output) pauseFor(d time.Duration) bool {
	over := time.NewTimer(d)
	defer over.Stop()
	select {
	case <-over.C:
		return false
	case <-o.kick:
		return true
	}
}

// accepted notes that something went on: n bytes were moved, or shown to the view.
func (o *Output) accepted(n int) {
	o.moves.Add(1)
	now := time.Now()
	o.streaming = now.Sub(o.last) < 4*interval
	o.last = now
	if o.left <= 0 {
		o.settle()
	}
	if n >= min(chunk, o.size/2) {
		o.recovered()
	}
}

// settle tells those who wait in Drain, unless something of theirs is in our hands and comes first.
func (o *Output) settle() {
	if o.view != nil && !o.waits() && len(o.draining) > 0 {
		o.hold(o.view.end)
	}
	if !o.waits() {
		o.drained()
	}
}

// drained tells those who wait in Drain.
func (o *Output) drained() {
	for _, d := range o.draining {
		close(d)
	}
	o.draining, o.left = nil, 0
}

// finish is the end of run.
func (o *Output) finish() {
	o.lost += int64(len(o.held))
	if o.opened.Load() && !o.leaving {
		o.lost += int64(inPipe(o.fd)) // nothing at the end of the pipe, but Close may come before it
	}
	o.release()
	o.tellLost()
	o.drained()
	if o.poll != nil {
		o.poll.remove(o)
	}
	unix.Close(o.fd)
	if err := o.s.Close(); err != nil {
		o.say(slog.LevelError, "cannot close its log: "+err.Error())
	}
	close(o.done)
}

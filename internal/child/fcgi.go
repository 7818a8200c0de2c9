package child

import (
	"log/slog"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/internal/config"
)

// sockets has the listening sockets of the FastCGI programs. A socket is there while a process has
// it: from before the first spawn until the loop has noted the end of the last one.
//
//	take   0 -> 1  Creating socket URL     drop   1 -> 0  Closing socket URL
//	       1 -> 2                                 2 -> 1
//
// What is asked of one socket is done in the order in which it was asked, so that a restart closes
// before it creates; by a goroutine of that socket, since the lookup of a host or a path on a mount
// that is gone may hang.
type sockets struct {
	log       *slog.Logger
	keep      func(key string, fds ...int)
	letGo     func(key string)
	takenOver func(url string) (fd int, ok bool)

	mu   sync.Mutex
	all  map[string]*socket // guarded by mu; by URL: those that are open or have work
	held map[uint64]*hold   // guarded by mu; by spawn number
}

// A socket is what the processes of one program listen on.
type socket struct {
	url  string
	work []func(*socket) // guarded by sockets.mu
	busy bool            // guarded by sockets.mu; a goroutine does the work, and ends with it

	// Of that goroutine.
	refs int
	cfg  *config.FastCGI // of whom has it
	fd   int
	file os.FileInfo // the file that we made; nil for tcp
}

// A hold is one reference to a socket.
type hold struct {
	cfg   *config.FastCGI
	ready chan struct{} // closed when the rest is known
	fd    int           // valid until the hold is dropped
	err   error
}

func newSockets(o *Options) *sockets {
	s := &sockets{log: o.Log, keep: o.Hold, letGo: o.Release, takenOver: o.Socket, all: make(map[string]*socket), held: make(map[uint64]*hold)}
	if s.keep == nil {
		s.keep, s.letGo = func(string, ...int) {}, func(string) {}
	}
	if s.takenOver == nil {
		s.takenOver = func(string) (int, bool) { return -1, false }
	}
	return s
}

// takeFor takes a hold that dropFor(spawn) ends. It returns at once.
func (s *sockets) takeFor(spawn uint64, cfg *config.FastCGI) *hold {
	h := s.take(cfg)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held[spawn] = h
	return h
}

// dropFor does nothing if the spawn has no hold. It returns at once.
func (s *sockets) dropFor(spawn uint64) {
	s.mu.Lock()
	h := s.held[spawn]
	delete(s.held, spawn)
	s.mu.Unlock()
	if h != nil {
		s.drop(h)
	}
}

// check tells whether the socket could be made now: it is opened and closed once.
func (s *sockets) check(cfg *config.FastCGI) error {
	h := s.take(cfg)
	<-s.drop(h)
	return h.err
}

// close drops what is held by processes whose end nobody has noted, and returns when all is closed
// or hangs.
func (s *sockets) close() {
	s.mu.Lock()
	held := s.held
	s.held = make(map[uint64]*hold)
	s.mu.Unlock()
	for _, h := range held {
		s.drop(h)
	}
	var idle []chan struct{}
	s.mu.Lock()
	for _, k := range s.all {
		done := make(chan struct{})
		k.work = append(k.work, func(*socket) { close(done) })
		s.wake(k)
		idle = append(idle, done)
	}
	s.mu.Unlock()
	patience := time.NewTimer(time.Second)
	defer patience.Stop()
	for _, done := range idle {
		select {
		case <-done:
		case <-patience.C:
			return
		}
	}
}

// checkSockets tells which sockets of g can't be made now.
func (m *Manager) checkSockets(g *config.Group) error {
	var errs config.Errors
	seen := make(map[*config.FastCGI]bool)
	for i := range g.Processes {
		p := &g.Processes[i]
		if p.FastCGI == nil || seen[p.FastCGI] {
			continue
		}
		seen[p.FastCGI] = true
		if err := m.sockets.check(p.FastCGI); err != nil {
			errs = append(errs, config.Error{File: p.Source.File, Line: p.Source.Line, Section: p.Source.Section,
				Option: "socket", Value: p.FastCGI.Socket, Message: socketText(p.FastCGI, err), Cure: cureOf(err)})
		}
	}
	if errs != nil {
		return errs
	}
	return nil
}

func (s *sockets) take(cfg *config.FastCGI) *hold {
	h := &hold{cfg: cfg, ready: make(chan struct{})}
	// Not when its turn comes: what nobody has taken when all is adopted is closed.
	fd, ok := s.takenOver(cfg.Socket)
	if !ok {
		fd = -1
	}
	s.ask(cfg.Socket, func(k *socket) {
		h.fd, h.err = k.take(cfg, s, fd)
		close(h.ready)
	})
	return h
}

// drop ends a hold, which may not be ready or have failed; the channel is closed when that is done.
func (s *sockets) drop(h *hold) <-chan struct{} {
	done := make(chan struct{})
	s.ask(h.cfg.Socket, func(k *socket) {
		if h.err == nil {
			k.drop(s)
		}
		close(done)
	})
	return done
}

// ask leaves f to be done when all that was asked before is.
func (s *sockets) ask(url string, f func(*socket)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.all[url]
	if k == nil {
		k = &socket{url: url}
		s.all[url] = k
	}
	k.work = append(k.work, f)
	s.wake(k)
}

// wake sees to it that k's work is done. The lock is held.
func (s *sockets) wake(k *socket) {
	if !k.busy {
		k.busy = true
		go s.run(k)
	}
}

func (s *sockets) run(k *socket) {
	for {
		s.mu.Lock()
		if len(k.work) == 0 {
			k.busy = false
			if k.refs == 0 {
				delete(s.all, k.url)
			}
			s.mu.Unlock()
			return
		}
		f := k.work[0]
		k.work = k.work[1:]
		s.mu.Unlock()
		f(k)
	}
}

// take opens the socket, or goes on with fd, if that is one.
func (k *socket) take(cfg *config.FastCGI, s *sockets, fd int) (int, error) {
	switch {
	case k.refs == 0:
		var file os.FileInfo
		if fd >= 0 {
			file = fileOf(k.url)
		} else {
			s.log.Info("Creating socket " + k.url)
			var err error
			if fd, file, err = listen(cfg); err != nil {
				return -1, err
			}
		}
		s.keep(socketKey(k.url), fd)
		k.cfg, k.fd, k.file = cfg, fd, file
	case k.cfg != cfg:
		// Each would get requests that are meant for the other.
		return -1, &socketError{unix.EADDRINUSE, "another program or group of this configuration has it; each must have a socket of its own"}
	}
	k.refs++
	return k.fd, nil
}

func (k *socket) drop(s *sockets) {
	if k.refs--; k.refs > 0 {
		return
	}
	if k.file != nil {
		removeFile(k.url, k.file)
	}
	s.letGo(socketKey(k.url))
	s.log.Info("Closing socket " + k.url)
	unix.Close(k.fd)
	k.cfg, k.file = nil, nil
}

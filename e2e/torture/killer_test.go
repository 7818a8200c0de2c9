package main

import (
	"math/rand/v2"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// outages are the times in which guard and daemon were dead together, or may have been. What a program
// wrote last, and how it ended, is not promised then (docs/survive.md: both killed).
type outages struct {
	mu      sync.Mutex
	killed  map[int]bool // guarded by mu; guards
	since   uint64       // guarded by mu; a guard was killed, and no daemon with another has answered; 0: no
	real    bool         // guarded by mu; meanwhile a daemon was killed, too
	last    uint64       // guarded by mu; the last kill
	young   bool         // guarded by mu; a daemon was killed, and the next one has not answered
	heir    int          // guarded by mu; the daemon that is to take the place of the guard that was killed; 0: none
	windows [][2]uint64  // guarded by mu
}

// kill is called before a kill; all are supervisord's processes.
func (o *outages) kill(v supervisor, all []supervisor) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.killed == nil {
		o.killed = make(map[int]bool)
	}
	o.last = Now()
	if o.since != 0 || o.young && v.role != "daemon" {
		o.real = true
	}
	o.young = o.young || v.role == "daemon"
	if v.role != "daemon" {
		o.killed[v.PID] = true
		if o.since == 0 {
			o.since, o.heir = o.last, 0
			for _, d := range all {
				if d.role == "daemon" && d.Parent == v.PID {
					o.heir = d.PID
				}
			}
		}
	}
}

// none tells that there is no supervisord.
func (o *outages) none() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.real = true
	if o.since == 0 {
		o.since = o.last
	}
}

// answered tells that a daemon has answered, whose guard this is, what it was asked at a moment.
func (o *outages) answered(guard int, asked uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if asked < o.last {
		return
	}
	o.young = false
	if o.since == 0 || o.killed[guard] {
		return
	}
	if o.real || guard != o.heir { // then it has found nobody, too
		o.windows = append(o.windows, [2]uint64{o.since, Now()})
	}
	o.since, o.real = 0, false
}

// overlap tells whether there was one between two moments, for a program of which the main log says something at
// the moments of said; at those of takeovers it says that a takeover begins. A daemon that answers may not have taken
// over all programs yet; when it has, it says so.
func (o *outages) overlap(from, to uint64, said, takeovers []uint64) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.ContainsFunc(o.windows, func(w [2]uint64) bool {
		begun := w[1]
		for _, at := range takeovers {
			if at >= w[0] && at <= w[1] {
				begun = at // the last one counts
			}
		}
		end := w[1]
		if i := slices.IndexFunc(said, func(at uint64) bool { return at >= begun }); i >= 0 {
			end = max(end, said[i])
		}
		return from <= end && to >= w[0]
	})
}

// kill sends SIGKILL to a process of supervisord.
func (s *session) kill(v supervisor, all []supervisor) bool {
	fd, err := unix.PidfdOpen(v.PID, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	if p, ok := Look(v.PID); !ok || p.Start != v.Start || v.PID <= 1 {
		return false
	}
	s.outages.kill(v, all)
	s.note("", "kill -9 %d, the %s", v.PID, v.role)
	s.count(v.role + "s killed")
	return unix.PidfdSendSignal(fd, syscall.SIGKILL, nil, 0) == nil
}

// killAll kills until there is none.
func (s *session) killAll() {
	for {
		list := s.supervisors()
		if len(list) == 0 {
			break
		}
		for _, v := range list {
			s.kill(v, list)
		}
	}
	s.outages.none()
	s.count("both killed")
}

// killer kills until stop is closed, and sees to it that there is a supervisord, as an init does, until over is.
func (s *session) killer(rng *rand.Rand, stop, over <-chan struct{}) {
	for next := time.Now(); ; {
		if rng.IntN(4) == 0 { // in quick succession
			next = next.Add(time.Duration(rng.IntN(30)) * time.Millisecond)
		} else {
			next = next.Add(time.Duration(rng.ExpFloat64() * float64(220*time.Millisecond)))
		}
		select {
		case <-over:
			return
		case <-stop:
			s.ensure(rng)
			time.Sleep(10 * time.Millisecond)
			continue
		case <-time.After(time.Until(next)): // on a busy machine it keeps its pace
		}
		list := s.supervisors()
		daemon, haveDaemon := find(list, "daemon")
		guard, haveGuard := find(list, "guard")
		what := rng.IntN(10)
		switch {
		case what < 1:
			s.killAll()
		case what == 9 && len(list) > 0:
			s.launch(rng.IntN(2) == 0) // a second one harms nothing
		case haveDaemon && (what < 6 || !haveGuard):
			s.kill(daemon, list)
		case haveGuard:
			s.kill(guard, list)
		}
		s.ensure(rng)
	}
}

// ensure starts a supervisord if there is none.
func (s *session) ensure(rng *rand.Rand) {
	if len(s.supervisors()) == 0 {
		s.outages.none()
		s.launch(rng.IntN(2) == 0)
	}
}

// kill1 kills one of supervisord's processes, or all.
func (s *session) kill1(rng *rand.Rand) {
	list := s.supervisors()
	switch what := rng.IntN(3); {
	case what == 0:
		s.killAll()
	case len(list) > 0:
		s.kill(list[rng.IntN(len(list))], list)
	}
}

// prober asks all the time who is there.
func (s *session) prober(stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		case <-time.After(20 * time.Millisecond):
			s.answers()
		}
	}
}

package child

import (
	"fmt"
	"regexp"
	"sync"
	"sync/atomic"

	"holdfast/internal/config"
)

// A matching looks for a line in both outputs of a spawn.
type matching struct {
	re    *regexp.Regexp
	tell  func()
	once  sync.Once   // tells, or sees to it that nobody does any more
	found atomic.Bool // or it is too late
}

// newMatching is nil if no line is looked for.
func (r *run) newMatching() (*matching, error) {
	c := r.p.Health.Ready
	if c == nil || c.Kind != config.CheckOutput || r.m.opts.Matched == nil {
		return nil, nil
	}
	re, err := regexp.Compile(c.Target)
	if err != nil {
		return nil, fmt.Errorf("can't look for a line of '%s' that says that it is ready: %w", r.p.Name, err)
	}
	return &matching{re: re, tell: func() {
		<-r.settled
		select {
		case <-r.m.closing:
			if r.m.leaving.Load() && !r.m.opts.StripANSI {
				select {} // this process ends, and the line is still in the pipe: the next one sees it
			}
		default:
			r.m.opts.Matched(r.spawn)
		}
	}}, nil
}

// look is a capture.Look's Match.
func (m *matching) look() func(line []byte) bool {
	if m == nil {
		return nil
	}
	return func(line []byte) bool {
		if m.found.Load() {
			return true
		}
		if !m.re.Match(line) {
			return false
		}
		m.once.Do(m.tell)
		m.found.Store(true)
		return true
	}
}

// end returns when nothing is told any more.
func (m *matching) end() {
	if m != nil {
		m.once.Do(func() {})
		m.found.Store(true)
	}
}

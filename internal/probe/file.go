package probe

import (
	"context"
	"errors"
	"io/fs"
	"os"
)

func (p *Prober) file(ctx context.Context, path string) error {
	stat := p.stat
	if stat == nil {
		stat = func(path string) error { _, err := os.Stat(path); return err }
	}
	_, err := p.look(ctx, "stat "+path, func() (any, error) { return nil, stat(path) })
	if errors.Is(err, fs.ErrNotExist) {
		return verdict("not there: " + path)
	}
	return err
}

// A look is a call that may hang in the kernel.
type look struct {
	done  chan struct{} // closed when what follows is there
	value any
	err   error
}

// look calls f, or joins the call with that key that is under way, until ctx ends.
func (p *Prober) look(ctx context.Context, key string, f func() (any, error)) (any, error) {
	p.mu.Lock()
	l := p.looks[key]
	if l == nil {
		l = &look{done: make(chan struct{})}
		if p.looks == nil {
			p.looks = make(map[string]*look)
		}
		p.looks[key] = l
		go func() { // ends with f
			l.value, l.err = f()
			p.mu.Lock()
			delete(p.looks, key)
			p.mu.Unlock()
			close(l.done)
		}()
	}
	p.mu.Unlock()
	select {
	case <-l.done:
		return l.value, l.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

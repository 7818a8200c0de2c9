package ctl

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"

	"holdfast/client"
)

var fgCommand = command{
	name: "fg",
	help: "fg <process>\tTalk to a process: show what it writes, send it what you type\n" +
		"\t\tCtrl-C to leave it",
	complete: completeProcesses,
	run:      fg,
}

func fg(ctx context.Context, s *session, arg string) error {
	c, err := s.up(ctx)
	if c == nil {
		return err
	}
	names := strings.Fields(arg)
	switch {
	case len(names) == 0:
		s.misuse(*s.command("fg"), "ERROR: no process name supplied")
		return nil
	case len(names) > 1:
		s.fail("ERROR: too many process names supplied")
		return nil
	}
	name := names[0]
	p, err := c.ProcessInfo(ctx, name)
	var f *client.Fault
	switch {
	case isFault(err, client.BadName):
		s.fail("ERROR: bad process name supplied")
		return nil
	case errors.As(err, &f): // the exit code stays
		s.say("ERROR: %s", faultText(f))
		return nil
	case err != nil:
		return err
	case p.State != client.Running:
		s.fail("ERROR: process not running")
		return nil
	}
	s.say("==> Press Ctrl-C to exit <==")

	// The streams end when fg does: it cancels them and waits for them.
	streams, stop := context.WithCancel(ctx)
	out := &lockedWriter{w: s.out}
	var wg sync.WaitGroup
	for _, channel := range []string{"stdout", "stderr"} {
		wg.Go(func() { s.stream(streams, c, "/logtail/"+name+"/"+channel, out) })
	}
	last, err := s.feed(ctx, c, name)
	stop()
	wg.Wait()
	if err != nil {
		return err
	}
	if last != "" {
		s.say("%s", last)
	}
	s.say("Exiting foreground")
	return nil
}

// feed sends the process what is typed, line by line, until the input ends or Ctrl-C is typed; then
// last is empty. It is what to say otherwise: that a process is gone shows at the next line.
func (s *session) feed(ctx context.Context, c *client.Client, name string) (last string, err error) {
	for {
		line, err := s.in.line(ctx)
		if err != nil {
			return "", nil
		}
		err = c.SendProcessStdin(ctx, name, line+"\n")
		var f *client.Fault
		switch {
		case ctx.Err() != nil:
			return "", nil
		case isFault(err, client.NotRunning):
			return "Process got killed", nil
		case errors.As(err, &f):
			return "ERROR: " + faultText(f), nil
		case err != nil:
			return "", err
		}
		p, err := c.ProcessInfo(ctx, name)
		switch {
		case ctx.Err() != nil:
			return "", nil
		case err != nil:
			return "", err
		case p.State != client.Running:
			return "Process got killed", nil
		}
	}
}

// A lockedWriter lets two streams write to one writer.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer // guarded by mu
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

package ctl

import (
	"context"
	"errors"
	"strings"
	"syscall"

	"holdfast/client"
)

var shutdownCommand = command{
	name: "shutdown",
	help: "shutdown \tStop every process and then supervisord",
	run:  shutdown,
}

func shutdown(ctx context.Context, s *session, arg string) error {
	if !s.noArguments(*s.command("shutdown"), arg) {
		return nil
	}
	if yes, err := s.confirm(ctx, "Really shut the remote supervisord process down y/N? "); !yes {
		return err
	}
	c, err := s.server()
	if err != nil {
		return err
	}
	err = c.Shutdown(ctx)
	switch {
	case err == nil:
		s.say("Shut down")
	case isFault(err, client.ShutdownState): // the exit code stays
		s.say("ERROR: already shutting down")
	case errors.Is(err, syscall.ECONNREFUSED):
		s.fail("ERROR: %s refused connection (already shut down?)", s.serverURL)
	case errors.Is(err, syscall.ENOENT):
		s.fail("ERROR: %s no such file (already shut down?)", s.serverURL)
	default:
		return err
	}
	return nil
}

// confirm asks a question, but only where somebody may be there to answer.
func (s *session) confirm(ctx context.Context, question string) (yes bool, err error) {
	if !s.interactive {
		return true, nil
	}
	answer, err := s.in.ask(ctx, question)
	return strings.HasPrefix(strings.ToLower(answer), "y"), err
}

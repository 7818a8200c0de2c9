package ctl

import (
	"context"

	"holdfast/client"
)

var reloadCommand = command{
	name: "reload",
	help: "reload \t\tStop every process and have supervisord begin anew",
	run:  reload,
}

func reload(ctx context.Context, s *session, arg string) error {
	if !s.noArguments(*s.command("reload"), arg) {
		return nil
	}
	if yes, err := s.confirm(ctx, "Really restart the remote supervisord process y/N? "); !yes {
		return err
	}
	c, err := s.server()
	if err != nil {
		return err
	}
	switch err := c.Restart(ctx); {
	case isFault(err, client.ShutdownState):
		s.fail("ERROR: already shutting down")
	case err != nil:
		return err
	default:
		s.say("Restarted supervisord")
	}
	return nil
}

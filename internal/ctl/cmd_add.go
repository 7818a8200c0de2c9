package ctl

import (
	"context"
	"strings"

	"holdfast/client"
)

var addCommand = command{
	name:     "add",
	help:     "add <name> [...]\tMake programs or groups active that the configuration read last has",
	complete: completeGroups,
	run:      add,
}

func add(ctx context.Context, s *session, arg string) error {
	c, err := s.server()
	if err != nil {
		return err
	}
	for _, name := range strings.Fields(arg) {
		err := c.AddProcessGroup(ctx, name)
		switch {
		case err == nil:
			s.say("%s: added process group", name)
		case isFault(err, client.ShutdownState):
			s.fail("ERROR: shutting down")
		case isFault(err, client.AlreadyAdded): // the exit code stays
			s.say("ERROR: process group already active")
		case isFault(err, client.BadName):
			s.fail("ERROR: no such process/group: %s", name)
		default:
			return err
		}
	}
	return nil
}

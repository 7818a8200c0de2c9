package ctl

import (
	"context"
	"strings"

	"holdfast/client"
)

var removeCommand = command{
	name:     "remove",
	help:     "remove <name> [...]\tMake programs or groups inactive that are stopped",
	complete: completeGroups,
	run:      remove,
}

func remove(ctx context.Context, s *session, arg string) error {
	c, err := s.server()
	if err != nil {
		return err
	}
	for _, name := range strings.Fields(arg) {
		err := c.RemoveProcessGroup(ctx, name)
		switch {
		case err == nil:
			s.say("%s: removed process group", name)
		case isFault(err, client.StillRunning):
			s.fail("ERROR: process/group still running: %s", name)
		case isFault(err, client.BadName):
			s.fail("ERROR: no such process/group: %s", name)
		default:
			return err
		}
	}
	return nil
}

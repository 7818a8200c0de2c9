package ctl

import (
	"context"
	"strings"

	"holdfast/client"
)

var pidCommand = command{
	name: "pid",
	help: "pid\t\t\tShow the process id of supervisord\n" +
		"pid <name>\t\tShow the process id of one process\n" +
		"pid all\t\t\tShow the process id of every process, one a line",
	complete: completeProcesses,
	run:      showPID,
}

func showPID(ctx context.Context, s *session, arg string) error {
	c, err := s.up(ctx)
	if c == nil {
		return err
	}
	names := strings.Fields(arg)
	switch {
	case len(names) == 0:
		pid, err := c.PID(ctx)
		if err != nil {
			return err
		}
		s.say("%d", pid)
	case hasAll(names):
		all, err := c.AllProcessInfo(ctx)
		if err != nil {
			return err
		}
		for _, p := range all {
			s.say("%d", p.PID)
		}
		return nil
	}
	for _, name := range names {
		p, err := c.ProcessInfo(ctx, name)
		switch {
		case isFault(err, client.BadName):
			s.fail("No such process %s", name)
		case err != nil:
			return err
		default:
			s.say("%d", p.PID)
			if p.PID == 0 {
				s.exit = exitNotRunning
			}
		}
	}
	return nil
}

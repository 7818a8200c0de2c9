package ctl

import (
	"context"
	"strings"
)

var restartCommand = command{
	name: "restart",
	help: "restart <name>\t\tStop and start one process\n" +
		"restart <gname>:*\tStop and start every process of a group\n" +
		"restart <name> <name>\tStop and start several processes or groups\n" +
		"restart all\t\tStop and start every process\n" +
		"Note: changed configuration files are not read for this; reread and update do that.",
	complete: completeProcesses,
	run:      restart,
}

// restart is stop and then start with the same names: a name that there is not is complained of twice.
func restart(ctx context.Context, s *session, arg string) error {
	c, err := s.up(ctx)
	if c == nil {
		return err
	}
	if len(strings.Fields(arg)) == 0 {
		s.misuse(*s.command("restart"), "Error: restart requires a process name")
		return nil
	}
	if err := stop(ctx, s, arg); err != nil {
		return err
	}
	return start(ctx, s, arg)
}

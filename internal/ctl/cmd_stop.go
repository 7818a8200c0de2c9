package ctl

import (
	"context"
	"strings"

	"holdfast/client"
)

var stopCommand = command{
	name: "stop",
	help: "stop <name>\t\tStop one process\n" +
		"stop <gname>:*\t\tStop every process of a group\n" +
		"stop <name> <name>\tStop several processes or groups\n" +
		"stop all\t\tStop every process",
	complete: completeProcesses,
	run:      stop,
}

var stopWords = words{
	done: "stopped",
	failed: map[int]string{
		client.BadName:    "no such process",
		client.BadSignal:  "bad signal name",
		client.NotRunning: "not running",
	},
	raw:    client.Failed,
	ignore: client.NotRunning,
}

func stop(ctx context.Context, s *session, arg string) error {
	c, err := s.up(ctx)
	if c == nil {
		return err
	}
	names := strings.Fields(arg)
	switch {
	case len(names) == 0:
		s.misuse(*s.command("stop"), "Error: stop requires a process name")
	case hasAll(names):
		results, err := c.StopAllProcesses(ctx, true)
		return s.outcomes(stopWords, results, err)
	}
	for _, name := range names {
		if group, process := splitName(name); process == "" {
			results, err := c.StopProcessGroup(ctx, group, true)
			if err := s.group(stopWords, group, exitGeneric, results, err); err != nil {
				return err
			}
		} else if err := s.single(stopWords, name, c.StopProcess(ctx, name, true)); err != nil {
			return err
		}
	}
	return nil
}

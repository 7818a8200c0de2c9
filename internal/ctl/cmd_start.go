package ctl

import (
	"context"
	"strings"

	"holdfast/client"
)

var startCommand = command{
	name: "start",
	help: "start <name>\t\tStart one process\n" +
		"start <gname>:*\t\tStart every process of a group\n" +
		"start <name> <name>\tStart several processes or groups\n" +
		"start all\t\tStart every process",
	complete: completeProcesses,
	run:      start,
}

var startWords = words{
	done: "started",
	failed: map[int]string{
		client.BadName:             "no such process",
		client.NoFile:              "no such file",
		client.NotExecutable:       "file is not executable",
		client.AlreadyStarted:      "already started",
		client.SpawnError:          "spawn error",
		client.AbnormalTermination: "abnormal termination",
	},
	ignore: client.AlreadyStarted,
}

func start(ctx context.Context, s *session, arg string) error {
	c, err := s.up(ctx)
	if c == nil {
		return err
	}
	names := strings.Fields(arg)
	switch {
	case len(names) == 0:
		s.misuse(*s.command("start"), "Error: start requires a process name")
		s.exit = exitInvalidArgs
	case hasAll(names):
		results, err := c.StartAllProcesses(ctx, true)
		return s.outcomes(startWords, results, err)
	}
	for _, name := range names {
		if group, process := splitName(name); process == "" {
			results, err := c.StartProcessGroup(ctx, group, true)
			if err := s.group(startWords, group, exitInvalidArgs, results, err); err != nil {
				return err
			}
		} else if err := s.single(startWords, name, c.StartProcess(ctx, name, true)); err != nil {
			return err
		}
	}
	return nil
}

package ctl

import (
	"context"
	"strings"

	"holdfast/client"
)

var clearCommand = command{
	name: "clear",
	help: "clear <name>\t\tEmpty the logs of one process\n" +
		"clear <name> <name>\tEmpty the logs of several processes\n" +
		"clear all\t\tEmpty the logs of every process",
	complete: completeProcesses,
	run:      clearLogs,
}

var clearWords = words{
	done: "cleared",
	failed: map[int]string{
		client.BadName: "no such process",
		client.Failed:  "failed",
	},
}

// clearLogs takes no groups: "group:*" is a process that there is not.
//
// Differs: that process is shown as "group:*", by the original as "group:None".
func clearLogs(ctx context.Context, s *session, arg string) error {
	c, err := s.up(ctx)
	if c == nil {
		return err
	}
	names := strings.Fields(arg)
	switch {
	case len(names) == 0:
		s.misuse(*s.command("clear"), "Error: clear requires a process name")
	case hasAll(names):
		results, err := c.ClearAllProcessLogs(ctx)
		return s.outcomes(clearWords, results, err)
	}
	for _, name := range names {
		err := c.ClearProcessLogs(ctx, name)
		if group, process := splitName(name); process == "" && isFault(err, client.BadName) {
			err = s.outcome(clearWords, client.Result{Group: group, Name: "*", Status: client.BadName})
		} else {
			err = s.single(clearWords, name, err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

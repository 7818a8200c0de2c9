package ctl

import (
	"context"
	"strings"

	"holdfast/client"
)

var signalCommand = command{
	name: "signal",
	help: "signal <signal name> <name>\t\tSend a signal to one process\n" +
		"signal <signal name> <gname>:*\t\tSend a signal to every process of a group\n" +
		"signal <signal name> <name> <name>\tSend a signal to several processes or groups\n" +
		"signal <signal name> all\t\tSend a signal to every process",
	complete: completeProcesses,
	run:      sendSignal,
}

var signalWords = words{
	done:   "signalled",
	failed: stopWords.failed,
	raw:    client.Failed,
}

func sendSignal(ctx context.Context, s *session, arg string) error {
	c, err := s.up(ctx)
	if c == nil {
		return err
	}
	args := strings.Fields(arg)
	if len(args) < 2 {
		s.misuse(*s.command("signal"), "Error: signal requires a signal name and a process name")
		return nil
	}
	sig, names := args[0], args[1:]
	if hasAll(names) {
		results, err := c.SignalAllProcesses(ctx, sig)
		return s.outcomes(signalWords, results, err)
	}
	for _, name := range names {
		if group, process := splitName(name); process == "" {
			results, err := c.SignalProcessGroup(ctx, group, sig)
			if err := s.group(signalWords, group, exitGeneric, results, err); err != nil {
				return err
			}
		} else if err := s.single(signalWords, name, c.SignalProcess(ctx, name, sig)); err != nil {
			return err
		}
	}
	return nil
}

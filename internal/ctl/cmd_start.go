package ctl

import (
	"context"
	"fmt"
	"strings"
	"time"

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
		defer s.tellWaits(ctx, c, func(client.ProcessDetails) bool { return true })()
		results, err := c.StartAllProcesses(ctx, true)
		return s.outcomes(startWords, results, err)
	}
	for _, name := range names {
		if err := startNamed(ctx, s, c, name); err != nil {
			return err
		}
	}
	return nil
}

func startNamed(ctx context.Context, s *session, c *client.Client, name string) error {
	group, process := splitName(name)
	defer s.tellWaits(ctx, c, func(p client.ProcessDetails) bool {
		return p.Group == group && (process == "" || p.Name == process)
	})()
	if process == "" {
		results, err := c.StartProcessGroup(ctx, group, true)
		return s.group(startWords, group, exitInvalidArgs, results, err)
	}
	return s.single(startWords, name, c.StartProcess(ctx, name, true))
}

// tellWaits says once on stderr, if a start takes its time, what those of its processes wait for that wait for others.
// The caller calls done when it has its answer.
func (s *session) tellWaits(ctx context.Context, c *client.Client, whom func(client.ProcessDetails) bool) (done func()) {
	ctx, cancel := context.WithCancel(ctx)
	told := make(chan struct{})
	go func() { // ends by done
		defer close(told)
		select {
		case <-ctx.Done():
			return
		case <-time.After(s.startPatience):
		}
		all, _ := c.AllProcessDetails(ctx) // the original knows of no waits
		for _, p := range all {
			if whom(p) && p.State == client.Starting && p.Waiting != "" {
				fmt.Fprintf(s.errOut, "%s: %s\n", joinName(p.Group, p.Name), printable(p.Waiting))
			}
		}
	}()
	return func() { cancel(); <-told }
}

// startPatience is how long nothing is said of a start that has no outcome yet.
const startPatience = 2 * time.Second

package ctl

import (
	"context"
	"strings"
	"unicode/utf8"

	"holdfast/client"
)

var statusCommand = command{
	name: "status",
	help: "status <name>\t\tShow how one process is\n" +
		"status <gname>:*\tShow how every process of a group is\n" +
		"status <name> <name>\tShow how several processes or groups are\n" +
		"status\t\t\tShow how every process is",
	complete: completeProcesses,
	run:      status,
}

func status(ctx context.Context, s *session, arg string) error {
	c, err := s.up(ctx)
	if c == nil {
		if err == nil {
			s.exit = exitStatusUnknown
		}
		return err
	}
	all, err := c.AllProcessInfo(ctx)
	if err != nil {
		return err
	}
	shown := all
	if names := strings.Fields(arg); len(names) > 0 && !hasAll(names) {
		shown = s.pick(all, names)
	}
	s.showStatus(shown)
	for _, p := range shown {
		if p.State.Down() {
			s.exit = exitStatusDown
		}
	}
	return nil
}

// pick returns the processes that names mean, in the order of names; the same name twice gives them
// twice.
func (s *session) pick(all []client.ProcessInfo, names []string) (picked []client.ProcessInfo) {
	for _, name := range names {
		group, process := splitName(name)
		found := false
		for _, p := range all {
			if p.Group == group && (process == "" || p.Name == process) {
				picked = append(picked, p)
				found = true
			}
		}
		switch {
		case found:
			continue
		case process == "":
			s.say("%s: ERROR (no such group)", group)
		default:
			s.say("%s: ERROR (no such process)", name)
		}
		s.exit = exitStatusUnknown
	}
	return picked
}

// showStatus prints the table. Nothing is trimmed: a state without a description ends in blanks.
func (s *session) showStatus(processes []client.ProcessInfo) {
	width := 30
	for _, p := range processes {
		width = max(width, utf8.RuneCountInString(joinName(p.Group, p.Name)))
	}
	for _, p := range processes {
		s.say("%-*s%-10s%s", width+3, joinName(p.Group, p.Name), p.StateName, p.Description)
	}
}

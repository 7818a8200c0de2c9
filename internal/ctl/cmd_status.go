package ctl

import (
	"context"
	"slices"
	"strings"
	"unicode/utf8"

	"holdfast/client"
)

var statusCommand = command{
	name: "status",
	help: "status <name>\t\tShow how one process is\n" +
		"status <gname>:*\tShow how every process of a group is\n" +
		"status <name> <name>\tShow how several processes or groups are\n" +
		"status\t\t\tShow how every process is\n" +
		"status --long [...]\tShow what else there is to say of them\n" +
		"status --json [...]\tShow all that is known of them, as JSON",
	complete: completeStatus,
	run:      status,
}

// Differs: for the original these are names, of processes that there are not.
const longOption, jsonOption = "--long", "--json"

func completeStatus(ctx context.Context, s *session, text string) []string {
	if strings.HasPrefix(text, "-") {
		return appendOffer(appendOffer(nil, text, longOption), text, jsonOption)
	}
	return completeProcesses(ctx, s, text)
}

func status(ctx context.Context, s *session, arg string) error {
	names := strings.Fields(arg)
	long, asJSON := slices.Contains(names, longOption), slices.Contains(names, jsonOption)
	names = slices.DeleteFunc(names, func(name string) bool { return name == longOption || name == jsonOption })
	if long && asJSON {
		s.misuse(*s.command("status"), "Error: status takes one of %s and %s", longOption, jsonOption)
		return nil
	}
	out := s.out
	if asJSON {
		s.out = s.errOut // for all else that is said
	}
	c, err := s.up(ctx)
	if c == nil {
		if err == nil {
			s.exit = exitStatusUnknown
		}
		return err
	}
	all, err := askStatus(ctx, c, long || asJSON)
	if s.notOurs(err, "status "+longOption+" or "+jsonOption) {
		s.exit = exitStatusUnknown
		return nil
	}
	if err != nil {
		return err
	}
	shown := all
	if len(names) > 0 && !hasAll(names) {
		shown = s.pick(all, names)
	}
	switch {
	case asJSON:
		err = writeJSON(out, shown)
	case long:
		s.showLong(shown)
	default:
		s.showStatus(shown)
	}
	for _, p := range shown {
		if p.State.Down() {
			s.exit = exitStatusDown
		}
	}
	return err
}

// askStatus returns all processes; with more also what only Holdfast tells of them.
func askStatus(ctx context.Context, c *client.Client, more bool) ([]client.ProcessDetails, error) {
	if more {
		return c.AllProcessDetails(ctx)
	}
	infos, err := c.AllProcessInfo(ctx)
	all := make([]client.ProcessDetails, len(infos))
	for i, info := range infos {
		all[i].ProcessInfo = info
	}
	return all, err
}

// pick returns the processes that names mean, in the order of names; the same name twice gives them
// twice.
func (s *session) pick(all []client.ProcessDetails, names []string) (picked []client.ProcessDetails) {
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
func (s *session) showStatus(processes []client.ProcessDetails) {
	width := nameWidth(processes)
	for _, p := range processes {
		s.say("%-*s%-10s%s", width, joinName(p.Group, p.Name), p.StateName, p.Description)
	}
}

// nameWidth is that of the table's first column.
func nameWidth(processes []client.ProcessDetails) int {
	width := 30
	for _, p := range processes {
		width = max(width, utf8.RuneCountInString(joinName(p.Group, p.Name)))
	}
	return width + 3
}

package ctl

import (
	"context"
	"errors"
	"strings"

	"holdfast/client"
)

var refreshCommand = command{
	name: "refresh",
	help: "refresh <name>\t\tHave one process read its own configuration again\n" +
		"refresh <gname>:*\tThe same for every process of a group that runs and can do that\n" +
		"refresh <name> <name>\tThe same for several processes or groups\n" +
		"refresh all\t\tThe same for every process that runs and can do that\n" +
		"How that is done is said by reload_command or reload_signal of the program. Nothing is restarted.",
	ours:     true,
	complete: completeProcesses,
	run:      refresh,
}

var refreshWords = words{
	done: "refreshed",
	failed: map[int]string{
		client.BadName:    "no such process",
		client.NotRunning: "not running",
	},
}

// refresh takes names and exits as start does, where both can go wrong in the same way.
func refresh(ctx context.Context, s *session, arg string) error {
	c, err := s.up(ctx)
	if c == nil {
		return err
	}
	names := strings.Fields(arg)
	if len(names) == 0 {
		s.misuse(*s.command("refresh"), "Error: refresh requires a process name")
		s.exit = exitInvalidArgs
		return nil
	}
	all, err := c.AllProcessDetails(ctx)
	if s.notOurs(err, "refresh") {
		return nil
	}
	if err != nil {
		return err
	}
	if hasAll(names) {
		return s.refreshSome(ctx, c, "all", all)
	}
	for _, name := range names {
		group, process := splitName(name)
		if process != "" {
			if err := s.refreshOne(ctx, c, name); err != nil {
				return err
			}
			continue
		}
		var members []client.ProcessDetails
		for _, p := range all {
			if p.Group == group {
				members = append(members, p)
			}
		}
		if members == nil {
			s.say("%s: ERROR (no such group)", group)
			s.exit = exitInvalidArgs
			continue
		}
		if err := s.refreshSome(ctx, c, name, members); err != nil {
			return err
		}
	}
	return nil
}

// refreshSome leaves out, as start does, those for which there is nothing to do; but it says so if these are all.
func (s *session) refreshSome(ctx context.Context, c *client.Client, what string, processes []client.ProcessDetails) error {
	some := false
	for _, p := range processes {
		if p.Reload == "" || p.PID == 0 {
			continue
		}
		some = true
		if err := s.refreshOne(ctx, c, joinName(p.Group, p.Name)); err != nil {
			return err
		}
	}
	if !some {
		s.fail("%s: ERROR (no process runs that has reload_command= or reload_signal=)", what)
	}
	return nil
}

func (s *session) refreshOne(ctx context.Context, c *client.Client, name string) error {
	err := c.ReloadProcess(ctx, name)
	var f *client.Fault
	if errors.As(err, &f) && f.Code == client.Failed {
		why := strings.TrimPrefix(strings.TrimPrefix(f.String, "FAILED: "), name)
		s.fail("%s: ERROR (%s)", name, strings.TrimLeft(why, ": "))
		return nil
	}
	return s.single(refreshWords, name, err)
}

// notOurs tells whether err is that of a server that has nothing of what what needs, and says so.
func (s *session) notOurs(err error, what string) bool {
	if !isFault(err, client.UnknownMethod) {
		return false
	}
	s.fail("ERROR: this supervisord can't do that; %s needs Holdfast, or a newer one", what)
	return true
}

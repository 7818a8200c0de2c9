package ctl

import (
	"context"
	"slices"
	"strings"

	"holdfast/client"
)

var updateCommand = command{
	name: "update",
	help: "update\t\t\tHave the configuration read again, and add, remove and restart what it changes\n" +
		"update all\t\tThe same\n" +
		"update <gname> [...]\tThe same for these groups only",
	complete: completeGroups,
	run:      update,
}

func update(ctx context.Context, s *session, arg string) error {
	c, err := s.server()
	if err != nil {
		return err
	}
	added, changed, removed, err := c.ReloadConfig(ctx)
	if isFault(err, client.ShutdownState) {
		s.fail("ERROR: already shutting down")
		return nil
	}
	if err != nil {
		return err
	}
	if names := strings.Fields(arg); len(names) > 0 && !hasAll(names) {
		if err := s.checkGroups(ctx, c, names, added); err != nil {
			return err
		}
		other := func(g string) bool { return !slices.Contains(names, g) }
		added = slices.DeleteFunc(added, other)
		changed = slices.DeleteFunc(changed, other)
		removed = slices.DeleteFunc(removed, other)
	}
	for _, g := range removed {
		results, err := c.StopProcessGroup(ctx, g, true)
		if err != nil {
			return err
		}
		s.say("%s: stopped", g)
		if slices.ContainsFunc(results, func(r client.Result) bool { return r.Status == client.Failed }) {
			s.fail("%s: has problems; not removing", g)
			continue
		}
		if err := c.RemoveProcessGroup(ctx, g); err != nil {
			return err
		}
		s.say("%s: removed process group", g)
	}
	for _, g := range changed {
		if _, err := c.StopProcessGroup(ctx, g, true); err != nil {
			return err
		}
		s.say("%s: stopped", g)
		if err := c.RemoveProcessGroup(ctx, g); err != nil {
			return err
		}
		if err := c.AddProcessGroup(ctx, g); err != nil {
			return err
		}
		s.say("%s: updated process group", g)
	}
	for _, g := range added {
		if err := c.AddProcessGroup(ctx, g); err != nil {
			return err
		}
		s.say("%s: added process group", g)
	}
	return nil
}

// checkGroups complains of names that are neither active groups nor added ones.
func (s *session) checkGroups(ctx context.Context, c *client.Client, names, added []string) error {
	all, err := c.AllProcessInfo(ctx)
	if err != nil {
		return err
	}
	for i, name := range names {
		active := slices.ContainsFunc(all, func(p client.ProcessInfo) bool { return p.Group == name })
		if !active && !slices.Contains(added, name) && !slices.Contains(names[:i], name) {
			s.fail("ERROR: no such group: %s", name)
		}
	}
	return nil
}

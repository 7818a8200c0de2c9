package ctl

import (
	"context"
	"errors"
	"maps"
	"slices"

	"holdfast/client"
)

var rereadCommand = command{
	name: "reread",
	help: "reread \t\t\tHave the configuration read again and show what an update would change",
	run:  reread,
}

func reread(ctx context.Context, s *session, arg string) error {
	if !s.noArguments(*s.command("reread"), arg) {
		return nil
	}
	c, err := s.server()
	if err != nil {
		return err
	}
	added, changed, removed, err := c.ReloadConfig(ctx)
	var f *client.Fault
	switch {
	case isFault(err, client.ShutdownState):
		s.fail("ERROR: supervisor shutting down")
		return nil
	case isFault(err, client.CantReread) && errors.As(err, &f):
		s.fail("ERROR: %s", f.String)
		return nil
	case err != nil:
		return err
	}
	changes := map[string]string{}
	for _, g := range added {
		changes[g] = "available"
	}
	for _, g := range changed {
		changes[g] = "changed"
	}
	for _, g := range removed {
		changes[g] = "disappeared"
	}
	if len(changes) == 0 {
		s.say("No config updates to processes")
	}
	for _, g := range slices.Sorted(maps.Keys(changes)) {
		s.say("%s: %s", g, changes[g])
	}
	return nil
}

package ctl

import (
	"context"

	"holdfast/client"
)

var availCommand = command{
	name: "avail",
	help: "avail\t\t\tShow every process that the configuration has, active or not",
	run:  avail,
}

func avail(ctx context.Context, s *session, arg string) error {
	if !s.noArguments(*s.command("avail"), arg) {
		return nil
	}
	c, err := s.server()
	if err != nil {
		return err
	}
	infos, err := c.AllConfigInfo(ctx)
	if isFault(err, client.ShutdownState) {
		s.fail("ERROR: supervisor shutting down")
		return nil
	}
	if err != nil {
		return err
	}
	for _, p := range infos {
		use, auto := "avail", "manual"
		if p.InUse {
			use = "in use"
		}
		if p.AutoStart {
			auto = "auto"
		}
		s.say("%-32s %-9s %-9s %d:%d", joinName(p.Group, p.Name), use, auto, p.GroupPriority, p.ProcessPriority)
	}
	return nil
}

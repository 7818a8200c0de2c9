package ctl

import (
	"context"
	"strings"

	"holdfast/client"
)

var maintailCommand = command{
	name: "maintail",
	help: "maintail -f \tFollow the log of supervisord (until Ctrl-C)\n" +
		"maintail -100\tlast 100 *bytes* of the log of supervisord\n" +
		"maintail\tlast 1600 *bytes* of the log of supervisord\n",
	run: maintail,
}

func maintail(ctx context.Context, s *session, arg string) error {
	c, err := s.up(ctx)
	if c == nil {
		return err
	}
	args := strings.Fields(arg)
	modifier := ""
	switch {
	case len(args) > 1:
		s.misuse(*s.command("maintail"), "Error: too many arguments")
		return nil
	case len(args) == 1:
		modifier = args[0]
	}
	if modifier == "-f" {
		return s.follow(ctx, c, "/mainlogtail")
	}
	offset, ok := tailOffset(modifier)
	if !ok || modifier != "" && modifier[0] != '-' {
		s.fail("Error: bad argument %s", modifier)
		return nil
	}
	text, err := c.ReadLog(ctx, offset, 0)
	if isFault(err, client.BadName) { // of no meaning here, unlike in tail
		return err
	}
	return s.showLog("supervisord", text, err)
}

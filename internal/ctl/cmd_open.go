package ctl

import (
	"context"
	"strings"
)

var openCommand = command{
	name: "open",
	help: "open <url>\tTalk to another supervisord from now on.\n" +
		"\t\t(unix:///path/of/socket for a UNIX domain socket)",
	run: open,
}

func open(ctx context.Context, s *session, arg string) error {
	if scheme := strings.ToLower(urlScheme(arg)); scheme != "unix" && scheme != "http" {
		s.fail("ERROR: url must be http:// or unix://")
		return nil
	}
	s.connect(arg)
	exit := s.exit
	err := status(ctx, s, "")
	s.exit = exit
	return err
}

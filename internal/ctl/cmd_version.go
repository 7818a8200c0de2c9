package ctl

import "context"

var versionCommand = command{
	name: "version",
	help: "version\t\t\tShow the version of the supervisord that is running",
	run:  showVersion,
}

func showVersion(ctx context.Context, s *session, arg string) error {
	if !s.noArguments(*s.command("version"), arg) {
		return nil
	}
	c, err := s.up(ctx)
	if c == nil {
		return err
	}
	version, err := c.SupervisorVersion(ctx)
	if err != nil {
		return err
	}
	s.say("%s", version)
	return nil
}

package ctl

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"holdfast/client"
)

var upgradeCommand = command{
	name: "upgrade",
	help: "upgrade\t\t\tPut the supervisord that is installed now in charge, on the configuration as it is now\n" +
		"upgrade <path>\t\tThe same with the supervisord at that path\n" +
		"No process is stopped or started: those in the configuration are applied by update.\n" +
		"If the new supervisord could not take over, nothing changes, and it is said why.",
	ours: true,
	run:  upgrade,
}

// upgradeLimit is how long the next daemon, or the one before it again, has to answer: longer than supervisord
// has patience.
const upgradeLimit = 20 * time.Second

func upgrade(ctx context.Context, s *session, arg string) error {
	c, err := s.up(ctx)
	if c == nil {
		return err
	}
	if arg != "" {
		if arg, err = filepath.Abs(arg); err != nil {
			return err
		}
	}
	before, err := c.DaemonInfo(ctx)
	if isFault(err, client.UnknownMethod) {
		s.fail("ERROR: this supervisord can't be upgraded in place; only Holdfast can")
		return nil
	}
	if err != nil {
		return err
	}
	err = c.Upgrade(ctx, arg)
	var f *client.Fault
	if errors.As(err, &f) {
		s.fail("ERROR (not upgraded, nothing has changed): %s", strings.TrimPrefix(f.String, "FAILED: "))
		return nil
	}
	if err != nil {
		return err
	}
	after, err := s.nextDaemon(ctx, c, before.Daemon)
	switch {
	case err != nil:
		s.fail("ERROR: supervisord was told to upgrade, and can't be asked at %s how that went: %v", s.serverURL, err)
	case after.Trouble != "":
		s.fail("ERROR: %s; supervisord %s goes on", after.Trouble, after.Version)
	default:
		s.say("upgraded: %s (was %s), %s with pid %d", after.Version, before.Version, after.Program, after.Daemon)
	}
	return nil
}

// nextDaemon waits for another daemon than the one with that pid.
func (s *session) nextDaemon(ctx context.Context, c *client.Client, before int) (client.DaemonInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, upgradeLimit)
	defer cancel()
	for {
		c.Close() // what is open leads to the one before
		info, err := c.DaemonInfo(ctx)
		var status *client.HTTPError
		switch {
		case err == nil && info.Daemon != before:
			return info, nil
		case err == nil, errors.As(err, &status) && status.Code == 503, !errors.As(err, &status) && !gone(err):
		default:
			return info, err
		}
		select {
		case <-ctx.Done():
			return info, ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// gone tells whether err means that nobody listens there.
func gone(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ENOENT) || errors.Is(err, context.DeadlineExceeded)
}

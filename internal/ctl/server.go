package ctl

import (
	"context"
	"errors"
	"syscall"

	"holdfast/client"
)

// server returns the client of the session's server.
func (s *session) server() (*client.Client, error) {
	if s.client == nil {
		c, err := client.New(s.serverURL, s.username, s.password)
		if errors.Is(err, client.ErrUnknownProtocol) {
			err = valueError("Unknown protocol for serverurl " + s.serverURL)
		}
		if err != nil {
			return nil, err
		}
		s.client = c
	}
	return s.client, nil
}

// up returns the server after it has answered and proved to be one that we can talk to. If it is
// none that is said, the exit code is set, and the client is nil; err is for what has no words here.
func (s *session) up(ctx context.Context) (*client.Client, error) {
	c, err := s.server()
	if err != nil {
		return nil, err
	}
	const want = "3.0"
	version, err := c.Version(ctx)
	switch {
	case isFault(err, client.UnknownMethod):
		s.say("Sorry, supervisord responded but did not recognize the supervisor namespace commands that supervisorctl uses to control it.  Please check that the [rpcinterface:supervisor] section is enabled in the configuration file (see sample.conf).")
		s.exit = exitUnimplemented
	case errors.Is(err, syscall.ECONNREFUSED):
		s.say("%s refused connection", s.serverURL)
		s.exit = exitPrivileges
	case errors.Is(err, syscall.ENOENT):
		s.say("%s no such file", s.serverURL)
		s.exit = exitNotRunning
	case err != nil:
		return nil, err
	case version != want:
		s.say("Sorry, this version of supervisorctl expects to talk to a server with API version %s, but the remote version is %s.", want, version)
		s.exit = exitNotInstalled
	default:
		return c, nil
	}
	return nil, nil
}

// isFault tells whether err is a fault of that code.
func isFault(err error, code int) bool {
	var f *client.Fault
	return errors.As(err, &f) && f.Code == code
}

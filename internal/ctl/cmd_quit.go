package ctl

import "context"

var (
	quitCommand = command{name: "quit", help: "quit\tLeave the shell.", run: quit}
	exitCommand = command{name: "exit", help: "exit\tLeave the shell.", run: quit}

	// eofCommand is what the end of the input means; it may be typed too.
	eofCommand = command{name: "EOF", run: quit}
)

func quit(_ context.Context, s *session, _ string) error {
	s.say("")
	return errQuit
}

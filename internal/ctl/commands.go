package ctl

import (
	"context"
	"strings"
)

// A command is one action of supervisorctl.
type command struct {
	name     string
	help     string                                                      // what "help NAME" prints; empty: it is not listed and has none
	complete func(ctx context.Context, s *session, text string) []string // what TAB offers; nil: nothing
	ours     bool                                                        // the original has no such command
	run      func(ctx context.Context, s *session, arg string) error     // err is printed as a line that begins with "error: "
}

// table lists all commands, in the order of their names.
func table() []command {
	return []command{
		eofCommand,
		addCommand,
		availCommand,
		clearCommand,
		exitCommand,
		fgCommand,
		helpCommand,
		maintailCommand,
		openCommand,
		pidCommand,
		quitCommand,
		refreshCommand,
		reloadCommand,
		removeCommand,
		rereadCommand,
		restartCommand,
		shutdownCommand,
		signalCommand,
		startCommand,
		statusCommand,
		stopCommand,
		tailCommand,
		updateCommand,
		upgradeCommand,
		versionCommand,
	}
}

// command returns the command of that name, or nil.
func (s *session) command(name string) *command {
	for i := range s.commands {
		if s.commands[i].name == name {
			return &s.commands[i]
		}
	}
	return nil
}

// misuse is how a command answers wrong arguments: what is wrong, and its help.
func (s *session) misuse(c command, format string, args ...any) {
	s.fail(format, args...)
	s.say("%s", c.help)
}

// noArguments tells whether arg is empty, and says so if it is not.
func (s *session) noArguments(c command, arg string) bool {
	if arg != "" {
		s.misuse(c, "Error: %s accepts no arguments", c.name)
	}
	return arg == ""
}

func hasAll(names []string) bool {
	for _, n := range names {
		if n == "all" {
			return true
		}
	}
	return false
}

// joinName is how a process is shown: "name" if its group has the same one, else "group:name".
func joinName(group, name string) string {
	if group == name {
		return name
	}
	return group + ":" + name
}

// splitName takes a name as it was typed: "name", "group:name", or "group:*" and "group:", of which
// the process comes out empty.
func splitName(typed string) (group, process string) {
	group, process, found := strings.Cut(typed, ":")
	switch {
	case !found:
		return typed, typed
	case process == "*":
		return group, ""
	}
	return group, process
}

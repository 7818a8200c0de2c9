package ctl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"holdfast/client"
	"holdfast/internal/pyrepr"
)

var tailCommand = command{
	name: "tail",
	help: "tail [-f] <name> [stdout|stderr] (default stdout)\n" +
		"Ex:\n" +
		"tail -f <name>\t\tFollow what a process writes to stdout\n" +
		"\t\t\tuntil Ctrl-C.\n" +
		"tail -100 <name>\tlast 100 *bytes* that it wrote to stdout\n" +
		"tail <name> stderr\tlast 1600 *bytes* that it wrote to stderr",
	complete: completeProcesses,
	run:      tail,
}

const tailBytes = 1600

func tail(ctx context.Context, s *session, arg string) error {
	c, err := s.up(ctx)
	if c == nil {
		return err
	}
	args := strings.Fields(arg)
	switch {
	case len(args) < 1:
		s.misuse(*s.command("tail"), "Error: too few arguments")
		return nil
	case len(args) > 3:
		s.misuse(*s.command("tail"), "Error: too many arguments")
		return nil
	}
	modifier := ""
	if strings.HasPrefix(args[0], "-") {
		modifier, args = args[0], args[1:]
	}
	if len(args) == 0 {
		s.fail("Error: tail requires process name")
		return nil
	}
	// Of three words that are no modifier the one in the middle counts for nothing.
	name, channel := args[0], "stdout"
	if len(args) > 1 {
		channel = strings.ToLower(args[len(args)-1])
	}
	if channel != "stdout" && channel != "stderr" {
		s.fail("Error: bad channel %s", pyrepr.Repr(channel))
		return nil
	}
	if modifier == "-f" {
		return s.follow(ctx, c, "/logtail/"+name+"/"+channel)
	}
	offset, ok := tailOffset(modifier)
	if !ok {
		s.fail("Error: bad argument %s", modifier)
		return nil
	}
	read := c.ReadProcessStdoutLog
	if channel == "stderr" {
		read = c.ReadProcessStderrLog
	}
	text, err := read(ctx, name, offset, 0)
	return s.showLog(name, text, err)
}

// tailOffset is the offset that -100 stands for, which is then counted from the end.
func tailOffset(modifier string) (offset int, ok bool) {
	if modifier == "" {
		return -tailBytes, true
	}
	n, err := strconv.Atoi(modifier[1:])
	return -n, err == nil
}

// showLog prints what was read of a log, with one newline more, or why nothing was.
//
// Differs: the original warns first if stdout is not UTF-8. Bytes are printed as they are here,
// whatever the locale, so nothing can fail.
func (s *session) showLog(name, text string, err error) error {
	switch {
	case err == nil:
		s.say("%s", text)
	case isFault(err, client.NoFile):
		s.fail("%s: ERROR (no log file)", name)
	case isFault(err, client.Failed):
		s.fail("%s: ERROR (unknown error reading log)", name)
	case isFault(err, client.BadName):
		s.fail("%s: ERROR (no such process name)", name)
	default:
		return err
	}
	return nil
}

// follow prints a log as it grows, until Ctrl-C or until the server ends it.
func (s *session) follow(ctx context.Context, c *client.Client, path string) error {
	s.say("==> Press Ctrl-C to exit <==")
	s.stream(ctx, c, path, s.out)
	if ctx.Err() != nil {
		s.say("")
	}
	return nil
}

// stream follows a log to w. What goes wrong is said on stderr and leaves the exit code as it is.
//
// Differs: bytes that are not UTF-8 go through as they are; the original prints the repr of the
// whole piece that they came in.
func (s *session) stream(ctx context.Context, c *client.Client, path string, w io.Writer) {
	err := c.Follow(ctx, path, w)
	var h *client.HTTPError
	switch {
	case err == nil || ctx.Err() != nil:
	case errors.As(err, &h):
		fmt.Fprintf(s.errOut, "%s%s Cannot read, status code %d\n", s.serverURL, path, h.Code)
	default:
		class, text := pythonError(err)
		if class == "" {
			class, text = "OSError", err.Error()
		}
		fmt.Fprintf(s.errOut, "%s%s Cannot connect, error: <class '%s'> (%s)\n", s.serverURL, path, class, text)
	}
}

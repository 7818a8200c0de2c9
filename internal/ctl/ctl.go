// Package ctl is supervisorctl: it makes one command of its arguments, or reads commands in a
// shell, asks supervisord through package client, and prints what came of it.
//
//	supervisorctl status         one command; the exit code tells how it went
//	supervisorctl                the shell; the exit code is 0
//
// What is printed to stdout and the exit codes are the original's to the byte, since scripts read
// them. A command is one file, cmd_NAME.go: its name, its help, what TAB offers for it, what it
// does and how it exits. To add one write its file and name it in the table in commands.go.
package ctl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"

	"golang.org/x/term"

	"holdfast/client"
	"holdfast/internal/config"
)

// The exit codes, which are those of LSB init scripts.
const (
	exitOK             = 0
	exitGeneric        = 1
	exitInvalidArgs    = 2
	exitUnimplemented  = 3
	exitPrivileges     = 4
	exitNotInstalled   = 5
	exitNotRunning     = 7
	exitStatusDown     = 3 // of status
	exitStatusUnknown  = 4 // of status
	exitUsage          = 2
	exitKilledBySignal = 128 // plus the signal's number
)

// Main runs supervisorctl and returns its exit code; argv[0] is the program's name. The shell has
// line editing if stdin and stdout are terminals.
func Main(argv []string, stdin io.Reader, stdout, stderr io.Writer) (status int) {
	out := &checked{w: stdout}
	defer func() {
		if out.err != nil && status == exitOK {
			fmt.Fprintln(stderr, "error: cannot write to stdout: "+out.err.Error())
			status = exitGeneric
		}
	}()
	if f, ok := stdout.(*os.File); !ok || !term.IsTerminal(int(f.Fd())) {
		stdout = out // a shell with line editing needs the terminal itself
	}
	argv0 := config.Argv0(argv[0], os.Getenv("PATH"))
	fl, done, err := parseFlags(append([]string{argv0}, argv[1:]...), stdout)
	if done {
		return exitOK
	}
	var conf config.Ctl
	if err == nil {
		conf, err = loadConfig(argv0, fl.configuration)
	}
	if err != nil {
		usage(stderr, argv0, err)
		return exitUsage
	}
	s := newSession(conf, fl, newInput(stdin, stdout), stdout, stderr)
	defer s.close()
	if len(fl.words) == 0 {
		s.shell(conf.Prompt+"> ", conf.HistoryFile)
		return exitOK
	}
	s.execute(strings.Join(fl.words, " "))
	return s.exit
}

func loadConfig(argv0, path string) (config.Ctl, error) {
	if path == "" {
		path, _ = config.Find(argv0)
	}
	return config.LoadCtl(path)
}

// A session is what the commands of one run share.
type session struct {
	commands           []command
	serverURL          string
	username, password string
	interactive        bool // questions are asked
	in                 *input
	out, errOut        io.Writer
	exit               int            // what the process exits with; each command may set it
	client             *client.Client // nil until it is needed, and when the server has changed
	processes          []client.ProcessInfo
	asked              bool // processes is what the server answered since the last command
	startPatience      time.Duration
}

func newSession(conf config.Ctl, fl flags, in *input, out, errOut io.Writer) *session {
	s := &session{
		commands:    table(),
		serverURL:   conf.ServerURL,
		username:    conf.Username,
		password:    conf.Password,
		interactive: fl.interactive || len(fl.words) == 0,
		in:          in,
		out:         out,
		errOut:      errOut,

		startPatience: startPatience,
	}
	for _, f := range []struct {
		from *string
		to   *string
	}{{fl.serverURL, &s.serverURL}, {fl.username, &s.username}, {fl.password, &s.password}} {
		if f.from != nil {
			*f.to = *f.from
		}
	}
	return s
}

func (s *session) close() { s.connect("") }

// connect makes serverURL the server of the commands that follow.
func (s *session) connect(serverURL string) {
	if s.client != nil {
		s.client.Close()
		s.client = nil
	}
	s.serverURL = serverURL
}

// say prints a line.
func (s *session) say(format string, args ...any) { fmt.Fprintf(s.out, format+"\n", args...) }

// fail prints a line and makes 1 the exit code.
func (s *session) fail(format string, args ...any) {
	s.say(format, args...)
	s.exit = exitGeneric
}

// errQuit is what a command returns that ends the shell.
var errQuit = errors.New("quit")

// execute runs one line and tells whether the shell is to end. Ctrl-C gives the command up, and
// then the shell ends too; tail -f and fg take it for themselves.
//
// Differs: a single command that is given up exits with 130; the original dies of a traceback, and
// by the signal.
func (s *session) execute(line string) (quit bool) {
	name, arg, line := parseLine(line)
	if line == "" {
		return false
	}
	c := s.command(name)
	if c == nil {
		s.fail("*** Unknown syntax: %s", line)
		return false
	}
	s.asked = false
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	out := s.out
	defer func() { s.out = out }()
	run := func() error {
		s.out = out // the command may put another in its place, for itself
		return c.run(ctx, s, arg)
	}
	err := run()
	for err != nil && s.wantsPassword(err) {
		s.say("Server requires authentication")
		if !s.interactive {
			break
		}
		if err = s.askPassword(ctx); err == nil {
			err = run()
		}
	}
	switch {
	case err == nil:
	case errors.Is(err, errQuit):
		return true
	case ctx.Err() != nil || errors.Is(err, errInterrupt):
		s.exit = exitKilledBySignal + 2
		s.say("")
		return true
	default:
		s.fail("%s", errorLine(err))
	}
	return false
}

// parseLine cuts a line into the command's name and the rest; line is what it was read as, empty if
// there is nothing to do.
func parseLine(typed string) (name, arg, line string) {
	line = strings.TrimSpace(typed)
	if rest, ok := strings.CutPrefix(line, "?"); ok {
		line = "help " + rest
	}
	n := strings.IndexFunc(line, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_')
	})
	if n < 0 {
		n = len(line)
	}
	return line[:n], strings.TrimSpace(line[n:]), line
}

func (s *session) wantsPassword(err error) bool {
	var h *client.HTTPError
	return errors.As(err, &h) && h.Code == 401
}

func (s *session) askPassword(ctx context.Context) error {
	username, err := s.in.ask(ctx, "Username:")
	if err != nil {
		return err
	}
	password, err := s.in.askSecret(ctx, "Password:")
	if err != nil {
		return err
	}
	s.say("")
	s.username, s.password = username, password
	s.connect(s.serverURL)
	return nil
}

// checked remembers the first error of writing: an answer that was not written is no success.
type checked struct {
	w   io.Writer
	err error
}

func (c *checked) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	if c.err == nil {
		c.err = err
	}
	return n, err
}

package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode"

	"golang.org/x/sys/unix"

	"holdfast/internal/config"
	"holdfast/internal/httpd"
	"holdfast/internal/launch"
	"holdfast/internal/process"
	"holdfast/internal/rpc"
	"holdfast/internal/supervisor"
	"holdfast/internal/survive"
)

// An upgrade puts another daemon, of this program or another one, in the place of this one, which is a
// death that was announced: the next daemon takes over what this one leaves, as it always does.
//
//	asked -> the new program's rehearsal -> exec PATH to the guard -> the servers make room -> the end
//
// A refusal in the rehearsal changes nothing. A daemon that does not get up after it gives way to this
// one's program.

// rehearse is the first argument of a supervisord that is to say whether it could take over. Others refuse
// it: Supervisor takes no arguments but options.
const rehearse = "rehearse"

// readyWord begins the answer of one that could.
const readyWord = "ready to take over: "

const (
	rehearsalLimit = 10 * time.Second // as the guard has patience with a new daemon
	answerLimit    = time.Second      // for the requests that are under way, to be answered
)

// Upgrade is for the API (rpc.Daemon).
func (f faceOf) Upgrade(ctx context.Context, program string) error {
	d := f.d
	if !d.upgrading.CompareAndSwap(false, true) {
		return errors.New("an upgrade is under way")
	}
	err := d.upgrade(ctx, program, f.listeners)
	if err != nil {
		d.upgrading.Store(false)
	}
	return err
}

func (d *Daemon) upgrade(ctx context.Context, program string, listeners []*httpd.Listener) error {
	if d.state == nil {
		return errors.New("there is no state file, so no other supervisord could take over; the log says why")
	}
	if program == "" {
		program = d.program
	}
	if program != d.program {
		var err error
		if program, err = trusted(program, os.Geteuid()); err != nil {
			return err
		}
	}
	version, err := d.rehearsal(ctx, program)
	if err != nil {
		return err
	}
	if d.sup.Mood() != supervisor.MoodRunning {
		return supervisor.ErrShutdownState
	}
	if err := d.link.Exec(program); err != nil {
		return err
	}
	d.log.Logger().Warn(fmt.Sprintf("making room for %s (%s), which takes over all processes", program, version))
	go func() {
		for _, l := range listeners {
			l.Leave(answerLimit)
		}
		d.hands.Leave()
		d.log.Flush(time.Second)
		os.Exit(0) // without goodbye, so that the guard goes on
	}()
	return nil
}

// rehearsal asks a program whether it could take over, and returns its version.
func (d *Daemon) rehearsal(ctx context.Context, program string) (version string, err error) {
	if err := unix.Access(program, unix.X_OK); err != nil {
		return "", fmt.Errorf("cannot execute %s: %w", program, err)
	}
	running, err := configFile(d.cfg)
	if err != nil {
		return "", err
	}
	defer unix.Close(running)
	r, w, err := os.Pipe()
	if err != nil {
		return "", err
	}
	defer r.Close()
	defer w.Close()
	ended := make(chan process.ExitStatus, 1)
	p, err := launch.Start(launch.Spec{
		Path: program, Args: append([]string{os.Args[0], rehearse}, os.Args[1:]...), Env: d.environ,
		Files: [3]int{running, int(w.Fd()), int(w.Fd())},
		// Where the next daemon will be started: paths may be relative. Where this user may not look, they can't be.
		Dir: fmt.Sprintf("/proc/%d/cwd", d.pid()), DirSet: d.home >= 0,
		Exited: func(s process.ExitStatus, _ bool) { ended <- s },
	})
	w.Close()
	if err != nil {
		return "", fmt.Errorf("cannot start %s: %w", program, err)
	}
	said := make(chan string, 1)
	go func() {
		text, _ := io.ReadAll(io.LimitReader(r, 4<<10))
		said <- printable(string(text))
		_, _ = io.Copy(io.Discard, r) // who has more to say must get to the end of it
	}()
	limit := time.NewTimer(rehearsalLimit)
	defer limit.Stop()
	var status process.ExitStatus
	select {
	case status = <-ended:
	case <-ctx.Done():
		_ = p.Signal(unix.SIGKILL, true)
		return "", ctx.Err()
	case <-limit.C:
		_ = p.Signal(unix.SIGKILL, true)
		return "", fmt.Errorf("%s did not say within %v whether it could take over", program, rehearsalLimit)
	}
	r.SetReadDeadline(time.Now().Add(time.Second)) // who has inherited the pipe may hold it open
	text := <-said
	version, ready := strings.CutPrefix(text, readyWord)
	switch {
	case ready && status == process.ExitStatus{}:
		version, _, _ = strings.Cut(version, "\n")
		return version, nil
	case text == "":
		text = "it said nothing"
	}
	return "", fmt.Errorf("%s can't take over (%s): %s", program, status, text)
}

// printable is a text for the log and for terminals, whatever it was.
func printable(text string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r == '\n' || r == ' ' || unicode.IsGraphic(r) {
			return r
		}
		return '?'
	}, text))
}

// rehearseMain is supervisord when it is asked whether it could take over from the one whose configuration is
// on stdin. It changes nothing.
func rehearseMain(argv0 string, args []string, stdin *os.File, stdout, stderr io.Writer) int {
	err := rehearseWith(argv0, args, stdin, stderr)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 2
	}
	fmt.Fprintln(stdout, readyWord+Version)
	return 0
}

func rehearseWith(argv0 string, args []string, stdin *os.File, stderr io.Writer) error {
	flags, err := config.ParseFlags(argv0, args)
	if err != nil {
		return err
	}
	running, err := readConfig(stdin)
	if err != nil {
		return fmt.Errorf("%s is a question of the supervisord that runs; ask it by supervisorctl upgrade (%w)", rehearse, err)
	}
	path, err := findConfig(argv0, flags, stderr, false)
	if err != nil {
		return err
	}
	cfg, err := config.Load(path, flags, os.Environ())
	if err != nil {
		return err
	}
	return errors.Join(unchangeable(running, cfg), try(running, cfg))
}

// unchangeable refuses what takes more than an upgrade.
func unchangeable(running, next *config.Config) error {
	a, b := &running.Supervisord, &next.Supervisord
	const cure = "; an upgrade can't change it: change it back, or shut supervisord down and start it anew"
	if a.PidFile != b.PidFile {
		return fmt.Errorf("pidfile= in [supervisord] is %s and was %s%s", b.PidFile, a.PidFile, cure)
	}
	if uidText(a.UID) != uidText(b.UID) {
		return fmt.Errorf("user= in [supervisord] is %s and was %s%s", uidText(b.UID), uidText(a.UID), cure)
	}
	return nil
}

func uidText(uid *int) string {
	if uid == nil {
		return "not set"
	}
	return fmt.Sprint(*uid)
}

// try does what can fail in a start and leaves no trace.
func try(running, next *config.Config) error {
	if err := survive.Check(survive.PathFor(next.Supervisord.PidFile)); err != nil {
		return err
	}
	d := &Daemon{cfg: next, stderr: os.Stderr}
	if err := d.raiseLimits(); err != nil {
		return err
	}
	if err := d.openLog(); err != nil {
		return err
	}
	d.log.Close(time.Second)
	for _, s := range next.Servers {
		if has(running, s) {
			continue
		}
		l, err := d.open(s, nil)
		if err != nil {
			return listenError(s, err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		_ = l.Close(ctx)
		cancel()
	}
	return nil
}

func has(c *config.Config, s config.Server) bool {
	for _, other := range c.Servers {
		if serverKey(other) == serverKey(s) {
			return true
		}
	}
	return false
}

// Info is for the API (rpc.Daemon).
func (f faceOf) Info() rpc.DaemonInfo {
	d := f.d
	info := rpc.DaemonInfo{Version: Version, PID: d.pid(), Daemon: os.Getpid(), Since: d.since.Unix(), Program: d.program, Config: d.path}
	if d.link != nil {
		info.Trouble = d.link.Why()
	}
	return info
}

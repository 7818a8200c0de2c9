// Package daemon is supervisord: it boots, becomes a daemon, joins the supervisor's loop with its
// hands and faces, hands signals on, and stops or starts all over when it is told to.
//
//	command line -> config.Load -> [a second process in the background] -> user -> the guard
//	-> another process, the daemon: config.Load -> limits -> state file -> main log -> HTTP servers
//	-> AUTO logs -> detach, pidfile -> supervisor.Run, or Resume -> the end, or once more
//
// It is the only package that knows all the others.
package daemon

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/internal/config"
	"holdfast/internal/guard"
	"holdfast/internal/launch"
	"holdfast/internal/sdnotify"
)

// Version is what supervisord -v and getSupervisorVersion say: the version of Supervisor whose
// behaviour this is, and Holdfast's own behind the plus sign.
const Version = "4.4.0+holdfast.0.1.0"

// Main is supervisord with the given argv; the result is its exit status: 0 after a shutdown, or
// once the background process is up, that of the program whose end ends it (exit_supervisor_when), 2
// for what is wrong with the command line, the configuration or the surroundings.
func Main(argv []string, stdout, stderr *os.File) int {
	if os.Getenv(guard.Env) != "" {
		return guard.Main(argv, stderr)
	}
	go reserveFiles(1024) // as early as can be; enough for 200 programs
	argv0 := config.Argv0(argv[0], os.Getenv("PATH"))
	if len(argv) > 1 && argv[1] == rehearse {
		return rehearseMain(argv0, argv[2:], os.Stdin, stdout, stderr)
	}
	flags, err := config.ParseFlags(argv0, argv[1:])
	switch {
	case err != nil:
		return usage(stderr, argv0, err)
	case flags.Help:
		fmt.Fprint(stdout, config.Usage(argv0))
		return 0
	case flags.Version:
		fmt.Fprintln(stdout, Version)
		return 0
	}
	link, err := guard.Connect()
	if err != nil {
		return usage(stderr, argv0, err)
	}
	path, err := findConfig(argv0, flags, stderr, link == nil)
	if err != nil {
		return usage(stderr, argv0, err)
	}
	if link == nil {
		return launcher(argv, argv0, path, flags, stderr)
	}
	ready := launch.Ready() // before the environment is read: the children are not to have its variable
	// Differs: the original passes on what a service manager has meant for it alone.
	environ := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, sdnotify.Env+"=") })
	d := &Daemon{path: path, flags: flags, environ: environ, stdout: stdout, stderr: stderr, ready: ready, link: link, since: time.Now()}
	d.program = ownPath(argv0)
	d.home, _ = unix.Open(".", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0) // -1 if this user may not look into it
	cfg, err := d.firstConfig()
	if err != nil {
		return usage(stderr, argv0, err)
	}
	d.path = cfg.Path
	go reserveThreads() // ends at once, beside the boot
	if n := cfg.Processes(); n > 200 {
		go reserveFiles(filesFor(n))
	}
	if err := d.Run(cfg); err != nil {
		return usage(stderr, argv0, err)
	}
	return d.status
}

// launcher is the process that the user has started: it sees whether all is well, goes to the background,
// and becomes the guard. It returns when it could not, or when the one in the background is up.
func launcher(argv []string, argv0, path string, flags *config.Flags, stderr io.Writer) int {
	cfg, err := config.Load(path, flags, os.Environ())
	if err != nil {
		return usage(stderr, argv0, err)
	}
	if !cfg.Supervisord.NoDaemon && os.Getenv(launch.ReadyEnv) == "" {
		status, err := launch.Background()
		if err != nil {
			return usage(stderr, argv0, fmt.Errorf("cannot start the background process: %w", err))
		}
		return status
	}
	d := &Daemon{cfg: cfg}
	if err := d.dropPrivileges(); err != nil {
		return usage(stderr, argv0, err)
	}
	return usage(stderr, argv0, guard.Become(argv, nil))
}

// findConfig is the file of -c, or the first one in the usual places.
func findConfig(argv0 string, flags *config.Flags, stderr io.Writer, first bool) (string, error) {
	if flags.HasConfig {
		return flags.ConfigFile, nil
	}
	path, tried := config.Find(argv0)
	if path == "" {
		return "", config.NotFound(tried)
	}
	if os.Getuid() == 0 && first && os.Getenv(launch.ReadyEnv) == "" {
		fmt.Fprintln(stderr, argv0+": UserWarning: Supervisord is running as root and it is searching for its "+
			"configuration file in default locations (including its current working directory); you probably want "+
			"to specify a \"-c\" argument specifying an absolute path to a configuration file for improved security.")
	}
	return path, nil
}

// usage prints every error of err on a line of its own, and where to find help.
func usage(stderr io.Writer, argv0 string, err error) int {
	var many config.Errors
	if errors.As(err, &many) {
		for _, e := range many {
			fmt.Fprintln(stderr, "Error: "+e.Error())
		}
	} else {
		fmt.Fprintln(stderr, "Error: "+err.Error())
	}
	fmt.Fprintln(stderr, "For help, use "+argv0+" -h")
	return 2
}

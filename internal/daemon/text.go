package daemon

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"

	"holdfast/internal/config"
	"holdfast/internal/httpd"
	"holdfast/internal/launch"
)

// The texts of this file are Supervisor's to the byte (spec config §6, process §9), with a place or
// a cure added.

const rootText = "Supervisor is running as root.  Privileges were not dropped because no user is specified " +
	"in the config file.  If you intend to run as root, you can set user=root in the config file to avoid this message."

func notRootText() string {
	return "Can't drop privilege as nonroot user ([supervisord] user= is another user than the one who " +
		"starts supervisord; start it as root, or leave user= out)"
}

func minFDsText(want int, limit uint64) string {
	return fmt.Sprintf(`The minimum number of file descriptors required to run this process is %d as per the `+
		`"minfds" command-line argument or config file setting. The current environment will only allow you to `+
		`open %d file descriptors.  Either raise the number of usable file descriptors in your environment `+
		`(see README.rst) or lower the minfds setting in the config file to allow the process to start.`, want, limit)
}

func minProcsText(want int, limit uint64) string {
	return fmt.Sprintf(`The minimum number of available processes required to run this program is %d as per the `+
		`"minprocs" command-line argument or config file setting. The current environment will only allow you to `+
		`open %d processes.  Either raise the number of usable processes in your environment (see README.rst) `+
		`or lower the minprocs setting in the config file to allow the program to start.`, want, limit)
}

// listenError is the original's text for a server that can't be opened, with the place added.
func listenError(s config.Server, err error) error {
	var chown *httpd.ChownError
	var errno syscall.Errno
	where := "[" + s.Section + "] " + s.Address + ": "
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return errors.New(where + "Another program is already listening on a port that one of our HTTP servers is " +
			"configured to use.  Shut this program down first before starting supervisord.")
	case errors.As(err, &chown):
		return fmt.Errorf("%sNot permitted to chown %s to uid/gid (%d, %d); adjust \"sockchown\" value in config file "+
			"or on command line to values that the current user (%s) can successfully chown (the option is chown=)",
			where, chown.Path, chown.UID, chown.GID, userName())
	case errors.As(err, &errno):
		return fmt.Errorf("%sCannot open an HTTP server: socket.error reported errno.%s (%d): %w",
			where, launch.ErrnoName(errno), int(errno), err)
	}
	return fmt.Errorf("%sCannot open an HTTP server: %w", where, err)
}

// userName is who runs this, for a person to read.
func userName() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return strconv.Itoa(os.Getuid())
}

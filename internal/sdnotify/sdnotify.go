// Package sdnotify speaks the notification protocol of systemd's services (sd_notify(3)): a datagram of
// NAME=VALUE lines to a unix socket that an environment variable names.
//
// Send is the side of the service, Parse that of who has started it.
package sdnotify

import (
	"fmt"
	"net"
	"os"
	"strings"
)

// Env names the variable with the socket's address: a path, or a name in the abstract namespace behind "@".
const Env = "NOTIFY_SOCKET"

// A service that is to say WATCHDOG=1 finds in the first how often, in microseconds; the second, if it is there, names
// the one process that is meant.
const (
	EnvWatchdog    = "WATCHDOG_USEC"
	EnvWatchdogPID = "WATCHDOG_PID"
)

// What a service says of itself.
const (
	Ready    = "READY=1"
	Stopping = "STOPPING=1"
)

// Send tells whoever has started this process how it is. Without anybody who wants to know it does nothing.
func Send(lines ...string) error {
	address := os.Getenv(Env)
	if address == "" {
		return nil
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: address, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("cannot notify %s: %w", address, err)
	}
	defer c.Close()
	if _, err := c.Write([]byte(strings.Join(lines, "\n"))); err != nil {
		return fmt.Errorf("cannot notify %s: %w", address, err)
	}
	return nil
}

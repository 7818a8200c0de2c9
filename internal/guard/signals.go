package guard

import (
	"os"
	"os/signal"
	"syscall"
)

// forwarded are the signals that are for the daemon.
var forwarded = [...]syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT,
	syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2}

// signals has a channel for each of forwarded. Each has room for one, as the kernel itself keeps one of a
// kind: so no flood of one kind makes another one be dropped.
type signals [len(forwarded)]chan os.Signal

func newSignals() *signals {
	s := &signals{}
	for i, sig := range forwarded {
		s[i] = make(chan os.Signal, 1)
		signal.Notify(s[i], sig)
	}
	return s
}

func asksForEnd(sig syscall.Signal) bool {
	return sig == syscall.SIGTERM || sig == syscall.SIGINT || sig == syscall.SIGQUIT
}

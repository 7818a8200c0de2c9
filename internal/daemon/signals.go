package daemon

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"holdfast/internal/dlog"
	"holdfast/internal/process"
	"holdfast/internal/supervisor"
)

// handleSignals hands the signals that come from now on to the supervisor (spec process §8). The
// result ends that.
func (d *Daemon) handleSignals() (stop func()) {
	wanted := []os.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2}
	if d.cfg.Supervisord.LogLevel <= dlog.Debug {
		wanted = append(wanted, syscall.SIGCHLD) // for its log line alone
	}
	// A write to a closed stdout must be an error and not the end.
	signal.Ignore(syscall.SIGPIPE)
	// The runtime drops what does not fit; the original too keeps only one signal of a kind.
	signals := make(chan os.Signal, len(wanted))
	signal.Notify(signals, wanted...)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for sig := range signals {
			d.handle(sig.(syscall.Signal))
		}
	}()
	return func() {
		signal.Stop(signals)
		close(signals)
		<-done
	}
}

func (d *Daemon) handle(sig syscall.Signal) {
	logger := d.log.Logger()
	name := process.SignalName(sig)
	switch sig {
	case syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT:
		logger.Warn("received " + name + " indicating exit request")
		d.sup.SetMood(supervisor.MoodShutdown)
	case syscall.SIGHUP:
		if d.sup.Mood() == supervisor.MoodShutdown {
			logger.Warn("ignored " + name + " indicating restart request (shutdown in progress)")
			return
		}
		logger.Warn("received " + name + " indicating restart request")
		d.sup.SetMood(supervisor.MoodRestarting)
	case syscall.SIGUSR2:
		logger.Info("received " + name + " indicating log reopen request")
		d.reopenLogs()
	case syscall.SIGUSR1:
		// Differs: the original dies of it and leaves its children to nobody.
		logger.Warn("received " + name + ", which means nothing here (SIGUSR2 reopens the logs)")
	case syscall.SIGCHLD:
		logger.Log(context.Background(), dlog.Debug, "received SIGCHLD indicating a child quit")
	}
}

func (d *Daemon) reopenLogs() {
	logger := d.log.Logger()
	logger.Info("supervisord logreopen")
	if err := d.log.Reopen(); err != nil {
		logger.Error(fmt.Sprintf("cannot reopen the main log, it goes on in the file that was open: %v", err))
	}
	d.hands.ReopenLogs()
}

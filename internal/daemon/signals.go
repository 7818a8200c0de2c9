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

// handleSignals hands the signals to the supervisor of this round (spec process §8). The result ends
// that, and leaves those that come from then on to the next round: a signal between two rounds must
// not have its default action, which is to end a daemon that has just stopped everything.
func (d *Daemon) handleSignals() (stop func()) {
	if d.signals == nil {
		// A write to a closed stdout must be an error and not the end.
		signal.Ignore(syscall.SIGPIPE)
		// Differs: the original dies of SIGALRM, SIGIO and others that have no meaning here either; Go
		// passes them over.
		//
		// The runtime drops what does not fit; the original too keeps only one signal of a kind.
		wanted := []os.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2}
		d.signals = make(chan os.Signal, 2*len(wanted))
		signal.Notify(d.signals, wanted...)
	}
	// For their log lines alone, and apart, so that many exits leave room for the others.
	exits := make(chan os.Signal, 1)
	if d.cfg.Supervisord.LogLevel <= dlog.Debug {
		signal.Notify(exits, syscall.SIGCHLD)
	}
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case sig := <-d.signals:
				d.handle(sig.(syscall.Signal))
			case sig := <-exits:
				d.handle(sig.(syscall.Signal))
			case <-quit:
				return
			}
		}
	}()
	return func() {
		signal.Stop(exits)
		close(quit)
		<-done
	}
}

func (d *Daemon) handle(sig syscall.Signal) {
	logger := d.log.Logger()
	name := process.SignalName(sig)
	switch sig {
	case syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT:
		logger.Warn("received " + name + " indicating exit request")
		d.exiting.Store(true) // the supervisor of a restart may have ended just now
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

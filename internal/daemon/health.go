package daemon

import (
	"context"
	"errors"
	"time"

	"holdfast/internal/child"
	"holdfast/internal/config"
	"holdfast/internal/health"
	"holdfast/internal/probe"
	"holdfast/internal/sdnotify"
)

func (h hands) Probe(p *config.Process, c *config.Check, pid int, done func(error)) {
	go func() { done(h.probe(p, c, pid)) }() // ends within the check's timeout
}

func (h hands) probe(p *config.Process, c *config.Check, pid int) error {
	ctx := context.Background()
	if c.Kind != config.CheckExec {
		err := h.prober.Do(ctx, c)
		if unable := new(*probe.Unable); errors.As(err, unable) {
			return &health.Unmade{Err: err}
		}
		return err
	}
	name := "readiness"
	if c == p.Health.Live {
		name = "liveness"
	}
	err := h.Command(ctx, p, child.Command{Name: name, Line: c.Target, MainPID: pid, Timeout: seconds(c.TimeoutSecs), Quiet: true})
	if unable := new(*child.Unable); errors.As(err, unable) || errors.Is(err, context.Canceled) { // the latter: we are at the end
		return &health.Unmade{Err: err}
	}
	return err
}

func (h hands) StopCommand(p *config.Process, pid int, done func(error)) {
	go h.beside(p, child.Command{Name: "stop_command", Line: p.Hooks.Stop, MainPID: pid, Timeout: seconds(max(p.StopWaitSecs, 1))}, done)
}

func (h hands) PostStop(p *config.Process, pid int, done func(error)) {
	go h.beside(p, child.Command{Name: "post_stop_command", Line: p.Hooks.PostStop, MainPID: pid, Timeout: seconds(p.Hooks.TimeoutSecs)}, func(err error) {
		if err != nil {
			h.d.log.Logger().Warn(p.Name + " post_stop_command: " + err.Error())
		}
		done(err)
	})
}

func (h hands) Reload(ctx context.Context, p *config.Process, pid int) error {
	return h.Command(ctx, p, child.Command{Name: "reload_command", Line: p.Hooks.Reload, MainPID: pid, Timeout: seconds(p.Hooks.TimeoutSecs)})
}

// beside ends within the command's timeout. At the end of the children's hands nothing is done: the daemon after this
// one runs the command anew.
func (h hands) beside(p *config.Process, c child.Command, done func(error)) {
	if err := h.Command(context.Background(), p, c); !errors.Is(err, context.Canceled) {
		done(err)
	}
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }

// said is what a process has said of itself, for those who judge it.
func said(m sdnotify.Message) health.Notified {
	n := health.Notified{
		Ready: m.Ready, Reloading: m.Reloading, Stopping: m.Stopping,
		Watchdog: m.Alive, WatchdogEvery: m.Watchdog, Trigger: m.Hung,
		MainPID: m.MainPID, Extend: m.ExtendTimeout,
	}
	if m.StatusSet {
		n.Status = &m.Status
	}
	return n
}

package daemon

import (
	"context"
	"log/slog"
	"testing"

	"holdfast/internal/child"
	"holdfast/internal/config"
)

// logTo hands on the text of each record.
type logTo chan string

func (c logTo) Enabled(context.Context, slog.Level) bool { return true }
func (c logTo) Handle(_ context.Context, r slog.Record) error {
	c <- r.Message
	return nil
}
func (c logTo) WithAttrs([]slog.Attr) slog.Handler { return c }
func (c logTo) WithGroup(string) slog.Handler      { return c }

// A stop_command that an upgrade interrupts is not over: the next daemon runs it again, and the process is not
// told to end before.
func TestCommandThatAnUpgradeInterruptsIsNotDone(t *testing.T) {
	lines := make(logTo, 10)
	m := child.New(child.Options{Log: slog.New(lines)})
	p := &config.Process{Group: "web", Name: "web"}
	over, done := make(chan bool), make(chan error, 1)
	go func() {
		hands{Manager: m}.beside(p, child.Command{Name: "stop_command", Line: "/bin/sh -c 'echo up; exec sleep 100'"},
			func(err error) { done <- err })
		close(over)
	}()
	if got, want := <-lines, "web stop_command: up"; got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
	m.Leave()
	<-over
	select {
	case err := <-done:
		t.Errorf("it is said to be over: %v", err)
	default:
	}
	m.Close()
}

package supervisor

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"syscall"
	"time"

	"holdfast/internal/dlog"
	"holdfast/internal/process"
)

// The lines of this file are Supervisor's to the byte (spec process §4.4, §7).

func (s *Supervisor) log(level slog.Level, text string) {
	ctx := context.Background()
	if s.Memory == nil {
		s.Log.Log(ctx, level, text)
	} else if s.Log.Enabled(ctx, level) {
		s.said = append(s.said, slog.NewRecord(time.Now(), level, text, 0)) // for commit
	}
}

func (s *Supervisor) logWaitingToStop(p *proc) {
	s.log(dlog.Info, "waiting for "+p.config.Name+" to stop")
}

func (s *Supervisor) logSignal(p *proc, sig syscall.Signal) {
	s.log(dlog.Debug, fmt.Sprintf("sending %s (pid %d) sig %s", p.config.Name, p.record.PID, process.SignalName(sig)))
}

// logShutdown says which processes a shutdown waits for.
func (s *Supervisor) logShutdown() {
	var names, states []string
	for _, g := range s.inOrderOfComing() {
		for _, p := range g.procs {
			if p.unstopped() {
				names = append(names, p.config.Name)
				states = append(states, p.config.Name+" state: "+p.record.State.String())
			}
		}
	}
	if len(names) > 0 {
		s.log(dlog.Info, "waiting for "+strings.Join(names, ", ")+" to die")
	}
	for _, state := range states {
		s.log(dlog.Blather, state)
	}
}

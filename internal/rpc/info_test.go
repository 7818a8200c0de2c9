package rpc

import (
	"math"
	"testing"
	"time"

	"holdfast/internal/process"
	"holdfast/internal/supervisor"
)

func TestDescription(t *testing.T) {
	start := time.Date(2026, 3, 4, 5, 6, 7, 0, time.Local)
	up := func(d time.Duration) supervisor.Info {
		return supervisor.Info{State: process.Running, PID: 42, Start: start, Now: start.Add(d)}
	}
	for _, tt := range []struct {
		rule string
		info supervisor.Info
		want string
	}{
		{"running", up(2*time.Hour + 2*time.Minute + 18*time.Second), "pid 42, uptime 2:02:18"},
		{"running for less than a second", up(time.Second / 2), "pid 42, uptime 0:00:00"},
		{"running when the clock was set back", up(-time.Hour), "pid 42, uptime 0:00:00"},
		{"running for 23 hours", up(23*time.Hour + 59*time.Minute + 59*time.Second), "pid 42, uptime 23:59:59"},
		{"running for a day", up(24*time.Hour + 5*time.Second), "pid 42, uptime 1 day, 0:00:05"},
		{"running for days", up(100*24*time.Hour + 10*time.Hour), "pid 42, uptime 100 days, 10:00:00"},
		{"given up", supervisor.Info{State: process.Fatal, SpawnErr: "no such file"}, "no such file"},
		{"given up for no known reason", supervisor.Info{State: process.Fatal, Name: "p"}, `unknown error (try "tail p")`},
		{"in back-off", supervisor.Info{State: process.Backoff, SpawnErr: "Exited too quickly"}, "Exited too quickly"},
		{"never started", supervisor.Info{State: process.Stopped}, "Not started"},
		{"stopped", supervisor.Info{State: process.Stopped, Start: start, Stop: start}, "Mar 04 05:06 AM"},
		{"exited in the afternoon", supervisor.Info{State: process.Exited, Start: start, Stop: start.Add(12 * time.Hour)}, "Mar 04 05:06 PM"},
		{"stopped and never ended", supervisor.Info{State: process.Stopped, Start: start}, time.Unix(0, 0).Format("Jan 02 03:04 PM")},
		{"starting", supervisor.Info{State: process.Starting, PID: 42, Start: start}, ""},
		{"stopping", supervisor.Info{State: process.Stopping, PID: 42, Start: start}, ""},
		{"unknown", supervisor.Info{State: process.Unknown, Start: start}, ""},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			if got := description(tt.info); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestEpoch(t *testing.T) {
	for _, tt := range []struct {
		rule string
		t    time.Time
		want int64
	}{
		{"never is 0", time.Time{}, 0},
		{"parts of a second are cut off", time.Unix(5, 999999999), 5},
		{"after 2038 it stays at the end", time.Unix(1<<40, 0), math.MaxInt32},
	} {
		if got := epoch(tt.t); got != tt.want {
			t.Errorf("%s: got %d, want %d", tt.rule, got, tt.want)
		}
	}
}

package child

import (
	"io"
	"log/slog"
	"slices"
	"syscall"
	"testing"
	"time"

	"holdfast/internal/config"
	"holdfast/internal/process"
)

// BenchmarkRestart is from SIGKILL to the report of its end, and on to that of its successor's
// start.
//
//	go test -run - -bench . -benchtime 300x -cpu 1,2 ./internal/child
func BenchmarkRestart(b *testing.B) {
	facts := make(chan process.Event, 1000)
	m := New(Options{Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Environ: []string{"PATH=/bin:/usr/bin"},
		Report: func(_ uint64, e process.Event) {
			if e != (process.Reaped{}) {
				facts <- e
			}
		}})
	defer m.Close()
	p := &config.Process{Name: "sleep", Command: "/bin/sleep 1000", StopAsGroup: true}
	var ends, starts, hundred []time.Duration
	spawn := uint64(1)
	m.Spawn(p, spawn)
	<-facts
	for b.Loop() {
		begin := time.Now()
		m.Signal(spawn, syscall.SIGKILL, true)
		if _, ok := (<-facts).(process.Ended); !ok {
			b.Fatal("no Ended")
		}
		m.Done(spawn)
		ends = append(ends, time.Since(begin))
		spawn++
		m.Spawn(p, spawn)
		if _, ok := (<-facts).(process.Spawned); !ok {
			b.Fatal("no Spawned")
		}
		starts = append(starts, time.Since(begin))
	}
	m.Signal(spawn, syscall.SIGKILL, true)
	<-facts
	for range 5 {
		begin := time.Now()
		for range 100 {
			spawn++
			m.Spawn(p, spawn)
		}
		for range 100 {
			<-facts
		}
		hundred = append(hundred, time.Since(begin))
		for i := range uint64(100) {
			m.Signal(spawn-i, syscall.SIGKILL, true)
		}
		for range 100 {
			<-facts
		}
	}
	for unit, d := range map[string][]time.Duration{"µs-to-ended": ends, "µs-to-spawned": starts, "µs-for-100": hundred} {
		slices.Sort(d)
		b.ReportMetric(float64(d[len(d)/2].Nanoseconds())/1000, unit)
	}
}

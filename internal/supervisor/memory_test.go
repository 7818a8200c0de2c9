package supervisor

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	gocmp "github.com/google/go-cmp/cmp"

	"holdfast/internal/config"
	"holdfast/internal/listener"
)

// A memory is what the next daemon would know.
type memory struct {
	sc        *scene
	uncounted int // calls since Commit
	events    map[string]map[uint64]bool
}

func (sc *scene) remembers() Memory {
	if sc.memory == nil {
		return nil
	}
	sc.memory.sc = sc
	return sc.memory
}

func (m *memory) Keep(*config.Process, Kept) { m.uncounted++ }
func (m *memory) Forget(*config.Process)     { m.uncounted++ }
func (m *memory) KeepDaemon(KeptDaemon)      { m.uncounted++ }

func (m *memory) KeepEvent(pool string, e listener.Saved) {
	m.uncounted++
	if m.events[pool] == nil {
		m.events[pool] = make(map[uint64]bool)
	}
	m.events[pool][e.PoolSerial] = true
}

func (m *memory) EndEvent(pool string, poolSerial uint64) {
	m.uncounted++
	delete(m.events[pool], poolSerial)
}

func (m *memory) Commit(lines []slog.Record) {
	m.uncounted = 0
	for _, r := range lines {
		m.sc.Handle(context.Background(), r)
	}
}

// standing holds that all that was kept and said counts, before anybody else can know of it.
func (sc *scene) standing(before string) {
	if sc.memory == nil || sc.sup == nil {
		return
	}
	if n := sc.memory.uncounted; n > 0 {
		sc.t.Errorf("before %s %d things that were kept don't count", before, n)
	}
	if n := len(sc.sup.said); n > 0 {
		sc.t.Errorf("before %s %d lines are not logged", before, n)
	}
}

// With a memory the same things happen, and it has the events that the pools have.
func TestScriptsWithMemory(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.txt")
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			m := &memory{events: make(map[string]map[uint64]bool)}
			var got string
			synctest.Test(t, func(t *testing.T) { got = play(t, string(want), m) })
			// What is said to the hands may stand before the lines that were said before it.
			if diff := gocmp.Diff(sorted(string(want)), sorted(got)); diff != "" {
				t.Error(diff)
			}
			for pool, events := range m.events {
				if len(events) > 0 {
					t.Errorf("events of pool %s that has ended: %v", pool, events)
				}
			}
		})
	}
}

func sorted(text string) []string { return slices.Sorted(strings.Lines(text)) }

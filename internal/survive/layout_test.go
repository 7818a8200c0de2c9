package survive

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"flag"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"holdfast/internal/dlog"
	"holdfast/internal/launch"
	"holdfast/internal/process"
)

var recordLayout = flag.Bool("record", false, "write a state file of the present layout into testdata")

const recorded = "testdata/v2.state.gz"

// What is in the recorded file.
var (
	layoutDaemon  = Daemon{Mood: 1, NextSerial: 41, Beginning: true, ExitCode: 3}
	layoutEntries = []Entry{
		{Group: "web", Name: "web_00",
			Kept: Kept{Record: process.Record{State: process.Running, Spawn: 7, PID: 99, QuickLives: 2}},
			Cell: launch.Cell{Spawn: 7, Begun: 8, Start: 9, PID: 99, Parent: 3, Grandparent: 2, Pipes: [3]uint64{4, 5, 6}}},
		{Group: "web", Name: "web_01",
			Kept: Kept{Record: process.Record{State: process.Stopping, Spawn: 8, PID: 100, Killing: true, LeaderGone: true, Retries: 1, TooQuick: true,
				Exit: &process.ExitStatus{Code: 1, Signal: syscall.SIGTERM, Core: true, Unknown: true}, SpawnErr: "why"}, Signal: Signal{15, true}, AutoStart: true},
			Cell: launch.Cell{Spawn: 8, PID: 100, Ended: 1, Code: 3, Signal: 4, Core: 1, Unknown: 1}},
		{Group: "ears", Name: "ears",
			Kept: Kept{Record: process.Record{State: process.Running, Spawn: 9, PID: 101}, Listener: &Listener{Said: 20, Pending: []byte("RES"),
				Missing: 3, Result: []byte("O"), Heard: []byte("READY\nRES"), InHand: 5, Staged: true, NextSerial: 6, Events: 2}},
			Cell: launch.Cell{Spawn: 9, PID: 101}},
	}
	layoutEvents = []Event{
		{Group: "ears", PoolSerial: 4, Serial: 39, Type: "TICK_5", Payload: "when:1700000005"},
		{Group: "ears", PoolSerial: 5, Serial: 40, Type: "PROCESS_LOG_STDOUT", Payload: string(bytes.Repeat([]byte("0123456789"), 500)), Vain: true},
	}
	layoutLines = []dlog.Line{
		{Text: []byte("2026-01-02 03:04:05,678 INFO one\n"), Mark: 37, Begun: true, At: dlog.Place{Dev: 1, Ino: 2, Offset: 3}},
		{Text: []byte("2026-01-02 03:04:05,679 INFO two\n"), Mark: 74},
	}
)

// TestLayout reads a file that was recorded with this layout: as long as it passes the files of before can be
// taken over, and when it can't, the layout has another Version.
func TestLayout(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.state")
	if *recordLayout {
		writeLayout(t, path)
		return
	}
	packed, err := os.Open(recorded)
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	r, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	// As if it were of this boot.
	line, _, _ := bytes.Cut(data[:journalAt], []byte("\n"))
	var h Header
	if err := json.Unmarshal(line, &h); err != nil {
		t.Fatal(err)
	}
	if h.Version != Version || h.PID != header.PID || !h.Since.Equal(header.Since) || h.Config != header.Config {
		t.Errorf("header %+v", h)
	}
	h.Boot, _ = boot()
	line, _ = json.Marshal(h)
	copy(data[:journalAt], append(line, '\n'))
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}

	s := open(t, path)
	defer s.Close()
	for _, d := range []string{
		cmp.Diff(layoutDaemon, s.FoundDaemon()),
		cmp.Diff(layoutEntries, s.Found(), cmpopts.EquateEmpty()),
		cmp.Diff(layoutEvents, s.FoundEvents()),
		cmp.Diff(layoutLines, s.Left()),
	} {
		if d != "" {
			t.Error(d)
		}
	}
}

func writeLayout(t *testing.T, path string) {
	s := open(t, path)
	for _, e := range layoutEntries {
		*keep(t, s, e.Group, e.Name, process.Record{}) = e.Cell
		if err := s.Keep(e.Group, e.Name, &e.Kept); err != nil {
			t.Fatal(err)
		}
	}
	for i := range layoutEvents {
		s.KeepEvent(&layoutEvents[i])
	}
	for _, l := range layoutLines {
		if mark, _ := s.Add(l.Text); mark != l.Mark {
			t.Errorf("mark %d", mark)
		}
	}
	s.KeepDaemon(layoutDaemon)
	s.Commit()
	s.Begin(layoutLines[0].Mark, layoutLines[0].At)
	// What does not count: there is no commit.
	s.Keep("web", "web_00", &Kept{Record: process.Record{State: process.Fatal}})
	s.EndEvent("ears", 4)
	s.KeepEvent(&Event{Group: "ears", PoolSerial: 6, Type: "TICK_5"})
	s.Add([]byte("three\n"))
	s.Close()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write(data)
	w.Close()
	if err := os.WriteFile(recorded, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

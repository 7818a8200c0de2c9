package survive

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"holdfast/internal/config"
	"holdfast/internal/health"
	"holdfast/internal/launch"
	"holdfast/internal/process"
)

var header = Header{PID: 42, Since: time.Unix(1700000000, 0), Config: "/etc/supervisord.conf"}

func open(t *testing.T, path string) *State {
	t.Helper()
	s, err := Open(path, header)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func keep(t *testing.T, s *State, group, name string, r process.Record) *launch.Cell {
	t.Helper()
	if err := s.Keep(group, name, &Kept{Record: r}); err != nil {
		t.Fatal(err)
	}
	c, err := s.Cell(group, name)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// about compares times as the wall clock shows them.
var about = cmpopts.EquateApproxTime(50 * time.Millisecond)

func TestNextDaemonFindsWhatWasKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.state")
	s := open(t, path)
	if len(s.Found()) != 0 {
		t.Errorf("found in a new file: %v", s.Found())
	}
	now := time.Now()
	full := process.Record{
		State: process.Stopping, Spawn: 7, PID: 99, Deadline: now.Add(10 * time.Second), Retries: 2, QuickLives: 3, StopSteps: 1, Failures: 4, WindowStarts: 5, WindowBegan: now.Add(-time.Minute),
		Killing: true, TooQuick: true, LeaderGone: true, Exit: &process.ExitStatus{Signal: syscall.SIGTERM, Core: true},
		SpawnErr: "no", Started: now.Add(-time.Hour), Stopped: now.Add(-time.Minute),
		Held: true, Again: true, Commanded: true, Unwell: process.NotReady, Restarts: 6, Last: &process.ExitStatus{Code: 3},
	}
	cell := keep(t, s, "web", "web_00", full)
	*cell = launch.Cell{Spawn: 7, Begun: 8, Start: 9, PID: 99, Ended: 1, Code: 3, Signal: 4, Core: 1, Unknown: 1}
	keep(t, s, "gone", "gone", process.Record{})
	s.Drop("gone", "gone")
	keep(t, s, "idle", "idle", process.Record{})
	last := Kept{Record: full, Signal: Signal{15, true}, AutoStart: true, PostStop: 97,
		Health: health.Kept{Ready: true, Once: true, Since: now.Add(-time.Second), Said: health.Said{Ready: true, Status: "up", MainPID: 98, Watchdog: time.Second}},
		Listener: &Listener{
			Said: 20, Pending: []byte("REA"), Missing: 3, Result: []byte("O\xff"), Heard: []byte("x"), InHand: 4, Staged: true, NextSerial: 6, Events: 2}}
	if err := s.Keep("web", "web_00", &last); err != nil {
		t.Fatal(err)
	}
	s.KeepDaemon(Daemon{Mood: -1, NextSerial: 12, Beginning: true})
	s.Commit()
	s.Close()

	next := open(t, path)
	defer next.Close()
	want := []Entry{
		{Group: "web", Name: "web_00", Kept: last, Cell: *cell2(7, 8, 9, 99)},
		{Group: "idle", Name: "idle"},
	}
	if d := cmp.Diff(want, next.Found(), about); d != "" {
		t.Error(d)
	}
	if d := next.FoundDaemon(); d != (Daemon{Mood: -1, NextSerial: 12, Beginning: true}) {
		t.Errorf("found %+v", d)
	}
	// What is kept now goes to the same places, and a new one to the free one.
	c, err := next.Cell("web", "web_00")
	if err != nil || c.PID != 99 {
		t.Errorf("cell %+v, %v", c, err)
	}
}

func cell2(spawn uint64, begun int64, start uint64, pid int32) *launch.Cell {
	return &launch.Cell{Spawn: spawn, Begun: begun, Start: start, PID: pid, Ended: 1, Code: 3, Signal: 4, Core: 1, Unknown: 1}
}

func TestManyProcesses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.state")
	s := open(t, path)
	for i := range 1000 {
		keep(t, s, "g", strings.Repeat("n", 1+i%50)+string(rune('a'+i/50)), process.Record{Spawn: uint64(i)})
	}
	s.Commit()
	s.Close()
	next := open(t, path)
	defer next.Close()
	if n := len(next.Found()); n != 1000 {
		t.Errorf("found %d", n)
	}
	for i, e := range next.Found() {
		if e.Record.Spawn != uint64(i) {
			t.Fatalf("entry %d: %+v", i, e)
		}
	}
}

// A daemon that is killed while it writes leaves a half that is not whole.
func TestHalfWrittenRecordGivesTheOneBefore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.state")
	s := open(t, path)
	for n := range uint64(3) {
		keep(t, s, "g", "p", process.Record{Spawn: n + 1})
		s.Commit()
	}
	// The third record is where the first one was.
	for at := range 60 {
		before := s.half(0, 0)[at]
		s.half(0, 0)[at] ^= 0xff
		if e, ok := s.read(0); !ok || e.Record.Spawn != 2 {
			t.Errorf("byte %d is wrong: %+v, %v", at, e, ok)
		}
		s.half(0, 0)[at] = before
	}
	if e, ok := s.read(0); !ok || e.Record.Spawn != 3 {
		t.Errorf("got %+v, %v", e, ok)
	}
	clear(s.half(0, 0))
	clear(s.half(0, 1))
	s.Close()
	next := open(t, path)
	defer next.Close()
	if len(next.Found()) != 0 {
		t.Errorf("found %v in a slot with no whole record", next.Found())
	}
}

func TestOneDaemonAtATime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.state")
	s := open(t, path)
	defer s.Close()
	_, err := Open(path, Header{PID: 1})
	var held *HeldError
	if !errors.As(err, &held) || held.Header.PID != 42 || !strings.Contains(err.Error(), "pid 42, since 20") ||
		!strings.Contains(err.Error(), "/etc/supervisord.conf") || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v", err)
	}
}

func TestFileOfAnotherBootIsVoid(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.state")
	s := open(t, path)
	keep(t, s, "g", "p", process.Record{PID: 1})
	s.Commit()
	h := header
	h.Version, h.Boot = Version, "another"
	s.writeHeader(h)
	s.Close()
	next := open(t, path)
	defer next.Close()
	if len(next.Found()) != 0 {
		t.Errorf("found %v", next.Found())
	}
	if info, err := os.Stat(path); err != nil || info.Size() != headerSize || info.Mode() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
}

func TestFileOfANewerVersionIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.state")
	s := open(t, path)
	h := header
	h.Boot, _ = boot()
	h.Version = Version + 1
	s.writeHeader(h)
	s.Close()
	_, err := Open(path, header)
	var version *VersionError
	if !errors.As(err, &version) || !strings.Contains(err.Error(), "version 3, and this supervisord knows 2") {
		t.Errorf("got %v", err)
	}
}

func TestWhatDoesNotFit(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "x.state"))
	defer s.Close()
	if err := s.Keep(strings.Repeat("g", 600), strings.Repeat("n", 600), &Kept{}); err == nil {
		t.Error("a name of 1200 bytes was kept")
	}
	r := process.Record{SpawnErr: strings.Repeat("x", 2000), PID: 5}
	if err := s.Keep("g", "n", &Kept{Record: r}); err != nil {
		t.Error(err)
	}
	s.Commit()
	if e, ok := s.read(s.slots[id{"g", "n"}]); !ok || e.Record.PID != 5 || e.Record.SpawnErr != "" {
		t.Errorf("got %+v, %v", e, ok)
	}
}

func TestGroups(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.state")
	conf := filepath.Join(t.TempDir(), "supervisord.conf")
	os.WriteFile(conf, []byte(`[supervisord]
[program:web]
command=/bin/cat "a b" %%
environment=A="ü",B="1"
numprocs=2
process_name=%(process_num)d
umask=022
stdout_logfile=/tmp/x
stopsignal=QUIT
exitcodes=0,2
[eventlistener:ears]
command=/bin/cat
events=TICK_5,PROCESS_STATE
[fcgi-program:fast]
command=/bin/cat
socket=unix:///tmp/fast
[program:never]
command=/bin/cat
`), 0o644)
	cfg, err := config.Load(conf, &config.Flags{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var all, want []*config.Group
	for i := range cfg.Groups {
		all = append(all, &cfg.Groups[i])
		if cfg.Groups[i].Name != "never" {
			want = append(want, &cfg.Groups[i])
		}
	}
	s := open(t, path)
	if err := s.KeepGroups(all); err != nil {
		t.Fatal(err)
	}
	for _, g := range want {
		for i := range g.Processes {
			keep(t, s, g.Name, g.Processes[i].Name, process.Record{})
		}
	}
	s.Commit()
	s.Close()
	next := open(t, path)
	got, err := next.Groups()
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if err := next.Remove(); err != nil {
		t.Error(err)
	}
	if left, _ := os.ReadDir(filepath.Dir(path)); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestConclude(t *testing.T) {
	running := process.Record{State: process.Running, Spawn: 5, PID: 77}
	starting := process.Record{State: process.Starting, Spawn: 5}
	cell := launch.Cell{Spawn: 5, PID: 77, Start: 1000, Begun: int64(10 * time.Second)}
	unsure := cell
	unsure.Start = 0
	guarded := cell
	guarded.Parent, guarded.Grandparent = 4, 5
	ended := cell
	ended.Ended, ended.Code = 1, 3
	unknown := process.ExitStatus{Unknown: true}
	const unseen = ^uint64(0) // it can't be looked at
	for _, row := range []struct {
		name string
		r    process.Record
		c    launch.Cell
		told []Exit
		live map[int]uint64
		want Conclusion
	}{
		{"one that was never started", process.Record{}, launch.Cell{}, nil, nil, Conclusion{}},
		{"one that was stopped", process.Record{State: process.Stopped, Spawn: 5}, ended, nil, map[int]uint64{77: 1000}, Conclusion{}},
		{"one in BACKOFF", process.Record{State: process.Backoff, Spawn: 5}, cell, nil, nil, Conclusion{}},
		{"a running one", running, cell, nil, map[int]uint64{77: 1000}, Conclusion{Fate: Alive, PID: 77, Start: 1000}},
		{"its pid is another's", running, cell, nil, map[int]uint64{77: 1001}, Conclusion{Fate: Ended, PID: 77, Status: unknown}},
		{"it is gone and its guard will tell how", running, guarded, nil, nil, Conclusion{Fate: Alive, PID: 77, Start: 1000, Told: true}},
		{"its guard will tell how it ends, should that be this moment", running, guarded, nil, map[int]uint64{77: 1000},
			Conclusion{Fate: Alive, PID: 77, Start: 1000, Told: true}},
		{"it is gone and nobody saw it", running, cell, nil, nil, Conclusion{Fate: Ended, PID: 77, Status: unknown}},
		{"it can't be looked at", running, cell, nil, map[int]uint64{77: unseen}, Conclusion{Fate: Alive, PID: 77, Start: 1000}},
		{"a guarded one can't be looked at", running, guarded, nil, map[int]uint64{77: unseen}, Conclusion{Fate: Alive, PID: 77, Start: 1000, Told: true}},
		{"forked, its start time not noted, and it can't be looked at", starting, unsure, nil, map[int]uint64{77: unseen}, Conclusion{Fate: Alive, PID: 77}},
		{"the reaper noted its end, and it can't be looked at", running, ended, nil, map[int]uint64{77: unseen},
			Conclusion{Fate: Ended, PID: 77, Status: process.ExitStatus{Code: 3}}},
		{"the guard saw its end and not its start time", running, guarded, []Exit{{77, 0, 9}}, nil,
			Conclusion{Fate: Ended, PID: 77, Status: process.ExitStatus{Signal: syscall.SIGKILL}}},
		{"the reaper noted its end", running, ended, nil, nil, Conclusion{Fate: Ended, PID: 77, Status: process.ExitStatus{Code: 3}}},
		{"the reaper noted its end and did not get to reap it", running, ended, nil, map[int]uint64{77: 1000},
			Conclusion{Fate: Ended, PID: 77, Status: process.ExitStatus{Code: 3}}},
		{"the guard saw its end", running, cell, []Exit{{77, 1000, 9}}, nil,
			Conclusion{Fate: Ended, PID: 77, Status: process.ExitStatus{Signal: syscall.SIGKILL}}},
		{"the guard saw another's end", running, cell, []Exit{{77, 999, 9}, {78, 1000, 9}}, map[int]uint64{77: 1000},
			Conclusion{Fate: Alive, PID: 77, Start: 1000}},
		{"to be started, and nothing done", starting, launch.Cell{Spawn: 4, PID: 70, Start: 900}, nil, map[int]uint64{70: 900}, Conclusion{Fate: NotForked}},
		{"to be started, and no fork", starting, launch.Cell{Spawn: 5}, nil, nil, Conclusion{Fate: NotForked}},
		{"forked, and the loop does not know", starting, cell, nil, map[int]uint64{77: 1000}, Conclusion{Fate: Alive, PID: 77, Start: 1000}},
		{"forked, its start time not noted", starting, unsure, nil, map[int]uint64{77: 1003}, Conclusion{Fate: Alive, PID: 77, Start: 1003}},
		{"forked, its start time not noted, the pid another's since", starting, unsure, nil, map[int]uint64{77: 1300},
			Conclusion{Fate: Ended, PID: 77, Status: unknown}},
		{"forked and ended, and the loop knows of neither", starting, ended, nil, nil,
			Conclusion{Fate: Ended, PID: 77, Status: process.ExitStatus{Code: 3}}},
		{"stopped before the fork", process.Record{State: process.Stopping, Spawn: 5, Killing: true}, launch.Cell{Spawn: 5}, nil, nil, Conclusion{Fate: NotForked}},
		{"its start waits for others", process.Record{State: process.Starting, Spawn: 5, Held: true}, ended, nil, nil, Conclusion{Fate: AtRest}},
		{"the rest of its group is awaited", process.Record{State: process.Stopping, Spawn: 5, PID: 77, LeaderGone: true}, ended, nil, nil,
			Conclusion{Fate: LeaderGone, PID: 77}},
		{"a cell of another spawn", running, launch.Cell{Spawn: 4, PID: 77, Start: 1000}, nil, map[int]uint64{77: 1000},
			Conclusion{Fate: Ended, PID: 77, Status: unknown}},
	} {
		look := func(pid int) (uint64, error) {
			switch start, ok := row.live[pid]; {
			case !ok:
				return 0, syscall.ESRCH
			case start == unseen:
				return 0, &os.PathError{Op: "open", Err: syscall.EMFILE}
			default:
				return start, nil
			}
		}
		got := Conclude(&Entry{Kept: Kept{Record: row.r}, Cell: row.c}, row.told, 5, look)
		if got != row.want {
			t.Errorf("%s: got %+v, want %+v", row.name, got, row.want)
		}
	}
}

// FuzzOpen opens a file that holds anything, and lives on with it.
func FuzzOpen(f *testing.F) {
	dir := f.TempDir()
	path := filepath.Join(dir, "seed.state")
	s, err := Open(path, header)
	if err != nil {
		f.Fatal(err)
	}
	s.Keep("g", "p", &Kept{Record: process.Record{PID: 5, Spawn: 1}})
	s.Keep("g", "q", &Kept{Record: process.Record{PID: 6, Spawn: 2}})
	s.KeepEvent(&Event{Group: "g", PoolSerial: 1, Serial: 3, Type: "TICK_5", Payload: strings.Repeat("x", 3*partSize)})
	s.Add([]byte("a line\n"))
	s.Commit()
	s.Close()
	seed, _ := os.ReadFile(path)
	f.Add(seed)
	f.Add(seed[:headerSize+100])
	f.Add(seed[:pageSize+5])
	f.Add([]byte("{}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "x.state")
		os.WriteFile(path, data, 0o600)
		s, err := Open(path, header)
		if err != nil {
			return
		}
		defer s.Close()
		for _, e := range s.Found() {
			Conclude(&e, nil, 5, func(int) (uint64, error) { return 5, nil })
		}
		for _, e := range s.FoundEvents() {
			s.EndEvent(e.Group, e.PoolSerial)
		}
		for _, l := range s.Left() {
			s.Written(l.Mark)
		}
		if _, ok := s.Add([]byte("new\n")); !ok {
			t.Error("no room for a line in an empty ring")
		}
		if err := s.Keep("new", "new", &Kept{Record: process.Record{PID: 9}}); err != nil {
			t.Fatal(err)
		}
		s.KeepEvent(&Event{Group: "new", Payload: "payload"})
		s.Commit()
		if e, ok := s.read(s.slots[id{"new", "new"}]); !ok || e.Record.PID != 9 {
			t.Errorf("kept, and read back: %+v, %v", e, ok)
		}
	})
}

func TestDaemon(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	s := open(t, path)
	want := Daemon{Mood: -1, NextSerial: 7, Beginning: true, ExitCode: 3}
	s.KeepDaemon(want)
	s.Commit()
	s.Close()
	next := open(t, path)
	defer next.Close()
	if got := next.FoundDaemon(); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

package survive

import (
	"bytes"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"holdfast/internal/dlog"
	"holdfast/internal/process"
)

const killEnv = "SURVIVE_KILL_TEST"

func TestMain(m *testing.M) {
	if dir := os.Getenv(killEnv); dir != "" {
		count(dir)
	}
	os.Setenv("GORACE", os.Getenv("GORACE")+" atexit_sleep_ms=0") // for the children: with -race each would sleep for a second at its end
	os.Exit(m.Run())
}

// count is a daemon whose loop counts: its record has the number, each step says it in the log, takes an event
// and ends the third last one.
func count(dir string) {
	s, err := Open(filepath.Join(dir, "x.state"), header)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	n := uint64(0)
	for _, e := range s.Found() {
		n = e.Record.Spawn
	}
	if msg := checkEvents(s.FoundEvents(), n); msg != "" {
		fmt.Println(msg)
		os.Exit(1)
	}
	l, err := dlog.New(dlog.Options{File: filepath.Join(dir, "log"), MaxBytes: 20000, Backups: 1000, Level: dlog.Info, Journal: s})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	go func() {
		for {
			l.Logger().Info("meanwhile")
			time.Sleep(time.Millisecond)
		}
	}()
	fmt.Println("up")
	for {
		n++
		s.KeepEvent(&Event{Group: "pool", PoolSerial: n, Type: "T", Payload: payload(n)})
		s.Keep("g", "p", &Kept{Record: process.Record{Spawn: n - 1}}) // not yet
		if n > 3 {
			s.EndEvent("pool", n-3)
		}
		s.Keep("g", "p", &Kept{Record: process.Record{Spawn: n}})
		s.KeepDaemon(Daemon{NextSerial: n})
		l.Together([]slog.Record{slog.NewRecord(time.Now(), dlog.Info, fmt.Sprintf("counted %d", n), 0)}, s.Commit)
		if n%50 == 0 {
			time.Sleep(time.Millisecond)
		}
	}
}

// payload has up to three slots.
func payload(n uint64) string { return strings.Repeat(strconv.FormatUint(n, 10)+" ", int(n%700)) }

// checkEvents holds that the events are the last three.
func checkEvents(got []Event, n uint64) string {
	if want := min(int(n), 3); len(got) != want {
		return fmt.Sprintf("at %d there are %d events", n, len(got))
	}
	for _, e := range got {
		if e.PoolSerial > n || e.PoolSerial+3 <= n || e.Group != "pool" || e.Type != "T" || e.Payload != payload(e.PoolSerial) {
			return fmt.Sprintf("at %d there is event %d of %s, with %d bytes", n, e.PoolSerial, e.Group, len(e.Payload))
		}
	}
	return ""
}

// TestKill kills a daemon at any moment, again and again: what it said, what it noted and which events it had
// are always of the same moment, and no line is lost or there twice.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	kills := 200
	if testing.Short() {
		kills = 20
	}
	for range kills {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), killEnv+"="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		said := make([]byte, 1000)
		n, _ := out.Read(said)
		if !bytes.Equal(said[:n], []byte("up\n")) {
			t.Fatalf("it said %q", said[:n])
		}
		time.Sleep(rand.N(8 * time.Millisecond))
		cmd.Process.Kill()
		cmd.Wait()
	}
	s := open(t, filepath.Join(dir, "x.state"))
	defer s.Close()
	n := s.Found()[0].Record.Spawn
	if msg := checkEvents(s.FoundEvents(), n); msg != "" {
		t.Error(msg)
	}
	if s.FoundDaemon().NextSerial != n {
		t.Errorf("record %d, daemon %d", n, s.FoundDaemon().NextSerial)
	}
	l, err := dlog.New(dlog.Options{File: filepath.Join(dir, "log"), Level: dlog.Info, Journal: s})
	if err != nil {
		t.Fatal(err)
	}
	l.Close(10 * time.Second)
	if left := s.Left(); len(left) != 0 {
		t.Errorf("%d lines are left", len(left))
	}
	var text []byte
	for i := 1000; i >= 0; i-- {
		name := filepath.Join(dir, "log")
		if i > 0 {
			name += "." + strconv.Itoa(i)
		}
		part, _ := os.ReadFile(name)
		text = append(text, part...)
	}
	want := uint64(1)
	for line := range strings.Lines(string(text)) {
		_, number, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " INFO counted ")
		if !ok {
			if !strings.HasSuffix(line, " INFO meanwhile\n") {
				t.Fatalf("a line is torn: %q", line)
			}
			continue
		}
		if number != strconv.FormatUint(want, 10) {
			t.Fatalf("line %s where %d should be", number, want)
		}
		want++
	}
	if want != n+1 {
		t.Errorf("the log ends at %d, the record at %d", want-1, n)
	}
	t.Logf("%d kills, %d lines", kills, n)
}

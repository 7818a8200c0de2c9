package listener

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"holdfast/internal/dlog"
	"holdfast/internal/event"
	"holdfast/internal/process"
)

var rewrite = flag.Bool("rewrite", false, "write the scripts' output into testdata")

// TestScripts runs testdata/*.txt. A line "> command" is a turn of the loop: it is carried out,
// and then the pool dispatches. All that comes of it stands below it, indented. The commands are
// the cases of (*scene).do.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, string(want))
			if *rewrite {
				if err := os.WriteFile(file, []byte(got), 0o666); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := gocmp.Diff(string(want), got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// play carries out a script and returns it with the output as it was.
func play(t *testing.T, script string) string {
	var out strings.Builder
	sc := &scene{t: t, broken: map[int]bool{}, now: time.Unix(1700000000, 0)}
	for line := range strings.Lines(script) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "  ") {
			continue // output of the last time
		}
		out.WriteString(line + "\n")
		if command, ok := strings.CutPrefix(line, "> "); ok {
			sc.do(command)
			for _, l := range sc.lines {
				out.WriteString("    " + l + "\n")
			}
			sc.lines = nil
		}
	}
	return out.String()
}

// A scene is a pool and the part of the loop that carries its actions out.
type scene struct {
	t      *testing.T
	pool   *Pool
	names  []string
	serial event.Serial
	broken map[int]bool // members whose stdin is closed
	now    time.Time
	lines  []string
}

var errClosed = errors.New("stdin is closed")

func (sc *scene) do(command string) {
	word, rest, _ := strings.Cut(command, " ")
	switch word {
	case "pool": // pool SIZE SUBSCRIPTION MEMBER ...
		f := strings.Fields(rest)
		size, err := strconv.Atoi(f[0])
		if err != nil {
			sc.t.Fatal(err)
		}
		sc.names = f[2:]
		sc.pool = New(Options{Name: "pool", Server: "supervisor", BufferSize: size,
			Events: event.Subscribe(strings.Split(f[1], ",")), Members: sc.names})
		return
	case "event": // event KIND ...: one REMOTE_COMMUNICATION for each
		for _, kind := range strings.Fields(rest) {
			sc.publish(event.RemoteCommunication{Kind: kind})
		}
	case "tick":
		sc.publish(event.Tick{Period: 5, When: 5})
	case "wait": // wait DURATION: until then nothing happens
		d, err := time.ParseDuration(rest)
		if err != nil {
			sc.t.Fatal(err)
		}
		for until := sc.now.Add(d); ; {
			at := sc.pool.Deadline()
			if at.IsZero() || at.After(until) {
				sc.now = until
				return
			}
			sc.now = at
			sc.lines = append(sc.lines, at.Sub(until.Add(-d)).String()+" later")
			sc.carryOut(sc.pool.Dispatch(at))
		}
	case "end":
		sc.carryOut(sc.pool.End())
		return
	case "counts":
		sc.lines = append(sc.lines, strings.Trim(fmt.Sprintf("%+v", sc.pool.Counts()), "{}"))
		return
	case "state": // state NAME: one of its PROCESS_STATE events
		sc.publish(event.ProcessState{Name: rest, Group: rest, Change: process.Changed{To: process.Stopped}})
	default: // MEMBER PROCESSSTATE, MEMBER says "TEXT", MEMBER closes
		sc.member(word, rest)
	}
	sc.carryOut(sc.pool.Dispatch(sc.now))
}

func (sc *scene) publish(e event.Event) {
	if sc.pool.Wants(e.Type()) {
		sc.carryOut(sc.pool.Accept(sc.serial.Next(), e))
	}
}

func (sc *scene) member(name, what string) {
	n := -1
	for i := range sc.names {
		if sc.names[i] == name {
			n = i
		}
	}
	if n < 0 {
		sc.t.Fatalf("no member %s", name)
	}
	switch what {
	case "closes": // the next write to it fails
		sc.broken[n] = true
		return
	case "breaks": // what was written to it did not all arrive
		sc.broken[n] = true
		sc.carryOut(sc.pool.WriteFailed(n, errClosed))
		return
	}
	if quoted, ok := strings.CutPrefix(what, "says "); ok {
		text, err := strconv.Unquote(quoted)
		if err != nil {
			sc.t.Fatalf("%s: %v", quoted, err)
		}
		sc.carryOut(output(sc.pool, n, []byte(text)))
		return
	}
	for _, s := range states {
		if s.String() == what {
			if s == process.Starting {
				delete(sc.broken, n)
			}
			sc.carryOut(sc.pool.Changed(n, s))
			return
		}
	}
	sc.t.Fatalf("%s can't %s", name, what)
}

var states = []process.State{process.Stopped, process.Starting, process.Running, process.Backoff,
	process.Stopping, process.Exited, process.Fatal, process.Unknown}

func (sc *scene) carryOut(do []Action) {
	for _, a := range do {
		switch a := a.(type) {
		case Log:
			sc.log(a)
		case Write:
			if sc.broken[a.Member] {
				sc.carryOut(sc.pool.WriteFailed(a.Member, errClosed))
				sc.carryOut(sc.pool.Dispatch(sc.now))
				continue
			}
			sc.lines = append(sc.lines, fmt.Sprintf("write to %s: %q", sc.names[a.Member], a.Data))
			sc.log(a.Done)
		}
	}
}

func (sc *scene) log(l Log) {
	level := map[any]string{dlog.Error: "ERRO", dlog.Warn: "WARN", dlog.Info: "INFO", dlog.Debug: "DEBG"}[l.Level]
	sc.lines = append(sc.lines, level+" "+l.Text)
}

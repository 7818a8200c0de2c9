package child

import (
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast/internal/config"
	"holdfast/internal/process"
)

const (
	begin = "<!--XSUPERVISOR:BEGIN-->"
	end   = "<!--XSUPERVISOR:END-->"
)

// says is a program that writes one text, in one piece, to stdout and another to stderr.
func (k *rig) says(out, err string) *config.Process {
	k.t.Helper()
	for name, text := range map[string]string{"say.out": out, "say.err": err} {
		if err := os.WriteFile(filepath.Join(k.dir, name), []byte(text), 0o644); err != nil {
			k.t.Fatal(err)
		}
	}
	return k.program("say", filepath.Join(k.dir, "say.out"), filepath.Join(k.dir, "say.err"))
}

// outputs collects what Options.Output gets, as text.
type outputs struct {
	mu   sync.Mutex
	list []string // guarded by mu
}

func (o *outputs) take(spawn uint64, out Output) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.list = append(o.list, fmt.Sprintf("%d %v %v %q", spawn, out.Stderr, out.Comm, out.Data))
}

// sorted leaves the order of stdout and stderr to each other aside.
func (o *outputs) sorted() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Sorted(slices.Values(o.list))
}

func TestOutputOfWhatEventsAreMade(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(p *config.Process, o *Options)
		want   []string
		log    string
	}{
		{"none are wanted", func(*config.Process, *Options) {}, nil, "out" + begin + "comm" + end + "\x1b[m"},
		{"log events", func(p *config.Process, _ *Options) { p.Stdout.EventsEnabled = true },
			[]string{`1 false false "out` + begin + `comm` + end + `\x1b[m"`}, "out" + begin + "comm" + end + "\x1b[m"},
		{"capture mode", func(p *config.Process, _ *Options) { p.Stdout.CaptureMaxBytes = 100 },
			[]string{`1 false true "comm"`}, "out\x1b[m"},
		{"both, of both outputs", func(p *config.Process, _ *Options) {
			p.Stdout.EventsEnabled, p.Stdout.CaptureMaxBytes = true, 100
			p.Stderr.EventsEnabled, p.Stderr.CaptureMaxBytes = true, 2
		}, []string{`1 false false "\x1b[m"`, `1 false false "comm"`, `1 false false "out"`, `1 false true "comm"`,
			`1 true false "ERR"`, `1 true false "err"`, `1 true true "RR"`}, "out\x1b[m"},
		{"an event listener", func(p *config.Process, o *Options) {
			p.Listener, o.StripANSI = true, true
			p.Stdout.EventsEnabled, p.Stdout.CaptureMaxBytes = true, 100
		}, []string{`1 false false "out` + begin + `comm` + end + `\x1b[m"`}, "out" + begin + "comm" + end},
		{"strip_ansi", func(p *config.Process, o *Options) { o.StripANSI, p.Stdout.EventsEnabled = true, true },
			[]string{`1 false false "out` + begin + `comm` + end + `"`}, "out" + begin + "comm" + end},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got outputs
			k := newRigWith(t, func(o *Options) { o.Output = got.take })
			p := k.says("out"+begin+"comm"+end+"\x1b[m", "err"+begin+"ERR"+end)
			c.change(p, &k.opts)
			k.ended(k.spawn(p))
			if diff := cmp.Diff(c.want, got.sorted()); diff != "" { // all of it came before Ended
				t.Error(diff)
			}
			if log := k.read("out.log"); log != c.log {
				t.Errorf("log: got %q, want %q", log, c.log)
			}
		})
	}
}

// lineLog keeps what is logged.
type lineLog struct {
	mu sync.Mutex
	b  strings.Builder // guarded by mu
}

func (l *lineLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lineLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func debugLog() (*slog.Logger, *lineLog) {
	l := new(lineLog)
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}})), l
}

func TestAtDebugTheLogShowsTheOutput(t *testing.T) {
	for _, c := range []struct {
		name, out string
		change    func(p *config.Process)
		want      []string
	}{
		{"text", "hä\n", func(*config.Process) {}, []string{"'web' stdout output:\nhä\n"}},
		{"not UTF-8", "h\xff\n", func(*config.Process) {}, []string{"'web' stdout output:\nUndecodable: b'h\\xff\\n'"}},
		{"a listener", "READY\n", func(p *config.Process) { p.Listener = true }, []string{"'web' stdout output:\nb'READY\\n'"}},
		{"a name with a quote", "x", func(p *config.Process) { p.Name = "it's" }, []string{"\"it's\" stdout output:\nx"}},
		{"captured data", begin + "x" + end, func(p *config.Process) { p.Stdout.CaptureMaxBytes = 9 },
			[]string{"'web' stdout output:\nx", "'web' stdout emitted a comm event"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			log, said := debugLog()
			k := newRigWith(t, func(o *Options) { o.Log = log })
			p := k.says(c.out, "")
			c.change(p)
			k.ended(k.spawn(p))
			var want string
			for _, w := range c.want {
				want += fmt.Sprintf("level=DEBUG msg=%q\n", w)
			}
			if got := said.String(); got != want {
				t.Errorf("got:\n%swant:\n%s", got, want)
			}
		})
	}
}

func TestSyslog(t *testing.T) {
	for _, file := range []bool{true, false} {
		t.Run(fmt.Sprintf("with a file: %v", file), func(t *testing.T) {
			socket := filepath.Join(t.TempDir(), "log")
			c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			c.SetReadDeadline(time.Now().Add(bound))
			k := newRigWith(t, func(o *Options) { o.SyslogSocket, o.SyslogIdent = socket, "supervisord" })
			p := k.says("one\n\ntwo\n\n", "three")
			p.Stdout.Syslog = true
			if !file {
				p.Stdout.File = ""
			}
			k.ended(k.spawn(p))
			for _, want := range []string{"one", "", "two"} {
				b := make([]byte, 1000)
				n, err := c.Read(b)
				if err != nil || !strings.HasSuffix(string(b[:n]), " supervisord: web "+want) {
					t.Errorf("got %q, %v, want %q", b[:n], err, want)
				}
			}
			if got := k.read("out.log"); file != (got == "one\n\ntwo\n\n") {
				t.Errorf("log: %q", got)
			}
		})
	}
}

func TestOutputDoesNotWaitForSyslog(t *testing.T) {
	log, said := debugLog()
	k := newRigWith(t, func(o *Options) { o.SyslogSocket, o.Log = filepath.Join(t.TempDir(), "log"), log })
	p := k.program("burst")
	p.Stdout.Syslog = true
	if e := k.ended(k.spawn(p)); e.Status != (process.ExitStatus{Code: 3}) {
		t.Errorf("got %#v", e)
	}
	if got := len(k.read("out.log")); got != 300<<10 {
		t.Errorf("%d bytes are logged", got)
	}
	k.eventually("it is said once", func() bool { return strings.Count(said.String(), "takes no lines") == 1 })
}

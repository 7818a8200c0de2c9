package supervisor

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"holdfast/internal/config"
	"holdfast/internal/event"
	"holdfast/internal/health"
	"holdfast/internal/process"
)

var rewrite = flag.Bool("rewrite", false, "write the scripts' output into testdata")

// TestScripts runs testdata/*.txt in fake time. A line "> command" is carried out; all that
// happens by the time nothing more happens by itself stands below it, indented, with the time
// since the start. The commands are the cases of (*scene).do.
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
			var got string
			synctest.Test(t, func(t *testing.T) { got = play(t, string(want), nil) })
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
func play(t *testing.T, script string, m *memory) string {
	sc := &scene{t: t, start: time.Now(), spawned: make(map[string]uint64), file: &config.Config{}, memory: m}
	sc.file.Supervisord.Identifier = "supervisor"
	sc.file.Groups = nil
	var out strings.Builder
	for line := range strings.Lines(script) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "  ") {
			continue // output of the last time
		}
		out.WriteString(line + "\n")
		if command, ok := strings.CutPrefix(line, "> "); ok {
			sc.do(command)
			synctest.Wait()
			out.WriteString(sc.output())
			if sc.sup != nil {
				sc.sup.mail.call(func() { sc.standing(command) })
			}
		}
	}
	if sc.sup != nil {
		go sc.sup.SetMood(MoodShutdown)
		synctest.Wait()
		for range 8 { // whatever the script has left alive, which may have an order
			for spawn := uint64(1); spawn <= sc.sup.lastSpawn; spawn++ {
				sc.sup.Post(spawn, process.Ended{})
				sc.sup.Post(spawn, process.SpawnFailed{})
				sc.sup.Post(spawn, process.GroupGone{})
				synctest.Wait()
			}
		}
	}
	return out.String()
}

// A scene is a supervisor with hands that only write down what they are told.
type scene struct {
	t     *testing.T
	start time.Time
	sup   *Supervisor
	file  *config.Config // what Load reads
	bad   error

	memory *memory // nil: none

	mu      sync.Mutex
	lines   []line            // guarded by mu
	spawned map[string]uint64 // name -> number of its last spawn; guarded by mu
	auto    bool              // Spawn is answered at once; guarded by mu
	done    map[uint64]bool   // guarded by mu
	missing string            // a command that can't be found; guarded by mu
	deaf    string            // a process whose stdin is closed; guarded by mu
	found   map[string]string // what checks find, by name: "ok", or what is wrong; "hang" is no answer; guarded by mu
	hung    map[string]func(error)
}

// A line is something that happened. Answers to callers come from goroutines of their own, so
// that they have no order of themselves: at each moment they stand below what the loop did.
type line struct {
	at     time.Duration
	answer bool
	text   string // may be several lines
}

func (sc *scene) say(format string, args ...any) {
	sc.add(line{text: fmt.Sprintf(format, args...)})
}

func (sc *scene) add(l line) {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	l.at = time.Since(sc.start)
	sc.lines = append(sc.lines, l)
}

func (sc *scene) output() string {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	slices.SortStableFunc(sc.lines, func(a, b line) int {
		switch {
		case a.at != b.at:
			return cmp.Compare(a.at, b.at)
		case a.answer != b.answer && a.answer:
			return 1
		case a.answer != b.answer:
			return -1
		case a.answer:
			return cmp.Compare(a.text, b.text)
		}
		return 0
	})
	var out strings.Builder
	for _, l := range sc.lines {
		for text := range strings.SplitSeq(l.text, "\n") {
			fmt.Fprintf(&out, "  %7.3f %s\n", l.at.Seconds(), text)
		}
	}
	sc.lines = nil
	return out.String()
}

func (sc *scene) Spawn(p *config.Process, spawn uint64) {
	sc.standing("Spawn")
	sc.say("spawn #%d %s", spawn, p.Name)
	sc.mu.Lock()
	defer sc.mu.Unlock()
	sc.spawned[p.Name] = spawn
	if sc.auto {
		sc.born(spawn)
	}
}

// born answers a Spawn. sc.mu is held.
func (sc *scene) born(spawn uint64) {
	sc.sup.Post(spawn, process.Spawned{PID: 100 + int(spawn)})
}

// Done must come once a spawn; there is nothing in it to write down.
func (sc *scene) Done(spawn uint64) {
	sc.standing("Done")
	sc.mu.Lock()
	defer sc.mu.Unlock()
	if sc.done[spawn] {
		sc.t.Errorf("spawn #%d is done twice", spawn)
	}
	if sc.done == nil {
		sc.done = make(map[uint64]bool)
	}
	sc.done[spawn] = true
}

func (sc *scene) Adopt(p *config.Process, spawn uint64) { sc.Spawn(p, spawn) }
func (sc *scene) Cancel(spawn uint64)                   { sc.say("cancel #%d", spawn) }

func (sc *scene) Signal(spawn uint64, sig syscall.Signal, group bool) {
	sc.standing("Signal")
	what := ""
	if group {
		what = " group"
	}
	sc.say("signal #%d%s %s", spawn, what, process.SignalName(sig))
}

func (sc *scene) Check(p *config.Process) error {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	if p.Command == sc.missing && sc.missing != "" {
		return &process.CommandError{NotFound: true, Text: "can't find command '" + p.Command + "'"}
	}
	return nil
}

func (sc *scene) Stage(spawn uint64, data []byte) (bool, error) {
	return true, sc.WriteStdin(spawn, data)
}

func (sc *scene) Send(uint64) { sc.standing("Send") }

func (sc *scene) WriteStdin(spawn uint64, data []byte) error {
	if spawn == sc.number(sc.deafName()) {
		return errors.New("closed")
	}
	sc.say("stdin #%d %q", spawn, data)
	return nil
}

func (sc *scene) deafName() string {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	return sc.deaf
}

func (sc *scene) ClearLogs(spawn uint64) error {
	sc.say("clear #%d", spawn)
	return nil
}

func (sc *scene) Prepare(g *config.Group) (*config.Group, error) {
	sc.say("prepare %s", g.Name)
	return g, nil
}

func (sc *scene) Probe(p *config.Process, c *config.Check, pid int, done func(error)) {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	switch found := sc.found[p.Name+" "+c.Target]; found {
	case "ok":
		done(nil)
	case "hang":
		sc.hung[p.Name+" "+c.Target] = done
	default:
		done(errors.New(cmp.Or(found, "connection refused")))
	}
}

// command is a hook: it is over when the script says so.
func (sc *scene) command(what string, p *config.Process, done func(error)) {
	sc.standing(what)
	sc.say("%s %s", what, p.Name)
	sc.mu.Lock()
	defer sc.mu.Unlock()
	if sc.hung == nil {
		sc.hung = make(map[string]func(error))
	}
	sc.hung[what+" "+p.Name] = done
}

func (sc *scene) StopCommand(p *config.Process, pid int, done func(error)) {
	sc.command("stop_command", p, done)
}

func (sc *scene) PostStop(p *config.Process, pid int, done func(error)) {
	sc.command("post_stop_command", p, done)
}

func (sc *scene) Reload(_ context.Context, p *config.Process, pid int) error {
	sc.say("reload_command %s %d", p.Name, pid)
	return nil
}

// Enabled, Handle, WithAttrs and WithGroup make a scene a slog.Handler.
func (sc *scene) Enabled(context.Context, slog.Level) bool { return true }
func (sc *scene) Handle(_ context.Context, r slog.Record) error {
	sc.say("log: %s", r.Message)
	return nil
}
func (sc *scene) WithAttrs([]slog.Attr) slog.Handler { return sc }
func (sc *scene) WithGroup(string) slog.Handler      { return sc }

// do carries out one command of a script.
func (sc *scene) do(command string) {
	verb, rest, _ := strings.Cut(command, " ")
	args := strings.Fields(rest)
	arg := func(i int) string {
		if i < len(args) {
			return args[i]
		}
		return ""
	}
	wait := arg(1) != "nowait"
	ctx := context.Background()
	switch verb {
	case "program": // program NAME key=value...: a program in the file
		sc.program(args)
	case "listener": // listener NAME BUFFER EVENTS... [processes=N]: an event listener in the file
		sc.listener(args)
	case "output": // output NAME TEXT: what a process has written, with \n for a newline
		sc.sup.PostOutput(sc.number(arg(0)), event.Stdout, false, []byte(strings.ReplaceAll(strings.Join(args[1:], " "), `\n`, "\n")))
		sc.sup.PostOutputTaken(sc.number(arg(0)))
	case "captured": // captured NAME TEXT: what stood between capture tokens
		sc.sup.PostOutput(sc.number(arg(0)), event.Stderr, true, []byte(strings.Join(args[1:], " ")))
	case "remote": // remote KIND DATA
		sc.tell(command, sc.sup.SendRemoteCommEvent(arg(0), arg(1)))
	case "deaf": // deaf NAME: its stdin is closed
		sc.mu.Lock()
		sc.deaf = arg(0)
		sc.mu.Unlock()
	case "broken": // broken NAME: it has closed its stdin, and not all that was written to it has arrived
		sc.sup.PostStdinBroken(sc.number(arg(0)), errors.New("stdin is closed"))
	case "forget": // forget GROUP: it is no longer in the file
		sc.file.Groups = slices.DeleteFunc(sc.file.Groups, func(g config.Group) bool { return g.Name == arg(0) })
	case "spoil": // spoil TEXT: the file has an error, in no group
		sc.bad = errors.New(rest)
	case "run":
		sc.run()
	case "auto": // auto off|on: forks are answered at once
		sc.auto = arg(0) != "off"
	case "missing": // missing COMMAND
		sc.missing = arg(0)
	case "find": // find NAME ready|live TEXT: what its checks find from now on
		sc.mu.Lock()
		if sc.found == nil {
			sc.found = make(map[string]string)
		}
		sc.found[arg(0)+" "+arg(1)] = strings.Join(args[2:], " ")
		sc.mu.Unlock()
	case "notify": // notify NAME ready|reloading|stopping|watchdog
		sc.sup.PostNotified(sc.number(arg(0)), health.Notified{Ready: arg(1) == "ready", Reloading: arg(1) == "reloading",
			Stopping: arg(1) == "stopping", Watchdog: arg(1) == "watchdog"})
	case "done": // done stop_command|post_stop_command NAME [TEXT]
		sc.mu.Lock()
		done := sc.hung[arg(0)+" "+arg(1)]
		sc.mu.Unlock()
		if arg(2) == "" {
			done(nil)
		} else {
			done(errors.New(strings.Join(args[2:], " ")))
		}
	case "refresh":
		sc.tell(command, sc.sup.ReloadProcess(ctx, arg(0)))
	case "long":
		infos, err := sc.sup.AllProcessInfo()
		for _, i := range infos {
			sc.say("%s:%s %s ready=%v %s", i.Group, i.Name, i.State, i.Ready, cmp.Or(i.Waiting, i.NotReady))
		}
		sc.tell(command, err)
	case "sleep":
		d, err := time.ParseDuration(arg(0))
		if err != nil {
			sc.t.Fatal(err)
		}
		time.Sleep(d)
	case "spawned": // spawned NAME
		sc.mu.Lock()
		sc.born(sc.spawned[arg(0)])
		sc.mu.Unlock()
	case "spawnfailed": // spawnfailed NAME TEXT
		sc.sup.Post(sc.number(arg(0)), process.SpawnFailed{Err: strings.Join(args[1:], " ")})
	case "ended": // ended NAME CODE|SIG... [group]
		sc.ended(args)
	case "signalfailed": // signalfailed NAME
		sc.sup.Post(sc.number(arg(0)), process.SignalFailed{Signal: syscall.SIGTERM, Err: "EPERM"})
	case "late": // late NUMBER: a fact about an old spawn
		n, _ := strconv.ParseUint(arg(0), 10, 64)
		sc.sup.Post(n, process.Ended{})
	case "gone":
		sc.sup.Post(sc.number(arg(0)), process.GroupGone{})
	case "status":
		infos, err := sc.sup.AllProcessInfo()
		for _, i := range infos {
			sc.say("%s:%s %s pid=%d exit=%d err=%q", i.Group, i.Name, i.State, i.PID, i.ExitStatus, i.SpawnErr)
		}
		sc.tell("status", err)
	case "start":
		go func() { sc.tell(command, sc.sup.StartProcess(ctx, arg(0), wait)) }()
	case "stop":
		go func() { sc.tell(command, sc.sup.StopProcess(ctx, arg(0), wait)) }()
	case "start-group":
		go func() { sc.results(command)(sc.sup.StartGroup(ctx, arg(0), wait)) }()
	case "stop-group":
		go func() { sc.results(command)(sc.sup.StopGroup(ctx, arg(0), wait)) }()
	case "start-all":
		go func() { sc.results(command)(sc.sup.StartAll(ctx, true)) }()
	case "stop-all":
		go func() { sc.results(command)(sc.sup.StopAll(ctx, true)) }()
	case "hang-up-start": // start NAME by a caller who goes away after a second
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		go func() { defer cancel(); sc.tell(command, sc.sup.StartProcess(ctx, arg(0), true)) }()
	case "signal":
		sc.tell(command, sc.sup.SignalProcess(ctx, arg(0), arg(1)))
	case "signal-group":
		sc.results(command)(sc.sup.SignalGroup(ctx, arg(0), arg(1)))
	case "signal-all":
		sc.results(command)(sc.sup.SignalAll(ctx, arg(0)))
	case "stdin":
		sc.tell(command, sc.sup.SendStdin(ctx, arg(0), arg(1)))
	case "clear":
		sc.tell(command, sc.sup.ClearLogs(ctx, arg(0)))
	case "clear-all":
		sc.results(command)(sc.sup.ClearAllLogs(ctx))
	case "reload":
		a, c, r, err := sc.sup.ReloadConfig(ctx)
		sc.say("added %v changed %v removed %v", a, c, r)
		sc.tell(command, err)
	case "add":
		sc.tell(command, sc.sup.AddGroup(ctx, arg(0)))
	case "remove":
		go func() { sc.tell(command, sc.sup.RemoveGroup(ctx, arg(0))) }()
	case "avail":
		infos, err := sc.sup.AllConfigInfo()
		for _, i := range infos {
			sc.say("%s:%s in use %v", i.Process.Group, i.Process.Name, i.InUse)
		}
		sc.tell(command, err)
	case "shutdown":
		sc.tell(command, sc.sup.Shutdown())
	case "restart":
		sc.tell(command, sc.sup.Restart())
	case "sigterm":
		sc.sup.SetMood(MoodShutdown)
		sc.say("mood %d", sc.sup.Mood())
	case "sighup":
		sc.sup.SetMood(MoodRestarting)
		sc.say("mood %d", sc.sup.Mood())
	default:
		sc.t.Fatalf("unknown command %q", command)
	}
}

func (sc *scene) number(name string) uint64 {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	return sc.spawned[name]
}

func (sc *scene) tell(command string, err error) {
	sc.add(line{answer: true, text: outcome(command, err)})
}

func outcome(command string, err error) string {
	if err == nil {
		return command + ": ok"
	}
	return command + ": " + err.Error()
}

func (sc *scene) results(command string) func([]Result, error) {
	return func(rs []Result, err error) {
		var lines []string
		for _, r := range rs {
			lines = append(lines, outcome(command+": "+r.Group+":"+r.Name, r.Err))
		}
		sc.add(line{answer: true, text: strings.Join(append(lines, outcome(command, err)), "\n")})
	}
}

// ended NAME 3, ended NAME SIGKILL, or either with a word behind: its process group lives.
func (sc *scene) ended(args []string) {
	spawn := sc.number(args[0])
	e := process.Ended{GroupAlive: len(args) > 2}
	if code, err := strconv.Atoi(args[1]); err == nil {
		e.Status.Code = code
	} else if e.Status.Signal, err = config.ParseSignal(args[1]); err != nil {
		sc.t.Fatal(err)
	}
	sc.sup.Post(spawn, e)
}

func (sc *scene) run() {
	sc.sup = New(sc.file, Options{
		Hands:  sc,
		Log:    slog.New(sc),
		Memory: sc.remembers(),
		Load: func() (*config.Config, error) {
			if sc.bad != nil {
				return nil, sc.bad
			}
			file := *sc.file
			file.Groups = slices.Clone(file.Groups)
			return &file, nil
		},
	})
	var groups []*config.Group
	for i := range sc.file.Groups {
		g := sc.file.Groups[i]
		groups = append(groups, &g)
	}
	go func() { sc.say("the end, mood %d", sc.sup.Run(groups)) }()
}

// listener NAME BUFFER EVENTS... puts an event listener with the manual's defaults, but startsecs=0,
// into the file. EVENTS may hold processes=N and autorestart=true.
func (sc *scene) listener(args []string) {
	buffer, err := strconv.Atoi(args[1])
	if err != nil {
		sc.t.Fatal(err)
	}
	n, restart, events := 1, config.RestartNever, []string{}
	for _, e := range args[2:] {
		if v, ok := strings.CutPrefix(e, "processes="); ok {
			n, _ = strconv.Atoi(v)
		} else if e == "autorestart=true" {
			restart = config.RestartAlways
		} else {
			events = append(events, e)
		}
	}
	g := config.Group{Name: args[0], Priority: -1, Kind: config.KindEventListener,
		Listener: &config.EventListener{BufferSize: buffer, Events: events}}
	for i := range n {
		name := args[0]
		if n > 1 {
			name += strconv.Itoa(i)
		}
		g.Processes = append(g.Processes, config.Process{Name: name, Group: args[0], Program: args[0], Command: "/bin/listen",
			Priority: 999, AutoStart: true, AutoRestart: restart, ExitCodes: []int{0}, StopSignal: syscall.SIGTERM, StopWaitSecs: 10})
	}
	sc.file.Groups = append([]config.Group{g}, sc.file.Groups...)
}

// program GROUP:NAME key=value... puts a program with the manual's defaults into the file.
func (sc *scene) program(args []string) {
	groupName, name, ok := strings.Cut(args[0], ":")
	if !ok {
		name = groupName
	}
	p := config.Process{Name: name, Group: groupName, Program: name, Command: "/bin/" + name,
		Priority: 999, AutoStart: true, AutoRestart: config.RestartUnexpected, StartSecs: 1,
		StartRetries: 3, ExitCodes: []int{0}, StopSignal: syscall.SIGTERM, StopWaitSecs: 10}
	for _, kv := range args[1:] {
		k, v, _ := strings.Cut(kv, "=")
		n, _ := strconv.Atoi(v)
		switch k {
		case "priority":
			p.Priority = n
		case "startsecs":
			p.StartSecs = n
		case "startretries":
			p.StartRetries = n
		case "stopwaitsecs":
			p.StopWaitSecs = n
		case "autostart":
			p.AutoStart = v == "true"
		case "autorestart":
			p.AutoRestart = map[string]config.AutoRestart{"true": config.RestartAlways, "false": config.RestartNever}[v]
		case "restartsecs":
			p.Patience.RestartSecs, p.Patience.MaxDelaySecs, p.Patience.ResetSecs = n, 60, 120
		case "startlimit": // within 600 seconds
			p.Patience.LimitBurst, p.Patience.LimitSecs = n, 600
		case "fatalretrysecs":
			p.Patience.FatalRetrySecs = n
		case "depends", "requires": // on "x", "x(running)", "g:x"
			for name := range strings.SplitSeq(v, ",") {
				d := config.Dependency{Required: k == "requires"}
				name, until, _ := strings.Cut(strings.TrimSuffix(name, ")"), "(")
				d.Until = map[string]config.Until{"running": config.UntilRunning, "completed": config.UntilCompleted}[until]
				if d.Group, d.Name, ok = strings.Cut(name, ":"); !ok {
					d.Name = d.Group
				}
				p.DependsOn = append(p.DependsOn, d)
			}
		case "ready": // ready=notify, or anything: it is asked for
			p.Health.Ready = &config.Check{Kind: config.CheckHTTP, Target: "ready", PeriodSecs: 10, SuccessThreshold: 1, FailureThreshold: 3}
			if v == "notify" {
				p.Health.Ready.Kind = config.CheckNotify
			}
		case "live":
			p.Health.Live = &config.Check{Kind: config.CheckHTTP, Target: "live", PeriodSecs: 10, SuccessThreshold: 1, FailureThreshold: n}
		case "watchdog":
			p.Health.WatchdogSecs = n
		case "starttimeout":
			p.Health.StartTimeoutSecs = n
		case "oneshot":
			p.OneShot = true
		case "prestart":
			p.Hooks.PreStart = "x"
		case "poststop":
			p.Hooks.PostStop = "x"
		case "stopcommand":
			p.Hooks.Stop = "x"
		case "reloadsignal":
			p.Hooks.ReloadSignal = syscall.SIGHUP
		case "asgroup":
			p.StopAsGroup, p.KillAsGroup = true, true
		default:
			sc.t.Fatalf("unknown option %q", k)
		}
	}
	for i := range sc.file.Groups {
		g := &sc.file.Groups[i]
		if g.Name != groupName {
			continue
		}
		if j := slices.IndexFunc(g.Processes, func(o config.Process) bool { return o.Name == name }); j >= 0 {
			g.Processes = slices.Clone(g.Processes)
			g.Processes[j] = p
		} else {
			g.Processes = append(g.Processes, p)
		}
		return
	}
	sc.file.Groups = append(sc.file.Groups, config.Group{Name: groupName, Priority: p.Priority, Processes: []config.Process{p}})
	slices.SortStableFunc(sc.file.Groups, func(a, b config.Group) int {
		if a.Priority != b.Priority {
			return a.Priority - b.Priority
		}
		return strings.Compare(a.Name, b.Name)
	})
}

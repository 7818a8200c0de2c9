package child

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/internal/config"
	"holdfast/internal/process"
	"holdfast/internal/sdnotify"
)

// The children of these tests are the test binary under names that say what they do: "child-wait"
// and so on.
func TestMain(m *testing.M) {
	if what, ok := strings.CutPrefix(filepath.Base(os.Args[0]), "child-"); ok {
		beChild(what, os.Args[1:])
		return
	}
	os.Exit(m.Run())
}

// endsAtOnce is for the environment of these children: a program built with -race sleeps for a second at its end otherwise.
const endsAtOnce = "GORACE=atexit_sleep_ms=0"

func beChild(what string, args []string) {
	switch what {
	case "report": // what it was given
		wd, _ := os.Getwd()
		fmt.Printf("args %q\ncwd %s\numask %03o\n", os.Args[1:], wd, syscall.Umask(0))
		for _, e := range os.Environ() {
			fmt.Println(e)
		}
	case "burst": // much, and exits at once
		os.Stdout.Write(bytes.Repeat([]byte("0123456789abcde\n"), 300<<10/16))
		fmt.Fprintln(os.Stderr, "to stderr")
		os.Exit(3)
	case "say": // two files, on stdout and stderr
		for i, f := range []*os.File{os.Stdout, os.Stderr} {
			b, err := os.ReadFile(args[i])
			if err != nil {
				panic(err)
			}
			f.Write(b)
		}
	case "lines": // each of them on stdout, behind "!" on stderr; @FILE waits for a file, and "stay" stays
		for _, arg := range args {
			if file, ok := strings.CutPrefix(arg, "@"); ok {
				awaitFile(file)
			} else if arg == "stay" {
				time.Sleep(time.Hour)
			} else if text, ok := strings.CutPrefix(arg, "!"); ok {
				fmt.Fprint(os.Stderr, strings.ReplaceAll(text, "~", "\n"))
			} else {
				fmt.Print(strings.ReplaceAll(arg, "~", "\n"))
			}
		}
	case "mixed":
		for i := range 10 {
			fmt.Fprintln(os.Stdout, "out", i)
			fmt.Fprintln(os.Stderr, "err", i)
		}
	case "wait":
		fmt.Println("ready")
		time.Sleep(time.Hour)
	case "ignore-term":
		signal.Ignore(syscall.SIGTERM)
		fmt.Println("member ready")
		time.Sleep(time.Hour)
	case "echo": // lines, and says how many bytes
		fmt.Println("ready")
		in := bufio.NewReader(os.Stdin)
		for {
			line, err := in.ReadString('\n')
			if err != nil {
				return
			}
			fmt.Printf("%d %.20q\n", len(line), line)
		}
	case "close-stdin":
		os.Stdin.Close()
		fmt.Println("closed")
		time.Sleep(time.Hour)
	case "leave": // another one behind, with the same outputs
		exe := filepath.Join(filepath.Dir(os.Args[0]), "child-"+args[0])
		if _, err := syscall.ForkExec(exe, append([]string{exe}, args[1:]...),
			&syscall.ProcAttr{Env: os.Environ(), Files: []uintptr{0, 1, 2}}); err != nil {
			panic(err)
		}
		fmt.Println("leader done")
	case "accept": // answers on the socket that is its fd 0 who it is
		flags, err := unix.FcntlInt(0, unix.F_GETFL, 0)
		fmt.Println("accepting", flags&unix.O_NONBLOCK, err)
		for {
			c, _, err := unix.Accept(0)
			if err != nil {
				fmt.Println(err)
				return
			}
			fmt.Fprint(os.NewFile(uintptr(c), "client"), args[0])
			unix.Close(c)
		}
	case "fail": // with a status, and the rest as last words
		code, _ := strconv.Atoi(args[0])
		fmt.Println("first words")
		fmt.Fprintln(os.Stderr, strings.Join(args[1:], " "))
		os.Exit(code)
	case "die":
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case "family": // a member that waits, silently; then what the first argument says
		pid, err := syscall.ForkExec("/bin/sleep", []string{"sleep", "1000"}, &syscall.ProcAttr{Env: os.Environ(), Files: []uintptr{0, 1, 2}})
		if err != nil {
			panic(err)
		}
		fmt.Println("pids", os.Getpid(), pid)
		if args[0] == "wait" {
			time.Sleep(time.Hour)
		}
		code, _ := strconv.Atoi(args[0])
		os.Exit(code)
	case "talk": // so many lines
		n, _ := strconv.Atoi(args[0])
		for i := range n {
			fmt.Println("line", i)
		}
	case "flood": // for ever
		for {
			os.Stdout.WriteString("0123456789abcde\n")
		}
	case "await": // a file; and note who waits
		f, err := os.OpenFile(args[0]+".pids", os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
		if err != nil {
			panic(err)
		}
		fmt.Fprintln(f, os.Getpid())
		awaitFile(args[0])
	case "daemon": // a Manager of its own, with a process whose pre_start_command is given
		m := New(Options{Log: slog.New(slog.DiscardHandler), Report: func(uint64, process.Event) {}, Environ: os.Environ()})
		m.Spawn(&config.Process{Name: "web", Group: "site", Command: "/bin/sleep 1000",
			Hooks: config.Hooks{PreStart: strings.Join(args, " "), TimeoutSecs: 60}}, 1)
		time.Sleep(time.Hour)
	case "notify": // each as a datagram, with commas for line feeds; @FILE waits for a file, and "stay" stays
		for _, arg := range args {
			if file, ok := strings.CutPrefix(arg, "@"); ok {
				awaitFile(file)
			} else if arg == "stay" {
				fmt.Println("said all")
				time.Sleep(time.Hour)
			} else if err := sdnotify.Send(strings.Split(arg, ",")...); err != nil {
				fmt.Println(err)
			}
		}
	case "notify-flood": // as fast as it can, until a file appears
		for i := 0; ; i++ {
			if _, err := os.Stat(args[0]); err == nil {
				return
			}
			if err := sdnotify.Send("WATCHDOG=1", fmt.Sprint("STATUS=", i)); err != nil {
				fmt.Println(err)
			}
		}
	case "wrap": // one that notifies, in a session of its own
		exe := filepath.Join(filepath.Dir(os.Args[0]), "child-notify")
		if _, err := syscall.ForkExec(exe, append([]string{exe}, args...),
			&syscall.ProcAttr{Env: os.Environ(), Files: []uintptr{0, 1, 2}, Sys: &syscall.SysProcAttr{Setsid: true}}); err != nil {
			panic(err)
		}
		time.Sleep(time.Hour)
	case "late": // writes when a file appears
		awaitFile(args[0])
		fmt.Println("late words")
	default:
		panic("no child called " + what)
	}
}

func awaitFile(path string) {
	for _, err := os.Stat(path); err != nil; _, err = os.Stat(path) {
		time.Sleep(5 * time.Millisecond)
	}
}

// bound is how long a broken test takes to fail.
const bound = 20 * time.Second

// A rig is a Manager with the facts it has reported.
type rig struct {
	*Manager
	t     *testing.T
	dir   string
	last  uint64
	mu    sync.Mutex
	facts map[uint64][]process.Event // guarded by mu
	news  chan struct{}              // closed and replaced at each fact; guarded by mu
}

func newRig(t *testing.T) *rig { return newRigWith(t, func(*Options) {}) }

func newRigWith(t *testing.T, change func(*Options)) *rig {
	k := &rig{t: t, dir: t.TempDir(), facts: make(map[uint64][]process.Event), news: make(chan struct{})}
	o := Options{
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Report: func(spawn uint64, e process.Event) {
			if e == (process.Reaped{}) {
				return // Ended follows, and is what the tests wait for
			}
			k.mu.Lock()
			defer k.mu.Unlock()
			k.facts[spawn] = append(k.facts[spawn], e)
			close(k.news)
			k.news = make(chan struct{})
		},
		ChildLogDir: k.dir, Identifier: "supervisor",
		Environ: []string{"PATH=/bin:/usr/bin", "HOME=/root", endsAtOnce, "A=inherited"}, ServerURL: "unix:///run/x.sock",
	}
	change(&o)
	k.Manager = New(o)
	t.Cleanup(func() {
		for spawn := uint64(1); spawn <= k.last; spawn++ {
			k.Signal(spawn, syscall.SIGKILL, true)
		}
		k.Close()
	})
	return k
}

// command is the test binary by the name of a child.
func (k *rig) command(what string) string {
	k.t.Helper()
	path := filepath.Join(k.dir, "child-"+what)
	self, err := os.Executable()
	if err != nil {
		k.t.Fatal(err)
	}
	if err := os.Symlink(self, path); err != nil && !os.IsExist(err) {
		k.t.Fatal(err)
	}
	return path
}

// program is a process that runs child-WHAT and logs to out.log and err.log.
func (k *rig) program(what string, args ...string) *config.Process {
	return &config.Process{
		Name: "web", Group: "site", Command: strings.Join(append([]string{k.command(what)}, args...), " "),
		Stdout: config.Log{File: filepath.Join(k.dir, "out.log")},
		Stderr: config.Log{File: filepath.Join(k.dir, "err.log")},
	}
}

func (k *rig) spawn(p *config.Process) uint64 {
	k.last++
	k.Spawn(p, k.last)
	return k.last
}

// fact waits for the n-th fact about a spawn, from 0.
func (k *rig) fact(spawn uint64, n int) process.Event {
	k.t.Helper()
	timeout := time.After(bound)
	for {
		k.mu.Lock()
		facts, news := k.facts[spawn], k.news
		k.mu.Unlock()
		if len(facts) > n {
			return facts[n]
		}
		select {
		case <-news:
		case <-timeout:
			k.t.Fatalf("spawn %d: no fact %d after %#v; out.log: %q", spawn, n, facts, k.read("out.log"))
		}
	}
}

// spawned waits for the fork and returns the pid.
func (k *rig) spawned(spawn uint64) int {
	k.t.Helper()
	s, ok := k.fact(spawn, 0).(process.Spawned)
	if !ok || s.PID <= 1 {
		k.t.Fatalf("got %#v, want a Spawned", k.fact(spawn, 0))
	}
	return s.PID
}

func (k *rig) ended(spawn uint64) process.Ended {
	k.t.Helper()
	k.spawned(spawn)
	e, ok := k.fact(spawn, 1).(process.Ended)
	if !ok {
		k.t.Fatalf("got %#v, want an Ended", k.fact(spawn, 1))
	}
	return e
}

func (k *rig) read(name string) string {
	b, _ := os.ReadFile(filepath.Join(k.dir, name))
	return string(b)
}

// logged waits until a log has the text.
func (k *rig) logged(name, text string) {
	k.t.Helper()
	k.eventually(name+" has "+text, func() bool { return strings.Contains(k.read(name), text) })
}

// eventually asks until the answer is yes.
func (k *rig) eventually(what string, ok func() bool) {
	k.t.Helper()
	for deadline := time.Now().Add(bound); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			k.t.Fatalf("not in %v: %s", bound, what)
		}
	}
}

package main

import (
	"embed"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

//go:embed c/tick.c c/loop.c
var sources embed.FS

func main() {
	log.SetFlags(0)
	log.SetPrefix("bench: ")
	if len(os.Args) == 4 && os.Args[1] == "bare" {
		n, err := strconv.Atoi(os.Args[2])
		if err != nil {
			log.Fatal(err)
		}
		log.Fatal(bareLoop(n, os.Args[3]))
	}
	var (
		rounds = flag.Int("rounds", 30, "rounds of the restart measurement; one gives up to five kills a peer")
		ups    = flag.Int("ups", 7, "rounds of the start measurement")
		count  = flag.Int("programs", 100, "programs of the start measurement")
		logs   = flag.Int("logs", 5, "rounds of the log measurement")
		mib    = flag.Int("mib", 256, "MiB that the program of the log measurement writes")
		idle   = flag.Duration("idle", 5*time.Second, "how long each daemon is watched while it is idle")
		bin    = flag.String("bin", "bin/supervisord", "our supervisord")
		other  = flag.String("other", "", "another build of our supervisord, to be measured beside it")
		only   = flag.String("peers", "", "measure only these peers: a comma list of words in their names; the bare Go loop is always there")
	)
	flag.Parse()
	if flag.NArg() > 0 {
		log.Fatalf("unexpected argument %q", flag.Arg(0))
	}
	b, err := newBench(*bin, *other, *only)
	if err != nil {
		log.Fatal(err)
	}
	err = b.run(*rounds, *ups, *count, *logs, *mib, *idle)
	os.RemoveAll(b.dir)
	if err != nil {
		log.Fatal(err)
	}
}

type bench struct {
	dir   string // scratch
	tick  string // the program under supervision
	peers []*peer
}

func newBench(bin, other, only string) (*bench, error) {
	// Orphans of a killed daemon come to us, so that cleaning up can wait for them.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return nil, fmt.Errorf("cannot become a subreaper: %w", err)
	}
	// In memory where that is possible: a supervisor that makes a log file a program would else be
	// measured with the disk, and a loop that makes none without it.
	tmp := os.Getenv("TMPDIR")
	if tmp == "" && unix.Access("/dev/shm", unix.W_OK) == nil {
		tmp = "/dev/shm"
	}
	dir, err := os.MkdirTemp(tmp, "holdfast-bench-")
	if err != nil {
		return nil, err
	}
	b := &bench{dir: dir, tick: filepath.Join(dir, "tick")}
	cLoop := b.compile("c/loop.c", filepath.Join(dir, "loop"))
	what := "C"
	if !b.compile("c/tick.c", b.tick) {
		what = "Go"
		if out, err := exec.Command("go", "build", "-o", b.tick, "holdfast/bench/tick").CombinedOutput(); err != nil {
			return nil, fmt.Errorf("cannot build the program under supervision: %w\n%s", err, out)
		}
	}
	if b.peers, err = findPeers(b, bin, other, cLoop); err != nil {
		return nil, err
	}
	if only != "" {
		words := strings.Split(only, ",")
		b.peers = slices.DeleteFunc(b.peers, func(p *peer) bool {
			return p.name != bareGo && !slices.ContainsFunc(words, func(w string) bool { return strings.Contains(p.name, w) })
		})
	}
	fmt.Printf("kernel %s, %d CPUs, the program under supervision is in %s\n", release(), cpus(), what)
	return b, nil
}

// compile builds one of the C programs; false where there is no compiler.
func (b *bench) compile(source, out string) bool {
	src, err := sources.ReadFile(source)
	if err != nil {
		panic(err) // it is embedded
	}
	cmd := exec.Command("gcc", "-O2", "-static", "-x", "c", "-o", out, "-")
	cmd.Stdin = strings.NewReader(string(src))
	if msg, err := cmd.CombinedOutput(); err != nil {
		log.Printf("gcc %s: %v\n%s", source, err, msg)
		return false
	}
	return true
}

// bareLoop is the floor in Go: it keeps n programs alive by fork, exec and wait.
func bareLoop(n int, prog string) error {
	start := func() error {
		_, err := syscall.ForkExec(prog, []string{prog}, &syscall.ProcAttr{Env: os.Environ(), Files: []uintptr{0, 1, 2}})
		return err
	}
	for range n {
		if err := start(); err != nil {
			return err
		}
	}
	for {
		_, err := syscall.Wait4(-1, nil, 0, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		if err := start(); err != nil {
			return err
		}
	}
}

func (b *bench) run(rounds, ups, count, logs, mib int, idle time.Duration) error {
	if err := b.restarts(rounds); err != nil {
		return err
	}
	if err := b.starts(ups, count); err != nil {
		return err
	}
	if err := b.logs(logs, mib); err != nil {
		return err
	}
	return b.idle(count, idle)
}

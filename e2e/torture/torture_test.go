package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

var (
	duration = flag.Duration("for", 6*time.Second, "torture for so long")
	seedFlag = flag.Uint64("seed", 0, "seed of what is random; 0: another one each time")
	binFlag  = flag.String("bin", "", "directory with supervisord, supervisorctl and torture; empty: build them")
)

// bin is the directory of the binaries under test.
var bin string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	flag.Parse()
	if *binFlag != "" {
		bin, _ = filepath.Abs(*binFlag)
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "holdfast-torture-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	bin, _ = filepath.EvalSymlinks(dir)
	build := exec.Command("go", "build", "-o", bin+"/", "holdfast/cmd/supervisord", "holdfast/cmd/supervisorctl", "holdfast/e2e/torture")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "cannot build the binaries: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

func TestTorture(t *testing.T) {
	seed := newSeed(t)
	s := newSession(t, seed)
	rng := rand.New(rand.NewPCG(seed, 2))

	s.launch(false)
	atRest := s.rest()
	_ = s.call("", "startAllProcesses", func(ctx context.Context) error {
		_, err := s.client.StartAllProcesses(ctx, false)
		return err
	})

	s.torment(rng)

	// The quiet phase: programs write no more and exit no more.
	s.calm.Set()
	s.await("every program to be as it was wished", func() string {
		if s.ensure(rng); !s.answers() {
			return "supervisord does not answer"
		}
		return s.settled()
	})
	s.check()
	s.end(atRest)
	t.Logf("seed %d:\n%s", seed, show(s.counts))
}

// TestStart kills a supervisord that is just starting its programs for the first time: all of them run in the end,
// each once.
func TestStart(t *testing.T) {
	seed := newSeed(t)
	rng := rand.New(rand.NewPCG(seed, 4))
	for end := time.Now().Add(*duration / 4); ; {
		s := newSession(t, seed)
		s.calm.Set()
		s.launch(rng.IntN(2) == 0)
		s.killAtBirth(rng)
		for range rng.IntN(4) {
			s.ensure(rng)
			time.Sleep(time.Duration(rng.IntN(60)) * time.Millisecond)
			s.kill1(rng)
		}
		s.await("every program to run", func() string {
			if s.ensure(rng); !s.answers() {
				return "supervisord does not answer"
			}
			return s.settled()
		})
		s.check()
		s.stopAll()
		s.end(s.files())
		if s.stopInit(); t.Failed() || time.Now().After(end) {
			return
		}
	}
}

// killAtBirth kills the first daemon in the moments in which it makes its groups.
func (s *session) killAtBirth(rng *rand.Rand) {
	var list []supervisor
	var daemon supervisor
	s.await("a daemon", func() string {
		list = s.supervisors()
		var ok bool
		if daemon, ok = find(list, "daemon"); !ok {
			return "none"
		}
		return ""
	})
	const header = 4096 // behind it come the processes, all within a millisecond
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if info, err := os.Stat(s.dir + "/supervisord.state"); err == nil && info.Size() > header {
			break
		}
	}
	for moment := time.Now().Add(time.Duration(rng.IntN(1000)) * time.Microsecond); time.Now().Before(moment); {
	}
	s.kill(daemon, list)
}

func newSeed(t *testing.T) uint64 {
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()>>40 + 1
	}
	t.Logf("seed %d", seed)
	return seed
}

// answers tells whether there is a daemon that answers.
func (s *session) answers() bool {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	asked := Now()
	pid, err := s.client.PID(ctx)
	if err == nil {
		s.outages.answered(pid, asked)
	}
	return err == nil
}

// rest stops everything, under a daemon that has taken over, and counts the open files.
func (s *session) rest() map[string]int {
	s.await("supervisord's start", func() string {
		if len(s.supervisors()) != 2 || !s.answers() {
			return "not there"
		}
		return ""
	})
	list := s.supervisors()
	if daemon, ok := find(list, "daemon"); ok {
		s.kill(daemon, list)
	}
	s.stopAll()
	return s.files()
}

func (s *session) stopAll() {
	_ = s.call("", "stopAllProcesses", func(ctx context.Context) error {
		_, err := s.client.StopAllProcesses(ctx, true)
		return err
	})
	s.await("the programs to be gone", func() string {
		s.client.Close() // a connection is a file too
		for _, p := range Descendants(s.init.Process.Pid) {
			if p.Name != "supervisord" {
				return fmt.Sprintf("process %d is there", p.PID)
			}
		}
		return ""
	})
}

// torment does it.
func (s *session) torment(rng *rand.Rand) {
	stop := make(chan struct{})
	var all sync.WaitGroup
	const actors = 4
	for i := range actors {
		own := rand.New(rand.NewPCG(rng.Uint64(), 3))
		var mine []*program
		for j, p := range s.programs {
			if p.spare && i == 0 || !p.spare && j%actors == i {
				mine = append(mine, p)
			}
		}
		all.Go(func() { s.actor(own, mine, i == 0, stop) })
	}
	over := make(chan struct{})
	var others sync.WaitGroup
	others.Go(func() { s.prober(over) })
	others.Go(func() { s.killer(rng, stop, over) })
	time.Sleep(*duration)
	close(stop)
	all.Wait() // every call is answered
	close(over)
	others.Wait()
}

// check is what must be true in the end.
func (s *session) check() {
	if data, err := os.ReadFile(s.dir + "/wrong"); err == nil {
		s.fail("", "programs have met what must not be:\n%s", data)
	}
	tellings, said, log := s.mainLog()
	for _, p := range s.programs {
		r := s.record(p)
		r.said = said[p.name]
		lines := s.checkLines(r)
		s.checkTold(r, tellings[p.name])
		s.mu.Lock()
		s.counts["lines"] += lines
		s.counts["processes"] += len(r.lives)
		s.mu.Unlock()
	}
	s.checkLog(log)
}

// tooMany tells whether files have been left open. A daemon makes a few pipes for itself when it first looks at
// output, and how supervisord was started leaves one file more or less.
func tooMany(now, before map[string]int) bool {
	for kind, n := range now {
		slack := 1
		if kind == "daemon pipe" {
			slack = 8
		}
		if n > before[kind]+slack {
			return true
		}
	}
	return false
}

// end shuts supervisord down: nothing may be left.
func (s *session) end(atRest map[string]int) {
	s.stopAll()
	files := s.files()
	if tooMany(files, atRest) {
		s.fail("", "open files, all programs being stopped:\n%sat the start they were\n%s", show(files), show(atRest))
	}
	if err := s.client.Shutdown(context.Background()); err != nil {
		s.fail("", "shutdown: %v", err)
	}
	s.client.Close()
	s.await("the shutdown", func() string {
		for _, p := range Descendants(s.init.Process.Pid) {
			return fmt.Sprintf("process %d (%s) is there", p.PID, p.Name)
		}
		return ""
	})
	for _, name := range []string{"s", "supervisord.pid", "supervisord.state", "supervisord.state.groups"} {
		if _, err := os.Lstat(filepath.Join(s.dir, name)); err == nil {
			s.fail("", "%s is left behind", name)
		}
	}
}

package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A wish is what the clients have asked for last, and been answered.
type wish int

const (
	up      wish = iota // it runs, or has ended in a way after which it is not started again
	stopped             // STOPPED
	down                // it did not run, and nobody has started it since
	absent              // it is not in the configuration
)

func (w wish) String() string { return [...]string{"up", "stopped", "down", "absent"}[w] }

// A program is one of those under torture. Its group has its name.
type program struct {
	name    string
	words   string // for live
	options string
	// What the options mean for the checks.
	startSecs   int
	autoRestart string
	exitCodes   []int
	merged      bool // stderr goes where stdout goes
	auto        bool // its log is AUTO
	grouped     bool // it is stopped as a group
	spare       bool // it comes and goes, with update
	hasty       bool // it may give up

	version int // of a spare one's configuration

	mu    sync.Mutex
	wish  wish     // guarded by mu
	kills []uint64 // guarded by mu; when clients have asked for a SIGKILL
}

func (p *program) wants(w wish) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wish = w
}

func (p *program) wanted() wish {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.wish
}

// programs are the fifty.
func programs(rng *rand.Rand) (list []*program) {
	add := func(n int, kind string, p *program) {
		for i := range n {
			one := &program{
				name: fmt.Sprintf("%s%d", kind, i+1), words: p.words, options: p.options, startSecs: p.startSecs,
				autoRestart: p.autoRestart, exitCodes: p.exitCodes, merged: p.merged, auto: p.auto, grouped: p.grouped,
				spare: p.spare, hasty: p.hasty,
			}
			// Anything from 1 to 60 ms between two lines, and lines of 30 to 200 bytes in the mean.
			out := int(1000 * (1 + 59*rng.Float64()*rng.Float64()))
			one.words = strings.NewReplacer("{out}", fmt.Sprint(out), "{err}", fmt.Sprint(3*out), "{pad}", fmt.Sprint(rng.IntN(400))).Replace(p.words)
			if one.autoRestart == "" {
				one.autoRestart = "true"
			}
			if one.exitCodes == nil {
				one.exitCodes = []int{0}
			}
			list = append(list, one)
		}
	}
	const plain, both = "out={out} pad={pad}", "out={out} err={err} pad={pad}"
	const asGroup = "stopasgroup=true\nkillasgroup=true\n"
	add(8, "steady", &program{words: plain, startSecs: 1})
	add(4, "quick", &program{words: "out=1000 pad=60"})
	add(5, "both", &program{words: both})
	add(5, "merged", &program{words: both, merged: true})
	add(4, "captured", &program{words: plain + " capture=7", options: "stdout_capture_maxbytes=1MB\n"})
	add(3, "always", &program{words: both + " life=400000 codes=0,1,2,3,77"})
	add(3, "unexpected", &program{words: plain + " life=900000 codes=0,0,0,0,5,9,11", autoRestart: "unexpected", exitCodes: []int{5, 9}})
	add(3, "once", &program{words: plain + " life=500000 codes=0,4", autoRestart: "false"})
	add(2, "brief", &program{words: plain + " life=20000 codes=0,1", startSecs: 0})
	add(4, "family", &program{words: plain + " family=1 linger=200000 life=2000000 codes=0,6", options: asGroup, grouped: true})
	add(2, "leaving", &program{words: plain + " family=1 linger=300000 life=700000 codes=0,8"})
	add(2, "stubborn", &program{words: plain + " ignore=1", options: "stopwaitsecs=1\n"})
	add(1, "mob", &program{words: plain + " ignore=1 family=1 linger=200000", options: asGroup + "stopwaitsecs=1\n", grouped: true})
	add(1, "hasty", &program{words: plain + " life=300000 codes=0,7", startSecs: 1, options: "startretries=3\n", hasty: true})
	add(1, "auto", &program{words: both, auto: true})
	add(2, "spare", &program{words: both, spare: true})
	return list
}

// section is the program's part of the configuration.
func (p *program) section(s *session) string {
	var b strings.Builder
	fmt.Fprintf(&b, "[program:%s]\ncommand=%s live %s %s %s\n", p.name, s.torture, s.dir, p.name, p.words)
	fmt.Fprintf(&b, "startsecs=%d\nautorestart=%s\nexitcodes=%d", p.startSecs, p.autoRestart, p.exitCodes[0])
	for _, code := range p.exitCodes[1:] {
		fmt.Fprintf(&b, ",%d", code)
	}
	b.WriteString("\n")
	if !p.hasty {
		b.WriteString("startretries=1000\n")
	}
	if p.version > 0 {
		fmt.Fprintf(&b, "environment=VERSION=\"%d\"\n", p.version)
	}
	// A rotation moves all backups, so there must not be too many, and none may fall off.
	size := 20_000 + int(*duration/time.Second)*2500
	for _, stream := range []string{"stdout", "stderr"} {
		if stream == "stderr" && p.merged {
			b.WriteString("redirect_stderr=true\n")
			continue
		}
		if !p.auto {
			fmt.Fprintf(&b, "%s_logfile=%s/%s.%s\n", stream, s.logs, p.name, stream)
		}
		fmt.Fprintf(&b, "%s_logfile_maxbytes=%d\n%s_logfile_backups=1000\n", stream, size, stream)
	}
	b.WriteString(p.options + "\n")
	return b.String()
}

// configure writes the configuration, in one step.
func (s *session) configure() error {
	var b strings.Builder
	fmt.Fprintf(&b, `[unix_http_server]
file=%[1]s/s

[supervisord]
logfile=%[1]s/supervisord.log
logfile_maxbytes=0
pidfile=%[1]s/supervisord.pid
childlogdir=%[2]s

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl=unix://%[1]s/s

`, s.dir, s.logs)
	for _, p := range s.programs {
		if p.wanted() != absent {
			b.WriteString(p.section(s))
		}
	}
	if err := os.WriteFile(s.config+".new", []byte(b.String()), 0o600); err != nil {
		return err
	}
	return os.Rename(s.config+".new", s.config)
}

// logFiles are the files of a log, the oldest first.
func (s *session) logFiles(p *program, stream string) (files []string) {
	pattern := filepath.Join(s.logs, p.name+"."+stream)
	if p.auto {
		found, _ := filepath.Glob(filepath.Join(s.logs, p.name+"-"+stream+"---*.log"))
		if len(found) != 1 {
			return nil
		}
		pattern = found[0]
	}
	backups, _ := filepath.Glob(pattern + ".*") // a kill in a rotation leaves a gap in the numbers
	slices.SortFunc(backups, func(a, b string) int { return number(b) - number(a) })
	return append(backups, pattern)
}

// number is that of a backup.
func number(path string) int {
	n, _ := strconv.Atoi(path[strings.LastIndexByte(path, '.')+1:])
	return n
}

package main

import (
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

const bareGo = "bare Go loop"

// A peer is one way to keep programs alive.
type peer struct {
	name   string
	settle time.Duration // a program that has run for less than this is not restarted at once
	logs   bool          // it carries what its program writes into tick_000.log and those beside it
	// prepare lays out count programs in dir and returns the command that supervises them.
	prepare func(dir string, count int) ([]string, error)
}

// Holdfast and the original run a restart at once with startsecs=0; runit and daemontools have a
// fixed second.
const (
	noSettle  = 30 * time.Millisecond
	oneSecond = 1100 * time.Millisecond
)

func findPeers(b *bench, bin, other string, cLoop bool) ([]*peer, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	peers := []*peer{{bareGo, noSettle, false, func(_ string, n int) ([]string, error) {
		return []string{self, "bare", strconv.Itoa(n), b.tick}, nil
	}}}
	if cLoop {
		peers = append(peers, &peer{"bare C loop", noSettle, false, func(_ string, n int) ([]string, error) {
			return []string{filepath.Join(b.dir, "loop"), strconv.Itoa(n), b.tick}, nil
		}})
	}
	add := func(name, cmd string, settle time.Duration, logs bool, prepare func(path, dir string, n int) ([]string, error)) {
		path, err := exec.LookPath(cmd)
		if err == nil {
			path, err = filepath.Abs(path)
		}
		if err != nil {
			log.Printf("%s: not measured: %v", name, err)
			return
		}
		peers = append(peers, &peer{name, settle, logs, func(dir string, n int) ([]string, error) { return prepare(path, dir, n) }})
	}
	add("holdfast", bin, noSettle, true, b.supervisord)
	if other != "" {
		add("other holdfast", other, noSettle, true, b.supervisord)
	}
	add("supervisor", "/usr/bin/supervisord", noSettle, true, b.supervisord)
	add("runit", "runsvdir", oneSecond, false, b.serviceDirs)
	add("daemontools", "svscan", oneSecond, false, b.serviceDirs)
	return peers, nil
}

// supervisord writes the one configuration that ours and the original both get: a real one, with a
// socket, a log file a program and everything else as it is by default.
func (b *bench) supervisord(path, dir string, n int) ([]string, error) {
	startsecs := 1
	if n == 1 {
		startsecs = 0 // a kill soon after the start is then a restart and no failed start
	}
	conf := filepath.Join(dir, "supervisord.conf")
	text := fmt.Sprintf(`[supervisord]
logfile=%[1]s/supervisord.log
pidfile=%[1]s/supervisord.pid
childlogdir=%[1]s

[unix_http_server]
file=%[1]s/supervisor.sock

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface

[program:tick]
command=%[2]s
process_name=%%(program_name)s_%%(process_num)03d
numprocs=%[3]d
autorestart=true
startsecs=%[4]d
redirect_stderr=true
stdout_logfile=%[1]s/%%(program_name)s_%%(process_num)03d.log
`, dir, b.tick, n, startsecs)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		return nil, err
	}
	return []string{path, "-n", "-c", conf}, nil
}

// serviceDirs lays out what runsvdir and svscan take: a directory a service, with a program "run".
func (b *bench) serviceDirs(path, dir string, n int) ([]string, error) {
	services := filepath.Join(dir, "services")
	for i := range n {
		d := filepath.Join(services, fmt.Sprintf("tick_%03d", i))
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, err
		}
		if err := os.Symlink(b.tick, filepath.Join(d, "run")); err != nil {
			return nil, err
		}
	}
	return []string{path, services}, nil
}

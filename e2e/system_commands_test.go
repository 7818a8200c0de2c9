package e2e

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"
)

// until COMMAND ARGS...: run it until it succeeds; stdout is that of the run that did.
func until(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: until COMMAND ARGS...")
	}
	path := args[0]
	if own := filepath.Join(bin, path); !strings.Contains(path, "/") {
		if _, err := os.Stat(own); err == nil {
			path = own
		}
	}
	eventually(ts, strings.Join(args, " ")+" to succeed", func() bool {
		cmd := exec.Command(path, args[1:]...)
		cmd.Dir = ts.Getenv("WORK")
		cmd.Env = append(os.Environ(), "ETCDCTL_API=3", "ETCDCTL_ENDPOINTS="+ts.Getenv("ETCDCTL_ENDPOINTS"))
		out, err := cmd.Output()
		if err == nil {
			fmt.Fprintf(ts.Stdout(), "%s", out)
		}
		return err == nil
	})
}

// A stat is what /proc/PID/stat says of a process.
type stat struct {
	pid, ppid int
	comm      string
	state     string
}

// processes lists all there are.
func processes() (all []stat) {
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended since
		}
		text := string(data)
		open, end := strings.IndexByte(text, '('), strings.LastIndexByte(text, ')')
		pid, _ := strconv.Atoi(strings.TrimSpace(text[:open]))
		f := strings.Fields(text[end+1:])
		ppid, _ := strconv.Atoi(f[1])
		all = append(all, stat{pid: pid, ppid: ppid, comm: text[open+1 : end], state: f[0]})
	}
	return all
}

// childOf VAR PID COMM: wait until the process PID has a child of this name, and put its pid into
// the variable.
func childOf(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: childof VAR PID COMM")
	}
	parent := pidFrom(ts, args[1])
	eventually(ts, strings.Join(args, " "), func() bool {
		for _, p := range processes() {
			if p.ppid == parent && p.comm == args[2] && p.state != "Z" {
				ts.Setenv(args[0], strconv.Itoa(p.pid))
				return true
			}
		}
		return false
	})
}

// noGroup PID: the process group of this number is empty, now.
func noGroup(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: nogroup PID")
	}
	err := syscall.Kill(-pidFrom(ts, args[0]), 0)
	if gone := errors.Is(err, syscall.ESRCH); gone == neg {
		ts.Fatalf("nogroup %s: %v", args[0], err)
	}
}

// noZombies PID: until the process PID has no child that it has not waited for.
func noZombies(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: nozombies PID")
	}
	parent := pidFrom(ts, args[0])
	eventually(ts, "no zombies", func() bool {
		for _, p := range processes() {
			if p.ppid == parent && p.state == "Z" {
				return false
			}
		}
		return true
	})
}

// freePort VAR...: put numbers of free TCP ports into the variables. They are below those that the
// kernel gives away by itself, and chosen at random, so that nobody else gets them in the meantime.
func freePort(ts *testscript.TestScript, neg bool, args []string) {
	for _, name := range args {
		for {
			port := strconv.Itoa(20000 + rand.IntN(12000))
			if l, err := net.Listen("tcp", "127.0.0.1:"+port); err == nil {
				l.Close()
				ts.Setenv(name, port)
				break
			}
		}
	}
}

// tmpfs DIR SIZE: mount a file system of that size, until the end of the script. Needs root.
func tmpfs(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: tmpfs DIR SIZE")
	}
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o755))
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+args[1]); err != nil {
		ts.Fatalf("cannot mount: %v", err)
	}
	// Those who write there may not have ended yet.
	ts.Defer(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
}

// fill FILE: write into FILE until its disk is full.
func fill(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: fill FILE")
	}
	f, err := os.Create(ts.MkAbs(args[0]))
	ts.Check(err)
	defer f.Close()
	block := make([]byte, 4096)
	for err == nil {
		_, err = f.Write(block)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		ts.Fatalf("fill: %v", err)
	}
}

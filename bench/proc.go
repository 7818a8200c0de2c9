package main

import (
	"bufio"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// usage is what some processes hold and have used together.
type usage struct {
	pss, rss int // KiB
	threads  int
	cpu      time.Duration
	switches int // context switches, wanted and unwanted, of all threads
}

func usageOf(pids []int) usage {
	var u usage
	for _, pid := range pids {
		dir := filepath.Join("/proc", strconv.Itoa(pid))
		mem := fields(dir + "/smaps_rollup")
		u.pss += mem["Pss"]
		u.rss += mem["Rss"]
		tasks, _ := filepath.Glob(dir + "/task/[0-9]*")
		u.threads += len(tasks)
		for _, t := range tasks {
			status := fields(t + "/status")
			u.switches += status["voluntary_ctxt_switches"] + status["nonvoluntary_ctxt_switches"]
			// Its first number is the time on the CPU in nanoseconds; the clock of /proc/PID/stat is
			// too coarse for an idle daemon.
			b, _ := os.ReadFile(t + "/schedstat")
			ns, _, _ := strings.Cut(string(b), " ")
			n, _ := strconv.ParseInt(ns, 10, 64)
			u.cpu += time.Duration(n)
		}
	}
	return u
}

// fields reads a file of lines "Name:   123 kB". A process may be gone meanwhile: then there are
// none.
func fields(file string) map[string]int {
	out := map[string]int{}
	f, err := os.Open(file)
	if err != nil {
		return out
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		name, rest, ok := strings.Cut(lines.Text(), ":")
		if words := strings.Fields(rest); ok && len(words) > 0 {
			if n, err := strconv.Atoi(words[0]); err == nil {
				out[name] = n
			}
		}
	}
	return out
}

func release() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return "unknown"
	}
	return unix.ByteSliceToString(u.Release[:])
}

func cpus() int { return runtime.NumCPU() }

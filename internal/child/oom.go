package child

import (
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"holdfast/internal/process"
)

// A process that ends by SIGKILL, which nobody here has sent, may have been killed by the kernel for want of memory.
// The kernel counts these kills for each cgroup, and our children are in ours unless they have left it. So where the
// number has risen while the process ran, that may be why.
type oomCount struct {
	file string // of the cgroup; empty: there is none

	mu      sync.Mutex
	claimed int64 // as many have been somebody's end; guarded by mu
}

// now is the number of kills; 0 where it can't be told.
func (o *oomCount) now() int64 {
	if o.file == "" {
		return 0
	}
	data, err := os.ReadFile(o.file)
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(data)) {
		if value, ok := strings.CutPrefix(line, "oom_kill "); ok {
			n, _ := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
			return n
		}
	}
	return 0
}

// explains tells whether one of these kills may have been the end s of a process that was started when there were
// before of them. Each explains one end.
func (o *oomCount) explains(s process.ExitStatus, before int64) bool {
	const ofShell = 128 + int(syscall.SIGKILL) // what a wrapper makes of it
	killed := s.Signal == syscall.SIGKILL || s.Signal == 0 && s.Code == ofShell
	if !killed || s.Unknown || s.After == syscall.SIGKILL {
		return false
	}
	now := o.now()
	o.mu.Lock()
	defer o.mu.Unlock()
	known := max(before, o.claimed)
	if now <= known {
		return false
	}
	o.claimed = known + 1
	return true
}

// oomFile is where the kernel counts for the cgroup of this process.
func oomFile() string {
	const mount = "/sys/fs/cgroup"
	data, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(data)) { // "0::/a/b", before cgroup v2 "4:memory:/a/b"
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		dir, file := mount, "/memory.events"
		switch parts[1] {
		case "":
		case "memory":
			dir, file = mount+"/memory", "/memory.oom_control"
		default:
			continue
		}
		// A container may have its own cgroup mounted as the root, under the name that the host has for it.
		for _, path := range []string{dir + parts[2] + file, dir + file} {
			if _, err := os.Stat(path); err == nil {
				return path
			}
		}
	}
	return ""
}

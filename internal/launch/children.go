package launch

import (
	"os"
	"strconv"
)

// Children lists the living children of every process. It reads all of /proc; what can't be read is left out.
func Children() map[int][]int {
	children := make(map[int][]int)
	proc, err := os.Open("/proc")
	if err != nil {
		return children
	}
	defer proc.Close()
	names, _ := proc.Readdirnames(-1)
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		const state, ppid = 0, 1 // fields 3 and 4 of the manual page
		fields := statFields(pid)
		if len(fields) <= ppid || fields[state] == "Z" {
			continue
		}
		if parent, err := strconv.Atoi(fields[ppid]); err == nil {
			children[parent] = append(children[parent], pid)
		}
	}
	return children
}

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
		if s, err := look(pid); err == nil && !s.zombie {
			children[s.parent] = append(children[s.parent], pid)
		}
	}
	return children
}

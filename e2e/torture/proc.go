package main

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// A Process is one of the machine's.
type Process struct {
	PID, Parent int
	Name        string
	State       string // a letter, as ps has it
	Threads     int
	Start       string // since boot, in the kernel's ticks
}

// Descendants are a process's children, theirs, and so on, zombies included.
func Descendants(pid int) (list []Process) {
	all := make(map[int]Process)
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		if p, ok := readStat(path); ok {
			all[p.PID] = p
		}
	}
	for _, p := range all {
		if descends(p, pid, all) {
			list = append(list, p)
		}
	}
	slices.SortFunc(list, func(a, b Process) int { return a.PID - b.PID })
	return list
}

// descends tells whether p is a descendant of pid. Where a parent is not in all it has ended since, and p
// has another.
func descends(p Process, pid int, all map[int]Process) bool {
	for p.Parent != pid {
		if p.Parent <= 1 {
			return false
		}
		parent, known := all[p.Parent]
		if !known {
			var there bool
			if p, there = Look(p.PID); !there {
				return false
			}
			if parent, known = all[p.Parent]; !known && p.Parent != pid {
				if parent, there = Look(p.Parent); there {
					all[parent.PID] = parent
				}
			}
			continue
		}
		p = parent
	}
	return true
}

// Look is one process.
func Look(pid int) (Process, bool) { return readStat("/proc/" + strconv.Itoa(pid) + "/stat") }

func readStat(path string) (p Process, ok bool) {
	b, err := os.ReadFile(path)
	if err != nil {
		return p, false
	}
	s := string(b)
	open, end := strings.IndexByte(s, '('), strings.LastIndexByte(s, ')')
	if open < 0 || end < open {
		return p, false
	}
	fields := strings.Fields(s[end+1:])
	if len(fields) < 20 {
		return p, false
	}
	p.PID, _ = strconv.Atoi(strings.TrimSpace(s[:open]))
	p.Parent, _ = strconv.Atoi(fields[1])
	p.Threads, _ = strconv.Atoi(fields[17])
	p.Name, p.State, p.Start = s[open+1:end], fields[0], fields[19]
	return p, true
}

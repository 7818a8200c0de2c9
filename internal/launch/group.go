package launch

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// groupExists tells whether a process group has members, zombies included.
func groupExists(pgid int) bool { return syscall.Kill(-pgid, 0) != syscall.ESRCH }

// awaitGroup awaits the end of the group of a process that was just waited for. The table is locked.
func awaitGroup(leader *Process) {
	table.groups[leader.pid] = leader
	watch(leader)
}

// watch sees to it that watchGroups runs if p's group was told to end and has outlived p. A group
// that nobody waits for, such as what a crashed wrapper leaves, costs nothing. The table is locked.
func watch(p *Process) {
	if !table.watching && p.signalled && table.groups[p.pid] == p {
		table.watching = true
		go watchGroups()
	}
}

// goneGroups removes and returns the awaited groups that are empty. The table is locked.
func goneGroups() (gone []*Process) {
	for pgid, p := range table.groups {
		if !groupExists(pgid) {
			delete(table.groups, pgid)
			gone = append(gone, p)
		}
	}
	return gone
}

// watchGroups is the net under the reaper, which sees a group's end when it reaps the last
// member. That may never come: the last one can leave the group, or have a parent of its own that
// does not wait for it and holds a zombie for as long as it pleases. It ends when no group
// that was told to end is left.
func watchGroups() {
	const period = 250 * time.Millisecond
	pause := period
	for {
		time.Sleep(pause)
		begin := time.Now()
		living := make(map[int]bool)
		err := eachProcess(func(m Member, pgid int) { living[pgid] = true })
		// On a machine with very many processes look less often, not with a whole CPU.
		pause = max(period, 20*time.Since(begin))

		table.Lock()
		gone := goneGroups()
		table.watching = false
		for pgid, p := range table.groups {
			if !p.signalled {
				continue
			}
			// A group that came under watch after the look into /proc is seen at the next one.
			if err == nil && p.watched && !living[pgid] {
				delete(table.groups, pgid)
				gone = append(gone, p)
				continue
			}
			p.watched = true
			table.watching = true
		}
		done := !table.watching
		table.Unlock()
		for _, p := range gone {
			p.groupGone()
		}
		if done {
			return
		}
	}
}

// A Member is a living process of a group.
type Member struct {
	PID  int
	Name string // of the command, cut by the kernel at 15 bytes
}

func (m Member) String() string { return fmt.Sprintf("%d (%s)", m.PID, m.Name) }

// Members lists the living processes of a process group, zombies left out. It reads all of /proc; with
// an error, such as that no more files can be opened, some may be missing.
func Members(pgid int) ([]Member, error) {
	s := nextScan()
	<-s.done
	return s.groups[pgid], s.err
}

// A scan is one look at all processes, for all who asked for one before it began: a thousand deaths
// at once cost a few.
type scan struct {
	done   chan struct{} // closed at the end; what follows is constant then
	groups map[int][]Member
	err    error
}

var scans struct {
	sync.Mutex
	last *scan // begun
	next *scan // not begun yet; nil: nobody has asked
}

func nextScan() *scan {
	scans.Lock()
	defer scans.Unlock()
	if scans.next != nil {
		return scans.next
	}
	s, last := &scan{done: make(chan struct{}), groups: make(map[int][]Member)}, scans.last
	scans.next = s
	go func() { // ends with the scan
		if last != nil {
			<-last.done
		}
		scans.Lock()
		scans.last, scans.next = s, nil
		scans.Unlock()
		s.err = eachProcess(func(m Member, pgid int) { s.groups[pgid] = append(s.groups[pgid], m) })
		close(s.done)
	}()
	return s
}

// eachProcess calls f for every process that is not a zombie.
func eachProcess(f func(m Member, pgid int)) error {
	proc, err := os.Open("/proc")
	if err != nil {
		return err
	}
	defer proc.Close()
	names, err := proc.Readdirnames(-1)
	if err != nil {
		return err
	}
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		stat, err := os.ReadFile("/proc/" + name + "/stat")
		if Short(err) {
			return err
		}
		if err != nil {
			continue // it has ended since
		}
		if comm, pgid, alive := parseStat(stat); alive {
			f(Member{pid, comm}, pgid)
		}
	}
	return nil
}

// parseStat reads a line of /proc/PID/stat: "12 (a name) S 1 12 ...". The name may hold anything,
// parentheses and blanks too, so it ends at the last one.
func parseStat(stat []byte) (comm string, pgid int, alive bool) {
	open, end := bytes.IndexByte(stat, '('), bytes.LastIndexByte(stat, ')')
	if open < 0 || end < open {
		return "", 0, false
	}
	const state, pgrp, threads = 0, 2, 17 // fields 3, 5 and 20 of the manual page
	fields := strings.Fields(string(stat[end+1:]))
	if len(fields) <= threads {
		return "", 0, false
	}
	pgid, err := strconv.Atoi(fields[pgrp])
	if err != nil {
		return "", 0, false
	}
	// A process whose first thread has ended looks like a zombie while others go on.
	zombie := fields[state] == "Z" || fields[state] == "X"
	return string(stat[open+1 : end]), pgid, !zombie || fields[threads] != "0" && fields[threads] != "1"
}

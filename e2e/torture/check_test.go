package main

import (
	"fmt"
	"iter"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"holdfast/client"
)

// A record is what is known of a program when all is over.
type record struct {
	*program
	lives   []Life   // the one with number n is at n-1
	said    []uint64 // when the main log says something of it
	leaders []int    // numbers of those that supervisord has started, in their order
}

func (s *session) record(p *program) *record {
	j, err := OpenJournal(s.dir, p.name)
	if err != nil {
		s.t.Fatal(err)
	}
	defer j.Close()
	r := &record{program: p}
	for n := uint64(1); n <= j.Count(); n++ {
		l := *j.Life(n)
		r.lives = append(r.lives, l)
		if l.PID != 0 && l.Leader == 0 {
			r.leaders = append(r.leaders, int(n))
		}
	}
	return r
}

func (r *record) life(n int) *Life { return &r.lives[n-1] }

// end is the time between two moments in which a life has ended, if it has.
func (r *record) end(n int) (from, to uint64) {
	l := r.life(n)
	from, to = max(l.Last, l.PlanAt, l.Began), Now()
	leader, grace := n, uint64(0)
	if l.Leader != 0 {
		leader, grace = int(l.Leader), uint64(3*time.Second)
	}
	for _, other := range r.leaders {
		if other > leader {
			return from, r.life(other).Began + grace
		}
	}
	return from, to
}

// describe says what a life has noted.
func (r *record) describe(n int) string {
	l := r.life(n)
	plan := "no exit of its own"
	if l.Plan != 0 {
		plan = fmt.Sprintf("exit %d at %s", l.Plan-1, wall(l.PlanAt))
	}
	return fmt.Sprintf("life %d, pid %d, leader %d, from %s to %s, lines begun %v and written %v, %s",
		n, l.PID, l.Leader, wall(l.Began), wall(l.Last), l.Begun, l.Done, plan)
}

// moment is a time of a Life by the clock on the wall.
func moment(at uint64) time.Time { return time.Now().Add(time.Duration(at - Now())) }

func wall(at uint64) string { return moment(at).Format("15:04:05.000") }

// checkLines holds the logs of a program against what it has written: each line once and in order.
func (s *session) checkLines(r *record) (lines int) {
	got := make([][2]uint64, len(r.lives)+1) // the last line of each life and stream
	streams := []string{"stdout", "stderr"}
	if r.merged {
		streams = streams[:1]
	}
	for i, stream := range streams {
		leader := 0 // the last one seen
		for where, line := range s.logLines(r, stream) {
			if of, rest := torn(line, r.name, got); slices.ContainsFunc(of, func(n int) bool { return s.mayLose(r, n) }) {
				s.count("lines torn while both were dead")
				if line = rest; rest == "" {
					continue
				}
			}
			n, letter, number, ok := parseLine(line, r.name)
			if !ok || int(n) > len(r.lives) || n == 0 || !r.merged && letter != i {
				s.fail(r.name, "%s is no line of the program: %.200q", where, line)
				return lines
			}
			lines++
			if want := got[n][letter] + 1; number != want {
				s.fail(r.name, "%s: line %d of the life follows line %d: %.60q\n  %s", where, number, want-1, line, r.describe(int(n)))
				return lines
			}
			got[n][letter] = number
			if r.life(int(n)).Leader == 0 {
				if int(n) < leader {
					s.fail(r.name, "%s: a line of life %d after those of life %d", where, n, leader)
					return lines
				}
				leader = int(n)
			}
		}
	}
	for n := 1; n <= len(r.lives); n++ {
		l := r.life(n)
		for i := range got[n] {
			have := got[n][i]
			if have > l.Begun[i] {
				s.fail(r.name, "%d lines, more than were written: %s", have, r.describe(n))
			}
			if have >= l.Done[i] {
				continue
			}
			if s.mayLose(r, n) {
				s.count("lives cut short while both were dead")
				continue
			}
			from, to := r.end(n)
			s.failAt(r.name, moment(min(to, from+uint64(time.Second))), "the lines from %d to %d of %c are missing: %s", have+1, l.Done[i], "oe"[i], r.describe(n))
		}
	}
	return lines
}

// mayLose tells whether what a life wrote last may be lost with its pipe.
func (s *session) mayLose(r *record, n int) bool {
	from, to := r.end(n)
	if leader := r.life(n).Leader; leader != 0 { // its pipe was found again if its leader was there
		from, _ = r.end(int(leader))
	}
	return s.outages.overlap(from, to, r.said, s.takeovers)
}

// torn takes a line apart that begins with a part of another one, as a daemon leaves it that was killed while it
// moved what it had found in a pipe: the numbers of the lives whose next line it can be a part of, and the line behind
// it, if there is one. None: it is not torn. got has the last line of each life and stream.
func torn(line, program string, got [][2]uint64) (of []int, rest string) {
	part := line
	if at := strings.LastIndex(line, program+" "); at > 0 {
		part, rest = line[:at], line[at:]
	} else if strings.HasSuffix(line, "\n") {
		return nil, ""
	}
	for n := 1; n < len(got); n++ {
		for i := range got[n] {
			whole := fmt.Sprintf("%s %c %d %d ", program, "oe"[i], n, got[n][i]+1)
			pad, begun := strings.CutPrefix(part, whole)
			if begun && strings.Trim(pad, "x") == "" || strings.HasPrefix(whole, part) {
				of = append(of, n)
			}
		}
	}
	return of, rest
}

func TestTorn(t *testing.T) {
	got := [][2]uint64{{}, {7, 0}, {3, 9}}
	for _, row := range []struct {
		name, line string
		of         []int
		rest       string
	}{
		{"a whole line", "p o 1 8 xxx\n", nil, ""},
		{"one that is followed by another life's", "p o 1 8 xxp o 2 4 x\n", []int{1}, "p o 2 4 x\n"},
		{"of stderr", "p e 2 10 p o 2 4 x\n", []int{2}, "p o 2 4 x\n"},
		{"within its number", "p e 2 1p o 2 4 x\n", []int{2}, "p o 2 4 x\n"},
		{"the last one in the log", "p o 1 8 xx", []int{1}, ""},
		{"within its name", "p p o 2 4 x\n", []int{1, 1, 2, 2}, "p o 2 4 x\n"},
		{"not the next one of its life", "p o 1 9 xxp o 2 4 x\n", nil, "p o 2 4 x\n"},
		{"something else in it", "p o 1 8 xyp o 2 4 x\n", nil, "p o 2 4 x\n"},
	} {
		if of, rest := torn(row.line, "p", got); !slices.Equal(of, row.of) || rest != row.rest {
			t.Errorf("%s: got lives %v and %q, want %v and %q", row.name, of, rest, row.of, row.rest)
		}
	}
}

// logLines are the lines of a log, with their places. A rotation may cut a line in two.
func (s *session) logLines(r *record, stream string) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		rest := ""
		for _, file := range s.logFiles(r.program, stream) {
			data, err := os.ReadFile(file)
			if err != nil {
				if len(r.lives) > 0 {
					s.fail(r.name, "%v", err)
				}
				continue
			}
			number := 0
			for line := range strings.Lines(string(data)) {
				number++
				line, rest = rest+line, ""
				if !strings.HasSuffix(line, "\n") {
					rest = line
				} else if !yield(fmt.Sprintf("%s:%d", file, number), line) {
					return
				}
			}
		}
		if rest != "" {
			yield("the end of "+stream, rest)
		}
	}
}

// parseLine takes a line of write apart.
func parseLine(line, program string) (life uint64, stream int, number uint64, ok bool) {
	f := strings.SplitN(strings.TrimSuffix(line, "\n"), " ", 5)
	if len(f) != 5 || f[0] != program || f[1] != "o" && f[1] != "e" || strings.Trim(f[4], "x") != "" || !strings.HasSuffix(line, "\n") {
		return 0, 0, 0, false
	}
	if f[1] == "e" {
		stream = 1
	}
	life, err1 := strconv.ParseUint(f[2], 10, 64)
	number, err2 := strconv.ParseUint(f[3], 10, 64)
	return life, stream, number, err1 == nil && err2 == nil
}

// The lines of the main log that say what has become of a process.
var told = regexp.MustCompile(`^(\S+ \S+) [A-Z]+ (?:(spawned): '(\w+)' with pid (\d+)|(exited|stopped): (\w+) \(([^;)]*(?:\(core dumped\))?)(?:; ((?:not )?expected))?\))$`)

// A telling is one of them.
type telling struct {
	text     string
	what     string // spawned, exited, stopped
	pid      int
	status   string
	expected string
}

// said is when it was, to the next millisecond.
func (t telling) said() time.Time {
	at, _ := time.ParseInLocation("2006-01-02 15:04:05,000", t.text[:min(23, len(t.text))], time.Local)
	return at.Add(time.Millisecond)
}

// mainLog is what the main log tells of each program, when it says anything of it, and all of it.
func (s *session) mainLog() (map[string][]telling, map[string][]uint64, string) {
	data, err := os.ReadFile(s.dir + "/supervisord.log")
	if err != nil {
		s.t.Error(err)
	}
	by, said := make(map[string][]telling), make(map[string][]uint64)
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSuffix(line, "\n")
		at := Now() - uint64(time.Since(telling{text: line}.said()))
		if strings.Contains(line, "taken over") {
			s.takeovers = append(s.takeovers, at)
		}
		for _, word := range strings.FieldsFunc(line, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
			if slices.ContainsFunc(s.programs, func(p *program) bool { return p.name == word }) {
				said[word] = append(said[word], at)
				break
			}
		}
		m := told.FindStringSubmatch(line)
		switch {
		case m == nil:
		case m[2] != "":
			pid, _ := strconv.Atoi(m[4])
			by[m[3]] = append(by[m[3]], telling{text: line, what: m[2], pid: pid})
		default:
			by[m[6]] = append(by[m[6]], telling{text: line, what: m[5], status: m[7], expected: m[8]})
		}
	}
	return by, said, string(data)
}

// checkTold holds what the main log tells of a program against what its processes have noted.
func (s *session) checkTold(r *record, tellings []telling) {
	at := -1         // index in leaders of the life that is spoken of
	open := false    // its end is not told yet
	strange := false // it is one that was killed before it noted anything
	for _, t := range tellings {
		if t.what == "spawned" {
			if open {
				s.failAt(r.name, t.said(), "%q, and no line tells the end of the one before", t.text)
				return
			}
			i := slices.IndexFunc(r.leaders[at+1:], func(n int) bool { return int(r.life(n).PID) == t.pid })
			if i < 0 {
				if at >= 0 && !strange && int(r.life(r.leaders[at]).PID) == t.pid {
					s.failAt(r.name, t.said(), "told twice: %q", t.text)
					return
				}
				strange, open = true, true
				continue
			}
			if i > 0 {
				s.failAt(r.name, t.said(), "nothing tells of the start of %s", r.describe(r.leaders[at+1]))
				return
			}
			at, open, strange = at+1, true, false
			continue
		}
		if strange && open && (!strings.HasPrefix(t.status, "exit status ") || t.status == "exit status unknown") {
			open = false // killed at once
			continue
		}
		if !strange && open && s.fits(r, r.leaders[at], t) {
			open = false
			continue
		}
		about := "no life"
		if at >= 0 {
			about = r.describe(r.leaders[at])
		}
		s.failAt(r.name, t.said(), "wrong, or told twice: %q\n  after %s, open %v", t.text, about, open)
		return
	}
}

// fits tells whether a line can be about the end of a life.
func (s *session) fits(r *record, n int, t telling) bool {
	l := r.life(n)
	from, to := r.end(n)
	if t.status == "exit status unknown" {
		return s.outages.overlap(from, to, r.said, s.takeovers)
	}
	if code, ok := strings.CutPrefix(t.status, "exit status "); ok {
		if l.Plan == 0 || code != strconv.Itoa(int(l.Plan-1)) {
			return false
		}
		if t.what == "exited" && r.startSecs == 0 {
			return (t.expected == "expected") == slices.Contains(r.exitCodes, int(l.Plan-1))
		}
		return true
	}
	// A signal: the stop's, or a client's.
	if t.what == "stopped" {
		return t.status == "terminated by SIGTERM" || t.status == "terminated by SIGKILL"
	}
	return t.status == "terminated by SIGKILL" && slices.ContainsFunc(r.kills, func(at uint64) bool { return at >= l.Began && at <= to })
}

// settled tells what is not yet as it must be in the end: "" if nothing.
func (s *session) settled() string {
	states, err := s.states()
	if err != nil {
		return err.Error()
	}
	leaders := s.leaders()
	for _, p := range s.programs {
		state, known := states[p.name]
		wish := p.wanted()
		if known == (wish == absent) {
			return fmt.Sprintf("%s is %v, and supervisord knows of it: %v", p.name, wish, known)
		}
		if !known {
			if n := leaders[p.name]; len(n) > 0 {
				return fmt.Sprintf("%s is absent, and runs as %v", p.name, n)
			}
			continue
		}
		ok := false
		switch state.State {
		case client.Running:
			ok = wish == up
		case client.Stopped:
			ok = wish == stopped || wish == down
		case client.Exited:
			ok = wish == down || wish == up && (p.autoRestart == "false" || p.autoRestart == "unexpected" && slices.Contains(p.exitCodes, state.ExitStatus))
		case client.Fatal:
			ok = p.hasty && (wish == up || wish == down)
		}
		if !ok {
			return fmt.Sprintf("%s is %s (exit status %d), and was to be %v", p.name, state.StateName, state.ExitStatus, wish)
		}
		want := []int(nil)
		if state.State == client.Running {
			want = []int{state.PID}
		}
		if !slices.Equal(leaders[p.name], want) {
			return fmt.Sprintf("%s is %s with pid %d, and its processes are %v", p.name, state.StateName, state.PID, leaders[p.name])
		}
	}
	for name := range states {
		if !slices.ContainsFunc(s.programs, func(p *program) bool { return p.name == name }) {
			return "supervisord knows a " + name
		}
	}
	return s.leftOver()
}

// leaders are the processes that were started by supervisord, by program.
func (s *session) leaders() map[string][]int {
	by := make(map[string][]int)
	for _, p := range Descendants(s.init.Process.Pid) {
		cmdline, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p.PID))
		args := strings.Split(string(cmdline), "\x00")
		if len(args) > 3 && args[1] == "live" && !strings.HasPrefix(args[4], "leader=") {
			by[args[3]] = append(by[args[3]], p.PID)
		}
	}
	return by
}

// leftOver tells of zombies, and of processes that outlive their leader.
func (s *session) leftOver() string {
	for _, p := range Descendants(s.init.Process.Pid) {
		if p.State == "Z" {
			return fmt.Sprintf("process %d (%s) is a zombie, child of %d", p.PID, p.Name, p.Parent)
		}
	}
	return ""
}

// files counts the open files of supervisord's processes, by role and kind, when the count has come to rest.
func (s *session) files() map[string]int {
	last, same := s.countFiles(), 0
	for end := time.Now().Add(5 * time.Second); same < 5 && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if now := s.countFiles(); maps.Equal(now, last) {
			same++
		} else {
			last, same = now, 0
		}
	}
	return last
}

func (s *session) countFiles() map[string]int {
	kinds := make(map[string]int)
	for _, v := range s.supervisors() {
		fds, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", v.PID))
		for _, fd := range fds {
			what, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", v.PID, fd.Name()))
			if err != nil {
				continue
			}
			what, _, _ = strings.Cut(what, ":[")
			if what == "/dev/null" || what == s.dir+"/stderr" {
				what = "as stdin, stdout or stderr"
			}
			kinds[v.role+" "+what]++
		}
	}
	return kinds
}

// show lists counts.
func show(counts map[string]int) string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(&b, "  %6d %s\n", counts[k], k)
	}
	return b.String()
}

// checkLog looks for lines that no kill should lead to.
func (s *session) checkLog(log string) {
	for line := range strings.Lines(log) {
		for _, bad := range []string{"internal error", "can't be taken over", "can't be read", "panic", "unknown problem", "cannot put another one"} {
			if strings.Contains(line, bad) {
				s.fail("", "the main log says: %s", line)
				return
			}
		}
	}
}

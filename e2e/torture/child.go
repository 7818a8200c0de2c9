// Torture kills supervisord, and sees whether anybody notices.
//
// Fifty programs write numbered lines, exit, ignore signals, leave processes behind and fail to start,
// under a real supervisord. Meanwhile the daemon, its guard, or both are killed with SIGKILL a few times a second,
// and real clients start, stop, restart and update. At the end every line must be in its log once and in order,
// every exit told as it was, nothing twice, nothing lost, nothing left over.
//
//	make torture                            a minute
//	make torture ARGS="-for 1h -seed 7"
//
// This program is what runs there: the programs under supervision, and the init of the machine. The rest is
// the package's test.
//
//	torture init                            see initialize
//	torture live DIR PROGRAM [KEY=VALUE]    see live
package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

func main() {
	switch {
	case len(os.Args) > 1 && os.Args[1] == "init":
		os.Exit(initialize())
	case len(os.Args) > 3 && os.Args[1] == "live":
		live(os.Args[2], os.Args[3], os.Args[4:])
	}
	fmt.Fprintln(os.Stderr, "usage: torture init, or torture live DIR PROGRAM [KEY=VALUE...]")
	os.Exit(99)
}

// wrong notes what must not be, and exits with a status that nobody expects.
func wrong(dir, format string, args ...any) {
	f, err := os.OpenFile(dir+"/wrong", os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		fmt.Fprintf(f, "%d pid %d: %s\n", Now(), os.Getpid(), fmt.Sprintf(format, args...))
	}
	os.Exit(98)
}

// manner is how a process lives. Times are in microseconds.
type manner struct {
	out, err  int64  // between two lines on stdout and on stderr; 0: none
	pad       int    // bytes that make a line longer
	life      int64  // until it exits, in the mean; 0: never
	codes     []int  // one of which it exits with
	ignore    bool   // SIGTERM
	family    bool   // start a process that lives until it is killed, or its leader has ended and
	linger    int64  // this time is over
	capture   int    // every so many lines something for capture mode; 0: never
	leader    uint64 // the number of the process that started this one
	leaderPID int
}

func parse(dir string, words []string) (m manner) {
	for _, w := range words {
		key, value, _ := strings.Cut(w, "=")
		n, err := strconv.ParseInt(strings.Split(value, ",")[0], 10, 64)
		if err != nil {
			wrong(dir, "bad word %q", w)
		}
		switch key {
		case "out":
			m.out = n
		case "err":
			m.err = n
		case "pad":
			m.pad = int(n)
		case "life":
			m.life = n
		case "codes":
			for c := range strings.SplitSeq(value, ",") {
				code, _ := strconv.Atoi(c)
				m.codes = append(m.codes, code)
			}
		case "ignore":
			m.ignore = n != 0
		case "family":
			m.family = n != 0
		case "linger":
			m.linger = n
		case "capture":
			m.capture = int(n)
		case "leader":
			m.leader = uint64(n)
		case "leaderpid":
			m.leaderPID = int(n)
		default:
			wrong(dir, "unknown word %q", w)
		}
	}
	return m
}

// live writes numbered lines and exits, as words say.
func live(dir, program string, words []string) {
	m := parse(dir, words)
	j, err := OpenJournal(dir, program)
	if err != nil {
		wrong(dir, "%v", err)
	}
	calm, err := OpenCalm(dir)
	if err != nil {
		wrong(dir, "%v", err)
	}
	if m.ignore {
		signal.Ignore(syscall.SIGTERM)
	}
	number, l := j.Begin(m.leader)
	if m.leader == 0 {
		if m.family { // before the lock is there: not even for a moment may others have it
			start(dir, program, number, m)
		}
		alone(dir, program)
	}
	if m.leader != 0 {
		go m.giveUp()
	}
	rng := rand.New(rand.NewPCG(uint64(os.Getpid()), l.Began))
	start := int64(Now()) / 1000
	never := start + 1<<60
	next := [2]int64{never, never} // line on stdout, on stderr
	end := never
	for i, every := range []int64{m.out, m.err} {
		if every > 0 {
			next[i] = start + rng.Int64N(every)
		}
	}
	if m.life > 0 {
		end = start + int64(rng.ExpFloat64()*float64(m.life))
	}
	for {
		now := int64(Now()) / 1000
		if m.leader != 0 && os.Getppid() != m.leaderPID { // its leader has ended
			m.leader, end = 0, now+m.linger
			m.codes = []int{0}
		}
		if calm.On() && m.leaderPID == 0 {
			end = never
		}
		if now >= end {
			code := m.codes[rng.IntN(len(m.codes))]
			l.PlanAt = Now()
			atomic.StoreUint64(&l.Plan, uint64(code)+1)
			os.Exit(code)
		}
		wake := min(end, now+100_000)
		for i := range next {
			if now >= next[i] && !calm.On() {
				write(dir, program, number, l, i, m, rng)
				next[i] = max(next[i]+int64(float64([]int64{m.out, m.err}[i])*2*rng.Float64()), now-1000)
			}
			wake = min(wake, max(next[i], now+1000))
		}
		time.Sleep(time.Duration(wake-now) * time.Microsecond)
	}
}

// giveUp ends a process that outlives its leader for far too long: when all of supervisord was killed its pipe
// may be nobody's, so that it waits in a write for ever.
func (m manner) giveUp() {
	for os.Getppid() == m.leaderPID {
		time.Sleep(100 * time.Millisecond)
	}
	time.Sleep(time.Duration(m.linger)*time.Microsecond + 5*time.Second)
	os.Exit(0)
}

// write writes a line: program, the letter of the stream, the process's number, the line's.
func write(dir, program string, number uint64, l *Life, stream int, m manner, rng *rand.Rand) {
	n := l.Begun[stream] + 1
	line := fmt.Sprintf("%s %c %d %d %s\n", program, "oe"[stream], number, n, strings.Repeat("x", rng.IntN(m.pad+1)))
	if m.capture > 0 && stream == 0 && n%uint64(m.capture) == 0 {
		line += fmt.Sprintf("<!--XSUPERVISOR:BEGIN-->seen %d<!--XSUPERVISOR:END-->", n)
	}
	l.Last = Now()
	atomic.StoreUint64(&l.Begun[stream], n)
	// One call: less than a page goes into a pipe whole, or not at all.
	for {
		w, err := syscall.Write(stream+1, []byte(line))
		if err == syscall.EINTR || err == syscall.EAGAIN {
			continue
		}
		if err != nil || w != len(line) {
			wrong(dir, "%s: write of %d bytes to stream %d: %d, %v", program, len(line), stream, w, err)
		}
		break
	}
	atomic.StoreUint64(&l.Done[stream], n)
	l.Last = Now()
}

// alone sees to it that no other process of the program is there, for as long as this one is.
func alone(dir, program string) {
	fd, err := syscall.Open(dir+"/"+program+".lock", syscall.O_RDWR|syscall.O_CREAT|syscall.O_CLOEXEC, 0o600)
	if err == nil {
		err = syscall.Flock(fd, syscall.LOCK_EX|syscall.LOCK_NB)
	}
	if err != nil {
		wrong(dir, "%s runs twice: %v", program, err)
	}
	// The lock goes with the process.
}

// start starts another process, in the same group and with the same stdout.
func start(dir, program string, number uint64, m manner) {
	cmd := exec.Command("/proc/self/exe", "live", dir, program,
		fmt.Sprintf("leader=%d", number), fmt.Sprintf("leaderpid=%d", os.Getpid()),
		fmt.Sprintf("out=%d", 2*m.out), fmt.Sprintf("pad=%d", m.pad), fmt.Sprintf("linger=%d", m.linger))
	cmd.Args[0] = "torture"
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if m.ignore {
		cmd.Args = append(cmd.Args, "ignore=1")
	}
	if err := cmd.Start(); err != nil {
		wrong(dir, "%s: %v", program, err)
	}
	go cmd.Wait()
}

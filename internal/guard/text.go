package guard

import (
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// lines are what the guard says on its stderr. Another goroutine writes them, to the process's end: a
// reader that does not read, or a disk that hangs, must not keep the guard.
type lines struct {
	c chan line // the guard sends; so many may wait, the others are dropped
}

type line struct {
	text    string
	written chan struct{} // closed when all before it are
}

func newLines(stderr *os.File) *lines {
	l := &lines{c: make(chan line, 64)}
	go func() {
		for line := range l.c {
			if line.written != nil {
				close(line.written)
				continue
			}
			_, _ = stderr.WriteString(line.text) // there is nowhere to say that it failed
		}
	}()
	return l
}

func (l *lines) say(format string, args ...any) {
	select {
	case l.c <- line{text: "supervisord: " + fmt.Sprintf(format, args...) + "\n"}:
	default:
	}
}

// flush waits a moment until everything is written.
func (l *lines) flush() {
	end := line{written: make(chan struct{})}
	timer := time.NewTimer(time.Second)
	defer timer.Stop()
	select {
	case l.c <- end:
	case <-timer.C:
		return
	}
	select {
	case <-end.written:
	case <-timer.C:
	}
}

// ending says how a process has ended.
func ending(status syscall.WaitStatus) string {
	if !status.Signaled() {
		return "exited with status " + strconv.Itoa(status.ExitStatus())
	}
	name := unix.SignalName(status.Signal())
	if name == "" {
		name = "signal " + strconv.Itoa(int(status.Signal()))
	}
	return "was killed by " + name
}

// exitStatus is a status as a shell gives it.
func exitStatus(status syscall.WaitStatus) int {
	if status.Signaled() {
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}

// in says when: " in 0.2 s", or nothing if it is now.
func in(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return " in " + strconv.FormatFloat(d.Seconds(), 'g', -1, 64) + " s"
}

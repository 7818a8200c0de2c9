package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	fifoVar   = "HOLDFAST_BENCH_FIFO"
	writesVar = "HOLDFAST_BENCH_WRITES" // how many blocks of 4 KiB, as lines, the program is to write
)

// A report is what a program under supervision says as its first act.
type report struct {
	pid int
	at  int64 // CLOCK_MONOTONIC, in nanoseconds
}

// An instance is a peer at work.
type instance struct {
	dir, fifo string
	began     int64 // CLOCK_MONOTONIC before the daemon was forked
	file      *os.File
	reports   chan report // from the reader, which ends when file is closed
	tick      string
}

// long is met only by a peer that does not work.
const long = 30 * time.Second

// start starts a peer with count programs, which have more in their environment.
func (b *bench) start(p *peer, count int, more ...string) (*instance, error) {
	dir, err := os.MkdirTemp(b.dir, "run-")
	if err != nil {
		return nil, err
	}
	argv, err := p.prepare(dir, count)
	if err != nil {
		return nil, err
	}
	in := &instance{dir: dir, fifo: filepath.Join(dir, "fifo"), reports: make(chan report, 2*count), tick: b.tick}
	if err := unix.Mkfifo(in.fifo, 0o600); err != nil {
		return nil, err
	}
	if in.file, err = os.OpenFile(in.fifo, os.O_RDWR, 0); err != nil { // for writing too, so that it never ends
		return nil, err
	}
	go in.read(count)
	out, err := os.Create(filepath.Join(dir, "output"))
	if err != nil {
		return nil, err
	}
	defer out.Close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	in.began = now()
	_, err = syscall.ForkExec(argv[0], argv, &syscall.ProcAttr{
		Env:   append(append(os.Environ(), fifoVar+"="+in.fifo), more...),
		Files: []uintptr{null.Fd(), out.Fd(), out.Fd()},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", p.name, err)
	}
	return in, nil
}

// read passes on what the programs report. The times are the programs' own, so it lets many of them
// begin first and does not compete with them for the processors; the pipe holds their reports.
func (in *instance) read(count int) {
	defer close(in.reports)
	if count > 1 {
		time.Sleep(250 * time.Millisecond)
	}
	for lines := bufio.NewScanner(in.file); lines.Scan(); {
		pid, at, _ := bytes.Cut(lines.Bytes(), []byte(" "))
		r := report{}
		r.pid, _ = strconv.Atoi(string(pid))
		r.at, _ = strconv.ParseInt(string(at), 10, 64)
		in.reports <- r
	}
}

func (in *instance) next() (report, error) {
	select {
	case r := <-in.reports:
		return r, nil
	case <-time.After(long):
		out, _ := os.ReadFile(filepath.Join(in.dir, "output"))
		return report{}, fmt.Errorf("no program began within %v; the daemon said:\n%s", long, out)
	}
}

// kill ends one program with SIGKILL and returns how long it took until its successor ran.
func (in *instance) kill(pid int) (time.Duration, report, error) {
	t := now()
	if err := unix.Kill(pid, unix.SIGKILL); err != nil {
		return 0, report{}, fmt.Errorf("cannot kill the program: %w", err)
	}
	r, err := in.next()
	return time.Duration(r.at - t), r, err
}

// logged waits until the program's logs have so many bytes.
func (in *instance) logged(size int64) error {
	for began := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		var have int64
		logs, _ := filepath.Glob(in.dir + "/tick_000.log*")
		for _, name := range logs {
			if info, err := os.Stat(name); err == nil {
				have += info.Size()
			}
		}
		if have == size {
			return nil
		}
		if time.Since(began) > long {
			return fmt.Errorf("%d bytes are in the logs, %d were written", have, size)
		}
	}
}

func (in *instance) removeLogs() error {
	logs, _ := filepath.Glob(in.dir + "/tick_000.log*")
	for _, name := range logs {
		if err := os.Remove(name); err != nil {
			return err
		}
	}
	return nil
}

// stop ends everything of the instance and waits until it is gone. Its files stay to the end of the
// run: ext4 makes new files slowly for some seconds after others were deleted.
func (in *instance) stop() error {
	for began := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		daemons, ticks := in.processes()
		if len(daemons)+len(ticks) == 0 {
			break
		}
		if time.Since(began) > long {
			return fmt.Errorf("processes %v %v do not go away", daemons, ticks)
		}
		victims := daemons // first, or they would start the programs again
		if len(victims) == 0 {
			victims = ticks
		}
		for _, pid := range victims {
			unix.Kill(pid, unix.SIGKILL)
		}
		for {
			if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); err != nil || pid <= 0 {
				break
			}
		}
	}
	return in.file.Close()
}

// processes finds what belongs to the instance: the daemon and its helpers, and the programs. All
// of them inherited the name of the fifo.
func (in *instance) processes() (daemons, ticks []int) {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	mark := []byte(fifoVar + "=" + in.fifo + "\x00")
	for _, d := range dirs {
		env, err := os.ReadFile(d + "/environ")
		if err != nil || !bytes.Contains(append(env, 0), mark) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(d))
		if err != nil {
			continue
		}
		if exe, _ := os.Readlink(d + "/exe"); exe == in.tick {
			ticks = append(ticks, pid)
		} else {
			daemons = append(daemons, pid)
		}
	}
	return daemons, ticks
}

func now() int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		panic(err) // a clock that every Linux has
	}
	return t.Nano()
}

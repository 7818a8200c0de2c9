package capture

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/internal/config"
)

const benchLine = 100

// childWriter writes so many lines of 100 bytes to stdout, each with a write of its own, and a pause
// behind it.
func childWriter(arg string) {
	var lines, pause int64 // in nanoseconds
	fmt.Sscan(arg, &lines, &pause)
	line := append(bytes.Repeat([]byte{'x'}, benchLine-1), '\n')
	wait := unix.NsecToTimespec(pause)
	for range lines {
		unix.Write(1, line)
		if pause > 0 {
			unix.Nanosleep(&wait, nil)
		}
	}
}

// looksFor logs what comes through r, and looks for a line that matches.
func looksFor(b *testing.B, r *os.File, path, pattern string) {
	log, re := slog.New(slog.DiscardHandler), regexp.MustCompile(pattern)
	s, err := NewLogs(log).Open(config.Log{File: path})
	if err != nil {
		b.Fatal(err)
	}
	<-Start(fdOf(r), s, "web", log, Look{Match: re.Match}).Done()
}

func cpu(who int) time.Duration {
	var u unix.Rusage
	unix.Getrusage(who, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkLines logs what another process writes, a line of 100 bytes at a time, as fast as it can or
// with pauses. cpu-s/GiB is what this process spends on a GiB of that, writer-s/GiB what the writer
// does.
func BenchmarkLines(b *testing.B) {
	log := slog.New(slog.DiscardHandler)
	for _, way := range []struct {
		name string
		copy func(r *os.File, path string)
	}{
		{"splice", func(r *os.File, path string) {
			s, err := NewLogs(log).Open(config.Log{File: path})
			if err != nil {
				b.Fatal(err)
			}
			<-Start(fdOf(r), s, "web", log, Look{}).Done()
		}},
		{"copy", func(r *os.File, path string) {
			s, err := NewLogs(log).Open(config.Log{File: path})
			if err != nil {
				b.Fatal(err)
			}
			o := newOutput(fdOf(r), s, "web", log)
			o.copying = true
			o.run()
		}},
		{"look in the pipe", func(r *os.File, path string) {
			s, err := NewLogs(log).Open(config.Log{File: path})
			if err != nil {
				b.Fatal(err)
			}
			<-Start(fdOf(r), s, "web", log, Look{CaptureMaxBytes: 1 << 20}).Done()
		}},
		{"look for a line", func(r *os.File, path string) { looksFor(b, r, path, "ready") }},
		{"look for the first line", func(r *os.File, path string) { looksFor(b, r, path, "x") }},
		{"look by reading", func(r *os.File, path string) {
			s, err := NewLogs(log).Open(config.Log{File: path})
			if err != nil {
				b.Fatal(err)
			}
			o := newOutput(fdOf(r), s, "web", log)
			looking(Look{CaptureMaxBytes: 1 << 20})(o)
			o.view.reads = true
			o.run()
		}},
		{"strip", func(r *os.File, path string) {
			s, err := NewLogs(log).Open(config.Log{File: path})
			if err != nil {
				b.Fatal(err)
			}
			<-Start(fdOf(r), s, "web", log, Look{StripANSI: true, CaptureMaxBytes: 1 << 20}).Done()
		}},
		{"plain read and write", func(r *os.File, path string) {
			f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
			if err != nil {
				b.Fatal(err)
			}
			defer f.Close()
			defer r.Close()
			buf := make([]byte, 64<<10)
			for {
				n, err := r.Read(buf)
				f.Write(buf[:n])
				if err == io.EOF {
					return
				}
			}
		}},
	} {
		for _, c := range []struct {
			size  int
			pause time.Duration
		}{{64 << 10, 0}, {1 << 20, 0}, {1 << 20, 50 * time.Microsecond}, {1 << 20, 2 * time.Millisecond}} {
			b.Run(fmt.Sprintf("%s, pipe of %d KiB, pauses of %v", way.name, c.size>>10, c.pause), func(b *testing.B) {
				path := filepath.Join(b.TempDir(), "log")
				r, w, err := os.Pipe()
				if err != nil {
					b.Fatal(err)
				}
				raw, _ := r.SyscallConn()
				raw.Control(func(fd uintptr) { unix.FcntlInt(fd, unix.F_SETPIPE_SZ, c.size) })
				cmd := exec.Command(os.Args[0])
				cmd.Env = append(os.Environ(), "CAPTURE_TEST_CHILD=writer", fmt.Sprintf("CAPTURE_TEST_ARG=%d %d", b.N, c.pause))
				cmd.Stdout = w
				b.SetBytes(benchLine)
				self, child := cpu(unix.RUSAGE_SELF), cpu(unix.RUSAGE_CHILDREN)
				b.ResetTimer()
				if err := cmd.Start(); err != nil {
					b.Fatal(err)
				}
				w.Close()
				way.copy(r, path)
				cmd.Wait()
				b.StopTimer()
				gib := float64(b.N) * benchLine / (1 << 30)
				b.ReportMetric((cpu(unix.RUSAGE_SELF)-self).Seconds()/gib, "cpu-s/GiB")
				b.ReportMetric((cpu(unix.RUSAGE_CHILDREN)-child).Seconds()/gib, "writer-s/GiB")
				if st, err := os.Stat(path); err != nil || st.Size() != int64(b.N)*benchLine {
					b.Errorf("the log is not whole: %v, %v", st, err)
				}
			})
		}
	}
}

// BenchmarkLag is how long a line takes from a quiet child to its log, which here is a pipe.
func BenchmarkLag(b *testing.B) {
	log := slog.New(slog.DiscardHandler)
	tr, tw, _ := os.Pipe()
	defer tr.Close()
	defer tw.Close()
	for _, quiet := range []time.Duration{0, 5 * time.Millisecond} {
		b.Run(fmt.Sprintf("after %v", quiet), func(b *testing.B) {
			s, err := NewLogs(log).Open(config.Log{File: procPath(tw)})
			if err != nil {
				b.Fatal(err)
			}
			r, w, _ := os.Pipe()
			o := Start(fdOf(r), s, "web", log, Look{})
			var sum, most time.Duration
			line := make([]byte, benchLine)
			for b.Loop() {
				time.Sleep(quiet)
				at := time.Now()
				w.Write(line)
				io.ReadFull(tr, line)
				lag := time.Since(at)
				sum, most = sum+lag, max(most, lag)
			}
			b.ReportMetric(float64(sum.Microseconds())/float64(b.N), "lag-us")
			b.ReportMetric(float64(most.Microseconds()), "worst-us")
			w.Close()
			<-o.Done()
		})
	}
}

// BenchmarkIdle is what 5,000 outputs cost that have written something once.
func BenchmarkIdle(b *testing.B) {
	const n = 5000
	log := slog.New(slog.DiscardHandler)
	logs := NewLogs(log)
	dir := b.TempDir()
	unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 4 * n, Max: 4 * n})
	for b.Loop() {
		runtime.GC()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		rss := resident()
		var outputs []*Output
		var pipes []*os.File
		for i := range n {
			s, err := logs.Open(config.Log{File: filepath.Join(dir, strconv.Itoa(i))})
			if err != nil {
				b.Skip(err)
			}
			r, w, err := os.Pipe()
			if err != nil {
				b.Skip(err)
			}
			o := Start(fdOf(r), s, "web", log, Look{})
			w.WriteString("hello\n")
			o.Drain()
			outputs, pipes = append(outputs, o), append(pipes, w)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.Sys-before.Sys)/n, "sys-B/output")
		b.ReportMetric(float64(after.HeapAlloc+after.StackInuse-before.HeapAlloc-before.StackInuse)/n, "used-B/output")
		b.ReportMetric(float64(resident()-rss)/n, "rss-B/output")
		for i := range n {
			pipes[i].Close()
			<-outputs[i].Done()
		}
	}
}

// resident returns the size of this process in memory.
func resident() int {
	b, _ := os.ReadFile("/proc/self/statm")
	var size, pages int
	fmt.Sscan(string(b), &size, &pages)
	return pages * os.Getpagesize()
}

package launch

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"sort"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/internal/process"
)

// The three ways to start a program that docs/adr/0003-fork.md chooses between, in a process with
// a heap like the daemon's. Latency is from the call to the program's first instruction.
//
//	go test -run - -bench Start -benchtime 300x ./internal/launch

// tiny is a program that does nothing but write one byte to fd 1: no runtime and no loader, so
// that the time is the way's own.
func tiny(tb testing.TB) string {
	if runtime.GOARCH != "amd64" {
		tb.Skip("the program is written in amd64's instructions")
	}
	code := []byte{
		0xb8, 1, 0, 0, 0, // mov eax, 1 (write)
		0xbf, 1, 0, 0, 0, // mov edi, 1
		0x48, 0x8d, 0x35, 0, 0, 0, 0, // lea rsi, [rip]
		0xba, 1, 0, 0, 0, // mov edx, 1
		0x0f, 0x05, // syscall
		0xb8, 60, 0, 0, 0, // mov eax, 60 (exit)
		0x31, 0xff, // xor edi, edi
		0x0f, 0x05, // syscall
	}
	u16 := func(v uint16) []byte { return []byte{byte(v), byte(v >> 8)} }
	u32 := func(v uint32) []byte { return append(u16(uint16(v)), u16(uint16(v>>16))...) }
	u64 := func(v uint64) []byte { return append(u32(uint32(v)), u32(uint32(v>>32))...) }
	const base, headers = 0x400000, 64 + 56
	size := uint64(headers + len(code))
	var elf []byte
	for _, part := range [][]byte{
		{0x7f, 'E', 'L', 'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0},
		u16(2), u16(62), u32(1), u64(base + headers), u64(64), u64(0), u32(0),
		u16(64), u16(56), u16(1), u16(64), u16(0), u16(0),
		u32(1), u32(5), u64(0), u64(base), u64(base), u64(size), u64(size), u64(0x1000),
		code,
	} {
		elf = append(elf, part...)
	}
	path := filepath.Join(tb.TempDir(), "tiny")
	if err := os.WriteFile(path, elf, 0o755); err != nil {
		tb.Fatal(err)
	}
	return path
}

// A daemonHeap is 20 MB of small live objects.
func daemonHeap() any {
	m := make(map[int]*[200]byte)
	for i := range 20 << 20 / 280 {
		m[i] = new([200]byte)
	}
	runtime.GC()
	return m
}

func BenchmarkStart(b *testing.B) {
	path := tiny(b)
	heap := daemonHeap()
	env := os.Environ()
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer unix.Close(null)
	attr := func(out int) *syscall.ProcAttr {
		return &syscall.ProcAttr{Env: env, Files: []uintptr{uintptr(null), uintptr(out), uintptr(null)},
			Sys: &syscall.SysProcAttr{Setpgid: true}}
	}
	wait := func(pid int, err error) (func(), error) {
		return func() { syscall.Wait4(pid, nil, 0, nil) }, err
	}

	// Each way returns how to wait for its child. Fork comes last: its reaper takes every exit.
	for _, way := range []struct {
		name  string
		start func(out int) (func(), error)
	}{
		{"ForkExec", func(out int) (func(), error) {
			return wait(syscall.ForkExec(path, []string{path}, attr(out)))
		}},
		{"SelfExec", func(out int) (func(), error) {
			spec, _ := json.Marshal(execRequest{Path: path, Args: []string{path}, Env: env})
			a := attr(out)
			a.Env = []string{"LAUNCH_TEST=exec", "GOMAXPROCS=1", "GOGC=off", "REQUEST=" + string(spec)}
			return wait(syscall.ForkExec(self, []string{self}, a))
		}},
		{"Vfork", func(out int) (func(), error) {
			done := make(chan struct{})
			_, err := Start(Spec{Path: path, Args: []string{path}, Env: env, Files: [3]int{null, out, null},
				Exited: func(process.ExitStatus, bool) { close(done) }})
			return func() { <-done }, err
		}},
	} {
		b.Run(way.name, func(b *testing.B) {
			var p [2]int
			if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
				b.Fatal(err)
			}
			defer unix.Close(p[0])
			defer unix.Close(p[1])
			var latencies, calls []time.Duration
			cpu := cpuTime()
			b.ResetTimer()
			for range b.N {
				begin := time.Now()
				join, err := way.start(p[1])
				calls = append(calls, time.Since(begin))
				if err != nil {
					b.Fatal(err)
				}
				if _, err := unix.Read(p[0], make([]byte, 1)); err != nil {
					b.Fatal(err)
				}
				latencies = append(latencies, time.Since(begin))
				join()
			}
			b.StopTimer()
			b.ReportMetric(median(latencies), "µs-to-program")
			b.ReportMetric(median(calls), "µs-call")
			b.ReportMetric(float64((cpuTime()-cpu).Microseconds())/float64(b.N), "µs-cpu")

			// 100 starts at once, as at boot: until the last one's first instruction.
			var hundred []time.Duration
			for range 5 {
				var g sync.WaitGroup
				begin := time.Now()
				for range 100 {
					g.Go(func() {
						join, err := way.start(p[1])
						if err != nil {
							b.Error(err)
							return
						}
						join()
					})
				}
				for n := 0; n < 100; {
					k, err := unix.Read(p[0], make([]byte, 100))
					if err != nil {
						b.Fatal(err)
					}
					n += k
				}
				hundred = append(hundred, time.Since(begin))
				g.Wait()
			}
			b.ReportMetric(median(hundred)/1000, "ms-for-100")
		})
	}
	runtime.KeepAlive(heap)
}

func median(d []time.Duration) float64 {
	sort.Slice(d, func(i, j int) bool { return d[i] < d[j] })
	return float64(d[len(d)/2].Nanoseconds()) / 1000
}

func cpuTime() time.Duration {
	var sum time.Duration
	for _, who := range []int{unix.RUSAGE_SELF, unix.RUSAGE_CHILDREN} {
		var r unix.Rusage
		unix.Getrusage(who, &r)
		sum += time.Duration(r.Utime.Nano() + r.Stime.Nano())
	}
	return sum
}

// An execRequest is what the self-exec way hands to the copy of itself.
type execRequest struct {
	Path string
	Args []string
	Env  []string
}

func execSelf() {
	var r execRequest
	if err := json.Unmarshal([]byte(os.Getenv("REQUEST")), &r); err != nil {
		panic(err)
	}
	panic(syscall.Exec(r.Path, r.Args, r.Env))
}

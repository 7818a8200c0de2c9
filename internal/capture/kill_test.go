package capture

import (
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"holdfast/internal/config"
)

const killLogs = 300

// killable starts the one output of a daemon, into a log that rotates. If it looks at it, what is
// captured goes to comm.
func killable(r, comm *os.File, path string, looks bool) *Output {
	s, err := NewLogs(slog.Default()).Open(config.Log{File: path, MaxBytes: 200 << 10, Backups: killLogs})
	if err != nil {
		panic(err)
	}
	var look Look
	if looks {
		look = Look{CaptureMaxBytes: 1 << 20, Chunk: func([]byte) {}, Syslog: func(string) {}, Comm: func(data []byte) { comm.Write(data) },
			Match: func([]byte) bool { return false }}
	}
	return Start(fdOf(r), s, "web", slog.Default(), look)
}

// childKillable is a daemon with such an output, of descriptor 3 and with 4 as comm.
func childKillable(path string, looks bool) {
	<-killable(os.NewFile(3, "pipe"), os.NewFile(4, "comm"), path, looks).Done()
}

// A story is what a child writes.
type story struct {
	rnd  *rand.Rand
	all  strings.Builder
	log  strings.Builder // all but what is to be captured
	comm []string        // what is to be captured
}

// next is the next part of the story.
func (s *story) next() string {
	text := fmt.Sprintf("at %d\n", s.all.Len())
	switch s.rnd.IntN(8) {
	case 0: // captured, and fits into the pipe
		data := fmt.Sprintf("%d:%s", len(s.comm), strings.Repeat("c", s.rnd.IntN(8000)))
		s.comm = append(s.comm, data)
		text = beginToken + data + endToken
		s.all.WriteString(text)
		return text
	case 1: // looks so for a while
		text = beginToken[:s.rnd.IntN(len(beginToken))]
	case 2:
		text = endToken
	}
	s.all.WriteString(text)
	s.log.WriteString(text)
	return text
}

// A daemon that is killed has no byte of a log in its hands, whether it looks at them or not. Captured
// data may come twice.
func TestAKilledDaemonLosesNothing(t *testing.T) {
	for _, looks := range []bool{false, true} {
		t.Run(fmt.Sprintf("it looks: %v", looks), func(t *testing.T) {
			k := newRig(t)
			r, w := k.pipe()
			if of(w, pipeSize) < 64<<10 {
				t.Skip("this user's pipes are too small by now")
			}
			seed := rand.Uint64()
			s := &story{rnd: rand.New(rand.NewPCG(seed, 0))}
			var written atomic.Int64
			stop, told := make(chan struct{}), make(chan struct{})
			go func() {
				defer close(told)
				defer w.Close()
				for {
					var text string
					for range s.rnd.IntN(20) {
						text += s.next()
					}
					for len(text) > 0 {
						n, _ := io.WriteString(w, text[:min(1+s.rnd.IntN(3000), len(text))])
						written.Add(int64(n))
						text = text[n:]
					}
					select {
					case <-stop:
						return
					default:
					}
				}
			}()

			// Nothing that is sent here is cut by a kill.
			fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				t.Fatal(err)
			}
			near, far := os.NewFile(uintptr(fds[0]), "near"), os.NewFile(uintptr(fds[1]), "far")
			var comm []string
			received := make(chan struct{})
			go func() {
				defer close(received)
				defer near.Close()
				b := make([]byte, 64<<10)
				for n, _ := near.Read(b); n > 0; n, _ = near.Read(b) {
					comm = append(comm, string(b[:n]))
				}
			}()

			what := map[bool]string{false: "killable", true: "looking killable"}[looks]
			for i := range 40 {
				cmd := exec.Command(os.Args[0])
				cmd.Env = append(os.Environ(), "CAPTURE_TEST_CHILD="+what, "CAPTURE_TEST_ARG="+k.path("log"))
				cmd.ExtraFiles = []*os.File{r, far}
				cmd.Stderr = os.Stderr
				before := written.Load()
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				k.until("it reads", func() bool { return written.Load() > before+int64(64<<10+3000*i) })
				cmd.Process.Kill()
				cmd.Wait()
			}
			close(stop)
			k.ended(killable(r, far, k.path("log"), looks))
			<-told
			far.Close()
			<-received

			want := s.log.String()
			if !looks {
				want, s.comm = s.all.String(), nil
			}
			if got := k.rotated("log", killLogs); got != want {
				t.Errorf("seed %d: %d bytes are logged, and %d should be", seed, len(got), len(want))
			}
			var next int
			for _, got := range comm {
				if next < len(s.comm) && got == s.comm[next] {
					next++
				} else if !slices.Contains(s.comm[:next], got) {
					t.Fatalf("seed %d: got %.20q… of %d bytes after %d captures", seed, got, len(got), next)
				}
			}
			if next != len(s.comm) {
				t.Errorf("seed %d: %d of %d captures came", seed, next, len(s.comm))
			}
		})
	}
}

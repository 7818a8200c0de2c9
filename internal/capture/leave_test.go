package capture

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"holdfast/internal/config"
)

// One output after the other takes over the pipe, and nothing is lost or doubled between them.
func TestLeave(t *testing.T) {
	for _, way := range []struct {
		name string
		how  func(*Output)
	}{
		{"splice", func(*Output) {}},
		{"copying", copying},
		{"stripping", looking(Look{StripANSI: true})},
	} {
		t.Run(way.name, func(t *testing.T) {
			k := newRig(t)
			first, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			const lines = 20000
			var want strings.Builder
			for i := range lines {
				fmt.Fprintf(&want, "line %d\n", i)
			}
			written := make(chan bool)
			go func() {
				for i := range lines {
					fmt.Fprintf(w, "line %d\n", i)
				}
				w.Close()
				close(written)
			}()
			r, rounds := first, 0
			for over := false; !over; rounds++ {
				fd, err := unix.FcntlInt(r.Fd(), unix.F_DUPFD_CLOEXEC, 3)
				if err != nil {
					t.Fatal(err)
				}
				select {
				case <-written:
					over = true
				default:
				}
				s, err := k.logs.Open(config.Log{File: k.path("log")})
				if err != nil {
					t.Fatal(err)
				}
				o := newOutput(fdOf(r), s, "web", k.log)
				way.how(o)
				go o.run()
				if over {
					unix.Close(fd)
				} else {
					o.Leave()
					r = os.NewFile(uintptr(fd), "pipe")
				}
				k.ended(o)
			}
			if k.read("log") != want.String() {
				t.Errorf("after %d rounds %d bytes are in the log, want %d", rounds, len(k.read("log")), want.Len())
			}
			if k.count("lost") != 0 {
				t.Error("something is said to be lost")
			}
		})
	}
}

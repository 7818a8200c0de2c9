package capture

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"testing"

	"holdfast/internal/config"
)

// childReader is a daemon with one output: descriptor 3 into path.
func childReader(path string) {
	s, err := NewLogs(slog.Default()).Open(config.Log{File: path})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	<-Start(os.NewFile(3, "pipe"), s, "web", slog.Default(), Look{}).Done()
}

// A daemon that is killed has no bytes in its hands.
func TestAKilledDaemonLosesNothing(t *testing.T) {
	k := newRig(t)
	r, w := k.pipe()
	stop, ended := make(chan struct{}), make(chan struct{})
	var want bytes.Buffer
	go func() {
		defer close(ended)
		for i := 0; ; i++ {
			select {
			case <-stop:
				w.Close()
				return
			default:
			}
			line := fmt.Appendf(nil, "line %d\n", i)
			want.Write(line)
			w.Write(line)
		}
	}()
	size := func() int64 {
		st, err := os.Stat(k.path("log"))
		if err != nil {
			return 0
		}
		return st.Size()
	}
	for i := range 15 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "CAPTURE_TEST_CHILD=reader", "CAPTURE_TEST_ARG="+k.path("log"))
		cmd.ExtraFiles = []*os.File{r}
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		before := size()
		k.until("it logs", func() bool { return size() > before+int64(i)*1000 })
		cmd.Process.Kill()
		cmd.Wait()
	}
	close(stop)
	s, err := k.logs.Open(config.Log{File: k.path("log")})
	if err != nil {
		t.Fatal(err)
	}
	k.ended(Start(r, s, "web", k.log, Look{}))
	<-ended
	if got := k.read("log"); got != want.String() {
		t.Errorf("%d bytes are logged and %d were written", len(got), want.Len())
	}
}

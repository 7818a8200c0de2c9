package syslog

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// long is a bound that only a broken run meets.
const long = 20 * time.Second

func listen(t *testing.T, path string) *net.UnixConn {
	t.Helper()
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetReadDeadline(time.Now().Add(long))
	return c
}

func receive(t *testing.T, c *net.UnixConn) string {
	t.Helper()
	b := make([]byte, 256<<10)
	n, err := c.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}

// writer returns a Writer to a socket in a directory of its own, and what it says.
func writer(t *testing.T) (w *Writer, path string, said chan string) {
	path = filepath.Join(t.TempDir(), "log")
	said = make(chan string, 100) // more than any test makes it say
	w = New(Options{Ident: "supervisord", Path: path, Say: func(level slog.Level, text string) {
		said <- fmt.Sprintf("%v %s", level, strings.ReplaceAll(text, path, "PATH"))
	}})
	t.Cleanup(func() { w.Close(long) })
	return w, path, said
}

func saying(t *testing.T, said chan string, want string) {
	t.Helper()
	select {
	case got := <-said:
		if got != want {
			t.Fatalf("said %q, want %q", got, want)
		}
	case <-time.After(long):
		t.Fatalf("did not say %q", want)
	}
}

func TestAMessageIsThatOfSyslog3(t *testing.T) {
	w, path, _ := writer(t)
	c := listen(t, path)
	w.Send("web hello")
	if got := receive(t, c); !regexp.MustCompile(`^<14>[A-Z][a-z]{2} [ 123]\d \d\d:\d\d:\d\d supervisord: web hello$`).MatchString(got) {
		t.Errorf("got %q", got)
	}
}

func TestAStreamSocketGetsMessagesThatEndInNUL(t *testing.T) {
	w, path, _ := writer(t)
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	w.Send("one")
	w.Send("two")
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetReadDeadline(time.Now().Add(long))
	var got string
	for b := make([]byte, 1000); strings.Count(got, "\x00") < 2; {
		n, err := c.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		got += string(b[:n])
	}
	if !strings.Contains(got, "one\x00<14>") || !strings.HasSuffix(got, "two\x00") {
		t.Errorf("got %q", got)
	}
}

func TestLinesWaitForADaemonThatIsAway(t *testing.T) {
	w, path, said := writer(t)
	for i := range 3 {
		w.Send(fmt.Sprint("line ", i))
	}
	saying(t, said, "WARN syslog (PATH) takes no lines: no such file or directory; they wait, and it is tried again every second")
	c := listen(t, path)
	for i := range 3 {
		if got, want := receive(t, c), fmt.Sprint(": line ", i); !strings.HasSuffix(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	saying(t, said, "INFO syslog (PATH) takes lines again")

	// one that is started anew loses nothing, and there is nothing to say
	c.Close()
	os.Remove(path)
	c = listen(t, path)
	w.Send("after it")
	if got := receive(t, c); !strings.HasSuffix(got, ": after it") {
		t.Errorf("got %q", got)
	}
	if len(said) != 0 {
		t.Errorf("said %q", <-said)
	}
}

func TestWhatFindsTheQueueFullIsCounted(t *testing.T) {
	w, path, said := writer(t)
	c := listen(t, path) // and nobody reads, for now
	const n = maxLines + 5000
	for i := range n {
		w.Send(fmt.Sprint("line ", i)) // does not wait
	}
	got, drained := 0, make(chan struct{})
	go func() {
		defer close(drained)
		for b := make([]byte, 1000); ; got++ {
			if _, err := c.Read(b); err != nil {
				if !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, net.ErrClosed) {
					t.Error(err)
				}
				return
			}
		}
	}()
	w.Close(long)
	c.SetReadDeadline(time.Now().Add(100 * time.Millisecond)) // what was sent is in the socket
	<-drained
	lost := 0
	for len(said) > 0 {
		fmt.Sscanf(<-said, "WARN syslog (PATH) did not get %d lines", &lost)
	}
	if lost == 0 || got+lost != n {
		t.Errorf("%d came and %d are said to be lost, of %d", got, lost, n)
	}
}

func TestALineThatIsTooLongIsLostAlone(t *testing.T) {
	w, path, said := writer(t)
	c := listen(t, path)
	w.Send(strings.Repeat("x", 1<<20))
	w.Send("short")
	if got := receive(t, c); !strings.HasSuffix(got, ": short") {
		t.Errorf("got %.80q", got)
	}
	saying(t, said, "WARN syslog (PATH) did not get 1 lines")
}

func TestCloseDoesNotWaitForADaemonThatIsAway(t *testing.T) {
	w, _, said := writer(t)
	w.Send("one")
	w.Send("two")
	<-said
	begun := time.Now()
	w.Close(long)
	if time.Since(begun) > long/2 {
		t.Error("it waited")
	}
	saying(t, said, "WARN syslog (PATH) did not get 2 lines")
	New(Options{}).Close(long) // one that was never used
}

package dlog

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestSyslog(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "log")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetReadDeadline(time.Now().Add(long))
	l := newLog(t, Options{Syslog: true, SyslogIdent: "supervisord", SyslogSocket: socket})
	l.Logger().Info("spawned: 'web' with pid 42")
	l.Logger().Warn("two\nlines")
	for _, want := range []string{"INFO spawned: 'web' with pid 42", "WARN two", "WARN lines"} {
		b := make([]byte, 1000)
		n, err := c.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		_, text, ok := strings.Cut(string(b[:n]), " supervisord: ")
		if got := unstamped(text); !ok || got == text || got != want {
			t.Errorf("got %q, want %q", b[:n], want)
		}
	}
}

func TestTheForegroundIsToldThatSyslogIsAway(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "log")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	l := newLog(t, Options{Syslog: true, SyslogSocket: socket, Stdout: w})
	w.Close()
	l.Logger().Info("hello")
	told := regexp.MustCompile(`WARN syslog \(` + regexp.QuoteMeta(socket) + `\) takes no lines: no such file or directory; `)
	r.SetReadDeadline(time.Now().Add(long))
	var got string
	for b := make([]byte, 1000); !told.MatchString(got); {
		n, err := r.Read(b)
		if got += string(b[:n]); err != nil && err != io.EOF {
			t.Fatalf("%v after %q", err, got)
		}
	}
}

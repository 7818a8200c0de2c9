package sdnotify

import (
	"net"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

func TestSend(t *testing.T) {
	t.Setenv(Env, "")
	if err := Send(Ready); err != nil {
		t.Errorf("with nobody there: %v", err)
	}
	for _, address := range []string{filepath.Join(t.TempDir(), "s"), "@holdfast-test-" + strconv.FormatInt(time.Now().UnixNano(), 36)} {
		l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: address, Net: "unixgram"})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		t.Setenv(Env, address)
		if err := Send(Ready, Stopping); err != nil {
			t.Error(err)
		}
		buf := make([]byte, 100)
		l.SetReadDeadline(time.Now().Add(20 * time.Second))
		n, err := l.Read(buf)
		if got := string(buf[:n]); err != nil || got != "READY=1\nSTOPPING=1" {
			t.Errorf("%s: got %q, %v", address, got, err)
		}
	}
	t.Setenv(Env, filepath.Join(t.TempDir(), "nobody"))
	if Send(Ready) == nil {
		t.Error("want an error for a socket that is not there")
	}
}

package probe

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/internal/config"
)

// closedPort is an address that nobody listens on.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// deafPort is one that is listened on by somebody who accepts nobody, and whose queue is full.
func deafPort(t *testing.T) string {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), unix.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	address := (&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: name.(*unix.SockaddrInet4).Port}).String()
	for range 10 {
		c, err := net.DialTimeout("tcp", address, 200*time.Millisecond)
		if err != nil {
			return address
		}
		t.Cleanup(func() { c.Close() })
	}
	t.Fatal("the queue does not fill")
	return ""
}

func TestTCP(t *testing.T) {
	noLeaks(t)
	tcp := func(address string) *config.Check {
		return &config.Check{Kind: config.CheckTCP, Target: address, TimeoutSecs: 1}
	}
	var p Prober
	closed := make(chan bool, 1)
	open := answering(t, "tcp", "127.0.0.1:0", func(c net.Conn) {
		_, err := c.Read(make([]byte, 1))
		closed <- err != nil
	})
	want(t, &p, tcp(open), "")
	if !<-closed {
		t.Error("it has said something")
	}
	want(t, &p, tcp(closedPort(t)), "connection refused")
	want(t, &p, tcp(deafPort(t)), "timed out after 1 s")
	want(t, &p, tcp("no-such-host.invalid:80"), "no such host")
}

func TestTCPv6(t *testing.T) {
	noLeaks(t)
	var p Prober
	open := answering(t, "tcp6", "[::1]:0", func(c net.Conn) {})
	want(t, &p, &config.Check{Kind: config.CheckTCP, Target: open, TimeoutSecs: 1}, "")
}

func TestFile(t *testing.T) {
	noLeaks(t)
	path := filepath.Join(t.TempDir(), "ready")
	c := &config.Check{Kind: config.CheckFile, Target: path, TimeoutSecs: 1}
	var p Prober
	want(t, &p, c, "not there: "+path)
	if err := os.WriteFile(path, nil, 0); err != nil {
		t.Fatal(err)
	}
	want(t, &p, c, "")
	c.Target += "/below"
	want(t, &p, c, "not a directory")
}

// A look at a dead mount comes back when the mount does; there is one for all checks of that file.
func TestALookThatHangs(t *testing.T) {
	noLeaks(t)
	var looks atomic.Int32
	hang := make(chan struct{})
	p := Prober{stat: func(path string) error {
		looks.Add(1)
		if path == "/dead/x" {
			<-hang
		}
		return nil
	}}
	c := &config.Check{Kind: config.CheckFile, Target: "/dead/x", TimeoutSecs: 1}
	want(t, &p, c, "timed out after 1 s")
	ctx, stop := context.WithCancel(t.Context())
	stop()
	for range 100 {
		if err := p.Do(ctx, c); !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v", err)
		}
	}
	if n := looks.Load(); n != 1 {
		t.Errorf("%d looks hang", n)
	}
	want(t, &p, &config.Check{Kind: config.CheckFile, Target: "/alive", TimeoutSecs: 1}, "")
	close(hang)
	want(t, &p, c, "")
	if want(t, &p, c, ""); len(p.looks) != 0 {
		t.Errorf("left: %v", p.looks)
	}
}

func TestTheCallerCanCallItOff(t *testing.T) {
	noLeaks(t)
	asked := make(chan struct{})
	silent := answering(t, "tcp", "127.0.0.1:0", func(c net.Conn) { readRequest(c); close(asked) })
	ctx, stop := context.WithCancel(t.Context())
	go func() { <-asked; stop() }()
	c := check("http://" + silent)
	c.TimeoutSecs = 3600
	if err := new(Prober).Do(ctx, c); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestOtherKindsAreNotMadeHere(t *testing.T) {
	for _, kind := range []config.CheckKind{config.CheckNotify, config.CheckExec, config.CheckOutput} {
		if err := new(Prober).Do(t.Context(), &config.Check{Kind: kind}); err == nil || !strings.Contains(err.Error(), "not made here") {
			t.Errorf("kind %d: %v", kind, err)
		}
	}
}

// Without files of our own nothing is known of the other side.
func TestAShortageIsOurs(t *testing.T) {
	open := answering(t, "tcp", "127.0.0.1:0", func(c net.Conn) {})
	var p Prober
	c := &config.Check{Kind: config.CheckTCP, Target: open, TimeoutSecs: 1}
	want(t, &p, c, "")
	var lim unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &lim); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 3, Max: lim.Max}); err != nil {
		t.Fatal(err)
	}
	err := p.Do(t.Context(), c)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &lim); err != nil {
		t.Fatal(err)
	}
	var unable *Unable
	if !errors.As(err, &unable) || err.Error() != "cannot check: too many open files" {
		t.Errorf("got %v", err)
	}
}

// Package probe makes the checks of readiness= and liveness= that ask from outside: an HTTP answer, a TCP
// connection, a file.
//
//	var p probe.Prober
//	err := p.Do(ctx, check) // nil: it succeeded; else why it did not, in an operator's words
//
// One call is one check. It takes no longer than the check's timeout, whatever the other side does, and leaves no
// connection, goroutine or file behind: all that happens to a connection happens on the caller's goroutine, under
// one deadline. What can't be given a deadline, a look at a file on a mount that is gone, has a goroutine
// that others join, so there is never more than one for a file.
//
// An HTTP check is a GET on a new connection, as the kubelet's, past any proxy. A status from 200 to 399 is a
// success: a redirection is an answer, too, and is not followed. Certificates are read again when their files
// have changed. Each TLS handshake is a full one, so that the server's certificate of today is looked at; it costs ten times
// what an HTTP check does without TLS (BenchmarkCheck: 0.7 ms of a processor and 0.06 ms).
package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"holdfast/internal/config"
)

// A Prober makes checks. The zero value is ready. Its methods may be called from any goroutine.
type Prober struct {
	mu    sync.Mutex
	looks map[string]*look          // at files, under way; guarded by mu
	certs map[certFiles]*loadedCert // guarded by mu

	stat func(path string) error // os.Stat; a test's
}

// Do makes one check of CheckHTTP, CheckTCP or CheckFile. Nil: it succeeded. The error is an *Unable if that
// says nothing about the other side, ctx's if ctx has ended, and otherwise the reason.
func (p *Prober) Do(ctx context.Context, c *config.Check) error {
	timeout := time.Duration(max(1, c.TimeoutSecs)) * time.Second
	bound, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var err error
	switch c.Kind {
	case config.CheckHTTP:
		err = p.http(bound, c)
	case config.CheckTCP:
		err = tcp(bound, c.Target)
	case config.CheckFile:
		err = p.file(bound, c.Target)
	default:
		return fmt.Errorf("a check of kind %d is not made here", c.Kind)
	}
	var v verdict
	switch {
	case err == nil || errors.As(err, &v):
		return err
	case ctx.Err() != nil:
		return ctx.Err()
	case bound.Err() != nil || errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("timed out after %d s", timeout/time.Second)
	}
	return inWords(err, &c.HTTP)
}

func tcp(ctx context.Context, address string) error {
	conn, err := dial(ctx, address)
	if err != nil {
		return err
	}
	return conn.Close()
}

// dialer asks the Go resolver, which can be called off, and has nobody ask the other side whether it is
// still there: the connection is gone in a moment.
var dialer = net.Dialer{Resolver: &net.Resolver{PreferGo: true}, KeepAlive: -1}

func dial(ctx context.Context, address string) (net.Conn, error) {
	return dialer.DialContext(ctx, "tcp", address)
}

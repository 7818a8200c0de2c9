// Package httpd opens the daemon's HTTP servers, on TCP and on unix sockets, and keeps bad clients
// off what they serve: it asks for the password, and it bounds headers, bodies, connections and
// slow reading and writing, so that no client can hold the daemon's memory or files.
//
//	l, err := httpd.Listen(httpd.Server{Network: "unix", Address: "/run/supervisor.sock", Chmod: 0o700, UID: -1, GID: -1})
//	go l.Serve(handler)
//	l.Close(ctx)
//
// A handler reads the body of a request with ReadBody and answers what it refuses with Error. Its
// request's context ends when the client hangs up and when the Listener is closed.
//
// Differs: requests are read by net/http. Malformed ones, HTTP/1.1 without a Host and HTTP/0.9 get
// status 400 and other versions 505, where the original closes, hangs or answers all the same; a
// length of 0 is an empty body, on which the original hangs; a refused password closes the
// connection, which the original only announces; and there are limits, of which it has none.
package httpd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

// A Server says where to listen and whom to let in.
type Server struct {
	Network  string // "tcp" or "unix"
	Address  string // tcp: "host:port", host empty for every interface; unix: absolute path
	Chmod    int    // unix only
	UID, GID int    // unix only; -1 leaves it as it is
	Username string // empty: no authentication
	Password string // plain, or "{SHA}" and 40 lower-case hex digits

	// Inherited is the listening socket of a daemon before this one, which had the same Network and Address;
	// nil: there is none.
	Inherited *os.File

	Log    *slog.Logger // nil: nothing is logged
	Stderr io.Writer    // where the removal of a stale socket is told; nil: os.Stderr
}

// maxHeaderBytes is far above what any client of the API sends.
const maxHeaderBytes = 64 << 10

// limits are what a client may take of the daemon. They are not options: the manual has none.
//
// Differs: the original has none at all, but for idle.
type limits struct {
	header time.Duration // from the connection, or a request's first byte, to the end of the header
	body   time.Duration // for the whole body
	idle   time.Duration // between two requests
	stall  time.Duration // in which a client takes no byte of its answer
	conns  int           // open connections: each is a file of the daemon's
}

var defaultLimits = limits{
	header: 30 * time.Second,
	body:   30 * time.Second,
	// The original's. A supervisorctl shell keeps its connection while its user thinks, and
	// Python's does not connect again by itself.
	idle:  30 * time.Minute,
	stall: 30 * time.Second,
	// Out of files the daemon could start no program, and minfds is 1024 by default.
	conns: 256,
}

// A Listener is an open server. It is listening, so that clients can connect, before Serve.
type Listener struct {
	server Server
	limits limits // not written after Serve
	log    *slog.Logger
	net    net.Listener
	conns  conns
	http   *http.Server
	cancel context.CancelCauseFunc // ends the context of all requests
	remove func() error            // removes the socket file, once
}

// Listen opens the server. An address that another process listens on is an error that matches
// syscall.EADDRINUSE; a unix socket that is left of a dead process is removed and taken.
func Listen(s Server) (*Listener, error) {
	l := &Listener{server: s, limits: defaultLimits, log: s.Log}
	if l.log == nil {
		l.log = slog.New(slog.DiscardHandler)
	}
	l.remove = func() error { return nil }
	var err error
	switch {
	case s.Inherited != nil:
		l.net, err = inherit(s, l)
	case s.Network == "unix":
		stderr := s.Stderr
		if stderr == nil {
			stderr = os.Stderr
		}
		var socket *socketFile
		l.net, socket, err = listenUnix(s, stderr)
		l.remove = sync.OnceValue(func() error { return socket.removeOurs() })
	case s.Network == "tcp":
		network := s.Network
		if strings.HasPrefix(s.Address, ":") {
			// As the original: a port on every interface is not opened on IPv6, where nobody
			// who wrote the firewall for it expects it.
			// Differs: an IPv6 address is taken when it is given; the original is IPv4 only.
			network = "tcp4"
		}
		l.net, err = net.Listen(network, s.Address)
		if err != nil {
			err = fmt.Errorf("cannot listen on %q: %w", s.Address, err)
		}
	default:
		err = fmt.Errorf("cannot listen on %q: unknown network %q", s.Address, s.Network)
	}
	if err != nil {
		return nil, err
	}

	ctx, cancel := context.WithCancelCause(context.Background())
	l.cancel = cancel
	l.http = &http.Server{
		MaxHeaderBytes:               maxHeaderBytes,
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     slog.NewLogLogger(l.log.Handler(), slog.LevelError),
		BaseContext:                  func(net.Listener) context.Context { return ctx },
		ConnState:                    l.conns.changed,
	}
	return l, nil
}

// Addr is where the server listens: with a port of 0 in Address, the port that was given.
func (l *Listener) Addr() net.Addr { return l.net.Addr() }

// Serve answers requests with h until Close; then it returns nil.
func (l *Listener) Serve(h http.Handler) error {
	l.http.Handler = l.accessLog(l.guard(h))
	l.http.ReadHeaderTimeout = l.limits.header
	l.http.IdleTimeout = l.limits.idle
	l.conns.max = l.limits.conns
	err := l.http.Serve(accepter{l.net, l.limits.stall})
	if errors.Is(err, http.ErrServerClosed) || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return fmt.Errorf("cannot serve on %q: %w", l.server.Address, err)
}

// ErrLeaving is the cause with which Leave ends the context of requests that wait.
var ErrLeaving = errors.New("supervisord is making room for the next one")

// Leave ends this server in favour of another process that has the same socket and goes on with it: whoever
// connects from now on waits for that. Requests get answerIn to be answered, then their contexts end with
// ErrLeaving, and as long again for what they have to say then. The socket file stays.
func (l *Listener) Leave(answerIn time.Duration) {
	l.net.Close() // this process's copy
	l.http.SetKeepAlivesEnabled(false)
	for range 2 {
		ctx, cancel := context.WithTimeout(context.Background(), answerIn)
		err := l.http.Shutdown(ctx)
		cancel()
		if err == nil || errors.Is(err, net.ErrClosed) {
			break
		}
		l.cancel(ErrLeaving)
	}
	l.http.Close()
}

// Close removes the socket file if it is still ours, ends the context of every running request,
// waits for their answers until ctx ends, and closes the connections. It may be called whether or
// not Serve runs, and more than once.
func (l *Listener) Close(ctx context.Context) error {
	errs := []error{l.remove()}
	l.cancel(nil)
	// The listener is closed here too: Shutdown knows it only once Serve has been called.
	if err := l.net.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		errs = append(errs, err)
	}
	// Shutdown would wait five seconds for connections that have not sent a request yet.
	l.conns.closeWaiting()
	if err := l.http.Shutdown(ctx); err != nil && !errors.Is(err, net.ErrClosed) {
		l.http.Close()
	}
	return errors.Join(errs...)
}

package httpd

import (
	"net"
	"net/http"
	"sync"
	"time"
)

// writeChunk is what a client must take within the stall time.
const writeChunk = 64 << 10

const fullAnswer = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"

// conns is the open connections of a server and which of them wait for a request.
type conns struct {
	max     int // not written after the first connection
	mu      sync.Mutex
	open    map[net.Conn]time.Time // since when it waits; zero: a request runs. Guarded by mu
	closing bool                   // guarded by mu
}

// changed is the http.Server's ConnState. When there are too many connections the one that waited
// longest has to go, and when all are busy the new one.
func (c *conns) changed(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch state {
	case http.StateNew:
		if c.open == nil {
			c.open = make(map[net.Conn]time.Time)
		}
		if len(c.open) >= c.max {
			oldest := c.oldestWaiting()
			if oldest == nil {
				// It fits the empty socket buffer, so it does not wait for the client.
				conn.Write([]byte(fullAnswer))
				oldest = conn
			}
			oldest.Close()
			delete(c.open, oldest)
			if oldest == conn {
				return
			}
		}
		c.open[conn] = time.Now()
	case http.StateActive:
		c.open[conn] = time.Time{}
	case http.StateIdle:
		c.open[conn] = time.Now()
	case http.StateClosed, http.StateHijacked:
		delete(c.open, conn)
	}
	if c.closing && (state == http.StateNew || state == http.StateIdle) {
		conn.Close()
	}
}

func (c *conns) oldestWaiting() net.Conn {
	var oldest net.Conn
	for conn, since := range c.open {
		if !since.IsZero() && (oldest == nil || since.Before(c.open[oldest])) {
			oldest = conn
		}
	}
	return oldest
}

// closeWaiting closes the connections that wait for a request, now and from now on.
func (c *conns) closeWaiting() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closing = true
	for conn, since := range c.open {
		if !since.IsZero() {
			conn.Close()
		}
	}
}

// An accepter hands out connections that give up on a client that takes nothing.
type accepter struct {
	net.Listener
	stall time.Duration
}

func (a accepter) Accept() (net.Conn, error) {
	c, err := a.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &conn{c, a.stall}, nil
}

type conn struct {
	net.Conn
	stall time.Duration
}

// Write cuts p, so that the time is for each piece and a long answer over a slow line is none.
func (c *conn) Write(p []byte) (int, error) {
	done := 0
	for {
		piece := p[done:min(len(p), done+writeChunk)]
		if err := c.SetWriteDeadline(time.Now().Add(c.stall)); err != nil {
			return done, err
		}
		n, err := c.Conn.Write(piece)
		done += n
		if err != nil || done >= len(p) {
			return done, err
		}
	}
}

// CloseWrite lets net/http end its answer to a client that is still sending, so that the client
// gets to read it.
func (c *conn) CloseWrite() error {
	if w, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return nil
}

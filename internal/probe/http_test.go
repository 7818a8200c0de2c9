package probe

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestHTTPAnswers(t *testing.T) {
	ok := "HTTP/1.1 200 OK\r\n\r\n"
	for _, row := range []struct{ name, answer, body, want string }{
		{"200", ok, "", ""},
		{"of an old server", "HTTP/1.0 200 OK\r\n\r\nok", "ok", ""},
		{"a long head", "HTTP/1.1 200 OK\r\nX-A: " + strings.Repeat("x", 8000) + "\r\n\r\nok", "ok", ""},
		{"204", "HTTP/1.1 204 No Content\r\n\r\n", "", ""},
		{"a redirection is an answer", "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n", "", ""},
		{"after a hint", "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + ok + "ok", "ok", ""},
		{"404", "HTTP/1.1 404 Not Found\r\n\r\n", "", "status 404"},
		{"500 and why", "HTTP/1.1 500 X\r\nContent-Length: 30\r\n\r\n\n \x1b[mno leader\t\nsecond line\n......", "", "status 500: [mno leader"},
		{"503 and much", "HTTP/1.1 503 X\r\n\r\n" + strings.Repeat("x", 5000), "", "status 503: " + strings.Repeat("x", 100)},
		{"503 cut off", "HTTP/1.1 503 X\r\nContent-Length: 100\r\n\r\ngone", "", "status 503: gone"},
		{"the body has it", ok + `{"health":"true"}`, `"health":"true"`, ""},
		{"the body in chunks has it", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n", "ok", ""},
		{"the body lacks it", ok + "not well", "ok", `the answer lacks "ok"`},
		{"the body that is cut off lacks it", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\no", "ok", `the answer lacks "ok"`},
		{"no body", "HTTP/1.1 204 No Content\r\n\r\n", "ok", `the answer lacks "ok"`},
		{"at the end of what is looked at", ok + strings.Repeat("x", bodyLimit-2) + "ok", "ok", ""},
		{"in what is looked at no more", ok + strings.Repeat("x", bodyLimit-1) + "ok", "ok", `the answer lacks "ok"`},
		{"nothing", "", "", "connection closed without an answer"},
		{"half a head", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n", "", "connection closed without an answer"},
		{"no HTTP", "SSH-2.0-OpenSSH_9.9\r\n", "", `malformed HTTP response "SSH-2.0-OpenSSH_9.9"`},
	} {
		t.Run(row.name, func(t *testing.T) {
			noLeaks(t)
			c := check(saying(t, row.answer))
			c.HTTP.Body = row.body
			want(t, new(Prober), c, row.want)
		})
	}
}

func TestHTTPRequest(t *testing.T) {
	noLeaks(t)
	got := make(chan string, 1)
	address := answering(t, "tcp", "127.0.0.1:0", func(c net.Conn) {
		got <- readRequest(c)
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") // and stays open
	})
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	var p Prober
	c := check("http://me:secret@" + address + "/healthz?verbose=1#x")
	want(t, &p, c, "")
	if g, w := <-got, "GET /healthz?verbose=1 HTTP/1.1\r\nHost: "+address+"\r\nUser-Agent: holdfast-probe\r\nConnection: close\r\n"+
		"Accept: */*\r\nAuthorization: Basic bWU6c2VjcmV0\r\n\r\n"; g != w {
		t.Errorf("got %q, want %q", g, w)
	}
	c.HTTP.Headers = [][2]string{{"host", "etcd.local"}, {"user-agent", "me"}, {"X-A", "1"}, {"x-a", "2"}}
	want(t, &p, c, "")
	if g := <-got; !strings.Contains(g, "\r\nHost: etcd.local\r\n") || !strings.Contains(g, "\r\nUser-Agent: me\r\n") ||
		!strings.Contains(g, "\r\nX-A: 1\r\nX-A: 2\r\n") {
		t.Errorf("got %q", g)
	}
}

func TestHTTPv6(t *testing.T) {
	noLeaks(t)
	address := answering(t, "tcp6", "[::1]:0", func(c net.Conn) { readRequest(c); io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n") })
	want(t, new(Prober), check("http://"+address), "")
}

func TestHTTPConnectionsThatFail(t *testing.T) {
	noLeaks(t)
	var p Prober
	want(t, &p, check("http://"+closedPort(t)), "connection refused")
	want(t, &p, check("http://no-such-host.invalid"), "no such host")
	reset := answering(t, "tcp", "127.0.0.1:0", func(c net.Conn) {
		readRequest(c)
		c.(*net.TCPConn).SetLinger(0)
		c.Close()
	})
	want(t, &p, check("http://"+reset), "connection reset")
}

// Whatever a server does, a check ends in its time.
func TestServersThatHang(t *testing.T) {
	noLeaks(t) // of all of them, since they run at the same time
	drip := func(c net.Conn, head, piece string) {
		io.WriteString(c, head)
		for { // until the test closes the connection, or the other side does
			if _, err := io.WriteString(c, piece); err != nil {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	const late = "timed out after 1 s"
	for _, row := range []struct {
		name   string
		body   string
		serve  func(c net.Conn)
		scheme string
		want   string
	}{
		{"reads nothing", "", func(c net.Conn) {}, "http", late},
		{"says nothing", "", func(c net.Conn) { readRequest(c) }, "http", late},
		{"no TLS handshake", "", func(c net.Conn) {}, "https", late},
		{"half a TLS handshake", "", func(c net.Conn) { drip(c, "\x16\x03\x03\x40\x00", "x") }, "https", late},
		{"its head byte by byte", "", func(c net.Conn) { readRequest(c); drip(c, "HTTP/1.1 200 OK\r\nX-A: ", "x") }, "http", late},
		{"hints for ever", "", func(c net.Conn) { readRequest(c); drip(c, "", "HTTP/1.1 103 Early Hints\r\n\r\n") }, "http", late},
		{"its body byte by byte", "ok", func(c net.Conn) { readRequest(c); drip(c, "HTTP/1.1 200 OK\r\n\r\n", "x") }, "http", late},
		{"a body that does not come", "ok", func(c net.Conn) { readRequest(c); io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n") }, "http", late},
		{"a body that nobody asks for", "", func(c net.Conn) { readRequest(c); drip(c, "HTTP/1.1 200 OK\r\n\r\n", "x") }, "http", ""},
		{"a reason that does not come", "", func(c net.Conn) { readRequest(c); io.WriteString(c, "HTTP/1.1 503 X\r\nContent-Length: 2\r\n\r\n") }, "http", "status 503"},
		{"half-open", "", func(c net.Conn) { readRequest(c); c.(*net.TCPConn).CloseRead() }, "http", late},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			c := check(row.scheme + "://" + answering(t, "tcp", "127.0.0.1:0", row.serve))
			c.HTTP.Body = row.body
			want(t, new(Prober), c, row.want)
		})
	}
	t.Run("accepts nobody", func(t *testing.T) {
		t.Parallel()
		want(t, new(Prober), check("http://"+deafPort(t)), late)
	})
}

func TestAnswersWithoutAnEnd(t *testing.T) {
	flood := func(head, piece string) func(c net.Conn) {
		return func(c net.Conn) {
			readRequest(c)
			io.WriteString(c, head)
			for many := strings.Repeat(piece, 1000); ; {
				if _, err := io.WriteString(c, many); err != nil {
					return
				}
			}
		}
	}
	for _, row := range []struct {
		name, body, want string
		serve            func(c net.Conn)
	}{
		{"a body", "ok", `the answer lacks "ok"`, flood("HTTP/1.1 200 OK\r\n\r\n", "x")},
		{"a body of small chunks", "ok", `the answer lacks "ok"`, flood("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n")},
		{"a body of large chunk names", "ok", "chunked encoding contains too much non-data", flood("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "1;"+strings.Repeat("y", 500)+"\r\nx\r\n")},
		{"a line", "", "the head of the answer has no end", flood("HTTP/1.1 200 ", "x")},
		{"a head", "", "the head of the answer has no end", flood("HTTP/1.1 200 OK\r\n", "X-A: b\r\n")},
		{"hints", "", "the head of the answer has no end", flood("", "HTTP/1.1 103 Early Hints\r\n\r\n")},
	} {
		t.Run(row.name, func(t *testing.T) {
			noLeaks(t)
			c := check("http://" + answering(t, "tcp", "127.0.0.1:0", row.serve))
			c.HTTP.Body, c.TimeoutSecs = row.body, 10
			want(t, new(Prober), c, row.want)
		})
	}
}

func TestAThousandChecksLeaveNothing(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "ok") }))
	defer s.Close()
	noLeaks(t)
	var p Prober
	c := check(s.URL)
	c.HTTP.Body, c.TimeoutSecs = "ok", 10
	done := make(chan error)
	for range 10 {
		go func() {
			var err error
			for range 100 {
				if e := p.Do(t.Context(), c); e != nil {
					err = e
				}
			}
			done <- err
		}()
	}
	for range 10 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// A header of the configuration that can't be sent must not look like a server that hangs.
func TestARequestThatCannotBe(t *testing.T) {
	noLeaks(t)
	c := check("http://" + answering(t, "tcp", "127.0.0.1:0", func(c net.Conn) { readRequest(c) }))
	c.Target = "http://[::1"
	want(t, new(Prober), c, `parse "http://[::1": missing ']' in host`)
}

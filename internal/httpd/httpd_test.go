package httpd

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/internal/dlog"
)

// long is a bound that only a broken run meets.
const long = 20 * time.Second

// serve runs a server on a unix socket for the test and returns how to connect to it.
func serve(t testing.TB, s Server, lim limits, h http.HandlerFunc) func() net.Conn {
	t.Helper()
	s.Network, s.Address, s.Chmod, s.UID, s.GID = "unix", filepath.Join(t.TempDir(), "s"), 0o700, -1, -1
	l, err := Listen(s)
	if err != nil {
		t.Fatal(err)
	}
	l.limits = lim
	served := make(chan error, 1)
	go func() { served <- l.Serve(h) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), long)
		defer cancel()
		if err := l.Close(ctx); err != nil {
			t.Errorf("Close: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return func() net.Conn {
		t.Helper()
		c, err := net.Dial("unix", s.Address)
		if err != nil {
			t.Fatal(err)
		}
		c.SetDeadline(time.Now().Add(long))
		t.Cleanup(func() { c.Close() })
		return c
	}
}

// echo answers with the body.
func echo(w http.ResponseWriter, r *http.Request) {
	if body, ok := ReadBody(w, r); ok {
		w.Header().Set("Content-Length", fmt.Sprint(len(body)))
		w.Write(body)
	}
}

func errorPage(code int, reason string) string {
	return fmt.Sprintf("<head>\r\n<title>Error response</title>\r\n</head>\r\n<body>\r\n<h1>Error response</h1>\r\n"+
		"<p>Error code %d.\r\n<p>Message: %s.\r\n</body>\r\n", code, reason)
}

func TestRequests(t *testing.T) {
	connect := serve(t, Server{}, defaultLimits, echo)
	post := func(headers, body string) string {
		return "POST /RPC2 HTTP/1.1\r\nHost: x\r\n" + headers + "\r\n" + body
	}
	for _, tt := range []struct {
		rule  string
		send  string
		codes []int  // of the answers, in order
		body  string // of the last answer; empty: not looked at
		stays bool   // the connection is open after the answers
	}{
		{"a sound request is answered", post("Content-Length: 3\r\n", "abc"), []int{200}, "abc", true},
		{"bare line feeds end a header", "POST / HTTP/1.1\nHost: x\nContent-Length: 3\n\nabc", []int{200}, "abc", true},
		{"pipelined requests are answered in order",
			post("Content-Length: 1\r\n", "a") + post("Content-Length: 1\r\n", "b") + post("Content-Length: 1\r\nConnection: close\r\n", "c"),
			[]int{200, 200, 200}, "c", false},
		{"HTTP/1.0 closes after the answer", "POST / HTTP/1.0\r\nContent-Length: 2\r\n\r\nab", []int{200}, "ab", false},
		{"HTTP/1.0 with keep-alive stays", "POST / HTTP/1.0\r\nConnection: Keep-Alive\r\nContent-Length: 2\r\n\r\nab", []int{200}, "ab", true},
		{"Connection: close closes after the answer", post("Connection: close\r\nContent-Length: 2\r\n", "ab"), []int{200}, "ab", false},
		{"a length of 0 is an empty body", post("Content-Length: 0\r\n", ""), []int{200}, "", true},
		{"a client may wait to be told to go on", post("Expect: 100-continue\r\nContent-Length: 2\r\n", "ab"), []int{100, 200}, "ab", true},

		{"no length is 411", post("", ""), []int{411}, errorPage(411, "Length Required"), false},
		{"a chunked body is 411", post("Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\n\r\n"), []int{411}, errorPage(411, "Length Required"), false},
		{"both lengths are 411", post("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\n\r\n"), []int{411}, "", false},
		{"a length over the limit is 413", post("Content-Length: 8388609\r\n", ""), []int{413}, errorPage(413, "Request Entity Too Large"), false},
		{"a huge length is 413", post("Content-Length: 9223372036854775807\r\n", ""), []int{413}, "", false},
		{"a length that is no int64 is 400", post("Content-Length: 99999999999999999999\r\n", ""), []int{400}, "", false},
		{"a negative length is 400", post("Content-Length: -1\r\n", ""), []int{400}, "", false},
		{"a length that is no number is 400", post("Content-Length: x\r\n", ""), []int{400}, "", false},
		{"two different lengths are 400", post("Content-Length: 1\r\nContent-Length: 2\r\n", "ab"), []int{400}, "", false},
		{"a header over the limit is 431", post("X: "+strings.Repeat("x", 100<<10)+"\r\n", ""), []int{431}, "", false},
		{"a header without a colon is 400", post("nonsense\r\n", ""), []int{400}, "", false},
		{"a bad request line is 400", "nonsense\r\n\r\n", []int{400}, "", false},
		{"bytes that are no text are 400", "\x00\xff\x16\x03\x01\r\n\r\n", []int{400}, "", false},
		{"a request line of HTTP/0.9 is 400", "GET /\r\n\r\n", []int{400}, "", false},
		{"no Host in HTTP/1.1 is 400", "POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", []int{400}, "", false},
		{"HTTP/2.0 in the request line is 505", "GET / HTTP/2.0\r\nHost: x\r\n\r\n", []int{505}, "", false},
		{"the preface of HTTP/2 is 505", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", []int{505}, errorPage(505, "HTTP Version Not Supported"), false},
		{"a GET with a body is 400", "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab", []int{400}, errorPage(400, "Bad Request"), false},
		{"OPTIONS * is a request like others", "OPTIONS * HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", []int{200}, "", true},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			c := connect()
			// Not all of it is read by the server in each case.
			go io.WriteString(c, tt.send)
			in := bufio.NewReader(c)
			var body []byte
			for _, code := range tt.codes {
				resp, err := http.ReadResponse(in, nil)
				if err != nil {
					t.Fatalf("no answer, want %d: %v", code, err)
				}
				if resp.StatusCode != code {
					t.Errorf("status %d, want %d", resp.StatusCode, code)
				}
				if body, err = io.ReadAll(resp.Body); err != nil {
					t.Fatal(err)
				}
			}
			if tt.body != "" && string(body) != tt.body {
				t.Errorf("body %q, want %q", body, tt.body)
			}
			if !tt.stays {
				if rest, err := io.ReadAll(in); len(rest) > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("after the answer: %q, error %v; want a closed connection", rest, err)
				}
				return
			}
			fmt.Fprint(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nagain")
			resp, err := http.ReadResponse(in, nil)
			if err != nil {
				t.Fatalf("the connection should have stayed: %v", err)
			}
			if body, _ := io.ReadAll(resp.Body); string(body) != "again" {
				t.Errorf("second body %q", body)
			}
		})
	}
}

// A client that is slow, or sends half of something, is cut off, and is told why where it can be.
func TestSlowClients(t *testing.T) {
	short := defaultLimits
	short.header, short.body, short.idle = 100*time.Millisecond, 100*time.Millisecond, 100*time.Millisecond
	connect := serve(t, Server{}, short, echo)
	for _, tt := range []struct {
		rule, send, want string
	}{
		{"nothing is sent", "", ""},
		{"half a request line", "POST /RP", "400 "},
		{"half a header", "POST /RPC2 HTTP/1.1\r\nHost: x\r\nConten", "400 "},
		{"half a body", "POST /RPC2 HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc", "408 "},
		{"no second request", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab", "200 "},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			c := connect()
			io.WriteString(c, tt.send)
			got, err := io.ReadAll(c)
			if err != nil {
				t.Fatalf("not cut off: %v", err)
			}
			if tt.want != "" && len(got) > 0 && !strings.HasPrefix(string(got), "HTTP/1.1 "+tt.want) {
				t.Errorf("answer %q, want %s", got, tt.want)
			}
		})
	}
}

func TestAWaitingCallOutlivesTheLimits(t *testing.T) {
	short := defaultLimits
	short.header, short.body, short.idle = 50*time.Millisecond, 50*time.Millisecond, 50*time.Millisecond
	connect := serve(t, Server{}, short, func(w http.ResponseWriter, r *http.Request) {
		if _, ok := ReadBody(w, r); ok {
			select {
			case <-r.Context().Done():
				Error(w, 500)
			case <-time.After(300 * time.Millisecond): // the call's own time
			}
		}
	})
	c := connect()
	fmt.Fprint(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na")
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("answer %v, error %v", resp, err)
	}
}

func TestHangUpEndsTheContext(t *testing.T) {
	for _, tt := range []struct{ rule, send string }{
		{"after a request with a body", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na"},
		{"after a request without one", "GET / HTTP/1.0\r\n\r\n"},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			running, ended := make(chan bool), make(chan bool)
			connect := serve(t, Server{}, defaultLimits, func(w http.ResponseWriter, r *http.Request) {
				if r.Method == "POST" {
					ReadBody(w, r)
				}
				running <- true
				<-r.Context().Done()
				ended <- true
			})
			c := connect()
			io.WriteString(c, tt.send)
			<-running
			c.Close()
			select {
			case <-ended:
			case <-time.After(long):
				t.Fatal("the handler still waits")
			}
		})
	}
}

func TestHalfABodyThenHangUp(t *testing.T) {
	ended := make(chan bool, 1)
	connect := serve(t, Server{}, defaultLimits, func(w http.ResponseWriter, r *http.Request) {
		_, ok := ReadBody(w, r)
		ended <- ok
	})
	c := connect()
	fmt.Fprint(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
	c.Close()
	select {
	case ok := <-ended:
		if ok {
			t.Error("half a body was taken for a whole one")
		}
	case <-time.After(long):
		t.Fatal("the handler still reads")
	}
}

func TestAClientThatReadsNothingIsCutOff(t *testing.T) {
	short := defaultLimits
	short.stall = 100 * time.Millisecond
	ended := make(chan error, 1)
	connect := serve(t, Server{}, short, func(w http.ResponseWriter, r *http.Request) {
		var err error
		for err == nil {
			_, err = w.Write(make([]byte, 1<<20))
		}
		ended <- err
	})
	c := connect()
	fmt.Fprint(c, "GET / HTTP/1.0\r\n\r\n")
	select {
	case <-ended:
	case <-time.After(long):
		t.Fatal("the handler still writes")
	}
}

// A long answer over a slow line takes longer than the stall time, and comes whole.
func TestASlowReaderGetsAll(t *testing.T) {
	short := defaultLimits
	short.stall = 300 * time.Millisecond
	const size = 2 << 20
	connect := serve(t, Server{}, short, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(size))
		w.Write(make([]byte, size))
	})
	c := connect()
	fmt.Fprint(c, "GET / HTTP/1.0\r\n\r\n")
	got, buf := 0, make([]byte, 128<<10)
	for {
		n, err := c.Read(buf)
		got += n
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond) // the slow line
	}
	if got < size {
		t.Errorf("got %d bytes of %d", got, size)
	}
}

func TestTooManyConnections(t *testing.T) {
	few := defaultLimits
	few.conns = 3
	running, goOn := make(chan bool), make(chan bool)
	connect := serve(t, Server{}, few, func(w http.ResponseWriter, r *http.Request) {
		running <- true
		<-goOn
	})
	t.Cleanup(func() { close(goOn) })

	// One waits, two are busy: the one that waits has to go.
	idle := connect()
	for range 2 {
		fmt.Fprint(connect(), "GET / HTTP/1.0\r\n\r\n")
		<-running
	}
	third := connect()
	fmt.Fprint(third, "GET / HTTP/1.0\r\n\r\n")
	<-running
	if n, err := idle.Read(make([]byte, 1)); n != 0 || err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the waiting connection is still open: %d, %v", n, err)
	}
	// Now all are busy.
	resp, err := http.ReadResponse(bufio.NewReader(connect()), nil)
	if err != nil || resp.StatusCode != 503 {
		t.Errorf("answer %v, error %v, want 503", resp, err)
	}
}

func TestCloseIsQuick(t *testing.T) {
	for _, tt := range []struct {
		rule  string
		serve bool
	}{{"with clients", true}, {"before Serve", false}} {
		t.Run(tt.rule, func(t *testing.T) {
			before := runtime.NumGoroutine()
			path := filepath.Join(t.TempDir(), "s")
			l, err := Listen(Server{Network: "unix", Address: path, Chmod: 0o600, UID: -1, GID: -1})
			if err != nil {
				t.Fatal(err)
			}
			if tt.serve {
				served, running := make(chan error, 1), make(chan bool)
				go func() {
					served <- l.Serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						running <- true
						<-r.Context().Done()
						io.WriteString(w, "closing")
					}))
				}()
				silent, err := net.Dial("unix", path)
				if err != nil {
					t.Fatal(err)
				}
				defer silent.Close()
				waiting, err := net.Dial("unix", path)
				if err != nil {
					t.Fatal(err)
				}
				defer waiting.Close()
				fmt.Fprint(waiting, "GET / HTTP/1.0\r\n\r\n")
				<-running
				defer func() {
					if answer, _ := io.ReadAll(waiting); !bytes.HasSuffix(answer, []byte("closing")) {
						t.Errorf("the running request got %q", answer)
					}
					if err := <-served; err != nil {
						t.Errorf("Serve: %v", err)
					}
				}()
			}
			ctx, cancel := context.WithTimeout(context.Background(), long)
			defer cancel()
			start := time.Now()
			if err := l.Close(ctx); err != nil {
				t.Errorf("Close: %v", err)
			}
			if took := time.Since(start); took > 4*time.Second {
				t.Errorf("Close took %v", took)
			}
			if err := l.Close(ctx); err != nil {
				t.Errorf("second Close: %v", err)
			}
			if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the socket file is still there: %v", err)
			}
			for deadline := time.Now().Add(long); runtime.NumGoroutine() > before+1; { // the one that serves may still be returning
				if time.Now().After(deadline) {
					t.Fatalf("%d goroutines are left", runtime.NumGoroutine()-before)
				}
				runtime.Gosched()
			}
		})
	}
}

func TestAccessLog(t *testing.T) {
	var out syncBuffer
	log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: dlog.Trace}))
	connect := serve(t, Server{Log: log}, defaultLimits, echo)
	c := connect()
	fmt.Fprint(c, "POST /RPC2 HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc")
	io.ReadAll(c)
	want := regexp.MustCompile(`localhost:0 - - \[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d \+0000\] \\"POST /RPC2 HTTP/1.0\\" 200 3`)
	if got := out.String(); !want.MatchString(got) {
		t.Errorf("logged %q", got)
	}
}

func TestTCP(t *testing.T) {
	l, err := Listen(Server{Network: "tcp", Address: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close(t.Context())
	_, err = Listen(Server{Network: "tcp", Address: l.Addr().String()})
	if !errors.Is(err, errInUse) {
		t.Errorf("a second server on the port: %v", err)
	}
	every, err := Listen(Server{Network: "tcp", Address: ":0"})
	if err != nil {
		t.Fatal(err)
	}
	defer every.Close(t.Context())
	if ip := every.Addr().(*net.TCPAddr).IP; ip.To4() == nil {
		t.Errorf("every interface is %v, want IPv4 only", ip)
	}
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// FuzzRequest sends anything at all: the server answers or closes, and does not hang or crash.
func FuzzRequest(f *testing.F) {
	f.Add([]byte("POST /RPC2 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"))
	f.Add([]byte("GET / HTTP/1.0\r\n\r\n"))
	f.Add([]byte("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"))
	f.Add([]byte("\r\n\r\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))
	l, err := Listen(Server{Network: "tcp", Address: "127.0.0.1:0", Username: "u", Password: "p"})
	if err != nil {
		f.Fatal(err)
	}
	go l.Serve(http.HandlerFunc(echo))
	f.Cleanup(func() { l.Close(context.Background()) })
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(long))
		go func() {
			c.Write(data)
			c.(*net.TCPConn).CloseWrite()
		}()
		if _, err := io.ReadAll(c); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("no end after %q", data)
		}
	})
}

// Another listener has the socket too: nobody is refused meanwhile, and all who were let in are answered.
func TestLeave(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	s := Server{Network: "unix", Address: path, Chmod: 0o600, UID: -1, GID: -1}
	first, err := Listen(s)
	if err != nil {
		t.Fatal(err)
	}
	fd, err := first.Dup()
	if err != nil {
		t.Fatal(err)
	}
	served, running := make(chan error, 1), make(chan bool)
	go func() {
		served <- first.Serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/wait" {
				running <- true
				<-r.Context().Done()
				fmt.Fprint(w, context.Cause(r.Context()) == ErrLeaving)
				return
			}
			io.WriteString(w, "first")
		}))
	}()
	dial := func() net.Conn {
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		c.SetDeadline(time.Now().Add(long))
		t.Cleanup(func() { c.Close() })
		return c
	}
	ask := func(c net.Conn, path, want string) {
		t.Helper()
		fmt.Fprintf(c, "GET %s HTTP/1.0\r\n\r\n", path)
		if answer, _ := io.ReadAll(c); !bytes.HasSuffix(answer, []byte(want)) {
			t.Errorf("got %q, want %q", answer, want)
		}
	}
	waiting := dial()
	fmt.Fprint(waiting, "GET /wait HTTP/1.0\r\n\r\n")
	<-running
	left := make(chan bool)
	go func() { first.Leave(50 * time.Millisecond); close(left) }()
	if answer, _ := io.ReadAll(waiting); !bytes.HasSuffix(answer, []byte("true")) {
		t.Errorf("the running request got %q", answer)
	}
	<-left
	if err := <-served; err != nil {
		t.Errorf("Serve: %v", err)
	}
	between := dial()

	s.Inherited, s.Chmod = os.NewFile(uintptr(fd), "socket"), 0o640
	second, err := Listen(s)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		served <- second.Serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "second") }))
	}()
	ask(between, "/", "second")
	ask(dial(), "/", "second")
	if info, err := os.Lstat(path); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("the socket is %v, %v; want the new mode", info, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), long)
	defer cancel()
	if err := second.Close(ctx); err != nil {
		t.Error(err)
	}
	if err := <-served; err != nil {
		t.Errorf("Serve: %v", err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket file is still there: %v", err)
	}
}

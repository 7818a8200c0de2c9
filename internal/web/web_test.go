package web

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/internal/httpd"
	"holdfast/internal/rpc"
	"holdfast/internal/supervisor"
)

// long is a bound that only a broken run meets.
const long = 20 * time.Second

// A fakeAPI knows the processes of its map, by namespec. Any other method is a nil dereference.
type fakeAPI struct {
	supervisor.API
	infos map[string]supervisor.Info
}

func (f fakeAPI) ProcessInfo(name string) (supervisor.Info, error) {
	info, ok := f.infos[name]
	if !ok {
		return info, &supervisor.Error{Reason: supervisor.ErrBadName, Detail: name}
	}
	return info, nil
}

// A fakeDaemon has a main log, and the texts of the API.
type fakeDaemon string

func (d fakeDaemon) MainLog() string                      { return string(d) }
func (d fakeDaemon) Version() string                      { return "4.4.0+test" }
func (d fakeDaemon) Description(i supervisor.Info) string { return rpc.Description(i) }
func (d fakeDaemon) Fault(err error) (int, string)        { return rpc.Fault(err) }

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func add(t *testing.T, path, content string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(content); err != nil {
		t.Fatal(err)
	}
}

func TestRouting(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"out", "err", "main"} {
		write(t, filepath.Join(dir, name), name)
	}
	info := supervisor.Info{StdoutLog: filepath.Join(dir, "out"), StderrLog: filepath.Join(dir, "err")}
	api := fakeAPI{infos: map[string]supervisor.Info{
		"p": info, "g:p": info, "é": info, "none": {}, "gone": {StdoutLog: filepath.Join(dir, "gone")}, "dir": {StdoutLog: dir},
		"g:*": info, "g:": info,
	}}
	for _, tt := range []struct {
		rule, method, path string
		main               string
		code               int
		body               string
	}{
		{"stdout is the default", "GET", "/logtail/p", "main", 200, "out"},
		{"stdout by name", "GET", "/logtail/p/stdout", "main", 200, "out"},
		{"stderr", "GET", "/logtail/p/stderr", "main", 200, "err"},
		{"a process of a group", "GET", "/logtail/g:p/stderr", "main", 200, "err"},
		{"a name in percent signs", "GET", "/logtail/g%3Ap", "main", 200, "out"},
		{"a name that is not ASCII", "GET", "/logtail/%C3%A9", "main", 200, "out"},
		{"a query is no part of it", "GET", "/logtail/p?x=y", "main", 200, "out"},
		{"a prefix is enough", "GET", "/logtails/p", "main", 200, "out"},
		{"the main log", "GET", "/mainlogtail", "main", 200, "main"},
		{"the main log, by prefix", "GET", "/mainlogtail/x", "main", 200, "main"},
		{"an unknown channel", "GET", "/logtail/p/stdin", "main", 404, ""},
		{"an empty channel", "GET", "/logtail/p/", "main", 404, ""},
		{"more behind the channel", "GET", "/logtail/p/stdout/x", "main", 404, ""},
		{"an unknown process", "GET", "/logtail/q", "main", 404, ""},
		{"a whole group", "GET", "/logtail/g:*", "main", 404, ""},
		{"a whole group in short", "GET", "/logtail/g:", "main", 404, ""},
		{"no name", "GET", "/logtail/", "main", 404, ""},
		{"no name at all", "GET", "/logtail", "main", 404, ""},
		{"a process without a log", "GET", "/logtail/none", "main", 404, ""},
		{"a log that is not there", "GET", "/logtail/gone", "main", 404, ""},
		{"a log that is no file", "GET", "/logtail/dir", "main", 404, ""},
		{"no main log", "GET", "/mainlogtail", "", 404, ""},
		{"a main log that is not there", "GET", "/mainlogtail", "gone", 404, ""},
		{"POST to a log", "POST", "/logtail/p", "main", 400, ""},
		{"HEAD of a log", "HEAD", "/mainlogtail", "main", 400, ""},
		{"another path", "GET", "/nope", "main", 404, ""},
		{"HEAD of another path", "HEAD", "/nope", "main", 404, ""},
		{"POST to another path", "POST", "/nope", "main", 400, ""},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			main := tt.main
			if main != "" {
				main = filepath.Join(dir, main)
			}
			// A client that has gone gets what there is, and no more.
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			w := httptest.NewRecorder()
			New(api, fakeDaemon(main)).ServeHTTP(w, httptest.NewRequest(tt.method, tt.path, nil).WithContext(ctx))
			if w.Code != tt.code {
				t.Fatalf("status %d, want %d", w.Code, tt.code)
			}
			if tt.code != 200 {
				if !strings.Contains(w.Body.String(), fmt.Sprintf("<p>Error code %d.\r\n", tt.code)) {
					t.Errorf("body %q", w.Body)
				}
				return
			}
			if w.Body.String() != tt.body {
				t.Errorf("body %q, want %q", w.Body, tt.body)
			}
			h := w.Header()
			if _, err := http.ParseTime(h.Get("Last-Modified")); err != nil || h.Get("Content-Type") != "text/plain;charset=utf-8" || h.Get("X-Accel-Buffering") != "no" {
				t.Errorf("header %v", h)
			}
		})
	}
}

// A follower is a client on a real connection.
type follower struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
	body io.Reader
}

// expect reads until want has come, and nothing but want.
func (f *follower) expect(want string) {
	f.t.Helper()
	got := make([]byte, len(want))
	n, err := io.ReadFull(f.body, got)
	if string(got[:n]) != want {
		f.t.Fatalf("got %q, error %v, want %q", got[:n], err, want)
	}
}

// follows serves the log at path and returns how to follow it, and how many followers there are.
func follows(t *testing.T, path string) (connect func(version string) *follower, running chan int) {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "s")
	l, err := httpd.Listen(httpd.Server{Network: "unix", Address: socket, Chmod: 0o700, UID: -1, GID: -1})
	if err != nil {
		t.Fatal(err)
	}
	h := New(fakeAPI{}, fakeDaemon(path))
	running = make(chan int, 100)
	served := make(chan error, 1)
	go func() {
		served <- l.Serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			running <- 1
			h.ServeHTTP(w, r)
			running <- -1
		}))
	}()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), long)
		defer cancel()
		if err := errors.Join(l.Close(ctx), <-served); err != nil {
			t.Error(err)
		}
	})
	return func(version string) *follower {
		t.Helper()
		c, err := net.Dial("unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		c.SetDeadline(time.Now().Add(long))
		fmt.Fprintf(c, "GET /mainlogtail %s\r\nHost: x\r\n\r\n", version)
		in := bufio.NewReader(c)
		resp, err := http.ReadResponse(in, nil)
		if err != nil || resp.StatusCode != 200 {
			t.Fatalf("answer %v, error %v", resp, err)
		}
		if chunked := len(resp.TransferEncoding) == 1; chunked != (version == "HTTP/1.1") {
			t.Errorf("%s: transfer encoding %q", version, resp.TransferEncoding)
		}
		return &follower{t, c, in, resp.Body}
	}, running
}

func TestFollow(t *testing.T) {
	for _, version := range []string{"HTTP/1.1", "HTTP/1.0"} {
		for _, tt := range []struct {
			rule, content string
			first         string
			then          func(t *testing.T, path string, f *follower)
		}{
			{"what is added comes", "old\n", "old\n", func(t *testing.T, path string, f *follower) {
				add(t, path, "new\n")
				f.expect("new\n")
				add(t, path, "newer")
				f.expect("newer")
			}},
			{"the first piece is the last 1024 bytes", strings.Repeat("x", 5000) + strings.Repeat("y", 1024), strings.Repeat("y", 1024),
				func(t *testing.T, path string, f *follower) {
					add(t, path, "z")
					f.expect("z")
				}},
			{"much at once comes whole", "", "", func(t *testing.T, path string, f *follower) {
				much := strings.Repeat("0123456789abcdef", 20000)
				add(t, path, much)
				f.expect(much)
			}},
			{"bytes that are no text come as they are", "a\xff", "a\xff", func(t *testing.T, path string, f *follower) {
				add(t, path, "\x00\xfe")
				f.expect("\x00\xfe")
			}},
			{"a truncated file is told and goes on from its start", "old\n", "old\n", func(t *testing.T, path string, f *follower) {
				if err := os.Truncate(path, 0); err != nil {
					t.Fatal(err)
				}
				f.expect("==> File truncated <==\n")
				add(t, path, "new\n")
				f.expect("new\n")
			}},
			{"after a rotation the old file is read to its end, then the new one", "old\n", "old\n", func(t *testing.T, path string, f *follower) {
				old, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
				if err != nil {
					t.Fatal(err)
				}
				defer old.Close()
				if err := os.Rename(path, path+".1"); err != nil {
					t.Fatal(err)
				}
				if _, err := old.WriteString("late\n"); err != nil {
					t.Fatal(err)
				}
				write(t, path, "fresh\n")
				f.expect("late\nfresh\n")
				add(t, path, "more\n")
				f.expect("more\n")
			}},
			{"a cleared log goes on in the new file", "old\n", "old\n", func(t *testing.T, path string, f *follower) {
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
				write(t, path, "new and longer\n")
				f.expect("new and longer\n")
			}},
			{"a removed log that nobody replaces is followed on", "old\n", "old\n", func(t *testing.T, path string, f *follower) {
				old, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
				if err != nil {
					t.Fatal(err)
				}
				defer old.Close()
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
				if _, err := old.WriteString("late\n"); err != nil {
					t.Fatal(err)
				}
				f.expect("late\n")
			}},
		} {
			t.Run(version+"/"+tt.rule, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "log")
				write(t, path, tt.content)
				connect, running := follows(t, path)
				f := connect(version)
				f.expect(tt.first)
				tt.then(t, path, f)
				// The client goes, and the follower with it.
				f.conn.Close()
				if <-running != 1 {
					t.Fatal("no follower began")
				}
				select {
				case <-running:
				case <-time.After(long):
					t.Fatal("the follower goes on for a client that has gone")
				}
			})
		}
	}
}

// When the server closes, followers end and do not hold it up.
func TestCloseEndsFollowers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	write(t, path, "x")
	start := time.Now()
	t.Run("serving", func(t *testing.T) {
		connect, _ := follows(t, path)
		for range 5 {
			connect("HTTP/1.1").expect("x")
		}
	})
	if took := time.Since(start); took > long/2 {
		t.Errorf("it took %v", took)
	}
}

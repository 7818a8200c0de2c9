package httpd

import (
	"bytes"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

var errInUse = syscall.EADDRINUSE

func unixServer(path string, stderr *bytes.Buffer) Server {
	return Server{Network: "unix", Address: path, Chmod: 0o700, UID: -1, GID: -1, Stderr: stderr}
}

// stale leaves a socket file that nobody listens on.
func stale(t *testing.T, path string) {
	t.Helper()
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
}

func TestSocketFile(t *testing.T) {
	for _, tt := range []struct {
		rule   string
		before func(t *testing.T, path string)
		is     error // nil: it listens
		stderr string
	}{
		{"there is nothing", func(*testing.T, string) {}, nil, ""},
		{"a stale socket is removed", stale, nil, "Unlinking stale socket PATH\n"},
		{"a link to a stale socket is removed", func(t *testing.T, path string) {
			stale(t, path+"2")
			if err := os.Symlink(path+"2", path); err != nil {
				t.Fatal(err)
			}
		}, nil, "Unlinking stale socket PATH\n"},
		{"a link to nowhere is removed", func(t *testing.T, path string) {
			if err := os.Symlink(path+"2", path); err != nil {
				t.Fatal(err)
			}
		}, nil, "Unlinking stale socket PATH\n"},
		{"a live socket is left alone", func(t *testing.T, path string) {
			l, err := net.Listen("unix", path)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { l.Close() })
		}, syscall.EADDRINUSE, ""},
		{"a file is left alone", func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, fs.ErrExist, ""},
		{"a directory is left alone", func(t *testing.T, path string) {
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		}, fs.ErrExist, ""},
		{"a missing directory is told", func(t *testing.T, path string) {
			if err := os.Remove(filepath.Dir(path)); err != nil {
				t.Fatal(err)
			}
		}, syscall.ENOENT, ""},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "run")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, "s")
			tt.before(t, path)
			before, _ := os.Lstat(path)
			var stderr bytes.Buffer
			l, err := Listen(unixServer(path, &stderr))
			if err == nil {
				defer l.Close(t.Context())
			}
			if !errors.Is(err, tt.is) {
				t.Fatalf("error %v, want %v", err, tt.is)
			}
			if want := strings.Replace(tt.stderr, "PATH", path, 1); stderr.String() != want {
				t.Errorf("stderr %q, want %q", &stderr, want)
			}
			if tt.is != nil && before != nil {
				if after, err := os.Lstat(path); err != nil || !os.SameFile(before, after) {
					t.Errorf("what was there is gone: %v", err)
				}
			}
			left, _ := filepath.Glob(path + ".*")
			if len(left) > 0 {
				t.Errorf("left behind: %q", left)
			}
		})
	}
}

func TestASecondDaemonHarmsNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	first, err := Listen(unixServer(path, new(bytes.Buffer)))
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close(t.Context())
	if _, err := Listen(unixServer(path, new(bytes.Buffer))); !errors.Is(err, syscall.EADDRINUSE) {
		t.Fatalf("the second: %v", err)
	}
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatalf("the first after it: %v", err)
	}
	c.Close()
}

func TestSocketMode(t *testing.T) {
	old := syscall.Umask(0o077)
	defer syscall.Umask(old)
	path := filepath.Join(t.TempDir(), "s")
	s := unixServer(path, new(bytes.Buffer))
	s.Chmod = 0o766
	l, err := Listen(s)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close(t.Context())
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o766 {
		t.Errorf("mode %v, error %v", info.Mode(), err)
	}
}

func TestSocketOwner(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	s := unixServer(path, new(bytes.Buffer))
	s.UID, s.GID = 12345, 12346
	l, err := Listen(s)
	if os.Getuid() != 0 {
		var e *ChownError
		if !errors.As(err, &e) || e.UID != 12345 || e.Path != path || !errors.Is(err, syscall.EPERM) {
			t.Errorf("error %v", err)
		}
		if left, _ := filepath.Glob(path + "*"); len(left) > 0 {
			t.Errorf("left behind: %q", left)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close(t.Context())
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if st := info.Sys().(*syscall.Stat_t); st.Uid != 12345 || st.Gid != 12346 {
		t.Errorf("owner %d:%d", st.Uid, st.Gid)
	}
}

func TestCloseLeavesAnothersSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	first, err := Listen(unixServer(path, new(bytes.Buffer)))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil { // somebody tidied up
		t.Fatal(err)
	}
	second, err := Listen(unixServer(path, new(bytes.Buffer)))
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close(t.Context())
	if err := first.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("the second's socket: %v", err)
	}
}

func TestSocketPathLength(t *testing.T) {
	// t.TempDir may itself be too long.
	dir, err := os.MkdirTemp("/tmp", "s")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	for _, tt := range []struct {
		rule string
		size int
		ok   bool
	}{
		{"the longest path that a socket can have", 107, true},
		{"one byte more", 108, false},
		{"far more", 300, false},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			path := dir + "/" + strings.Repeat("x", tt.size-len(dir)-1)
			l, err := Listen(unixServer(path, new(bytes.Buffer)))
			if tt.ok {
				if err != nil {
					t.Fatal(err)
				}
				l.Close(t.Context())
			} else if !errors.Is(err, syscall.ENAMETOOLONG) || !strings.Contains(err.Error(), "107") {
				t.Errorf("error %v", err)
			}
			if left, _ := filepath.Glob(dir + "/*"); len(left) > 0 {
				t.Errorf("left behind: %q", left)
			}
		})
	}
}

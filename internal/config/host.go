package config

import (
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// A host is what the reading depends on beside the files: the directory at which relative names
// start, and the environment.
type host struct {
	dir string
	env map[string]string
}

// newHost takes the environment in the form of os.Environ. An empty dir stands for the working
// directory of now.
func newHost(dir string, environ []string) *host {
	if dir == "" {
		// The names stay relative then, which is right as long as nobody changes directory.
		dir, _ = os.Getwd()
	}
	h := &host{dir: dir, env: make(map[string]string, len(environ))}
	for _, kv := range environ {
		if k, v, ok := strings.Cut(kv, "="); ok {
			h.env[k] = v
		}
	}
	return h
}

// rooted makes a relative name absolute as the kernel would read it at start: a/.. stays, and
// needs an a.
func (h *host) rooted(p string) string {
	if p == "" || filepath.IsAbs(p) {
		return p
	}
	return strings.TrimSuffix(h.dir, "/") + "/" + p
}

// normal is the absolute, cleaned form of p, with ~ expanded.
func (h *host) normal(p string) string {
	p = h.expandUser(p)
	if p == "" {
		return h.dir
	}
	return filepath.Clean(h.rooted(p))
}

func (h *host) isDir(p string) bool {
	info, err := os.Stat(h.rooted(p))
	return err == nil && info.IsDir()
}

// expandUser replaces a leading ~ or ~name by that user's home; an unknown name stays.
func (h *host) expandUser(p string) string {
	if !strings.HasPrefix(p, "~") {
		return p
	}
	name, rest := p[1:], ""
	if i := strings.IndexByte(name, '/'); i >= 0 {
		name, rest = name[:i], name[i:]
	}
	home, ok := "", false
	if name == "" {
		home, ok = h.env["HOME"]
	}
	if !ok {
		u, err := lookupHome(name)
		if err != nil {
			return p
		}
		home = u.HomeDir
	}
	if p = strings.TrimRight(home, "/") + rest; p == "" {
		return "/"
	}
	return p
}

func lookupHome(name string) (*user.User, error) {
	if name == "" {
		return user.LookupId(strconv.Itoa(os.Getuid()))
	}
	return user.Lookup(name)
}

// tempDir is the directory for the logs of children without one: the first that can be written.
func (h *host) tempDir() string {
	for _, dir := range []string{h.env["TMPDIR"], h.env["TEMP"], h.env["TMP"], "/tmp", "/var/tmp", "/usr/tmp"} {
		if dir != "" && h.isDir(dir) && syscall.Access(h.rooted(dir), accessWrite|accessSearch) == nil {
			return filepath.Clean(h.rooted(dir))
		}
	}
	return h.dir
}

// What syscall.Access may be asked; the package syscall has no names for them.
const (
	accessSearch = 1
	accessWrite  = 2
)

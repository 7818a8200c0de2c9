package child

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"

	"holdfast/internal/config"
	"holdfast/internal/pyrepr"
)

// Prepare returns a copy of g whose AUTO logs are there and have names. It is called when the
// group is added; the logs stay when it is removed. If sockets of FastCGI programs can't be made the
// error is a config.Errors with all of them.
func (m *Manager) Prepare(g *config.Group) (*config.Group, error) {
	if err := m.checkSockets(g); err != nil {
		return nil, err
	}
	ready := *g
	ready.Processes = append([]config.Process(nil), g.Processes...)
	var made []string
	for i := range ready.Processes {
		p := &ready.Processes[i]
		for _, out := range []struct {
			name string
			log  *config.Log
			off  bool
		}{{"stdout", &p.Stdout, false}, {"stderr", &p.Stderr, p.RedirectStderr}} {
			if !out.log.Auto || out.log.File != "" || out.off {
				continue
			}
			path, err := m.createAutoLog(p.Name, out.name)
			if err != nil {
				for _, path := range made {
					os.Remove(path)
				}
				return nil, fmt.Errorf("cannot create the %s log of %q in childlogdir: %w", out.name, p.Name, err)
			}
			made = append(made, path)
			out.log.File = path
		}
	}
	return &ready, nil
}

// createAutoLog makes an empty file that nobody else had: DIR/web-stdout---supervisor-x0y1z2_3.log.
func (m *Manager) createAutoLog(process, output string) (string, error) {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789_"
	for tries := 0; ; tries++ {
		var random [8]byte
		for i := range random {
			random[i] = letters[rand.IntN(len(letters))]
		}
		name := process + "-" + output + "---" + m.opts.Identifier + "-" + string(random[:]) + ".log"
		path := filepath.Join(m.opts.ChildLogDir, name)
		f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if os.IsExist(err) && tries < 100 {
			continue
		}
		if err != nil {
			return "", err
		}
		return path, f.Close()
	}
}

// CleanAutoLogs removes from dir the AUTO logs, and their backups, that earlier runs with this
// identifier have left. What goes wrong is said in the log and stops nothing.
func CleanAutoLogs(dir, identifier string, log *slog.Logger) {
	// Differs: the original reads the identifier as a regular expression and does not look at the
	// end of the name, so it removes other daemons' logs and people's copies ("….log.bak") too.
	name := regexp.MustCompile(`^.+?---` + regexp.QuoteMeta(identifier) + `-\S+\.log(\.\d{1,4})?$`)
	entries, err := os.ReadDir(dir)
	if err != nil {
		log.Warn("Could not clear childlog dir")
		return
	}
	for _, e := range entries {
		if !name.MatchString(e.Name()) {
			continue
		}
		path := filepath.Join(dir, e.Name())
		if e.IsDir() || os.Remove(path) != nil {
			log.Warn("Failed to clean up " + pyrepr.Repr(path))
		}
	}
}

package child

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"holdfast/internal/config"
	"holdfast/internal/process"
	"holdfast/internal/pyrepr"
	"holdfast/internal/shellwords"
)

// Check tells whether p's command could be executed now; the error is a *process.CommandError. It
// looks at files and may block.
func (m *Manager) Check(p *config.Process) error {
	_, _, err := resolve(p, p.Command, m.environ)
	return err
}

// resolve finds the file to execute for a command of p and its arguments, of which the first is the word as the
// command has it. As in the original a relative file is looked at from the daemon's directory here
// and from the program's at exec.
func resolve(p *config.Process, command string, e environ) (path string, args []string, err error) {
	args, err = shellwords.Split(command)
	if err != nil {
		return "", nil, &process.CommandError{Text: "can't parse command " + pyrepr.Repr(command) + ": " + err.Error()}
	}
	if len(args) == 0 {
		return "", nil, &process.CommandError{Text: "command is empty"}
	}
	path, info := args[0], os.FileInfo(nil)
	if strings.Contains(path, "/") {
		info, _ = os.Stat(path)
	} else {
		// The first that exists counts, even if it can't be executed.
		for _, dir := range searchPath(p, e) {
			file := path
			if dir != "" {
				file = strings.TrimSuffix(dir, "/") + "/" + path
			}
			if info, _ = os.Stat(file); info != nil {
				path = file
				break
			}
		}
	}
	quoted := pyrepr.Repr(path)
	switch {
	case info == nil:
		return "", nil, &process.CommandError{NotFound: true, Text: "can't find command " + quoted}
	case info.IsDir():
		return "", nil, &process.CommandError{Text: "command at " + quoted + " is a directory"}
	case info.Mode()&0o111 == 0:
		return "", nil, &process.CommandError{Text: "command at " + quoted + " is not executable"}
	case unix.Access(path, unix.X_OK) != nil:
		return "", nil, &process.CommandError{Text: "no permission to run command " + quoted}
	}
	return path, args, nil
}

// searchPath is the program's PATH, or the daemon's, or the usual places.
func searchPath(p *config.Process, e environ) []string {
	if path, ok := p.Environment["PATH"]; ok {
		return strings.Split(path, ":")
	}
	if path := e.values["PATH"]; path != "" {
		return strings.Split(path, ":")
	}
	return []string{"/bin", "/usr/bin", "/usr/local/bin"}
}

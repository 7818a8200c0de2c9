package rpc

import (
	"errors"
	"io/fs"

	"holdfast/internal/logread"
	"holdfast/internal/supervisor"
)

func stdoutLog(i supervisor.Info) string { return i.StdoutLog }
func stderrLog(i supervisor.Info) string { return i.StderrLog }

func readMainLog(c *call) (any, error) {
	path := c.daemon.MainLog()
	if path == "" {
		return nil, fault(noFile, "syslog") // as logfile= says then
	}
	return read(path, c.int(0), c.int(1))
}

func readProcessLog(channel func(supervisor.Info) string) func(*call) (any, error) {
	return func(c *call) (any, error) {
		path, err := c.logOf(channel)
		if err != nil {
			return nil, err
		}
		return read(path, c.int(1), c.int(2))
	}
}

func tailProcessLog(channel func(supervisor.Info) string) func(*call) (any, error) {
	return func(c *call) (any, error) {
		path, err := c.logOf(channel)
		if err != nil {
			return nil, err
		}
		// A log that can't be read is one that has nothing yet, as for the original.
		text, size, overflow, err := logread.Tail(path, c.int(1), c.int(2))
		if err != nil {
			return []any{"", 0, false}, nil
		}
		return []any{text, size, overflow}, nil
	}
}

// logOf is the path of the log of the process that the first argument names; empty if it has none.
func (c *call) logOf(channel func(supervisor.Info) string) (string, error) {
	name, err := c.oneProcess(0)
	if err != nil {
		return "", err
	}
	info, err := c.api.ProcessInfo(name)
	if err != nil {
		return "", err
	}
	return channel(info), nil
}

func read(path string, offset, length int64) (any, error) {
	if path == "" {
		return nil, fault(noFile, "")
	}
	text, err := logread.Read(path, offset, length)
	switch {
	case err == nil:
		return text, nil
	case errors.Is(err, fs.ErrNotExist):
		return nil, fault(noFile, path)
	case errors.Is(err, logread.ErrBadArguments):
		return nil, fault(badArguments, "")
	}
	return nil, fault(failed, "")
}

package rpc

import (
	"errors"
	"io/fs"

	"holdfast/internal/logread"
	"holdfast/internal/supervisor"
)

// A processLog is what the API knows of a process's log.
type processLog struct {
	path  string // empty: there is none
	empty bool   // since its option has nothing behind it
}

func stdoutLog(i supervisor.Info) processLog { return processLog{i.StdoutLog, i.Config.Stdout.Empty} }
func stderrLog(i supervisor.Info) processLog { return processLog{i.StderrLog, i.Config.Stderr.Empty} }

func readMainLog(c *call) (any, error) {
	path := c.daemon.MainLog()
	if path == "" {
		return nil, fault(noFile, "syslog") // as logfile= says then
	}
	return read(path, c.int(0), c.int(1))
}

func readProcessLog(channel func(supervisor.Info) processLog) func(*call) (any, error) {
	return func(c *call) (any, error) {
		log, err := c.logOf(channel)
		switch {
		case err != nil:
			return nil, err
		case log.empty:
			return nil, noFileOf("")
		}
		return read(log.path, c.int(1), c.int(2))
	}
}

func tailProcessLog(channel func(supervisor.Info) processLog) func(*call) (any, error) {
	return func(c *call) (any, error) {
		log, err := c.logOf(channel)
		if err != nil {
			return nil, err
		}
		// A log that can't be read is one that has nothing yet, as for the original.
		text, size, overflow, err := logread.Tail(log.path, c.int(1), c.int(2))
		if err != nil {
			return []any{"", 0, false}, nil
		}
		return []any{text, size, overflow}, nil
	}
}

// logOf is the log of the process that the first argument names.
func (c *call) logOf(channel func(supervisor.Info) processLog) (processLog, error) {
	name, err := c.oneProcess(0)
	if err != nil {
		return processLog{}, err
	}
	info, err := c.api.ProcessInfo(name)
	if err != nil {
		return processLog{}, err
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
		return nil, noFileOf(path)
	case errors.Is(err, logread.ErrBadArguments):
		return nil, fault(badArguments, "")
	}
	return nil, fault(failed, "")
}

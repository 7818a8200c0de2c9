// Package capture moves what children write from their pipes into their log files (manual:
// stdout_logfile, stderr_logfile).
//
// The bytes go by splice(2): the kernel takes them out of the pipe as it puts them into the file, so
// whenever the daemon dies, each byte is in the one or in the other. Where they have to be seen (for
// capture mode, log events, syslog and the daemon's log at debug level) tee(2) shows them first, and
// they stay in the pipe until it is known what becomes of them. They are copied where there is no
// other way: to terminals, some filesystems and inherited descriptors that append, and for
// strip_ansi, which changes them.
//
//	Logs     all open log files, one for each path, however many outputs write to it
//	Sink     one output's hold on a log file, or on none
//	Output   one pipe on its way into one Sink: a goroutine that mostly waits
//	Look     what is done with an output's bytes on their way
//
// When a log file takes nothing, its disk being full, the output waits in the pipe and is tried
// again every second. A child is not to block for that: before its pipe is full the oldest output
// in it is discarded, and what was lost is counted and said. A slow reader of a pipe or terminal
// does slow the child, as it would without us, but for a second at most. Who looks at an output
// waits for neither.
//
// Outputs share nothing but a file that they both write to. There is no limit on how many there
// are: an idle one costs a goroutine and no buffer.
package capture

import (
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/internal/config"
	"holdfast/internal/logfile"
)

// Logs are the open log files of the daemon. Outputs that name the same path, be it the old and the
// new spawn of one program or two programs, share one file, its position and its rotation. Its
// methods may be called from any goroutine.
type Logs struct {
	log *slog.Logger // written to with a file's mu held, so it must not wait

	mu    sync.Mutex
	files map[string]*file // guarded by mu
}

// NewLogs returns Logs with no file open; what goes wrong with a file is said in log.
func NewLogs(log *slog.Logger) *Logs {
	return &Logs{log: log, files: make(map[string]*file)}
}

// A file is a log file that one or more sinks hold.
type file struct {
	path string
	refs int // guarded by Logs.mu; at 0 it is in the map no more

	// mu is held while the disk works, so whoever takes it must be able to wait, and takes no other
	// lock inside.
	mu sync.Mutex
	f  *logfile.File // guarded by mu; nil before the first and after the last sink
}

// A Sink is where an output goes. The Output that gets it closes it.
type Sink struct {
	logs *Logs
	file *file // nil: it discards
	once sync.Once
}

// Open opens the file that cfg names, or finds it open. The limits of the newest sink hold for all.
// A file that was deleted or renamed meanwhile is opened anew for all its sinks. A cfg without a
// file gives a sink that discards.
//
// Opening may wait for a disk. The error wraps the errno; logfile.ErrnoName gives its name.
func (l *Logs) Open(cfg config.Log) (*Sink, error) {
	if cfg.File == "" {
		return &Sink{logs: l}, nil
	}
	s := &Sink{logs: l, file: l.hold(filepath.Clean(cfg.File))}
	if err := s.file.open(cfg); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (l *Logs) hold(path string) *file {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := l.files[path]
	if f == nil {
		f = &file{path: path}
		l.files[path] = f
	}
	f.refs++
	return f
}

func (f *file) open(cfg config.Log) (err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.f == nil {
		mode := os.FileMode(0o666)
		if cfg.Auto {
			mode = 0o600 // Differs: the original's are everybody's to read after a rotation
		}
		f.f, err = logfile.Open(f.path, mode, cfg.MaxBytes, cfg.Backups)
		return err
	}
	f.f.SetLimits(cfg.MaxBytes, cfg.Backups)
	if f.f.Moved() {
		return f.f.Reopen()
	}
	return nil
}

// Reopen opens all files anew, as logrotate wants it (SIGUSR2). It returns when that is done, but
// does not wait for a disk that hangs.
func (l *Logs) Reopen() {
	l.mu.Lock()
	files := make([]*file, 0, len(l.files))
	for _, f := range l.files {
		files = append(files, f)
	}
	l.mu.Unlock()

	var reopened sync.WaitGroup
	for _, f := range files {
		reopened.Go(func() { // ends with its disk
			f.mu.Lock()
			var err error
			if f.f != nil {
				err = f.f.Reopen()
			}
			f.mu.Unlock()
			if err != nil {
				l.log.Error(err.Error())
			}
		})
	}
	all := make(chan struct{})
	go func() { reopened.Wait(); close(all) }()
	wait := time.NewTimer(patience)
	defer wait.Stop()
	select {
	case <-all:
	case <-wait.C:
	}
}

// Clear deletes the log file, leaves its backups, and begins a new one (clearProcessLogs).
func (s *Sink) Clear() error {
	if s.file == nil {
		return nil
	}
	s.file.mu.Lock()
	defer s.file.mu.Unlock()
	if s.file.f == nil {
		return os.ErrClosed
	}
	return s.file.f.Clear()
}

// Close lets go of the file; the last sink to do so closes it. A second Close does nothing.
func (s *Sink) Close() (err error) {
	if s.file == nil {
		return nil
	}
	s.once.Do(func() {
		s.logs.mu.Lock()
		s.file.refs--
		last := s.file.refs == 0
		if last {
			delete(s.logs.files, s.file.path)
		}
		s.logs.mu.Unlock()
		if !last {
			return
		}
		s.file.mu.Lock()
		defer s.file.mu.Unlock()
		if s.file.f != nil {
			err = s.file.f.Close()
			s.file.f = nil
		}
	})
	return err
}

// crowded tells that very many outputs hold the file: a program that ends again and again while its
// disk is full leaves one each time. Those must not take all the descriptors that there are.
//
// Differs: the original loses the output of them all.
func (s *Sink) crowded() bool {
	if s.file == nil {
		return false
	}
	s.logs.mu.Lock()
	defer s.logs.mu.Unlock()
	return s.file.refs > 16
}

// path says for the log where the sink leads.
func (s *Sink) path() string {
	if s.file == nil {
		return os.DevNull
	}
	return s.file.path
}

// splice moves up to max bytes from pipe to the end of the file. Its error is that of splice(2):
// EAGAIN if the pipe is empty or the target takes nothing now; n == 0 without one is the end of
// the pipe.
func (s *Sink) splice(pipe, max int) (n int, err error) {
	if s.file == nil {
		return discard(pipe, max)
	}
	s.file.mu.Lock()
	defer s.file.mu.Unlock()
	if s.file.f == nil {
		return 0, os.ErrClosed
	}
	if !s.file.f.Splices() {
		return 0, unix.EINVAL
	}
	fd, end, err := s.file.f.End()
	if err != nil {
		return 0, err
	}
	var at *int64
	if end >= 0 {
		at = &end
	}
	if n, err = splice(pipe, fd, at, max); n <= 0 {
		return 0, err
	}
	s.rotated(s.file.f.Advanced(n))
	return n, nil
}

// write writes p, or its first part, to the end of the file.
func (s *Sink) write(p []byte) (n int, err error) {
	if s.file == nil {
		return len(p), nil
	}
	s.file.mu.Lock()
	defer s.file.mu.Unlock()
	if s.file.f == nil {
		return 0, os.ErrClosed
	}
	if n, err = s.file.f.Write(p); n > 0 {
		s.rotated(err)
		return n, nil
	}
	return 0, err
}

// rotated says why a rotation failed, if it did; logfile tries the next one much later.
func (s *Sink) rotated(err error) {
	if err != nil {
		s.logs.log.Error(err.Error())
	}
}

package child

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/internal/capture"
	"holdfast/internal/config"
	"holdfast/internal/launch"
	"holdfast/internal/process"
	"holdfast/internal/survive"
)

// An Inheritance is what is left of a spawn.
type Inheritance struct {
	survive.Conclusion
	Known  bool           // that daemon had noted the fork
	Signal survive.Signal // to be sent
	// Files are our ends of the pipes to the process's 0, 1 and 2, as somebody has held them since; -1: none.
	// Without any, they are opened anew where the process has them.
	Files [3]int
	// PidFD is a pidfd of the process that was held with them; -1: none. Frugal is as in launch.Adoption.
	PidFD  int
	Frugal bool
	// Stage has what was on its way to an event listener; -1: there is none. Sent tells that it was let go.
	Stage   int
	Sent    bool
	Matched bool // it has said that it is ready, by a line of its output that was looked for too
	// Notify is the notification socket as it was held; -1: it was not.
	Notify int
	Guard  int // who tells, by launch.Ended, how its own children have ended
	Cell   *launch.Cell
}

// Adopt takes over what a daemon before this one has left of a spawn, under its number. It returns at
// once, and then an end that launch.Ended tells of is known; what has become of it is reported.
func (m *Manager) Adopt(p *config.Process, spawn uint64) {
	in := m.opts.Inherited(p, spawn)
	if in.Fate == survive.NotForked {
		in.closeFiles()
		m.Spawn(p, spawn)
		return
	}
	if in.Fate == survive.Ended {
		in.ended(in.Status)
	}
	r := newRun(m, p, spawn, forking)
	if p.FastCGI != nil {
		r.socket = m.sockets.takeFor(spawn, p.FastCGI)
	}
	r.adopted = true
	err := r.adoptStdin(&in)
	m.mu.Lock()
	m.runs[spawn] = r
	m.mu.Unlock()
	var proc *launch.Process
	pidfdHeld := in.PidFD >= 0
	if in.Fate == survive.Alive {
		var aerr error
		proc, aerr = launch.Adopt(launch.Adoption{
			PID: in.PID, Start: in.Start, Told: in.Told, Teller: in.Guard, Cell: in.Cell, PidFD: in.PidFD, Frugal: in.Frugal,
			Group: p.StopAsGroup || p.KillAsGroup,
			Exited: func(s process.ExitStatus, groupAlive bool) {
				r.reaped.Store(true)
				go r.ended(s, groupAlive)
			},
			GroupGone: func() { close(r.gone) },
		})
		if aerr != nil { // it has ended this moment
			proc = nil
			in.ended(process.ExitStatus{Unknown: true})
		} else {
			in.PidFD = -1
		}
	}
	if in.PidFD >= 0 {
		unix.Close(in.PidFD)
	}
	if proc == nil {
		r.reaped.Store(true)
	}
	r.mu.Lock()
	r.proc = proc
	r.mu.Unlock()
	m.starts.Go(func() { r.adopt(&in, proc, pidfdHeld, err) })
}

// adoptStdin takes the stdin over at once, with what is on its way there: the loop may have an event for it as soon
// as it goes on.
func (r *run) adoptStdin(in *Inheritance) (err error) {
	fd := in.Files[0]
	if r.p.FastCGI == nil && !in.held() && in.Cell != nil {
		fd, err = openEnd(in, 0)
	}
	if r.p.Listener && in.Stage < 0 {
		if stage, err := openStage(); err == nil {
			in.Stage = stage
			r.holdStage(stage)
		}
	}
	r.stdin = r.newStdin(fd, in.Stage)
	if launch.Short(err) {
		r.stdin.await()
	}
	r.stdin.resume(in.Sent)
	return err
}

// adopt goes on with a spawn; proc is nil if its process has ended. err is of its stdin.
func (r *run) adopt(in *Inheritance, proc *launch.Process, pidfdHeld bool, err error) {
	log := r.m.opts.Log
	if launch.Short(err) {
		var fd int
		err = r.patiently(in, func() (err error) {
			fd, err = openEnd(in, 0)
			return err
		})
		if !launch.Short(err) || !r.m.isClosing() {
			r.stdin.arrive(fd)
		}
	}
	var f *files
	ferr := r.patiently(in, func() (err error) {
		f, err = inheritedFiles(r.m.logs, r.p, in)
		return err
	})
	f.ends[0], err = r.stdin.fd, errors.Join(err, ferr)
	if err != nil && r.m.isClosing() { // the next daemon finds all as this one has
		close(r.settled)
		return
	}
	if err != nil {
		log.Warn(fmt.Sprintf("adopted: the output of '%s' can't be followed any more, until it is started again: %s", r.p.Name, inOneLine(err)))
	} else {
		r.holdAgain(f, in, proc, pidfdHeld)
	}
	if in.Fate == survive.LeaderGone {
		removeNotify(in.Notify)
		r.adoptGroup(f, in)
		return
	}
	if !in.Matched {
		if r.matching, err = r.newMatching(); err != nil {
			log.Warn("adopted: " + err.Error())
		}
	}
	f.notify = r.adoptNotify(in, proc != nil)
	r.connect(f)
	r.oomBefore = r.m.oom.now()
	alive, groupAlive := proc != nil, false
	if !alive {
		// Its group, if anybody is left in it, is awaited.
		if proc, err = launch.AdoptGroup(in.PID, func() { close(r.gone) }); err == nil {
			groupAlive = true
		} else {
			proc = launch.Gone(in.PID)
		}
	}
	r.mu.Lock()
	r.proc, r.stage = proc, running
	r.mu.Unlock()
	r.tellPID(in)
	r.notify.start()
	close(r.settled)
	if !alive {
		go r.ended(in.Status, groupAlive)
		return
	}
	log.Info(fmt.Sprintf("adopted: '%s' with pid %d", r.p.Name, in.PID))
	r.sendDue(in)
}

// tellPID reports the fork that the daemon before this one had not noted.
func (r *run) tellPID(in *Inheritance) {
	if !in.Known {
		r.m.report(r.spawn, process.Spawned{PID: in.PID})
		in.Known = true
	}
}

// sendDue sends the signal that is to be sent.
func (r *run) sendDue(in *Inheritance) {
	if in.Signal.Number != 0 {
		r.m.Signal(r.spawn, syscall.Signal(in.Signal.Number), in.Signal.Group)
		in.Signal.Number = 0
	}
}

const (
	firstPatience = 50 * time.Millisecond
	lastPatience  = 2 * time.Second
)

// patiently tries what needs files until it does not fail for want of them, or the daemon ends. The process is what it
// was meanwhile, and can be signalled. If it ends, so does the patience, unless its pipes are held: else its end would never
// be told.
func (r *run) patiently(in *Inheritance, try func() error) error {
	err := try()
	for pause := firstPatience; launch.Short(err); pause = min(2*pause, lastPatience) {
		if pause == lastPatience && r.reaped.Load() && !in.held() {
			return err
		}
		r.m.shortage.Do(func() { r.m.opts.Log.Warn(shortText(r.p.Name, err)) })
		if in.Fate == survive.Alive {
			r.tellPID(in)
			r.sendDue(in)
		}
		select {
		case <-time.After(pause):
		case <-r.m.closing:
			return err
		}
		err = try()
	}
	return err
}

func shortText(name string, err error) string {
	return "not all processes can be taken over yet, '" + name + "' for one: " + inOneLine(err) +
		"; they run on, and it is tried again: see to more open files (ulimit -n, minfds= in [supervisord], or the machine's fs.file-max)"
}

func inOneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", ", ") }

// holdAgain gives away to be held what is not: ends of pipes that were opened anew, and a pidfd, as the process
// may be nobody's child who tells of its end.
func (r *run) holdAgain(f *files, in *Inheritance, proc *launch.Process, pidfdHeld bool) {
	pidfd := -1
	if proc != nil && !pidfdHeld {
		pidfd = proc.PidFD()
	}
	switch {
	case pidfd >= 0:
		r.hold(f, nil, pidfd)
		unix.Close(pidfd)
	case !in.held():
		r.hold(f, nil)
	}
}

// Follow goes on with the output of a spawn of p that has ended: processes that it has left behind may
// still write. It returns at once.
func (m *Manager) Follow(p *config.Process, spawn uint64, ends [3]int) {
	r := newRun(m, p, spawn, over)
	close(r.noted) // or it would be adopted
	m.mu.Lock()
	m.runs[spawn] = r
	m.mu.Unlock()
	m.starts.Go(func() {
		in := &Inheritance{Files: ends, PidFD: -1}
		var f *files
		err := r.patiently(in, func() (err error) {
			f, err = inheritedFiles(m.logs, p, in)
			return err
		})
		if err != nil {
			m.opts.Log.Warn(fmt.Sprintf("the output of what '%s' has left behind can't be followed any more: %s", p.Name, inOneLine(err)))
		}
		r.connect(f)
		r.stdin.close()
		close(r.settled)
		go r.finish() // ends with the output
	})
}

// adoptGroup goes on waiting for the rest of a process group.
func (r *run) adoptGroup(f *files, in *Inheritance) {
	r.connect(f)
	proc, err := launch.AdoptGroup(in.PID, func() { close(r.gone) })
	if err != nil {
		proc = launch.Gone(in.PID)
		close(r.gone)
	}
	r.mu.Lock()
	r.proc, r.stage = proc, over
	r.mu.Unlock()
	close(r.settled)
	if in.Signal.Number != 0 {
		r.m.Signal(r.spawn, syscall.Signal(in.Signal.Number), true)
	}
	go func() { // ends with the group
		r.stdin.close()
		select {
		case <-r.gone:
			r.drain()
		case <-r.m.closing:
		}
		r.m.report(r.spawn, process.GroupGone{})
		r.finish()
	}()
}

// ended notes how the process has ended, for the daemon after this one: who has told of it forgets it when this one
// has it.
func (in *Inheritance) ended(s process.ExitStatus) {
	in.Status = s
	if known, ok := launch.PidfdStatus(in.PidFD); ok && s.Unknown {
		in.Status = known
	}
	in.Cell.Note(in.Status)
}

// held tells whether somebody has held the files since.
func (in *Inheritance) held() bool { return in.Files != noFiles }

var noFiles = [3]int{-1, -1, -1}

func (in *Inheritance) closeFiles() {
	for _, fd := range append(in.Files[:], in.PidFD, in.Stage) {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
	removeNotify(in.Notify)
}

// inheritedFiles opens the logs and the pipes of the outputs of a process that runs. With an error it gives what
// there is; nothing, and it can be called again, if that is a shortage.
func inheritedFiles(logs *capture.Logs, p *config.Process, in *Inheritance) (f *files, err error) {
	f = &files{child: noFiles, ends: noFiles, stage: -1}
	ends := in.Files
	if !in.held() {
		for i := range ends {
			if i == 0 || p.RedirectStderr && i == 2 || in.Cell == nil {
				continue
			}
			fd, e := openEnd(in, i)
			ends[i], err = fd, errors.Join(err, e)
		}
	}
	var sinks [3]*capture.Sink
	for i, cfg := range []config.Log{1: p.Stdout, 2: p.Stderr} {
		if i > 0 && ends[i] >= 0 {
			s, e := logs.Open(cfg)
			sinks[i], err = s, errors.Join(err, e)
		}
	}
	short := launch.Short(err)
	for i := 1; i <= 2; i++ {
		switch {
		case sinks[i] != nil && !short:
			f.sinks[i], f.ends[i] = sinks[i], ends[i]
			continue
		case sinks[i] != nil:
			sinks[i].Close()
		}
		if ends[i] >= 0 && !(short && in.held()) {
			unix.Close(ends[i])
		}
	}
	return f, err
}

// openEnd opens our end of the pipe that was given to the process as fd. If it has ended, or has another file there,
// whoever is left of its process group may have the pipe, and waits when it is full.
func openEnd(in *Inheritance, fd int) (int, error) {
	end, err := openOf(in.PID, fd, in.Cell.Pipes[fd])
	if err == nil || launch.Short(err) {
		return end, err
	}
	members, merr := launch.Members(in.PID)
	for _, m := range members {
		end, e := openOf(m.PID, fd, in.Cell.Pipes[fd])
		if e == nil {
			return end, nil
		}
		if launch.Short(e) {
			merr = e
		}
	}
	if launch.Short(merr) {
		return -1, fmt.Errorf("%s: %w", stdName(fd), merr)
	}
	return -1, err
}

// openOf opens our end of the pipe that is the process's fd, if it still is the one that it was given.
func openOf(pid, fd int, inode uint64) (int, error) {
	path := "/proc/" + strconv.Itoa(pid) + "/fd/" + strconv.Itoa(fd)
	name := stdName(fd)
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return -1, fmt.Errorf("%s: %w", name, err)
	}
	if inode == 0 || st.Ino != inode {
		return -1, fmt.Errorf("it has closed its %s, or put something else in its place", name)
	}
	mode := unix.O_RDONLY
	if fd == 0 {
		mode = unix.O_WRONLY
	}
	end, err := unix.Open(path, mode|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("%s: %w", name, err)
	}
	if isAmongTheLast(end) {
		unix.Close(end)
		return -1, fmt.Errorf("%s: %w", name, unix.EMFILE)
	}
	return end, nil
}

func stdName(fd int) string { return []string{"stdin", "stdout", "stderr"}[fd] }

// cell is where the fork is noted; nil: it can't be, and has been said.
func (r *run) cell() *launch.Cell {
	if r.m.opts.Cell == nil {
		return nil
	}
	c, err := r.m.opts.Cell(r.p)
	if err != nil {
		r.m.opts.Log.Warn(fmt.Sprintf("if this daemon dies, '%s' can't be taken over: %v", r.p.Name, err))
		return nil
	}
	return c
}

// hold gives our ends of the pipes, and more behind them, away to be held, and notes which they are.
func (r *run) hold(f *files, cell *launch.Cell, more ...int) {
	if cell != nil {
		for i, fd := range f.child {
			var st unix.Stat_t
			cell.Pipes[i] = 0
			if fd >= 0 && unix.Fstat(fd, &st) == nil {
				cell.Pipes[i] = st.Ino
			}
		}
	}
	if r.m.opts.Hold == nil {
		return
	}
	fds := slices.DeleteFunc(slices.Concat(f.ends[:], more), func(fd int) bool { return fd < 0 })
	r.m.opts.Hold(SpawnKey(r.p, r.spawn), fds...)
	if f.stage >= 0 {
		r.holdStage(f.stage)
	}
	r.holdNotify(f.notify)
}

func (r *run) holdStage(fd int) {
	if r.m.opts.Hold != nil {
		r.m.opts.Hold(StageKey(r.spawn), fd)
	}
}

func (r *run) release() {
	if r.m.opts.Release == nil || r.m.leaving.Load() {
		return
	}
	r.m.opts.Release(SpawnKey(r.p, r.spawn))
	if r.p.Listener {
		r.m.opts.Release(StageKey(r.spawn))
	}
	if r.p.Health.Notifies() {
		r.m.opts.Release(NotifyKey(r.spawn))
	}
}

// StageKey is the key under which the stage of an event listener is held.
func StageKey(spawn uint64) string { return "stage " + strconv.FormatUint(spawn, 10) }

// SpawnKey is the key under which the files of a spawn of p are held.
func SpawnKey(p *config.Process, spawn uint64) string {
	return "spawn " + strconv.FormatUint(spawn, 10) + " " + p.Group + ":" + p.Name
}

// ParseSpawnKey takes a SpawnKey apart; namespec is the process's.
func ParseSpawnKey(key string) (namespec string, spawn uint64, ok bool) {
	rest, ok := strings.CutPrefix(key, "spawn ")
	number, namespec, named := strings.Cut(rest, " ")
	spawn, err := strconv.ParseUint(number, 10, 64)
	return namespec, spawn, ok && named && err == nil
}

// HeldFiles takes what was held for p under its spawn's key apart: the files in the order of Inheritance.Files,
// and the pidfd.
func HeldFiles(p *config.Process, fds []int) (files [3]int, pidfd int) {
	files, pidfd = [3]int{-1, -1, -1}, -1
	for _, at := range []struct {
		fd   *int
		none bool
	}{{&files[0], p.FastCGI != nil}, {&files[1], false}, {&files[2], p.RedirectStderr}, {&pidfd, false}} {
		if len(fds) > 0 && !at.none {
			*at.fd, fds = fds[0], fds[1:]
		}
	}
	return files, pidfd
}

// socketKey is the key under which a FastCGI program's socket is held.
func socketKey(url string) string { return SocketPrefix + url }

// SocketPrefix stands before the URL in the key under which a FastCGI program's socket is held.
const SocketPrefix = "fcgi "

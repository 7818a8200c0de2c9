package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/internal/child"
	"holdfast/internal/config"
	"holdfast/internal/dlog"
	"holdfast/internal/event"
	"holdfast/internal/guard"
	"holdfast/internal/httpd"
	"holdfast/internal/launch"
	"holdfast/internal/listener"
	"holdfast/internal/probe"
	"holdfast/internal/process"
	"holdfast/internal/sdnotify"
	"holdfast/internal/supervisor"
	"holdfast/internal/survive"
)

// A past is what a daemon before this one has left.
type past struct {
	groups  []*config.Group
	entries map[string]*survive.Entry   // by namespec
	events  map[string][]listener.Saved // by pool
	told    []survive.Exit              // ends that the guard has seen
	frugal  bool                        // a pidfd for each process would be too many open files
}

// pid is the one that people know: the guard's, which stays.
func (d *Daemon) pid() int {
	if d.link != nil {
		return d.link.PID()
	}
	return os.Getpid()
}

// openState opens the state file, and reads what a daemon before this one has left. It is an error if another
// one is running, or if one has left what this one does not understand: both would have everything run twice.
func (d *Daemon) openState() error {
	if d.link == nil {
		return nil
	}
	s, err := d.lockState()
	var held *survive.HeldError
	var version *survive.VersionError
	if errors.As(err, &held) || errors.As(err, &version) {
		return err
	}
	if err != nil {
		d.note(dlog.Warn, "if this daemon dies, the processes that it has started can't be taken over: "+err.Error())
		return nil
	}
	d.state = s
	found := s.Found()
	if s.FoundDaemon().Beginning {
		s.Clear()
		return nil
	}
	if len(found) == 0 {
		return nil
	}
	p := &past{entries: make(map[string]*survive.Entry), events: make(map[string][]listener.Saved)}
	if p.groups, err = s.Groups(); err != nil || len(p.groups) == 0 {
		d.note(dlog.Crit, fmt.Sprintf("a supervisord before this one has left processes, and what they are can't be read: %v", err))
		return nil
	}
	for i := range found {
		p.entries[found[i].Group+":"+found[i].Name] = &found[i]
	}
	for _, e := range s.FoundEvents() {
		p.events[e.Group] = append(p.events[e.Group], listener.Saved{
			Event:  event.Recorded{Of: event.Type(e.Type), Text: e.Payload},
			Serial: e.Serial, PoolSerial: e.PoolSerial, Vain: e.Vain,
		})
	}
	p.frugal = roomForFiles() < filesFor(len(p.entries))+len(p.entries)
	for _, e := range d.link.Exits() {
		p.told = append(p.told, survive.Exit{PID: e.PID, Start: e.Start, Status: e.Status})
	}
	d.past, d.groups.list = p, slices.Clone(p.groups)
	return nil
}

// orphanPatience is how long a start waits for a daemon whose guard has died: that one is about to end, or to put
// another guard in its place, whose pid can be told.
const orphanPatience = 2 * time.Second

// lockState opens the state file, when nobody has it who is about to leave it.
func (d *Daemon) lockState() (*survive.State, error) {
	path := survive.PathFor(d.cfg.Supervisord.PidFile)
	for end := time.Now().Add(orphanPatience); ; time.Sleep(10 * time.Millisecond) {
		s, err := survive.Open(path, survive.Header{PID: d.pid(), Since: time.Now(), Config: d.path})
		var held *survive.HeldError
		if !errors.As(err, &held) || time.Now().After(end) {
			return s, err
		}
		if pid := held.Header.PID; pid != d.pid() { // else it is the one whose place this one takes
			if _, err := launch.Look(pid); !errors.Is(err, syscall.ESRCH) {
				return nil, held
			}
		}
	}
}

// closeState is for the end. One that is meant leaves nothing to be taken over; one by an error leaves it
// to the next daemon, which the guard starts.
func (d *Daemon) closeState(err error) {
	if d.state != nil && d.past == nil {
		_ = d.state.Remove()
	}
	if d.link != nil && err == nil {
		d.tell(d.link.Bye())
	}
}

// tell is for what is said to the guard: if it does not hear, it is gone, and that is told in another way.
func (d *Daemon) tell(error) {}

// configKey is where the guard has the configuration that this daemon runs on.
const configKey = "config"

// firstConfig reads the configuration. A daemon that takes the place of one that has died goes on with
// what that one had: a death applies nothing.
func (d *Daemon) firstConfig() (*config.Config, error) {
	if f := d.inheritedFile(configKey); f != nil {
		defer f.Close()
		if cfg, err := readConfig(f); err == nil && !d.link.OnTrial() {
			cfg.Notes = nil
			return cfg, nil
		}
	}
	return config.Load(d.path, d.flags, d.environ)
}

// holdConfig gives the guard the configuration that this daemon runs on, with what was read last of the
// programs.
func (d *Daemon) holdConfig(runs, read *config.Config) {
	if d.state == nil {
		return
	}
	next := *runs
	next.Groups, next.Bad = read.Groups, read.Bad
	if f, err := configFile(&next); err == nil {
		d.holdOwn(configKey, f)
	}
}

// configFile is a file in memory with a configuration.
func configFile(cfg *config.Config) (fd int, err error) {
	text, err := json.Marshal(cfg)
	if err != nil {
		return -1, err
	}
	if fd, err = unix.MemfdCreate("config", unix.MFD_CLOEXEC); err != nil {
		return -1, err
	}
	for n := 0; n < len(text); {
		wrote, err := unix.Pwrite(fd, text[n:], int64(n))
		if err != nil {
			unix.Close(fd)
			return -1, err
		}
		n += wrote
	}
	return fd, nil
}

// readConfig reads what configFile has written.
func readConfig(f io.ReaderAt) (*config.Config, error) {
	cfg := new(config.Config)
	err := json.NewDecoder(io.NewSectionReader(f, 0, 1<<40)).Decode(cfg)
	return cfg, err
}

// resume goes on with what a daemon before this one has left.
func (d *Daemon) resume() supervisor.Mood {
	p, logger := d.past, d.log.Logger()
	if why := d.link.Why(); why != "" {
		logger.Warn(why + "; its processes are taken over")
	} else {
		logger.Warn("the processes of a supervisord before this one are taken over")
	}
	found := d.state.FoundDaemon()
	return d.sup.Resume(supervisor.Past{
		Groups: p.groups,
		Kept: func(c *config.Process) (k supervisor.Kept, ok bool) {
			e := p.entries[c.Group+":"+c.Name]
			if e == nil {
				return k, false
			}
			return keptOf(&e.Kept), true
		},
		Events:  func(pool string) []listener.Saved { return p.events[pool] },
		Daemon:  supervisor.KeptDaemon{Mood: supervisor.Mood(found.Mood), NextSerial: found.NextSerial, ExitCode: found.ExitCode},
		Adopted: func() { d.followRest(); d.hands.CleanNotify(); d.watchGuard() },
	})
}

// followRest goes on with the output of spawns that have ended, if somebody may still write to it.
func (d *Daemon) followRest() {
	d.held.mu.Lock()
	defer d.held.mu.Unlock()
	for key, fds := range d.link.Fds() {
		namespec, spawn, ok := child.ParseSpawnKey(key)
		if !ok {
			continue
		}
		delete(d.link.Fds(), key)
		if p := d.past.process(namespec); p != nil {
			d.held.note(key, fds)
			files, pidfd := child.HeldFiles(p, fds)
			if pidfd >= 0 {
				unix.Close(pidfd) // its end is known
			}
			d.hands.Follow(p, spawn, files)
			continue
		}
		for _, fd := range fds { // its program is not in the configuration any more
			unix.Close(fd)
		}
		d.tell(d.link.Drop(key))
	}
}

// process is the configuration of a process, or nil.
func (p *past) process(namespec string) *config.Process {
	for _, g := range p.groups {
		for i := range g.Processes {
			if c := &g.Processes[i]; c.Group+":"+c.Name == namespec {
				return c
			}
		}
	}
	return nil
}

// inherited says what is left of a spawn.
func (d *Daemon) inherited(c *config.Process, spawn uint64) child.Inheritance {
	p := d.past
	e := p.entries[c.Group+":"+c.Name]
	in := child.Inheritance{Conclusion: survive.Conclude(e, p.told, d.pid(), launch.Look), Known: e.Record.PID != 0, Signal: e.Signal, Guard: d.pid(), Frugal: p.frugal}
	in.Cell, _ = d.state.Cell(c.Group, c.Name)
	key := child.SpawnKey(c, spawn)
	d.held.mu.Lock()
	defer d.held.mu.Unlock()
	fds := d.link.Fds()[key]
	delete(d.link.Fds(), key)
	d.held.note(key, fds)
	in.Files, in.PidFD = child.HeldFiles(c, fds)
	in.Matched = e.Health.Said.Ready && in.Known // else it is of the spawn before
	in.Stage, in.Notify = d.inheritedAlone(child.StageKey(spawn)), d.inheritedAlone(child.NotifyKey(spawn))
	if l := e.Listener; l != nil {
		in.Sent = l.InHand != 0 && l.Staged
	}
	return in
}

// inheritedAlone is the one file that is held under key; -1: there is none. The lock of held is held.
func (d *Daemon) inheritedAlone(key string) int {
	fds := d.link.Fds()[key]
	if len(fds) != 1 {
		return -1
	}
	d.held.note(key, fds)
	delete(d.link.Fds(), key)
	return fds[0]
}

// watchGuard begins to take the ends that the guard sees. Those of processes that are taken over must be
// known by then.
func (d *Daemon) watchGuard() {
	if d.link == nil || d.guarded {
		return
	}
	d.guarded = true
	take := func(e guard.Exit) {
		launch.Ended(e.PID, e.Start, e.Status)
		d.link.Done(e.Seq)
	}
	for _, e := range d.link.Exits() {
		take(e)
	}
	d.link.Watch(take, d.guardGone)
	d.tell(d.link.Up())
	d.dropLeftovers()
}

// dropLeftovers closes what nobody has taken of that which the guard holds: the sockets of servers that are
// no longer configured, the pipes of processes that are gone. A daemon that was never up does not come to it.
func (d *Daemon) dropLeftovers() {
	d.held.mu.Lock()
	defer d.held.mu.Unlock()
	for key, fds := range d.link.Fds() {
		for _, fd := range fds {
			unix.Close(fd)
		}
		delete(d.link.Fds(), key)
		d.tell(d.link.Drop(key))
		if path, ok := strings.CutPrefix(key, serverKey(config.Server{Network: "unix"})); ok {
			_ = os.Remove(path)
		}
	}
}

// guardGone puts a new guard over the processes: this one, which starts a new daemon.
func (d *Daemon) guardGone() {
	logger := d.log.Logger()
	logger.Log(context.Background(), dlog.Crit, fmt.Sprintf("the guard (pid %d) has died", d.pid()))
	d.log.Flush(time.Second)
	if os.Getenv(sdnotify.Env) != "" {
		os.Exit(1) // the service manager starts another, which takes everything over
	}
	d.hands.Settle()
	d.held.mu.Lock() // nothing is forked any more: it would have to be held before
	defer d.held.mu.Unlock()
	_ = unix.Fchdir(d.home) // the next daemon has the same command line
	err := guard.Become(os.Args, d.held.copies())
	logger.Log(context.Background(), dlog.Crit, "cannot put another one in its place: "+err.Error())
}

// inherited files are what the guard has held, for one taker each.
func (d *Daemon) inheritedFile(key string) *os.File {
	if d.link == nil {
		return nil
	}
	fds := d.link.Fds()[key]
	delete(d.link.Fds(), key)
	if len(fds) != 1 {
		return nil
	}
	return os.NewFile(uintptr(fds[0]), key)
}

// inheritedSocket is the socket of a FastCGI program.
func (d *Daemon) inheritedSocket(url string) (fd int, ok bool) {
	d.held.mu.Lock()
	defer d.held.mu.Unlock()
	if d.link == nil {
		return -1, false
	}
	key := child.SocketPrefix + url
	fds := d.link.Fds()[key]
	delete(d.link.Fds(), key)
	if len(fds) != 1 {
		return -1, false
	}
	return fds[0], true
}

func serverKey(s config.Server) string { return "http " + s.Network + " " + s.Address }

// holdServer has the guard hold a server's socket, so that who connects while there is no daemon waits for
// the next one.
func (d *Daemon) holdServer(s config.Server, l *httpd.Listener) {
	if d.state == nil {
		return
	}
	fd, err := l.Dup()
	if err != nil {
		return // then it is opened anew
	}
	d.holdOwn(serverKey(s), fd)
}

// releaseServer ends holdServer.
func (d *Daemon) releaseServer(s config.Server) {
	d.held.mu.Lock()
	fd, ok := d.held.own[serverKey(s)]
	delete(d.held.own, serverKey(s))
	d.held.mu.Unlock()
	d.release(serverKey(s))
	if ok {
		// The guard closes its copy when it comes to it; till then the port would be taken for the next round.
		_ = unix.Shutdown(fd, unix.SHUT_RDWR)
		unix.Close(fd)
	}
}

func (d *Daemon) cell() func(*config.Process) (*launch.Cell, error) {
	if d.state == nil {
		return nil
	}
	return func(p *config.Process) (*launch.Cell, error) { return d.state.Cell(p.Group, p.Name) }
}

// hands are the children's, with what the next daemon must know of a group before it is active.
type hands struct {
	*child.Manager
	d      *Daemon
	prober *probe.Prober
}

func (h hands) Prepare(g *config.Group) (*config.Group, error) {
	prepared, err := h.Manager.Prepare(g)
	if err == nil {
		h.d.keepGroups(prepared)
	}
	return prepared, err
}

// keepGroups adds to the groups that the next daemon knows.
func (d *Daemon) keepGroups(more ...*config.Group) {
	if d.state == nil {
		return
	}
	d.groups.mu.Lock()
	defer d.groups.mu.Unlock()
	if err := d.groups.keep(d.state, more); err != nil {
		d.log.Logger().Warn("if this daemon dies, its processes can't be taken over: " + err.Error())
	}
}

// keptGroups are those that the state file has, in their order.
type keptGroups struct {
	mu   sync.Mutex
	list []*config.Group // guarded by mu
}

func (k *keptGroups) keep(s *survive.State, more []*config.Group) error {
	for _, g := range more {
		// One that comes back after its removal is the last one.
		k.list = slices.DeleteFunc(k.list, func(old *config.Group) bool { return old.Name == g.Name })
		k.list = append(k.list, g)
	}
	return s.KeepGroups(k.list)
}

// memory is the state file as the loop sees it.
type memory struct{ d *Daemon }

func (d *Daemon) memory() supervisor.Memory {
	if d.state == nil {
		return nil
	}
	return memory{d}
}

func (m memory) Keep(p *config.Process, k supervisor.Kept) {
	kept := &survive.Kept{Record: k.Record, AutoStart: k.AutoStart, PostStop: k.PostStop, Health: k.Health, Signal: survive.Signal{Number: int(k.Kill.Signal), Group: k.Kill.Group}}
	if l := &k.Listener; p.Listener {
		kept.Listener = &survive.Listener{
			Said: int(l.Said), Pending: []byte(l.Pending), Missing: l.Missing, Result: []byte(l.Result), Heard: []byte(l.Heard),
			InHand: l.InHand, Staged: k.Staged, NextSerial: k.NextSerial, Events: k.Events,
		}
	}
	if err := m.d.state.Keep(p.Group, p.Name, kept); err != nil {
		m.d.unkept.Do(func() {
			m.d.log.Logger().Warn("if this daemon dies, not all of its processes can be taken over: " + err.Error())
		})
	}
}

// keptOf is the other way round.
func keptOf(k *survive.Kept) supervisor.Kept {
	kept := supervisor.Kept{Record: k.Record, AutoStart: k.AutoStart, PostStop: k.PostStop, Health: k.Health, Kill: process.Kill{Signal: syscall.Signal(k.Signal.Number), Group: k.Signal.Group}}
	if l := k.Listener; l != nil {
		kept.Listener = listener.Kept{Said: listener.State(l.Said), Pending: string(l.Pending), Missing: l.Missing,
			Result: string(l.Result), Heard: string(l.Heard), InHand: l.InHand}
		kept.Staged, kept.NextSerial, kept.Events = l.Staged, l.NextSerial, l.Events
	}
	return kept
}

func (m memory) Forget(p *config.Process) { m.d.state.Drop(p.Group, p.Name) }

func (m memory) KeepDaemon(k supervisor.KeptDaemon) {
	m.d.state.KeepDaemon(survive.Daemon{Mood: int(k.Mood), NextSerial: k.NextSerial, Beginning: k.Beginning, ExitCode: k.ExitCode})
}

// What the file has no room for the next daemon tells as lost.
func (m memory) KeepEvent(pool string, e listener.Saved) {
	m.d.state.KeepEvent(&survive.Event{Group: pool, PoolSerial: e.PoolSerial, Serial: e.Serial,
		Type: string(e.Event.Type()), Payload: e.Event.Payload(), Vain: e.Vain})
}

func (m memory) EndEvent(pool string, poolSerial uint64) { m.d.state.EndEvent(pool, poolSerial) }

func (m memory) Commit(lines []slog.Record) { m.d.log.Together(lines, m.d.state.Commit) }

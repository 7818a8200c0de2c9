package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/internal/child"
	"holdfast/internal/config"
	"holdfast/internal/dlog"
	"holdfast/internal/event"
	"holdfast/internal/guard"
	"holdfast/internal/httpd"
	"holdfast/internal/launch"
	"holdfast/internal/probe"
	"holdfast/internal/process"
	"holdfast/internal/rpc"
	"holdfast/internal/sdnotify"
	"holdfast/internal/supervisor"
	"holdfast/internal/survive"
	"holdfast/internal/web"
)

// A Daemon is supervisord in one process.
type Daemon struct {
	path    string // absolute path of the configuration file
	flags   *config.Flags
	environ []string
	stdout  *os.File
	stderr  *os.File
	ready   *os.File       // non-nil: a parent waits for the word that this process is up
	link    *guard.Link    // nil: there is no guard, this process is all
	state   *survive.State // nil: there is none
	past    *past          // what a daemon before this one has left; nil: nothing, or taken over
	held    heldFiles
	groups  keptGroups
	unkept  sync.Once // says that the state file can't take all
	guarded bool      // the guard is listened to
	since   time.Time
	program string // path of the one that runs, and of the one that is installed there later
	home    int    // fd of the directory that the guard was started in, where paths of the command line begin

	cfg       *config.Config                // of this round
	ran       *config.Config                // of the last round that came up
	good      atomic.Pointer[config.Config] // read last without an error; a client's reread sets it too
	log       *dlog.Log
	sup       *supervisor.Supervisor
	hands     *child.Manager
	wrotePID  bool
	signals   chan os.Signal // the runtime sends, from the first round's start on; nobody closes
	exiting   atomic.Bool    // a signal asked for the end
	upgrading atomic.Bool    // another daemon is about to take over
	status    int            // to end with, after a shutdown
	serial    event.Serial   // of the events, in all rounds
	again     bool           // not the first round: what is wrong now must not end what was working
	notes     []config.Note  // for the log that is not open yet
}

// Run runs supervisord on cfg, and on what the file says then after each restart, until it is
// shut down. The error is for the terminal; it comes before anything was started.
func (d *Daemon) Run(cfg *config.Config) error {
	if err := launch.CloseOnExec(); err != nil {
		return err
	}
	d.cfg = cfg
	d.good.Store(cfg)
	if err := d.dropPrivileges(); err != nil {
		return err
	}
	if err := d.raiseLimits(); err != nil {
		return err
	}
	if err := launch.Subreaper(); err != nil {
		return err
	}
	if err := d.openState(); err != nil {
		return err
	}
	err := d.rounds()
	d.closeState(err)
	return err
}

// rounds is one round after the other.
func (d *Daemon) rounds() error {
	for {
		mood, err := d.round()
		if d.state != nil && err == nil {
			d.state.Clear()
		}
		if err != nil && d.ran != nil && d.cfg != d.ran {
			d.cfg = d.ran // round has said why
			continue
		}
		if err != nil || mood == supervisor.MoodShutdown || d.exiting.Load() {
			return err
		}
		d.reread()
	}
}

// reread reads the configuration for the next round.
//
// Differs: the original ends with status 2 if it is bad now, after it has stopped everything. Here
// the last one that was good is used again.
func (d *Daemon) reread() {
	d.notes, d.again = nil, true
	cfg, err := d.load()
	if err != nil {
		cfg = d.goOnWith(d.good.Load(), err)
	}
	d.cfg = cfg
	d.noteRoot()
}

// goOnWith is the configuration to be used where the files' one is bad.
func (d *Daemon) goOnWith(before *config.Config, err error) *config.Config {
	for line := range strings.SplitSeq(err.Error(), "\n") {
		d.note(dlog.Crit, "the configuration can't be used, the one before is kept: "+line)
	}
	cfg := *before
	cfg.Notes = nil
	return &cfg
}

// load reads the configuration, and remembers it if nothing is wrong with it.
func (d *Daemon) load() (*config.Config, error) {
	cfg, err := config.Load(d.path, d.flags, d.environ)
	if err == nil {
		d.good.Store(cfg)
	}
	return cfg, err
}

// round is one life of the supervisor, from its log to its end or restart.
func (d *Daemon) round() (mood supervisor.Mood, err error) {
	if err := d.openLog(); err != nil {
		return 0, err
	}
	defer d.log.Close(2 * time.Second)
	logger := d.log.Logger()
	for _, n := range append(d.notes, d.cfg.Notes...) {
		logger.Log(context.Background(), n.Level, n.Text)
	}
	d.notes = nil
	// Differs: the original ends without a word when it can't open a server after a restart.
	defer func() {
		if err != nil && (d.ran != nil || d.past != nil) {
			logger.Log(context.Background(), dlog.Crit, "cannot start again with this configuration: "+err.Error())
		}
	}()

	listeners, err := d.listen()
	if err != nil {
		return 0, err
	}
	// After all else: who waits for the end of the pidfile may start the next daemon then.
	defer d.removePIDFile()
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		for _, l := range listeners {
			l.Close(ctx)
		}
		for _, s := range d.cfg.Servers {
			d.releaseServer(s)
		}
	}()

	// Differs: the original cleans up first, and so deletes the AUTO logs of a running instance
	// when it is started a second time.
	sv := &d.cfg.Supervisord
	if !sv.NoCleanup && d.past == nil {
		child.CleanAutoLogs(sv.ChildLogDir, sv.Identifier, logger)
	}
	// This round's: a late fact must not reach the next one, whose spawn numbers begin anew.
	var sup *supervisor.Supervisor
	d.hands = child.New(child.Options{
		Log:         logger,
		Report:      func(spawn uint64, e process.Event) { sup.Post(spawn, e) },
		Output:      func(spawn uint64, o child.Output) { postOutput(sup, spawn, o) },
		Taken:       func(spawn uint64) { sup.PostOutputTaken(spawn) },
		Notified:    func(spawn uint64, m sdnotify.Message) { sup.PostNotified(spawn, said(m)) },
		Matched:     func(spawn uint64) { sup.PostMatched(spawn) },
		StdinBroken: func(spawn uint64, why error) { sup.PostStdinBroken(spawn, why) },
		ChildLogDir: sv.ChildLogDir,
		Identifier:  sv.Identifier,
		Environ:     d.environ,
		ServerURL:   d.cfg.ServerURL(),
		StripANSI:   sv.StripANSI,
		SyslogIdent: syslogIdent(),
		NotifyDir:   strings.TrimSuffix(sv.PidFile, ".pid") + ".notify",
		Cell:        d.cell(),
		Hold:        d.hold,
		Release:     d.release,
		Socket:      d.inheritedSocket,
		Inherited:   d.inherited,
	})
	defer d.hands.Close()
	runs := d.cfg
	sup = supervisor.New(d.cfg, supervisor.Options{
		Hands: hands{d.hands, d, new(probe.Prober)},
		Log:   logger,
		Load: func() (*config.Config, error) {
			cfg, err := d.load()
			if err == nil {
				d.holdConfig(runs, cfg)
			}
			return cfg, err
		},
		Memory: d.memory(),
		Serial: &d.serial,
	})
	d.sup = sup
	var groups []*config.Group
	if d.past == nil {
		if groups, err = d.prepare(); err != nil {
			return 0, err
		}
		d.keepGroups(groups...)
	}
	launch.OnOrphan(d.orphan)

	handler := d.handler(d.cfg, listeners)
	for _, l := range listeners {
		go l.Serve(handler) // ends with l.Close, above
	}
	stopSignals := d.handleSignals()
	defer stopSignals()
	d.detach()
	d.writePIDFile()
	d.letGo()
	d.ran = d.cfg
	d.holdConfig(d.cfg, d.cfg)
	if d.past != nil {
		defer func() { d.past = nil }()
		mood = d.resume()
	} else {
		if d.state != nil {
			d.hands.CleanNotify()
		}
		d.watchGuard()
		mood = d.sup.Run(groups)
	}
	d.status = d.sup.ExitCode()
	return mood, nil
}

func (d *Daemon) note(level slog.Level, text string) {
	d.notes = append(d.notes, config.Note{Level: level, Text: text})
}

func (d *Daemon) openLog() (err error) {
	sv := &d.cfg.Supervisord
	o := dlog.Options{File: sv.LogFile, MaxBytes: sv.LogFileMaxBytes, Backups: sv.LogFileBackups, Level: sv.LogLevel}
	if sv.LogFile == "syslog" {
		o.File, o.Syslog, o.SyslogIdent = "", true, syslogIdent()
	}
	if sv.NoDaemon && !sv.Silent {
		o.Stdout = d.stdout
	}
	if d.state != nil {
		o.Journal = d.state
	}
	d.log, err = dlog.New(o)
	if err != nil { // Differs: the original ends with a traceback
		return fmt.Errorf("%w (logfile= in [supervisord], or -l, says where the log goes)", err)
	}
	return nil
}

// syslogIdent is the name that syslog(3) gives what this process sends.
func syslogIdent() string { return filepath.Base(os.Args[0]) }

// listen opens the HTTP servers.
func (d *Daemon) listen() (open []*httpd.Listener, err error) {
	logger := d.log.Logger()
	for _, s := range d.cfg.Servers {
		l, err := d.open(s, d.inheritedFile(serverKey(s)))
		if err != nil {
			for _, l := range open {
				l.Close(context.Background())
			}
			return nil, listenError(s, err)
		}
		open = append(open, l)
		d.holdServer(s, l)
		for _, i := range d.cfg.RPCInterfaces {
			logger.Info("RPC interface '" + i.Name + "' initialized")
		}
		if s.Username == "" {
			logger.Log(context.Background(), dlog.Crit,
				"Server '"+s.Section+"' running without any HTTP authentication checking")
		}
	}
	return open, nil
}

// open opens a server, or goes on with its socket.
func (d *Daemon) open(s config.Server, inherited *os.File) (*httpd.Listener, error) {
	return httpd.Listen(httpd.Server{
		Network: s.Network, Address: s.Address, Chmod: s.Chmod, UID: s.UID, GID: s.GID,
		Username: s.Username, Password: s.Password, Log: d.log.Logger(), Stderr: d.stderr, Inherited: inherited,
	})
}

// handler joins the faces.
func (d *Daemon) handler(cfg *config.Config, listeners []*httpd.Listener) http.Handler {
	var namespaces []string
	for _, i := range cfg.RPCInterfaces {
		namespaces = append(namespaces, i.Name)
	}
	face := faceOf{d, d.log, listeners}
	calls := rpc.New(d.sup, face, rpc.Options{Namespaces: namespaces, Log: d.log.Logger()})
	pages := web.New(d.sup, face)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, rpc.Prefix) {
			calls.ServeHTTP(w, r)
			return
		}
		pages.ServeHTTP(w, r)
	})
}

// faceOf answers the faces what is the daemon's to know.
type faceOf struct {
	d *Daemon
	// Of this round: a caller may be at it when the next has begun.
	log       *dlog.Log
	listeners []*httpd.Listener
}

func (f faceOf) Version() string     { return Version }
func (f faceOf) PID() int            { return f.d.pid() }
func (f faceOf) MainLog() string     { return f.log.Path() }
func (f faceOf) ClearMainLog() error { return f.log.Clear() }

// MainProcesses is for the API (rpc.Daemon).
func (f faceOf) MainProcesses(infos []supervisor.Info) []rpc.MainProcess {
	var mains child.Mains
	found := make([]rpc.MainProcess, len(infos))
	for i, info := range infos {
		if info.PID != 0 {
			found[i].PID, found[i].Command = mains.Of(info.PID, info.MainPID)
		}
	}
	return found
}

// The pages show what the API says.
func (f faceOf) Description(i supervisor.Info) string { return rpc.Description(i) }
func (f faceOf) Fault(err error) (int, string)        { return rpc.Fault(err) }

// prepare makes the groups' AUTO logs, and looks whether their sockets can be made.
//
// Differs: where one can't, the original ends with a traceback at a restart as at the start. At a
// restart we go on without that group.
func (d *Daemon) prepare() ([]*config.Group, error) {
	var groups []*config.Group
	var refused config.Errors
	for i := range d.cfg.Groups {
		// Of two groups with the same name the first is the one that runs.
		name := d.cfg.Groups[i].Name
		if slices.ContainsFunc(groups, func(g *config.Group) bool { return g.Name == name }) {
			continue
		}
		g, err := d.hands.Prepare(&d.cfg.Groups[i])
		var sockets config.Errors
		switch {
		case errors.As(err, &sockets) && d.again:
			for _, e := range sockets {
				d.log.Logger().Log(context.Background(), dlog.Crit,
					"the group "+name+" is left out, supervisorctl update adds it later: "+e.Error())
			}
		case errors.As(err, &sockets):
			refused = append(refused, sockets...)
		case err != nil:
			return nil, err
		default:
			groups = append(groups, g)
		}
	}
	if refused == nil {
		return groups, nil
	}
	if sv := &d.cfg.Supervisord; !sv.NoCleanup {
		child.CleanAutoLogs(sv.ChildLogDir, sv.Identifier, d.log.Logger()) // those of the other groups
	}
	return nil, refused
}

// postOutput hands on what a process has written and somebody may listen for.
func postOutput(sup *supervisor.Supervisor, spawn uint64, o child.Output) {
	ch := event.Stdout
	if o.Stderr {
		ch = event.Stderr
	}
	sup.PostOutput(spawn, ch, o.Comm, o.Data)
}

// orphan notes that a process was waited for that this daemon has not started.
func (d *Daemon) orphan(pid int, status process.ExitStatus) {
	level := dlog.Debug
	if d.pid() == 1 {
		level = dlog.Info
	}
	// Differs: the original only sees orphans as PID 1 and says this at INFO; as the reaper of
	// all its descendants Holdfast sees each one, and says so at DEBG unless it is PID 1.
	d.log.Logger().Log(context.Background(), level, fmt.Sprintf("reaped unknown pid %d (%s)", pid, status))
}

package config

import (
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"holdfast/internal/ini"
)

// Load reads the configuration file at path and what it includes. flags, which may be nil, go
// before what the file says. environ is in the form of os.Environ; it is where ENV_ names and ~
// come from.
//
// Differs: an error is always Errors, all that were found. If every error is in a program, group, event
// listener or fcgi-program, the configuration without the groups concerned is returned with it, and they
// stand in Bad; the original gives up at the first one, and no group of the file can be added. A
// wrong programs= is not among these: a program that was left out of its group by a slip of the pen
// would be a group of its own, and run twice.
//
// Differs: each call knows only the environ it is given. In the original the keys of an
// environment= of [supervisord] that was removed go on expanding after a reread.
func Load(path string, flags *Flags, environ []string) (*Config, error) {
	if flags == nil {
		flags = &Flags{}
	}
	r := newReader(flags, environ)
	r.cfg.Path = filepath.Clean(r.host.rooted(path))
	if !r.readFiles(path) {
		return nil, r.errs.distinct()
	}
	r.readSupervisord(path)
	r.readRPCInterfaces()
	before := len(r.errs)
	r.readGroups()
	after := len(r.errs)
	r.readServers()

	if before > 0 || after < len(r.errs) || r.adrift {
		return nil, r.errs.distinct()
	}
	r.noteIgnored()
	slices.SortStableFunc(r.cfg.Notes, func(a, b Note) int { return int(b.Level - a.Level) })
	if len(r.errs) > 0 {
		return &r.cfg, r.errs.distinct()
	}
	return &r.cfg, nil
}

// A reader is one reading of the configuration.
type reader struct {
	host     *host
	flags    *Flags
	hostName string
	file     ini.File
	env      map[string]any    // ENV_ names, of the environment and of [supervisord] environment=
	global   map[string]string // [supervisord] environment=
	noEnv    bool              // [supervisord] environment= can't be read
	needs    []needy           // the processes that depend on others
	unread   map[string]bool   // the groups with errors, and the programs in them
	adrift   bool              // who is a member of which group can't be told
	cfg      Config
	errs     Errors
}

func newReader(flags *Flags, environ []string) *reader {
	r := &reader{
		host:   newHost(flags.dir, environ),
		flags:  flags,
		env:    make(map[string]any, len(environ)),
		global: map[string]string{},
		unread: map[string]bool{},
	}
	// The empty name is what the kernel has for a host without one.
	r.hostName, _ = os.Hostname()
	for k, v := range r.host.env {
		r.env["ENV_"+k] = v
	}
	return r
}

// section prepares sec for reading, with the names that stand everywhere.
func (r *reader) section(sec *ini.Section) *section {
	return &section{Section: sec, host: r.host, vars: maps.Clone(r.env), errs: &r.errs, noEnvironment: r.noEnv}
}

// note keeps a line for the log.
//
// Differs: once. The original says it for each of numprocs processes.
func (r *reader) note(level slog.Level, format string, args ...any) {
	n := Note{level, fmt.Sprintf(format, args...)}
	if !slices.Contains(r.cfg.Notes, n) {
		r.cfg.Notes = append(r.cfg.Notes, n)
	}
}

// readSupervisord reads [supervisord] and lays the command line over it.
func (r *reader) readSupervisord(path string) {
	sec := r.file.Section("supervisord")
	if sec == nil {
		r.errs = append(r.errs, Error{File: path, Line: 1, Message: ".ini file does not include supervisord section",
			Cure: "add a line [supervisord]; nothing need stand below it"})
		sec = &ini.Section{Name: "supervisord", File: path, Line: 1}
	}
	s := r.section(sec)
	sv := &r.cfg.Supervisord
	read(s, supervisordOptions, sv)
	s.vars["host_node_name"] = r.hostName
	r.noEnv = !read(s, globalEnvironmentOption, sv)
	for k, v := range sv.Environment {
		r.env["ENV_"+k] = v
		r.global[k] = v
	}

	r.readUser(s)
	for _, assign := range r.flags.given {
		assign(sv)
	}
	if sv.ChildLogDir == "" {
		sv.ChildLogDir = r.host.tempDir()
	}
	if sv.LogFile != "syslog" {
		sv.LogFile = r.host.normal(sv.LogFile)
	}
	sv.PidFile = r.host.normal(sv.PidFile)
}

// readUser looks up user=, of the command line if it is there.
func (r *reader) readUser(s *section) {
	sv := &r.cfg.Supervisord
	onFlag := r.flags.user
	name := sv.user
	if onFlag != nil {
		name = onFlag
	}
	if name == nil {
		return
	}
	uid, err := account.parse(r.host, *name)
	switch {
	case err == nil:
		sv.UID = &uid
	case onFlag != nil:
		r.errs = append(r.errs, Error{Option: "user", Value: *name, Message: err.Error(), Cure: account.cure})
	default:
		s.fail("user", *name, err.Error(), account.cure)
	}
}

package config

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"syscall"

	"holdfast/internal/dlog"
	"holdfast/internal/ini"
)

// A program is what a program section is read into: one of its processes, and what is said once
// about all of them.
type program struct {
	Process
	numProcs, numProcsStart int
	stdoutName, stderrName  logName
	ready, live             check
	dependsOn, requires     needs
}

const (
	secondsCure = "use a whole number of seconds, such as 10"
	retriesCure = "use a whole number of retries, such as 3"
	backupsCure = "use a whole number of files, such as 10"
)

// programOptions are the options of a program that are the same for all its processes.
var programOptions = append([]option[program]{
	opt("priority", "999", integer, func(p *program) *int { return &p.Priority }),
	opt("autostart", "true", boolean, func(p *program) *bool { return &p.AutoStart }),
	opt("autorestart", "unexpected", autoRestart, func(p *program) *AutoRestart { return &p.AutoRestart }),
	opt("startsecs", "1", integer, func(p *program) *int { return &p.StartSecs }).cured(secondsCure),
	opt("startretries", "3", integer, func(p *program) *int { return &p.StartRetries }).cured(retriesCure),
	opt("restartsecs", "0", natural, func(p *program) *int { return &p.Patience.RestartSecs }).cured(secondsCure),
	noPreset("restartmaxdelaysecs", natural, func(p *program) *int { return &p.Patience.MaxDelaySecs }).cured(secondsCure),
	noPreset("restartresetsecs", natural, func(p *program) *int { return &p.Patience.ResetSecs }).cured(secondsCure),
	opt("startlimitburst", "0", natural, func(p *program) *int { return &p.Patience.LimitBurst }).cured("use a whole number of starts, such as 5"),
	opt("startlimitintervalsecs", "10", natural, func(p *program) *int { return &p.Patience.LimitSecs }).cured(secondsCure),
	opt("fatalretrysecs", "0", natural, func(p *program) *int { return &p.Patience.FatalRetrySecs }).cured(secondsCure),
	noPreset("exit_supervisor_when", exitWhen, func(p *program) *ExitWhen { return &p.ExitSupervisorWhen }),
	opt("exitcodes", "0", exitCodes, func(p *program) *[]int { return &p.ExitCodes }),
	opt("stopsignal", "TERM", signal, func(p *program) *syscall.Signal { return &p.StopSignal }),
	opt("stopwaitsecs", "10", integer, func(p *program) *int { return &p.StopWaitSecs }).cured(secondsCure),
	noPreset("stopsignals", stopSteps, func(p *program) *[]StopStep { return &p.StopMore }),
	opt("stopasgroup", "false", boolean, func(p *program) *bool { return &p.StopAsGroup }),
	noPreset("killasgroup", boolean, func(p *program) *bool { return &p.KillAsGroup }),
	noPreset("user", optional(account), func(p *program) **int { return &p.UID }),
	noPreset("umask", optional(octal), func(p *program) **int { return &p.Umask }),
	opt("redirect_stderr", "false", boolean, func(p *program) *bool { return &p.RedirectStderr }),
	opt("numprocs", "1", integer, func(p *program) *int { return &p.numProcs }),
	opt("numprocs_start", "0", integer, func(p *program) *int { return &p.numProcsStart }),
	opt("stdout_capture_maxbytes", "0", byteSize, func(p *program) *int64 { return &p.Stdout.CaptureMaxBytes }),
	opt("stderr_capture_maxbytes", "0", byteSize, func(p *program) *int64 { return &p.Stderr.CaptureMaxBytes }),
	opt("stdout_events_enabled", "false", boolean, func(p *program) *bool { return &p.Stdout.EventsEnabled }),
	opt("stderr_events_enabled", "false", boolean, func(p *program) *bool { return &p.Stderr.EventsEnabled }),
	noPreset("serverurl", str, func(p *program) *string { return &p.ServerURL }),
}, healthOptions...)

// environmentOption is read for each process, before the others: its keys are names for them.
var environmentOption = []option[program]{
	opt("environment", "", pairs, func(p *program) *map[string]string { return &p.Environment }).labelled("environment"),
}

// processOptions are the options of a program that are expanded for each process by itself.
var processOptions = slices.Concat([]option[program]{
	noPreset("directory", str, func(p *program) *string { return &p.Directory }),
	opt("stdout_logfile", "AUTO", logFile, func(p *program) *logName { return &p.stdoutName }).expandedTwice(),
	opt("stdout_logfile_maxbytes", "50MB", byteSize, func(p *program) *int64 { return &p.Stdout.MaxBytes }),
	opt("stdout_logfile_backups", "10", integer, func(p *program) *int { return &p.Stdout.Backups }).cured(backupsCure),
	opt("stdout_syslog", "false", boolean, func(p *program) *bool { return &p.Stdout.Syslog }),
	opt("stderr_logfile", "AUTO", logFile, func(p *program) *logName { return &p.stderrName }).expandedTwice(),
	opt("stderr_logfile_maxbytes", "50MB", byteSize, func(p *program) *int64 { return &p.Stderr.MaxBytes }),
	opt("stderr_logfile_backups", "10", integer, func(p *program) *int { return &p.Stderr.Backups }).cured(backupsCure),
	opt("stderr_syslog", "false", boolean, func(p *program) *bool { return &p.Stderr.Syslog }),
	noPreset("command", str, func(p *program) *string { return &p.Command }),
	opt("process_name", "%(program_name)s", str, func(p *program) *string { return &p.Name }).labelled("process_name"),
}, targetOptions, dependOptions, hookOptions)

// maxNumProcs is more than any machine runs.
//
// Differs: the original has no bound, and spends its memory before anything is started.
const maxNumProcs = 100_000

// processes reads a section of a program as a member of the group called group, and answers
// whether it was right.
func (r *reader) processes(sec *ini.Section, group string) ([]Process, bool) {
	s := r.section(sec)
	name, err := parseName(s.suffix())
	if err != nil {
		s.fail("", "", err.Error(), nameCure)
		return nil, false
	}
	s.vars["program_name"], s.vars["group_name"], s.vars["host_node_name"] = name, group, r.hostName

	common := program{Process: Process{Group: group, Program: name, Source: s.source()}}
	ok := read(s, programOptions, &common)
	ok = s.checkProgram(&common) && ok
	if !ok {
		common.numProcs = 1 // one round, for the errors in it
	}

	var procs []Process
	for i := range common.numProcs {
		p, right := r.process(s, common, common.numProcsStart+i)
		if !right {
			return nil, false // the others would be wrong in the same way
		}
		procs = append(procs, p)
	}
	slices.SortStableFunc(procs, func(a, b Process) int { return cmp.Compare(a.Name, b.Name) })
	return procs, ok
}

// checkProgram is what the options of a program must be to each other, and the values that follow
// from others.
func (s *section) checkProgram(p *program) bool {
	before := len(*s.errs)
	if !s.has("killasgroup") {
		p.KillAsGroup = p.StopAsGroup
	}
	if p.StopAsGroup && !p.KillAsGroup {
		s.fail("killasgroup", s.raw("killasgroup"), "Cannot set stopasgroup=true and killasgroup=false", "remove killasgroup, or set it to true")
	}
	p.firstStop()
	s.checkPatience(p)
	s.checkHealth(p)
	if p.ServerURLSet = s.has("serverurl"); strings.EqualFold(strings.TrimSpace(p.ServerURL), "AUTO") {
		p.ServerURL, p.ServerURLSet = "", false
	}
	p.DirectorySet = s.has("directory")

	// The name is looked at as it is written: what comes out of %(...)s may hold anything.
	written := "%(program_name)s"
	if o, ok := s.Get("process_name"); ok {
		written = o.Value
	}
	if _, err := parseName(written); err != nil {
		s.fail("process_name", written, err.Error(), nameCure)
	}
	if p.numProcs > 1 && !strings.Contains(written, "%(process_num)") {
		s.fail("process_name", written, "%(process_num) must be present within process_name when numprocs > 1",
			"write process_name=%(program_name)s_%(process_num)02d")
	}
	if p.numProcs > maxNumProcs {
		s.fail("numprocs", fmt.Sprint(p.numProcs), fmt.Sprintf("%d is above upper bound (%d)", p.numProcs, maxNumProcs), "use fewer processes")
	}
	return len(*s.errs) == before
}

// firstStop lays the first of stopsignals over the options that the original has for it: these may be there
// for the original.
func (p *program) firstStop() {
	if len(p.StopMore) == 0 {
		return
	}
	p.StopSignal, p.StopWaitSecs, p.StopMore = p.StopMore[0].Signal, p.StopMore[0].WaitSecs, p.StopMore[1:]
	if len(p.StopMore) == 0 {
		p.StopMore = nil
	}
}

// The defaults of a program that has a delay before restarts, or endless ones: a machine that boots without its
// network must not find it asleep.
const restartMaxDelaySecs = 60

func (s *section) checkPatience(p *program) {
	t := &p.Patience
	if !s.has("restartmaxdelaysecs") && (t.RestartSecs > 0 || p.StartRetries == -1) {
		t.MaxDelaySecs = max(restartMaxDelaySecs, t.RestartSecs)
	}
	if !s.has("restartresetsecs") {
		t.ResetSecs = 2 * t.MaxDelaySecs
	}
	if t.MaxDelaySecs > 0 && t.MaxDelaySecs < t.RestartSecs {
		s.fail("restartmaxdelaysecs", s.raw("restartmaxdelaysecs"), fmt.Sprintf("the longest delay can't be shorter than the first one, restartsecs=%d", t.RestartSecs),
			"use a larger one, or leave it out")
	}
	if t.LimitBurst > 0 && t.LimitSecs == 0 {
		s.fail("startlimitintervalsecs", s.raw("startlimitintervalsecs"), "startlimitburst counts the starts within so many seconds", "use a whole number above 0")
	}
}

// process makes the process number num of a program.
func (r *reader) process(s *section, p program, num int) (Process, bool) {
	of := *s
	of.vars = maps.Clone(s.vars)
	s = &of
	s.vars["process_num"], s.vars["numprocs"] = num, p.numProcs

	ok := read(s, environmentOption, &p)
	s.noEnvironment = s.noEnvironment || !ok
	for k, v := range p.Environment {
		s.vars["ENV_"+k] = v
	}
	ok = read(s, processOptions, &p) && ok
	if !s.has("command") {
		s.fail("command", "", "program section "+s.Name+" does not specify a command", "add a line command=")
		ok = false
	}
	before := len(*s.errs)
	s.finishHealth(&p)
	s.finishHooks(&p)
	if !ok || len(*s.errs) > before {
		return Process{}, false
	}
	r.needed(s, &p)
	r.logTarget(s, "stdout", p.stdoutName, &p.Stdout)
	r.logTarget(s, "stderr", p.stderrName, &p.Stderr)
	if p.RedirectStderr {
		if p.Stderr.File != "" {
			r.note(dlog.Warn, "For [%s], redirect_stderr=true but stderr_logfile has also been set to a filename, "+
				"the filename has been ignored", s.Name)
		}
		p.Stderr.File, p.Stderr.Auto, p.Stderr.Empty = "", false, false
	}
	env := maps.Clone(r.global)
	maps.Copy(env, p.Environment)
	p.Environment = env
	return p.Process, true
}

// logTarget lays the name of a log into l.
func (r *reader) logTarget(s *section, channel string, name logName, l *Log) {
	l.File, l.Auto, l.Empty = name.file, name.auto, name.empty
	if name.syslog {
		r.note(dlog.Warn, "For [%s], %s_logfile=syslog but this is deprecated and will be removed.  "+
			"Use %s_syslog=true to enable syslog instead.", s.Name, channel, channel)
		l.Syslog = true
	}
	if l.Auto && l.MaxBytes == 0 {
		r.note(dlog.Warn, "For [%s], AUTO logging used for %s_logfile without rollover, "+
			"set maxbytes > 0 to avoid filling up filesystem unintentionally", s.Name, channel)
	}
}

package config

import (
	"strings"

	"holdfast/internal/dlog"
)

// setAside takes what can't work yet out of the configuration, and leaves one line for the log
// about each kind of it, naming the sections.
func (r *reader) setAside() {
	n := notYet{sections: map[string][]string{}}
	n.server(r)
	var working []Group
	for _, g := range r.cfg.Groups {
		if g.Kind != KindProgram {
			n.add(kindName(g.Kind), g.Source.Section)
			r.cfg.NotYet = append(r.cfg.NotYet, g)
			continue
		}
		g.Processes = n.processes(g.Processes)
		working = append(working, g)
	}
	r.cfg.Groups = working
	for _, sec := range r.file.Sections {
		if strings.HasPrefix(sec.Name, "ctlplugin:") {
			n.add("ctlplugin", sec.Name)
		}
	}
	for _, what := range n.order {
		r.note(dlog.Warn, "%s is not working yet and is ignored in: %s", what, strings.Join(n.sections[what], ", "))
	}
}

// notYet collects the sections in which something stands that can't work yet.
type notYet struct {
	order    []string
	sections map[string][]string
}

func (n *notYet) add(what, section string) {
	list := n.sections[what]
	if len(list) == 0 {
		n.order = append(n.order, what)
	}
	for _, s := range list {
		if s == section {
			return
		}
	}
	n.sections[what] = append(list, section)
}

func (n *notYet) server(r *reader) {
	sv := r.cfg.Supervisord
	if sv.LogFile == "syslog" {
		n.add("logfile=syslog", "supervisord")
	}
	if sv.StripANSI {
		n.add("strip_ansi", "supervisord")
	}
	if r.flags.profile {
		n.add("--profile_options", "command line")
	}
}

// processes notes the options of the processes that can't work yet, and drops those that are
// members of a group but can't run.
func (n *notYet) processes(procs []Process) []Process {
	working := []Process{}
	for _, p := range procs {
		if p.FastCGI != nil {
			n.add(kindName(KindFastCGI), p.Source.Section)
			continue
		}
		n.log("stdout", p.Stdout, p.Source.Section)
		n.log("stderr", p.Stderr, p.Source.Section)
		working = append(working, p)
	}
	return working
}

func (n *notYet) log(channel string, l Log, section string) {
	for _, o := range []struct {
		name string
		on   bool
	}{
		{"_capture_maxbytes", l.CaptureMaxBytes > 0},
		{"_events_enabled", l.EventsEnabled},
		{"_syslog", l.Syslog},
	} {
		if o.on {
			n.add(channel+o.name, section)
		}
	}
}

func kindName(k Kind) string {
	if k == KindFastCGI {
		return "fcgi-program"
	}
	return "eventlistener"
}

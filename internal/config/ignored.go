package config

import (
	"strings"

	"holdfast/internal/dlog"
)

// noteIgnored leaves a line for the log about what stands in the configuration and is never looked
// at again.
//
// Differs: plugins and the profiler are Python.
func (r *reader) noteIgnored() {
	var plugins []string
	for _, sec := range r.file.Sections {
		if strings.HasPrefix(sec.Name, "ctlplugin:") {
			plugins = append(plugins, sec.Name)
		}
	}
	if len(plugins) > 0 {
		r.note(dlog.Warn, "plugins of supervisorctl are Python and are ignored: %s", strings.Join(plugins, ", "))
	}
	if r.flags.profile {
		r.note(dlog.Warn, "--profile_options is ignored: there is no profiler")
	}
}

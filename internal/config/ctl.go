package config

import (
	"os"
	"strings"

	"holdfast/internal/ini"
)

// Ctl is the [supervisorctl] section.
type Ctl struct {
	ServerURL   string
	Username    string
	Password    string
	Prompt      string
	HistoryFile string // absolute; empty: none
}

var ctlOptions = []option[Ctl]{
	opt("serverurl", "http://localhost:9001", datatype[string]{parseServerURL, ""}, func(c *Ctl) *string { return &c.ServerURL }),
	noPreset("username", str, func(c *Ctl) *string { return &c.Username }),
	noPreset("password", str, func(c *Ctl) *string { return &c.Password }),
	opt("prompt", "supervisor", str, func(c *Ctl) *string { return &c.Prompt }),
	noPreset("history_file", datatype[string]{parseHistoryFile, ""}, func(c *Ctl) *string { return &c.HistoryFile }),
}

// LoadCtl reads [supervisorctl] of the file at path, which does not include others for it. An
// empty path stands for no file: everything has its default. An error is always Errors.
//
// Differs: a file that is not well formed is an error like any other; the original dies of it.
func LoadCtl(path string) (Ctl, error) {
	r := newReader(&Flags{}, os.Environ())
	if path != "" {
		data, err := readRoot(r.host, path)
		if err != nil {
			return Ctl{}, Errors{*err}
		}
		if !r.parse(path, data) {
			return Ctl{}, r.errs
		}
	}
	sec := r.file.Section("supervisorctl")
	switch {
	case sec != nil:
	case path == "":
		sec = &ini.Section{Name: "supervisorctl"}
	default:
		return Ctl{}, Errors{{File: path, Line: 1, Message: ".ini file does not include supervisorctl section",
			Cure: "add a line [supervisorctl]; nothing need stand below it"}}
	}
	var c Ctl
	read(r.section(sec), ctlOptions, &c)
	r.checkCtlPlugins()
	if len(r.errs) > 0 {
		return Ctl{}, r.errs.distinct()
	}
	return c, nil
}

// checkCtlPlugins wants a factory of each [ctlplugin:x].
//
// Differs: the plugin is then left alone. It is Python, and the commands of supervisorctl itself
// do without it.
func (r *reader) checkCtlPlugins() {
	for _, sec := range r.file.Sections {
		if !strings.HasPrefix(sec.Name, "ctlplugin:") {
			continue
		}
		if s := r.section(sec); !s.has(ctlFactoryOption) {
			s.fail(ctlFactoryOption, "", "section ["+sec.Name+"] does not specify a "+ctlFactoryOption, "remove the section")
		}
	}
}

func parseServerURL(h *host, text string) (string, error) {
	if p, ok := strings.CutPrefix(text, "unix://"); ok {
		return "unix://" + h.normal(p), nil
	}
	return text, nil
}

func parseHistoryFile(h *host, text string) (string, error) {
	if text == "" {
		return "", nil
	}
	return h.normal(text), nil
}

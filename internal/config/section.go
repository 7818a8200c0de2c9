package config

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"

	"holdfast/internal/expand"
	"holdfast/internal/ini"
)

// A section is one section of the file while it is read: its text, the names that may stand in
// %(...)s, and where its errors go.
type section struct {
	*ini.Section
	host *host
	vars map[string]any
	errs *Errors

	// An environment= that can't be read leaves its ENV_ names undefined; what uses them is then
	// no error of its own.
	noEnvironment bool
}

// suffix is the section's name behind the colon.
func (s *section) suffix() string {
	_, name, _ := strings.Cut(s.Name, ":")
	return name
}

func (s *section) source() Source {
	return Source{File: s.File, Line: s.Line, Section: s.Name}
}

// has says whether the option is written in the section, or inherited.
func (s *section) has(name string) bool {
	_, ok := s.Get(name)
	return ok
}

// owns says whether the option is written in the section itself.
func (s *section) owns(name string) bool {
	return slices.ContainsFunc(s.Options, func(o ini.Option) bool { return o.Key == name })
}

// raw is the option as it is written.
func (s *section) raw(name string) string {
	o, _ := s.Get(name)
	return o.Value
}

// fail records an error of the option called name, which need not be there.
func (s *section) fail(name, value, message, cure string) {
	e := Error{File: s.File, Line: s.Line, Section: s.Name, Option: name, Value: value, Message: message, Cure: cure}
	if o, ok := s.Get(name); ok {
		e.File, e.Line = o.File, o.Line
	}
	*s.errs = append(*s.errs, e)
}

// text gives the expanded value of an option. It answers false if the option is neither there nor
// has a default, or if the expansion failed, which is recorded then.
func (s *section) text(name, preset string, unset bool, label string, twice bool) (string, bool) {
	o, ok := s.Get(name)
	switch {
	case ok:
	case unset:
		return "", false
	case !strings.Contains(preset, "%"):
		return preset, true
	default:
		o = ini.Option{Key: name, Value: preset, File: s.File, Line: s.Line}
	}
	if label == "" {
		label = s.Name + "." + name
	}
	value, ok := s.expand(o, o.Value, label)
	if ok && twice {
		value, ok = s.expand(o, value, name)
	}
	return value, ok
}

// expand expands the value of o.
//
// Differs: %(here)s is a name like any other, and means the directory of the file in which the
// option stands. The original replaces the text %(here)s wherever it is found once a file has an
// [include], so that %%(here)s and a % in the directory's name break the value; without [include]
// it does not know the name in some sections.
func (s *section) expand(o ini.Option, value, label string) (string, bool) {
	if !strings.Contains(value, "%") {
		return value, true
	}
	s.vars["here"] = filepath.Dir(s.host.rooted(o.File))
	expanded, err := expand.Expand(value, s.vars)
	if err == nil {
		return expanded, true
	}
	var unknown expand.UnknownName
	if errors.As(err, &unknown) && s.noEnvironment && strings.HasPrefix(unknown.Name, "ENV_") {
		return "", false
	}
	s.fail(o.Key, value, expand.Message(value, label, s.vars, err), expandCure(err))
	return "", false
}

func expandCure(err error) string {
	var unknown expand.UnknownName
	if errors.As(err, &unknown) {
		if strings.HasPrefix(unknown.Name, "ENV_") {
			return "set the variable in supervisord's environment or in environment= of [supervisord]"
		}
		return "use one of the available names"
	}
	return "write %% for a percent sign"
}

// read reads the options of the table into t and records what is wrong. It answers whether
// everything was right.
func read[T any](s *section, table []option[T], t *T) bool {
	before := len(*s.errs)
	for _, o := range table {
		text, ok := s.text(o.name, o.preset, o.unset, o.label, o.twice)
		if !ok {
			continue
		}
		assign, err := o.read(s.host, text)
		if err != nil {
			cure := o.cure
			var c cured
			if errors.As(err, &c) {
				cure = c.cure
			}
			s.fail(o.name, text, err.Error(), cure)
			continue
		}
		assign(t)
	}
	return len(*s.errs) == before
}

// Package ini reads the INI dialect of supervisord.conf: the one of Python 3's RawConfigParser,
// not strict, with inline comments. Nothing is expanded or judged here; a value is text.
//
//	[program:web]            ; a comment may follow; the name runs up to the last ]
//	command = web --port 80  ; key = value or key: value, the first of = and : parts them
//	Environment: A="1",      # a # after a blank is a comment, too, even inside quotes
//	    B="2"                a line indented deeper than its key continues the value
//	command = web            the last value wins, here and across files
//
// Keys are lower-cased, names of sections are not. The keys of [DEFAULT] are inherited by every
// section. What is neither header, option, continuation, comment nor blank is an error.
package ini

import "slices"

const defaultName = "DEFAULT"

// A File holds what was read so far. The zero File is empty and only Parse fills it.
type File struct {
	Sections []*Section // in order of first occurrence; [DEFAULT] is kept apart

	defaults Section
	index    map[string]*Section
}

// A Section is one section, with its options in order of first occurrence.
type Section struct {
	Name    string
	File    string // where the section was first seen
	Line    int
	Options []Option // own ones only

	defaults *Section // what it inherits
}

// An Option is a key with the last value that it was given.
type Option struct {
	Key   string // lower case
	Value string // trimmed; the lines of a long value are joined by newlines
	File  string // where the value that won was given
	Line  int    // the line of its key
}

// Section returns the section of that very name, nil if there is none. [DEFAULT] is no section.
func (f *File) Section(name string) *Section { return f.index[name] }

// Get returns the section's own option or else the one that it inherits from [DEFAULT].
func (s *Section) Get(key string) (Option, bool) {
	if i := s.find(key); i >= 0 {
		return s.Options[i], true
	}
	if s.defaults != nil {
		return s.defaults.Get(key)
	}
	return Option{}, false
}

// Keys returns the section's own keys, then the inherited ones that it does not have itself.
func (s *Section) Keys() []string {
	var keys []string
	for _, o := range s.Options {
		keys = append(keys, o.Key)
	}
	if s.defaults != nil {
		for _, o := range s.defaults.Options {
			if s.find(o.Key) < 0 {
				keys = append(keys, o.Key)
			}
		}
	}
	return keys
}

func (s *Section) find(key string) int {
	return slices.IndexFunc(s.Options, func(o Option) bool { return o.Key == key })
}

func (s *Section) set(o Option) {
	if i := s.find(o.Key); i >= 0 {
		s.Options[i] = o
	} else {
		s.Options = append(s.Options, o)
	}
}

// open returns the section called name, a new one first seen at path:line if need be.
func (f *File) open(name, path string, line int) *Section {
	if name == defaultName {
		if f.defaults.Name == "" {
			f.defaults = Section{Name: name, File: path, Line: line}
		}
		return &f.defaults
	}
	if s := f.index[name]; s != nil {
		return s
	}
	if f.index == nil {
		f.index = map[string]*Section{}
	}
	s := &Section{Name: name, File: path, Line: line, defaults: &f.defaults}
	f.index[name] = s
	f.Sections = append(f.Sections, s)
	return s
}

package config

import (
	"fmt"
	"regexp"
	"strings"

	"holdfast/internal/pyrepr"
)

// An Error is one thing that is wrong with a configuration: where it stands, what the original
// says about it, and what to write instead.
type Error struct {
	File    string // as the user named it; empty: the command line
	Line    int    // 0: the file as a whole
	Section string // without brackets
	Option  string
	Value   string // as it was after expansion, or before it if that is what failed
	Message string // the original's wording
	Cure    string
}

// Error gives the line that people read:
//
//	supervisord.conf:41: [program:web] startsecs: invalid literal for int() with base 10: 'ten' (use a whole number of seconds, such as 10)
//
// A value that the original's wording does not show stands behind the option's name.
//
// Differs: the original says only the words in the middle, followed in program sections by
// "in section 'program:web' (file: 'supervisord.conf')"; the place in front takes that one's part.
func (e Error) Error() string {
	var b strings.Builder
	if e.File != "" && e.Line > 0 {
		fmt.Fprintf(&b, "%s:%d: ", e.File, e.Line)
	}
	if e.Section != "" {
		fmt.Fprintf(&b, "[%s]", e.Section)
		if e.Option != "" {
			b.WriteString(" " + e.Option)
			if !e.showsValue() {
				b.WriteString("=" + oneLine(e.Value))
			}
		}
		b.WriteString(": ")
	}
	b.WriteString(e.Message)
	if e.Cure != "" {
		fmt.Fprintf(&b, " (%s)", e.Cure)
	}
	return b.String()
}

// showsValue says whether the message has the value, quoted or as a word of its own.
func (e Error) showsValue() bool {
	word := regexp.MustCompile(`(^|\W)` + regexp.QuoteMeta(e.Value) + `(\W|$)`)
	return e.Value == "" || strings.Contains(e.Message, pyrepr.Repr(e.Value)) || word.MatchString(e.Message)
}

// oneLine is s as it is if that shows on one line, else its repr.
func oneLine(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return pyrepr.Repr(s)
	}
	return s
}

// Errors are all errors of one reading, in the order in which they were met; there is at least one.
type Errors []Error

func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, err := range e {
		lines[i] = err.Error()
	}
	return strings.Join(lines, "\n")
}

// distinct drops what was met before: a program is read once for each group that names it, and
// some of its options are read for the group and for the process. These two differ in the names that
// they can expand, and in nothing else.
func (e Errors) distinct() Errors {
	var out Errors
	met := map[Error]bool{}
	for _, err := range e {
		key := err
		key.Message, _, _ = strings.Cut(err.Message, "Available names: ")
		if !met[key] {
			met[key] = true
			out = append(out, err)
		}
	}
	return out
}

// Package expand fills values into a template as Python's % operator does with a dict. That is how
// %(name)s and its kin in supervisord.conf are spelled.
//
//	%(program_name)s     web        %(process_num)02d   07
//	%(program_name)10s   "       web"   %(process_num)-3d|  "7  |"
//	%(program_name).1s   w          %(process_num)#x    0x7
//	%(program_name)r     'web'      100%%               100%
//
// A filled-in value is not looked at again, a % in it is a %.
package expand

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"holdfast/internal/pyrepr"
)

// UnknownName is the error for a name that no value was given for.
type UnknownName struct{ Name string }

func (e UnknownName) Error() string { return pyrepr.Repr(e.Name) }

// BadFormat is the error for a template that is no good. Detail is what Python says of it.
type BadFormat struct{ Detail string }

func (e BadFormat) Error() string { return e.Detail }

// Expand returns the template with vars filled in. The values are strings or ints. The error is an
// UnknownName or a BadFormat, whichever comes first in the template.
func Expand(template string, vars map[string]any) (string, error) {
	f := formatter{rest: template, vars: vars, arg: everything{}}
	for {
		text, _, found := strings.Cut(f.rest, "%")
		f.out.WriteString(text)
		if !found {
			return f.out.String(), nil
		}
		f.skip(text)
		f.next()
		if err := f.field(); err != nil {
			return "", err
		}
	}
}

// Message returns the original's sentence for an error that Expand(template, vars) gave. The name is
// that of the option, as in "program:web.command".
func Message(template, name string, vars map[string]any, err error) string {
	template, name = pyrepr.Repr(template), pyrepr.Repr(name)
	var unknown UnknownName
	if errors.As(err, &unknown) {
		names := strings.Join(slices.Sorted(maps.Keys(vars)), ", ")
		return fmt.Sprintf("Format string %s for %s contains names (%s) which cannot be expanded. Available names: %s",
			template, name, unknown, names)
	}
	return fmt.Sprintf("Format string %s for %s is badly formatted: %s", template, name, err)
}

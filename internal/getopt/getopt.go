// Package getopt reads a command line as Python's getopt.getopt does.
//
//	-n            -nc FILE      -cFILE
//	--nodaemon    --configuration FILE    --configuration=FILE    --conf FILE
//
// Options end at the first argument that is none, at a lone - and after --.
package getopt

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// An Opt is one option as it was found.
type Opt struct {
	Name  string // "-c" or "--configuration", never abbreviated
	Value string // empty for an option that takes none
}

// Parse returns the options of args (the program's name not among them) in their order and the
// arguments that follow them. In short a letter with a colon after it takes a value, in long a name
// with a = at its end does. A long name may be cut short as long as it fits one option only.
func Parse(args []string, short string, long []string) (opts []Opt, rest []string, err error) {
	for len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' {
		arg := args[0]
		args = args[1:]
		if arg == "--" {
			break
		}
		if name, ok := strings.CutPrefix(arg, "--"); ok {
			var opt Opt
			if opt, args, err = parseLong(name, args, long); err != nil {
				return nil, nil, err
			}
			opts = append(opts, opt)
			continue
		}
		var found []Opt
		if found, args, err = parseShort(arg[1:], args, short); err != nil {
			return nil, nil, err
		}
		opts = append(opts, found...)
	}
	return opts, args, nil
}

// parseLong takes an option without its dashes, and the first of args if that is its value.
func parseLong(text string, args, long []string) (Opt, []string, error) {
	name, value, given := strings.Cut(text, "=")
	name, wanted, err := resolve(name, long)
	if err != nil {
		return Opt{}, nil, err
	}
	switch {
	case wanted && !given:
		if len(args) == 0 {
			return Opt{}, nil, fmt.Errorf("option --%s requires argument", name)
		}
		value, args = args[0], args[1:]
	case given && !wanted:
		return Opt{}, nil, fmt.Errorf("option --%s must not have an argument", name)
	}
	return Opt{"--" + name, value}, args, nil
}

// resolve returns the full name of the option that name is the beginning of, and whether it takes
// a value.
func resolve(name string, long []string) (full string, value bool, err error) {
	var fits []string
	for _, l := range long {
		if strings.HasPrefix(l, name) {
			fits = append(fits, l)
		}
	}
	switch {
	case len(fits) == 0:
		return "", false, fmt.Errorf("option --%s not recognized", name)
	case slices.Contains(fits, name):
		return name, false, nil
	case slices.Contains(fits, name+"="):
		return name, true, nil
	case len(fits) > 1:
		return "", false, fmt.Errorf("option --%s not a unique prefix", name)
	}
	full, value = strings.CutSuffix(fits[0], "=")
	return full, value, nil
}

// parseShort takes the letters behind one dash, and the first of args if that is the last one's value.
func parseShort(letters string, args []string, short string) ([]Opt, []string, error) {
	var opts []Opt
	for letters != "" {
		_, size := utf8.DecodeRuneInString(letters)
		letter := letters[:size]
		letters = letters[size:]
		i := strings.Index(short, letter)
		if i < 0 || letter == ":" {
			return nil, nil, fmt.Errorf("option -%s not recognized", letter)
		}
		opt := Opt{Name: "-" + letter}
		if strings.HasPrefix(short[i+size:], ":") {
			if letters == "" {
				if len(args) == 0 {
					return nil, nil, fmt.Errorf("option -%s requires argument", letter)
				}
				letters, args = args[0], args[1:]
			}
			opt.Value, letters = letters, ""
		}
		opts = append(opts, opt)
	}
	return opts, args, nil
}

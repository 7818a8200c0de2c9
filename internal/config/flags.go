package config

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"holdfast/internal/getopt"
	"holdfast/internal/pyrepr"
)

// Flags is supervisord's command line. What stands there goes before the file, at each reading.
type Flags struct {
	ConfigFile string // of -c; empty: Find it
	HasConfig  bool   // -c was given
	Help       bool   // -h was met, before -v
	Version    bool   // -v was met, before -h

	dir     string // the working directory of the start
	user    *string
	profile bool                 // --profile_options was given
	given   []func(*Supervisord) // lay the other values over the file's
}

// flagTable is the command line: for getopt, for the help and for the way to the option's row.
var flagTable = []struct{ short, long, value, help string }{
	{"c", "configuration", "FILE", "read FILE instead of searching the usual places"},
	{"n", "nodaemon", "", "stay in the foreground"},
	{"s", "silent", "", "in the foreground, do not write the log to stdout as well"},
	{"h", "help", "", "print this and exit"},
	{"v", "version", "", "print the version and exit"},
	{"u", "user", "USER", "become USER, a name or a number, after the start"},
	{"m", "umask", "UMASK", "octal umask of the daemon (default 022)"},
	{"d", "directory", "DIR", "change to DIR when becoming a daemon"},
	{"l", "logfile", "FILE", "write the log to FILE"},
	{"y", "logfile_maxbytes", "BYTES", "rotate the log when it is larger than BYTES, such as 50MB"},
	{"z", "logfile_backups", "NUM", "keep NUM rotated logs"},
	{"e", "loglevel", "LEVEL", "log from LEVEL up: critical, error, warn, info, debug, trace, blather"},
	{"j", "pidfile", "FILE", "write the process id to FILE"},
	{"i", "identifier", "NAME", "call this instance NAME"},
	{"q", "childlogdir", "DIR", "directory for the AUTO logs of children"},
	{"k", "nocleanup", "", "leave the AUTO logs of an earlier run"},
	{"a", "minfds", "NUM", "do not start with fewer file descriptors than NUM"},
	{"t", "strip_ansi", "", "strip ANSI escape sequences from the children's logs"},
	{"", "minprocs", "NUM", "do not start with fewer processes allowed than NUM"},
	{"", "profile_options", "LIST", "taken for compatibility; there is no profiler"},
}

// Usage is the help for supervisord, called argv0.
func Usage(argv0 string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "supervisord -- run programs and keep them running\n\nUsage: %s [options]\n\nOptions:\n", argv0)
	for _, f := range flagTable {
		short := "   "
		if f.short != "" {
			short = "-" + f.short + "/"
		}
		fmt.Fprintf(&b, "  %-30s %s\n", strings.TrimRight(short+"--"+f.long+" "+f.value, " "), f.help)
	}
	b.WriteString("\nThe options go before what the configuration file says.\n")
	return b.String()
}

// ParseFlags reads supervisord's command line without the program's name. The error's text is what
// the original puts behind "Error: ". Options take effect from left to right, so that nothing
// after -h or -v is looked at.
func ParseFlags(argv0 string, args []string) (*Flags, error) {
	short, long := "?", []string{}
	for _, f := range flagTable {
		colon, equals := "", ""
		if f.value != "" {
			colon, equals = ":", "="
		}
		if f.short != "" {
			short += f.short + colon
		}
		long = append(long, f.long+equals)
	}
	opts, rest, err := getopt.Parse(args, short, long)
	if err != nil {
		return nil, err
	}
	if len(rest) > 0 {
		for i := range rest {
			rest[i] = pyrepr.Repr(rest[i])
		}
		return nil, errors.New("positional arguments are not supported: [" + strings.Join(rest, ", ") + "]")
	}
	h := newHost("", os.Environ())
	f := &Flags{dir: h.dir}
	seen := map[string]bool{}
	for _, o := range opts {
		name := longName(o.Name)
		switch name {
		case "help":
			f.Help = true
			return f, nil
		case "version":
			f.Version = true
			return f, nil
		}
		if err := f.take(h, name, o); err != nil {
			return nil, err
		}
		if seen[name] {
			return nil, errors.New("conflicting command line option " + pyrepr.Repr(o.Name))
		}
		seen[name] = true
	}
	return f, nil
}

// longName gives the long name of an option as getopt names it.
func longName(name string) string {
	if name == "-?" {
		return "help"
	}
	for _, f := range flagTable {
		if f.short != "" && name == "-"+f.short {
			return f.long
		}
	}
	return strings.TrimPrefix(name, "--")
}

// take notes one option; name is that of its row in the table of [supervisord].
func (f *Flags) take(h *host, name string, o getopt.Opt) error {
	switch name {
	case "configuration":
		f.ConfigFile, f.HasConfig = o.Value, true
		return nil
	case "user":
		f.user = &o.Value // looked up when the file is read
		return nil
	case "profile_options":
		f.profile = true
		return nil
	}
	for _, row := range supervisordOptions {
		if row.name != name {
			continue
		}
		value := o.Value
		if takesNoValue(name) {
			value = "true"
		}
		assign, err := row.read(h, value)
		if err != nil {
			return fmt.Errorf("invalid value for %s %s: %w", o.Name, pyrepr.Repr(value), err)
		}
		f.given = append(f.given, assign)
	}
	return nil
}

func takesNoValue(long string) bool {
	for _, f := range flagTable {
		if f.long == long {
			return f.value == ""
		}
	}
	return false
}

package ctl

import (
	"fmt"
	"io"
	"strings"

	"holdfast/internal/getopt"
	"holdfast/internal/pyrepr"
)

// flags are the command line. A nil value was not given.
type flags struct {
	configuration                 string
	serverURL, username, password *string
	interactive                   bool
	words                         []string // the command
}

const helpText = `%[1]s: talk to a running supervisord.

Usage: %[1]s [options] [action [arguments]]

Options:
-c/--configuration FILENAME -- read this configuration file, not the first of the usual places
-h/--help -- print this text and exit
-i/--interactive -- ask before shutdown and reload, and for a password that is missing
-s/--serverurl URL -- where supervisord listens: http://HOST:PORT or unix://PATH
     (default "http://localhost:9001")
-u/--username USERNAME -- name for the server's authentication
-p/--password PASSWORD -- password for the server's authentication
-r/--history_file FILENAME -- taken and not used; set history_file in the configuration

Without an action a shell is started that reads actions, one a line. The action
"help" lists them all.
`

// shortName has the short form of the long options.
var shortName = map[string]string{
	"--configuration": "-c",
	"--help":          "-h",
	"--interactive":   "-i",
	"--serverurl":     "-s",
	"--username":      "-u",
	"--password":      "-p",
	"--history_file":  "-r",
}

// parseFlags reads the command line. done means that an option like -h has done all there is to do.
func parseFlags(argv []string, stdout io.Writer) (f flags, done bool, err error) {
	opts, rest, err := getopt.Parse(argv[1:], "c:h?is:u:p:r:",
		[]string{"configuration=", "help", "interactive", "serverurl=", "username=", "password=", "history_file="})
	if err != nil {
		return flags{}, false, err
	}
	seen := map[string]bool{}
	for _, o := range opts {
		what := o.Name
		if short, ok := shortName[o.Name]; ok {
			what = short
		}
		if what == "-s" && !isURL(o.Value) {
			return flags{}, false, fmt.Errorf("invalid value for %s %s: value %[2]s is not a URL", o.Name, pyrepr.Repr(o.Value))
		}
		switch {
		case what == "-h" || what == "-?":
			fmt.Fprintf(stdout, helpText, argv[0])
			return flags{}, true, nil
		case seen[what]:
			return flags{}, false, fmt.Errorf("conflicting command line option %s", pyrepr.Repr(o.Name))
		}
		seen[what] = true
		switch what {
		case "-c":
			f.configuration = o.Value
		case "-i":
			f.interactive = true
		case "-s":
			f.serverURL = &o.Value
		case "-u":
			f.username = &o.Value
		case "-p":
			f.password = &o.Value
		}
	}
	f.words = rest
	return f, false, nil
}

// usage says what is wrong with the command line or the configuration.
func usage(stderr io.Writer, argv0 string, err error) {
	for line := range strings.SplitSeq(err.Error(), "\n") {
		if !strings.HasPrefix(line, "\t") { // which goes on with the line before
			line = "Error: " + line
		}
		fmt.Fprintln(stderr, line)
	}
	fmt.Fprintf(stderr, "For help, use %s -h\n", argv0)
}

// isURL tells whether s has a scheme and something behind it.
func isURL(s string) bool {
	rest := strings.TrimPrefix(strings.TrimPrefix(s, urlScheme(s)), ":")
	if i := strings.IndexAny(rest, "?#"); i >= 0 {
		rest = rest[:i]
	}
	return urlScheme(s) != "" && strings.TrimPrefix(rest, "//") != ""
}

// urlScheme is what is before the colon of a URL, empty if that cannot be a scheme.
func urlScheme(s string) string {
	scheme, _, found := strings.Cut(s, ":")
	for i, r := range scheme {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !letter && (i == 0 || !strings.ContainsRune("0123456789+.-", r)) {
			return ""
		}
	}
	if !found {
		return ""
	}
	return scheme
}

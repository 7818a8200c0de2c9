package getopt

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Those of supervisord.
const short = "c:hnsu:m:d:l:y:z:e:j:i:q:a:kt?v"

var long = []string{
	"help", "configuration=", "version", "nodaemon", "user=", "umask=", "directory=", "logfile=", "logfile_maxbytes=", "logfile_backups=", "loglevel=",
	"pidfile=", "identifier=", "childlogdir=", "minfds=", "minprocs=", "nocleanup", "strip_ansi", "profile_options=", "silent",
}

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		rule string
		args []string
		opts []Opt
		rest []string
	}{
		{"nothing has no options", nil, nil, nil},
		{"short options may share a dash", []string{"-nsk"}, []Opt{{"-n", ""}, {"-s", ""}, {"-k", ""}}, []string{}},
		{"a value may follow", []string{"-c", "x", "-n"}, []Opt{{"-c", "x"}, {"-n", ""}}, []string{}},
		{"a value may adjoin", []string{"-ncx", "-cn"}, []Opt{{"-n", ""}, {"-c", "x"}, {"-c", "n"}}, []string{}},
		{"a value may look like an option", []string{"-c", "-n", "--user", "--"}, []Opt{{"-c", "-n"}, {"--user", "--"}}, []string{}},
		{"? is a letter", []string{"-?"}, []Opt{{"-?", ""}}, []string{}},
		{"a long option's value may follow or adjoin", []string{"--user", "a", "--user=b=c", "--user="}, []Opt{{"--user", "a"}, {"--user", "b=c"}, {"--user", ""}}, []string{}},
		{"a long option may be cut short", []string{"--conf", "x", "--nod", "--conf=y"}, []Opt{{"--configuration", "x"}, {"--nodaemon", ""}, {"--configuration", "y"}}, []string{}},
		{"a whole name may begin another", []string{"--logfile=x"}, []Opt{{"--logfile", "x"}}, []string{}},
		{"the first argument ends the options", []string{"-n", "start", "-n"}, []Opt{{"-n", ""}}, []string{"start", "-n"}},
		{"a dash is an argument", []string{"-", "-n"}, nil, []string{"-", "-n"}},
		{"nothing is an argument", []string{"", "-n"}, nil, []string{"", "-n"}},
		{"-- ends the options and is gone", []string{"-n", "--", "-n"}, []Opt{{"-n", ""}}, []string{"-n"}},
	} {
		opts, rest, err := Parse(tt.args, short, long)
		if err != nil {
			t.Errorf("%s: got error %v", tt.rule, err)
		}
		if diff := cmp.Diff(tt.opts, opts); diff != "" {
			t.Errorf("%s: options (-want +got)\n%s", tt.rule, diff)
		}
		if diff := cmp.Diff(tt.rest, rest); diff != "" {
			t.Errorf("%s: rest (-want +got)\n%s", tt.rule, diff)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for _, tt := range []struct {
		rule string
		args []string
		want string
	}{
		{"an unknown letter", []string{"-nx"}, "option -x not recognized"},
		{"a colon is no letter", []string{"-:"}, "option -: not recognized"},
		{"a letter beyond ASCII", []string{"-é"}, "option -é not recognized"},
		{"an unknown name", []string{"--x"}, "option --x not recognized"},
		{"a longer name", []string{"--helper"}, "option --helper not recognized"},
		{"a letter without its value", []string{"-n", "-z"}, "option -z requires argument"},
		{"a name without its value", []string{"--conf"}, "option --configuration requires argument"},
		{"a name that fits several", []string{"--log", "x"}, "option --log not a unique prefix"},
		{"no name", []string{"--=x"}, "option -- not a unique prefix"},
		{"a value that is not taken", []string{"--hel=x"}, "option --help must not have an argument"},
		{"an empty value that is not taken", []string{"--help="}, "option --help must not have an argument"},
	} {
		opts, rest, err := Parse(tt.args, short, long)
		if err == nil || err.Error() != tt.want {
			t.Errorf("%s: got %v, want %s", tt.rule, err, tt.want)
		}
		if opts != nil || rest != nil {
			t.Errorf("%s: got %v, %q besides the error", tt.rule, opts, rest)
		}
	}
}

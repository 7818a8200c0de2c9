package config

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdfast/internal/dlog"
)

// write puts files into a new directory; the keys are their names.
func write(t *testing.T, files map[string]string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(t, os.WriteFile(path, []byte(text), 0o644))
	}
	return dir
}

// loadText reads text as a file called supervisord.conf.
func loadText(t *testing.T, text string, environ ...string) (*Config, error) {
	t.Helper()
	dir := write(t, map[string]string{"supervisord.conf": text})
	return Load(filepath.Join(dir, "supervisord.conf"), nil, environ)
}

func loadGood(t *testing.T, text string, environ ...string) *Config {
	t.Helper()
	cfg, err := loadText(t, text, environ...)
	if err != nil {
		t.Fatalf("of\n%s\n%v", text, err)
	}
	return cfg
}

func TestErrorLines(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"a value that is in the original's words stands once",
			"[supervisord]\n[program:web]\ncommand=x\nstartsecs=ten\n",
			"supervisord.conf:4: [program:web] startsecs: invalid literal for int() with base 10: 'ten' (use a whole number of seconds, such as 10)"},
		{"a value that is not is shown",
			"[supervisord]\n[program:web]\ncommand=x\nstopasgroup=true\nkillasgroup=no\n",
			"supervisord.conf:5: [program:web] killasgroup=no: Cannot set stopasgroup=true and killasgroup=false (remove killasgroup, or set it to true)"},
		{"a missing option is blamed on the section's line",
			"[supervisord]\n\n[program:web]\nuser=root\n",
			"supervisord.conf:3: [program:web] command: program section program:web does not specify a command (add a line command=)"},
		{"a bad name has no option",
			"[supervisord]\n[program:a b]\ncommand=x\n",
			"supervisord.conf:2: [program:a b]: Invalid name: 'a b' because of character: ' ' (use a name without blanks, colons and slashes)"},
		{"a missing section",
			"[program:web]\ncommand=x\n",
			"supervisord.conf:1: .ini file does not include supervisord section (add a line [supervisord]; nothing need stand below it)"},
		{"an unknown member is blamed on its group",
			"[supervisord]\n[program:a]\ncommand=x\n[group:g]\nprograms=a,b\n",
			"supervisord.conf:5: [group:g] programs: [group:g] names unknown program or fcgi-program b (name sections [program:x] or [fcgi-program:x], with commas between the names)"},
		{"a bad format string is repeated with its name",
			"[supervisord]\n[program:a]\ncommand=100%\n",
			"supervisord.conf:3: [program:a] command: Format string '100%' for 'program:a.command' is badly formatted: incomplete format (write %% for a percent sign)"},
		{"an unknown signal",
			"[supervisord]\n[program:a]\ncommand=x\nstopsignal=FOO\n",
			"supervisord.conf:4: [program:a] stopsignal: value 'FOO' is not a valid signal name (use a signal's name or number, such as TERM or 15)"},
		{"another rpcinterface",
			"[supervisord]\n[rpcinterface:x]\nsupervisor.rpcinterface_factory=a:b\n",
			"supervisord.conf:3: [rpcinterface:x] supervisor.rpcinterface_factory: a:b cannot be resolved within [rpcinterface:x] (Python plugins can't be loaded here; remove the section)"},
		{"the stock rpcinterface takes no options",
			"[supervisord]\n[rpcinterface:supervisor]\nsupervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface\nx=y\n",
			"supervisord.conf:4: [rpcinterface:supervisor] x=y: Could not make supervisor rpc interface (remove the option)"},
		{"a line that is nothing",
			"[supervisord]\njunk\n",
			"supervisord.conf:2: Source contains parsing errors: 'DIR/supervisord.conf'\n\t[line  2]: 'junk\\n' (a line is [section], option=value, a comment, or deeper than the option whose value it continues)"},
		{"half a login",
			"[supervisord]\n[inet_http_server]\nport=1\nusername=u\n",
			"supervisord.conf:4: [inet_http_server] username=u: Section [inet_http_server] contains incomplete authentication: If a username or a password is specified, both the username and password must be specified (add a line password=)"},
		{"more processes than a machine has",
			"[supervisord]\n[program:a]\ncommand=x\nprocess_name=%(process_num)d\nnumprocs=2000000000\n",
			"supervisord.conf:5: [program:a] numprocs: 2000000000 is above upper bound (100000) (use fewer processes)"},
		{"an unknown user on the daemon",
			"[supervisord]\nuser=nosuchuser\n",
			"supervisord.conf:2: [supervisord] user: Invalid user name nosuchuser (use the name or the number of a user in the system's user database)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := loadText(t, c.text)
			var errs Errors
			if !errors.As(err, &errs) || len(errs) != 1 {
				t.Fatalf("got %v, want one error", err)
			}
			dir := filepath.Dir(errs[0].File)
			got := strings.TrimPrefix(errs[0].Error(), dir+"/")
			if got = strings.ReplaceAll(got, dir, "DIR"); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestAllErrorsAtOnce(t *testing.T) {
	_, err := loadText(t, `[supervisord]
minfds=x
loglevel=loud
[unix_http_server]
chmod=9
[program:a]
startsecs=x
priority=x
stdout_logfile=/nope/%(process_num)d
numprocs=3
process_name=%(process_num)d
[program:b]
command=x
priority=%(x)s
exitcodes=256
`)
	var got []string
	for _, e := range err.(Errors) {
		got = append(got, e.Section+" "+e.Option)
	}
	want := []string{"supervisord loglevel", "supervisord minfds", "program:a priority", "program:a startsecs",
		"program:a stdout_logfile", "program:a command", "program:b priority", "program:b exitcodes", "unix_http_server chmod", "unix_http_server file"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestBadGroups(t *testing.T) {
	for _, c := range []struct {
		name, text     string
		groups, bad    []string
		refusedAsWhole bool
	}{
		{name: "a bad program leaves the others",
			text:   "[supervisord]\n[program:a]\n[program:b]\ncommand=x\n",
			groups: []string{"b"}, bad: []string{"a"}},
		{name: "a bad member takes its group",
			text:   "[supervisord]\n[program:a]\n[program:b]\ncommand=x\n[program:c]\ncommand=x\n[group:g]\nprograms=a,b\n",
			groups: []string{"c"}, bad: []string{"g"}},
		{name: "a bad name is named as it is",
			text:   "[supervisord]\n[program:a:b]\ncommand=x\n[program:c]\ncommand=x\n",
			groups: []string{"c"}, bad: []string{"a:b"}},
		{name: "a bad listener and a bad socket",
			text:   "[supervisord]\n[eventlistener:l]\ncommand=x\n[fcgi-program:f]\ncommand=x\n[program:c]\ncommand=x\n",
			groups: []string{"c"}, bad: []string{"l", "f"}},
		{name: "members of a group with a bad name are no groups of their own",
			text:   "[supervisord]\n[program:a]\ncommand=x\n[group:g h]\nprograms=a\n",
			groups: nil, bad: []string{"g h"}},
		{name: "an unknown member leaves open who is a group",
			text: "[supervisord]\n[program:a]\ncommand=x\n[group:g]\nprograms=a,bb\n", refusedAsWhole: true},
		{name: "an error in [supervisord] concerns everything",
			text: "[supervisord]\nminfds=x\n[program:a]\ncommand=x\n", refusedAsWhole: true},
		{name: "an error of a server concerns everything",
			text: "[supervisord]\n[inet_http_server]\n[program:a]\ncommand=x\n", refusedAsWhole: true},
		{name: "an environment that can't be read is one error, not one for each use",
			text: "[supervisord]\nenvironment=A\n[program:a]\ncommand=%(ENV_A)s\n", refusedAsWhole: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg, err := loadText(t, c.text)
			if err == nil {
				t.Fatal("got no error")
			}
			if c.refusedAsWhole {
				if cfg != nil || len(err.(Errors)) != 1 {
					t.Errorf("got %v and %v, want nothing and one error", cfg, err)
				}
				return
			}
			if got := names(cfg.Groups); !slices.Equal(got, c.groups) || !slices.Equal(cfg.Bad, c.bad) {
				t.Errorf("got groups %v, bad %v; want %v, %v", got, cfg.Bad, c.groups, c.bad)
			}
		})
	}
}

func names(groups []Group) []string {
	var out []string
	for _, g := range groups {
		out = append(out, g.Name)
	}
	return out
}

func TestWhatIsIgnoredIsSaid(t *testing.T) {
	cfg := loadGood(t, `[supervisord]
[ctlplugin:p]
x=y
[ctlplugin:q]
x=y
`)
	want := []Note{{dlog.Warn, "plugins of supervisorctl are Python and are ignored: ctlplugin:p, ctlplugin:q"}}
	if diff := cmp.Diff(want, cfg.Notes); diff != "" {
		t.Error(diff)
	}
}

func TestInclude(t *testing.T) {
	dir := write(t, map[string]string{
		"supervisord.conf": "[supervisord]\n[include]\nfiles = conf.d/*.ini /nope/*.ini sub/one.ini\n",
		"conf.d/b.ini":     "[program:b]\ncommand=%(here)s/b %%(here)s %(here)5s\n[include]\nfiles=%(nonsense\n",
		"conf.d/B.ini":     "[supervisord]\nidentifier=%(here)s\n[program:shared]\ncommand=%(here)s\n",
		"conf.d/.hid.ini":  "junk\n",
		"sub/one.ini":      "[program:shared]\npriority=3\n",
		"conf.d/d.ini/x":   "",
	})
	path := filepath.Join(dir, "supervisord.conf")
	cfg, err := Load(path, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{"identifier": cfg.Supervisord.Identifier}
	for _, g := range cfg.Groups {
		got[g.Name] = g.Processes[0].Command
	}
	conf := dir + "/conf.d"
	want := map[string]string{"identifier": conf, "shared": conf, "b": conf + "/b %(here)s " + conf}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("here is the directory of the file in which the option stands: %s", diff)
	}
	if cfg.Groups[0].Name != "shared" || cfg.Groups[0].Source.File != conf+"/B.ini" {
		t.Errorf("first group %s of %v: a section belongs to the file in which it was first seen", cfg.Groups[0].Name, cfg.Groups[0].Source)
	}
	var notes []string
	for _, n := range cfg.Notes {
		notes = append(notes, strings.ReplaceAll(n.Text, dir, "DIR"))
	}
	wantNotes := []string{
		`Included file "DIR/conf.d/d.ini" could not be read and was skipped: is a directory`,
		`No file matches via include "/nope/*.ini"`,
		`Included extra file "DIR/conf.d/B.ini" during parsing`,
		`Included extra file "DIR/conf.d/b.ini" during parsing`,
		`Included extra file "DIR/conf.d/d.ini" during parsing`,
		`Included extra file "DIR/sub/one.ini" during parsing`,
	}
	if diff := cmp.Diff(wantNotes, notes); diff != "" {
		t.Error(diff)
	}

	must(t, os.WriteFile(filepath.Join(dir, "sub/one.ini"), []byte("\n[program:c]\njunk\n"), 0o644))
	must(t, os.WriteFile(filepath.Join(dir, "conf.d/b.ini"), []byte("junk\n"), 0o644))
	_, err = Load(path, nil, nil)
	if errs := err.(Errors); len(errs) != 2 || errs[0].Line != 1 || errs[1].File != dir+"/sub/one.ini" || errs[1].Line != 3 {
		t.Errorf("every file that is not well formed is an error: %v", err)
	}
}

func TestRootFile(t *testing.T) {
	dir := write(t, map[string]string{"x/a.conf": "[supervisord]\n[program:p]\ncommand=%(here)s\n"})
	for _, c := range []struct{ name, path, want string }{
		{"missing", dir + "/nope", "could not find config file " + dir + "/nope"},
		{"a directory", dir, "could not read config file " + dir},
	} {
		if _, err := Load(c.path, nil, nil); err == nil || err.(Errors)[0].Message != c.want {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
	// A relative name means the same after the daemon has changed directory.
	t.Chdir(dir)
	flags, err := ParseFlags("supervisord", []string{"-c", "x/a.conf", "-l", "my.log"})
	must(t, err)
	t.Chdir("/")
	cfg, err := Load(flags.ConfigFile, flags, nil)
	must(t, err)
	if cfg.Path != dir+"/x/a.conf" || cfg.Groups[0].Processes[0].Command != dir+"/x" ||
		cfg.Supervisord.LogFile != dir+"/my.log" || cfg.Supervisord.PidFile != dir+"/supervisord.pid" {
		t.Errorf("got %+v", cfg)
	}
}

func TestCommandLineBeatsFile(t *testing.T) {
	dir := write(t, map[string]string{"c": "[supervisord]\nidentifier=file\nloglevel=warn\nminfds=5\nuser=nosuchuser\nnodaemon=false\n"})
	flags, err := ParseFlags("supervisord", []string{"-i", "line", "--loglevel=debug", "-n", "-u", "root"})
	must(t, err)
	cfg, err := Load(dir+"/c", flags, nil)
	must(t, err)
	sv := cfg.Supervisord
	if sv.Identifier != "line" || sv.LogLevel != dlog.Debug || sv.MinFDs != 5 || *sv.UID != 0 || !sv.NoDaemon {
		t.Errorf("got %+v", sv)
	}
}

func TestEnvironment(t *testing.T) {
	cfg := loadGood(t, "[supervisord]\nenvironment=A=\"a\",B=\"b;\",C=\"%(ENV_X)s\"\n"+
		"[program:p]\ncommand=%(ENV_A)s %(ENV_OWN)s %(ENV_X)s\nenvironment=B=\"own\",OWN=\"%(ENV_C)s\"\n", "X=100% ; x")
	p := cfg.Groups[0].Processes[0]
	if want := "a 100% ; x 100% ; x"; p.Command != want {
		t.Errorf("command %q, want %q", p.Command, want)
	}
	want := map[string]string{"A": "a", "B": "own", "C": "100% ; x", "OWN": "100% ; x"}
	if diff := cmp.Diff(want, p.Environment); diff != "" {
		t.Error(diff)
	}
}

func TestProcessesOfAProgram(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       []string
	}{
		{"numbers start at numprocs_start, names sort as text",
			"[program:p]\ncommand=x\nnumprocs=3\nnumprocs_start=9\nprocess_name=p%(process_num)d\n", []string{"p10", "p11", "p9"}},
		{"no process at all is allowed", "[program:p]\ncommand=x\nnumprocs=0\n", nil},
		{"of two of one name the last wins, in the place of the first",
			"[program:a]\ncommand=x\nprocess_name=n\n[program:b]\ncommand=y\n[program:c]\ncommand=z\nprocess_name=n\n[group:p]\nprograms=a,b,c\n",
			[]string{"n=z", "b=y"}},
		{"members stand in the order of programs=, whatever their priority",
			"[program:a]\ncommand=x\npriority=1\n[program:b]\ncommand=y\n[group:p]\nprograms=b,a\n", []string{"b", "a"}},
		{"a program may be in two groups, and [group:x] without members is one",
			"[program:a]\ncommand=x\n[group:p]\nprograms=a\n[group:q]\nprograms=a\n[group:r]\n", []string{"a"}},
	} {
		cfg := loadGood(t, "[supervisord]\n"+c.text)
		if cfg.Groups[0].Name != "p" {
			t.Fatalf("%s: groups %v", c.name, names(cfg.Groups))
		}
		var got []string
		for i, p := range cfg.Groups[0].Processes {
			if name := p.Name; i < len(c.want) && name != c.want[i] {
				got = append(got, name+"="+p.Command)
			} else {
				got = append(got, name)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

func TestServerURL(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"none without a server", "", ""},
		{"the first unix server goes before all", "[inet_http_server]\nport=1\n[unix_http_server]\nfile=/a\n[unix_http_server:b]\nfile=/b\n", "unix:///a"},
		{"else the last inet server", "[inet_http_server]\nport=h:1\n[inet_http_server:b]\nport=g:2\n", "http://g:2"},
		{"every interface is localhost", "[inet_http_server]\nport=*:1\n", "http://localhost:1"},
	} {
		if got := loadGood(t, "[supervisord]\n"+c.text).ServerURL(); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func TestLogTargets(t *testing.T) {
	cfg := loadGood(t, "[supervisord]\n[program:p]\ncommand=x\nstdout_logfile=\nstderr_logfile=syslog\nnumprocs=2\nprocess_name=%(process_num)d\n"+
		"[program:q]\ncommand=x\nstdout_logfile_maxbytes=0\nstderr_logfile=/tmp/x\nredirect_stderr=true\n")
	p, q := cfg.Groups[0].Processes[0], cfg.Groups[1].Processes[0]
	if p.Stdout.File != "" || p.Stdout.Auto || p.Stderr.File != "" || !p.Stderr.Syslog || !q.Stdout.Auto || q.Stderr.File != "" || q.Stderr.Auto {
		t.Errorf("got %+v, %+v, %+v, %+v", p.Stdout, p.Stderr, q.Stdout, q.Stderr)
	}
	var got []string
	for _, n := range cfg.Notes {
		got = append(got, n.Text)
	}
	want := []string{
		"For [program:p], stderr_logfile=syslog but this is deprecated and will be removed.  Use stderr_syslog=true to enable syslog instead.",
		"For [program:q], AUTO logging used for stdout_logfile without rollover, set maxbytes > 0 to avoid filling up filesystem unintentionally",
		"For [program:q], redirect_stderr=true but stderr_logfile has also been set to a filename, the filename has been ignored",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

package config

import (
	"os"
	"path/filepath"
	"testing"

	"holdfast/internal/pyref"
)

// askOriginalFlags gives the original command lines, and answers with its error, or -h or -v if it
// acted on that one first.
const askOriginalFlags = `
import supervisor.options as o
class Stop(Exception): pass
def stop(text):
    def f(self, *args): raise Stop(text if text else str(args[0]))
    return f
o.Options.usage = stop('')
o.Options.help = stop('-h')
o.ServerOptions.version = stop('-v')
def read(args):
    try: o.ServerOptions().realize(args)
    except Stop as e: return str(e)
    return ''
answer = [read(a) for a in data]
`

func TestFlagsAgainstTheOriginal(t *testing.T) {
	needOriginal(t)
	t.Chdir(t.TempDir())
	must(t, os.WriteFile("c.conf", []byte("[supervisord]\n"), 0o644))
	var lines [][]string
	for _, l := range [][]string{
		{}, {"-h"}, {"-?"}, {"--help"}, {"-v"}, {"--version"}, {"-v", "-h"}, {"-h", "-v"}, {"-nh"},
		{"-n"}, {"--nodaemon"}, {"-n", "-n"}, {"-n", "--nodaemon"}, {"-nst"}, {"-x"}, {"--bogus"}, {"--log", "x"},
		{"-z"}, {"-z", "ten"}, {"-z5"}, {"--logfile_backups=x"}, {"-e", "bogus"}, {"-e", "DEBUG"}, {"-m", "9"}, {"-m", "027"},
		{"-d", "/nope"}, {"-l", "/nope/x"}, {"-j", "/nope/x"}, {"-q", "/nope"}, {"-y", "1K"}, {"-y", "5MB"}, {"-a", "x"},
		{"--minprocs=x"}, {"--minp", "5"}, {"foo", "bar"}, {"-n", "it's"}, {"-h", "foo"}, {"-z", "x", "-h"}, {"-h", "-z", "x"},
		{"-u", "nosuchuser"}, {"-u", "root"}, {"-u", "999999"}, {"-i", "a", "-i", "b"}, {"--nodaemon=1"}, {"-c", "other"}, {"--silent", "-k"},
		{"--profile_options=calls"},
	} {
		lines = append(lines, append([]string{"-c", "c.conf"}, l...))
	}
	lines = append(lines, []string{"-c", "nope.conf"}, []string{"-c", "."}, []string{"-c"})
	var want []string
	pyref.Ask(t, askOriginalFlags, lines, &want)
	for i, args := range lines {
		if got := oursOfFlags(args); got != want[i] {
			t.Errorf("%q: the original says %q, ours %q", args, want[i], got)
		}
	}
}

func oursOfFlags(args []string) string {
	f, err := ParseFlags("supervisord", args)
	switch {
	case err != nil:
		return err.Error()
	case f.Help:
		return "-h"
	case f.Version:
		return "-v"
	}
	if _, err := Load(f.ConfigFile, f, os.Environ()); err != nil {
		return err.(Errors)[0].Message
	}
	return ""
}

const askOriginalCtl = `
import supervisor.options as o, sys
class Stop(Exception): pass
def stop(self, msg): raise Stop(str(msg))
o.Options.usage = stop
def read(path):
    c = o.ClientOptions()
    try: c.realize(['-c', path, 'status'])
    except Stop as e: return ['error', str(e)]
    except Exception as e: return ['error', str(e)]
    return [c.serverurl, c.username or '', c.password or '', c.prompt, c.history_file or '']
answer = [read(p) for p in data]
`

func TestCtlAgainstTheOriginal(t *testing.T) {
	needOriginal(t)
	dir := t.TempDir()
	t.Setenv("HOME", dir)
	t.Setenv("WHO", "me")
	texts := []string{
		"[supervisorctl]\n", "", "[supervisord]\n", "[supervisorctl]\nserverurl=unix:///a/../b.sock\n", "[supervisorctl]\nserverurl=unix://~/s\n",
		"[supervisorctl]\nserverurl=unix://%(here)s/s\n", "[supervisorctl]\nserverurl=http://h:1\nusername=u\npassword=p\nprompt=x\n",
		"[supervisorctl]\nserverurl=bogus\n", "[supervisorctl]\nusername=%(ENV_WHO)s\n", "[supervisorctl]\nserverurl=%(nope)\n",
		"[supervisorctl]\nhistory_file=~/.h\n", "[supervisorctl]\nhistory_file=\n", "[supervisorctl]\nhistory_file=%(here)s/h\n",
		"[supervisorctl]\njunk\n", "junk\n", "[supervisorctl]\n[ctlplugin:x]\n",
		"[supervisorctl]\nprompt=root\n[include]\nfiles=*.ini\n",
	}
	paths := make([]string, len(texts))
	for i, text := range texts {
		paths[i] = filepath.Join(dir, string(rune('a'+i)))
		must(t, os.WriteFile(paths[i], []byte(text), 0o644))
	}
	paths = append(paths, filepath.Join(dir, "nope"), dir)
	var want [][]string
	pyref.Ask(t, askOriginalCtl, paths, &want)
	for i, path := range paths {
		c, err := LoadCtl(path)
		got := []string{c.ServerURL, c.Username, c.Password, c.Prompt, c.HistoryFile}
		if err != nil {
			got = []string{"error", err.(Errors)[0].Message}
		}
		if len(got) != len(want[i]) || got[0] != want[i][0] || got[1] != want[i][1] || len(got) > 2 && (got[3] != want[i][3] || got[4] != want[i][4]) {
			t.Errorf("%s: the original says %q, ours %q", path, want[i], got)
		}
	}
}

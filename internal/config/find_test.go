package config

import (
	"os"
	"strings"
	"testing"
)

func TestFind(t *testing.T) {
	dir := t.TempDir()
	must(t, os.MkdirAll(dir+"/opt/bin", 0o755))
	must(t, os.MkdirAll(dir+"/opt/etc", 0o755))
	must(t, os.MkdirAll(dir+"/here/etc", 0o755))
	t.Chdir(dir + "/here")
	argv0 := dir + "/opt/bin/supervisord"

	// The places from the last to the first: each new file is found before those made earlier.
	for _, c := range []struct{ name, file, found string }{
		{"etc below the working directory", "etc/supervisord.conf", "etc/supervisord.conf"},
		{"the working directory", "supervisord.conf", "supervisord.conf"},
		{"beside the program's directory", dir + "/opt/supervisord.conf", dir + "/opt/supervisord.conf"},
		{"etc beside the program's directory", dir + "/opt/etc/supervisord.conf", dir + "/opt/etc/supervisord.conf"},
	} {
		must(t, os.WriteFile(c.file, nil, 0o644))
		if got, _ := Find(argv0); got != c.found {
			t.Errorf("%s: got %q, want %q", c.name, got, c.found)
		}
	}
	for _, c := range []struct{ name, argv0, want string }{
		{"with a path", "/usr/bin/supervisord", "/usr/etc/supervisord.conf /usr/supervisord.conf"},
		{"without a slash", "supervisord", "etc/supervisord.conf supervisord.conf"},
		{"below here", "./supervisord", "etc/supervisord.conf supervisord.conf"},
		{"in bin of here", "bin/supervisord", "etc/supervisord.conf supervisord.conf"},
		{"in bin of the directory above", "../bin/supervisord", "../etc/supervisord.conf ../supervisord.conf"},
		{"in the root", "/supervisord", "/etc/supervisord.conf /supervisord.conf"},
	} {
		_, tried := Find(c.argv0)
		want := c.want + " supervisord.conf etc/supervisord.conf /etc/supervisord.conf /etc/supervisor/supervisord.conf"
		if got := strings.Join(tried, " "); got != want {
			t.Errorf("%s: got %s, want %s", c.name, got, want)
		}
	}
	want := "No config file found at default paths (a, b); use the -c option to specify a config file at a different path"
	if got := NotFound([]string{"a", "b"}).Error(); got != want {
		t.Errorf("got %q", got)
	}
}

func TestArgv0(t *testing.T) {
	dir := t.TempDir()
	must(t, os.MkdirAll(dir+"/a/supervisord", 0o755)) // a directory of that name is passed by
	must(t, os.MkdirAll(dir+"/b", 0o755))
	must(t, os.WriteFile(dir+"/b/supervisord", nil, 0o755))
	must(t, os.WriteFile(dir+"/b/notes", nil, 0o644))
	path := dir + "/none:" + dir + "/a:" + dir + "/b"
	for argv0, want := range map[string]string{
		"supervisord":      dir + "/b/supervisord",
		"./supervisord":    "./supervisord",
		"/opt/supervisord": "/opt/supervisord",
		"notes":            "notes",
		"nothing":          "nothing",
	} {
		if got := Argv0(argv0, path); got != want {
			t.Errorf("%s: got %q, want %q", argv0, got, want)
		}
	}
}

package daemon

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTrusted(t *testing.T) {
	for _, row := range []struct {
		name      string
		dir, file os.FileMode
		path      string // in the directory
		uid       int    // of supervisord, less our own
		want      string
	}{
		{"a program of its own", 0o755, 0o755, "program", 0, ""},
		{"over a link", 0o755, 0o755, "link", 0, ""},
		{"in a directory where nobody touches what is not theirs", 0o777 | os.ModeSticky, 0o755, "program", 0, ""},
		{"a program that the group may write", 0o755, 0o775, "program", 0, "program has mode 0775: "},
		{"a program that others may write", 0o755, 0o757, "program", 0, "program has mode 0757: "},
		{"in a directory that others may write", 0o777, 0o755, "program", 0, "has mode 0777: "},
		{"over a link, in a directory that others may write", 0o777, 0o755, "link", 0, "has mode 0777: "},
		{"a directory", 0o755, 0o755, ".", 0, "it is no file"},
		{"nothing", 0o755, 0o755, "no/such", 0, "no such file or directory"},
		{"another user's", 0o755, 0o755, "program", 1, "program belongs to user "},
	} {
		t.Run(row.name, func(t *testing.T) {
			if row.uid != 0 && os.Getuid() == 0 {
				t.Skip("what is root's is everybody's")
			}
			top := t.TempDir()
			dir := filepath.Join(top, "dir")
			program := filepath.Join(dir, "program")
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(program, nil, row.file); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(program, filepath.Join(dir, "link")); err != nil {
				t.Fatal(err)
			}
			for path, mode := range map[string]os.FileMode{dir: row.dir, program: row.file} {
				if err := os.Chmod(path, mode); err != nil {
					t.Fatal(err)
				}
			}
			got, err := trusted(filepath.Join(dir, row.path), os.Getuid()+row.uid)
			switch {
			case row.want == "" && (err != nil || got != program):
				t.Errorf("got %q, %v", got, err)
			case row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)):
				t.Errorf("got %v, want %q", err, row.want)
			}
		})
	}
	if _, err := trusted("bin/true", 0); err == nil {
		t.Error("a relative path is taken")
	}
}

func TestOwnPath(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "supervisord")
	if err := os.Symlink(exe, link); err != nil {
		t.Fatal(err)
	}
	for argv0, want := range map[string]string{exe: exe, link: link, "/bin/sh": exe, "/no/such/file": exe, "": exe} {
		if got := ownPath(argv0); got != want {
			t.Errorf("%q: got %q, want %q", argv0, got, want)
		}
	}
}

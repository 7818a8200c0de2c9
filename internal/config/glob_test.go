package config

import (
	"os"
	"slices"
	"strings"
	"testing"
)

func TestGlob(t *testing.T) {
	dir := write(t, map[string]string{"a.ini": "", "B.ini": "", ".hidden.ini": "", "c.conf": "", "x/d.ini": "", "y/d.ini": "", "z[1].ini": "", "é.ini": "", "y/x/e.ini": ""})
	for _, c := range []struct{ name, pattern, want string }{
		{"a star, upper case first", "*.ini", "B.ini a.ini z[1].ini é.ini"},
		{"a star does not match a leading dot", ".*.ini", ".hidden.ini"},
		{"a question mark is one character", "?.ini", "B.ini a.ini é.ini"},
		{"a set", "[a-c].*", "a.ini c.conf"},
		{"a negated set", "[!a]*.ini", "B.ini z[1].ini é.ini"},
		{"a bracket in a set", "z[[]1].ini", "z[1].ini"},
		{"a closing bracket that stands first belongs to the set", "z[]1[]1].ini", "z[1].ini"},
		{"an open set is a bracket", "z[1*", "z[1].ini"},
		{"a directory with a pattern", "[xy]/d.ini", "x/d.ini y/d.ini"},
		{"two stars are one", "**/d.ini", "x/d.ini y/d.ini"},
		{"no pattern", "c.conf", "c.conf"},
		{"no pattern and no file", "nope", ""},
		{"no directory", "nope/*.ini", ""},
		{"a backslash is a backslash", `\*.ini`, ""},
	} {
		got := glob(dir + "/" + c.pattern)
		for i := range got {
			got[i] = strings.TrimPrefix(got[i], dir+"/")
		}
		slices.Sort(got)
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %s matches %v, want %s", c.name, c.pattern, got, c.want)
		}
	}
	t.Chdir(dir)
	if got := glob("x/*"); !slices.Equal(got, []string{"x/d.ini"}) {
		t.Errorf("a relative pattern matches %v", got)
	}
	if _, err := os.Stat("/etc/passwd"); err == nil && !slices.Equal(glob("/etc/passw?"), []string{"/etc/passwd"}) {
		t.Error("an absolute pattern does not match")
	}
}

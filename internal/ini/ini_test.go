package ini

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// show writes what f holds, one "section|key=value" for each option that a section sees.
func show(f *File) string {
	var b strings.Builder
	for _, s := range f.Sections {
		b.WriteString("[" + s.Name + "]")
		for _, key := range s.Keys() {
			o, _ := s.Get(key)
			b.WriteString(" " + key + "=<" + strings.ReplaceAll(o.Value, "\n", "|") + ">")
		}
		b.WriteString("\n")
	}
	return b.String()
}

func TestParse(t *testing.T) {
	for _, tt := range []struct{ rule, in, want string }{
		{"an empty file has no sections", "", ""},
		{"a section may be empty", "[supervisord]\n", "[supervisord]\n"},
		{"line ends may be CRLF", "[a]\r\nk=v\r\nl=w\r\n", "[a] k=<v> l=<w>\n"},
		{"the last line needs no newline", "[a]\nk=v", "[a] k=<v>\n"},
		{"a byte order mark is skipped", "\ufeff[supervisord]\nk=v\n", "[supervisord] k=<v>\n"},
		{"text after the last ] is ignored", "[x] ; c\nk=v\n[y] junk\n", "[x] k=<v>\n[y]\n"},
		{"a section's name runs up to the last ]", "[program:x]y]\n", "[program:x]y]\n"},
		{"a header may be indented", "  [a]\n  k=v\n", "[a] k=<v>\n"},
		{"section names keep their case and blanks", "[Program: a b ]\n", "[Program: a b ]\n"},
		{"= and : part key and value, the first one wins", "[a]\nk = v:w\nl : v=w\n", "[a] k=<v:w> l=<v=w>\n"},
		{"keys are lower-cased", "[a]\nKeY=V\n", "[a] key=<V>\n"},
		{"a value may be empty", "[a]\nk=\nl:\n", "[a] k=<> l=<>\n"},
		{"a line that begins with # or ; is a comment", "[a]\n#k=1\n;k=2\n  # k=3\n\t;k=4\n", "[a]\n"},
		{"a ; or # after a blank begins a comment", "[a]\nk=1 ;x\nl=2\t#y\n", "[a] k=<1> l=<2>\n"},
		{"a ; or # after anything else is text", "[a]\nk=a;b\nl=a#b\ncommand=;foo\n", "[a] k=<a;b> l=<a#b> command=<;foo>\n"},
		{"a value can be all comment", "[a]\ncommand= ;foo\n", "[a] command=<>\n"},
		{"quotes do not protect from comments", "[a]\ncommand=bash -c 'a ; b'\n", "[a] command=<bash -c 'a>\n"},
		{"the nth ; is looked at together with the nth #", "[a]\nk=a;b ;c #d\n", "[a] k=<a;b ;c>\n"},
		{"a deeper line continues the value", "[a]\nk=1\n 2\n\t3\nl=4\n", "[a] k=<1|2|3> l=<4>\n"},
		{"a value may begin on the next line", "[a]\nk=\n  1\n", "[a] k=<|1>\n"},
		{"comments inside a long value are dropped", "[a]\nk=1\n ;x\n#y\n 2 ;z\n", "[a] k=<1|2>\n"},
		{"blank lines inside a long value are kept", "[a]\nk=1\n\n  \n 2\n", "[a] k=<1|||2>\n"},
		{"blank lines after a value are not", "[a]\nk=1\n\n\n\nl=2\n\n", "[a] k=<1> l=<2>\n"},
		{"an indented key=value is a continuation", "[a]\nk=1\n  l=2\n", "[a] k=<1|l=2>\n"},
		{"an indented header is a continuation", "[a]\nk=1\n  [b]\n", "[a] k=<1|[b]>\n"},
		{"keys that are all indented alike are keys", "[a]\n  k=1\n  l=2\n", "[a] k=<1> l=<2>\n"},
		{"a header ends a value", "[a]\nk=1\n[b]\n  l=2\n", "[a] k=<1>\n[b] l=<2>\n"},
		{"of the same key the last value wins, at the place of the first", "[a]\nk=1\nl=2\nK=3\n", "[a] k=<3> l=<2>\n"},
		{"of the same section all keys count, at the place of the first", "[a]\nk=1\nl=2\n[b]\n[a]\nl=3\n", "[a] k=<1> l=<3>\n[b]\n"},
		{"the keys of [DEFAULT] are inherited", "[a]\nk=1\n[DEFAULT]\nk=2\nd=3\n[b]\n", "[a] k=<1> d=<3>\n[b] k=<2> d=<3>\n"},
		{"[default] is a section", "[default]\nk=1\n[a]\n", "[default] k=<1>\n[a]\n"},
		{"quotes are kept", "[a]\nk=\"v\"\n", "[a] k=<\"v\">\n"},
		{"a blank is any that Unicode knows", "[a]\nk\u00a0=\u3000v\x1c\n\u2003w\n", "[a] k=<v|w>\n"},
		{"indentation is counted in characters", "[a]\n\u3000k=1\n  l=2\n", "[a] k=<1|l=2>\n"},
	} {
		var f File
		if err := f.Parse("x.conf", []byte(tt.in)); err != nil {
			t.Errorf("%s: got error %v", tt.rule, err)
		} else if diff := cmp.Diff(tt.want, show(&f)); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", tt.rule, diff)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for _, tt := range []struct {
		rule, in string
		line     int
		want     string
	}{
		{"text before the first header", "; c\n\nk=v\n[a]\n", 3, "File contains no section headers.\nfile: 'x.conf', line: 3\n'k=v\\n'"},
		{"a byte order mark helps only at the start", "\n\ufeff[a]\n", 2, "File contains no section headers.\nfile: 'x.conf', line: 2\n'\\ufeff[a]\\n'"},
		{"every junk line is told", "[a]\njunk\nk=v\nit's\n[]\n", 2,
			"Source contains parsing errors: 'x.conf'\n\t[line  2]: 'junk\\n'\n\t[line  4]: \"it's\\n\"\n\t[line  5]: '[]\\n'"},
		{"the line's number takes two columns at least", "[a]\n" + strings.Repeat("\n", 98) + "junk", 100,
			"Source contains parsing errors: 'x.conf'\n\t[line 100]: 'junk'"},
		{"a key has at least one character", "[a]\n=v\n  junk\n", 2,
			"Source contains parsing errors: 'x.conf'\n\t[line  2]: '=v\\n'\n\t[line  3]: '  junk\\n'"},
		{"after junk a deeper line continues the option before it", "[a]\nk=v\njunk\n more\n", 3,
			"Source contains parsing errors: 'x.conf'\n\t[line  3]: 'junk\\n'"},
		{"Latin-1 is not read", "[a]\n; caf\xe9\n", 2, "'utf-8' codec can't decode byte 0xe9 in position 9: invalid continuation byte"},
	} {
		var f File
		err := f.Parse("x.conf", []byte(tt.in))
		got, ok := err.(*Error)
		if !ok {
			t.Errorf("%s: got %v, want a *Error", tt.rule, err)
			continue
		}
		if diff := cmp.Diff(&Error{Path: "x.conf", Line: tt.line, Text: tt.want}, got); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", tt.rule, diff)
		}
	}
}

func TestParseRemembersPlaces(t *testing.T) {
	var f File
	for _, in := range []struct{ path, text string }{
		{"root.conf", "[a]\n\nk=1\nl=1\n"},
		{"more.conf", "[b]\nx=1\n  2\n[a]\nL=2\nm=2\n[DEFAULT]\nd=3\n"},
	} {
		if err := f.Parse(in.path, []byte(in.text)); err != nil {
			t.Fatal(err)
		}
	}
	a, b := f.Section("a"), f.Section("b")
	if f.Section("DEFAULT") != nil || f.Section("A") != nil {
		t.Error("there is a section that should not be")
	}
	if a.File != "root.conf" || a.Line != 1 || b.File != "more.conf" || b.Line != 1 {
		t.Errorf("got sections at %s:%d and %s:%d", a.File, a.Line, b.File, b.Line)
	}
	want := []Option{
		{"k", "1", "root.conf", 3},
		{"l", "2", "more.conf", 5},
		{"m", "2", "more.conf", 6},
	}
	if diff := cmp.Diff(want, a.Options); diff != "" {
		t.Errorf("own options (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff([]string{"x", "d"}, b.Keys()); diff != "" {
		t.Errorf("keys (-want +got)\n%s", diff)
	}
	if d, ok := b.Get("d"); !ok || d != (Option{"d", "3", "more.conf", 8}) {
		t.Errorf("inherited option: got %v, %v", d, ok)
	}
	if _, ok := b.Get("k"); ok {
		t.Error("b has an option of a")
	}
}

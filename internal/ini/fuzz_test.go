package ini

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// render writes f in such a way that reading it gives f again.
func render(f *File) string {
	var b strings.Builder
	for _, s := range append([]*Section{&f.defaults}, f.Sections...) {
		if s.Name == "" {
			continue
		}
		fmt.Fprintf(&b, "[%s]\n", s.Name)
		for _, o := range s.Options {
			fmt.Fprintf(&b, "%s = %s\n", o.Key, strings.ReplaceAll(o.Value, "\n", "\n "))
		}
	}
	return b.String()
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("[a]\nk=1\n 2\n\n 3\nL:x ;c\n[DEFAULT]\nd=1\n"))
	f.Add([]byte("\ufeff[a]\r\nk=v#x\r\n"))
	f.Add([]byte("junk"))
	f.Add([]byte("[a]\n=\n\xff"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var file File
		if err := file.Parse("x", data); err != nil {
			if e := err.(*Error); e.Line < 1 || e.Text == "" {
				t.Fatalf("%q: an error that says nothing: %+v", data, e)
			}
			return
		}
		for _, s := range file.Sections {
			if file.Section(s.Name) != s {
				t.Fatalf("%q: section %q cannot be found", data, s.Name)
			}
			for _, o := range s.Options {
				if o.Line < 1 || o.Key != strings.TrimFunc(o.Key, isSpace) || o.Value != strings.TrimRightFunc(o.Value, isSpace) {
					t.Fatalf("%q: a bad option %+v", data, o)
				}
			}
		}
		// A ; or # that was text may begin a comment where the rendering puts it.
		text := render(&file)
		if strings.ContainsAny(text, ";#") {
			return
		}
		var again File
		if err := again.Parse("x", []byte(text)); err != nil {
			t.Fatalf("%q was read, %q is not: %v", data, text, err)
		}
		if diff := cmp.Diff(show(&file), show(&again)); diff != "" {
			t.Fatalf("%q: rendered as %q it is another file (-first +again)\n%s", data, text, diff)
		}
	})
}

package expand

import (
	"strings"
	"testing"
)

func FuzzExpand(f *testing.F) {
	for _, s := range []string{"", "%", "%%", "%(s)s%(n)05d", "%(n)-+ #0*.*ld", "%(n)65536.9x", "%((s))r", "%s", "%(n)\xff", "%(n)#.3G%(s).1c"} {
		f.Add(s, "v\xffé", 7)
	}
	f.Fuzz(func(t *testing.T, template, value string, n int) {
		got, err := Expand(template, map[string]any{"s": value, "n": n})
		switch err.(type) {
		case nil, UnknownName, BadFormat:
		default:
			t.Fatalf("%q: an error of no known kind: %v", template, err)
		}
		if !strings.Contains(template, "%") && (err != nil || got != template) {
			t.Fatalf("%q has no %%, yet became %q, %v", template, got, err)
		}
		if got, err := Expand(strings.ReplaceAll(template, "%", "%%"), nil); err != nil || got != template {
			t.Fatalf("%q with its %% doubled became %q, %v", template, got, err)
		}
		if got, err := Expand("<%(s)s>", map[string]any{"s": template}); err != nil || got != "<"+template+">" {
			t.Fatalf("%q as a value became %q, %v", template, got, err)
		}
	})
}

package shellwords

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// quote writes s as one word.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func FuzzSplit(f *testing.F) {
	for _, s := range []string{"", "a b", `'a'"b"\c`, `"\`, "'", "\xff\\\xc3", `a\'b`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got, err := Split(quote(s)); err != nil || len(got) != 1 || got[0] != s {
			t.Fatalf("%q in quotes became %q, %v", s, got, err)
		}
		words, err := Split(s)
		if err != nil {
			return
		}
		var quoted []string
		for _, w := range words {
			quoted = append(quoted, quote(w))
		}
		again, err := Split(strings.Join(quoted, "\n"))
		if diff := cmp.Diff(words, again); err != nil || diff != "" {
			t.Fatalf("%q: rendered and split again: %v\n%s", s, err, diff)
		}
	})
}

func FuzzKeyValues(f *testing.F) {
	for _, s := range []string{"", `A=1,B="2"`, "A=x#y\n;B='", "É=\xff", "=='='='", `\==1`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		pairs, err := KeyValues(s)
		if err != nil {
			return
		}
		var b strings.Builder
		for k, v := range pairs {
			b.WriteString(quote(k) + "=" + quote(v) + ",")
		}
		again, err := KeyValues(b.String())
		if diff := cmp.Diff(pairs, again); err != nil || diff != "" {
			t.Fatalf("%q: rendered as %q and read again: %v\n%s", s, b.String(), err, diff)
		}
	})
}

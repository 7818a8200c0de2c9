package pyrepr

import (
	"strings"
	"testing"
	"unicode/utf8"

	"holdfast/internal/pyref"
)

func TestRepr(t *testing.T) {
	for _, tt := range []struct{ rule, in, want string }{
		{"an empty string", ``, `''`},
		{"single quotes are the rule", `web`, `'web'`},
		{"an apostrophe alone changes the quotes", `it's`, `"it's"`},
		{"a double quote alone does not", `say "x"`, `'say "x"'`},
		{"with both, the apostrophe is escaped", `it's "x"`, `'it\'s "x"'`},
		{"a backslash is doubled", `a\b`, `'a\\b'`},
		{"tab, newline and return have letters", "\t\n\r", `'\t\n\r'`},
		{"other control characters are hex", "\x00\x1b\x7f\u0085", `'\x00\x1b\x7f\x85'`},
		{"printable Unicode is kept", "é漢😀", "'é漢😀'"},
		{"a blank that is not ASCII is escaped", "\u00a0\u3000", `'\xa0\u3000'`},
		{"a BOM is escaped", "\ufeff[supervisord]\n", `'\ufeff[supervisord]\n'`},
		{"beyond the first plane there are eight digits", "\U000e0001", `'\U000e0001'`},
		{"a byte that is not UTF-8 is a lone surrogate", "caf\xe9", `'caf\udce9'`},
	} {
		if got := Repr(tt.in); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.rule, got, tt.want)
		}
	}
}

func TestASCII(t *testing.T) {
	for _, tt := range []struct{ rule, in, want string }{
		{"ASCII is as in Repr", `it's`, `"it's"`},
		{"all else is escaped", "é漢😀", `'\xe9\u6f22\U0001f600'`},
	} {
		if got := ASCII(tt.in); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.rule, got, tt.want)
		}
	}
}

// Every character, alone and between others, against the real repr. Characters that the other
// side's Unicode does not know yet are left out.
func TestReprIsPythons(t *testing.T) {
	var in []string
	for r := rune(0); r <= utf8.MaxRune; r++ {
		if utf8.ValidRune(r) && (r < 0x3000 || r >= 0xd800 || r%16 == 0) && (r < 0x20000 || r%64 == 1) {
			in = append(in, string(r))
		}
	}
	in = append(in, `'"`, `'`, `"`, "a'b\"c\\d", `\'`, `\"`, "\x00'")
	var out [][2]string
	pyref.Ask(t, `
import unicodedata
answer = [("" if len(s) == 1 and unicodedata.category(s) == "Cn" else repr(s), ascii(s)) for s in data]
`, in, &out)
	skipped := 0
	for i, s := range in {
		if out[i][0] == "" {
			skipped++
		} else if got := Repr(s); got != out[i][0] {
			t.Errorf("Repr(%q): got %s, want %s", s, got, out[i][0])
		}
		if got := ASCII(s); got != out[i][1] {
			t.Errorf("ASCII(%q): got %s, want %s", s, got, out[i][1])
		}
	}
	t.Logf("%d strings compared, %d characters unknown there", len(in), skipped)
}

func FuzzRepr(f *testing.F) {
	for _, s := range []string{"", "it's", "\"'", "\\", "\xff\xc3", "\u2028", "é"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := Repr(s)
		if len(got) < 2 || got[0] != got[len(got)-1] {
			t.Fatalf("Repr(%q) = %s is not quoted", s, got)
		}
		if strings.ContainsAny(got, "\n\r\t") {
			t.Fatalf("Repr(%q) = %q is not one line", s, got)
		}
		if !utf8.ValidString(got) {
			t.Fatalf("Repr(%q) = %q is not UTF-8", s, got)
		}
		for _, r := range ASCII(s) {
			if r >= utf8.RuneSelf {
				t.Fatalf("ASCII(%q) holds %q", s, r)
			}
		}
	})
}

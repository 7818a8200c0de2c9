// Package pyrepr writes a string as Python's repr does. Many texts that the original prints, and
// that scripts grep for, quote a name or a value that way.
//
//	web       'web'
//	it's      "it's"
//	a<TAB>b   'a\tb'
//	é         'é'
package pyrepr

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Repr returns Python's repr of the str s. A byte that is not UTF-8 comes out as the lone
// surrogate under which Python keeps such a byte ('\udce9').
//
// Characters that were added to Unicode lately may be printable here and escaped there, or the
// other way round: each runtime goes by its own tables.
func Repr(s string) string { return quote(s, unicode.IsPrint) }

// ASCII returns Python's ascii of the str s: like Repr, with everything beyond ASCII escaped.
func ASCII(s string) string {
	return quote(s, func(r rune) bool { return r < utf8.RuneSelf && unicode.IsPrint(r) })
}

func quote(s string, printable func(rune) bool) string {
	q := byte('\'')
	if strings.Contains(s, `'`) && !strings.Contains(s, `"`) {
		q = '"'
	}
	var b strings.Builder
	b.Grow(len(s) + 2)
	b.WriteByte(q)
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\udc%02x`, s[0])
		case r == rune(q) || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case printable(r):
			b.WriteRune(r)
		case r <= 0xff:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r <= 0xffff:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
		s = s[size:]
	}
	b.WriteByte(q)
	return b.String()
}

package web

import (
	"strings"
)

// A form is the variables of a request.
type form map[string]string

// parseForm reads the variables of a query and of a body. Of several with one name the query's
// first counts, but the body's last counts more. Empty ones are none.
func parseForm(query, body string) form {
	f := form{}
	for pair := range strings.SplitSeq(query, "&") {
		if name, value, _ := strings.Cut(pair, "="); value != "" && f[unquote(name)] == "" {
			f[unquote(name)] = unquote(value)
		}
	}
	for pair := range strings.SplitSeq(body, "&") {
		if name, value, _ := strings.Cut(pair, "="); value != "" {
			f[unquote(name)] = unquote(value)
		}
	}
	return f
}

// unquote is Python's: what is no escape stays as it is.
func unquote(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '+':
			b.WriteByte(' ')
		case c == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]):
			b.WriteByte(unhex(s[i+1])<<4 | unhex(s[i+2]))
			i += 2
		default:
			b.WriteByte(c)
		}
	}
	return strings.ToValidUTF8(b.String(), "\uFFFD")
}

const hexDigits = "0123456789ABCDEF"

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'A' <= c && c <= 'F' || 'a' <= c && c <= 'f'
}

func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c&^0x20 - 'A' + 10 // upper case
}

// quote is Python's: slashes stay.
func quote(s string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || strings.IndexByte("_.-~/", c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(hexDigits[c>>4])
		b.WriteByte(hexDigits[c&15])
	}
	return b.String()
}

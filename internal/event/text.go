package event

import (
	"strings"
	"unicode/utf8"
)

// Text gives data as listeners and the log are shown it: itself, and where it is not UTF-8 with
// every byte beyond ASCII escaped, as Python's repr of the bytes, so that nothing of it is lost.
func Text(data string) string {
	if utf8.ValidString(data) {
		return data
	}
	return "Undecodable: " + Repr(data)
}

// Repr is Python's repr of data as bytes: b'caf\xe9'.
func Repr(data string) string {
	quote := byte('\'')
	if strings.Contains(data, `'`) && !strings.Contains(data, `"`) {
		quote = '"'
	}
	var b strings.Builder
	b.Grow(len(data) + 3)
	b.WriteByte('b')
	b.WriteByte(quote)
	for i := range len(data) {
		switch c := data[i]; {
		case c == quote || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c == '\t':
			b.WriteString(`\t`)
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\r':
			b.WriteString(`\r`)
		case c < ' ' || c > '~':
			const digits = "0123456789abcdef"
			b.WriteString(`\x`)
			b.WriteByte(digits[c>>4])
			b.WriteByte(digits[c&15])
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte(quote)
	return b.String()
}

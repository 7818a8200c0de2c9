package ini

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// decodeError returns an error, in Python's words, if text is not UTF-8.
//
// Differs: the position counts from the start of the file. The original counts from the start of
// the 8 KiB block in which it meets the byte.
func decodeError(path, text string) error {
	if utf8.ValidString(text) {
		return nil
	}
	at := 0
	for {
		r, size := utf8.DecodeRuneInString(text[at:])
		if r == utf8.RuneError && size == 1 {
			break
		}
		at += size
	}
	reason, length := undecodable(text[at:])
	what := fmt.Sprintf("byte 0x%02x in position %d", text[at], at)
	if length > 1 {
		what = fmt.Sprintf("bytes in position %d-%d", at, at+length-1)
	}
	line := 1 + strings.Count(text[:at], "\n")
	return &Error{Path: path, Line: line, Text: fmt.Sprintf("'utf-8' codec can't decode %s: %s", what, reason)}
}

// undecodable says what is wrong with the sequence that s, which is not UTF-8, begins with, and how
// many bytes of it were good so far.
func undecodable(s string) (reason string, length int) {
	want := 0
	switch c := s[0]; {
	case 0xc2 <= c && c <= 0xdf:
		want = 2
	case 0xe0 <= c && c <= 0xef:
		want = 3
	case 0xf0 <= c && c <= 0xf4:
		want = 4
	default:
		return "invalid start byte", 1
	}
	// A beginning is good if some completion of it is a character.
	length = 1
	for length < want {
		if length == len(s) {
			return "unexpected end of data", length
		}
		if !completes(s[:length+1], want) {
			break
		}
		length++
	}
	return "invalid continuation byte", length
}

// completes tells whether the bytes s, filled up to n, can be a character.
func completes(s string, n int) bool {
	fill := n - len(s)
	return utf8.ValidString(s+strings.Repeat("\x80", fill)) || utf8.ValidString(s+strings.Repeat("\xbf", fill))
}

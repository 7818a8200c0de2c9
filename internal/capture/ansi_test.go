package capture

import (
	"regexp"
	"testing"
)

func stripped(text string, cuts []byte) string {
	var a ansi
	var out []byte
	for _, p := range pieces(text, cuts) {
		out = a.strip(out, p)
	}
	return string(a.end(out))
}

func TestStripANSI(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"plain text", "hello\n", "hello\n"},
		{"a colour", "\x1b[31mred\x1b[0m\n", "red\n"},
		{"several parameters", "\x1b[1;38;5;196mx", "x"},
		{"no parameters", "\x1b[Kx", "x"},
		{"a private mode", "\x1b[?25lx\x1b[?2004h", "x"},
		{"an intermediate byte", "\x1b[4 qx", "x"},
		{"a final byte that the original does not know", "\x1b[3Ghello\x1b[200~ m", "hello m"},
		{"a byte that is in none ends it and stays", "\x1b[31\nred", "\nred"},
		{"one begins in another", "\x1b[3\x1b[31mx", "x"},
		{"bytes beyond ASCII", "\x1b[3é", "é"},
		{"one without an end is taken away", "x\x1b[31", "x"},
		{"an ESC alone stays", "a\x1bb\x1b", "a\x1bb\x1b"},
		{"ESC before a sequence", "\x1b\x1b[mx", "\x1bx"},
		{"a title of a window stays", "\x1b]0;title\x07x", "\x1b]0;title\x07x"},
	} {
		if got := stripped(c.text, nil); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
		if got := stripped(c.text, ones(c.text)); got != c.want {
			t.Errorf("%s, byte by byte: got %q, want %q", c.name, got, c.want)
		}
	}
}

var sequence = regexp.MustCompile(`\x1b\[[ -?]*[@-~]?`)

func FuzzStripANSI(f *testing.F) {
	f.Add("\x1b[31mred\x1b[0m\n", []byte{1, 1, 3})
	f.Add("\x1b\x1b[3\x1b[K\x1b", []byte{2})
	f.Fuzz(func(t *testing.T, text string, cuts []byte) {
		whole := stripped(text, nil)
		for _, c := range [][]byte{cuts, ones(text)} {
			if got := stripped(text, c); got != whole {
				t.Errorf("cut: %q, whole: %q", got, whole)
			}
		}
		if want := string(sequence.ReplaceAll([]byte(text), nil)); whole != want {
			t.Errorf("got %q, want %q", whole, want)
		}
	})
}

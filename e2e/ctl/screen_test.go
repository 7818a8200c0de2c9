package ctl

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// screenWidth is wide enough for lines that are compared.
const screenWidth = 200

// screen is what stands on a terminal, as tall as need be, after it was sent text: a line each, without the
// blanks at its end.
func screen(text string) string {
	lines, row, col := [][]rune{nil}, 0, 0
	for len(text) > 0 {
		if n := sequence(text); n > 0 {
			s := text[:n]
			text = text[n:]
			switch s[n-1] {
			case 'C':
				col += count(s)
			case 'D':
				col = max(col-count(s), 0)
			case 'G':
				col = count(s) - 1
			case 'A':
				row = max(row-count(s), 0)
			case 'K', 'J':
				if s[2] == '2' { // all of it
					lines[row] = nil
				}
				lines[row] = lines[row][:min(col, len(lines[row]))]
				if s[n-1] == 'J' {
					lines = lines[:row+1]
				}
			case 'P':
				if l := lines[row]; col < len(l) {
					lines[row] = append(l[:col:col], l[min(col+count(s), len(l)):]...)
				}
			case '@':
				if l := lines[row]; col < len(l) {
					lines[row] = append(append(l[:col:col], []rune(strings.Repeat(" ", count(s)))...), l[col:]...)
				}
			}
			continue
		}
		r, n := utf8.DecodeRuneInString(text)
		text = text[n:]
		switch r {
		case '\r':
			col = 0
			continue
		case '\n':
			row++
		case '\b':
			col = max(col-1, 0)
			continue
		case '\t':
			col = (col/8 + 1) * 8
			continue
		case '\a':
			continue
		default:
			if col == screenWidth {
				row, col = row+1, 0
			}
		}
		for row >= len(lines) {
			lines = append(lines, nil)
		}
		if r == '\n' {
			continue
		}
		for col >= len(lines[row]) {
			lines[row] = append(lines[row], ' ')
		}
		lines[row][col] = r
		col++
	}
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(strings.TrimRight(string(l), " ") + "\n")
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

// sequence is the length of the control sequence at the beginning of text, 0 if there is none.
func sequence(text string) int {
	if !strings.HasPrefix(text, "\x1b[") {
		return 0
	}
	for i := 2; i < len(text); i++ {
		if text[i] >= '@' && text[i] <= '~' {
			return i + 1
		}
	}
	return 0
}

// count is the number in a control sequence, 1 if there is none.
func count(sequence string) int {
	n := 0
	for _, c := range sequence[2 : len(sequence)-1] {
		if c < '0' || c > '9' {
			return 1
		}
		n = n*10 + int(c-'0')
	}
	return max(n, 1)
}

func TestScreen(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"lines", "a\r\nb", "a\nb\n"},
		{"a line written over", "abc\rX", "Xbc\n"},
		{"a cursor that goes back", "abc\b\bX\x1b[1Cd", "aXcd\n"},
		{"columns", "abc\x1b[2DX\x1b[5GY", "aXc Y\n"},
		{"cleared to the end", "abc\x1b[2D\x1b[K", "a\n"},
		{"a cleared line", "abc\x1b[2Kd", "   d\n"},
		{"all below cleared", "a\r\nb\r\nc\x1b[2A\x1b[J", "a\n"},
		{"characters taken out and put in", "abcd\x1b[3D\x1b[P\x1b[2@XY", "aXYcd\n"},
		{"what is not shown", "\x1b[?2004h\x1b[1;31mred\x1b[0m\a", "red\n"},
		{"a long line", strings.Repeat("x", screenWidth) + "yz", strings.Repeat("x", screenWidth) + "\nyz\n"},
	} {
		if got := screen(tt.text); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

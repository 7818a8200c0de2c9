package capture

import "bytes"

const escape = 0x1b

// ansi takes the terminal's control sequences out of a stream that comes in pieces (manual:
// strip_ansi): ESC, [, parameters (0 to ?), intermediates (blank to /), and one byte from @ to ~
// that ends it. A byte that can't be in one, such as a line feed, ends it too, and stays. All other
// escape sequences, such as titles of windows, stay.
//
// It withholds at most an ESC at the end of a piece.
//
// Differs: the original does not see a sequence that two reads were cut in, and after a final byte
// that it does not know it takes the text away, to the next one that it knows.
type ansi struct{ in ansiState }

type ansiState int

const (
	inText     ansiState = iota
	atEscape             // behind an ESC that is not given out yet
	inSequence           // behind ESC [
)

// strip appends to dst what is left of p.
func (a *ansi) strip(dst, p []byte) []byte {
	for len(p) > 0 {
		switch a.in {
		case inText:
			i := bytes.IndexByte(p, escape)
			if i < 0 {
				return append(dst, p...)
			}
			dst = append(dst, p[:i]...)
			p = p[i+1:]
			a.in = atEscape
		case atEscape:
			if p[0] == '[' {
				p = p[1:]
				a.in = inSequence
				continue
			}
			dst = a.end(dst)
		case inSequence:
			switch c := p[0]; {
			case c >= '@' && c <= '~':
				p = p[1:]
				a.in = inText
			case c >= ' ' && c <= '?':
				p = p[1:]
			default:
				a.in = inText
			}
		}
	}
	return dst
}

// end appends what was withheld, and what comes next is text.
func (a *ansi) end(dst []byte) []byte {
	if a.in == atEscape {
		dst = append(dst, escape)
	}
	a.in = inText
	return dst
}

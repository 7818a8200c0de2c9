package capture

import "bytes"

// matchLimit is how much of a line is looked at.
const matchLimit = 8 << 10

// A matcher shows the lines of a stream that comes in pieces until somebody has found the one that was looked for.
type matcher struct {
	match func(line []byte) bool // nil: nothing is looked for any more
	line  []byte                 // what there is of a line that has no end yet
	long  bool                   // that line was shown, as it is longer than what is looked at
}

// add shows the lines that p completes, without what ends them.
func (m *matcher) add(p []byte) {
	for len(p) > 0 && m.match != nil {
		i := bytes.IndexByte(p, '\n')
		piece, ends := p, i >= 0
		if ends {
			piece = p[:i]
		}
		p = p[len(piece):]
		if ends {
			p = p[1:]
		}
		switch {
		case m.long:
			m.long = !ends
		case len(m.line) == 0 && ends:
			m.show(bytes.TrimSuffix(piece, []byte("\r")))
		default:
			m.line = append(m.line, piece[:min(len(piece), matchLimit-len(m.line)+1)]...)
			if full := len(m.line) > matchLimit; full || ends {
				m.end()
				m.long = full && !ends
			}
		}
	}
}

// end makes a line of what there is of one.
func (m *matcher) end() {
	line := m.line
	m.line, m.long = nil, false
	if len(line) > 0 {
		m.show(bytes.TrimSuffix(line, []byte("\r")))
	}
}

func (m *matcher) show(line []byte) {
	if m.match != nil && m.match(line[:min(len(line), matchLimit)]) {
		*m = matcher{}
	}
}

// unfinished is how much there is of a line of which the end is still to be seen.
func (m *matcher) unfinished() int { return len(m.line) }

package capture

import "bytes"

// maxLine is the longest line that lines puts together; what is longer comes in pieces.
const maxLine = 64 << 10

// lines puts together the lines of a stream that comes in pieces. Empty lines come only when there
// is something behind them.
//
// Differs: the original sends what it has read, so that a line may come in two.
type lines struct {
	line  []byte // that has no end yet
	empty int    // lines that nothing has come behind
}

// add calls each for every line that p completes.
func (l *lines) add(p []byte, each func(string)) {
	for len(p) > 0 {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			i = len(p)
		}
		if room := maxLine - len(l.line); i > room {
			l.line = append(l.line, p[:room]...)
			p = p[room:]
			l.end(each)
			continue
		}
		l.line = append(l.line, p[:i]...)
		if i == len(p) {
			return
		}
		p = p[i+1:]
		if len(l.line) == 0 {
			l.empty++
		}
		l.end(each)
	}
}

// end makes a line of what has come of one.
func (l *lines) end(each func(string)) {
	if len(l.line) == 0 {
		return
	}
	for ; l.empty > 0; l.empty-- {
		each("")
	}
	each(string(l.line))
	l.line = l.line[:0]
	if cap(l.line) > 4096 {
		l.line = nil
	}
}

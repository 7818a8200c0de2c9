package child

import (
	"fmt"
	"os"
	"strconv"
	"unicode"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// What a command says is for people: so much of it goes into the log, and the rest is counted.
const (
	saidLines = 100
	saidBytes = 16 << 10
	saidLine  = 1 << 10
)

// said takes what a command says apart into lines.
type said struct {
	say  func(line string) // nil: it is not logged
	last string            // the last line that says something

	line                []byte // what has come of a line
	beyond              int    // so many bytes of it are left out
	lines, bytes        int    // logged
	leftLines, leftSize int    // not logged
}

// read takes what comes until f's deadline, or until nobody is left to write.
func (s *said) read(f *os.File) {
	buf := make([]byte, 4096)
	for {
		n, err := f.Read(buf)
		s.write(buf[:n])
		if err != nil {
			return
		}
	}
}

// drain takes what is in the pipe now: others may hold it open, and write, for ever.
func (s *said) drain(f *os.File) {
	conn, err := f.SyscallConn()
	if err != nil {
		return
	}
	_ = conn.Control(func(fd uintptr) {
		left, err := unix.IoctlGetInt(int(fd), unix.TIOCINQ)
		buf := make([]byte, 4096)
		for err == nil && left > 0 {
			var n int
			n, err = unix.Read(int(fd), buf[:min(left, len(buf))])
			if n <= 0 {
				return
			}
			s.write(buf[:n])
			left -= n
		}
	})
}

func (s *said) write(b []byte) {
	for _, c := range b {
		switch {
		case c == '\n':
			s.endLine()
		case len(s.line) < saidLine:
			s.line = append(s.line, c)
		default:
			s.beyond++
		}
	}
}

// lastWords is the second line of a process that could not execute its program; the first says why.
const lastWords = "supervisor: child process was not spawned"

func (s *said) endLine() {
	text, size := visible(s.line), len(s.line)+s.beyond
	if s.beyond > 0 {
		text += fmt.Sprintf("... (%d bytes more)", s.beyond)
	}
	s.line, s.beyond = s.line[:0], 0
	if text == "" {
		return
	}
	if text != lastWords {
		s.last = text
	}
	switch {
	case s.leftLines > 0 || s.lines == saidLines || s.bytes+len(text) > saidBytes:
		s.leftLines++
		s.leftSize += size
	case s.say != nil:
		s.say(text)
		fallthrough
	default:
		s.lines++
		s.bytes += len(text)
	}
}

// end takes the end of what there is.
func (s *said) end() {
	s.endLine()
	if s.leftLines > 0 && s.say != nil {
		s.say(fmt.Sprintf("(%d more lines, %d bytes, are left out)", s.leftLines, s.leftSize))
	}
}

// visible shows what does not print as Go would write it: "\x1b".
func visible(b []byte) string {
	text := make([]byte, 0, len(b))
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		switch {
		case r == utf8.RuneError && n == 1:
			text = fmt.Appendf(text, `\x%02x`, b[0])
		case r == '\t' || unicode.IsPrint(r):
			text = append(text, b[:n]...)
		default:
			q := strconv.QuoteRune(r)
			text = append(text, q[1:len(q)-1]...)
		}
		b = b[n:]
	}
	return string(text)
}

package xmlrpc

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A kind is what a token is. Comments, processing instructions and attributes are skipped: XML-RPC
// gives them no meaning.
type kind int

const (
	endOfInput kind = iota
	startTag
	endTag
	charData
)

type token struct {
	kind kind
	text string // a tag's name, or the characters with references resolved
}

// A scanner cuts a document into tokens. encoding/xml is not used because it refuses control
// characters, which the original daemon sends whenever a log has colours.
type scanner struct {
	in     string
	pos    int
	closes string // the element that the last tag, <x/>, closes as well
}

func (s *scanner) next() (token, error) {
	if s.closes != "" {
		name := s.closes
		s.closes = ""
		return token{endTag, name}, nil
	}
	for s.pos < len(s.in) {
		rest := s.in[s.pos:]
		switch {
		case rest[0] != '<':
			n := strings.IndexByte(rest, '<')
			if n < 0 {
				n = len(rest)
			}
			s.pos += n
			text, err := resolve(rest[:n])
			return token{charData, text}, err
		case strings.HasPrefix(rest, "<!--"):
			if err := s.skip(4, "-->"); err != nil {
				return token{}, err
			}
		case strings.HasPrefix(rest, "<?"):
			if err := s.skip(2, "?>"); err != nil {
				return token{}, err
			}
		case strings.HasPrefix(rest, "<![CDATA["):
			begin := s.pos + 9
			if err := s.skip(9, "]]>"); err != nil {
				return token{}, err
			}
			return token{charData, s.in[begin : s.pos-3]}, nil
		case strings.HasPrefix(rest, "<!"):
			return token{}, fmt.Errorf("cannot read the declaration at byte %d: calls have none", s.pos)
		default:
			return s.tag()
		}
	}
	return token{}, nil
}

// skip moves behind the next until that begins at least n bytes from here.
func (s *scanner) skip(n int, until string) error {
	i := strings.Index(s.in[s.pos+n:], until)
	if i < 0 {
		return fmt.Errorf("cannot find the %q for byte %d", until, s.pos)
	}
	s.pos += n + i + len(until)
	return nil
}

// tag reads <name attributes>, <name/> or </name>.
func (s *scanner) tag() (token, error) {
	begin := s.pos
	i := s.pos + 1
	var quote byte
	for ; i < len(s.in); i++ {
		switch c := s.in[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '<':
			return token{}, fmt.Errorf("cannot read the tag at byte %d: it has a < in it", begin)
		case c == '>':
			s.pos = i + 1
			return s.split(s.in[begin+1:i], begin)
		}
	}
	return token{}, fmt.Errorf("cannot read the tag at byte %d: it has no end", begin)
}

func (s *scanner) split(inside string, at int) (token, error) {
	t := token{kind: startTag}
	if strings.HasPrefix(inside, "/") {
		t.kind = endTag
		inside = inside[1:]
	}
	inside, selfClosed := strings.CutSuffix(inside, "/")
	n := strings.IndexAny(inside, " \t\r\n")
	if n < 0 {
		n = len(inside)
	}
	t.text = inside[:n]
	if t.text == "" || strings.ContainsAny(t.text, "/\"'=&") || t.kind == endTag && selfClosed {
		return token{}, fmt.Errorf("cannot read the tag at byte %d: it has no proper name", at)
	}
	if selfClosed {
		s.closes = t.text
	}
	return t, nil
}

// resolve replaces the references in s: the five that XML has, and character numbers.
func resolve(s string) (string, error) {
	if strings.IndexByte(s, '&') < 0 {
		return s, nil
	}
	var b strings.Builder
	for {
		before, after, found := strings.Cut(s, "&")
		b.WriteString(before)
		if !found {
			return b.String(), nil
		}
		name, rest, found := strings.Cut(after, ";")
		r, ok := reference(name)
		if !found || !ok {
			return "", fmt.Errorf("cannot resolve a reference: &%.10s", after)
		}
		b.WriteRune(r)
		s = rest
	}
}

func reference(name string) (rune, bool) {
	switch name {
	case "lt":
		return '<', true
	case "gt":
		return '>', true
	case "amp":
		return '&', true
	case "quot":
		return '"', true
	case "apos":
		return '\'', true
	}
	digits, base := strings.TrimPrefix(name, "#"), 10
	if digits == name {
		return 0, false
	}
	if strings.HasPrefix(digits, "x") {
		digits, base = digits[1:], 16
	}
	n, err := strconv.ParseUint(digits, base, 32)
	if err != nil || n > utf8.MaxRune || !utf8.ValidRune(rune(n)) {
		return 0, false
	}
	return rune(n), true
}

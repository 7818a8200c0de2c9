package ini

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"holdfast/internal/pyrepr"
)

// An Error says why a file cannot be read, in the original's words.
type Error struct {
	Path string
	Line int // the first line that is wrong
	Text string
}

func (e *Error) Error() string { return e.Text }

// Parse merges the file's text into f, as an included file does: sections that are there gain
// options, options that are there get the new value. Every bad line is in the error, a *Error;
// after one f holds a part of the file and is of no use.
func (f *File) Parse(path string, data []byte) error {
	text := string(data)
	if err := decodeError(path, text); err != nil {
		return err
	}
	// Differs: a byte order mark is skipped; the original takes it for text before the first
	// header and refuses the file.
	text = strings.TrimPrefix(text, "\ufeff")
	text = strings.ReplaceAll(text, "\r\n", "\n")
	text = strings.ReplaceAll(text, "\r", "\n")

	p := parser{file: f, path: path}
	number := 0
	for line := range strings.Lines(text) {
		number++
		if !p.line(number, line) {
			return &Error{Path: path, Line: number, Text: fmt.Sprintf(
				"File contains no section headers.\nfile: %s, line: %d\n%s",
				pyrepr.Repr(path), number, pyrepr.Repr(line))}
		}
	}
	p.finish()
	if p.bad.Len() > 0 {
		return &Error{Path: path, Line: p.firstBad, Text: fmt.Sprintf(
			"Source contains parsing errors: %s%s", pyrepr.Repr(path), p.bad.String())}
	}
	return nil
}

// parser is the state between two lines of a file.
type parser struct {
	file    *File
	path    string
	section *Section // nil before the first header
	option  Option   // the one that a continuation would continue; no key: there is none
	value   []string // its lines
	indent  int      // how deep the last line that was no continuation stood

	firstBad int
	bad      strings.Builder // one "\n\t[line ..." for each bad line
}

// line takes the next line, its newline included. It is false if the line can belong to nothing,
// because no section was opened yet.
func (p *parser) line(number int, line string) bool {
	text, commented := cutComment(line)
	text = strings.TrimFunc(text, isSpace)
	if text == "" {
		// A blank line may be part of a long value; a comment never is.
		if !commented && p.option.Key != "" {
			p.value = append(p.value, "")
		}
		return true
	}
	depth := indentation(line)
	if p.option.Key != "" && depth > p.indent {
		p.value = append(p.value, text)
		return true
	}
	p.indent = depth
	if name, ok := header(text); ok {
		p.finish()
		p.section = p.file.open(name, p.path, number)
		return true
	}
	if p.section == nil {
		return false
	}
	i := strings.IndexAny(text, "=:")
	if i < 0 {
		// What was begun before goes on: a deeper line after this one continues it.
		p.complain(number, line)
		return true
	}
	p.finish()
	key := strings.ToLower(strings.TrimRightFunc(text[:i], isSpace))
	if key == "" {
		p.complain(number, line)
		return true
	}
	p.option = Option{Key: key, File: p.path, Line: number}
	p.value = []string{strings.TrimFunc(text[i+1:], isSpace)}
	return true
}

// finish stores the option that was being read.
func (p *parser) finish() {
	if p.option.Key != "" {
		p.option.Value = strings.TrimRightFunc(strings.Join(p.value, "\n"), isSpace)
		p.section.set(p.option)
	}
	p.option, p.value = Option{}, nil
}

func (p *parser) complain(number int, line string) {
	if p.firstBad == 0 {
		p.firstBad = number
	}
	fmt.Fprintf(&p.bad, "\n\t[line %2d]: %s", number, pyrepr.Repr(line))
}

// header returns the name between the first [ and the last ].
func header(text string) (string, bool) {
	end := strings.LastIndexByte(text, ']')
	if text[0] != '[' || end < 2 {
		return "", false
	}
	return text[1:end], true
}

// cutComment returns the line up to its comment and whether there was one. A comment starts with
// a ; or # that stands first in the line or after a blank.
//
// As in the original, the nth ; is looked at together with the nth #, and the search ends with the
// first n that finds a comment: in "a;b ;c #d" the comment is "#d", because that # is the first.
func cutComment(line string) (string, bool) {
	if trimmed := strings.TrimLeftFunc(line, isSpace); trimmed != "" && (trimmed[0] == '#' || trimmed[0] == ';') {
		return "", true
	}
	semicolon, hash := -1, -1
	for {
		semicolon, hash = next(line, ';', semicolon), next(line, '#', hash)
		if semicolon == len(line) && hash == len(line) {
			return line, false
		}
		end := len(line)
		for _, i := range []int{semicolon, hash} {
			if i < end && startsComment(line, i) {
				end = i
			}
		}
		if end < len(line) {
			return line[:end], true
		}
	}
}

// next returns where in line the first c after index i stands, len(line) if there is none.
func next(line string, c byte, i int) int {
	if i == len(line) {
		return i
	}
	if n := strings.IndexByte(line[i+1:], c); n >= 0 {
		return i + 1 + n
	}
	return len(line)
}

func startsComment(line string, i int) bool {
	before, size := utf8.DecodeLastRuneInString(line[:i])
	return size == 0 || isSpace(before)
}

// indentation returns how many characters, not bytes, stand before the text of the line.
func indentation(line string) int {
	return utf8.RuneCountInString(line) - utf8.RuneCountInString(strings.TrimLeftFunc(line, isSpace))
}

// isSpace tells whether Python counts r among the blanks: the four separators of ASCII, too.
func isSpace(r rune) bool { return unicode.IsSpace(r) || '\x1c' <= r && r <= '\x1f' }

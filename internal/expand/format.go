package expand

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"holdfast/internal/pyrepr"
)

// everything is the argument of a field without a name: in Python the whole table of values.
type everything struct{}

// maxField bounds the width and the number of digits of a field.
// Differs: the original goes on until its memory is full. Linux passes no argument and no
// environment variable of more than 128 KiB to a program, so a wider field is a slip.
const maxField = 1 << 16

// formatter is the state of one expansion.
type formatter struct {
	rest  string // what is still to be read
	index int    // how many characters were read
	vars  map[string]any
	arg   any  // what the next conversion is about
	used  bool // arg was taken already: a value serves one field
	out   strings.Builder
}

// spec is a field as it was written.
type spec struct {
	left, plus, blank, alt, zero bool
	width, precision             int // -1: not given
	verb                         rune
}

// next reads a character; a byte that is not UTF-8 is the lone surrogate that it is in Python.
func (f *formatter) next() (rune, bool) {
	r, size := utf8.DecodeRuneInString(f.rest)
	if size == 0 {
		return 0, false
	}
	if r == utf8.RuneError && size == 1 {
		r = 0xdc00 | rune(f.rest[0])
	}
	f.rest = f.rest[size:]
	f.index++
	return r, true
}

// skip passes over text, with which the rest begins.
func (f *formatter) skip(text string) {
	f.rest = f.rest[len(text):]
	f.index += utf8.RuneCountInString(text)
}

// field reads what follows a % and writes its value.
func (f *formatter) field() error {
	if strings.HasPrefix(f.rest, "%") {
		f.skip("%")
		f.out.WriteByte('%')
		return nil
	}
	s, err := f.parse()
	if err != nil {
		return err
	}
	arg, err := f.take()
	if err != nil {
		return err
	}
	head, body, err := f.convert(s, arg)
	if err != nil {
		return err
	}
	return f.write(s, head, body)
}

// take hands out the argument. There is one for each name, not one for each field.
func (f *formatter) take() (any, error) {
	if f.used {
		return nil, BadFormat{"not enough arguments for format string"}
	}
	f.used = true
	return f.arg, nil
}

// parse reads a field up to its verb: (name), flags, width, precision.
func (f *formatter) parse() (spec, error) {
	s := spec{width: -1, precision: -1}
	if strings.HasPrefix(f.rest, "(") {
		if err := f.name(); err != nil {
			return s, err
		}
	}
	for {
		c, ok := f.next()
		if !ok {
			return s, BadFormat{"incomplete format"}
		}
		switch c {
		case '-':
			s.left = true
		case '+':
			s.plus = true
		case ' ':
			s.blank = true
		case '#':
			s.alt = true
		case '0':
			s.zero = true
		default:
			return f.size(s, c)
		}
	}
}

// name reads a name, in which parentheses may nest, and fetches its value.
func (f *formatter) name() error {
	depth := 0
	for i, c := range f.rest {
		switch c {
		case '(':
			depth++
		case ')':
			depth--
		}
		if depth == 0 {
			name := f.rest[1:i]
			f.skip(f.rest[:i+1])
			value, ok := f.vars[name]
			if !ok {
				return UnknownName{name}
			}
			f.arg, f.used = value, false
			return nil
		}
	}
	return BadFormat{"incomplete format key"}
}

// size reads width, precision and verb of a field; c is the first character after the flags.
//
// A star takes the argument for a size, and none is left for the field: with a star every field
// fails in the end. What the size would have been does not matter, only which error comes first.
func (f *formatter) size(s spec, c rune) (spec, error) {
	ok := true
	var err error
	if c == '*' {
		if _, err = f.star(); err != nil {
			return s, err
		}
		c, ok = f.next()
	} else if isDigit(c) {
		if s.width, c, ok, err = f.number(c, math.MaxInt, "width too big"); err != nil {
			return s, err
		}
	}
	if ok && c == '.' {
		s.precision = 0
		if c, ok = f.next(); ok && c == '*' {
			n, err := f.star()
			if err != nil {
				return s, err
			}
			if n != int(int32(n)) {
				return s, BadFormat{"Python int too large to convert to C int"}
			}
			c, ok = f.next()
		} else if ok && isDigit(c) {
			if s.precision, c, ok, err = f.number(c, math.MaxInt32, "precision too big"); err != nil {
				return s, err
			}
		}
	}
	if ok && (c == 'h' || c == 'l' || c == 'L') {
		c, ok = f.next()
	}
	if !ok {
		return s, BadFormat{"incomplete format"}
	}
	s.verb = c
	return s, nil
}

// number reads the digits that begin with c and returns what follows them, too.
func (f *formatter) number(c rune, limit int, tooBig string) (n int, after rune, ok bool, err error) {
	for ok = true; ok && isDigit(c); c, ok = f.next() {
		digit := int(c - '0')
		if n > (limit-digit)/10 {
			return 0, 0, false, BadFormat{tooBig}
		}
		n = n*10 + digit
	}
	return n, c, ok, nil
}

// star takes the argument for a size.
func (f *formatter) star() (int, error) {
	arg, err := f.take()
	if err != nil {
		return 0, err
	}
	n, ok := arg.(int)
	if !ok {
		return 0, BadFormat{"* wants int"}
	}
	return n, nil
}

func isDigit(c rune) bool { return '0' <= c && c <= '9' }

// convert turns arg into text. Zeros may be filled in between head and body, nowhere else.
func (f *formatter) convert(s spec, arg any) (head, body string, err error) {
	switch s.verb {
	case 's', 'r', 'a':
		body, err = text(s, arg)
	case 'd', 'i', 'u', 'o', 'x', 'X':
		head, body, err = integer(s, arg)
	case 'e', 'E', 'f', 'F', 'g', 'G':
		head, body, err = float(s, arg)
	case 'c':
		body, err = character(arg)
	default:
		shown := '?'
		if 31 <= s.verb && s.verb <= 126 {
			shown = s.verb
		}
		err = BadFormat{fmt.Sprintf("unsupported format character '%c' (0x%x) at index %d", shown, s.verb, f.index-1)}
	}
	return head, body, err
}

func text(s spec, arg any) (string, error) {
	var body string
	switch v := arg.(type) {
	case everything:
		// Differs: the original puts the whole table here, with every environment variable.
		return "", BadFormat{fmt.Sprintf("%%%c without a (name); a percent sign is written %%%%", s.verb)}
	case string:
		switch s.verb {
		case 's':
			body = v
		case 'r':
			body = pyrepr.Repr(v)
		case 'a':
			body = pyrepr.ASCII(v)
		}
	default:
		body = fmt.Sprint(v)
	}
	if s.precision >= 0 {
		count := 0
		for i := range body {
			if count == s.precision {
				return body[:i], nil
			}
			count++
		}
	}
	return body, nil
}

func integer(s spec, arg any) (head, body string, err error) {
	base, prefix, kind := 10, "", "a real number"
	switch s.verb {
	case 'o':
		base, prefix, kind = 8, "0o", "an integer"
	case 'x', 'X':
		base, prefix, kind = 16, "0x", "an integer"
	}
	n, ok := arg.(int)
	if !ok {
		return "", "", BadFormat{fmt.Sprintf("%%%c format: %s is required, not %s", s.verb, kind, typeName(arg))}
	}
	if s.precision > maxField {
		return "", "", BadFormat{"precision too big"}
	}
	body, negative := strings.CutPrefix(strconv.FormatInt(int64(n), base), "-")
	body = strings.Repeat("0", max(s.precision-len(body), 0)) + body
	if s.alt {
		head = prefix
	}
	if s.verb == 'X' {
		head, body = strings.ToUpper(head), strings.ToUpper(body)
	}
	return sign(s, negative) + head, body, nil
}

func float(s spec, arg any) (head, body string, err error) {
	n, ok := arg.(int)
	if !ok {
		return "", "", BadFormat{"must be real number, not " + typeName(arg)}
	}
	precision := 6
	if s.precision >= 0 {
		precision = s.precision
	}
	if precision > maxField {
		return "", "", BadFormat{"precision too big"}
	}
	format := "%.*" + string(s.verb)
	if s.alt {
		format = "%#.*" + string(s.verb)
	}
	body, negative := strings.CutPrefix(fmt.Sprintf(format, precision, float64(n)), "-")
	return sign(s, negative), body, nil
}

func character(arg any) (string, error) {
	switch v := arg.(type) {
	case int:
		// Differs: a surrogate is refused, too. The original makes a character of it that no file
		// and no environment can hold.
		if v != int(rune(v)) || !utf8.ValidRune(rune(v)) {
			return "", BadFormat{"%c arg not in range(0x110000)"}
		}
		return string(rune(v)), nil
	case string:
		if utf8.RuneCountInString(v) == 1 {
			return v, nil
		}
	}
	return "", BadFormat{"%c requires int or char"}
}

func sign(s spec, negative bool) string {
	switch {
	case negative:
		return "-"
	case s.plus:
		return "+"
	case s.blank:
		return " "
	}
	return ""
}

func typeName(arg any) string {
	if _, ok := arg.(everything); ok {
		return "dict"
	}
	return "str"
}

// write writes a field in its width.
func (f *formatter) write(s spec, head, body string) error {
	if s.width > maxField {
		return BadFormat{"width too big"}
	}
	fill := max(s.width-utf8.RuneCountInString(head)-utf8.RuneCountInString(body), 0)
	before, between, after := 0, 0, 0
	switch {
	case s.left:
		after = fill
	case s.zero && strings.ContainsRune("diuoxXeEfFgG", s.verb):
		between = fill
	default:
		before = fill
	}
	f.out.WriteString(strings.Repeat(" ", before))
	f.out.WriteString(head)
	f.out.WriteString(strings.Repeat("0", between))
	f.out.WriteString(body)
	f.out.WriteString(strings.Repeat(" ", after))
	return nil
}

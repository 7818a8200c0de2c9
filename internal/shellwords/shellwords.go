// Package shellwords splits text as Python's shlex does in POSIX mode: command= into words, and
// environment= into keys and values. Nothing is expanded, $ ~ * mean nothing.
//
//	/bin/sh -c 'echo "$X"' a\ b    /bin/sh | -c | echo "$X" | a b
//	A="1,2",B='it is',C=/x         A: 1,2   B: it is   C: /x
//
// In both, '...' is taken as it is, in "..." a backslash escapes " and \ only, and outside of
// quotes it escapes any character. Quotes may stand inside a word, and newlines inside quotes.
package shellwords

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// What is wrong with text that does not end as it began.
var (
	//lint:ignore ST1005 the original's words
	ErrNoClosingQuotation = errors.New("No closing quotation")
	//lint:ignore ST1005 the original's words
	ErrNoEscapedCharacter = errors.New("No escaped character")
)

// Split returns the words of s, which blanks, tabs and line ends part. There are no comments.
func Split(s string) ([]string, error) {
	l := lexer{rest: s, inWord: func(rune) bool { return true }}
	return l.tokens()
}

// KeyValues reads KEY=VALUE pairs and whatever stands between two of them: any one token does, for
// the original does not look at it. Of the same key the last value wins.
//
// A token is a word of letters, digits, _ / . + - ( ) : and quoted text, or else any other
// character by itself, so that a value with a $ or an @ in it needs quotes. A # begins a comment,
// even inside a word.
func KeyValues(s string) (map[string]string, error) {
	l := lexer{rest: s, inWord: isWordCharacter, comments: true}
	tokens, err := l.tokens()
	if err != nil {
		return nil, err
	}
	pairs := map[string]string{}
	for i := 0; i < len(tokens); i += 4 {
		if i+2 >= len(tokens) || tokens[i+1] != "=" {
			//lint:ignore ST1005 the original's words
			return nil, fmt.Errorf("Unexpected end of key/value pairs in value '%s'", s)
		}
		pairs[tokens[i]] = tokens[i+2]
	}
	return pairs, nil
}

// isWordCharacter tells whether r may stand in a word of KeyValues without quotes. Beyond ASCII
// these are the letters of Latin-1.
//
// Differs: 4.2.5 takes ASCII only; this is 4.4.
func isWordCharacter(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', strings.ContainsRune("_/.+-():", r):
		return true
	}
	return 'À' <= r && r <= 'ÿ' && r != '×' && r != '÷'
}

const blanks = " \t\r\n"

// lexer takes tokens from the front of rest.
type lexer struct {
	rest     string
	inWord   func(rune) bool // may be part of a word of several characters
	comments bool            // # begins one
}

func (l *lexer) tokens() ([]string, error) {
	var all []string
	for {
		token, ok, err := l.token()
		if err != nil {
			return nil, err
		}
		if !ok {
			return all, nil
		}
		all = append(all, token)
	}
}

// token returns the next token; ok is false if there is none. An empty one was quoted.
func (l *lexer) token() (token string, ok bool, err error) {
	for l.rest != "" && (strings.IndexByte(blanks, l.rest[0]) >= 0 || l.skipComment()) {
		l.rest = strings.TrimLeft(l.rest, blanks)
	}
	var b strings.Builder
	for ; l.rest != ""; ok = true {
		r, size := utf8.DecodeRuneInString(l.rest)
		switch {
		case r == '\'' || r == '"':
			if err := l.quoted(&b); err != nil {
				return "", false, err
			}
		case r == '\\':
			_, size := utf8.DecodeRuneInString(l.rest[1:])
			if size == 0 {
				return "", false, ErrNoEscapedCharacter
			}
			b.WriteString(l.rest[1 : 1+size])
			l.rest = l.rest[1+size:]
		case strings.ContainsRune(blanks, r) || l.comments && r == '#':
			return b.String(), ok, nil
		case l.inWord(r):
			b.WriteString(l.rest[:size])
			l.rest = l.rest[size:]
		case ok:
			return b.String(), ok, nil
		default:
			token, l.rest = l.rest[:size], l.rest[size:]
			return token, true, nil
		}
	}
	return b.String(), ok, nil
}

// skipComment passes over a comment up to the end of its line and tells whether there was one.
func (l *lexer) skipComment() bool {
	if !l.comments || l.rest[0] != '#' {
		return false
	}
	_, l.rest, _ = strings.Cut(l.rest, "\n")
	return true
}

// quoted takes a quotation, with which the rest begins, and writes what it holds.
func (l *lexer) quoted(b *strings.Builder) error {
	quote := l.rest[0]
	for i := 1; i < len(l.rest); i++ {
		c := l.rest[i]
		switch {
		case c == quote:
			l.rest = l.rest[i+1:]
			return nil
		case c == '\\' && quote == '"':
			i++
			if i == len(l.rest) {
				return ErrNoEscapedCharacter
			}
			if l.rest[i] != '"' && l.rest[i] != '\\' {
				b.WriteByte('\\')
			}
			b.WriteByte(l.rest[i])
		default:
			b.WriteByte(c)
		}
	}
	return ErrNoClosingQuotation
}

package config

import (
	"os"
	"strings"
	"unicode/utf8"
)

// glob gives the paths that pattern matches, in no certain order, by Python's rules: *, ? and
// [...] within one directory, a leading dot only where the pattern has it, no escape character.
func glob(pattern string) []string {
	found := []string{""}
	if strings.HasPrefix(pattern, "/") {
		found = []string{"/"}
		pattern = strings.TrimLeft(pattern, "/")
	}
	parts := strings.Split(pattern, "/")
	for i, part := range parts {
		var next []string
		for _, dir := range found {
			if !strings.ContainsAny(part, "*?[") {
				next = append(next, dir+part+slashUnless(i == len(parts)-1))
				continue
			}
			for _, name := range namesIn(dir) {
				if (name[0] != '.' || part[0] == '.') && match(part, name) {
					next = append(next, dir+name+slashUnless(i == len(parts)-1))
				}
			}
		}
		found = next
	}
	var out []string
	for _, p := range found {
		if _, err := os.Lstat(p); err == nil {
			out = append(out, p)
		}
	}
	return out
}

func slashUnless(last bool) string {
	if last {
		return ""
	}
	return "/"
}

// namesIn gives what is in dir; nothing for what can't be read, as a pattern matches nothing there.
func namesIn(dir string) []string {
	if dir == "" {
		dir = "."
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names
}

// match says whether name, one component of a path, matches pattern.
func match(pattern, name string) bool {
	for pattern != "" {
		if pattern[0] == '*' {
			pattern = strings.TrimLeft(pattern, "*")
			for i := range len(name) + 1 {
				if match(pattern, name[i:]) {
					return true
				}
			}
			return false
		}
		if name == "" {
			return false
		}
		c, size := utf8.DecodeRuneInString(name)
		ok, rest := matchOne(pattern, c)
		if !ok {
			return false
		}
		pattern, name = rest, name[size:]
	}
	return name == ""
}

// matchOne matches the first element of pattern, which is not a *, and gives what follows it.
func matchOne(pattern string, c rune) (ok bool, rest string) {
	p, size := utf8.DecodeRuneInString(pattern)
	rest = pattern[size:]
	switch p {
	case '?':
		return true, rest
	case '[':
		if set, after, closed := cutSet(rest); closed {
			return inSet(set, c), after
		}
	}
	return p == c, rest
}

// cutSet cuts a [...] at its closing bracket; one that stands first belongs to the set.
func cutSet(s string) (set, after string, closed bool) {
	start := 0
	if strings.HasPrefix(s, "!") {
		start = 1
	}
	if strings.HasPrefix(s[start:], "]") {
		start++
	}
	i := strings.IndexByte(s[start:], ']')
	if i < 0 {
		return "", "", false
	}
	return s[:start+i], s[start+i+1:], true
}

func inSet(set string, c rune) bool {
	set, not := strings.CutPrefix(set, "!")
	runes := []rune(set)
	for i := 0; i < len(runes); i++ {
		low, high := runes[i], runes[i]
		if i+2 < len(runes) && runes[i+1] == '-' {
			high = runes[i+2]
			i += 2
		}
		if low <= c && c <= high {
			return !not
		}
	}
	return not
}

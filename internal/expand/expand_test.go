package expand

import (
	"math"
	"strconv"
	"testing"
)

var table = map[string]any{
	"here": "/etc", "program_name": "web", "group_name": "it's", "empty": "", "char": "é", "ENV_P": "50%(here)s%%",
	"process_num": 7, "numprocs": 1000000, "zero": 0, "neg": -42, "big": math.MaxInt, "min": math.MinInt, "a(b)c": "nested", "": "no name",
}

func TestExpand(t *testing.T) {
	for _, tt := range []struct{ rule, in, want string }{
		{"without a % nothing changes", "a b (c)s é", "a b (c)s é"},
		{"%% is a percent sign", "100%% %%(here)s", "100% %(here)s"},
		{"a name is replaced", "%(here)s/x%(program_name)s.log", "/etc/xweb.log"},
		{"a name may hold parentheses", "%(a(b)c)s", "nested"},
		{"a name may be empty", "%()s", "no name"},
		{"what was filled in is not looked at again", "%(ENV_P)s", "50%(here)s%%"},
		{"zeros fill a number", "p%(process_num)02d", "p07"},
		{"blanks fill a number", "%(process_num)5d|%(process_num)-5d|", "    7|7    |"},
		{"zeros go between sign and digits", "%(neg)06d %(process_num)#06x", "-00042 0x0007"},
		{"a number can be hex or octal", "%(numprocs)x %(numprocs)X %(numprocs)o %(neg)#x", "f4240 F4240 3641100 -0x2a"},
		{"a number has a sign if wanted", "%(process_num)+d%(process_num) d%(neg)+d", "+7 7-42"},
		{"a number can be a string", "%(process_num)s %(process_num)r", "7 7"},
		{"a number can be a float", "%(process_num)f %(process_num).1e %(numprocs)g", "7.000000 7.0e+00 1e+06"},
		{"the smallest number has its digits", "%(min)d", strconv.Itoa(math.MinInt)},
		{"a string has a width", "%(program_name)10s|%(program_name)-10s|", "       web|web       |"},
		{"a string can be cut", "%(program_name).2s%(program_name).0s%(char).1s", "weé"},
		{"width counts characters", "%(char)3s", "  é"},
		{"%r quotes", "%(group_name)r %(char)r", `"it's" 'é'`},
		{"%a quotes in ASCII", "%(char)a", `'\xe9'`},
		{"%c is a character", "%(char)c%(process_num)c", "é\a"},
		{"h, l and L mean nothing", "%(process_num)ld%(here)hs", "7/etc"},
	} {
		got, err := Expand(tt.in, table)
		if err != nil {
			t.Errorf("%s: %q: got error %v", tt.rule, tt.in, err)
		} else if got != tt.want {
			t.Errorf("%s: %q: got %q, want %q", tt.rule, tt.in, got, tt.want)
		}
	}
}

func TestExpandErrors(t *testing.T) {
	for _, tt := range []struct {
		rule, in string
		want     error
	}{
		{"a name without a value", "a %(nope)s", UnknownName{"nope"}},
		{"the first mistake is told", "%(nope)s %", UnknownName{"nope"}},
		{"a % at the end", "50%", BadFormat{"incomplete format"}},
		{"a name without a verb", "%(here)", BadFormat{"incomplete format"}},
		{"a name that does not end", "%(here", BadFormat{"incomplete format key"}},
		{"a verb that there is none of", "%(here)y", BadFormat{"unsupported format character 'y' (0x79) at index 7"}},
		{"characters, not bytes, are counted", "é%(here)é", BadFormat{"unsupported format character '?' (0xe9) at index 8"}},
		{"a byte that is not UTF-8 is a surrogate", "%(here)\xe9", BadFormat{"unsupported format character '?' (0xdce9) at index 7"}},
		{"a string is not a number", "%(here)d", BadFormat{"%d format: a real number is required, not str"}},
		{"a string is not an integer", "%(here)x", BadFormat{"%x format: an integer is required, not str"}},
		{"a string is not a float", "%(here)f", BadFormat{"must be real number, not str"}},
		{"a string is not a character", "%(here)c", BadFormat{"%c requires int or char"}},
		{"a number may be beyond Unicode", "%(numprocs)0c%(big)c", BadFormat{"%c arg not in range(0x110000)"}},
		{"a bare %d is about the table", "50%done", BadFormat{"%d format: a real number is required, not dict"}},
		{"a bare %s does not show the table", "%s", BadFormat{"%s without a (name); a percent sign is written %%"}},
		{"a bare %r neither", "%.0r", BadFormat{"%r without a (name); a percent sign is written %%"}},
		{"a value serves one field", "%(here)s %s", BadFormat{"not enough arguments for format string"}},
		{"a star takes a number", "%(here)*d", BadFormat{"* wants int"}},
		{"a star takes the field's value", "%(process_num)*d", BadFormat{"not enough arguments for format string"}},
		{"a bare star is about the table", "%.*d", BadFormat{"* wants int"}},
		{"a precision has a limit", "%(here).2147483648s", BadFormat{"precision too big"}},
		{"a width has a limit", "%(here)99999999999999999999s", BadFormat{"width too big"}},
		{"a width that would fill the memory", "%(process_num)2000000000d", BadFormat{"width too big"}},
		{"digits that would fill the memory", "%(process_num).2000000000d", BadFormat{"precision too big"}},
	} {
		got, err := Expand(tt.in, table)
		if got != "" || err != tt.want {
			t.Errorf("%s: %q: got %q, %#v, want %#v", tt.rule, tt.in, got, err, tt.want)
		}
	}
}

func TestMessage(t *testing.T) {
	vars := map[string]any{"here": "/etc", "ENV_B": "", "ENV_A": ""}
	for _, tt := range []struct{ rule, in, want string }{
		{"unknown names", "it's %(x)s", `Format string "it's %(x)s" for 'program:x.command' contains names ('x') which cannot be expanded. Available names: ENV_A, ENV_B, here`},
		{"anything else", "50%", `Format string '50%' for 'program:x.command' is badly formatted: incomplete format`},
	} {
		_, err := Expand(tt.in, vars)
		if got := Message(tt.in, "program:x.command", vars, err); got != tt.want {
			t.Errorf("%s: got  %s\nwant %s", tt.rule, got, tt.want)
		}
	}
}

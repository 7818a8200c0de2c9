package shellwords

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSplit(t *testing.T) {
	for _, tt := range []struct {
		rule, in string
		want     []string
	}{
		{"nothing has no words", "", nil},
		{"blanks have no words", " \t\r\n ", nil},
		{"blanks, tabs and line ends part words", " a b\tc\nd\r\ne ", []string{"a", "b", "c", "d", "e"}},
		{"other blanks do not", "a\vb\u00a0c", []string{"a\vb\u00a0c"}},
		{"$ ~ * ; # & | are text", "$HOME ~ * a;b #c a#b & |", []string{"$HOME", "~", "*", "a;b", "#c", "a#b", "&", "|"}},
		{"single quotes keep everything", `'a \ "b" $c'`, []string{`a \ "b" $c`}},
		{"in double quotes a backslash escapes a double quote and itself", `"a\"b\\c"`, []string{`a"b\c`}},
		{"in double quotes other backslashes stay", `"a\nb\'c"`, []string{`a\nb\'c`}},
		{"outside of quotes a backslash escapes anything", `a\ b\n\'\\\"`, []string{`a bn'\"`}},
		{"an escaped newline is a newline", "a\\\nb", []string{"a\nb"}},
		{"quotes may stand inside a word", `a"b c"'d e'f`, []string{"ab cd ef"}},
		{"quoted nothing is a word", `'' "" a`, []string{"", "", "a"}},
		{"newlines may stand inside quotes", "'a\nb'", []string{"a\nb"}},
		{"what is not ASCII is text", "é 漢 \xff", []string{"é", "漢", "\xff"}},
	} {
		got, err := Split(tt.in)
		if err != nil {
			t.Errorf("%s: %q: got error %v", tt.rule, tt.in, err)
		} else if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: %q: (-want +got)\n%s", tt.rule, tt.in, diff)
		}
	}
}

func TestKeyValues(t *testing.T) {
	type pairs = map[string]string
	for _, tt := range []struct {
		rule, in string
		want     pairs
	}{
		{"nothing is no pairs", "", pairs{}},
		{"quotes hold commas", `A="1,2",B='x,y'`, pairs{"A": "1,2", "B": "x,y"}},
		{"a value may be empty in quotes", `A=""`, pairs{"A": ""}},
		{"in double quotes a quote can be escaped", `A="a\"b"`, pairs{"A": `a"b`}},
		{"quotes may adjoin words", `A="a"b,B=a"b c"`, pairs{"A": "ab", "B": "ab c"}},
		{"quotes in quotes are text", `A="'"`, pairs{"A": "'"}},
		{"most of a URL is a word", "A=http://h:80/p", pairs{"A": "http://h:80/p"}},
		{"any other character is a token", "A=$HOME", pairs{"A": "$"}},
		{"a # begins a comment even inside a word", "A=x#y", pairs{"A": "x"}},
		{"a comment ends with its line", "A=x#y\n,B=2 # z", pairs{"A": "x", "B": "2"}},
		{"any one token parts two pairs", "A=1;B=2|C=3\n,\nD=4 x E=5", pairs{"A": "1", "B": "2", "C": "3", "D": "4", "E": "5"}},
		{"a word after a value is lost", "A=a b", pairs{"A": "a"}},
		{"a separator may trail", "A=1,", pairs{"A": "1"}},
		{"of the same key the last value wins", "A=1,B=2,A=3", pairs{"A": "3", "B": "2"}},
		{"blanks may stand around =", "A = 1 , B\t=\n2", pairs{"A": "1", "B": "2"}},
		{"newlines may stand inside quotes", "A='a\nb'", pairs{"A": "a\nb"}},
		{"a letter of Latin-1 is part of a word", "É=é", pairs{"É": "é"}},
		{"other letters are tokens", "A=漢", pairs{"A": "漢"}},
		{"× and ÷ are no letters", "A=×", pairs{"A": "×"}},
	} {
		got, err := KeyValues(tt.in)
		if err != nil {
			t.Errorf("%s: %q: got error %v", tt.rule, tt.in, err)
		} else if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: %q: (-want +got)\n%s", tt.rule, tt.in, diff)
		}
	}
}

func TestErrors(t *testing.T) {
	split := func(s string) error { _, err := Split(s); return err }
	pairs := func(s string) error { _, err := KeyValues(s); return err }
	for _, tt := range []struct {
		rule, in string
		read     func(string) error
		want     string
	}{
		{"an open single quote", "a 'b", split, "No closing quotation"},
		{"an open double quote", `a "b\"`, split, "No closing quotation"},
		{"a backslash at the end", `a\`, split, "No escaped character"},
		{"a backslash at the end in quotes", `a "b\`, split, "No escaped character"},
		{"single quotes have no escapes", `A='a\'b'`, pairs, "No closing quotation"},
		{"a pair's backslash at the end", `A=a\`, pairs, "No escaped character"},
		{"a value is missing", "A=", pairs, "Unexpected end of key/value pairs in value 'A='"},
		{"all but the key is missing", "A", pairs, "Unexpected end of key/value pairs in value 'A'"},
		{"all but a later key is missing", "A=1,B", pairs, "Unexpected end of key/value pairs in value 'A=1,B'"},
		{"a pair is taken for the separator", "A=1 B=2", pairs, "Unexpected end of key/value pairs in value 'A=1 B=2'"},
		{"two separators", "A=1,,B=2", pairs, "Unexpected end of key/value pairs in value 'A=1,,B=2'"},
		{"the text is told as it is, not as a repr", "\"it's\"", pairs, "Unexpected end of key/value pairs in value '\"it's\"'"},
		{"no = where there should be one", `A,B`, pairs, "Unexpected end of key/value pairs in value 'A,B'"},
	} {
		got := ""
		if err := tt.read(tt.in); err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%s: %q: got %q, want %q", tt.rule, tt.in, got, tt.want)
		}
	}
}

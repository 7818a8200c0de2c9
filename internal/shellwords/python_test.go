package shellwords

import (
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdfast/internal/pyref"
)

var pieces = []string{
	"A", "B", "key", "=", "=", "=", ",", ",", "'", "\"", "'x y'", "\"a,b\"", "\\", "\\\"", " ", "\t", "\n", "\r", "#", ";", "|", "$", "&", "/", ".",
	"+", "-", "(", ")", ":", "@", "%", "é", "×", "ÿ", "ß", "漢", "\u00a0", "\v", "\x00", "😀", "''", "\"\"", "A=1,", "B='2'", "_9",
}

func TestIsPythons(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	var corpus []string
	for range 10000 {
		var b strings.Builder
		for range r.IntN(3) {
			b.WriteString("KEY=word,")
		}
		if r.IntN(2) == 0 {
			b.WriteString("A=")
		}
		for range r.IntN(10) {
			b.WriteString(pieces[r.IntN(len(pieces))])
		}
		corpus = append(corpus, b.String())
	}
	// Every character by itself, as a value and inside a word.
	for c := rune(0); c < 0x250; c++ {
		corpus = append(corpus, "A="+string(c)+"1", "A=1"+string(c)+"2", "A="+string(c))
	}
	type result struct {
		Words []string
		Pairs map[string]string
		Split string
		Parse string
	}
	var want []result
	pyref.Ask(t, `
import shlex
def pairs(s):
    lexer = shlex.shlex(s, posix=True)
    lexer.wordchars += "/.+-():"
    tokens = list(lexer)
    found = {}
    while tokens:
        if len(tokens) < 3 or tokens[1] != "=":
            raise ValueError("Unexpected end of key/value pairs in value '%s'" % s)
        found[tokens[0]] = tokens[2]
        tokens = tokens[4:]
    return found
def ask(read, s):
    try:
        return read(s), ""
    except ValueError as e:
        return None, str(e)
answer = []
for s in data:
    words, split = ask(shlex.split, s)
    found, parse = ask(pairs, s)
    answer.append({"Words": words or None, "Split": split, "Pairs": found, "Parse": parse})
`, corpus, &want)
	bad, failures := 0, 0
	for i, s := range corpus {
		var got result
		var err error
		if got.Words, err = Split(s); err != nil {
			got.Split = err.Error()
		}
		if got.Pairs, err = KeyValues(s); err != nil {
			got.Parse = err.Error()
			bad++
		}
		if !reflect.DeepEqual(want[i], got) {
			t.Errorf("%q: (-python +ours)\n%s", s, cmp.Diff(want[i], got))
			if failures++; failures == 20 {
				t.FailNow()
			}
		}
	}
	t.Logf("%d strings compared, %d of them no pairs", len(corpus), bad)
}

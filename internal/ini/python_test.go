package ini

import (
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdfast/internal/pyref"
)

var pieces = []string{
	"[a]", "[b]", "[program:x]", "[DEFAULT]", "[", "]", "[]", "k", "Key", "l", "É", "=", "=", ":", " ", " ", "  ", "\t", "\n", "\n", "\n",
	"\r\n", "\r", ";", "#", " ;", "\t#", "v", "value", "'", "\"", "%(here)s", "\x1c", "\u00a0", "\u3000", "\u2028", "\u0085", "\x00", "junk",
	"\nk=", "\n[c]\n", "\n  ", "\n\n", "é", "=1\n", "\n[a]\nk=v\n",
}

type step struct{ Sections, Error any }

func ours(files []string) step {
	var f File
	for _, text := range files {
		if err := f.Parse("/etc/it's.conf", []byte(text)); err != nil {
			return step{nil, err.Error()}
		}
	}
	sections := []any{}
	for _, s := range f.Sections {
		options := []any{}
		for _, key := range s.Keys() {
			o, _ := s.Get(key)
			options = append(options, []any{key, o.Value})
		}
		sections = append(sections, []any{s.Name, options})
	}
	return step{sections, nil}
}

const reference = `
import configparser, io
answer = []
for files in data:
    c = configparser.RawConfigParser(strict=False, inline_comment_prefixes=(";", "#"))
    try:
        for text in files:
            c.read_file(io.TextIOWrapper(io.BytesIO(text.encode())), "/etc/it's.conf")
        answer.append({"Sections": [[s, [[k, c.get(s, k)] for k in c.options(s)]] for s in c.sections()], "Error": None})
    except configparser.ParsingError as e:
        answer.append({"Sections": None, "Error": str(e)})
`

// write makes up a file: any pieces in a row, or lines that are good one by one.
func write(r *rand.Rand) string {
	var b strings.Builder
	if r.IntN(10) > 0 {
		b.WriteString("[a]\n")
	}
	pick := func(from ...string) { b.WriteString(from[r.IntN(len(from))]) }
	if r.IntN(3) == 0 {
		for range r.IntN(30) {
			pick(pieces...)
		}
		return b.String()
	}
	for range r.IntN(20) {
		pick("", "", "", " ", "  ", "\t", "\u3000")
		switch r.IntN(8) {
		case 0:
			pick("[a]", "[b]", "[DEFAULT]", "[program:x]y] ", "[ ; ]")
		case 1:
			pick("", "; note", "#note", "  ")
		default:
			pick("k", "l", "Key", "a b", "é", "%", "[k")
			pick("=", ":", " = ", "\t:\u00a0", " =")
			for range r.IntN(4) {
				pick("v", "a;b", "#", ";", " ;", "\t#", " ; x", "=", "\"", "é", " ", "\x1c", "]")
			}
		}
		pick("\n", "\n", "\n", "\r\n", "\r")
	}
	return b.String()
}

func TestParseIsPythons(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var corpus [][]string
	for range 8000 {
		var files []string
		for range 1 + r.IntN(2) {
			files = append(files, write(r))
		}
		corpus = append(corpus, files)
	}
	var want []step
	pyref.Ask(t, reference, corpus, &want)
	bad, failures := 0, 0
	for i, files := range corpus {
		got := ours(files)
		if got.Error != nil {
			bad++
		}
		if !reflect.DeepEqual(want[i], got) {
			t.Errorf("%q: (-python +ours)\n%s", files, cmp.Diff(want[i], got))
			if failures++; failures == 10 {
				t.FailNow()
			}
		}
	}
	t.Logf("%d readings compared, %d of them errors", len(corpus), bad)
}

func TestDecodeErrorIsPythons(t *testing.T) {
	leads := []byte{0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff}
	var corpus [][]int
	for _, a := range leads {
		corpus = append(corpus, []int{'x', int(a)})
		for _, b := range leads {
			corpus = append(corpus, []int{int(a), int(b)})
			for _, c := range leads {
				corpus = append(corpus, []int{int(a), int(b), int(c)}, []int{'x', int(a), int(b), int(c), 0x80}, []int{int(a), int(b), int(c), 0x20})
			}
		}
	}
	var want []string
	pyref.Ask(t, `
def text(b):
    try:
        b.decode("utf-8")
        return ""
    except UnicodeDecodeError as e:
        return str(e)
answer = [text(bytes(b)) for b in data]
`, corpus, &want)
	for i, numbers := range corpus {
		var data []byte
		for _, n := range numbers {
			data = append(data, byte(n))
		}
		got := ""
		if err := decodeError("x", string(data)); err != nil {
			got = err.Error()
		}
		if got != want[i] {
			t.Errorf("% x: got %q, want %q", data, got, want[i])
		}
	}
	t.Logf("%d byte strings compared", len(corpus))
}

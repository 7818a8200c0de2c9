package web

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"holdfast/internal/pyref"
)

var queries = []string{
	"", "a", "a=", "=b", "a=b", "a=b&a=c", "a=&a=c", "a=b=c", "&&a=b&&", "a=b;c=d", "a=1+2%2B3%20", "%61=%62", "a=%", "a=%4", "a=%zz%4a%4A",
	"a=100%&b=%C3%A9", "a=é", "a=%ff", "processname=g%3Ap&action=stop", "a=%2561",
}

// Variables and escapes are Python's.
func TestFormsAgainstPython(t *testing.T) {
	var answer struct {
		Forms  [][]map[string]string
		Quoted []string
	}
	pyref.Ask(t, `
from urllib.parse import parse_qs, parse_qsl, quote
def form(query, body):
    f = {}
    for k, v in parse_qs(query).items():
        f[k] = v[0]
    for k, v in parse_qsl(body):
        f[k] = v
    return f
answer = {'Forms': [[form(q, b) for b in data] for q in data], 'Quoted': [quote(q) for q in data]}`, queries, &answer)
	for i, q := range queries {
		for j, b := range queries {
			if diff := cmp.Diff(answer.Forms[i][j], map[string]string(parseForm(q, b))); diff != "" {
				t.Errorf("query %q, body %q, -want +got:\n%s", q, b, diff)
			}
		}
		if got := quote(q); got != answer.Quoted[i] {
			t.Errorf("quote(%q) = %q, want %q", q, got, answer.Quoted[i])
		}
	}
}

// A form is always text, and a value that is quoted comes back.
func FuzzForm(f *testing.F) {
	for _, q := range queries {
		f.Add(q, q)
	}
	f.Fuzz(func(t *testing.T, query, body string) {
		for name, value := range parseForm(query, body) {
			if !utf8.ValidString(name) || !utf8.ValidString(value) || value == "" {
				t.Errorf("%q = %q", name, value)
			}
		}
		if body = strings.ToValidUTF8(body, ""); body != "" {
			if got := parseForm(quote("x")+"="+quote(body), "")["x"]; got != body {
				t.Errorf("%q came back as %q", body, got)
			}
		}
	})
}

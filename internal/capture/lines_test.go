package capture

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func linesOf(text string, cuts []byte) (list []string) {
	var l lines
	each := func(line string) { list = append(list, line) }
	for _, p := range pieces(text, cuts) {
		l.add(p, each)
	}
	l.end(each)
	return list
}

func TestLines(t *testing.T) {
	long := strings.Repeat("x", maxLine)
	for _, c := range []struct {
		name, text string
		want       []string
	}{
		{"two lines", "a\nb\n", []string{"a", "b"}},
		{"the last one without an end", "a\nb", []string{"a", "b"}},
		{"an empty one between", "a\n\nb\n", []string{"a", "", "b"}},
		{"empty ones at the end", "a\n\n\n", []string{"a"}},
		{"an empty one first", "\na", []string{"", "a"}},
		{"nothing", "", nil},
		{"as long as can be", long + "\n\na", []string{long, "", "a"}},
		{"longer", long + "yz\n", []string{long, "yz"}},
	} {
		for _, cuts := range [][]byte{nil, ones(c.text)} {
			if diff := cmp.Diff(c.want, linesOf(c.text, cuts)); diff != "" {
				t.Errorf("%s, in %d pieces: %.500s", c.name, len(cuts)+1, diff)
			}
		}
	}
}

package getopt

import (
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdfast/internal/pyref"
)

type question struct {
	Args  []string
	Short string
	Long  []string
}

type result struct {
	Opts  [][2]string
	Rest  []string
	Error string
}

func TestParseIsPythons(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	pick := func(from ...string) string { return from[r.IntN(len(from))] }
	own := strings.Split("a b c é : ? - = ab", " ")
	var corpus []question
	for range 20000 {
		q := question{Short: short, Long: long, Args: []string{}}
		if r.IntN(4) == 0 {
			q.Short, q.Long = "", []string{}
			for range r.IntN(6) {
				q.Short += pick(own...)
				q.Long = append(q.Long, pick("a", "a=", "ab", "ab=", "abc", "é", "éa=", "x-y="))
			}
		}
		for range r.IntN(5) {
			var b strings.Builder
			switch r.IntN(4) {
			case 0:
				b.WriteString(pick("-", "--", "x", "", "é"))
			case 1:
				b.WriteString("-")
				for range 1 + r.IntN(3) {
					b.WriteString(pick("n", "s", "k", "c", "u", "?", "x", "é", ":", "a", "b", "="))
				}
			default:
				name := pick(append(q.Long, long...)...)
				if n := []rune(name); r.IntN(2) == 0 {
					name = string(n[:r.IntN(len(n)+1)])
				}
				b.WriteString("--" + strings.TrimSuffix(name, "=") + pick("", "", "", "=", "=v", "=v=w", "z"))
			}
			q.Args = append(q.Args, b.String())
		}
		corpus = append(corpus, q)
	}
	var want []result
	pyref.Ask(t, `
import getopt
answer = []
for q in data:
    try:
        opts, rest = getopt.getopt(q["Args"], q["Short"], q["Long"])
        answer.append({"Opts": opts or None, "Rest": rest, "Error": ""})
    except getopt.GetoptError as e:
        answer.append({"Opts": None, "Rest": None, "Error": str(e)})
`, corpus, &want)
	bad, failures := 0, 0
	for i, q := range corpus {
		var got result
		opts, rest, err := Parse(q.Args, q.Short, q.Long)
		for _, o := range opts {
			got.Opts = append(got.Opts, [2]string{o.Name, o.Value})
		}
		got.Rest = rest
		if err != nil {
			got.Error = err.Error()
			bad++
		}
		if !reflect.DeepEqual(want[i], got) {
			t.Errorf("%q: (-python +ours)\n%s", q, cmp.Diff(want[i], got))
			if failures++; failures == 20 {
				t.FailNow()
			}
		}
	}
	t.Logf("%d command lines compared, %d of them errors", len(corpus), bad)
}

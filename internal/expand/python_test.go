package expand

import (
	"math/rand/v2"
	"strings"
	"testing"

	"holdfast/internal/pyref"
)

var pieces = []string{
	"%", "%", "%", "%%", "(", ")", "(here)", "(here)", "(program_name)", "(group_name)", "(char)", "(empty)", "(ENV_P)", "(process_num)",
	"(process_num)", "(numprocs)", "(neg)", "(zero)", "(big)", "(min)", "(a(b)c)", "()", "(nope)", "-", "+", " ", "#", "0", "1", "3", "5", "12", "30",
	".", ".0", ".2", ".9", "*", ".*", "h", "l", "L", "s", "s", "d", "d", "r", "a", "i", "u", "o", "x", "X", "c", "e", "E", "f", "F", "g", "G", "y", "b",
	"é", "\n", "😀", "text",
}

// template makes up a template: any pieces in a row, or fields that have their parts in order.
func template(r *rand.Rand) string {
	var b strings.Builder
	pick := func(from ...string) { b.WriteString(from[r.IntN(len(from))]) }
	if r.IntN(3) == 0 {
		for range r.IntN(10) {
			pick(pieces...)
		}
		return b.String()
	}
	for range 1 + r.IntN(3) {
		pick("", "x", "é")
		pick("%(here)", "%(char)", "%(group_name)", "%(process_num)", "%(numprocs)", "%(neg)", "%(zero)", "%(big)", "%(min)")
		for range r.IntN(3) {
			pick("-", "+", " ", "#", "0", "")
		}
		pick("", "", "1", "4", "12", "*")
		pick("", "", "", ".", ".0", ".1", ".3", ".15", ".*")
		pick(strings.Split("sdraiuoxXceEfFgG", "")...)
	}
	return b.String()
}

func TestExpandIsPythons(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	var corpus []string
	for range 30000 {
		corpus = append(corpus, template(r))
	}
	var want []struct{ Text, Error string }
	pyref.Ask(t, `
class Table(dict):
    def __str__(self): raise ValueError("the table")
    __repr__ = __str__
def ask(s):
    try:
        text = s % table
        return {"Text": text, "Error": ""}
    except KeyError as e:
        return {"Text": "", "Error": "name " + str(e)}
    except Exception as e:
        return {"Text": "", "Error": str(e).replace("not Table", "not dict")}
table = Table(data["table"])
answer = [ask(s) for s in data["corpus"]]
`, map[string]any{"table": table, "corpus": corpus}, &want)

	bad, failures := 0, 0
	for i, s := range corpus {
		got, err := Expand(s, table)
		problem := ""
		if err != nil {
			bad++
			problem = err.Error()
			if _, ok := err.(UnknownName); ok {
				problem = "name " + problem
			}
			if strings.Contains(problem, "without a (name)") {
				problem = "the table"
			}
		}
		if got != want[i].Text || problem != want[i].Error {
			t.Errorf("%q: got %q, %q, want %q, %q", s, got, problem, want[i].Text, want[i].Error)
			if failures++; failures == 20 {
				t.FailNow()
			}
		}
	}
	t.Logf("%d templates compared, %d of them errors", len(corpus), bad)
}

func TestMessageIsTheOriginals(t *testing.T) {
	var corpus = []string{"%(x)s", "%(it's)s", "a%", "%(here)d", "'\"%(", "%(here)\n"}
	vars := map[string]any{"here": "/etc", "ENV_Z": "z", "Énv": "e", "a": "1"}
	var want []string
	pyref.Ask(t, `
sys.path.append("/usr/lib/python3/dist-packages")
try:
    from supervisor.options import expand
except ImportError:
    answer = []
else:
    def ask(s):
        try:
            expand(s, data["vars"], "program:x.command")
        except ValueError as e:
            return str(e)
    answer = [ask(s) for s in data["corpus"]]
`, map[string]any{"vars": vars, "corpus": corpus}, &want)
	if len(want) == 0 {
		t.Skip("the original is not installed")
	}
	for i, s := range corpus {
		_, err := Expand(s, vars)
		if got := Message(s, "program:x.command", vars, err); got != want[i] {
			t.Errorf("%q: got  %s\nwant %s", s, got, want[i])
		}
	}
}

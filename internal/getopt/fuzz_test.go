package getopt

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func FuzzParse(f *testing.F) {
	for _, s := range []string{"", "-n", "-cx\n-c\n-n", "--conf\nx\n--\n-n", "--user=", "-\xff", "--=", "-n\nstart\nall"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		args := strings.Split(s, "\n")
		opts, rest, err := Parse(args, short, long)
		if err != nil {
			return
		}
		if !slices.Equal(rest, args[len(args)-len(rest):]) {
			t.Fatalf("%q: the rest %q is not the end", args, rest)
		}
		var whole []string
		for _, o := range opts {
			switch {
			case !strings.HasPrefix(o.Name, "--"):
				whole = append(whole, o.Name)
				if strings.Contains(short, o.Name[1:]+":") {
					whole = append(whole, o.Value)
				}
			case slices.Contains(long, o.Name[2:]+"="):
				whole = append(whole, o.Name+"="+o.Value)
			case slices.Contains(long, o.Name[2:]):
				whole = append(whole, o.Name)
			default:
				t.Fatalf("%q: %q is not a full name", args, o.Name)
			}
		}
		again, left, err := Parse(append(append(whole, "--"), rest...), short, long)
		if err != nil || !slices.Equal(left, rest) || !cmp.Equal(opts, again) {
			t.Fatalf("%q: read as %q, %q, and written out as %q, %q, %v", args, opts, rest, again, left, err)
		}
	})
}

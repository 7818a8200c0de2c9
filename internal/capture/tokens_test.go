package capture

import (
	"strings"
	"testing"
)

// found is what comes of text, cut into pieces at random by cuts: [ and ] are the tokens.
func found(text string, cuts []byte) string {
	var b strings.Builder
	var t tokens
	out := func(p []byte) { b.Write(p) }
	for _, p := range pieces(text, cuts) {
		t.scan(p, out, func() {
			if t.inside {
				b.WriteByte('[')
			} else {
				b.WriteByte(']')
			}
		})
	}
	t.end(out)
	return b.String()
}

// pieces cuts text: the n-th piece has as many bytes as cuts says, and the last one all the rest.
func pieces(text string, cuts []byte) (list [][]byte) {
	for _, c := range cuts {
		n := min(int(c), len(text))
		list = append(list, []byte(text[:n]))
		text = text[n:]
	}
	return append(list, []byte(text))
}

// ones cuts into single bytes.
func ones(text string) []byte { return []byte(strings.Repeat("\x01", len(text))) }

func TestTokens(t *testing.T) {
	const begin, end = beginToken, endToken
	for _, c := range []struct{ name, text, want string }{
		{"text without tokens passes", "hello", "hello"},
		{"what is shorter than a token passes", "x", "x"},
		{"nothing is nothing", "", ""},
		{"captured data", "a" + begin + "b" + end + "c", "a[b]c"},
		{"an empty capture", begin + end, "[]"},
		{"two", begin + "a" + end + begin + "b" + end, "[a][b]"},
		{"the end token outside is text", "a" + end + "b", "a" + end + "b"},
		{"the begin token inside is text", begin + begin + end, "[" + begin + "]"},
		{"half a token is text", begin[:20] + " and " + begin[:1], begin[:20] + " and " + begin[:1]},
		{"half a token before a whole one", begin[:20] + begin + "x" + end[:5] + end, begin[:20] + "[x" + end[:5] + "]"},
		{"a token that goes on as the other", begin[:16] + "END-->", begin[:16] + "END-->"},
		{"no end", "a" + begin + "b" + end[:21], "a[b" + end[:21]},
	} {
		if got := found(c.text, nil); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
		if got := found(c.text, ones(c.text)); got != c.want {
			t.Errorf("%s, byte by byte: got %q, want %q", c.name, got, c.want)
		}
	}
}

func TestOnlyWhatMayBeATokenIsWithheld(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"prompt> ", "prompt> "},
		{"a <", "a "},
		{"a <!--XSUPERVISOR:BEGIN--", "a "},
		{"a <!--XSUPERVISOR:END--", "a <!--XSUPERVISOR:END--"},
		{"a < b", "a < b"},
	} {
		var got string
		new(tokens).scan([]byte(c.text), func(p []byte) { got += string(p) }, func() {})
		if got != c.want {
			t.Errorf("of %q comes %q, want %q", c.text, got, c.want)
		}
	}
}

func FuzzTokens(f *testing.F) {
	f.Add("a"+beginToken+"b"+endToken+"c", []byte{3, 7, 30})
	f.Add(beginToken[:20]+beginToken+"<<", []byte{20, 1, 1})
	f.Add("<!--XSUPERVISOR:BEGIN-<!--XSUPERVISOR:BEGIN-->", []byte{22, 5})
	f.Fuzz(func(t *testing.T, text string, cuts []byte) {
		whole := found(text, nil)
		for _, c := range [][]byte{cuts, ones(text)} {
			if got := found(text, c); got != whole {
				t.Errorf("cut: %q, whole: %q", got, whole)
			}
		}
		// The tokens by cutting with them.
		var want string
		rest, inside := text, false
		for {
			token, sign := beginToken, "["
			if inside {
				token, sign = endToken, "]"
			}
			before, after, ok := strings.Cut(rest, token)
			if want += before; !ok {
				break
			}
			rest, inside, want = after, !inside, want+sign
		}
		if whole != want {
			t.Errorf("got %q, want %q", whole, want)
		}
	})
}

package capture

import "bytes"

// What a program writes to have what stands between made an event (manual: capture mode).
const (
	beginToken = "<!--XSUPERVISOR:BEGIN-->"
	endToken   = "<!--XSUPERVISOR:END-->"
)

// tokens finds the capture tokens in a stream that comes in pieces, however it was cut. What it
// withholds is at most the beginning of a token at the end of a piece: until the next one tells.
//
// Differs: the original handles nothing before there is more of it than a token is long, and loses
// what is shorter at the end.
type tokens struct {
	inside  bool // between the tokens
	matched int  // how much of the next token the last piece ended in
}

// next is the token that is looked for.
func (t *tokens) next() string {
	if t.inside {
		return endToken
	}
	return beginToken
}

// scan calls text for each stretch of p without a token, in order, and turn after each token, when
// inside is already as the token says. What text gets may be in p.
func (t *tokens) scan(p []byte, text func([]byte), turn func()) {
	for len(p) > 0 {
		token := t.next()
		if t.matched > 0 {
			n := common(p, token[t.matched:])
			t.matched += n
			p = p[n:]
			switch {
			case t.matched == len(token):
				t.turn(turn)
			case len(p) > 0: // No token begins within another, so all of this is text.
				t.end(text)
			}
			continue
		}
		if i := bytes.Index(p, []byte(token)); i >= 0 {
			if i > 0 {
				text(p[:i])
			}
			p = p[i+len(token):]
			t.turn(turn)
			continue
		}
		end := p[max(0, len(p)-len(token)+1):]
		if i := bytes.LastIndexByte(end, token[0]); i >= 0 && common(end[i:], token) == len(end)-i {
			t.matched = len(end) - i
			p = p[:len(p)-t.matched]
		}
		if len(p) > 0 {
			text(p)
		}
		return
	}
}

func (t *tokens) turn(turn func()) {
	t.inside, t.matched = !t.inside, 0
	turn()
}

// end gives out what was withheld.
func (t *tokens) end(text func([]byte)) {
	if t.matched > 0 {
		text([]byte(t.next()[:t.matched]))
		t.matched = 0
	}
}

// common is how many bytes p and token have in common from their beginning.
func common(p []byte, token string) int {
	n := min(len(p), len(token))
	for i := range n {
		if p[i] != token[i] {
			return i
		}
	}
	return n
}

package capture

import "bytes"

// A Look says what is to be done with an output's bytes on their way into the log. Such bytes are
// read and written, and a daemon that is killed takes a chunk with it. With a zero Look nothing has
// to see them, and they are spliced.
//
// The functions are called on the Output's goroutine, in the order of the output and before what
// they get is in the log. They must not wait. What they get is theirs.
type Look struct {
	StripANSI bool // the log and all functions but Raw get the output without control sequences

	// CaptureMaxBytes switches the capture tokens on: they are taken out of the output, and what
	// stands between them does not go into the log but to Comm, its last so many bytes. If the
	// child ends before the end token, that goes into the log.
	//
	// Differs: the original keeps a chunk that is larger than the limit whole, and loses what is
	// captured when there is no end token.
	CaptureMaxBytes int64
	Comm            func(data []byte)

	Raw    func(data []byte) // each chunk as it was read
	Chunk  func(data []byte) // each chunk, captured or not, never with both in one
	Syslog func(line string) // each line of what goes into the log
}

func (l *Look) wanted() bool {
	return l.StripANSI || l.CaptureMaxBytes > 0 || l.Raw != nil || l.Chunk != nil || l.Syslog != nil
}

// A view is a Look at one output.
type view struct {
	Look
	tokens   tokens
	ansi     ansi
	lines    lines
	captured []byte // since the begin token

	// Of one call.
	part []byte // not yet given to anybody
	out  []byte // for the log
}

// show looks at p, which was read, and appends to dst what of it is for the log.
func (v *view) show(dst, p []byte) []byte {
	if v.Raw != nil {
		v.Raw(bytes.Clone(p))
	}
	return v.with(dst, func() {
		if v.CaptureMaxBytes > 0 {
			v.tokens.scan(p, v.text, v.turn)
		} else {
			v.text(p)
		}
		v.pass(v.tokens.inside)
	})
}

// end appends to dst what was withheld, and forgets what came before: the child has ended.
func (v *view) end(dst []byte) []byte {
	return v.with(dst, func() {
		v.tokens.end(v.text)
		v.part = v.ansi.end(v.part)
		v.pass(v.tokens.inside)
		v.log(v.newest())
		v.tokens.inside, v.captured = false, nil
		if v.Syslog != nil {
			v.lines.end(v.Syslog)
		}
	})
}

// withholds tells whether there is something for end to do.
func (v *view) withholds() bool {
	return v.tokens.inside || v.tokens.matched > 0 || v.ansi.in == atEscape || len(v.lines.line) > 0
}

// with lends do a buffer for part.
func (v *view) with(dst []byte, do func()) []byte {
	b := buffers.Get().(*[]byte)
	defer buffers.Put(b)
	v.part, v.out = (*b)[:0], dst
	do()
	dst = v.out
	v.part, v.out = nil, nil
	return dst
}

func (v *view) text(p []byte) {
	if v.StripANSI {
		v.part = v.ansi.strip(v.part, p)
	} else {
		v.part = append(v.part, p...)
	}
}

// turn is called at a token.
func (v *view) turn() {
	v.part = v.ansi.end(v.part)
	v.pass(!v.tokens.inside)
	if !v.tokens.inside && v.Comm != nil {
		v.Comm(v.newest())
	}
	v.captured = nil
}

// pass gives part to whom it concerns.
func (v *view) pass(inside bool) {
	if len(v.part) == 0 {
		return
	}
	if v.Chunk != nil {
		v.Chunk(bytes.Clone(v.part))
	}
	if inside {
		v.capture(v.part)
	} else {
		v.log(v.part)
	}
	v.part = v.part[:0]
}

func (v *view) log(p []byte) {
	v.out = append(v.out, p...)
	if v.Syslog != nil {
		v.lines.add(p, v.Syslog)
	}
}

// capture keeps up to twice the limit, so that not every chunk moves all that is kept.
func (v *view) capture(p []byte) {
	v.captured = append(v.captured, p...)
	if int64(len(v.captured))/2 > v.CaptureMaxBytes {
		v.captured = append(v.captured[:0], v.newest()...)
	}
}

// newest is what of captured is within the limit.
func (v *view) newest() []byte {
	if over := int64(len(v.captured)) - v.CaptureMaxBytes; over > 0 {
		return v.captured[over:]
	}
	return v.captured
}

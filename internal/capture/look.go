package capture

import "bytes"

// A Look says what is to be done with an output's bytes on their way into the log. They are seen
// while they are in the pipe, and go on from there as those that nobody sees.
//
// The functions are called on the Output's goroutine, in the order of the output and before what
// they get is in the log, so that after a daemon that was killed the next one may call them with the
// same again. While they wait, the output does. What they get is theirs.
type Look struct {
	// StripANSI takes control sequences out of what the log and all functions but Raw get. So the
	// bytes are read and written, and a daemon that is killed takes a chunk with it.
	StripANSI bool

	// CaptureMaxBytes switches the capture tokens on: they are taken out of the output, and what
	// stands between them does not go into the log but to Comm, its last so many bytes. If the
	// child ends before the end token, that goes into the log.
	//
	// Differs: the original keeps a chunk that is larger than the limit whole, and loses what is
	// captured when there is no end token.
	CaptureMaxBytes int64
	Comm            func(data []byte)

	Raw    func(data []byte) // each chunk as it was read
	Taken  func()            // what was shown so far is out of the pipe: nobody will be shown it again
	Chunk  func(data []byte) // each chunk, captured or not, never with both in one
	Syslog func(line string) // each line of what goes into the log

	// Match gets each line of what goes into the log, without its end and no more than its first 8 KiB, until it
	// returns true. Nothing is looked at for it then. The line is not its to keep. What has no end yet stays in the pipe for a
	// moment, so that a daemon after this one sees the whole line; so it does not with StripANSI or Raw.
	Match func(line []byte) bool
}

func (l *Look) wanted() bool {
	return l.StripANSI || l.CaptureMaxBytes > 0 || l.Raw != nil || l.Chunk != nil || l.Syslog != nil || l.Match != nil
}

// A view is a Look at one output.
type view struct {
	Look
	reads bool // the bytes are read, since they don't stay as they are or there is no tee

	tokens   tokens
	ansi     ansi
	lines    lines
	matcher  matcher
	captured []byte // since the begin token

	// What was shown is still in the pipe, unless it was read: first what runs tell of, then what there is of a line, or
	// a capture that is not at its end, then what tokens withholds.
	runs []run
	line int // bytes of that line
	open int // bytes of that capture, with its begin token

	// Of one call.
	part []byte // not yet given to anybody
	out  []byte // for the log, if it reads
}

// A run says what is to become of the next bytes.
type run struct {
	n    int    // so many in the pipe go into the log
	drop bool   // no: they are taken out
	text []byte // or these go into the log, which are in the pipe no more
}

func newView(l Look) *view {
	return &view{Look: l, reads: l.StripANSI, matcher: matcher{match: l.Match}}
}

// over tells whether nobody wants to see anything any more.
func (v *view) over() bool {
	if v.matcher.match == nil {
		v.Match = nil
	}
	return !v.wanted()
}

// seen is how many bytes at the head of the pipe were shown.
func (v *view) seen() int {
	n := v.line + v.open
	if !v.reads {
		n += v.tokens.matched
	}
	for _, r := range v.runs {
		n += r.n
	}
	return n
}

// then adds r to runs.
func (v *view) then(r run) {
	i := len(v.runs) - 1
	switch {
	case r.n == 0 && len(r.text) == 0:
	case r.n > 0 && i >= 0 && v.runs[i].n > 0 && v.runs[i].drop == r.drop:
		v.runs[i].n += r.n
	default:
		v.runs = append(v.runs, r)
	}
}

// gone notes that n bytes of the first run are where they should be.
func (v *view) gone(n int) {
	if v.runs[0].n -= n; v.runs[0].n > 0 {
		return
	}
	if v.runs = v.runs[1:]; len(v.runs) == 0 {
		v.runs = nil
		v.taken()
	}
}

func (v *view) taken() {
	if v.Taken != nil {
		v.Taken()
	}
}

// show looks at p. What of it is for the log it appends to dst if it reads, else it adds to runs.
func (v *view) show(dst, p []byte) []byte {
	if v.Raw != nil {
		v.Raw(bytes.Clone(p))
	}
	if v.reads {
		v.taken()
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

// giveWay ends the waiting of bytes that fill the pipe: a capture goes on without them, and what may
// begin a token is text.
func (v *view) giveWay() {
	if v.open > 0 {
		v.then(run{n: v.open, drop: true})
		v.open = 0
		return
	}
	if v.line > 0 {
		v.letLine()
		return
	}
	v.with(nil, func() {
		v.tokens.end(v.text)
		v.pass(v.tokens.inside)
	})
}

// end is show for what was withheld, and forgets what came before: the child has ended.
func (v *view) end(dst []byte) []byte {
	return v.with(dst, func() {
		v.tokens.end(v.text)
		v.part = v.ansi.end(v.part)
		v.pass(v.tokens.inside)
		v.uncapture()
		if v.Syslog != nil {
			v.lines.end(v.Syslog)
		}
		v.matcher.end()
		v.letLine()
	})
}

// withholds tells whether there is something for end to do.
func (v *view) withholds() bool {
	return v.tokens.inside || v.tokens.matched > 0 || v.ansi.in == atEscape || len(v.lines.line) > 0 || v.matcher.unfinished() > 0
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
	if v.tokens.inside {
		v.letLine()
		v.opened(len(beginToken))
		return
	}
	v.opened(len(endToken))
	v.then(run{n: v.open, drop: true})
	if v.Comm != nil {
		v.Comm(v.newest())
	}
	v.open, v.captured = 0, nil
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
		v.opened(len(v.part))
		v.capture(v.part)
	} else {
		v.log(v.part, len(v.part))
	}
	v.part = v.part[:0]
}

// opened notes that n more bytes wait in the pipe for the end token.
func (v *view) opened(n int) {
	if !v.reads {
		v.open += n
	}
}

// log gives p to the log; its last n bytes are next in the pipe, unless they were read.
func (v *view) log(p []byte, n int) {
	if v.reads {
		v.out = append(v.out, p...)
	} else {
		v.then(run{text: p[:len(p)-n]})
		v.line += n
	}
	if v.Syslog != nil {
		v.lines.add(p, v.Syslog)
	}
	v.matcher.add(p)
	stays := 0
	if v.Raw == nil { // else it is a protocol, which nothing may slow down
		stays = min(v.line, v.matcher.unfinished())
	}
	v.then(run{n: v.line - stays})
	v.line = stays
}

// letLine lets go what there is of a line.
func (v *view) letLine() {
	v.then(run{n: v.line})
	v.line = 0
}

// uncapture gives what was captured without an end token to the log.
func (v *view) uncapture() {
	v.letLine()
	kept := v.newest()
	inPipe := min(v.open, len(kept))
	v.then(run{n: v.open - inPipe, drop: true}) // the begin token, and the oldest of too much
	v.log(kept, inPipe)
	v.tokens.inside, v.captured, v.open = false, nil, 0
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

package event

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// An Envelope is what the header of an event says besides the event itself.
type Envelope struct {
	Server     string // [supervisord] identifier=
	Serial     uint64 // of the event, the same for every pool
	Pool       string
	PoolSerial uint64 // of the event in this pool
}

// Pack gives what is written to a listener: the header, a line, and then the payload, which ends
// where the header's len says.
//
// len counts characters, as the original does, and not bytes, as its manual says (quirks 77). The
// two differ only in a payload with characters beyond ASCII, and there one kind of listener must
// lose. Those written with Python's supervisor.childutils, which are nearly all there are, read
// len characters from a stdin in text mode: told the bytes, they would wait for characters that
// never come, hang with the event in hand, and nothing would ever end that. Those that read len
// bytes fall out of step, under the original as well; as the payload is always UTF-8, they can
// count the bytes that begin a character (all but 0x80 to 0xBF) and be right everywhere.
//
// Differs: a name that comes from the environment may hold bytes that are not UTF-8. The original dies of
// such an event; here U+FFFD stands for them.
func (v Envelope) Pack(e Event) []byte {
	payload := strings.ToValidUTF8(e.Payload(), "\uFFFD")
	b := make([]byte, 0, 128+len(v.Server)+len(v.Pool)+len(payload))
	b = append(b, "ver:3.0 server:"...)
	b = append(b, word(v.Server)...)
	b = append(b, " serial:"...)
	b = strconv.AppendUint(b, v.Serial, 10)
	b = append(b, " pool:"...)
	b = append(b, word(v.Pool)...)
	b = append(b, " poolserial:"...)
	b = strconv.AppendUint(b, v.PoolSerial, 10)
	b = append(b, " eventname:"...)
	b = append(b, e.Type()...)
	b = append(b, " len:"...)
	b = strconv.AppendInt(b, int64(utf8.RuneCountInString(payload)), 10)
	b = append(b, '\n')
	return append(b, payload...)
}

// word gives s as the one word that it has to be in a header.
//
// Differs: the original writes an identifier with a blank or a line feed as it is, and Python's listeners
// die of that.
func word(s string) string {
	return strings.Map(func(r rune) rune { // which also makes it valid UTF-8
		if r < ' ' || unicode.IsSpace(r) {
			return '_'
		}
		return r
	}, s)
}

// A Serial numbers events: 0, 1, 2, and after 2^63-1 from 0 again.
type Serial struct{ next uint64 }

// SerialFrom goes on with next.
func SerialFrom(next uint64) Serial { return Serial{next} }

// Peek is what Next will give.
func (s *Serial) Peek() uint64 { return s.next }

// Next gives the next number.
func (s *Serial) Next() uint64 {
	n := s.next
	s.next = (n + 1) &^ (1 << 63)
	return n
}

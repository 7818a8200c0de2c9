package childutils

import (
	"fmt"
	"strconv"
	"strings"
)

// An Event is what supervisord tells a listener.
type Event struct {
	Ver        string // of the protocol: "3.0"
	Server     string // the identifier of supervisord
	Serial     uint64 // of the event, the same in every pool
	Pool       string // the name of the [eventlistener:x]
	PoolSerial uint64 // of the event in this pool
	Name       string // its type: "PROCESS_STATE_EXITED"
	Len        int    // of Payload, in characters
	Payload    string
}

// Fields splits the payload into the fields of its first line, such as "processname:web pid:42", and the
// data that follows that line in PROCESS_LOG, PROCESS_COMMUNICATION and REMOTE_COMMUNICATION events.
func (e *Event) Fields() (fields map[string]string, data string) {
	line, data, _ := strings.Cut(e.Payload, "\n")
	return parse(line), data
}

// parse reads "key:value key:value". A word without a colon belongs to the value before it, and of two equal
// keys the last one counts: so an identifier with blanks, which the original sends as it is, harms no key
// behind it.
func parse(line string) map[string]string {
	fields := make(map[string]string)
	key := ""
	for _, word := range strings.Fields(line) {
		if k, value, ok := strings.Cut(word, ":"); ok {
			key = k
			fields[key] = value
		} else if key != "" {
			fields[key] += " " + word
		}
	}
	return fields
}

// parseHeader reads the line that comes before a payload.
func parseHeader(line string) (*Event, error) {
	fields := parse(line)
	e := &Event{Ver: fields["ver"], Server: fields["server"], Pool: fields["pool"], Name: fields["eventname"]}
	var errs [3]error
	e.Serial, errs[0] = strconv.ParseUint(fields["serial"], 10, 64)
	e.PoolSerial, errs[1] = strconv.ParseUint(fields["poolserial"], 10, 64)
	e.Len, errs[2] = strconv.Atoi(fields["len"])
	if errs != [3]error{} || e.Len < 0 || e.Name == "" {
		return nil, fmt.Errorf("%q is not the header of an event", line)
	}
	return e, nil
}

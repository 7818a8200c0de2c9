// Package xmlrpc turns XML-RPC calls and responses into Go values and back. It knows the format
// and nothing else: no transport, no method and no fault code.
//
//	XML                        Go, decoded            Go, also taken for encoding
//	int, i4                    int64                  int
//	boolean                    bool
//	string, untyped, base64    string
//	double                     float64
//	dateTime.iso8601           time.Time, in UTC
//	nil                        nil
//	array                      []any                  []string
//	struct                     Struct
//	any other scalar tag       string
//
// What is written has the shape, to the byte, that Python's xmlrpc.client writes, because clients
// with hand-made parsers exist. What is read is taken more freely than XML allows: control
// characters pass as they are, since the original daemon sends a log's colours unescaped and sets
// no other way.
package xmlrpc

import (
	"errors"
	"fmt"
)

// A Struct is the struct of XML-RPC, its members in the order of the wire. A decoded Struct has
// every name once: the last value wins.
type Struct []Member

// A Member is one entry of a Struct.
type Member struct {
	Name  string
	Value any
}

// Get returns the value of the member of that name, or nil.
func (s Struct) Get(name string) any {
	for _, m := range s {
		if m.Name == name {
			return m.Value
		}
	}
	return nil
}

// A Fault is the answer of a server that refuses a call. DecodeResponse returns it as its error.
type Fault struct {
	Code   int
	String string
}

func (f *Fault) Error() string { return fmt.Sprintf("fault %d: %s", f.Code, f.String) }

// ErrNoMethod is the error of DecodeCall for XML in which no method is named. Any other error of
// it means that the call cannot be understood at all.
var ErrNoMethod = errors.New("no method name")

// maxDepth is how deep arrays and structs may be nested. The deepest thing in the API is a
// multicall's answer, at 4.
const maxDepth = 64

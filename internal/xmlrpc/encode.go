package xmlrpc

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"time"
	"unicode/utf8"
)

const dateTime = "20060102T15:04:05"

// EncodeResponse returns the response that carries v. It fails only for a value that is not in the
// package's table.
//
// Integers of more than 32 bits are sent as <int>.
// Differs: the original fails with HTTP 500; Python's client and others read them well.
//
// Differs: a character that XML forbids (ESC in a coloured log) and a byte that is not UTF-8 are
// sent as U+FFFD; the original sends the first unescaped, on which its own client gives up, and
// answers HTTP 500 for the second. A carriage return is sent as &#13;, since a reader would take
// it for a line feed otherwise.
func EncodeResponse(v any) ([]byte, error) {
	e := &encoder{forbidden: '\uFFFD'}
	e.WriteString("<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n")
	if err := e.value(v, 0); err != nil {
		return nil, err
	}
	e.WriteString("</param>\n</params>\n</methodResponse>\n")
	return e.Bytes(), nil
}

// EncodeFault returns the response that refuses a call.
func EncodeFault(f *Fault) []byte {
	e := &encoder{forbidden: '\uFFFD'}
	e.WriteString("<?xml version='1.0'?>\n<methodResponse>\n<fault>\n")
	_ = e.value(Struct{{"faultCode", f.Code}, {"faultString", f.String}}, 0) // an int and a string: cannot fail
	e.WriteString("</fault>\n</methodResponse>\n")
	return e.Bytes()
}

// EncodeCall returns the call of method with params. Control characters are sent as they are: a
// strict server then refuses the call, where a replacement would deliver something else.
func EncodeCall(method string, params []any) ([]byte, error) {
	e := &encoder{forbidden: -1}
	e.WriteString("<?xml version='1.0'?>\n<methodCall>\n<methodName>")
	e.text(method)
	e.WriteString("</methodName>\n<params>\n")
	for _, v := range params {
		e.WriteString("<param>\n")
		if err := e.value(v, 0); err != nil {
			return nil, err
		}
		e.WriteString("</param>\n")
	}
	e.WriteString("</params>\n</methodCall>\n")
	return e.Bytes(), nil
}

type encoder struct {
	bytes.Buffer
	forbidden rune // stands for a character that XML forbids; -1: the character itself does
}

func (e *encoder) value(v any, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("cannot encode a value nested more than %d deep", maxDepth)
	}
	e.WriteString("<value>")
	switch v := v.(type) {
	case string:
		e.WriteString("<string>")
		e.text(v)
		e.WriteString("</string>")
	case int:
		e.int(int64(v))
	case int64:
		e.int(v)
	case bool:
		if v {
			e.WriteString("<boolean>1</boolean>")
		} else {
			e.WriteString("<boolean>0</boolean>")
		}
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("cannot encode %v: XML-RPC has no such number", v)
		}
		e.WriteString("<double>")
		e.WriteString(strconv.FormatFloat(v, 'f', -1, 64))
		e.WriteString("</double>")
	case time.Time:
		e.WriteString("<dateTime.iso8601>")
		e.WriteString(v.UTC().Format(dateTime))
		e.WriteString("</dateTime.iso8601>")
	case nil:
		e.WriteString("<nil/>")
	case []any:
		return array(e, v, depth)
	case []string:
		return array(e, v, depth)
	case Struct:
		e.WriteString("<struct>\n")
		for _, m := range v {
			e.WriteString("<member>\n<name>")
			e.text(m.Name)
			e.WriteString("</name>\n")
			if err := e.value(m.Value, depth+1); err != nil {
				return err
			}
			e.WriteString("</member>\n")
		}
		e.WriteString("</struct>")
	default:
		return fmt.Errorf("cannot encode a %T", v)
	}
	e.WriteString("</value>\n")
	return nil
}

func array[T any](e *encoder, values []T, depth int) error {
	e.WriteString("<array><data>\n")
	for _, v := range values {
		if err := e.value(v, depth+1); err != nil {
			return err
		}
	}
	e.WriteString("</data></array></value>\n")
	return nil
}

func (e *encoder) int(n int64) {
	e.WriteString("<int>")
	e.WriteString(strconv.FormatInt(n, 10))
	e.WriteString("</int>")
}

func (e *encoder) text(s string) {
	done := 0
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		var instead string
		switch {
		case r == '&':
			instead = "&amp;"
		case r == '<':
			instead = "&lt;"
		case r == '>':
			instead = "&gt;"
		case r == '\r':
			instead = "&#13;"
		case r == utf8.RuneError && size == 1:
			instead = "\uFFFD"
		case e.forbidden >= 0 && !inXML(r):
			instead = string(e.forbidden)
		default:
			i += size
			continue
		}
		e.WriteString(s[done:i])
		e.WriteString(instead)
		i += size
		done = i
	}
	e.WriteString(s[done:])
}

// inXML tells whether a document may hold r (XML 1.0, production 2); surrogates cannot occur in a
// decoded rune.
func inXML(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' || r >= 0x20 && r != 0xFFFE && r != 0xFFFF
}

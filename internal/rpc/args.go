package rpc

import (
	"math"
	"strconv"
	"strings"
	"time"

	"holdfast/internal/xmlrpc"
)

// A param is one parameter of a method: its type as methodSignature tells it, its name, and what is
// made of an argument.
type param struct {
	typ, name string
	take      func(name string, v any) (any, error)
	omitted   any // the value when it is left out; nil: it may not be
}

// The parameters that methods have.
var (
	nameParam   = param{typ: "string", name: "name", take: takeString}
	groupParam  = param{typ: "string", name: "name", take: takeGroup}
	waitParam   = param{typ: "boolean", name: "wait", take: takeTruth, omitted: true}
	signalParam = param{typ: "string", name: "signal", take: takeSignal}
	offsetParam = param{typ: "int", name: "offset", take: takeInt}
	lengthParam = param{typ: "int", name: "length", take: takeInt}
	charsParam  = param{typ: "string", name: "chars", take: takeChars}
	typeParam   = param{typ: "string", name: "type", take: takeScalar}
	dataParam   = param{typ: "string", name: "data", take: takeScalar}
	methodParam = param{typ: "string", name: "name", take: takeScalar}
	pathParam   = param{typ: "string", name: "path", take: takeString, omitted: ""}
	callsParam  = param{typ: "array", name: "calls", take: takeArray}
)

// wrongType is the answer to an argument that can't be what the method needs.
// Differs: the original answers HTTP 500 to most of these.
func wrongType(name, want string) error {
	return fault(incorrectParameters, name+" is not "+want)
}

func takeString(name string, v any) (any, error) {
	if s, ok := v.(string); ok {
		return s, nil
	}
	return nil, wrongType(name, "a string")
}

// takeGroup refuses the empty name, with which the supervisor means all groups.
func takeGroup(name string, v any) (any, error) {
	if v == "" {
		return nil, fault(badName, "")
	}
	return takeString(name, v)
}

func takeArray(name string, v any) (any, error) {
	if a, ok := v.([]any); ok {
		return a, nil
	}
	return nil, wrongType(name, "an array")
}

// takeChars names the value in its fault, as the original does for this one parameter.
func takeChars(_ string, v any) (any, error) {
	if s, ok := v.(string); ok {
		return s, nil
	}
	if v == nil {
		return nil, fault(incorrectParameters, "")
	}
	text, _ := scalar(v)
	return nil, fault(incorrectParameters, text)
}

// takeSignal returns the signal as a client would write it in text.
func takeSignal(name string, v any) (any, error) {
	if s, ok := v.(string); ok {
		return s, nil
	}
	if n, err := takeInt(name, v); err == nil {
		return strconv.FormatInt(n.(int64), 10), nil
	}
	return nil, wrongType(name, "a signal's name or number")
}

// takeInt takes what Python's int() takes.
func takeInt(name string, v any) (any, error) {
	switch v := v.(type) {
	case int64:
		return v, nil
	case bool:
		if v {
			return int64(1), nil
		}
		return int64(0), nil
	case float64:
		if math.Abs(v) < 1<<63 {
			return int64(v), nil
		}
	case string:
		if n, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64); err == nil {
			return n, nil
		}
	}
	return nil, wrongType(name, "an integer")
}

// takeTruth is Python's truth of a value: clients send 0 and 1 and even nothing for a boolean.
func takeTruth(_ string, v any) (any, error) {
	switch v := v.(type) {
	case nil:
		return false, nil
	case bool:
		return v, nil
	case int64:
		return v != 0, nil
	case float64:
		return v != 0, nil
	case string:
		return v != "", nil
	case []any:
		return len(v) > 0, nil
	case xmlrpc.Struct:
		return len(v) > 0, nil
	}
	return true, nil
}

func takeScalar(name string, v any) (any, error) {
	if text, ok := scalar(v); ok {
		return text, nil
	}
	return nil, wrongType(name, "a string")
}

// scalar is Python's str() of a scalar.
func scalar(v any) (string, bool) {
	switch v := v.(type) {
	case nil:
		return "None", true
	case string:
		return v, true
	case int64:
		return strconv.FormatInt(v, 10), true
	case bool:
		if v {
			return "True", true
		}
		return "False", true
	case float64:
		return float(v), true
	case time.Time:
		return v.Format(time.DateTime), true
	}
	return "", false
}

// float is Python's str() of a float: the shortest digits, and always a sign that it is one.
func float(v float64) string {
	switch {
	case math.IsNaN(v):
		return "nan"
	case math.IsInf(v, 0):
		return strings.TrimPrefix(strings.ToLower(strconv.FormatFloat(v, 'g', -1, 64)), "+")
	}
	if a := math.Abs(v); a != 0 && (a < 1e-4 || a >= 1e16) {
		return strconv.FormatFloat(v, 'e', -1, 64)
	}
	text := strconv.FormatFloat(v, 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return text
}

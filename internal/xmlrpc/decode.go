package xmlrpc

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// DecodeCall reads a call. The error is ErrNoMethod if the XML is sound but names no method;
// a call without <params> has none.
//
// Differs: control characters are taken, where the original refuses the call; so a Ctrl-C can be
// sent to a process's stdin. So are blanks before <?xml and undeclared attributes. A document type is
// refused, where the original takes it, entities and all.
func DecodeCall(data []byte) (method string, params []any, err error) {
	if !utf8.Valid(data) {
		return "", nil, errors.New("cannot read the call: it is not UTF-8")
	}
	d := &decoder{scanner: scanner{in: string(data)}}
	err = d.root(func(name string) (err error) {
		switch name {
		case "methodName":
			method, err = d.text(name)
		case "params":
			params, err = d.params()
		default:
			err = d.skip(name)
		}
		return err
	})
	if err == nil && method == "" {
		err = ErrNoMethod
	}
	if err != nil {
		return "", nil, err
	}
	return method, params, nil
}

// DecodeResponse reads the answer to a call. If it is a fault, err is a *Fault.
func DecodeResponse(data []byte) (any, error) {
	d := &decoder{scanner: scanner{in: string(bytes.ToValidUTF8(data, []byte("\uFFFD")))}}
	var values []any
	var fault *Fault
	err := d.root(func(name string) (err error) {
		switch name {
		case "params":
			values, err = d.params()
		case "fault":
			fault, err = d.fault()
		default:
			err = d.skip(name)
		}
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case fault != nil:
		return nil, fault
	case len(values) != 1:
		return nil, fmt.Errorf("cannot read the response: it has %d values, not one", len(values))
	}
	return values[0], nil
}

type decoder struct {
	scanner
	depth int
}

// root reads the whole document: its one element, whatever the name, and within it gives each
// child to inside, which must read up to the child's end.
func (d *decoder) root(inside func(name string) error) error {
	seen := false
	for {
		t, err := d.next()
		switch {
		case err != nil:
			return err
		case t.kind == charData && strings.TrimSpace(strings.TrimPrefix(t.text, "\uFEFF")) == "":
		case t.kind == startTag && !seen:
			seen = true
			if err := d.children(t.text, inside); err != nil {
				return err
			}
		case t.kind == endOfInput && seen:
			return nil
		default:
			return errors.New("cannot read the document: it is not one XML element")
		}
	}
}

// children reads up to the end of the element called name and gives each child to inside. Text
// between them is skipped.
func (d *decoder) children(name string, inside func(name string) error) error {
	_, err := d.content(name, inside)
	return err
}

// text reads up to the end of the element called name and returns the characters in it.
func (d *decoder) text(name string) (string, error) { return d.content(name, d.skip) }

func (d *decoder) skip(name string) error { return d.children(name, d.skip) }

// content is children and text at once; like the original it takes only the characters before the
// first child.
func (d *decoder) content(name string, inside func(name string) error) (string, error) {
	d.depth++
	defer func() { d.depth-- }()
	if d.depth > 3*maxDepth+8 { // <value><array><data> a level, and the document round them
		return "", fmt.Errorf("cannot read a document nested more than %d deep", maxDepth)
	}
	var text []byte
	first := true
	for {
		t, err := d.next()
		if err != nil {
			return "", err
		}
		switch t.kind {
		case charData:
			if first {
				text = append(text, t.text...)
			}
		case startTag:
			first = false
			if err := inside(t.text); err != nil {
				return "", err
			}
		case endTag:
			if t.text != name {
				return "", fmt.Errorf("cannot read the document: <%s> is closed by </%s>", name, t.text)
			}
			return string(text), nil
		default:
			return "", fmt.Errorf("cannot read the document: <%s> is not closed", name)
		}
	}
}

func (d *decoder) params() (params []any, err error) {
	err = d.children("params", func(name string) error {
		if name != "param" {
			return d.skip(name)
		}
		v, err := d.one("param")
		params = append(params, v)
		return err
	})
	return params, err
}

// one reads an element that holds one value.
func (d *decoder) one(element string) (v any, err error) {
	found := false
	err = d.children(element, func(name string) (err error) {
		if name != "value" || found {
			return fmt.Errorf("cannot read <%s>: it must hold one <value>", element)
		}
		found = true
		v, err = d.value()
		return err
	})
	if err == nil && !found {
		err = fmt.Errorf("cannot read <%s>: it must hold one <value>", element)
	}
	return v, err
}

func (d *decoder) fault() (*Fault, error) {
	v, err := d.one("fault")
	if err != nil {
		return nil, err
	}
	s, _ := v.(Struct)
	code, ok1 := s.Get("faultCode").(int64)
	text, ok2 := s.Get("faultString").(string)
	if !ok1 || !ok2 {
		return nil, errors.New("cannot read the fault: it must have a faultCode and a faultString")
	}
	return &Fault{Code: int(code), String: text}, nil
}

// value reads up to </value>.
func (d *decoder) value() (v any, err error) {
	typed := false
	text, err := d.content("value", func(name string) (err error) {
		if typed {
			return errors.New("cannot read a <value> with two types")
		}
		typed = true
		v, err = d.typed(name)
		return err
	})
	if err == nil && !typed {
		v = text
	}
	return v, err
}

// typed reads up to the end of the element called name, which is a value's type.
func (d *decoder) typed(name string) (any, error) {
	switch name {
	case "array":
		return d.array()
	case "struct":
		return d.structure()
	}
	text, err := d.text(name)
	if err != nil {
		return nil, err
	}
	number := strings.TrimSpace(text)
	switch name {
	case "int", "i4":
		return strconv.ParseInt(number, 10, 64)
	case "boolean":
		return text == "1", nil
	case "double":
		f, err := strconv.ParseFloat(number, 64)
		if err == nil && (math.IsNaN(f) || math.IsInf(f, 0)) {
			err = fmt.Errorf("cannot take %q for a number", number)
		}
		return f, err
	case "dateTime.iso8601":
		t, err := time.Parse(dateTime, number)
		return t.Truncate(time.Second), err
	case "base64":
		raw, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
		if err == nil && !utf8.Valid(raw) {
			err = errors.New("cannot read <base64>: what it holds is not UTF-8")
		}
		return string(raw), err
	case "nil":
		return nil, nil
	}
	return text, nil
}

func (d *decoder) array() (any, error) {
	values := []any{}
	found := false
	err := d.children("array", func(name string) error {
		if name != "data" {
			return d.skip(name)
		}
		found = true
		return d.children("data", func(name string) error {
			if name != "value" {
				return errors.New("cannot read an <array> that holds something but values")
			}
			v, err := d.value()
			values = append(values, v)
			return err
		})
	})
	if err == nil && !found {
		err = errors.New("cannot read an <array> without its <data>")
	}
	return values, err
}

func (d *decoder) structure() (any, error) {
	s := Struct{}
	at := map[string]int{}
	err := d.children("struct", func(name string) error {
		if name != "member" {
			return d.skip(name)
		}
		var m Member
		err := d.children("member", func(name string) (err error) {
			switch name {
			case "name":
				m.Name, err = d.text("name")
			case "value":
				m.Value, err = d.value()
			default:
				err = d.skip(name)
			}
			return err
		})
		if i, twice := at[m.Name]; twice {
			s[i] = m
		} else {
			at[m.Name] = len(s)
			s = append(s, m)
		}
		return err
	})
	return s, err
}

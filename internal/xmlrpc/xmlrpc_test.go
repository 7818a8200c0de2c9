package xmlrpc

import (
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	head = "<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n"
	tail = "</param>\n</params>\n</methodResponse>\n"
)

func TestEncodeResponseIsPythonsToTheByte(t *testing.T) {
	for _, c := range []struct {
		name string
		v    any
		want string
	}{
		{"string", "a<b>&c", "<value><string>a&lt;b&gt;&amp;c</string></value>\n"},
		{"quotes are not escaped", `"'`, "<value><string>\"'</string></value>\n"},
		{"empty string", "", "<value><string></string></value>\n"},
		{"UTF-8", "étcd 中", "<value><string>étcd 中</string></value>\n"},
		{"int", -7, "<value><int>-7</int></value>\n"},
		{"an int over 32 bits is an int", int64(math.MaxInt64), "<value><int>9223372036854775807</int></value>\n"},
		{"true", true, "<value><boolean>1</boolean></value>\n"},
		{"false", false, "<value><boolean>0</boolean></value>\n"},
		{"double", 1.5, "<value><double>1.5</double></value>\n"},
		{"time", time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), "<value><dateTime.iso8601>20260102T03:04:05</dateTime.iso8601></value>\n"},
		{"nil", nil, "<value><nil/></value>\n"},
		{"empty array", []any{}, "<value><array><data>\n</data></array></value>\n"},
		{"array", []any{1, "x"}, "<value><array><data>\n<value><int>1</int></value>\n<value><string>x</string></value>\n</data></array></value>\n"},
		{"array of strings", []string{"x"}, "<value><array><data>\n<value><string>x</string></value>\n</data></array></value>\n"},
		{"struct", Struct{{"b", 1}, {"a<", "x"}}, "<value><struct>\n<member>\n<name>b</name>\n<value><int>1</int></value>\n</member>\n<member>\n<name>a&lt;</name>\n<value><string>x</string></value>\n</member>\n</struct></value>\n"},
		{"a carriage return keeps its nature", "a\r\n", "<value><string>a&#13;\n</string></value>\n"},
		{"what XML forbids is replaced", "\x1b[1mx\x00", "<value><string>\uFFFD[1mx\uFFFD</string></value>\n"},
		{"a byte that is not UTF-8 is replaced", "a\xffb\xe4\xb8", "<value><string>a\uFFFDb\uFFFD\uFFFD</string></value>\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := EncodeResponse(c.v)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(head+c.want+tail, string(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestEncodeRefuses(t *testing.T) {
	var deep any
	for range maxDepth + 1 {
		deep = []any{deep}
	}
	for name, v := range map[string]any{"unknown type": struct{}{}, "NaN": math.NaN(), "infinity": math.Inf(1), "too deep": deep, "in a struct": Struct{{"x", uint(1)}}} {
		if _, err := EncodeResponse(v); err == nil {
			t.Errorf("%s: no error", name)
		}
		if _, err := EncodeCall("m", []any{v}); err == nil {
			t.Errorf("%s in a call: no error", name)
		}
	}
}

func TestTheDeepestThatIsWrittenCanBeRead(t *testing.T) {
	var deep any = int64(1)
	for i := range maxDepth {
		if i%2 == 0 {
			deep = []any{deep}
		} else {
			deep = Struct{{"x", deep}}
		}
	}
	data, err := EncodeResponse(deep)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := DecodeResponse(data); err != nil || !reflect.DeepEqual(got, deep) {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestFault(t *testing.T) {
	data := EncodeFault(&Fault{Code: 10, String: "BAD_NAME: <x>"})
	want := "<?xml version='1.0'?>\n<methodResponse>\n<fault>\n<value><struct>\n<member>\n<name>faultCode</name>\n<value><int>10</int></value>\n</member>\n<member>\n<name>faultString</name>\n<value><string>BAD_NAME: &lt;x&gt;</string></value>\n</member>\n</struct></value>\n</fault>\n</methodResponse>\n"
	if diff := cmp.Diff(want, string(data)); diff != "" {
		t.Error(diff)
	}
	_, err := DecodeResponse(data)
	var f *Fault
	if !errors.As(err, &f) || f.Code != 10 || f.String != "BAD_NAME: <x>" {
		t.Errorf("decoded: %v", err)
	}
}

func TestEncodeCallIsPythonsToTheByte(t *testing.T) {
	got, err := EncodeCall("supervisor.startProcess", []any{"a:b", true})
	want := "<?xml version='1.0'?>\n<methodCall>\n<methodName>supervisor.startProcess</methodName>\n<params>\n<param>\n<value><string>a:b</string></value>\n</param>\n<param>\n<value><boolean>1</boolean></value>\n</param>\n</params>\n</methodCall>\n"
	if err != nil || string(got) != want {
		t.Errorf("got %q, %v", got, err)
	}
	got, _ = EncodeCall("m", nil)
	if want := "<?xml version='1.0'?>\n<methodCall>\n<methodName>m</methodName>\n<params>\n</params>\n</methodCall>\n"; string(got) != want {
		t.Errorf("got %q", got)
	}
}

// decode reads one value as the only parameter of a call.
func decode(value string) (any, error) {
	_, params, err := DecodeCall([]byte("<methodCall><methodName>m</methodName><params><param>" + value + "</param></params></methodCall>"))
	if err != nil {
		return nil, err
	}
	return params[0], nil
}

func TestDecodeValues(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     any
	}{
		{"int", "<value><int>-5</int></value>", int64(-5)},
		{"i4", "<value><i4> 5\n</i4></value>", int64(5)},
		{"boolean 1 is true", "<value><boolean>1</boolean></value>", true},
		{"any other boolean is false", "<value><boolean>true</boolean></value>", false},
		{"string", "<value><string> a&lt;&#65;&#x42;&quot;&apos;&amp;&gt; </string></value>", ` a<AB"'&> `},
		{"empty string", "<value><string/></value>", ""},
		{"untyped is a string", "<value> x </value>", " x "},
		{"untyped and empty", "<value/>", ""},
		{"white space round a type", "<value>\n <int>1</int>\n</value>", int64(1)},
		{"CDATA", "<value><string>a<![CDATA[<&>]]>b</string></value>", "a<&>b"},
		{"comments count for nothing", "<value><!-- <int>2</int> --><int>1<!-- 2 --></int></value>", int64(1)},
		{"double", "<value><double>-1.5e3</double></value>", -1500.0},
		{"time", "<value><dateTime.iso8601>20260102T03:04:05</dateTime.iso8601></value>", time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)},
		{"base64 is a string", "<value><base64>w6\nk=</base64></value>", "é"},
		{"an unknown type is its text", "<value><i8>7</i8></value>", "7"},
		{"nil", "<value><nil/></value>", nil},
		{"array", "<value><array><data><value>a</value><value><int>1</int></value></data></array></value>", []any{"a", int64(1)}},
		{"empty array", "<value><array><data/></array></value>", []any{}},
		{"struct", "<value><struct><member><name>b</name><value>1</value></member><member><value>2</value><name>a</name></member></struct></value>", Struct{{"b", "1"}, {"a", "2"}}},
		{"the last of two members of a name wins", "<value><struct><member><name>a</name><value>1</value></member><member><name>b</name><value>2</value></member><member><name>a</name><value>3</value></member></struct></value>", Struct{{"a", "3"}, {"b", "2"}}},
		{"attributes count for nothing", `<value><string lang="a>b" x='/'>s</string></value>`, "s"},
		{"control characters pass", "<value><string>\x1b[0m\x00\r\n</string></value>", "\x1b[0m\x00\r\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := decode(c.in)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDecodeRefusesValues(t *testing.T) {
	for name, in := range map[string]string{
		"bad int":             "<value><int>x</int></value>",
		"empty int":           "<value><int/></value>",
		"int over 64 bits":    "<value><int>9223372036854775808</int></value>",
		"bad double":          "<value><double>1,5</double></value>",
		"NaN":                 "<value><double>nan</double></value>",
		"bad time":            "<value><dateTime.iso8601>now</dateTime.iso8601></value>",
		"bad base64":          "<value><base64>!</base64></value>",
		"base64 of no UTF-8":  "<value><base64>/w==</base64></value>",
		"two types":           "<value><int>1</int><int>2</int></value>",
		"no value":            "<string>x</string>",
		"array without data":  "<value><array/></value>",
		"array of no values":  "<value><array><data><int>1</int></data></array></value>",
		"too deep":            strings.Repeat("<value><array><data>", 70) + strings.Repeat("</data></array></value>", 70),
		"deep in skipped":     strings.Repeat("<x>", 1000),
		"unknown entity":      "<value>&nbsp;</value>",
		"reference no number": "<value>&#xZZ;</value>",
		"a surrogate":         "<value>&#xD800;</value>",
		"bare ampersand":      "<value>a & b</value>",
	} {
		if v, err := decode(in); err == nil {
			t.Errorf("%s: got %v", name, v)
		} else if errors.Is(err, ErrNoMethod) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDecodeCall(t *testing.T) {
	for _, c := range []struct {
		name, in string
		method   string
		params   []any
		noMethod bool
		fails    bool
	}{
		{name: "no params element", in: "<methodCall><methodName>m</methodName></methodCall>", method: "m"},
		{name: "empty params", in: "<methodCall><methodName>m</methodName><params/></methodCall>", method: "m"},
		{name: "params first", in: "<methodCall><params><param><value>1</value></param></params><methodName>m</methodName></methodCall>", method: "m", params: []any{"1"}},
		{name: "declaration, comment and byte order mark", in: "\uFEFF<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<!-- c -->\n<methodCall><methodName>m</methodName></methodCall>\n<!-- c -->\n", method: "m"},
		{name: "no method", in: "<methodCall><params/></methodCall>", noMethod: true},
		{name: "empty method", in: "<methodCall><methodName/></methodCall>", noMethod: true},
		{name: "other XML", in: "<html><body/></html>", noMethod: true},
		{name: "empty", in: "", fails: true},
		{name: "no XML", in: "hello", fails: true},
		{name: "two roots", in: "<a/><b/>", fails: true},
		{name: "text behind", in: "<methodCall><methodName>m</methodName></methodCall>x", fails: true},
		{name: "not closed", in: "<methodCall><methodName>m</methodName>", fails: true},
		{name: "closed crosswise", in: "<methodCall><methodName>m</methodCall></methodName>", fails: true},
		{name: "closed before it began", in: "</methodCall>", fails: true},
		{name: "cut tag", in: "<methodCall", fails: true},
		{name: "cut comment", in: "<!-- <methodCall/>", fails: true},
		{name: "no name", in: "<>x</>", fails: true},
		{name: "document type", in: "<!DOCTYPE a [<!ENTITY b 'c'>]><methodCall><methodName>m</methodName></methodCall>", fails: true},
		{name: "not UTF-8", in: "<methodCall><methodName>\xff</methodName></methodCall>", fails: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			method, params, err := DecodeCall([]byte(c.in))
			if got := errors.Is(err, ErrNoMethod); got != c.noMethod {
				t.Errorf("error %v", err)
			}
			if (err != nil) != (c.noMethod || c.fails) {
				t.Fatalf("error %v", err)
			}
			if method != c.method || !cmp.Equal(params, c.params) {
				t.Errorf("got %q, %#v", method, params)
			}
		})
	}
}

func TestDecodeResponseRefuses(t *testing.T) {
	for name, in := range map[string]string{
		"no value":         "<methodResponse><params/></methodResponse>",
		"two values":       "<methodResponse><params><param><value/></param><param><value/></param></params></methodResponse>",
		"a page":           "<html></html>",
		"a fault of parts": "<methodResponse><fault><value><struct/></value></fault></methodResponse>",
		"a fault of text":  "<methodResponse><fault><value>x</value></fault></methodResponse>",
		"cut":              head + "<value><string>abc",
	} {
		v, err := DecodeResponse([]byte(in))
		var f *Fault
		if err == nil || errors.As(err, &f) {
			t.Errorf("%s: got %v, %v", name, v, err)
		}
	}
}

func TestDecodeResponseReplacesWhatIsNotUTF8(t *testing.T) {
	v, err := DecodeResponse([]byte(head + "<value><string>a\xffb</string></value>" + tail))
	if v != "a\uFFFDb" || err != nil {
		t.Errorf("got %q, %v", v, err)
	}
}

// What was decoded can be encoded, and decodes to the same again.
func FuzzDecodeCall(f *testing.F) {
	for _, v := range []any{"a\r\n\x1b&<>", 1, 1.5, true, nil, []any{Struct{{"a", []any{}}}}, time.Unix(0, 0)} {
		data, err := EncodeCall("supervisor.x", []any{v, v})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte("<?xml version='1.0'?><a><methodName b='>'>x<!-- --><![CDATA[]]]]></methodName><params><param><value/></param></params></a>"))
	f.Fuzz(func(t *testing.T, data []byte) {
		method, params, err := DecodeCall(data)
		if err != nil {
			return
		}
		again, err := EncodeCall(method, params)
		if err != nil {
			t.Fatalf("cannot encode %q %#v: %v", method, params, err)
		}
		method2, params2, err := DecodeCall(again)
		if err != nil || method2 != method || !reflect.DeepEqual(params2, params) {
			t.Fatalf("%q %#v became %q %#v, %v", method, params, method2, params2, err)
		}
	})
}

// Any text survives the way through a response but for what XML cannot carry.
func FuzzResponse(f *testing.F) {
	f.Add("a\r\n\x1b&<>]]>\xff", int64(1<<40), 1.5)
	f.Fuzz(func(t *testing.T, s string, n int64, x float64) {
		data, err := EncodeResponse([]any{s, n, x, Struct{{s, s}}})
		if err != nil {
			if math.IsNaN(x) || math.IsInf(x, 0) {
				return
			}
			t.Fatal(err)
		}
		v, err := DecodeResponse(data)
		clean := strings.Map(func(r rune) rune {
			if !inXML(r) {
				return '\uFFFD'
			}
			return r
		}, s)
		want := []any{clean, n, x, Struct{{clean, clean}}}
		if err != nil || !cmp.Equal(v, want) {
			t.Fatalf("%q: got %#v, %v", data, v, err)
		}
	})
}

func FuzzDecodeResponse(f *testing.F) {
	f.Add([]byte(head + "<value><string>x</string></value>" + tail))
	f.Add(EncodeFault(&Fault{1, "UNKNOWN_METHOD"}))
	f.Fuzz(func(t *testing.T, data []byte) {
		if v, err := DecodeResponse(data); err == nil {
			if _, err := EncodeResponse(v); err != nil {
				t.Fatal(err)
			}
		}
	})
}

package rpc

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast/internal/dlog"
	"holdfast/internal/httpd"
	"holdfast/internal/process"
	"holdfast/internal/supervisor"
)

const long = 20 * time.Second

// callXML is a call, its params as the XML of their values.
func callXML(method string, values ...string) string {
	params := ""
	for _, v := range values {
		params += "<param><value>" + v + "</value></param>"
	}
	return "<?xml version='1.0'?>\n<methodCall><methodName>" + method + "</methodName><params>" + params + "</params></methodCall>"
}

func post(h http.Handler, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", "/RPC2", strings.NewReader(body))
	r.Header.Set("Content-Length", fmt.Sprint(len(body)))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestResponseBytes(t *testing.T) {
	info := supervisor.Info{Name: "p", Group: "g", State: process.Running, PID: 42, StdoutLog: "/var/log/p.log",
		Start: time.Unix(1000, 0), Stop: time.Unix(900, 0), Now: time.Unix(1061, 0), SpawnErr: "<é&>", ExitStatus: -1}
	for _, tt := range []struct {
		rule, call, want string
		err              error
	}{
		{"a value", callXML("supervisor.startProcess", "p"),
			"<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n<value><boolean>1</boolean></value>\n</param>\n</params>\n</methodResponse>\n", nil},
		{"a fault", callXML("supervisor.startProcess", "p"),
			"<?xml version='1.0'?>\n<methodResponse>\n<fault>\n<value><struct>\n<member>\n<name>faultCode</name>\n<value><int>60</int></value>\n</member>\n" +
				"<member>\n<name>faultString</name>\n<value><string>ALREADY_STARTED: p</string></value>\n</member>\n</struct></value>\n</fault>\n</methodResponse>\n",
			&supervisor.Error{Reason: supervisor.ErrAlreadyStarted, Detail: "p"}},
		{"a process", callXML("supervisor.getProcessInfo", "p"),
			"<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n<value><struct>\n" +
				"<member>\n<name>name</name>\n<value><string>p</string></value>\n</member>\n" +
				"<member>\n<name>group</name>\n<value><string>g</string></value>\n</member>\n" +
				"<member>\n<name>start</name>\n<value><int>1000</int></value>\n</member>\n" +
				"<member>\n<name>stop</name>\n<value><int>900</int></value>\n</member>\n" +
				"<member>\n<name>now</name>\n<value><int>1061</int></value>\n</member>\n" +
				"<member>\n<name>state</name>\n<value><int>20</int></value>\n</member>\n" +
				"<member>\n<name>statename</name>\n<value><string>RUNNING</string></value>\n</member>\n" +
				"<member>\n<name>spawnerr</name>\n<value><string>&lt;é&amp;&gt;</string></value>\n</member>\n" +
				"<member>\n<name>exitstatus</name>\n<value><int>-1</int></value>\n</member>\n" +
				"<member>\n<name>logfile</name>\n<value><string>/var/log/p.log</string></value>\n</member>\n" +
				"<member>\n<name>stdout_logfile</name>\n<value><string>/var/log/p.log</string></value>\n</member>\n" +
				"<member>\n<name>stderr_logfile</name>\n<value><string></string></value>\n</member>\n" +
				"<member>\n<name>pid</name>\n<value><int>42</int></value>\n</member>\n" +
				"<member>\n<name>description</name>\n<value><string>pid 42, uptime 0:01:01</string></value>\n</member>\n" +
				"</struct></value>\n</param>\n</params>\n</methodResponse>\n", nil},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			w := post(newServer(&fakeAPI{info: info, err: tt.err}, fakeDaemon{}), tt.call)
			if w.Code != 200 || w.Header().Get("Content-Type") != "text/xml" || w.Header().Get("Content-Length") != fmt.Sprint(len(tt.want)) {
				t.Errorf("status %d, header %v", w.Code, w.Header())
			}
			if diff := cmp.Diff(tt.want, w.Body.String()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// What is wrong below the level of methods, and what the log says of it.
func TestTransport(t *testing.T) {
	for _, tt := range []struct {
		rule, body string
		code       int
		log        []string
	}{
		{"a call that succeeds", callXML("supervisor.getPID"), 200, []string{
			"TRAC XML-RPC method called: supervisor.getPID()",
			"TRAC XML-RPC method supervisor.getPID() returned successfully"}},
		{"a call that faults", callXML("supervisor.nope"), 200, []string{
			"TRAC XML-RPC method called: supervisor.nope()",
			"TRAC XML-RPC method supervisor.nope() returned fault: [1] UNKNOWN_METHOD"}},
		{"a name cannot forge a log line", callXML("a\nCRIT b"), 200, []string{
			"TRAC XML-RPC method called: a CRIT b()",
			"TRAC XML-RPC method a CRIT b() returned fault: [1] UNKNOWN_METHOD"}},
		{"no params at all", "<methodCall><methodName>supervisor.getPID</methodName></methodCall>", 200, []string{
			"TRAC XML-RPC method called: supervisor.getPID()",
			"TRAC XML-RPC method supervisor.getPID() returned successfully"}},
		{"an empty body", "", 400, []string{"ERRO XML-RPC request data '' is invalid: unmarshallable"}},
		{"no XML", "what's up", 400, []string{`ERRO XML-RPC request data "what's up" is invalid: unmarshallable`}},
		{"XML that stops", "<methodCall><methodName>", 400, []string{"ERRO XML-RPC request data '<methodCall><methodName>' is invalid: unmarshallable"}},
		{"a bad int", "<methodCall><methodName>a</methodName><params><param><value><int>x</int></value></param></params></methodCall>", 400,
			[]string{"ERRO XML-RPC request data '<methodCall><methodName>a</methodName><params><param><value><int>x</int></value></param></params></methodCall>' is invalid: unmarshallable"}},
		{"no method name", "<methodCall></methodCall>", 400, []string{"ERRO XML-RPC request data '<methodCall></methodCall>' is invalid: no method name"}},
		{"an empty method name", "<methodCall><methodName/></methodCall>", 400, []string{"ERRO XML-RPC request data '<methodCall><methodName/></methodCall>' is invalid: no method name"}},
		{"a long body is cut in the log", strings.Repeat("x", 5000), 400, []string{"ERRO XML-RPC request data '" + strings.Repeat("x", 1000) + "'... is invalid: unmarshallable"}},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			log := &lines{}
			h := New(&fakeAPI{}, fakeDaemon{}, Options{Namespaces: []string{"supervisor"}, Log: slog.New(log)})
			if w := post(h, tt.body); w.Code != tt.code {
				t.Errorf("status %d, want %d", w.Code, tt.code)
			}
			if diff := cmp.Diff(tt.log, log.all); diff != "" {
				t.Errorf("log, -want +got:\n%s", diff)
			}
		})
	}
	t.Run("bytes that are no UTF-8", func(t *testing.T) {
		if w := post(newServer(&fakeAPI{}, fakeDaemon{}), callXML("supervisor.getPID\xff")); w.Code != 400 {
			t.Errorf("status %d", w.Code)
		}
	})
	t.Run("GET is 400", func(t *testing.T) {
		w := httptest.NewRecorder()
		newServer(&fakeAPI{}, fakeDaemon{}).ServeHTTP(w, httptest.NewRequest("GET", "/RPC2", nil))
		if w.Code != 400 || !strings.Contains(w.Body.String(), "<p>Error code 400.\r\n<p>Message: Bad Request.") {
			t.Errorf("got %d %q", w.Code, w.Body)
		}
	})
}

type brokenDaemon struct{ fakeDaemon }

func (brokenDaemon) PID() int { panic("no pid") }

func TestAPanicIs500(t *testing.T) {
	log := &lines{}
	h := New(&fakeAPI{}, brokenDaemon{}, Options{Namespaces: []string{"supervisor"}, Log: slog.New(log)})
	if w := post(h, callXML("supervisor.getPID")); w.Code != 500 {
		t.Errorf("status %d", w.Code)
	}
	if last := log.all[len(log.all)-1]; !strings.HasPrefix(last, "CRIT Handling XML-RPC request with data ") ||
		!strings.Contains(last, " raised an unexpected exception: no pid\n") {
		t.Errorf("logged %q", last)
	}
}

// A caller that goes away takes its waiter with it, and the rest of a multicall.
func TestHangUp(t *testing.T) {
	api := &fakeAPI{started: make(chan bool, 2)}
	s := newServer(api, fakeDaemon{})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		start := "<value><struct><member><name>methodName</name><value>supervisor.startProcess</value></member>" +
			"<member><name>params</name><value><array><data><value>p</value></data></array></value></member></struct></value>"
		s.answer(ctx, []byte(callXML("system.multicall", "<array><data>"+start+start+"</data></array>")))
	}()
	<-api.started
	cancel()
	select {
	case <-done:
	case <-time.After(long):
		t.Fatal("the call still waits")
	}
	if len(api.calls) != 1 {
		t.Errorf("calls %q", api.calls)
	}
}

// A caller that still waits when another supervisord takes over is told to ask again.
func TestLeaving(t *testing.T) {
	api := &fakeAPI{started: make(chan bool, 1)}
	ctx, cancel := context.WithCancelCause(t.Context())
	done := make(chan *httptest.ResponseRecorder)
	go func() {
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(ctx, "POST", "/RPC2", strings.NewReader(callXML("supervisor.startProcess", "p")))
		r.Header.Set("Content-Length", strconv.FormatInt(r.ContentLength, 10))
		newServer(api, fakeDaemon{}).ServeHTTP(w, r)
		done <- w
	}()
	<-api.started
	cancel(httpd.ErrLeaving)
	if w := <-done; w.Code != 503 || w.Header().Get("Retry-After") == "" {
		t.Errorf("status %d, header %v", w.Code, w.Header())
	}
}

// lines is a slog.Handler that keeps level and text.
type lines struct {
	mu  sync.Mutex
	all []string // guarded by mu
}

func (l *lines) Enabled(context.Context, slog.Level) bool { return true }
func (l *lines) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l *lines) WithGroup(string) slog.Handler            { return l }
func (l *lines) Handle(_ context.Context, r slog.Record) error {
	short := map[slog.Level]string{dlog.Crit: "CRIT", dlog.Error: "ERRO", dlog.Trace: "TRAC"}[r.Level]
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, short+" "+r.Message)
	return nil
}

// FuzzBody sends any body: the answer is a refusal or well-formed, and never a 500.
func FuzzBody(f *testing.F) {
	f.Add([]byte(callXML("supervisor.getPID")))
	f.Add([]byte(callXML("supervisor.startProcess", "p", "<boolean>0</boolean>")))
	f.Add([]byte(callXML("supervisor.tailProcessLog", "p", "<double>-1e300</double>", "<string>5</string>")))
	f.Add([]byte(callXML("system.multicall", "<array><data><value><struct><member><name>methodName</name><value>supervisor.sendRemoteCommEvent</value></member><member><name>params</name><value><array><data><value><nil/></value><value><dateTime.iso8601>20260102T03:04:05</dateTime.iso8601></value></data></array></value></member></struct></value></data></array>")))
	log := logFile(f, "0123456789\xff")
	h := newServer(&fakeAPI{info: supervisor.Info{Name: "p", StdoutLog: log}}, fakeDaemon{log: log})
	f.Fuzz(func(t *testing.T, body []byte) {
		w := post(h, string(body))
		switch w.Code {
		case 200:
			if !bytes.HasPrefix(w.Body.Bytes(), []byte("<?xml version='1.0'?>\n<methodResponse>\n")) {
				t.Errorf("answer %q", w.Body)
			}
		case 400:
		default:
			t.Errorf("status %d", w.Code)
		}
	})
}

// A page of another site can have a browser post to us; the answer alone it can't read.
func TestCallsOfOtherSitesAreRefused(t *testing.T) {
	h := newServer(&fakeAPI{}, fakeDaemon{})
	for header, want := range map[[2]string]int{
		{"Origin", "http://evil.example"}:   http.StatusForbidden,
		{"Sec-Fetch-Site", "cross-site"}:    http.StatusForbidden,
		{"Sec-Fetch-Site", "same-origin"}:   http.StatusOK,
		{"User-Agent", "Python-xmlrpc/3.9"}: http.StatusOK,
	} {
		body := "<methodCall><methodName>supervisor.getAPIVersion</methodName></methodCall>"
		r := httptest.NewRequest("POST", "/RPC2", strings.NewReader(body))
		r.Header.Set("Content-Length", fmt.Sprint(len(body)))
		r.Header.Set(header[0], header[1])
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%v: status %d, want %d", header, w.Code, want)
		}
	}
}

// Package rpc is the XML-RPC face: it turns calls of supervisor.*, system.* and holdfast.* into calls on the
// supervisor, and what the supervisor answers into values and faults.
//
// The methods are one table (methods.go), the faults another (faults.go). A call goes
//
//	body -> xmlrpc.DecodeCall -> name, number of arguments, mood, types -> supervisor.API -> value or fault
//
// and a method that waits for a process blocks its request's goroutine and nothing else.
package rpc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"unicode"

	"holdfast/internal/dlog"
	"holdfast/internal/httpd"
	"holdfast/internal/pyrepr"
	"holdfast/internal/supervisor"
	"holdfast/internal/xmlrpc"
)

// Prefix begins every path that is this handler's: /RPC2, and also /RPC2/ and /RPC2foo, as in the
// original.
const Prefix = "/RPC2"

// A Daemon answers what is not the supervisor's to know.
type Daemon interface {
	Version() string     // the package's version, "4.2.5"
	PID() int            // of the daemon
	MainLog() string     // path of the main log; empty: there is none, or it is syslog
	ClearMainLog() error // remove the main log and open it anew; matches fs.ErrNotExist if it is not there
	Info() DaemonInfo
	// Upgrade puts the program at that path, empty for this one's, in this daemon's place. It returns when
	// that is about to happen, or why it is not.
	Upgrade(ctx context.Context, program string) error
	// MainProcesses is the main process of each.
	MainProcesses(infos []supervisor.Info) []MainProcess
}

// Options are what the configuration says of this face.
type Options struct {
	// Namespaces are the names of the [rpcinterface:x] sections with the supervisor's own
	// factory, normally "supervisor". With none there is only system.*.
	Namespaces []string
	Log        *slog.Logger // nil: nothing is logged
}

// New returns the handler for the paths under Prefix.
func New(api supervisor.API, d Daemon, o Options) http.Handler {
	s := &server{api: api, daemon: d, log: o.Log, methods: make(map[string]*method)}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	for _, namespace := range o.Namespaces {
		s.add(namespace, supervisorMethods)
	}
	// Differs: the original knows none of these.
	if len(o.Namespaces) > 0 {
		s.add("holdfast", holdfastMethods)
	}
	s.add("system", systemMethods)
	return s
}

type server struct {
	api     supervisor.API
	daemon  Daemon
	log     *slog.Logger
	methods map[string]*method // by full name; not written after New
}

func (s *server) add(namespace string, methods []method) {
	for i := range methods {
		s.methods[namespace+"."+methods[i].name] = &methods[i]
	}
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		httpd.Error(w, http.StatusBadRequest)
		return
	}
	// Differs: a page of another site can make a browser send a call, and the original takes it.
	if httpd.SourceOf(r) != httpd.Trusted {
		httpd.Error(w, http.StatusForbidden)
		return
	}
	body, ok := httpd.ReadBody(w, r)
	if !ok {
		return
	}
	answer, status := s.answer(r.Context(), body)
	if status != http.StatusOK {
		if status == http.StatusServiceUnavailable {
			w.Header().Set("Retry-After", "1")
		}
		httpd.Error(w, status)
		return
	}
	w.Header().Set("Content-Type", "text/xml")
	w.Header().Set("Content-Length", strconv.Itoa(len(answer)))
	_, _ = w.Write(answer) // if the client has gone, nobody is left to be told
}

// answer returns the response to a call, or the status to refuse it with.
func (s *server) answer(ctx context.Context, body []byte) (answer []byte, status int) {
	defer func() {
		if p := recover(); p != nil {
			s.log.Log(ctx, dlog.Crit, fmt.Sprintf("Handling XML-RPC request with data %s raised an unexpected exception: %v\n%s",
				excerpt(body), p, debug.Stack()))
			answer, status = nil, http.StatusInternalServerError
		}
	}()

	name, params, err := xmlrpc.DecodeCall(body)
	if err != nil {
		why := "unmarshallable"
		if errors.Is(err, xmlrpc.ErrNoMethod) {
			why = "no method name"
		}
		s.log.Log(ctx, dlog.Error, fmt.Sprintf("XML-RPC request data %s is invalid: %s", excerpt(body), why))
		return nil, http.StatusBadRequest
	}

	s.trace(ctx, "XML-RPC method called: %s()", name)
	value, err := s.invoke(ctx, name, params)
	if errors.Is(err, context.Canceled) && context.Cause(ctx) == httpd.ErrLeaving {
		return nil, http.StatusServiceUnavailable // what the call has begun goes on
	}
	if err != nil {
		fault := toFault(err)
		s.trace(ctx, "XML-RPC method %s() returned fault: [%d] %s", name, fault.Code, fault.String)
		return xmlrpc.EncodeFault(fault), http.StatusOK
	}
	s.trace(ctx, "XML-RPC method %s() returned successfully", name)
	if answer, err = xmlrpc.EncodeResponse(value); err != nil {
		panic(err) // a method returned what is no XML-RPC value
	}
	return answer, http.StatusOK
}

// trace logs a line.
//
// Differs: what clients sent is in args, so whatever would break the line is taken out; the original
// lets them forge lines.
func (s *server) trace(ctx context.Context, format string, args ...any) {
	if !s.log.Enabled(ctx, dlog.Trace) {
		return
	}
	s.log.Log(ctx, dlog.Trace, strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, fmt.Sprintf(format, args...)))
}

// excerpt is the beginning of a request, for the log.
// Differs: the original logs all of it, so that a client can fill the disk.
func excerpt(body []byte) string {
	const most = 1000
	if len(body) <= most {
		return pyrepr.Repr(string(body))
	}
	return pyrepr.Repr(string(body[:most])) + "..."
}

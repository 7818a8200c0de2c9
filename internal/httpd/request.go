package httpd

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"holdfast/internal/dlog"
)

// MaxBody is the most bytes that a request may bring. The longest sensible ones are text for a
// process's stdin and a multicall on every process of a big configuration.
const MaxBody = 8 << 20

// Error answers with code and the page that the original answers errors with.
func Error(w http.ResponseWriter, code int) {
	body := fmt.Sprintf("<head>\r\n<title>Error response</title>\r\n</head>\r\n<body>\r\n"+
		"<h1>Error response</h1>\r\n<p>Error code %d.\r\n<p>Message: %s.\r\n</body>\r\n", code, http.StatusText(code))
	h := w.Header()
	h.Set("Content-Type", "text/html")
	h.Set("Content-Length", fmt.Sprint(len(body)))
	w.WriteHeader(code)
	io.WriteString(w, body)
}

// ReadBody reads the body of a request. If that can't be done it has answered the client, and the
// handler returns. The length must be given, as the original wants it.
func ReadBody(w http.ResponseWriter, r *http.Request) (body []byte, ok bool) {
	refuse := func(code int) ([]byte, bool) {
		w.Header().Set("Connection", "close") // what comes next may be the rest of the body
		Error(w, code)
		return nil, false
	}
	if r.ContentLength < 0 || r.Header.Get("Content-Length") == "" {
		return refuse(http.StatusLengthRequired)
	}
	if r.ContentLength > MaxBody {
		return refuse(http.StatusRequestEntityTooLarge)
	}
	body, err := io.ReadAll(r.Body)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return refuse(http.StatusRequestTimeout)
	}
	if err != nil {
		return refuse(http.StatusBadRequest)
	}
	// The body's time is over, and the client may wait for its answer as long as it takes. From
	// here on net/http looks whether the client hangs up.
	if err := http.NewResponseController(w).SetReadDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return refuse(http.StatusInternalServerError)
	}
	return body, true
}

// guard lets only requests through to h that are well-formed and allowed.
func (l *Listener) guard(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Server", "Holdfast") // Differs: Medusa/1.12, the original's server
		refuse := func(code int) {
			w.Header().Set("Connection", "close")
			Error(w, code)
		}
		if r.ProtoMajor != 1 { // the preface of HTTP/2 comes as a request
			refuse(http.StatusHTTPVersionNotSupported)
			return
		}
		if l.server.Username != "" {
			if code := authorize(r, l.server.Username, l.server.Password); code != 0 {
				if code == http.StatusUnauthorized {
					w.Header()["WWW-Authenticate"] = []string{`Basic realm="default"`} // Set would spell it in Go's way
				}
				refuse(code)
				return
			}
		} else {
			r.Header.Del("Authorization") // nobody looks at it, so it says nothing: see SourceOf
		}
		if r.ContentLength != 0 {
			// A handler that does not read the body would not hear of a client's going away.
			if r.Method == http.MethodGet || r.Method == http.MethodHead {
				refuse(http.StatusBadRequest)
				return
			}
			if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(l.limits.body)); err != nil {
				refuse(http.StatusInternalServerError)
				return
			}
		}
		h.ServeHTTP(w, r)
	})
}

// accessLog logs each answered request as the original does.
func (l *Listener) accessLog(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !l.log.Enabled(r.Context(), dlog.Trace) {
			h.ServeHTTP(w, r)
			return
		}
		rec := &recorder{ResponseWriter: w, status: http.StatusOK}
		h.ServeHTTP(rec, r)
		client := r.RemoteAddr
		if !strings.Contains(client, ":") {
			client = "localhost:0" // a unix socket
		}
		// Differs: the bytes are the body's. net/http makes the header after this. And a line with
		// "error" in it is no error.
		l.log.Log(r.Context(), dlog.Trace, fmt.Sprintf("%s - - [%s] \"%s %s %s\" %d %d", client,
			time.Now().UTC().Format("02/Jan/2006:15:04:05 -0700"),
			r.Method, r.RequestURI, r.Proto, rec.status, rec.bytes))
	})
}

// A recorder notes what the log wants to know of an answer.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
}

// Unwrap is for http.ResponseController.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func (r *recorder) WriteHeader(code int) {
	r.status = code
	r.ResponseWriter.WriteHeader(code)
}

func (r *recorder) Write(p []byte) (int, error) {
	n, err := r.ResponseWriter.Write(p)
	r.bytes += int64(n)
	return n, err
}

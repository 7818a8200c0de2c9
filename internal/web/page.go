package web

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"

	"holdfast/internal/httpd"
)

//go:embed pages
var pageFiles embed.FS

var pages = template.Must(template.ParseFS(pageFiles, "pages/*.html"))

// common is what every page shows.
type common struct {
	Host, Version, Time string
}

func (h *handler) common() common {
	host, err := os.Hostname()
	if err != nil {
		host = "" // the page goes without
	}
	return common{host, h.daemon.Version(), time.Now().Format("2006-01-02 15:04:05 MST")}
}

// render answers with a page.
func render(w http.ResponseWriter, code int, name string, data any) {
	var body bytes.Buffer
	if err := pages.ExecuteTemplate(&body, name, data); err != nil {
		panic(err) // the template is wrong, which a test would have told
	}
	h := w.Header()
	noCache(h)
	h.Set("Content-Type", "text/html;charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(body.Len()))
	// No other site may show our buttons under something else for people to click on, and
	// whatever gets past the escaping loads and runs nothing.
	h.Set("X-Frame-Options", "DENY")
	h.Set("Content-Security-Policy",
		"default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	// So that our own pages say that they are ours, and others do not hear our messages.
	h.Set("Referrer-Policy", "same-origin")
	w.WriteHeader(code)
	_, _ = w.Write(body.Bytes()) // if the client has gone, nobody is left to be told
}

// noCache is the original's.
func noCache(h http.Header) {
	h.Set("Pragma", "no-cache")
	h.Set("Cache-Control", "no-cache")
	h.Set("Expires", "Thu, 01 Jan 1970 00:00:00 GMT")
}

// ending is the page while supervisord shuts down or restarts.
//
// Differs: it is 503, and looks again by itself, where the original answers 500.
func (h *handler) ending(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "2")
	render(w, http.StatusServiceUnavailable, "ending.html", h.common())
}

// refuse is the page for an action that was not asked for from here, or perhaps not.
//
// Differs: the original does what any page of any site makes a browser ask for.
func (h *handler) refuse(w http.ResponseWriter, r *http.Request, source httpd.Source, action, name string) {
	from := r.Header.Get("Origin")
	if from == "" {
		from = r.Header.Get("Referer")
	}
	url := "index.html?action=" + quote(action)
	if name != "" {
		url = "index.html?processname=" + quote(name) + "&action=" + quote(action)
	}
	render(w, http.StatusForbidden, "refused.html", struct {
		common
		Action, Name, URL string
		From, Asked       string
		Unsure, Misnamed  bool
	}{h.common(), action, name, url, from, r.Host, source == httpd.Unsure, source == httpd.Misnamed})
}

func ok(w http.ResponseWriter, _ *http.Request, _ form) {
	h := w.Header()
	h.Set("Content-Type", "text/plain")
	h.Set("Content-Length", "2")
	_, _ = io.WriteString(w, "OK")
}

// unexpected is what the pages say of an error that they have no words for.
func (h *handler) unexpected(err error) string {
	code, text := h.daemon.Fault(err)
	return fmt.Sprintf("unexpected rpc fault [%d] %s", code, text)
}

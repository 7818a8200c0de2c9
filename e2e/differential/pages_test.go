package differential

import (
	"bufio"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"holdfast/client"
	"holdfast/internal/xmlrpc"
)

// call sends a body and tells the answer as rpc does.
func (w *world) call(body string) string {
	status, _, answer := w.get("unix", w.dir+"/s", http.MethodPost, "/RPC2", body)
	if status != "200 OK" {
		return "http " + status + "\n"
	}
	v, err := xmlrpc.DecodeResponse([]byte(answer))
	var f *xmlrpc.Fault
	if errors.As(err, &f) {
		err = &client.Fault{Code: f.Code, String: f.String}
	}
	return showAnswer(v, err, false)
}

// page asks for one of the web pages and tells what a user, or a script, finds in it. Where it is
// sent elsewhere it goes there and tells what that page says.
func (w *world) page(network, address, method, target, form string) string {
	status, header, body := w.get(network, address, method, target, form)
	if body == "" {
		return status
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", status, header.Get("Content-Type"))
	for _, h := range []string{"Pragma", "Cache-Control", "Expires"} {
		if v := header.Get(h); v != "" {
			b.WriteString("; " + v)
		}
	}
	b.WriteString("\n")
	location := header.Get("Location")
	if location == "" {
		return b.String() + facts(body)
	}
	base, _ := url.Parse("http://localhost" + target)
	there, err := base.Parse(location)
	if err != nil {
		return b.String() + err.Error() + "\n"
	}
	fmt.Fprintf(&b, "to: %s: %s\n", there.Path, there.Query().Get("message"))
	status, _, body = w.get(network, address, http.MethodGet, there.RequestURI(), "")
	fmt.Fprintf(&b, "there: %s\n", status)
	for l := range strings.Lines(facts(body)) {
		if strings.HasPrefix(l, "message: ") {
			b.WriteString(l)
		}
	}
	return b.String()
}

// get returns the answer to one request. An empty body means that there was none, and status says why.
func (w *world) get(network, address, method, target, form string) (status string, header http.Header, body string) {
	length := ""
	if method == http.MethodPost {
		length = fmt.Sprintf("Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n", len(form))
	}
	conn, err := net.Dial(network, address)
	if err != nil {
		return err.Error() + "\n", nil, ""
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(long))
	fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s\r\n%s", method, target, length, form)
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		return err.Error() + "\n", nil, ""
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err.Error() + "\n", nil, ""
	}
	return resp.Status, resp.Header, string(text)
}

// facts are the texts and addresses of a page, whatever its markup: those of the original's pages and
// of ours.
func facts(page string) string {
	d := xml.NewDecoder(strings.NewReader(page))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	var (
		b, text strings.Builder // since the element began that is looked for
		link    string          // of the a or button that text belongs to
		cell    int             // of a table's row, from 1
		class   string          // of the state
		title   string
	)
	attr := func(e xml.StartElement, name string) string {
		for _, a := range e.Attr {
			if a.Name.Local == name {
				return a.Value
			}
		}
		return ""
	}
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	inMessage := false
	for {
		token, err := d.Token()
		if err != nil {
			break
		}
		switch e := token.(type) {
		case xml.CharData:
			text.Write(e)
			if t := strings.TrimSpace(string(e)); t == "No programs to manage" {
				line("%s", t)
			}
		case xml.StartElement:
			switch e.Name.Local {
			case "tr":
				cell = 0
			case "td":
				cell++
				text.Reset()
			case "span":
				if c := attr(e, "class"); strings.HasPrefix(c, "status") {
					class = c
				}
			case "a", "button":
				link = attr(e, "href") + attr(e, "formaction")
				text.Reset()
			case "input":
				text.WriteString(attr(e, "value"))
			case "form":
				if title != "Supervisor Status" {
					break // it has no purpose
				}
				line("form: %s %s", strings.ToUpper(attr(e, "method")), attr(e, "action"))
			case "div":
				inMessage = slices.Contains(strings.Fields(attr(e, "class")), "status_msg")
				text.Reset()
			case "title", "pre":
				text.Reset()
			}
		case xml.EndElement:
			t := strings.TrimSpace(text.String())
			switch e.Name.Local {
			case "title":
				title = t
				line("title: %s", t)
			case "pre":
				line("text:\n%s", strings.TrimSuffix(text.String(), "\n"))
			case "div":
				if inMessage {
					line("message: %s", t)
					inMessage = false
				}
			case "td":
				switch cell {
				case 1:
					line("%s %s", class, t)
				case 2:
					line("  %s", t)
				}
			case "a", "button":
				switch action := strings.HasPrefix(link, "index.html?action="); {
				case link == "#" || link == "":
				case cell > 0:
					line("  %s: %s", t, link)
				case action || t == "Refresh":
					line("%s", link)
				}
				link = ""
			case "table":
				cell = 0
			}
		}
	}
	return b.String()
}

// A stream is an answer that goes on and on.
type stream struct {
	mu   sync.Mutex
	text []byte // guarded by mu
	end  string // guarded by mu: how it ended; empty while it goes on
	read int
}

// follow asks for the target and leaves the body to heard. What is no stream is given out at once.
func (w *world) follow(id, network, address, request string) string {
	conn, err := net.Dial(network, address)
	if err != nil {
		return err.Error() + "\n"
	}
	w.t.Cleanup(func() { conn.Close() })
	if _, err := io.WriteString(conn, request); err != nil {
		return err.Error() + "\n"
	}
	_ = conn.SetDeadline(time.Now().Add(long))
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return err.Error() + "\n"
	}
	_ = conn.SetDeadline(time.Time{})
	s := &stream{}
	w.streams[id] = s
	go func() { // ends with the connection
		buf := make([]byte, 4096)
		for {
			n, err := resp.Body.Read(buf)
			s.mu.Lock()
			s.text = append(s.text, buf[:n]...)
			if err == io.EOF {
				s.end = "(end)\n"
			} else if err != nil {
				s.end = "(broken off)\n"
			}
			s.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return head(resp)
}

// heard is what has come of a stream since the last time, once it matches until, to the end of that
// line; of this only the lines that match only. Without until it is all to the stream's end.
func (w *world) heard(id, until, only string) string {
	s := w.streams[id]
	if s == nil {
		return "there is no stream " + id + "\n"
	}
	u := regexp.MustCompile("(?m)" + until)
	var fresh, end string
	found := w.until(func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		fresh, end = string(s.text[s.read:]), s.end
		at := u.FindStringIndex(fresh)
		if until == "" || at == nil {
			return end != ""
		}
		end = ""
		if n := strings.IndexByte(fresh[at[1]:], '\n'); n >= 0 {
			fresh = fresh[:at[1]+n+1]
		}
		return true
	})
	s.read += len(fresh)
	if !found {
		return fresh + fmt.Sprintf("(and nothing that matches %q)\n", until)
	}
	if fresh != "" && !strings.HasSuffix(fresh, "\n") {
		fresh += "\n"
	}
	o := regexp.MustCompile(only)
	var b strings.Builder
	for l := range strings.Lines(fresh) {
		if o.MatchString(l) {
			b.WriteString(l)
		}
	}
	return b.String() + end
}

// head is an answer's status line and the fields of its header that are compared.
func head(resp *http.Response) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n", resp.Proto, resp.Status)
	for _, h := range headers {
		if v := resp.Header.Get(h); v != "" {
			if h == "Connection" {
				// The case has no meaning, and whether the connection is closed can be seen.
				if v = strings.ToLower(v); v == "close" {
					continue
				}
			}
			fmt.Fprintf(&b, "%s: %s\n", h, v)
		}
	}
	if resp.TransferEncoding != nil {
		fmt.Fprintf(&b, "Transfer-Encoding: %s\n", strings.Join(resp.TransferEncoding, ", "))
	}
	return b.String()
}

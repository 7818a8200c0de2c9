package web

import (
	"fmt"
	"html"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/internal/process"
	"holdfast/internal/supervisor"
)

func all(re, s string) (found []string) {
	for _, m := range regexp.MustCompile(re).FindAllStringSubmatch(s, -1) {
		found = append(found, html.UnescapeString(m[1]))
	}
	return found
}

// Which actions a state offers.
func TestRowOfEachState(t *testing.T) {
	for _, tt := range []struct {
		state   process.State
		class   string
		actions []string
	}{
		{process.Stopped, "statusnominal", []string{"start", "clearlog"}},
		{process.Starting, "statusnominal", []string{"clearlog"}},
		{process.Running, "statusrunning", []string{"restart", "stop", "clearlog"}},
		{process.Backoff, "statuserror", []string{"clearlog"}},
		{process.Stopping, "statusnominal", []string{"clearlog"}},
		{process.Exited, "statusnominal", []string{"start", "clearlog"}},
		{process.Fatal, "statuserror", []string{"start", "clearlog"}},
		{process.Unknown, "statusnominal", []string{"clearlog"}},
	} {
		t.Run(tt.state.String(), func(t *testing.T) {
			now := time.Now()
			info := supervisor.Info{Name: "p x", Group: "g/é", State: tt.state, PID: 42, Start: now.Add(-90061 * time.Second), Now: now, SpawnErr: "why"}
			a := &actor{fakeAPI: fakeAPI{infos: map[string]supervisor.Info{"": info}}}
			page := get(New(a, fakeDaemon("")), "GET", "/", "").Body.String()
			const q = "g/%C3%A9%3Ap%20x"
			var want []string
			for _, a := range tt.actions {
				want = append(want, "index.html?processname="+q+"&action="+a)
			}
			var got []string
			for _, url := range all(`formaction="([^"]*)"`, page) {
				if !strings.HasSuffix(url, "all") {
					got = append(got, url)
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("actions %q, want %q", got, want)
			}
			if got, want := all(`href="(logtail[^"]*)"`, page), []string{"logtail/" + q, "logtail/" + q + "/stderr"}; !slices.Equal(got, want) {
				t.Errorf("logs %q, want %q", got, want)
			}
			for _, want := range []string{
				`<span class="` + tt.class + `">` + strings.ToLower(tt.state.String()) + `</span>`,
				`<a href="tail.html?processname=` + q + `" target="_blank">g/é:p x</a>`,
				`<td class="desc">` + html.EscapeString(fakeDaemon("").Description(info)) + `</td>`,
			} {
				if !strings.Contains(page, want) {
					t.Errorf("no %s in %s", want, page)
				}
			}
		})
	}
}

func TestStatusPage(t *testing.T) {
	w := get(New(newActor(), fakeDaemon("")), "GET", "/?message=All%20good&message=not+this", "")
	page := w.Body.String()
	for _, want := range []string{"<title>Supervisor Status</title>", `<div class="status_msg" role="status">All good</div>`, "4.4.0&#43;test",
		`href="index.html?action=refresh"`, `formaction="index.html?action=restartall"`, `formaction="index.html?action=stopall"`} {
		if !strings.Contains(page, want) {
			t.Errorf("no %s in %s", want, page)
		}
	}
	if got := all(`<td class="name"><a[^>]*>([^<]*)<`, page); !slices.Equal(got, []string{"g:p", "p"}) {
		t.Errorf("names %q, want them by group, then name", got)
	}
	for name, want := range map[string]string{
		"Content-Type": "text/html;charset=utf-8", "Content-Length": fmt.Sprint(len(page)),
		"Pragma": "no-cache", "Cache-Control": "no-cache", "Expires": "Thu, 01 Jan 1970 00:00:00 GMT",
		"X-Frame-Options": "DENY", "Referrer-Policy": "same-origin", "X-Content-Type-Options": "nosniff",
	} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if csp := w.Header().Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "frame-ancestors 'none'") {
		t.Errorf("Content-Security-Policy: %q", csp)
	}
	if strings.Contains(page, "<script") || strings.Contains(page, "://") {
		t.Errorf("the page needs a script or something from elsewhere: %s", page)
	}

	empty := get(New(&actor{}, fakeDaemon("")), "GET", "/", "").Body.String()
	if !strings.Contains(empty, "No programs to manage") || strings.Contains(empty, "<table") || strings.Contains(empty, "status_msg") {
		t.Errorf("without programs: %s", empty)
	}
	for message, bad := range map[string]bool{
		"ERROR: Process p: spawn error": true, "unexpected rpc fault [70] NOT_RUNNING: p": true, "No such process named p": true,
		"All restarted at x, but not p (spawn error)": true, "Process p started": false, "All restarted at x": false,
	} {
		page := get(New(&actor{}, fakeDaemon("")), "GET", "/?message="+quote(message), "").Body.String()
		if strings.Contains(page, `"status_msg bad"`) != bad {
			t.Errorf("%s: bad: %v", message, !bad)
		}
	}
}

func TestTailPage(t *testing.T) {
	dir := t.TempDir()
	long := strings.Repeat("x", mostTail) + strings.Repeat("y", 3000) + "<end>"
	write(t, filepath.Join(dir, "log"), long)
	write(t, filepath.Join(dir, "bytes"), "a\xffb")
	api := &actor{fakeAPI: fakeAPI{infos: map[string]supervisor.Info{
		"p": {StdoutLog: filepath.Join(dir, "log")}, "g:b": {StdoutLog: filepath.Join(dir, "bytes")}, "none": {}, "gone": {StdoutLog: filepath.Join(dir, "gone")},
		"dir": {StdoutLog: dir}, "g:*": {},
	}}}
	end := func(n int) string { return long[len(long)-n:] }
	for _, tt := range []struct{ rule, query, title, text, refresh string }{
		{"the last 1024 bytes", "processname=p", "p", end(1024), "tail.html?processname=p&limit=1024"},
		{"more, if asked for", "processname=p&limit=2000", "p", end(2000), "tail.html?processname=p&limit=2000"},
		{"never less", "processname=p&limit=10", "p", end(1024), "tail.html?processname=p&limit=1024"},
		{"never more than a MiB", "processname=p&limit=99999999", "p", end(1 << 20), "tail.html?processname=p&limit=1048576"},
		{"nor if the number is too big", "processname=p&limit=99999999999999999999999", "p", end(1 << 20), "tail.html?processname=p&limit=1048576"},
		{"a limit that is no number", "processname=p&limit=2k", "p", end(1024), "tail.html?processname=p&limit=1024"},
		{"a negative limit", "processname=p&limit=-5000", "p", end(1024), "tail.html?processname=p&limit=1024"},
		{"all, if there is less", "processname=g:b&limit=5000", "g:b", "a\uFFFDb", "tail.html?processname=g%3Ab&limit=5000"},
		{"a process without a log", "processname=none", "none", "No file for none", "tail.html?processname=none&limit=1024"},
		{"a log that is not there", "processname=gone", "gone", "No file for gone", "tail.html?processname=gone&limit=1024"},
		{"a log that can't be read", "processname=dir", "dir", "ERROR: unexpected rpc fault [30] FAILED", "tail.html?processname=dir&limit=1024"},
		{"an unknown process", "processname=<q>", "<q>", "ERROR: unexpected rpc fault [10] BAD_NAME: <q>", "tail.html?processname=%3Cq%3E&limit=1024"},
		{"a whole group", "processname=g:*", "g:*", "ERROR: unexpected rpc fault [10] BAD_NAME: g:*", "tail.html?processname=g%3A%2A&limit=1024"},
		{"no process", "", "None", "No process name found", ""},
		{"an empty process", "processname=&limit=2000", "None", "No process name found", ""},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			for _, w := range []string{
				get(New(api, fakeDaemon("")), "GET", "/tail.html?"+tt.query, "").Body.String(),
				get(New(api, fakeDaemon("")), "POST", "/tail.html", tt.query).Body.String(),
			} {
				if got := all(`<title>([^<]*)</title>`, w); !slices.Equal(got, []string{"Supervisor tail of process " + tt.title}) {
					t.Errorf("title %q", got)
				}
				if got := all(`(?s)<pre>(.*)</pre>`, w); !slices.Equal(got, []string{tt.text}) {
					t.Errorf("text %.100q, want %.100q", got, tt.text)
				}
				refresh := append(all(`href="(tail[^"]*)">Refresh<`, w), "")[0]
				if refresh != tt.refresh {
					t.Errorf("refresh %q, want %q", refresh, tt.refresh)
				}
			}
		})
	}
}

// Whatever a configuration, a log or a link puts on a page, it is text.
func TestNothingBecomesMarkup(t *testing.T) {
	const evil = `"'><script>alert(1)</script><b x=`
	dir := t.TempDir()
	write(t, filepath.Join(dir, "log"), evil)
	api := &actor{fakeAPI: fakeAPI{infos: map[string]supervisor.Info{
		evil: {Name: evil, Group: evil, State: process.Fatal, SpawnErr: evil, StdoutLog: filepath.Join(dir, "log")},
	}}}
	for _, target := range []string{
		"/?message=" + quote(evil), "/tail.html?processname=" + quote(evil), "/tail.html?processname=x" + quote(evil) + "&limit=" + quote(evil),
		"/?action=" + quote(evil) + "&processname=" + quote(evil),
	} {
		for _, browser := range []string{"curl", "Mozilla/5.0"} {
			for _, from := range []string{"", "http://x.example/" + evil} {
				w := get(New(api, fakeDaemon("")), "GET", target, "", "User-Agent", browser, "Origin", from)
				for _, bad := range []string{"<script", "<b ", `"'>`, "javascript:"} {
					if strings.Contains(w.Body.String(), bad) {
						t.Errorf("%s: %s in %s", target, bad, w.Body)
					}
				}
				if l := w.Header().Get("Location"); strings.ContainsAny(l, "<>\"' \r\n") {
					t.Errorf("%s: Location %q", target, l)
				}
			}
		}
	}
}

func TestEnding(t *testing.T) {
	a := newActor()
	a.info = refused(supervisor.ErrShutdownState)
	for _, target := range []string{"/", "/index.html", "/tail.html?processname=p"} {
		w := get(New(a, fakeDaemon("")), "GET", target, "")
		if w.Code != 503 || !strings.Contains(w.Body.String(), `http-equiv="refresh"`) {
			t.Errorf("%s: status %d, body %s", target, w.Code, w.Body)
		}
	}
	if w := get(New(a, fakeDaemon("")), "GET", "/ok.html", ""); w.Code != 200 || w.Body.String() != "OK" || w.Header().Get("Content-Type") != "text/plain" {
		t.Errorf("ok.html: %v", w)
	}
}

func TestPagesAndFiles(t *testing.T) {
	for _, tt := range []struct {
		rule, method, path string
		code               int
		contentType        string
	}{
		{"the status page", "GET", "/", 200, "text/html;charset=utf-8"},
		{"slashes before it", "GET", "//", 200, "text/html;charset=utf-8"},
		{"and before its name", "GET", "///index.html", 200, "text/html;charset=utf-8"},
		{"in percent signs", "GET", "/%69ndex.html", 200, "text/html;charset=utf-8"},
		{"POST", "POST", "/index.html", 200, "text/html;charset=utf-8"},
		{"POST of ok", "POST", "/ok.html", 200, "text/plain"},
		{"the style", "GET", "/stylesheets/supervisor.css", 200, "text/css"},
		{"the icon", "GET", "/images/icon.png", 200, "image/png"},
		{"a rule", "GET", "/images/rule.gif", 200, "image/gif"},
		{"a lamp", "GET", "/images/state0.gif", 200, "image/gif"},
		{"another", "GET", "/images/state1.gif", 200, "image/gif"},
		{"another one", "GET", "/images/state2.gif", 200, "image/gif"},
		{"the last", "GET", "/images/state3.gif", 200, "image/gif"},
		{"the mark", "GET", "/images/supervisor.gif", 200, "image/gif"},
		{"HEAD of a file", "HEAD", "/stylesheets/supervisor.css", 200, "text/css"},
		{"POST to a file", "POST", "/stylesheets/supervisor.css", 400, "text/html"},
		{"HEAD of a page", "HEAD", "/", 404, "text/html"},
		{"PUT", "PUT", "/", 400, "text/html"},
		{"a directory", "GET", "/images/", 404, "text/html"},
		{"a directory without its slash", "GET", "/images", 404, "text/html"},
		{"out of the files", "GET", "/images/../../static.go", 404, "text/html"},
		{"out of the files, in percent signs", "GET", "/%2e%2e/static.go", 404, "text/html"},
		{"a template", "GET", "/status.html", 404, "text/html"},
		{"a page with parameters", "GET", "/index.html;x", 404, "text/html"},
		{"a page in another case", "GET", "/Index.html", 404, "text/html"},
		{"a page with a slash behind", "GET", "/index.html/", 404, "text/html"},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			w := get(New(newActor(), fakeDaemon("")), tt.method, tt.path, "")
			if w.Code != tt.code || w.Header().Get("Content-Type") != tt.contentType {
				t.Errorf("status %d, %s", w.Code, w.Header().Get("Content-Type"))
			}
		})
	}
	if w := get(New(newActor(), fakeDaemon("")), "POST", "/", "", "Content-Length", ""); w.Code != http.StatusLengthRequired {
		t.Errorf("POST without a length: status %d", w.Code)
	}
}

func TestIfModifiedSince(t *testing.T) {
	h := New(newActor(), fakeDaemon(""))
	const path = "/stylesheets/supervisor.css"
	want, err := os.ReadFile("static" + path)
	if err != nil {
		t.Fatal(err)
	}
	w := get(h, "GET", path, "")
	if w.Body.String() != string(want) || w.Header().Get("Content-Length") != fmt.Sprint(len(want)) {
		t.Errorf("%v", w)
	}
	modified, err := http.ParseTime(w.Header().Get("Last-Modified"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		rule, since string
		code        int
	}{
		{"the same", modified.Format(http.TimeFormat), 304},
		{"newer", modified.Add(time.Hour).Format(http.TimeFormat), 304},
		{"older", modified.Add(-time.Hour).Format(http.TimeFormat), 200},
		{"no time", "yesterday", 200},
	} {
		if w := get(h, "GET", path, "", "If-Modified-Since", tt.since); w.Code != tt.code || (w.Body.Len() > 0) != (tt.code == 200) {
			t.Errorf("%s: status %d with %d bytes, want %d", tt.rule, w.Code, w.Body.Len(), tt.code)
		}
	}
}

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A webDaemon is a supervisord with web pages on a unix socket and, ours, on TCP.
type webDaemon struct {
	t    *testing.T
	dir  string
	port string
	http http.Client // does not follow redirects
}

func startWebDaemon(t *testing.T, path, programs string) *webDaemon {
	t.Helper()
	dir, err := os.MkdirTemp("", "hf")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &webDaemon{t: t, dir: dir}
	_, d.port, _ = net.SplitHostPort(l.Addr().String())
	l.Close()
	conf := fmt.Sprintf(`[unix_http_server]
file=%[1]s/s
[inet_http_server]
port=127.0.0.1:%[2]s
[supervisord]
logfile=%[1]s/main.log
pidfile=%[1]s/pid
childlogdir=%[1]s
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
%[3]s`, dir, d.port, strings.ReplaceAll(programs, "DIR", dir))
	if err := os.WriteFile(dir+"/conf", []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/notexec", []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	cmd := exec.Command(path, "-n", "-c", dir+"/conf")
	cmd.Env = append(os.Environ(), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"), "TZ=UTC")
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		late := time.AfterFunc(patience, func() { cmd.Process.Kill() })
		cmd.Wait()
		if !late.Stop() {
			t.Errorf("%s did not end", path)
		}
		if t.Failed() {
			t.Logf("%s", &out)
		}
	})
	d.http = http.Client{
		Timeout:       2 * patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", dir+"/s")
		}},
	}
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) { // between two looks
		if resp, err := d.http.Get("http://x/ok.html"); err == nil {
			resp.Body.Close()
			return d
		}
		if time.Now().After(end) {
			t.Fatalf("%s does not answer: %s", path, &out)
		}
	}
}

func (d *webDaemon) get(path string) (*http.Response, string) {
	d.t.Helper()
	resp, err := d.http.Get("http://x" + path)
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return resp, string(body)
}

var (
	webClock = regexp.MustCompile(`[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}`)
	webMoved = regexp.MustCompile(`[A-Z][a-z]{2} \d\d \d\d:\d\d [AP]M|pid \d+, uptime [\d:]+`)
)

// seen is what a client that knows the original's pages finds in an answer.
func (d *webDaemon) seen(path string) string {
	d.t.Helper()
	resp, body := d.get(path)
	var b strings.Builder
	fmt.Fprintln(&b, resp.StatusCode, resp.Header.Get("Content-Type"))
	if location := resp.Header.Get("Location"); location != "" {
		u, err := url.Parse(location)
		if err != nil {
			d.t.Fatal(err)
		}
		fmt.Fprintln(&b, "Location ?"+webClock.ReplaceAllString(strings.ReplaceAll(u.RawQuery, "%20", " "), "TIME"))
		fmt.Fprintln(&b, "message:", webClock.ReplaceAllString(u.Query().Get("message"), "TIME"), strings.Count(body, "Error code 301"))
		// Its time has colons, which are escaped there.
		return regexp.MustCompile(`at [^\n]*\d{4}`).ReplaceAllString(b.String(), "at TIME")
	}
	for _, re := range []string{
		`<title>([^<]*)</title>`, `<div class="(?:status_msg[^"]*)"[^>]*>([^<]*)</div>`, `<span class="(status\w+)">`, `<span class="status\w+">(\w+)</span>`,
		`<a href="(tail.html[^"]*)" target="_blank">`, `target="_blank">([^<]*)</a>`, `"(index.html\?processname=[^"]*)"`, `"(logtail[^"]*)"`, `(?s)<pre>(.*)</pre>`,
		`href="(tail.html\?[^"]*limit[^"]*)">\s*(?:Refresh|<input)`, `>\s*(No programs to manage)`, `(Not started|[A-Z][a-z]{2} \d\d \d\d:\d\d [AP]M|pid \d+, uptime [\d:]+|Exited too quickly|can't find command)`,
	} {
		for _, m := range regexp.MustCompile(re).FindAllStringSubmatch(body, -1) {
			// Our tail page has links to the logs too; what they are called is ours.
			if !strings.HasPrefix(m[1], "Tail -f") && !(strings.HasPrefix(path, "/tail") && strings.HasPrefix(m[1], "logtail")) {
				fmt.Fprintln(&b, strings.TrimSpace(html.UnescapeString(webMoved.ReplaceAllString(m[1], "WHEN"))))
			}
		}
	}
	return b.String()
}

// What a script finds in the pages and their redirects is the same as with the original.
func TestPagesAgainstTheOriginal(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat(originalDaemon); err != nil {
		t.Skipf("the original is not installed (apt-get install supervisor): %v", err)
	}
	const programs = `
[program:web]
command=child say "<b>hello</b> & more" stay
autostart=false
startsecs=1
stdout_logfile=DIR/web.log
[program:early]
command=child exit 1
autostart=false
startsecs=1
startretries=0
[program:nothere]
command=/no/such/file
autostart=false
[program:notexec]
command=DIR/notexec
autostart=false
[program:nolog]
command=child stay
startsecs=0
autostart=false
stdout_logfile=NONE
stderr_logfile=NONE
[program:g1]
command=child stay
startsecs=0
autostart=false
[group:g]
programs=g1
`
	theirs := startWebDaemon(t, originalDaemon, programs)
	ours := startWebDaemon(t, filepath.Join(bin, "supervisord"), programs)
	for _, path := range []string{
		"/", "/?message=a%20%3Cb%3E%20%26%20c&message=d", "/?action=refresh", "/index.html?action=stopall", "/ok.html", "//index.html", "/nope", "/tail.html",
		"/?action=start&processname=web", "/?action=start&processname=web", "/", "/tail.html?processname=web", "/tail.html?processname=web&limit=2000", "/tail.html?processname=web&limit=x",
		"/?action=clearlog&processname=web", "/?action=clearlog&processname=nolog", "/tail.html?processname=nolog", "/tail.html?processname=nope", "/tail.html?processname=g:*", "/tail.html?processname=",
		"/?action=restart&processname=web", "/?action=stop&processname=web", "/?action=stop&processname=web", "/?action=restart&processname=web",
		"/?action=start&processname=early", "/?action=start&processname=nothere", "/?action=start&processname=notexec",
		"/?action=start&processname=nope", "/?action=start&processname=g", "/?action=start&processname=g:*", "/?action=start&processname=g:", "/?action=nope&processname=nope",
		"/?action=start&processname=g%3Ag1", "/", "/?action=stop&processname=g:g1", "/?processname=web", "/?action=", "/?action=stopall", "/",
	} {
		if diff := cmp.Diff(theirs.seen(path), ours.seen(path)); diff != "" {
			t.Errorf("%s: -original +ours:\n%s", path, diff)
		}
	}
}

// A user stops and starts a process and reads its log; no other site does.
func TestBrowser(t *testing.T) {
	t.Parallel()
	b := newBrowser(t, "MAP *.example 127.0.0.1, MAP *.test 127.0.0.1")
	d := startWebDaemon(t, filepath.Join(bin, "supervisord"), `
[program:web]
command=child say "<b>hello</b>" stay
stdout_logfile=DIR/web.log
[program:fails]
command=/no/such/file
[program:off]
command=child stay
autostart=false
[program:slow]
command=child stay
startsecs=3600
`)
	const (
		row   = "tr:has([aria-label='Clear Log of web']) "
		stop  = "[aria-label='Stop of web']"
		start = "[aria-label='Start of web']"
	)
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) { // between two looks
		_, page := d.get("/")
		if strings.Contains(page, "action=stop\"") {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("web does not run: %s", page)
		}
	}
	// Chromium says where a request comes from on 127.0.0.1; under a name it does not, as for a
	// machine in the network.
	for _, host := range []string{"127.0.0.1", "machine.test"} {
		base := "http://" + host + ":" + d.port + "/"
		b.open(base)
		b.expect(row+".state", "running")
		b.click(stop)
		b.expect(".status_msg", "Process web stopped")
		b.expect(row+".state", "stopped")
		b.screenshot("stopped-"+host, 1200, 700)
		b.click(start) // returns when it is RUNNING
		b.expect(".status_msg", "Process web started")
		b.expect(row+".state", "running")
		b.open(base + "tail.html?processname=web")
		b.expect("pre", "<b>hello</b>")
		b.screenshot("tail-"+host, 500, 900)
		b.open(base)
		b.click("details:nth-of-type(2) summary")
		b.screenshot("phone-"+host, 500, 900)
	}

	// A page of another site. Its pictures are loaded with it; links and forms are clicked on.
	var target string
	evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		const q = "index.html?processname=web&amp;action=stop"
		fmt.Fprintf(w, `<title>evil</title><img src="%[1]s%[2]s"><img src="%[1]s%[2]s" referrerpolicy="no-referrer"><link rel="prefetch" href="%[1]s%[2]s">
<iframe src="%[1]s%[2]s"></iframe><a href="%[1]s%[2]s">link</a><a id="hidden" rel="noreferrer" href="%[1]s%[2]s">link</a>
<form method="post" action="%[1]s%[2]s"><button>post</button></form>`, target, q)
	}))
	defer evil.Close()
	_, port, _ := net.SplitHostPort(evil.Listener.Addr().String())
	_, before := d.get("/")
	for _, host := range []string{"127.0.0.1", "machine.test"} {
		target = "http://" + host + ":" + d.port + "/"
		for selector, want := range map[string]string{"a": "Refused", "button": "Refused", "#hidden": map[string]string{"127.0.0.1": "Refused", "machine.test": "Really?"}[host]} {
			b.open("http://evil.example:" + port + "/")
			b.click(selector)
			b.expect("h2", want)
			b.screenshot("refused-"+host, 800, 500)
		}
	}
	// The same under the daemon's own port: DNS rebinding.
	b.open("http://evil.example:" + d.port + "/")
	b.click(stop)
	b.expect("h2", "Refused")
	b.screenshot("misnamed", 800, 500)
	// The pid is the same: nothing was stopped, not even for a moment.
	_, after := d.get("/")
	pid := regexp.MustCompile(`pid \d+`)
	if was, is := pid.FindString(before), pid.FindString(after); was == "" || is != was {
		t.Errorf("another site changed something: %q is %q now", was, is)
	}
	// Who is asked and says yes gets it.
	b.open("http://machine.test:" + d.port + "/?processname=web&action=stop")
	b.expect("h2", "Really?")
	b.click("button")
	b.expect(".status_msg", "Process web stopped")
}

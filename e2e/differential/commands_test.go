package differential

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"holdfast/client"
	"holdfast/internal/shellwords"
	"holdfast/internal/xmlrpc"
)

// do carries out a command of a scenario, and returns what it gives. Package comment: the commands.
func (w *world) do(command string, body []string) string {
	name, rest, _ := strings.Cut(w.expand(command), " ")
	args, err := shellwords.Split(rest)
	if err != nil && name != "rpc" && name != "sh" {
		w.t.Fatalf("%s: %v", command, err)
	}
	text := ""
	if len(body) > 0 {
		text = strings.Join(body, "\n") + "\n"
	}
	arg := func(i int, otherwise string) string {
		if i < len(args) {
			return args[i]
		}
		return otherwise
	}
	switch name {
	case "conf":
		w.write("conf.d/"+arg(0, "programs.ini"), text)
	case "options":
		w.write("supervisord.conf", strings.Replace(basic, "OPTIONS\n", text, 1))
	case "main":
		w.write("supervisord.conf", text)
	case "write":
		w.write(arg(0, ""), text)
	case "syslog":
		w.syslog()
	case "start":
		return w.start(args)
	case "ended":
		if !w.until(w.hasEnded) {
			return "still running\n"
		}
		return w.outcome()
	case "kill":
		return w.kill(arg(0, ""), arg(1, ""))
	case "rpc":
		return w.rpc(rest)
	case "rpcs":
		var all strings.Builder
		for l := range strings.Lines(w.expand(text)) {
			all.WriteString(w.rpc(strings.TrimSuffix(l, "\n")))
		}
		return all.String()
	case "calls":
		var all strings.Builder
		for l := range strings.Lines(w.expand(text)) {
			all.WriteString(w.call(strings.TrimSuffix(l, "\n")))
		}
		return all.String()
	case "call":
		text = strings.TrimSuffix(text, "\n")
		return w.http("unix", w.dir+"/s", 1, long, fmt.Sprintf("POST /RPC2 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", len(w.expand(text)), w.expand(text)))
	case "page", "follow":
		network, address := "unix", w.dir+"/s"
		if arg(0, "") == "-inet" {
			network, address, args = "tcp", "127.0.0.1:"+w.port, args[1:]
		}
		if name == "follow" {
			return w.follow(arg(0, ""), network, address, request(w.expand(text)))
		}
		return w.page(network, address, arg(0, ""), arg(1, ""), strings.TrimSuffix(w.expand(text), "\n"))
	case "heard":
		return w.heard(arg(0, ""), arg(1, ""), arg(2, ""))
	case "bg":
		answer := make(chan string, 1) // for join, which may not come
		w.jobs[arg(0, "")] = answer
		_, command, _ := strings.Cut(rest, " ")
		go func() { answer <- w.do(command, body) }()
	case "join":
		return <-w.jobs[arg(0, "")]
	case "http":
		network, address, n := "unix", w.dir+"/s", 1
		if arg(0, "") == "-inet" {
			network, address, args = "tcp", "127.0.0.1:"+w.port, args[1:]
		}
		if arg(0, "") == "-n" {
			if _, err := fmt.Sscan(arg(1, ""), &n); err != nil {
				w.t.Fatalf("%s: %v", command, err)
			}
			args = args[2:]
		}
		patience := long
		if arg(0, "") == "-hangs" {
			patience = 3 * time.Second
		}
		return w.http(network, address, n, patience, request(w.expand(text)))
	case "ctl":
		return w.run(text, slices.Concat([]string{w.side.ctl, "-c", w.dir + "/supervisord.conf"}, args)...)
	case "await":
		return w.await(arg(0, ""), arg(1, ""))
	case "states":
		return w.states(args)
	case "configs":
		return w.configs(args)
	case "events":
		return w.news(arg(0, ""), arg(1, ""), arg(2, ""))
	case "log":
		return w.news("supervisord.log", arg(0, ""), arg(1, ""))
	case "sees":
		return w.sees(arg(0, ""), arg(1, ""), arg(2, "1"))
	case "cat":
		return w.cat(arg(0, ""), arg(1, ""))
	case "sh":
		return w.run(text, "/bin/sh", "-c", rest)
	default:
		w.t.Fatalf("unknown command %q", command)
	}
	return ""
}

// request is what a client sends: each line with CR and LF behind it, and an empty one at the end. A
// line in quotes is sent as Go reads it, with nothing behind it.
func request(text string) string {
	var b strings.Builder
	end := "\r\n"
	for l := range strings.Lines(text) {
		l = strings.TrimSuffix(l, "\n")
		if raw, err := strconv.Unquote(l); err == nil {
			b.WriteString(raw)
			end = ""
			continue
		}
		b.WriteString(l + "\r\n")
		end = "\r\n"
	}
	return b.String() + end
}

var signals = map[string]syscall.Signal{
	"TERM": syscall.SIGTERM, "INT": syscall.SIGINT, "QUIT": syscall.SIGQUIT, "HUP": syscall.SIGHUP,
	"USR1": syscall.SIGUSR1, "USR2": syscall.SIGUSR2, "KILL": syscall.SIGKILL,
}

func (w *world) kill(signal, process string) string {
	pid := w.daemon.Pid
	if process != "" {
		var err error
		running := w.until(func() bool {
			var info client.ProcessInfo
			info, err = w.client.ProcessInfo(w.t.Context(), process)
			pid = info.PID
			return err != nil || pid > 0
		})
		if err != nil {
			return err.Error() + "\n"
		} else if !running { // 0 would be this test and all that it runs
			return "it does not run\n"
		}
	}
	if err := syscall.Kill(pid, signals[signal]); err != nil {
		return fmt.Sprintf("cannot be signalled: %v\n", err)
	}
	return ""
}

// rpc is a call: METHOD and arguments in JSON.
func (w *world) rpc(words string) string {
	method, rest, _ := strings.Cut(words, " ")
	sorted := method == "-sorted"
	if sorted {
		method, rest, _ = strings.Cut(rest, " ")
	}
	var params []any
	for d := json.NewDecoder(strings.NewReader(rest)); ; {
		d.UseNumber()
		var v any
		if err := d.Decode(&v); err == io.EOF {
			break
		} else if err != nil {
			w.t.Fatalf("rpc %s: %v", words, err)
		}
		params = append(params, fromJSON(v))
	}
	v, err := w.client.Call(w.t.Context(), method, params...)
	return showAnswer(v, err, sorted)
}

// showAnswer is what a call has given, a line for each element of an array.
func showAnswer(v any, err error, sorted bool) string {
	var fault *client.Fault
	var status *client.HTTPError
	switch {
	case errors.As(err, &fault):
		return fmt.Sprintf("fault %d %s\n", fault.Code, fault.String)
	case errors.As(err, &status):
		return fmt.Sprintf("http %d\n", status.Code)
	case err != nil:
		return err.Error() + "\n"
	}
	if all, ok := v.([]any); ok && len(all) > 0 {
		list := make([]string, len(all))
		for i, e := range all {
			list[i] = "- " + show(e) + "\n"
		}
		if sorted {
			slices.Sort(list)
		}
		return strings.Join(list, "")
	}
	return show(v) + "\n"
}

// fromJSON turns a value of package json into one that the client sends.
func fromJSON(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return int(n)
		}
		f, _ := v.Float64()
		return f
	case []any:
		for i := range v {
			v[i] = fromJSON(v[i])
		}
	case map[string]any:
		if r, ok := v["repeat"].([]any); ok && len(v) == 1 && len(r) == 2 {
			n, _ := r[1].(json.Number).Int64()
			return strings.Repeat(r[0].(string), int(n))
		}
		var s xmlrpc.Struct
		for _, k := range slices.Sorted(maps.Keys(v)) {
			s = append(s, xmlrpc.Member{Name: k, Value: fromJSON(v[k])})
		}
		return s
	}
	return v
}

// show is a value of an answer as JSON, with the members of structs in their order.
func show(v any) string {
	switch v := v.(type) {
	case xmlrpc.Struct:
		var parts []string
		for _, m := range v {
			parts = append(parts, fmt.Sprintf("%q: %s", m.Name, show(m.Value)))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case []any:
		var parts []string
		for _, e := range v {
			parts = append(parts, show(e))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case string:
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		_ = e.Encode(v)
		return strings.TrimSpace(b.String())
	default:
		return fmt.Sprint(v)
	}
}

// headers are the fields of an answer's header that are compared. The others are listed in
// docs/differences.md, or are the date.
var headers = []string{"Connection", "Content-Length", "Content-Type", "Last-Modified", "Location",
	"Www-Authenticate", "X-Accel-Buffering"}

// errorPage is the body of every error's answer.
const errorPage = `<head>
<title>Error response</title>
</head>
<body>
<h1>Error response</h1>
<p>Error code %d.
<p>Message: %s.
</body>
`

// http sends the request and returns n answers: status line, fields of the header, body.
func (w *world) http(network, address string, n int, patience time.Duration, request string) string {
	conn, err := net.Dial(network, address)
	if err != nil {
		return err.Error() + "\n"
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(conn, request); err != nil {
		return err.Error() + "\n"
	}
	method, _, _ := strings.Cut(request, " ")
	in := bufio.NewReader(conn)
	var out strings.Builder
	for range n {
		status, _ := in.Peek(1)
		resp, err := http.ReadResponse(in, &http.Request{Method: method})
		var timeout net.Error
		switch {
		case errors.As(err, &timeout) && timeout.Timeout():
			return out.String() + "no answer\n"
		case err != nil && len(status) == 0:
			return out.String() + "closed\n"
		case err != nil:
			return out.String() + err.Error() + "\n"
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if w.normal(string(body)) != string(body) {
			resp.Header.Set("Content-Length", "AS IT IS") // its pids have as many digits as they have
		}
		out.WriteString(head(resp))
		text := strings.ReplaceAll(string(body), "\r\n", "\n")
		if text == fmt.Sprintf(errorPage, resp.StatusCode, resp.Status[4:]) {
			text = "(the error page)"
		}
		out.WriteString(strings.TrimSuffix("\n"+text, "\n") + "\n")
		if err != nil {
			out.WriteString("(cut)\n")
		}
	}
	return out.String()
}

func (w *world) await(process, state string) string {
	last := ""
	ok := w.until(func() bool {
		info, err := w.client.ProcessInfo(w.t.Context(), process)
		if err != nil {
			last = err.Error()
			return false
		}
		last = info.StateName
		return last == state
	})
	if !ok {
		return "it stays " + last + "\n"
	}
	return ""
}

func (w *world) states(processes []string) string {
	all, err := w.client.AllProcessInfo(w.t.Context())
	if err != nil {
		return err.Error() + "\n"
	}
	var b strings.Builder
	for _, p := range all {
		name := p.Group + ":" + p.Name
		if p.Group == p.Name {
			name = p.Name
		}
		if len(processes) == 0 || slices.Contains(processes, name) {
			fmt.Fprintf(&b, "%s %s\n", name, p.StateName)
		}
	}
	return b.String()
}

// configs returns the fields of getAllConfigInfo, a line a process.
func (w *world) configs(fields []string) string {
	v, err := w.client.Call(w.t.Context(), "supervisor.getAllConfigInfo")
	if err != nil {
		return err.Error() + "\n"
	}
	var b strings.Builder
	all, _ := v.([]any)
	for _, p := range all {
		p, _ := p.(xmlrpc.Struct)
		value := func(name string) string {
			for _, m := range p {
				if m.Name == name {
					return show(m.Value)
				}
			}
			return "none"
		}
		fmt.Fprintf(&b, "%s:%s", strings.Trim(value("group"), `"`), strings.Trim(value("name"), `"`))
		for _, f := range fields {
			b.WriteString(" " + f + "=" + value(f))
		}
		b.WriteString("\n")
	}
	return b.String()
}

// news returns the lines of the file that were not given out before, to the first that matches the
// regular expression until; of these only those that match only. The scenario waits for it.
func (w *world) news(file, until, only string) string {
	u, o := regexp.MustCompile(until), regexp.MustCompile(only)
	var fresh string
	found := w.until(func() bool {
		data, err := os.ReadFile(filepath.Join(w.dir, file))
		if err != nil {
			return false
		}
		fresh = ""
		for l := range strings.Lines(string(data[min(w.seen[file], len(data)):])) {
			if !strings.HasSuffix(l, "\n") {
				return false
			}
			fresh += l
			if u.MatchString(strings.TrimSuffix(l, "\n")) {
				return true
			}
		}
		return false
	})
	w.seen[file] += len(fresh)
	var b strings.Builder
	for l := range strings.Lines(fresh) {
		if o.MatchString(strings.TrimSuffix(l, "\n")) {
			b.WriteString(l)
		}
	}
	if !found {
		fmt.Fprintf(&b, "(and no line that matches %q)\n", until)
	}
	return b.String()
}

// sees waits until what matches so many times in the file.
func (w *world) sees(file, what, times string) string {
	n, err := strconv.Atoi(times)
	if err != nil {
		w.t.Fatal(err)
	}
	re := regexp.MustCompile("(?m)" + what)
	if !w.until(func() bool {
		data, _ := os.ReadFile(filepath.Join(w.dir, file)) // it may not be there yet
		return len(re.FindAllIndex(data, n)) == n
	}) {
		return "not seen\n"
	}
	return ""
}

// cat returns a file, as soon as a line of it matches until.
func (w *world) cat(file, until string) string {
	u := regexp.MustCompile("(?m)" + until)
	var data []byte
	var err error
	if !w.until(func() bool {
		data, err = os.ReadFile(filepath.Join(w.dir, file))
		return err == nil && u.Match(data)
	}) {
		if err != nil {
			return err.Error() + "\n"
		}
		return string(data) + fmt.Sprintf("(and no line that matches %q)\n", until)
	}
	return string(data)
}

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
	case "call":
		text = strings.TrimSuffix(text, "\n")
		return w.http("unix", w.dir+"/s", 1, fmt.Sprintf("POST /RPC2 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", len(w.expand(text)), w.expand(text)))
	case "http":
		network, address, n := "unix", w.dir+"/s", 1
		if arg(0, "") == "-inet" {
			network, address, args = "tcp", "127.0.0.1:"+w.port, args[1:]
		}
		if arg(0, "") == "-n" {
			if _, err := fmt.Sscan(arg(1, ""), &n); err != nil {
				w.t.Fatalf("%s: %v", command, err)
			}
		}
		return w.http(network, address, n, strings.ReplaceAll(w.expand(text), "\n", "\r\n")+"\r\n")
	case "ctl":
		return w.run(text, slices.Concat([]string{w.side.ctl, "-c", w.dir + "/supervisord.conf"}, args)...)
	case "await":
		return w.await(arg(0, ""), arg(1, ""))
	case "states":
		return w.states(args)
	case "events":
		return w.news(arg(0, ""), arg(1, ""), arg(2, ""))
	case "log":
		return w.news("supervisord.log", arg(0, ""), arg(1, ""))
	case "cat":
		return w.cat(arg(0, ""), arg(1, ""))
	case "sh":
		return w.run(text, "/bin/sh", "-c", rest)
	default:
		w.t.Fatalf("unknown command %q", command)
	}
	return ""
}

var signals = map[string]syscall.Signal{
	"TERM": syscall.SIGTERM, "INT": syscall.SIGINT, "QUIT": syscall.SIGQUIT, "HUP": syscall.SIGHUP,
	"USR1": syscall.SIGUSR1, "USR2": syscall.SIGUSR2, "KILL": syscall.SIGKILL,
}

func (w *world) kill(signal, process string) string {
	pid := w.cmd.Process.Pid
	if process != "" {
		info, err := w.client.ProcessInfo(w.t.Context(), process)
		if err != nil {
			return err.Error() + "\n"
		}
		pid = info.PID
	}
	if err := syscall.Kill(pid, signals[signal]); err != nil || pid == 0 {
		return fmt.Sprintf("cannot be signalled: %v\n", err)
	}
	return ""
}

// rpc is a call: METHOD and arguments in JSON.
func (w *world) rpc(words string) string {
	method, rest, _ := strings.Cut(words, " ")
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
		var b strings.Builder
		for _, e := range all {
			b.WriteString("- " + show(e) + "\n")
		}
		return b.String()
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
		if b, ok := v["base64"].(string); ok && len(v) == 1 {
			return []byte(b)
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

// http sends the request and returns n answers: status line, fields of the header, body.
func (w *world) http(network, address string, n int, request string) string {
	conn, err := net.Dial(network, address)
	if err != nil {
		return err.Error() + "\n"
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
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
		fmt.Fprintf(&out, "%s %s\n", resp.Proto, resp.Status)
		for _, h := range headers {
			if v := resp.Header.Get(h); v != "" {
				fmt.Fprintf(&out, "%s: %s\n", h, v)
			}
		}
		if resp.TransferEncoding != nil {
			fmt.Fprintf(&out, "Transfer-Encoding: %s\n", strings.Join(resp.TransferEncoding, ", "))
		}
		out.WriteString(strings.TrimSuffix("\n"+strings.ReplaceAll(string(body), "\r\n", "\n"), "\n") + "\n")
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

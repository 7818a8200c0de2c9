package docs

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdfast/internal/config"
	"holdfast/internal/ctl"
	"holdfast/internal/event"
	"holdfast/internal/rpc"
	"holdfast/internal/xmlrpc"
)

// A row of compatibility.md: the names in its first cell, "same", "better" or "refused", and why.
type row struct {
	names         []string
	verdict, note string
}

// compatibility gives the rows by the heading that they stand under and the first cell of their
// table's head: "[supervisord] Option", "Signals Signal".
func compatibility(t *testing.T) map[string][]row {
	t.Helper()
	tables := map[string][]row{}
	heading, key := "", ""
	for line := range strings.Lines(read(t, "compatibility.md")) {
		line = strings.TrimSpace(line)
		cells := strings.Split(strings.Trim(line, "|"), "|")
		switch {
		case strings.HasPrefix(line, "#"):
			heading = strings.TrimLeft(line, "# ")
		case !strings.HasPrefix(line, "|"):
			key = ""
		case key == "":
			key = heading + " " + strings.TrimSpace(cells[0])
		case cells[0] == "---":
		case len(cells) != 3:
			t.Errorf("compatibility.md: want three cells in %q", line)
		default:
			r := row{verdict: strings.TrimSpace(cells[1]), note: strings.TrimSpace(cells[2])}
			for _, name := range regexp.MustCompile("`([^`]*)`").FindAllStringSubmatch(cells[0], -1) {
				r.names = append(r.names, name[1])
			}
			tables[key] = append(tables[key], r)
		}
	}
	return tables
}

func TestVerdicts(t *testing.T) {
	rows := 0
	for key, table := range compatibility(t) {
		for _, r := range table {
			rows++
			if !slices.Contains([]string{"same", "better", "refused"}, r.verdict) {
				t.Errorf("%s: %v is %q; want same, better or refused", key, r.names, r.verdict)
			}
			if r.verdict != "same" && r.note == "" {
				t.Errorf("%s: %v is %s without a word how", key, r.names, r.verdict)
			}
		}
	}
	if rows < 200 {
		t.Errorf("got %d rows; want all", rows)
	}
}

// TestCompatibilityIsComplete holds the tables to those of the code: nothing of these may lack, and
// nothing may be there that is not in these.
func TestCompatibilityIsComplete(t *testing.T) {
	want := map[string][]string{
		"Programs Program":          directories(t, "../cmd"),
		"Expansion Name":            expansions(t),
		"supervisord Option":        longOptions(config.Usage("supervisord")),
		"Signals Signal":            inSource(t, "../internal/daemon/signals.go", `syscall\.SIG(\w+)`),
		"What a program finds ":     inSource(t, "../internal/child/environ.go", `"(SUPERVISOR_\w+)"`),
		"Events Type":               eventTypes(),
		"XML-RPC Method":            methods(t),
		"HTTP Address":              addresses(t),
		"HTTP Action of a page":     inSource(t, "../internal/web/action.go", `case "(\w+)":`),
		"supervisorctl Command":     append(strings.Fields(regexp.MustCompile(`(?m)^.*:\n=+$`).ReplaceAllString(supervisorctl(t, "help"), "")), "help"),
		"supervisorctl Option":      longOptions(supervisorctl(t, "-h")),
		"[ctlplugin:x] Option":      {"supervisor.ctl_factory"}, // refused, so not in the sample
		"[rpcinterface:x] Option":   nil,                        // the others are in the sample
		"[unix_http_server] Option": nil,
		"[inet_http_server] Option": nil,
		"[supervisord] Option":      nil,
		"[supervisorctl] Option":    nil,
		"[include] Option":          nil,
		"[program:x] Option":        nil,
		"[group:x] Option":          nil,
		"[fcgi-program:x] Option":   nil,
		"[eventlistener:x] Option":  nil,
	}
	section := ""
	for _, m := range regexp.MustCompile(`(?m)^;?(?:\[(.*)\]|([a-z_.]+) ?=)`).FindAllStringSubmatch(config.Sample, -1) {
		if m[1] != "" {
			section, _, _ = strings.Cut(m[1], ":")
			if section != m[1] {
				section += ":x"
			}
			continue
		}
		key := "[" + section + "] Option"
		if _, known := want[key]; !known {
			t.Errorf("a section of the sample is not known here: %s", key)
		}
		if m[2] == "command" && section != "program:x" {
			continue // a program's, repeated in the sample
		}
		want[key] = append(want[key], m[2])
	}
	tables := compatibility(t)
	// A name in the first cell that can't be one of the table's is an example in its words.
	isName := regexp.MustCompile(`^(--)?[A-Za-z][\w.]*$|^/\w*$`)
	for _, key := range slices.Sorted(maps.Keys(want)) {
		var got []string
		for _, r := range tables[key] {
			for _, name := range r.names {
				if isName.MatchString(name) {
					got = append(got, name)
				}
			}
		}
		names := want[key]
		slices.Sort(names)
		slices.Sort(got)
		if len(names) == 0 {
			t.Errorf("%s: the code has none of them", key)
		}
		if diff := cmp.Diff(slices.Compact(names), got); diff != "" {
			t.Errorf("%s (- the code, + compatibility.md):\n%s", key, diff)
		}
	}
}

func directories(t *testing.T, of string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(of)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// inSource gives what the group of the pattern matches in a file that exports no list of it.
func inSource(t *testing.T, file, pattern string) (names []string) {
	t.Helper()
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(read(t, file), -1) {
		names = append(names, m[1])
	}
	return names
}

// expansions has the reader of the configuration say which names it knows.
func expansions(t *testing.T) []string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "supervisord.conf")
	if err := os.WriteFile(file, []byte("[supervisord]\n[program:x]\ncommand=%(nope)s\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := config.Load(file, nil, []string{"X="})
	m := regexp.MustCompile(`Available names: ([\w, ]*\w)`).FindStringSubmatch(fmt.Sprint(err))
	if m == nil {
		t.Fatalf("got %v; want the names that there are", err)
	}
	return strings.Split(m[1], ", ")
}

func longOptions(usage string) []string {
	return regexp.MustCompile(`--[a-z_]+`).FindAllString(usage, -1)
}

func supervisorctl(t *testing.T, word string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "supervisord.conf")
	if err := os.WriteFile(file, []byte("[supervisorctl]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if status := ctl.Main([]string{"supervisorctl", "-c", file, word}, strings.NewReader(""), &out, io.Discard); status != 0 {
		t.Fatalf("supervisorctl %s: status %d, %s", word, status, &out)
	}
	return out.String()
}

func eventTypes() (names []string) {
	for _, typ := range event.Types() {
		names = append(names, string(typ))
	}
	return names
}

// methods asks the server that a client asks.
func methods(t *testing.T) (names []string) {
	t.Helper()
	server := httptest.NewServer(rpc.New(nil, nil, rpc.Options{Namespaces: []string{"supervisor"}}))
	defer server.Close()
	call := strings.NewReader("<methodCall><methodName>system.listMethods</methodName></methodCall>")
	answer, err := http.Post(server.URL+rpc.Prefix, "text/xml", call)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	list, err := xmlrpc.DecodeResponse(body)
	if err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	for _, name := range list.([]any) {
		names = append(names, name.(string))
	}
	return names
}

func addresses(t *testing.T) []string {
	t.Helper()
	names := append(inSource(t, "../internal/web/web.go", `HasPrefix\(path, "(/\w+)"\)`), rpc.Prefix)
	pages := inSource(t, "../internal/web/web.go", `"(\w+\.html)"`)
	if len(pages) != 3 {
		t.Errorf("got the pages %v; want three", pages)
	}
	return append(append(names, "/"), pages...)
}

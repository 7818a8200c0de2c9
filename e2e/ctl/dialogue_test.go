package ctl

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// A dialogue is what is typed at a terminal on which supervisorctl runs. What stands on the screen at the
// end must be the same.
type dialogue struct {
	name     string
	args     string // without any it is the shell
	options  string // of [supervisorctl]
	files    map[string]string
	server   http.Handler // without one it is a supervisord with programs
	programs string       // of that
	settle   string
	moves    []move
	file     string // compared as well
}

// A move waits until shown is on the screen, after what the last one has waited for, and types keys then.
// With stop before them the keys are a program that is stopped.
type move struct{ shown, keys string }

const (
	ready = "supervisor> "
	stop  = "\x00"
	// typing: the original's readline waits for a line. What is typed before is shown twice. Ours waits all
	// the time.
	typing = "\x00typing"
	left   = "\x1b[D"
	down   = "\x1b[B"
)

var dialogues = []dialogue{
	{name: "commands", moves: []move{
		{ready, "pid nosuch\r"}, {"No such", ""}, {ready, "nosuch command\r"}, {"*** Unknown", ""}, {ready, "\r"}, {ready, "  status   cat \r"},
		{"RUNNING", ""}, {ready, "?\r"}, {"version", ""}, {ready, "help nosuch\r"}, {"No help", ""}, {ready, "quit\r"}}, server: talkAct},
	{name: "a prompt, and a server that is not there", options: "prompt=it is me\nserverurl=unix://DIR/nosuch\n", moves: []move{
		{"it is me> ", "reread\r"}, {"No such file", ""}, {"it is me> ", "stop x\r"}, {"no such file", ""}, {"it is me> ", "exit\r"}}, server: talkAct},
	{name: "Ctrl-D at the prompt", moves: []move{{ready, ctrlD}}, server: talkAct},
	{name: "Ctrl-D in a line does nothing at its end", moves: []move{{ready, "pid" + ctrlD + "\r"}, {"77", ""}, {ready, ctrlD}}, server: talkAct},
	{name: "editing", moves: []move{
		{ready, "xpid\x7f\x7f\x7f\x7fpxd" + left + "\x7fi\r"}, {"77\r\n", ""}, // backspace, and in the middle
		{ready, "id\x01p\r"}, {"77\r\n", ""}, // the line's beginning
		{ready, "id\x01p\x05 nosuch\r"}, {"nosuch\r\n", ""}, // and its end
		{ready, "pid nosuch" + strings.Repeat(left, 7) + "\x0b\r"}, {"77\r\n", ""}, // the rest deleted
		{ready, "status nosuch\x17\x17pid\r"}, {"77\r\n", ""}, // words deleted
		{ready, "garbage\x15pid\r"}, {"77\r\n", ""}, // all deleted
		{ready, "éß pid\x01\x04\x04\x04\r"}, {"77\r\n", ""}, // characters deleted
		{ready, "\x1b[Cpid\x02\x02\x02\x06\x06\x06\r"}, {"77\r\n", ""}, // back and forth
		{ready, "quit\r"}}, server: talkAct},
	{name: "history", options: "history_file=DIR/history\n", files: map[string]string{"history": "pid one\npid two\n"}, file: "history", moves: []move{
		{ready, up + up + "\r"}, {"one\r\n", ""}, {ready, up + up + up + down + "\r"}, {"two\r\n", ""},
		{ready, "\r"}, {ready, "  \r"}, {ready, "pid three\r"}, {"three\r\n", ""}, {ready, "pid three\r"}, {"three\r\n", ""},
		{ready, up + "!" + "\r"}, {"three!\r\n", ""}, {ready, up + down + "version\r"}, {"4.0\r\n", ""}, {ready, "\x10\x10\x0e\r"}, {"4.0\r\n", ""},
		{ready, "exit\r"}}, server: talkAct},
	{name: "a history file that is not there", options: "history_file=DIR/history\n", file: "history", moves: []move{{ready, "pid\r"}, {"77", ""}, {ready, ctrlD}}, server: talkAct},
	{name: "completion", moves: []move{
		{ready, "ver\t\r"}, {"4.0\r\n", ""}, {ready, "status c\t\r"}, {"RUNNING", ""}, {ready, "stat\tc\t\r"}, {"RUNNING", ""}, {ready, "pid web:a\t\r"}, {"process web:a", ""},
		{ready, "pid we\ta\t\r"}, {"process web:a", ""}, {ready, "help shu\tx\r"}, {"No help on shutdown x", ""}, {ready, "nosuch c\tx\r"}, {"nosuch c", ""},
		{ready, "pid x\tcat\r"}, {"process xcat", ""}, {ready, "quit\r"}}, server: talkAct},
	{name: "questions", moves: []move{
		{ready, "shutdown\r"}, {"y/N? ", "n\r"}, {ready, "shutdown\r"}, {"y/N? ", "\r"}, {ready, "reload\r"}, {"y/N? ", "maybe\r"}, {ready, "reload\r"}, {"y/N? ", ctrlD},
		{"EOFError", ""}, {ready, "shutdown\r"}, {"y/N? ", "yes, please\r"}, {"Shut down\r\n", ""}, {ready, "quit\r"}}, server: talkAct},
	{name: "a password", moves: []move{
		{"Username:", "me\r"}, {"Password:", "wrong\r"}, {"Username:", "me\r"}, {"Password:", "secret\r"}, {"RUNNING", ""}, {ready, "pid\r"}, {"77", ""}, {ready, "quit\r"}}, server: locked},
	{name: "a password for one command", args: "-i pid", moves: []move{{"Username:", "me\r"}, {"Password:", "secret\r"}, {"77", ""}}, server: locked},
	{name: "a wrong password, given twice", options: "username=me\npassword=wrong\n", moves: []move{
		{"Username:", "me\r"}, {"Password:", "\r"}, {"Username:", "me\r"}, {"Password:", "secret\r"}, {ready, "quit\r"}}, server: locked},
	{name: "following a log", programs: talkers, settle: "talker RUNNING", moves: []move{
		{ready, "tail -f talker\r"}, {"one two three\r\n", ""}, {"", ctrlC}, {ready, "tail -f talker stderr\r"}, {"four\r\n", ctrlC}, {ready, "tail -f nosuch\r"}, {"404\r\n", ""},
		{ready, "exit\r"}}},
	{name: "following a log, for one command", args: "tail -f talker", programs: talkers, settle: "talker RUNNING", moves: []move{{"one two three\r\n", ctrlC}}},
	{name: "fg", programs: talkers, settle: "parrot RUNNING, idle STOPPED", moves: []move{
		{ready, "fg parrot\r"}, {"exit <==\r\n", ""}, {typing, "hello\r"}, {"out: hello\r\n", ""}, {typing, "x\x7fé 中\r"}, {"out: é 中\r\n", ""}, {typing, ctrlC}, {"Exiting foreground\r\n", ""},
		{ready, "fg idle\r"}, {"not running", ""}, {ready, "fg nosuch\r"}, {"bad process", ""},
		{ready, "fg parrot\r"}, {"out: é 中\r\n", ""}, {typing, ctrlD}, {"Exiting foreground\r\n", ""}, {ready, "pid nosuch\r"}, {"nosuch\r\n", ""}, {ready, "exit\r"}}},
	{name: "fg, for one command", args: "fg parrot", programs: talkers, settle: "parrot RUNNING", moves: []move{{"exit <==\r\n", ""}, {typing, "hello\r"}, {"out: hello\r\n", ""}, {typing, ctrlC}}},
	{name: "fg of what ends", programs: talkers, settle: "parrot RUNNING", moves: []move{
		{ready, "fg parrot\r"}, {"exit <==\r\n", ""}, {typing, "hello\r"}, {"out: hello\r\n", stop + "parrot"}, {typing, "another\r"}, {"got killed\r\n", ""}, {ready, "exit\r"}}},
	{name: "fg and a log that is none", args: "fg silent", programs: talkers, settle: "silent RUNNING", moves: []move{
		{"exit <==\r\n", ""}, {"404\r\n", ctrlC}}},
}

// talkAct is shellAct where no single process is known.
var talkAct = act{answers: maps.Clone(shellAct.answers)}

func init() {
	talkAct.answers["supervisor.getProcessInfo"] = fault(10, "BAD_NAME")
	talkAct.answers["supervisor.getSupervisorVersion"] = "4.0"
}

// talkers are programs to be followed and to be spoken to.
const talkers = `
[program:talker]
command=/bin/sh -c "echo one two three; echo four >&2; exec /bin/sleep 1000"
startsecs=0
[program:parrot]
command=/bin/sh -c 'while read -r line; do echo "out: $line"; done'
startsecs=0
stdout_logfile=%(here)s/parrot.log
[program:short]
command=/bin/sh -c 'read -r line; echo "out: $line"'
startsecs=0
autorestart=false
[program:silent]
command=/bin/cat
startsecs=0
stderr_logfile=NONE
[program:idle]
command=/bin/cat
autostart=false
`

// locked is talkAct behind a password.
var locked = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	if user, password, _ := r.BasicAuth(); user != "me" || password != "secret" {
		http.Error(w, "", http.StatusUnauthorized)
		return
	}
	talkAct.ServeHTTP(w, r)
})

func TestDialogues(t *testing.T) {
	const file = "testdata/dialogues.txt"
	if *rewrite {
		needOriginal(t)
		var b strings.Builder
		for _, d := range dialogues {
			b.WriteString("# " + d.name + "\n" + d.hold(t, side{originalDaemon, originalCtl}))
		}
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for part := range strings.SplitSeq(strings.TrimPrefix(string(data), "# "), "\n# ") {
		name, text, _ := strings.Cut(part, "\n")
		want[name] = strings.TrimSuffix(text, "\n")
	}
	for _, d := range dialogues {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(want[d.name], strings.TrimSuffix(d.hold(t, side{daemonUnderTest, ourCtl}), "\n")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// hold types the moves, and returns what stands on the screen at the end.
func (d dialogue) hold(t *testing.T, s side) string {
	t.Helper()
	var dir, url string
	var running *daemon
	if d.server == nil {
		running = startDaemon(t, s.daemon, d.programs)
		running.settle(t, d.settle)
		dir = running.dir
		url = "unix://" + dir + "/s"
	} else {
		server := httptest.NewServer(d.server)
		t.Cleanup(server.Close)
		t.Cleanup(server.CloseClientConnections)
		dir, url = tempDir(t), server.URL
	}
	conf := &daemon{dir: dir}
	conf.write(t, "ctl.conf", "[supervisorctl]\nserverurl="+url+"\n"+strings.ReplaceAll(d.options, "DIR", dir))
	for name, text := range d.files {
		conf.write(t, name, text)
	}
	term := onTerminal(t, s.ctl, append([]string{"-c", dir + "/ctl.conf"}, strings.Fields(d.args)...)...)
	for _, m := range d.moves {
		switch {
		case m.shown != typing:
			term.expect(m.shown)
		case s.ctl == originalCtl && d.args == "": // else there is no readline
			await(t, "the line editor", func() bool {
				mode, err := unix.IoctlGetTermios(int(term.master.Fd()), unix.TCGETS)
				return err == nil && mode.Lflag&unix.ICANON == 0
			})
		}
		if program, ok := strings.CutPrefix(m.keys, stop); ok {
			if err := running.client.StopProcess(t.Context(), program, true); err != nil {
				t.Fatal(err)
			}
			continue
		}
		term.enter(m.keys)
	}
	code := term.ended()
	out := outcome{stdout: screen(term.shown), exit: code}.normal(dir)
	if d.file != "" {
		data, err := os.ReadFile(dir + "/" + d.file)
		if err != nil {
			t.Error(err)
		}
		out += "--- " + d.file + "\n" + string(data)
	}
	for _, v := range moments {
		out = v.found.ReplaceAllString(out, v.is)
	}
	return strings.ReplaceAll(out, url, "URL")
}

// moments are what the original shows, or not, as the moment of a key has it.
var moments = []struct {
	found *regexp.Regexp
	is    string
}{
	{regexp.MustCompile(`\^C`), ""}, // with readline it is not shown
	{regexp.MustCompile(`(?m)^\S+/logtail/\S+ Cannot connect, error: <class 'KeyboardInterrupt'> \(\)$`), ""},
	{regexp.MustCompile(`(?m)^Exception in thread.*\n`), ""},
	// Differs: it has no text for the end of the input at a terminal.
	{regexp.MustCompile(`(EOFError'>, )EOF when reading a line`), "$1"},
}

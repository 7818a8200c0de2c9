package ctl

import (
	"bufio"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

const (
	ctrlC = "\x03"
	ctrlD = "\x04"
	up    = "\x1b[A"
)

var shellAct = act{answers: map[string]any{"supervisor.getVersion": "3.0", "supervisor.getAllProcessInfo": []any{
	info("cat", "cat", 20, "RUNNING", "pid 5"), info("web", "a", 0, "STOPPED", ""), info("web", "b", 0, "STOPPED", "")},
	"supervisor.getPID": 77, "supervisor.shutdown": true}}

// onShell runs our shell on a terminal and waits for its prompt.
func onShell(t *testing.T, handler http.Handler, options string) *terminal {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	t.Cleanup(server.CloseClientConnections)
	dir := tempDir(t)
	d := &daemon{dir: dir}
	d.write(t, "supervisord.conf", "[supervisorctl]\nserverurl="+server.URL+"\n"+options)
	return onTerminal(t, ourCtl, "-c", dir+"/supervisord.conf")
}

func TestShellShowsTheStatusFirst(t *testing.T) {
	term := onShell(t, shellAct, "prompt=hi there\n")
	term.expect("cat                              RUNNING   pid 5\r\n")
	term.expect("hi there> ")
	term.enter("pid\r")
	term.expect("77\r\nhi there> ")
	term.enter("nosuch\r")
	term.expect("*** Unknown syntax: nosuch\r\n")
	term.expect("hi there> ")
	term.enter("exit\r")
	if got := term.ended(); got != 0 {
		t.Errorf("exit code %d after an error", got)
	}
}

func TestShellEndsAt(t *testing.T) {
	for name, keys := range map[string]string{"Ctrl-C": ctrlC, "Ctrl-D": ctrlD, "Ctrl-C in a line": "pid" + ctrlC, "quit": "quit\r"} {
		t.Run(name, func(t *testing.T) {
			term := onShell(t, shellAct, "")
			term.expect("supervisor> ")
			term.enter(keys)
			term.expect("\r\n")
			if got := term.ended(); got != 0 {
				t.Errorf("exit code %d", got)
			}
		})
	}
}

func TestShellCompletes(t *testing.T) {
	term := onShell(t, shellAct, "")
	term.expect("supervisor> ")
	for _, c := range []struct{ name, keys, shows string }{
		{"a command", "ver\t", "version "},
		{"what commands have in common", "re\t", "reload   remove   reread   restart "},
		{"a process of its own group", "status c\t", "status cat "},
		{"processes of a group", "stop we\t", "stop web:"},
		{"the choice of a group", "stop web:\t", "web:*   web:a   web:b "},
		{"a group", "update w\t", "update web "},
		{"a topic", "help sh\t", "help shutdown "},
		{"nothing for other commands", "open x\tyz", "open xyz"},
		{"in the middle of a line", "pid ca x\x1b[D\x1b[D\t", "pid cat  x"},
		{"everything", "\t", "add     exit   maintail   quit      remove    shutdown   status   update "},
	} {
		term.enter(c.keys)
		term.expect(c.shows)
		// Another line in its place: only its output tells that the shell has read it and reads the next one. A
		// prompt also comes after the offers, and keys that come between two lines are cooked: a Ctrl-D is lost.
		term.enter("\x01\x0bpid\r")
		term.expect("77\r\nsupervisor> ")
	}
	term.enter(ctrlD)
	term.ended()
}

func TestShellKeepsAHistory(t *testing.T) {
	dir := tempDir(t)
	file := dir + "/history"
	if err := os.WriteFile(file, []byte("help pid\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	term := onShell(t, shellAct, "history_file="+file+"\n")
	term.expect("supervisor> ")
	term.enter(up)
	term.expect("help pid")
	term.enter("\r")
	term.expect("pid all")
	term.expect("supervisor> ")
	term.enter("shutdown\r")
	term.expect("Really shut the remote supervisord process down y/N? ")
	term.enter("no\r")
	term.expect("supervisor> ")
	term.enter("\r")
	term.expect("supervisor> ")
	term.enter(up)
	term.expect("shutdown")
	term.enter(ctrlC)
	term.ended()
	got, err := os.ReadFile(file)
	if want := "help pid\nshutdown\n"; err != nil || string(got) != want {
		t.Errorf("the history is %q, %v, want %q", got, err, want)
	}
}

func TestShellAsks(t *testing.T) {
	term := onShell(t, shellAct, "")
	term.expect("supervisor> ")
	term.enter("shutdown\r")
	term.expect("y/N? ")
	term.enter(ctrlD)
	term.expect("error: <class 'EOFError'>, EOF when reading a line\r\nsupervisor> ")
	term.enter("shutdown\r")
	term.expect("y/N? ")
	term.enter("Yes\r")
	term.expect("Shut down\r\nsupervisor> ")
	term.enter("shutdown\r")
	term.expect("y/N? ")
	term.enter(ctrlC)
	if got := term.ended(); got != 0 {
		t.Errorf("exit code %d", got)
	}
}

func TestShellAsksForThePassword(t *testing.T) {
	locked := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "me" || password != "secret" {
			http.Error(w, "", http.StatusUnauthorized)
			return
		}
		shellAct.ServeHTTP(w, r)
	})
	term := onShell(t, locked, "")
	term.expect("Server requires authentication\r\nUsername:")
	term.enter("me\r")
	term.expect("Password:")
	term.enter("wrong\r")
	term.expect("Server requires authentication\r\nUsername:")
	term.enter("me\r")
	term.expect("Password:")
	term.enter("secret\r")
	term.expect("cat ")
	term.expect("supervisor> ")
	term.enter(ctrlD)
	term.ended()
	if strings.Contains(term.shown, "secret") {
		t.Errorf("the password is shown: %q", term.shown)
	}
}

func TestShellGivesACommandUpAtCtrlC(t *testing.T) {
	asked := make(chan struct{}, 1)
	hanging := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if strings.Contains(string(body), "getPID") {
			asked <- struct{}{}
			<-r.Context().Done()
			return
		}
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		shellAct.ServeHTTP(w, r)
	})
	term := onShell(t, hanging, "")
	term.expect("supervisor> ")
	term.enter("pid\r")
	<-asked
	term.enter(ctrlC)
	if got := term.ended(); got != 0 {
		t.Errorf("exit code %d", got)
	}
}

// What a process writes is followed, and Ctrl-C leads back to the shell.
func TestShellFollows(t *testing.T) {
	d := startDaemon(t, daemonUnderTest, programs)
	d.settle(t, "cat RUNNING, talker RUNNING")
	term := onTerminal(t, ourCtl, "-c", d.dir+"/supervisord.conf")
	term.expect("supervisor> ")
	term.enter("tail -f talker\r")
	term.expect("==> Press Ctrl-C to exit <==\r\none two three\r\n")
	term.enter(ctrlC)
	term.expect("\r\nsupervisor> ")
	term.enter("fg cat\r")
	term.expect("==> Press Ctrl-C to exit <==\r\n")
	term.enter("hello\r")
	term.expect("hello\r\n") // the terminal's echo
	term.expect("hello\r\n") // cat's
	term.enter(ctrlC)
	term.expect("Exiting foreground\r\nsupervisor> ")
	term.enter("fg cat\r")
	term.expect("hello\r\n")
	term.enter(ctrlD)
	term.expect("Exiting foreground\r\nsupervisor> ")
	term.enter("pid nosuch\r")
	term.expect("No such process nosuch\r\nsupervisor> ")
	term.enter("exit\r")
	if got := term.ended(); got != 0 {
		t.Errorf("exit code %d", got)
	}
}

// piped runs supervisorctl with pipes and waits for each line wanted of its output.
func piped(t *testing.T, d *daemon, ctl string, argv ...string) (cmd *exec.Cmd, stdin io.WriteCloser, expect func(line string)) {
	t.Helper()
	cmd = exec.Command(ctl, append([]string{"-c", d.dir + "/supervisord.conf"}, argv...)...)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	out := bufio.NewReader(stdout)
	return cmd, stdin, func(want string) {
		t.Helper()
		if got, err := out.ReadString('\n'); got != want {
			t.Fatalf("got %q, %v, want %q", got, err, want)
		}
	}
}

func TestTailFollowsUntilInterrupted(t *testing.T) {
	d := startDaemon(t, daemonUnderTest, programs)
	d.settle(t, "cat RUNNING, talker RUNNING")
	cmd, _, expect := piped(t, d, ourCtl, "tail", "-f", "talker")
	expect("==> Press Ctrl-C to exit <==\n")
	expect("one two three\n")
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	expect("\n")
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

func TestFgSpeaksToAProcess(t *testing.T) {
	d := startDaemon(t, daemonUnderTest, programs)
	d.settle(t, "cat RUNNING")
	cmd, stdin, expect := piped(t, d, ourCtl, "fg", "cat")
	expect("==> Press Ctrl-C to exit <==\n")
	for _, line := range []string{"hello\n", "é 中\n"} {
		if _, err := io.WriteString(stdin, line); err != nil {
			t.Fatal(err)
		}
		expect(line)
	}
	stdin.Close()
	expect("Exiting foreground\n")
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

func TestFgNoticesADeathAtTheNextLine(t *testing.T) {
	d := startDaemon(t, daemonUnderTest, programs)
	d.settle(t, "cat RUNNING")
	cmd, stdin, expect := piped(t, d, ourCtl, "fg", "cat")
	expect("==> Press Ctrl-C to exit <==\n")
	if err := d.client.StopProcess(t.Context(), "cat", true); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(stdin, "hello\n"); err != nil {
		t.Fatal(err)
	}
	expect("Process got killed\n")
	expect("Exiting foreground\n")
	stdin.Close()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

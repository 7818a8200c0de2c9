package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/client"
)

// patience is how long what must come is waited for; only a broken run gets there.
const patience = 60 * time.Second

// A session is one supervisord with its programs, and those who torture it.
type session struct {
	t        *testing.T
	seed     uint64
	dir      string // of everything; its path is short, since there is a socket in it
	logs     string
	config   string
	torture  string // the path of this package's program
	programs []*program
	calm     Calm
	outages  outages
	// When the main log says that a takeover begins; read from it at the end.
	takeovers []uint64
	client    *client.Client

	init   *exec.Cmd
	orders io.WriteCloser // to the init

	mu       sync.Mutex
	history  []action // guarded by mu
	failures int      // guarded by mu
	counts   map[string]int
}

// An action is something that was done, or was answered.
type action struct {
	at   time.Time
	who  string // a program's name, or "" for supervisord itself
	text string
}

func (s *session) note(who, format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.history = append(s.history, action{time.Now(), who, cut(fmt.Sprintf(format, args...))})
}

// cut makes a long text short.
func cut(text string) string {
	const most = 300
	if len(text) <= most {
		return text
	}
	return text[:most/2] + " ... " + text[len(text)-most/2:]
}

func (s *session) count(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[what]++
}

// fail says what is wrong with a program (or with "", supervisord), and what led to it.
func (s *session) fail(who, format string, args ...any) {
	s.t.Helper()
	s.failAt(who, time.Now(), format, args...)
}

// failAt is fail for something that went wrong at a moment, or shortly before.
func (s *session) failAt(who string, at time.Time, format string, args ...any) {
	s.t.Helper()
	s.mu.Lock()
	s.failures++
	many := s.failures > 5
	s.mu.Unlock()
	if many { // the story has been told
		s.t.Errorf("%s: %s", cmp.Or(who, "supervisord"), cut(fmt.Sprintf(format, args...)))
		return
	}
	s.t.Errorf("%s: %s\n%s", cmp.Or(who, "supervisord"), fmt.Sprintf(format, args...), s.story(who, at))
}

// story is what happened to a program before a moment.
func (s *session) story(who string, before time.Time) string {
	const most = 25
	var lines []string
	s.mu.Lock()
	for _, a := range s.history {
		if (a.who == who || a.who == "") && a.at.Before(before) {
			lines = append(lines, fmt.Sprintf("    %s %s %s", a.at.Format("15:04:05.000"), cmp.Or(a.who, "-"), a.text))
		}
	}
	s.mu.Unlock()
	lines = lines[max(0, len(lines)-most):]
	lines = append(lines, "  the main log:")
	var said []string
	data, _ := os.ReadFile(s.dir + "/supervisord.log")
	for line := range strings.Lines(string(data)) {
		if who == "" || strings.Contains(line, who) || strings.Contains(line, "taken over") || strings.Contains(line, "has died") {
			if len(line) < 23 || line[:19] > before.UTC().Format(time.DateTime) && line[:19] > before.Format(time.DateTime) {
				break
			}
			said = append(said, "    "+strings.TrimSuffix(line, "\n"))
		}
	}
	lines = append(lines, said[max(0, len(said)-most):]...)
	return fmt.Sprintf("  seed %d, directory %s; what was done before:\n%s", s.seed, s.dir, strings.Join(lines, "\n"))
}

func newSession(t *testing.T, seed uint64) *session {
	dir, err := os.MkdirTemp("/tmp", "hf-torture-")
	if err != nil {
		t.Fatal(err)
	}
	s := &session{
		t: t, seed: seed, dir: dir, logs: dir + "/logs", config: dir + "/supervisord.conf",
		torture: filepath.Join(bin, "torture"), counts: make(map[string]int),
	}
	s.programs = programs(rand.New(rand.NewPCG(seed, 1)))
	if err := os.Mkdir(s.logs, 0o700); err != nil {
		t.Fatal(err)
	}
	if s.calm, err = OpenCalm(dir); err != nil {
		t.Fatal(err)
	}
	if s.client, err = client.New("unix://"+dir+"/s", "", ""); err != nil {
		t.Fatal(err)
	}
	if err := s.configure(); err != nil {
		t.Fatal(err)
	}
	s.boot()
	t.Cleanup(s.stopInit)
	return s
}

// stopInit ends the session and all that is left of it.
func (s *session) stopInit() {
	if s.orders == nil {
		return
	}
	s.orders.Close()
	s.orders = nil
	if err := s.init.Wait(); err != nil {
		s.t.Errorf("the init: %v", err)
	}
	if s.t.Failed() {
		s.t.Logf("everything is still there: %s", s.dir)
	} else {
		os.RemoveAll(s.dir)
	}
}

// boot starts the init.
func (s *session) boot() {
	s.init = exec.Command(s.torture, "init")
	s.init.Dir = s.dir
	stderr, err := os.Create(s.dir + "/stderr")
	if err != nil {
		s.t.Fatal(err)
	}
	defer stderr.Close()
	s.init.Stderr = stderr
	s.orders, err = s.init.StdinPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.init.Start(); err != nil {
		s.t.Fatal(err)
	}
}

// launch has the init start a supervisord.
func (s *session) launch(foreground bool) {
	args := []string{filepath.Join(bin, "supervisord"), "-c", s.config}
	if foreground {
		args = append(args, "-n", "-s")
	}
	s.note("", "supervisord %s", strings.Join(args[1:], " "))
	s.count("starts")
	text, _ := json.Marshal(args)
	fmt.Fprintf(s.orders, "%s\n", text)
}

// ctl runs supervisorctl.
func (s *session) ctl(args ...string) (out string, status int) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "supervisorctl"), append([]string{"-c", s.config}, args...)...)
	b, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		s.fail("", "supervisorctl %s was not answered in %v", strings.Join(args, " "), patience)
		return string(b), -1
	case errors.As(err, &exit):
		status = exit.ExitCode()
	case err != nil:
		s.t.Errorf("supervisorctl: %v", err)
	}
	return strings.TrimSpace(string(b)), status
}

// broken tells whether an error means that the call broke off, so that nobody knows what has become of it.
func broken(err error) bool {
	var f *client.Fault
	var h *client.HTTPError
	return err != nil && !errors.As(err, &f) && !errors.As(err, &h)
}

// call makes a call until it is answered.
func (s *session) call(who, what string, f func(ctx context.Context) error) error {
	for try := 1; ; try++ {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		err := f(ctx)
		late := ctx.Err() != nil
		cancel()
		s.note(who, "%s: %v", what, err)
		if late || try > 3000 {
			s.fail(who, "%s was not answered in %v (try %d)", what, patience, try)
			return err
		}
		if !broken(err) {
			return err
		}
		s.count("calls broken off")
		time.Sleep(20 * time.Millisecond)
	}
}

// states are those of all processes.
func (s *session) states() (map[string]client.ProcessInfo, error) {
	var all []client.ProcessInfo
	err := s.call("-", "getAllProcessInfo", func(ctx context.Context) (err error) {
		all, err = s.client.AllProcessInfo(ctx)
		return err
	})
	states := make(map[string]client.ProcessInfo)
	for _, i := range all {
		states[i.Name] = i
	}
	return states, err
}

// await waits until why answers nothing.
func (s *session) await(what string, why func() string) bool {
	s.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		w := why()
		if w == "" {
			return true
		}
		if time.Now().After(end) {
			s.fail("", "waited %v for %s: %s", patience, what, w)
			return false
		}
	}
}

// A supervisor is one of supervisord's processes.
type supervisor struct {
	Process
	role string // "guard", "daemon" or "launcher"
}

// supervisors are supervisord's processes.
func (s *session) supervisors() (list []supervisor) {
	for _, p := range Descendants(s.init.Process.Pid) {
		// Between fork and exec a program looks like its daemon, but it has one thread.
		if p.State == "Z" || p.Threads == 1 || p.Name == "torture" {
			continue
		}
		exe, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", p.PID))
		if exe != filepath.Join(bin, "supervisord") {
			continue
		}
		environ, _ := os.ReadFile(fmt.Sprintf("/proc/%d/environ", p.PID))
		role := "launcher"
		for v := range strings.SplitSeq(string(environ), "\x00") {
			if strings.HasPrefix(v, "HOLDFAST_GUARD_FD=") {
				role = "daemon"
			} else if v == "HOLDFAST_GUARD=1" && role != "daemon" {
				role = "guard"
			}
		}
		list = append(list, supervisor{p, role})
	}
	return list
}

func find(list []supervisor, role string) (supervisor, bool) {
	i := slices.IndexFunc(list, func(v supervisor) bool { return v.role == role })
	if i < 0 {
		return supervisor{}, false
	}
	return list[i], true
}

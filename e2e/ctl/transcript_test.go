package ctl

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var rewrite = flag.Bool("rewrite", false, "record the original in testdata again")

// A step is one command line, and what must be before it.
type step struct {
	args   string                        // words at blanks; DIR is the daemon's directory
	argv   []string                      // instead of args, and with no -c before it
	stdin  string                        //
	before func(t *testing.T, d *daemon) // changes the daemon's surroundings
	settle string                        // states to wait for
	act    act                           // the server, for TestCanned
	only   string                        // "exit": only the exit code is compared; "sorted": the lines in any order
}

// A side is a supervisord and the supervisorctl that talks to it.
type side struct{ daemon, ctl string }

// TestTranscript gives the steps, in their order, to every pair of supervisord and supervisorctl.
func TestTranscript(t *testing.T) {
	if *rewrite {
		needOriginal(t)
		record(t, "testdata/transcript.txt", steps, steady(startDaemon(t, originalDaemon, programs), originalCtl))
	}
	want := recorded(t, "testdata/transcript.txt")
	for name, s := range map[string]side{
		"our supervisorctl, original supervisord": {originalDaemon, ourCtl},
		"original supervisorctl, our supervisord": {daemonUnderTest, originalCtl},
		"our supervisorctl, our supervisord":      {daemonUnderTest, ourCtl},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if s.daemon == originalDaemon || s.ctl == originalCtl {
				needOriginal(t)
			}
			compare(t, want, steps, steady(startDaemon(t, s.daemon, programs), s.ctl))
		})
	}
}

// TestLocal is TestTranscript for what needs no supervisord.
func TestLocal(t *testing.T) {
	d := &daemon{dir: tempDir(t)}
	d.write(t, "supervisord.conf", strings.ReplaceAll(daemonConfig, "%(here)s/s", "%(here)s/nosuch"))
	if *rewrite {
		needOriginal(t)
		record(t, "testdata/local.txt", localSteps, steady(d, originalCtl))
	}
	compare(t, recorded(t, "testdata/local.txt"), localSteps, steady(d, ourCtl))
}

// steady makes a runner of steps from one daemon and one supervisorctl.
func steady(d *daemon, ctl string) func(*testing.T, step) string {
	return func(t *testing.T, s step) string { return d.do(t, ctl, s) }
}

// record writes what the runner gives for each step to a file.
func record(t *testing.T, file string, steps []step, runner func(*testing.T, step) string) {
	t.Helper()
	var b strings.Builder
	for _, s := range steps {
		b.WriteString(mark + s.title() + "\n" + runner(t, s))
	}
	if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

const mark = "$ supervisorctl "

// recorded returns what record has written.
func recorded(t *testing.T, file string) []string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split("\n"+string(data), "\n"+mark)[1:]
}

// compare holds what the runner gives to what was recorded.
func compare(t *testing.T, want []string, steps []step, runner func(*testing.T, step) string) {
	t.Helper()
	if len(want) != len(steps) {
		t.Fatalf("%d steps are recorded, and there are %d: use -rewrite", len(want), len(steps))
	}
	for i, s := range steps {
		got := s.title() + "\n" + runner(t, s)
		if diff := cmp.Diff(strings.TrimSuffix(want[i], "\n"), strings.TrimSuffix(got, "\n")); diff != "" {
			t.Errorf("%s\n%s", s.title(), diff)
		}
	}
}

func (s step) title() string {
	title := s.args
	if s.argv != nil {
		title = fmt.Sprintf("%q", s.argv)
	}
	if s.act.name != "" {
		title += " (" + s.act.name + ")"
	}
	if s.stdin != "" {
		title += fmt.Sprintf(" <<< %q", s.stdin)
	}
	return title
}

// do runs a step and returns its transcript.
func (d *daemon) do(t *testing.T, ctl string, s step) string {
	t.Helper()
	if s.before != nil {
		s.before(t, d)
	}
	if s.settle != "" {
		d.settle(t, s.settle)
	}
	argv := s.argv
	if argv == nil {
		argv = strings.Fields(strings.ReplaceAll(s.args, "DIR", d.dir))
		if !strings.HasPrefix(s.args, "-c") {
			argv = append([]string{"-c", d.dir + "/supervisord.conf"}, argv...)
		}
	}
	got := run(t, d.dir, s.stdin, ctl, argv...)
	switch s.only {
	case "exit":
		return fmt.Sprintf("exit %d\n", got.exit)
	case "sorted":
		lines := strings.SplitAfter(got.stdout, "\n")
		slices.Sort(lines)
		got.stdout = strings.Join(lines, "")
	}
	return got.normal(d.dir)
}

type outcome struct {
	stdout, stderr string
	exit           int
}

func run(t *testing.T, dir, stdin, ctl string, argv ...string) outcome {
	t.Helper()
	if ctl == originalCtl {
		stdout, stderr, status, err := originals.Output(dir, stdin, long, append([]string{ctl}, argv...)...)
		if err != nil {
			t.Fatal(err)
		}
		return outcome{stdout, stderr, status.ExitStatus()}
	}
	cmd := exec.Command(ctl, argv...)
	cmd.Dir = dir
	cmd.Stdin = strings.NewReader(stdin)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	alarm := time.AfterFunc(long, func() { _ = cmd.Process.Kill() })
	defer alarm.Stop()
	var exit *exec.ExitError
	if err := cmd.Wait(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return outcome{out.String(), errOut.String(), cmd.ProcessState.ExitCode()}
}

// What differs between two runs, or on purpose, and what stands for it.
var differs = []struct {
	found *regexp.Regexp
	is    string
}{
	{regexp.MustCompile(`\nholdfast commands .*\n=+\n(.+\n)+\n`), ""}, // those that the original has not
	{regexp.MustCompile(`(?m)^status --(long|json) .*\n`), ""},        // nor has it these options
	{regexp.MustCompile(`(?m): file: \S+ line: \d+$`), ""},            // a place in the original's source
	{regexp.MustCompile(`(?m)^([^\t\n]*\t+)[^\t\n]+$`), "${1}HELP"},   // the wording of a help
	{regexp.MustCompile(`(?m)^Note: .*$`), "Note: HELP"},
	{regexp.MustCompile(`(?m)^(For help, use )\S+( -h)$`), "${1}ARGV0$2"},
	{regexp.MustCompile(`(?m)^\d+\.\d\S*$`), "VERSION"},
	{regexp.MustCompile(`pid \d+`), "pid PID"},
	{regexp.MustCompile(`(?m)^[1-9]\d*$`), "PID"},
	{regexp.MustCompile(`\d+:\d\d:\d\d`), "TIME"},
	{regexp.MustCompile(`[A-Z][a-z]{2} \d\d \d\d:\d\d [AP]M`), "DATE"},
}

// normal is the outcome as text, without what differs.
func (o outcome) normal(dir string) string {
	text := fmt.Sprintf("%s--- stderr\n%s--- exit %d\n", o.stdout, o.stderr, o.exit)
	text = strings.ReplaceAll(text, dir, "DIR")
	for _, d := range differs {
		text = d.found.ReplaceAllString(text, d.is)
	}
	return text
}

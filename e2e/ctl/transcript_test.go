package ctl

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A step is one command line, and what must be before it.
type step struct {
	args   string                        // words at blanks; DIR is the daemon's directory
	stdin  string                        //
	argv   []string                      // instead of args, if blanks matter
	before func(t *testing.T, d *daemon) // changes the daemon's surroundings
	settle string                        // states to wait for
	only   string                        // "exit": only the exit code is compared
}

// A side is a supervisord and the supervisorctl that talks to it.
type side struct{ daemon, ctl string }

// TestTranscripts gives the steps to all sides, in their order, and compares.
func TestTranscripts(t *testing.T) {
	needOriginal(t)
	sides := map[string]side{
		"our supervisorctl, original supervisord": {originalDaemon, ourCtl},
	}
	if d := os.Getenv("HOLDFAST_SUPERVISORD"); d != "" {
		sides["original supervisorctl, supervisord under test"] = side{d, originalCtl}
		sides["our supervisorctl, supervisord under test"] = side{d, ourCtl}
	}
	transcripts := map[string][]string{}
	var mu sync.Mutex
	t.Run("run", func(t *testing.T) {
		sides["yardstick"] = side{originalDaemon, originalCtl}
		for name, s := range sides {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				d := startDaemon(t, s.daemon, programs)
				var transcript []string
				for _, st := range steps {
					transcript = append(transcript, d.do(t, s.ctl, st))
				}
				mu.Lock()
				defer mu.Unlock()
				transcripts[name] = transcript
			})
		}
	})
	for name, transcript := range transcripts {
		t.Run(name, func(t *testing.T) {
			for i, st := range steps {
				t.Run(fmt.Sprintf("%d %s", i, st.title()), func(t *testing.T) {
					if diff := cmp.Diff(transcripts["yardstick"][i], transcript[i]); diff != "" {
						t.Error(diff)
					}
				})
			}
		})
	}
	if testing.Verbose() {
		for i, st := range steps {
			t.Logf("%d $ supervisorctl %s\n%s", i, st.title(), transcripts["yardstick"][i])
		}
	}
}

func (s step) title() string {
	if s.argv != nil {
		return fmt.Sprintf("%q", s.argv)
	}
	return s.args
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
	if s.only == "exit" {
		return fmt.Sprintf("exit %d\n", got.exit)
	}
	return got.normal(d.dir)
}

type outcome struct {
	stdout, stderr string
	exit           int
}

func run(t *testing.T, dir, stdin, ctl string, argv ...string) outcome {
	t.Helper()
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
	{regexp.MustCompile(`(?m): file: \S+ line: \d+$`), ""},          // a place in the original's source
	{regexp.MustCompile(`(?m)^([^\t\n]*\t+)[^\t\n]+$`), "${1}HELP"}, // the wording of a help
	{regexp.MustCompile(`(?m)^Note: .*$`), "Note: HELP"},
	{regexp.MustCompile(`(?m)^(For help, use )\S+( -h)$`), "${1}ARGV0$2"},
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

package ctl

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const originalSample = "/usr/bin/echo_supervisord_conf"

var (
	sampleSection = regexp.MustCompile(`^;?\[([a-z_-]+)`) // without the name of a program
	sampleOption  = regexp.MustCompile(`^;?([a-z_.]+) ?=`)
	comment       = regexp.MustCompile(` *;.*`)
)

// TestSample holds echo_supervisord_conf to the original: the same lines are active, and every option is
// shown in a section of the same kind. A listener's are those of a program where it has no others.
func TestSample(t *testing.T) {
	if _, err := os.Stat(originalSample); err != nil {
		t.Skipf("the original is not installed (apt-get install supervisor): %v", err)
	}
	want := run(t, t.TempDir(), "", originalSample)
	got := run(t, t.TempDir(), "", ourSample, "arguments", "-h", "are ignored")
	if want.exit != 0 || got.exit != 0 || got.stderr != "" {
		t.Fatalf("exit codes %d and %d, stderr %q", want.exit, got.exit, got.stderr)
	}
	wantActive, wantOptions := sample(want.stdout)
	gotActive, gotOptions := sample(got.stdout)
	if diff := cmp.Diff(wantActive, gotActive); diff != "" {
		t.Error(diff)
	}
	for _, o := range wantOptions {
		if !slices.Contains(gotOptions, o) && !slices.Contains(gotOptions, strings.Replace(o, "eventlistener ", "program ", 1)) {
			t.Errorf("%s is not in the sample", o)
		}
	}
	if len(wantOptions) < 90 {
		t.Errorf("only %d options were found in the original's", len(wantOptions))
	}
}

// sample returns the lines of a sample that are not commented out, sorted, and all of its options, each with
// its section.
func sample(text string) (active, options []string) {
	section := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if m := sampleSection.FindStringSubmatch(line); m != nil {
			section = m[1]
		} else if m := sampleOption.FindStringSubmatch(line); m != nil {
			options = append(options, section+" "+m[1])
		}
		if a := comment.ReplaceAllString(line, ""); a != "" {
			active = append(active, section+" "+a)
		}
	}
	slices.Sort(active)
	return active, options
}

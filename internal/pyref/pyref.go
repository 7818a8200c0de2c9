// Package pyref lets a test ask the real Python how it behaves: the packages that promise to
// be Python's repr, configparser, %-formatting, shlex or getopt are compared with it on
// generated input. It is for tests only.
package pyref

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"testing"
)

const python = "/usr/bin/python3"

// Ask runs script once in one Python process and decodes its answer into out. The script finds
// the input, decoded from JSON, in the variable data and leaves what it found in answer.
// Without a Python on the machine the test is skipped.
func Ask(t *testing.T, script string, in, out any) {
	t.Helper()
	if _, err := os.Stat(python); err != nil {
		t.Skipf("nothing to compare with: %v", err)
	}
	input, err := json.Marshal(in)
	if err != nil {
		t.Fatalf("cannot encode the input: %v", err)
	}
	whole := "import json, sys\ndata = json.load(sys.stdin)\n" + script + "\njson.dump(answer, sys.stdout)\n"
	var stderr bytes.Buffer
	cmd := exec.Command(python, "-I", "-X", "utf8", "-c", whole)
	cmd.Stdin = bytes.NewReader(input)
	cmd.Stderr = &stderr
	output, err := cmd.Output()
	if err != nil {
		t.Fatalf("python failed: %v\n%s", err, stderr.Bytes())
	}
	if err := json.Unmarshal(output, out); err != nil {
		t.Fatalf("cannot decode python's answer: %v", err)
	}
}

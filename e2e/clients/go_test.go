package clients

import (
	"os"
	"os/exec"
	"testing"
)

// TestGoClient has a library for Go. The program has a module of its own, so that ours does not need it.
func TestGoClient(t *testing.T) {
	t.Parallel()
	inModule := func(argv ...string) ([]byte, error) {
		cmd := exec.Command("go", append([]string{"-C", "testdata/goclient"}, argv...)...)
		cmd.Env = append(os.Environ(), "GOWORK=off", "CGO_ENABLED=0")
		return cmd.CombinedOutput()
	}
	if out, err := inModule("mod", "download"); err != nil {
		t.Skipf("the library is not to be had: %v\n%s", err, out)
	}
	program := tempDir(t) + "/goclient"
	if out, err := inModule("build", "-o", program); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for name, url := range transports {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onBoth(t, func(t *testing.T, s side) string {
				d := s.start(t, services)
				return d.output(t, nil, program, url(d), user, password, d.dir+"/conf.d")
			}, `state: "{1 RUNNING}"`)
		})
	}
}

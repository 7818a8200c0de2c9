package e2e

import (
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestKubernetes runs the two configurations that started this project, each with a start script
// for either shell: bash ignores SIGQUIT while it waits for its child, and dash dies of it at once
// and leaves its child to end by itself.
func TestKubernetes(t *testing.T) {
	t.Parallel()
	for _, shell := range []string{"/bin/bash", "/bin/dash"} {
		t.Run(filepath.Base(shell), func(t *testing.T) {
			t.Parallel()
			testscript.Run(t, testscript.Params{
				Dir: "testdata/kubernetes",
				Setup: func(env *testscript.Env) error {
					env.Setenv("SHELL", shell)
					return setup(env)
				},
				Cmds:                commands,
				Condition:           condition,
				RequireExplicitExec: true,
				RequireUniqueNames:  true,
			})
		})
	}
}

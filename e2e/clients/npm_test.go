package clients

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// npmPackages installs testdata/npm for both sides and returns its directory.
func npmPackages(t *testing.T) string {
	t.Helper()
	for _, command := range []string{"node", "npm"} {
		if _, err := exec.LookPath(command); err != nil {
			t.Skipf("Node is not installed (apt-get install nodejs npm): %v", err)
		}
	}
	dir := tempDir(t)
	must(t, os.CopyFS(dir, os.DirFS("testdata/npm")))
	ctx, cancel := context.WithTimeout(t.Context(), long)
	defer cancel()
	install := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund", "--fetch-retries=0")
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		t.Skipf("the packages are not to be had: %v\n%s", err, out)
	}
	return dir
}

const nodeListener = `
[eventlistener:node]
command=node listener.js $DIR/node.txt
directory=$PACKAGES
events=PROCESS_STATE_RUNNING,PROCESS_STATE_STOPPED,REMOTE_COMMUNICATION,SUPERVISOR_STATE_CHANGE
buffer_size=1000
`

// TestNode has what the npm registry offers: two libraries, and one for event listeners.
func TestNode(t *testing.T) {
	t.Parallel()
	packages := npmPackages(t)
	t.Run("libraries", func(t *testing.T) {
		t.Parallel()
		onBoth(t, func(t *testing.T, s side) string {
			d := s.start(t, services)
			return d.output(t, nil, "node", packages+"/client.js", d.inet, user, password)
		}, `promises getState [] {"statecode":1,"statename":"RUNNING"}`)
	})
	// The library takes an event only if its header and its payload are read at once.
	t.Run("listener", func(t *testing.T) {
		t.Parallel()
		onBoth(t, func(t *testing.T, s side) string {
			d := s.start(t, services+strings.ReplaceAll(nodeListener, "$PACKAGES", packages))
			events := d.dir + "/node.txt"
			awaitText(t, events, `"processname":"node"`)
			for i := range 20 {
				must(t, d.client.SendRemoteCommEvent(t.Context(), "number", fmt.Sprintf("%d_of_é中_%s", i, strings.Repeat("x", 100*i))))
			}
			must(t, d.client.StopProcess(t.Context(), "cat", true))
			must(t, d.client.StartProcess(t.Context(), "cat", true))
			must(t, d.client.SendRemoteCommEvent(t.Context(), "end", ""))
			awaitText(t, events, `"type":"end`)
			data, err := os.ReadFile(events)
			must(t, err)
			return d.steady(string(data))
		}, "19_of_é中", "PROCESS_STATE_STOPPED", "SUPERVISOR_STATE_CHANGE_RUNNING")
	})
}

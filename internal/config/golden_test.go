package config

import (
	"encoding/json"
	"flag"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

// TestGolden reads whole configurations, among them the two that this project began with, word for
// word. In them /ROOT/ stands for a directory in which everything that must exist does, USER for a
// user of this system.
func TestGolden(t *testing.T) {
	me, err := user.Current()
	must(t, err)
	paths, err := filepath.Glob("testdata/*.conf")
	must(t, err)
	if len(paths) < 3 {
		t.Fatalf("found only %v", paths)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			root := t.TempDir()
			for _, dir := range []string{"/data/logs/etcd-server", "/var/log/kubelet", "/etc/kubernetes", "/opt/etcd", "/run", "/etc/supervisord.d"} {
				must(t, os.MkdirAll(root+dir, 0o755))
			}
			copyInto(t, strings.TrimSuffix(path, ".conf")+".ini", root+"/etc/supervisord.d/extra.ini", root, me.Username)
			copyInto(t, path, root+"/etc/supervisord.conf", root, me.Username)

			cfg, err := Load(root+"/etc/supervisord.conf", nil, []string{"HOME=" + root, "TMPDIR=" + root + "/run"})
			must(t, err)
			for _, g := range cfg.Groups {
				for i := range g.Processes {
					if uid := g.Processes[i].UID; uid != nil {
						*uid = 1000 // whoever runs the test
					}
				}
			}
			text, err := json.MarshalIndent(cfg, "", "\t")
			must(t, err)
			// The next daemon reads it in this form.
			var again Config
			must(t, json.Unmarshal(text, &again))
			cfg.Supervisord.user = nil
			if diff := cmp.Diff(cfg, &again, cmp.AllowUnexported(Supervisord{}), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("after JSON it is another: %s", diff)
			}
			for _, g := range again.Groups {
				for i := range g.Processes {
					if f := g.Processes[i].FastCGI; f != nil && f != g.FastCGI {
						t.Errorf("%s: a socket of its own", g.Processes[i].Name)
					}
				}
			}
			got := strings.ReplaceAll(string(text), root, "/ROOT") + "\n"
			golden := strings.TrimSuffix(path, ".conf") + ".golden"
			if *rewrite {
				must(t, os.WriteFile(golden, []byte(got), 0o644))
			}
			want, err := os.ReadFile(golden)
			must(t, err)
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// copyInto copies a file of testdata if it is there, its placeholders filled in.
func copyInto(t *testing.T, from, to, root, user string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if os.IsNotExist(err) {
		return
	}
	must(t, err)
	text := strings.NewReplacer("/ROOT/", root+"/", "=USER", "="+user).Replace(string(data))
	must(t, os.WriteFile(to, []byte(text), 0o644))
}

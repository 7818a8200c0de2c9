package clients

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestAnsible has Ansible's module at work. It needs supervisorctl: ours on our side.
func TestAnsible(t *testing.T) {
	t.Parallel()
	const module = "/usr/lib/python3/dist-packages/ansible_collections/community/general/plugins/modules/supervisorctl.py"
	if _, err := os.Stat(module); err != nil {
		t.Skipf("Ansible is not installed (apt-get install ansible): %v", err)
	}
	onBoth(t, func(t *testing.T, s side) string {
		d := s.start(t, services)
		d.config(t, "conf.d/new.ini", newService)
		out := d.output(t, []string{"HOME=" + d.dir, "TMPDIR=" + d.dir, "ANSIBLE_CONFIG=testdata/ansible.cfg"}, "/usr/bin/ansible-playbook", "--inventory", "localhost,", "--connection", "local",
			"--extra-vars", fmt.Sprintf("ctl=%s conf=%s/supervisord.conf ansible_python_interpreter=%s", s.ctl, d.dir, python),
			"testdata/playbook.yml")
		return ansibleResults(t, out)
	}, "present new: changed true, failed false", "present new: changed false, failed false", "present nosuch: changed false, failed true")
}

// ansibleResults is what matters of ansible-playbook's JSON, a line for each step.
func ansibleResults(t *testing.T, out string) string {
	t.Helper()
	var report struct {
		Plays []struct {
			Tasks []struct {
				Hosts map[string]struct {
					Results []struct {
						Item            []string
						Changed, Failed bool
						Msg             string
						Affected        []string
					}
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	var text strings.Builder
	for _, r := range report.Plays[0].Tasks[0].Hosts["localhost"].Results {
		fmt.Fprintf(&text, "%s: changed %v, failed %v, affected %v, %q\n", strings.Join(r.Item, " "), r.Changed, r.Failed, r.Affected, r.Msg)
	}
	return text.String()
}

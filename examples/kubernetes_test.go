package examples

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"holdfast/internal/config"
	"holdfast/internal/shellwords"
)

// loadKubernetes loads a copy of the example in which users and directories are such as every
// machine has.
func loadKubernetes(t *testing.T) *config.Config {
	t.Helper()
	root := t.TempDir()
	user := regexp.MustCompile(`(?m)^user=.*\n`)
	paths := regexp.MustCompile(`=(/var/log|/run)/[^/\n]*$`)
	copied := func(from, to string) {
		b, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(user.ReplaceAllString(string(b), ""), "\n")
		for i, l := range lines {
			if strings.HasPrefix(l, "stdout_logfile=") || strings.HasPrefix(l, "logfile=") || paths.MatchString(l) {
				key, file, _ := strings.Cut(l, "=")
				lines[i] = key + "=" + filepath.Join(root, filepath.Base(file))
			}
			if strings.HasPrefix(l, "childlogdir=") {
				lines[i] = "childlogdir=" + root
			}
		}
		if err := os.WriteFile(to, []byte(strings.Join(lines, "\n")), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(root, "supervisord.d"), 0o755); err != nil {
		t.Fatal(err)
	}
	copied("kubernetes/supervisord.conf", filepath.Join(root, "supervisord.conf"))
	for _, f := range kubernetesFiles(t) {
		copied(f, filepath.Join(root, "supervisord.d", filepath.Base(f)))
	}
	cfg, err := config.Load(filepath.Join(root, "supervisord.conf"), nil, os.Environ())
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// kubernetesFiles are the components' files; those of other nodes are not among them.
func kubernetesFiles(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("kubernetes/supervisord.d/*.ini")
	if err != nil || len(files) != 7 {
		t.Fatalf("got %v, %v; want seven components", files, err)
	}
	return files
}

// What each component waits for.
var kubernetesOrder = map[string][]string{
	"containerd":              nil,
	"etcd-server":             nil,
	"kube-apiserver":          {"etcd-server"},
	"kube-controller-manager": {"kube-apiserver"},
	"kube-scheduler":          {"kube-apiserver"},
	"kubelet":                 {"containerd", "kube-apiserver"},
	"kube-proxy":              {"kube-apiserver"},
}

func TestKubernetesOrder(t *testing.T) {
	got := make(map[string][]string)
	for _, g := range loadKubernetes(t).Groups {
		got[g.Name] = nil
		for _, d := range g.Processes[0].DependsOn {
			if d.Until != config.UntilUp || d.Required {
				t.Errorf("%s: %+v; want a dependency that is waited for at the start", g.Name, d)
			}
			got[g.Name] = append(got[g.Name], d.Name)
		}
		slices.Sort(got[g.Name])
	}
	if !reflect.DeepEqual(got, kubernetesOrder) {
		t.Errorf("got the order %v, want %v", got, kubernetesOrder)
	}
}

func TestKubernetesPrograms(t *testing.T) {
	cfg := loadKubernetes(t)
	for _, n := range cfg.Notes {
		if !strings.HasPrefix(n.Text, "Included extra file") && !strings.Contains(n.Text, "root") && !strings.Contains(n.Text, "authentication") {
			t.Errorf("note: %s", n.Text)
		}
	}
	for _, g := range cfg.Groups {
		t.Run(g.Name, func(t *testing.T) {
			p := g.Processes[0]
			words, err := shellwords.Split(p.Command)
			if err != nil {
				t.Fatal(err)
			}
			if want := strings.TrimSuffix(g.Name, "-server"); filepath.Base(words[0]) != want {
				t.Errorf("it runs %q, want the component itself, %q", words[0], want)
			}
			if len(words) < 2 {
				t.Errorf("got %d words; was the command cut? %q", len(words), words)
			}
			for _, w := range words[1:] {
				if !strings.HasPrefix(w, "--") {
					t.Errorf("%q is no flag: is an option indented, or is a comment in the command?", w)
				}
			}
			if p.StopSignal != syscall.SIGTERM {
				t.Errorf("it is stopped with %v, want TERM", p.StopSignal)
			}
			if p.StopWaitSecs < 10 || p.AutoRestart != config.RestartAlways {
				t.Errorf("stopwaitsecs %d, autorestart %v: too little for a component", p.StopWaitSecs, p.AutoRestart)
			}
			if p.StartRetries != -1 || p.Patience.RestartSecs != 1 || p.Patience.MaxDelaySecs != 15 {
				t.Errorf("startretries %d, %+v: it is not tried as often as it takes", p.StartRetries, p.Patience)
			}
			if p.Health.Ready == nil {
				t.Error("it does not say when it is ready")
			}
			if !p.RedirectStderr || p.Stdout.File == "" || p.Stdout.MaxBytes <= 0 || p.Stdout.Backups < 1 {
				t.Errorf("its log %+v does not hold everything, or does not rotate", p.Stdout)
			}
		})
	}
}

// An unknown option is ignored without a word, so a slip in an example would teach it.
func TestKubernetesOptions(t *testing.T) {
	known := strings.Fields(`command directory user depends_on
		readiness readiness_period_secs readiness_timeout_secs readiness_tls_ca readiness_tls_verify start_timeout_secs
		liveness liveness_timeout_secs liveness_failure_threshold liveness_tls_ca liveness_tls_verify liveness_signal watchdog_secs
		autorestart startsecs startretries restartsecs restartmaxdelaysecs stopsignal stopwaitsecs
		redirect_stderr stdout_logfile stdout_logfile_maxbytes stdout_logfile_backups`)
	option := regexp.MustCompile(`(?m)^([^\s;\[=]+)\s*=`)
	for _, f := range append(kubernetesFiles(t), "kubernetes/more-nodes/flanneld.ini") {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range option.FindAllStringSubmatch(string(b), -1) {
			if !slices.Contains(known, m[1]) {
				t.Errorf("%s: option %q", f, m[1])
			}
		}
	}
}

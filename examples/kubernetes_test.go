package examples

import (
	"os"
	"path/filepath"
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

func kubernetesFiles(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("kubernetes/supervisord.d/*.ini")
	if err != nil || len(files) != 7 {
		t.Fatalf("got %v, %v; want seven components", files, err)
	}
	return files
}

func TestKubernetesOrder(t *testing.T) {
	var got []string
	for _, g := range loadKubernetes(t).Groups {
		got = append(got, g.Name)
	}
	want := []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "flanneld", "kubelet", "kube-proxy"}
	if !slices.Equal(got, want) {
		t.Errorf("they start in the order %v, want %v", got, want)
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
			if want := "/usr/local/bin/" + g.Name; words[0] != want {
				t.Errorf("it runs %q, want the component itself, %q", words[0], want)
			}
			if len(words) < 4 {
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
			if p.StopWaitSecs < 10 || p.StartRetries < 10 || p.AutoRestart != config.RestartAlways {
				t.Errorf("stopwaitsecs %d, startretries %d, autorestart %v: too little for a component",
					p.StopWaitSecs, p.StartRetries, p.AutoRestart)
			}
			if !p.RedirectStderr || p.Stdout.File == "" || p.Stdout.MaxBytes <= 0 || p.Stdout.Backups < 1 {
				t.Errorf("its log %+v does not hold everything, or does not rotate", p.Stdout)
			}
		})
	}
}

// An unknown option is ignored without a word, so a slip in an example would teach it.
func TestKubernetesOptions(t *testing.T) {
	known := strings.Fields(`command directory user priority autorestart startsecs startretries stopsignal stopwaitsecs
		redirect_stderr stdout_logfile stdout_logfile_maxbytes stdout_logfile_backups`)
	option := regexp.MustCompile(`(?m)^([^\s;\[=]+)\s*=`)
	for _, f := range kubernetesFiles(t) {
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

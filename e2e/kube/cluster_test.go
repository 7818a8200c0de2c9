package kube

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/client"
)

const (
	example = "../../examples/kubernetes"
	mainLog = "/var/log/supervisor/supervisord.log"

	// holdDefault is longer than the components try by themselves.
	holdDefault = 2 * time.Minute
	// patience is how long what must come is waited for; only a broken run gets there.
	patience = 5 * time.Minute
)

// A component is one program of the example. Whether it is ready is asked as an operator would, and not supervisord alone.
type component struct {
	name string
	url  string // answers with 200 when it is ready; or
	unix string // is a socket that accepts then
	log  string
	// needs are those that are ready before it is started, and stopped after it.
	needs []string
	// uncaught: TERM ends it as it ends a program that does not know of it.
	uncaught bool
}

var components = []component{
	{name: "etcd-server", url: "http://127.0.0.1:2381/health", log: "/var/log/etcd/etcd.log",
		uncaught: true}, // it ends in order, and then sends itself the signal again
	{name: "kube-apiserver", url: "https://127.0.0.1:6443/readyz", needs: []string{"etcd-server"}},
	{name: "kube-controller-manager", url: "https://127.0.0.1:10257/healthz", needs: []string{"kube-apiserver"}, uncaught: true},
	{name: "kube-scheduler", url: "https://127.0.0.1:10259/readyz", needs: []string{"kube-apiserver"}},
	{name: "containerd", unix: "/run/containerd/containerd.sock"},
	{name: "kubelet", url: "http://127.0.0.1:10248/healthz", needs: []string{"containerd", "kube-apiserver"}},
	{name: "kube-proxy", url: "http://127.0.0.1:10256/healthz", needs: []string{"kube-apiserver"}, uncaught: true},
}

func (c *component) logFile() string {
	if c.log != "" {
		return c.log
	}
	return "/var/log/kubernetes/" + c.name + ".log"
}

func (c *component) ready() error {
	if c.unix != "" {
		conn, err := net.DialTimeout("unix", c.unix, time.Second)
		if err == nil {
			conn.Close()
		}
		return err
	}
	response, err := probe.Get(c.url)
	if err != nil {
		return err
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return errors.New(response.Status)
	}
	return nil
}

// probe asks without a certificate, and takes any.
var probe = &http.Client{
	Timeout:   5 * time.Second,
	Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true},
}

// A cluster is the example's supervisord.
type cluster struct {
	*testing.T
	client *client.Client
}

func TestCluster(t *testing.T) {
	if *kubeFlag == "" {
		t.Skip("no -kube: make kube-test")
	}
	steps, looks := readme(t)
	last := len(steps) - 1
	must(t, commands("set -e; cd "+example+"\n"+strings.Join(steps[:last], "\n")))
	edit(t, "/etc/supervisord.d/etcd-server.ini", `(?m)^\[program:etcd-server\]$`, "$0\nautostart=false")
	lowerMinFDs(t)
	must(t, commands(steps[last]))
	cl, err := client.New("unix:///run/supervisor.sock", "", "")
	must(t, err)
	c := &cluster{t, cl}
	t.Cleanup(func() {
		if t.Failed() {
			c.showLogs()
		}
	})

	// In this order: each begins with what the one before has left, a cluster that is ready.
	for _, part := range []struct {
		name string
		run  func(*cluster)
	}{
		{"cold start", (*cluster).coldStart},
		{"kubectl", func(c *cluster) { c.kubectl(looks) }},
		{"kill", (*cluster).kill},
		{"hang", (*cluster).hang},
		{"stop", (*cluster).stop},
		{"shutdown", (*cluster).shutdown},
	} {
		if !t.Run(part.name, func(t *testing.T) { part.run(&cluster{t, cl}) }) {
			break
		}
	}
}

// readme gives the commands that lead from nothing to a cluster, the last of which starts supervisord, and those that look at it.
func readme(t *testing.T) (steps, looks []string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(example, "README.md"))
	must(t, err)
	_, text, _ := strings.Cut(string(b), "\n## From nothing to a node\n")
	text, _, _ = strings.Cut(text, "\n## ")
	var blocks [][]string
	before := ""
	for line := range strings.Lines(text) {
		if command, ok := strings.CutPrefix(line, "    "); ok {
			if strings.TrimSpace(before) == "" {
				blocks = append(blocks, nil)
			}
			blocks[len(blocks)-1] = append(blocks[len(blocks)-1], strings.TrimSpace(command))
		}
		before = line
	}
	// The first one installs Debian's packages.
	if len(blocks) != 3 || !strings.HasPrefix(blocks[1][len(blocks[1])-1], "supervisord ") {
		t.Fatalf("README.md: got the commands %q; want packages, steps up to supervisord, and looks", blocks)
	}
	return blocks[1], blocks[2]
}

// coldStart has everything wait for etcd, and come up when it is there, each with its first process.
func (c *cluster) coldStart() {
	for end := time.Now().Add(*holdFlag); time.Now().Before(end); time.Sleep(time.Second) {
		for _, p := range c.infos() {
			switch p.Name {
			case "etcd-server":
				c.want(p, client.Stopped, false)
			case "containerd":
			default:
				c.want(p, client.Starting, false)
			}
			if p.Name == "kube-apiserver" && !strings.HasPrefix(p.Waiting, "waiting for etcd-server (") {
				c.Errorf("%s: it says %q, not that it waits for etcd-server", p.Name, p.Waiting)
			}
		}
		if c.Failed() {
			return
		}
	}
	c.Logf("after %v without etcd:\n%s", *holdFlag, c.supervisorctl("status", "--long"))
	began := time.Now()
	c.supervisorctl("start", "etcd-server")
	c.allReady()
	c.Logf("all ready %v after the start of etcd", time.Since(began).Round(100*time.Millisecond))

	for _, p := range c.infos() {
		if p.Restarts != 0 {
			c.Errorf("%s was started again %d times, last it ended with %q", p.Name, p.Restarts, p.LastExit)
		}
	}
	// The log says it in this order, and nothing twice.
	var got []string
	c.await("the log tells of all starts", func() error {
		got = nil
		for _, m := range upDown.FindAllStringSubmatch(c.mainLog(), -1) {
			got = append(got, m[1]+" "+m[2])
		}
		if len(got) < 2*len(components) {
			return fmt.Errorf("only %q", got)
		}
		return nil
	})
	for _, p := range components {
		start := slices.Index(got, "spawned: "+p.name)
		for _, n := range p.needs {
			if ready := slices.Index(got, "ready: "+n); ready < 0 || start < ready {
				c.Errorf("%s was not started when %s was ready: %q", p.name, n, got)
			}
		}
	}
	if len(got) != 2*len(components) {
		c.Errorf("got %q; want one start of each, and that it is ready", got)
	}
	c.memory()
}

var (
	upDown  = regexp.MustCompile(`[A-Z] (spawned:|ready:|not ready:|exited:|killing) '?([a-z-]+)`)
	stopped = regexp.MustCompile(`[A-Z] stopped: (\S+) \((.*)\)`)
)

// kubectl looks at the cluster as the README says.
func (c *cluster) kubectl(looks []string) {
	config := "--kubeconfig=/etc/kubernetes/admin.conf"
	c.run("kubectl", config, "wait", "--for=create", "--timeout=120s", "node/node-7-21")
	c.run("kubectl", config, "wait", "--for=condition=Ready", "--timeout=120s", "node/node-7-21")
	for _, look := range looks {
		words := strings.Fields(look)
		out := c.run(words[0], words[1:]...)
		c.Logf("%s\n%s", look, out)
		if want := map[string]string{"status": "RUNNING", "/readyz": "ok", "nodes": " Ready "}[words[len(words)-1]]; !strings.Contains(out, want) {
			c.Errorf("%s says\n%s", look, out)
		}
	}
}

// kill ends each component as the kernel does it when memory is short. Nobody else is started again for it, but for who
// has lost the leader's lease meanwhile.
func (c *cluster) kill() {
	for _, victim := range components {
		before := c.pids()
		from := len(c.mainLog())
		began := time.Now()
		must(c, syscall.Kill(before[victim.name], syscall.SIGKILL))
		c.await(victim.name+" is another process", func() error {
			if pid := c.pids()[victim.name]; pid == before[victim.name] || pid == 0 {
				return fmt.Errorf("its pid is %d", pid)
			}
			return nil
		})
		c.allReady()
		c.Logf("%s was killed; all ready after %v", victim.name, time.Since(began).Round(100*time.Millisecond))
		for name, pid := range c.pids() {
			if name == victim.name || pid == before[name] {
				continue
			}
			if c.lostLease(name, from) {
				c.Logf("%s had lost the leader's lease", name)
				continue
			}
			c.Errorf("%s was killed, and %s was started again:\n%s", victim.name, name, c.mainLog()[from:])
		}
	}
}

// lostLease tells whether a component has ended by itself, because it is the leader no more; the main log is read from there on.
func (c *cluster) lostLease(name string, from int) bool {
	log := c.read("/var/log/kubernetes/" + name + ".log")
	return strings.Contains(c.mainLog()[from:], "exited: "+name+" (exit status 1; not expected)") &&
		regexp.MustCompile(`leader ?election lost`).MatchString(log)
}

// hang freezes kubelet, which then says nothing to its watchdog, and thaws it when it is to tell where it hangs.
func (c *cluster) hang() {
	pid := c.pids()["kubelet"]
	from, said := len(c.mainLog()), len(c.read("/var/log/kubernetes/kubelet.log"))
	must(c, syscall.Kill(pid, syscall.SIGSTOP))
	began := time.Now()
	c.await("the watchdog misses kubelet", func() error {
		if log := c.mainLog()[from:]; !strings.Contains(log, "it has not said WATCHDOG=1 for 30 s") {
			return fmt.Errorf("the log: %s", log)
		}
		return nil
	})
	c.Logf("kubelet was frozen; that was noticed after %v", time.Since(began).Round(100*time.Millisecond))
	must(c, syscall.Kill(pid, syscall.SIGCONT))
	c.await("kubelet is another process", func() error {
		if now := c.pids()["kubelet"]; now == pid || now == 0 {
			return fmt.Errorf("its pid is %d", now)
		}
		return nil
	})
	c.allReady()
	if !strings.Contains(c.read("/var/log/kubernetes/kubelet.log")[said:], dump) {
		c.Error("kubelet's log has no stacks of goroutines; was it not ABRT that ended it?")
	}
}

// dump is how the stacks begin that a Go program writes when it gets QUIT or ABRT.
const dump = "\nPC=0x"

// stop ends each component as an operator does, and has it back.
func (c *cluster) stop() {
	for _, victim := range components {
		from, said := len(c.mainLog()), len(c.read(victim.logFile()))
		began := time.Now()
		c.supervisorctl("stop", victim.name)
		took := time.Since(began).Round(100 * time.Millisecond)
		want := "exit status 0"
		if victim.uncaught {
			want = "terminated by SIGTERM"
		}
		var how []string
		c.await("the log says how "+victim.name+" was stopped", func() error {
			// The log may be behind the answer.
			if how = stopped.FindStringSubmatch(c.mainLog()[from:]); how == nil {
				return errors.New(c.mainLog()[from:])
			}
			return nil
		})
		if how[1] != victim.name || how[2] != want {
			c.Errorf("got %q, want %s and %s", how[0], victim.name, want)
		}
		if strings.Contains(c.read(victim.logFile())[said:], dump) {
			c.Errorf("%s has stacks of goroutines", victim.logFile())
		}
		c.supervisorctl("start", victim.name)
		c.allReady()
		c.Logf("%s was stopped in %v", victim.name, took)
	}
}

// shutdown ends it all, those that need others first.
func (c *cluster) shutdown() {
	supervisord, err := strconv.Atoi(strings.TrimSpace(c.read("/run/supervisord.pid")))
	must(c, err)
	from := len(c.mainLog())
	began := time.Now()
	c.supervisorctl("shutdown")
	c.await("supervisord ends", func() error {
		// It is a child of this process, the first one in its world, that nobody else waits for.
		if got, err := syscall.Wait4(supervisord, nil, syscall.WNOHANG, nil); got != supervisord {
			return fmt.Errorf("wait4: %d, %v", got, err)
		}
		return nil
	})
	var order []string
	for _, m := range stopped.FindAllStringSubmatch(c.mainLog()[from:], -1) {
		order = append(order, m[1])
	}
	c.Logf("shut down in %v: %s", time.Since(began).Round(100*time.Millisecond), strings.Join(order, ", "))
	if len(order) != len(components) {
		c.Fatalf("got the stops %q, want one of each:\n%s", order, c.mainLog()[from:])
	}
	for _, p := range components {
		for _, n := range p.needs {
			if slices.Index(order, n) < slices.Index(order, p.name) {
				c.Errorf("%s was stopped before %s: %q", n, p.name, order)
			}
		}
	}
}

func (c *cluster) infos() []client.ProcessDetails {
	c.Helper()
	infos, err := c.client.AllProcessDetails(c.Context())
	must(c, err)
	if len(infos) != len(components) {
		c.Fatalf("got %d processes, want %d", len(infos), len(components))
	}
	return infos
}

func (c *cluster) pids() map[string]int {
	c.Helper()
	pids := make(map[string]int)
	for _, p := range c.infos() {
		pids[p.Name] = p.PID
	}
	return pids
}

func (c *cluster) want(p client.ProcessDetails, state client.ProcessState, process bool) {
	c.Helper()
	if p.State != state || process != (p.PID != 0) {
		c.Errorf("%s is %s with pid %d, %q", p.Name, p.StateName, p.PID, p.Description)
	}
}

// allReady waits until all components run and answer, and supervisord says so.
func (c *cluster) allReady() {
	c.Helper()
	c.await("all are ready", func() error {
		for _, p := range c.infos() {
			if p.State != client.Running || !p.Ready {
				return fmt.Errorf("%s is %s, %q, not ready: %q", p.Name, p.StateName, p.Description, p.NotReady)
			}
		}
		for i := range components {
			if err := components[i].ready(); err != nil {
				return fmt.Errorf("%s: %w", components[i].name, err)
			}
		}
		return nil
	})
}

func (c *cluster) await(what string, f func() error) {
	c.Helper()
	ctx, cancel := context.WithTimeout(c.Context(), patience)
	defer cancel()
	for {
		err := f()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			c.Fatalf("not within %v: %s: %v", patience, what, err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// memory logs what each component takes.
func (c *cluster) memory() {
	pids := c.pids()
	for _, name := range slices.Sorted(maps.Keys(pids)) {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pids[name]))
		must(c, err)
		c.Logf("%s: %s", name, regexp.MustCompile(`VmRSS:\s+.*`).Find(b))
	}
}

func (c *cluster) supervisorctl(args ...string) string {
	c.Helper()
	cmd := exec.Command("supervisorctl", append([]string{"-c", "/etc/supervisord.conf"}, args...)...)
	out, err := cmd.CombinedOutput()
	// status ends with 3 when not everything runs.
	if err != nil && args[0] != "status" {
		c.Fatalf("%v: %v: %s", cmd, err, out)
	}
	return string(out)
}

func (c *cluster) run(name string, args ...string) string {
	c.Helper()
	cmd := exec.Command(name, args...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		c.Errorf("%v: %v: %s", cmd, err, out)
	}
	return string(out)
}

func (c *cluster) mainLog() string {
	c.Helper()
	return c.read(mainLog)
}

func (c *cluster) read(file string) string {
	c.Helper()
	b, err := os.ReadFile(file)
	must(c, err)
	return string(b)
}

// showLogs shows how each log ends.
func (c *cluster) showLogs() {
	files := []string{mainLog}
	for i := range components {
		files = append(files, components[i].logFile())
	}
	for _, f := range files {
		out, _ := exec.Command("tail", "-n", "40", f).CombinedOutput()
		c.Logf("%s:\n%s", f, out)
	}
}

// lowerMinFDs asks for no more open files than the machine lets root have.
func lowerMinFDs(t *testing.T) {
	t.Helper()
	var limit syscall.Rlimit
	must(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	if limit.Max < 65536 {
		t.Logf("this machine allows %d open files: minfds is lowered", limit.Max)
		edit(t, "/etc/supervisord.conf", `(?m)^minfds=.*$`, "minfds="+strconv.FormatUint(limit.Max, 10))
	}
}

func edit(t *testing.T, file, pattern, with string) {
	t.Helper()
	b, err := os.ReadFile(file)
	must(t, err)
	re := regexp.MustCompile(pattern)
	if !re.Match(b) {
		t.Fatalf("%s: there is no %s", file, pattern)
	}
	must(t, os.WriteFile(file, re.ReplaceAll(b, []byte(with)), 0o644))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

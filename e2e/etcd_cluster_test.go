package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestEtcdCluster runs a cluster of three, each of which tells in another way that it is ready, and a program that depends on
// all. The members are restarted one after the other, each when the one before is ready: not one request that the
// others are asked fails. (One that is under way in a member that is stopped may, and one that was handed on to it as the
// leader is lost in etcd, so that its client makes it again.)
func TestEtcdCluster(t *testing.T) {
	for _, program := range []string{"etcd", "etcdctl"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip(err)
		}
	}
	t.Parallel()
	dir := t.TempDir()
	var clients, peers, initial, members []string
	for i := range 3 {
		clients, peers = append(clients, freeAddress(t)), append(peers, freeAddress(t))
		initial = append(initial, fmt.Sprintf("m%d=http://%s", i, peers[i]))
	}
	programs := fmt.Sprintf(`[program:app]
command=%s/child stay
startsecs=0
depends_on=etcd
[group:etcd]
programs=m0,m1,m2
`, bin)
	for i, readiness := range []string{"notify", "http://" + clients[1] + "/health", "exec:etcdctl endpoint health"} {
		members = append(members, fmt.Sprintf("etcd:m%d", i))
		programs += fmt.Sprintf(`[program:m%[1]d]
command=etcd --name m%[1]d --data-dir %[2]s/m%[1]d --listen-client-urls http://%[3]s --advertise-client-urls http://%[3]s --listen-peer-urls http://%[4]s --initial-advertise-peer-urls http://%[4]s --initial-cluster %[5]s --heartbeat-interval 50 --election-timeout 500
environment=ETCDCTL_API=3,ETCDCTL_ENDPOINTS=http://%[3]s
readiness=%[6]s
startsecs=0
redirect_stderr=true
stdout_logfile=%[2]s/m%[1]d.log
`, i, dir, clients[i], peers[i], strings.Join(initial, ","), readiness)
		if i > 0 {
			programs += "readiness_timeout_secs=5\n"
		}
	}
	writeConfig(t, dir, programs)
	run := func(program string, args ...string) (string, error) {
		cmd := exec.Command(program, args...)
		cmd.Env = append(os.Environ(), "ETCDCTL_API=3")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	supervisor := func(program string, args ...string) {
		t.Helper()
		if out, err := run(filepath.Join(bin, program), append([]string{"-c", filepath.Join(dir, "supervisord.conf")}, args...)...); err != nil {
			t.Fatalf("%s %v: %v: %s", program, args, err, out)
		}
	}
	// told waits for so many lines of the log, and returns it.
	told := func(pattern string, count int) string {
		t.Helper()
		re := regexp.MustCompile(pattern)
		for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) { // between two looks
			log, _ := os.ReadFile(filepath.Join(dir, "log"))
			if len(re.FindAll(log, count)) == count {
				return string(log)
			}
			if time.Now().After(deadline) {
				t.Fatalf("waited %v for %q, %d times: %s", patience, pattern, count, log)
			}
		}
	}
	supervisor("supervisord")
	down := false
	defer func() {
		if !down {
			killAll(dir)
		}
	}()
	began := time.Now()
	log := told("spawned: 'app'", 1)
	for i := range members {
		if name := fmt.Sprintf("ready: m%d ", i); !strings.Contains(log, name) {
			t.Errorf("app was started before %q: %s", name, log)
		}
	}
	t.Logf("ready after %v", time.Since(began))

	ctx, stop := context.WithCancel(t.Context())
	var asked, again atomic.Int64
	var load sync.WaitGroup
	var drain sync.RWMutex // held by a request
	leftOut := 0           // the member that is not asked; guarded by drain
	put := func(key string) (string, error) {
		drain.RLock()
		defer drain.RUnlock()
		others := slices.Delete(slices.Clone(clients), leftOut, leftOut+1)
		out, err := "", error(nil)
		for range 3 {
			if out, err = run("etcdctl", "--command-timeout=3s", "--endpoints=http://"+strings.Join(others, ",http://"), "put", key, "value"); err == nil {
				break
			}
			again.Add(1)
		}
		return out, err
	}
	for worker := range 2 {
		load.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				key := fmt.Sprintf("key-%d-%d", worker, i)
				if out, err := put(key); err != nil {
					t.Errorf("put %s: %v: %s", key, err, out)
					continue
				}
				asked.Add(1)
			}
		})
	}
	for i, member := range members {
		drain.Lock()
		leftOut = i
		drain.Unlock()
		supervisor("supervisorctl", "restart", member)
		told(fmt.Sprintf("ready: m%d ", i), 2)
		t.Logf("%v: %s is ready again, after %d requests", time.Since(began), member, asked.Load())
		for n := asked.Load(); asked.Load() < n+4 && !t.Failed(); {
			time.Sleep(time.Millisecond) // until the others have answered some
		}
	}
	stop()
	load.Wait()
	t.Logf("%d requests, %d times one was made again", asked.Load(), again.Load())
	if out, err := run("etcdctl", "--endpoints=http://"+clients[0], "get", "--prefix", "--keys-only", "key-"); err != nil || int64(strings.Count(out, "key-")) != asked.Load() {
		t.Errorf("etcd has %d keys, want %d: %v", strings.Count(out, "key-"), asked.Load(), err)
	}
	supervisor("supervisorctl", "shutdown")
	log = told(`stopped: m\d`, 6)
	down = true
	ends := regexp.MustCompile(`stopped: (\w+) \(.*`).FindAllString(log, -1)
	if !strings.HasPrefix(ends[3], "stopped: app ") {
		t.Errorf("the shutdown: %q", ends[3:])
	}
}

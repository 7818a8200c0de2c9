package e2e

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"holdfast/client"
)

// TestEtcdUnderLoad has etcd answer requests all the while its supervisor is killed, 20 times, and upgraded,
// 5 times. Not one of them fails, and its pid stays.
func TestEtcdUnderLoad(t *testing.T) {
	for _, program := range []string{"etcd", "etcdctl"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip(err)
		}
	}
	dir := t.TempDir()
	clients, peers := freeAddress(t), freeAddress(t)
	writeConfig(t, dir, fmt.Sprintf(`[program:etcd]
command=etcd --data-dir %[1]s/data --listen-client-urls http://%[2]s --advertise-client-urls http://%[2]s --listen-peer-urls http://%[3]s --initial-advertise-peer-urls http://%[3]s --initial-cluster default=http://%[3]s
startsecs=0
stopasgroup=true
killasgroup=true
redirect_stderr=true
stdout_logfile=%[1]s/etcd.log
stdout_logfile_maxbytes=100KB
`, dir, clients, peers))
	run := func(ctx context.Context, program string, args ...string) (string, error) {
		cmd := exec.CommandContext(ctx, program, args...)
		cmd.Env = append(os.Environ(), "ETCDCTL_API=3", "ETCDCTL_ENDPOINTS=http://"+clients)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	supervisorctl := func(args ...string) {
		t.Helper()
		if out, err := run(t.Context(), filepath.Join(bin, "supervisorctl"), append([]string{"-c", filepath.Join(dir, "supervisord.conf")}, args...)...); err != nil {
			t.Errorf("supervisorctl %v: %v: %s", args, err, out)
		}
	}
	if out, err := run(t.Context(), filepath.Join(bin, "supervisord"), "-c", filepath.Join(dir, "supervisord.conf")); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	defer supervisorctl("shutdown")
	c, err := client.New("unix://"+filepath.Join(dir, "s"), "", "")
	if err != nil {
		t.Fatal(err)
	}
	// A fresh connection each time: the one before leads to a daemon that is gone.
	info := func() (d client.DaemonInfo, p client.ProcessInfo) {
		t.Helper()
		for deadline := time.Now().Add(patience); ; {
			c.Close()
			d, err = c.DaemonInfo(t.Context())
			if err == nil {
				p, err = c.ProcessInfo(t.Context(), "etcd")
			}
			if err == nil {
				return d, p
			}
			if time.Now().After(deadline) {
				t.Fatal(err)
			}
		}
	}
	for deadline := time.Now().Add(patience); ; {
		if _, err := run(t.Context(), "etcdctl", "put", "first", "value"); err == nil {
			break
		}
		if time.Now().After(deadline) {
			log, _ := os.ReadFile(filepath.Join(dir, "etcd.log"))
			t.Fatalf("etcd does not come up: %s", log)
		}
	}
	_, before := info()

	ctx, stop := context.WithCancel(t.Context())
	var asked atomic.Int64
	var load sync.WaitGroup
	for worker := range 2 {
		load.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				key := fmt.Sprintf("key-%d-%d", worker, i)
				if out, err := run(t.Context(), "etcdctl", "put", key, "value"); err != nil {
					t.Errorf("put %s: %v: %s", key, err, out)
					return
				}
				asked.Add(1)
			}
		})
	}
	check := func(what string, was client.DaemonInfo) {
		t.Helper()
		d, p := info()
		for deadline := time.Now().Add(patience); d.Daemon == was.Daemon && time.Now().Before(deadline); {
			d, p = info()
		}
		switch {
		case d.Daemon == was.Daemon || d.PID != was.PID:
			t.Errorf("after %s: the daemon is %+v, before it was %+v", what, d, was)
		case p.PID != before.PID || p.Start != before.Start || p.State != client.Running:
			t.Errorf("after %s: etcd is %+v, before it was %+v", what, p, before)
		}
		for n := asked.Load(); asked.Load() < n+4 && ctx.Err() == nil && !t.Failed(); {
			time.Sleep(time.Millisecond)
		}
	}
	for i := range 20 {
		d, _ := info()
		if err := syscall.Kill(d.Daemon, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		check(fmt.Sprintf("kill %d", i), d)
		if i%4 == 3 {
			d, _ := info()
			supervisorctl("upgrade")
			check(fmt.Sprintf("the upgrade after kill %d", i), d)
		}
		if t.Failed() {
			break
		}
	}
	stop()
	load.Wait()
	t.Logf("%d requests", asked.Load())
	if out, err := run(t.Context(), "etcdctl", "get", "--prefix", "--keys-only", "key-"); err != nil || int64(strings.Count(out, "key-")) != asked.Load() {
		t.Errorf("etcd has %d keys, want %d: %v", strings.Count(out, "key-"), asked.Load(), err)
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

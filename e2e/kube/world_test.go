// Package kube runs examples/kubernetes, as its README says, with the real programs of Kubernetes:
//
//	make kube-test
//
// It needs root, and takes some ten minutes; without -kube its test is skipped. All of it happens in a world of its own: a
// network, a file system of which nothing stays, and process ids that end with the test.
package kube

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

var (
	kubeFlag = flag.String("kube", "", "directory with the programs of Kubernetes; empty: skip")
	holdFlag = flag.Duration("hold", holdDefault, "hold etcd back for so long")
)

// worldVar names the directory that the world's files are in, for the test within.
const worldVar = "HOLDFAST_KUBE_WORLD"

func TestMain(m *testing.M) {
	flag.Parse()
	dir := os.Getenv(worldVar)
	switch {
	case *kubeFlag == "":
		os.Exit(m.Run())
	case dir == "":
		status, err := create()
		if err != nil {
			fmt.Fprintln(os.Stderr, "cannot make a world for the test:", err)
			os.Exit(1)
		}
		os.Exit(status)
	}
	if err := enter(dir); err != nil {
		fmt.Fprintln(os.Stderr, "cannot set up the test's world:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// create runs this test binary again, as the first process of a new world; the result is its exit status.
func create() (int, error) {
	if os.Getuid() != 0 {
		return 0, errors.New("that needs root")
	}
	// Nothing is laid over /tmp in that world.
	dir, err := os.MkdirTemp("/tmp", "holdfast-kube-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	os.Chmod(dir, 0o755) // components that are not root look in here
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "bin")+"/", "holdfast/cmd/supervisord", "holdfast/cmd/supervisorctl")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("cannot build the binaries: %v\n%s", err, out)
	}
	runtime.LockOSThread() // Pdeathsig below is about the thread
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	cmd := exec.CommandContext(ctx, "/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), worldVar+"="+dir)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWNET | syscall.CLONE_NEWPID | syscall.CLONE_NEWUTS,
		// With its first process all of the world ends.
		Pdeathsig: syscall.SIGKILL,
	}
	err = cmd.Run()
	removeCgroups()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return 0, err
	}
	return cmd.ProcessState.ExitCode(), nil
}

// enter makes of the first process's namespaces a machine with nothing on it but its programs.
func enter(dir string) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("cannot make the mounts private: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("cannot mount /proc: %w", err)
	}
	for _, top := range []string{"/etc", "/usr/local", "/var"} {
		upper, work := filepath.Join(dir, "upper", top), filepath.Join(dir, "work", top)
		if err := errors.Join(os.MkdirAll(upper, 0o755), os.MkdirAll(work, 0o755)); err != nil {
			return err
		}
		if err := unix.Mount("overlay", top, "overlay", 0, "lowerdir="+top+",upperdir="+upper+",workdir="+work); err != nil {
			return fmt.Errorf("cannot lay a file system over %s: %w", top, err)
		}
	}
	if err := unix.Mount("tmpfs", "/run", "tmpfs", 0, "mode=755"); err != nil {
		return fmt.Errorf("cannot mount /run: %w", err)
	}
	// What an earlier cluster has left on this machine is none of this one's; and containerd's layers can't be made on
	// layers.
	for _, state := range []string{"/var/lib/containerd", "/var/lib/etcd", "/var/lib/kubelet", "/var/log", "/etc/kubernetes", "/etc/cni"} {
		files := filepath.Join(dir, "state", state)
		if err := errors.Join(os.MkdirAll(files, 0o755), os.MkdirAll(state, 0o755)); err != nil {
			return err
		}
		if err := unix.Mount(files, state, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("cannot mount %s: %w", state, err)
		}
	}
	// In root's home, where they may be, nobody else could execute them.
	programs := filepath.Join(dir, "kube")
	if err := errors.Join(os.Mkdir(programs, 0o755), unix.Mount(*kubeFlag, programs, "", unix.MS_BIND, "")); err != nil {
		return fmt.Errorf("cannot mount %s: %w", *kubeFlag, err)
	}
	if err := hideSettings(filepath.Join(dir, "sys")); err != nil {
		return err
	}
	if err := unix.Sethostname([]byte("node-7-21")); err != nil {
		return err
	}
	return commands(`set -e
		ip link set lo up
		ip link add eth0 type veth peer name other
		ip link set other up
		ip addr add 10.4.7.21/24 dev eth0
		ip link set eth0 up
		ip route add default via 10.4.7.1
		echo 10.4.7.21 node-7-21 >>/etc/hosts
		cp -s ` + programs + `/* /usr/local/bin/
		cp -s ` + dir + `/bin/* /usr/local/bin/`)
}

// hideSettings puts copies over the settings of the kernel that kubelet and kube-proxy change and that are the whole machine's.
func hideSettings(dir string) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	for _, setting := range []string{
		"vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops",
		"kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes", "net/netfilter/nf_conntrack_max", "net/nf_conntrack_max",
	} {
		path := filepath.Join("/proc/sys", setting)
		value, err := os.ReadFile(path)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		file := filepath.Join(dir, strings.ReplaceAll(setting, "/", "."))
		if err := errors.Join(err, os.WriteFile(file, value, 0o644)); err != nil {
			return err
		}
		if err := unix.Mount(file, path, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("cannot hide %s: %w", path, err)
		}
	}
	return nil
}

// removeCgroups removes the groups that kubelet has made for pods: there is one tree of them for all worlds. Those that
// are in use can't be removed.
func removeCgroups() {
	for _, group := range []string{"besteffort", "burstable", ""} {
		for _, tree := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/*"} {
			dirs, _ := filepath.Glob(filepath.Join(tree, "kubepods", group))
			for _, d := range dirs {
				_ = os.Remove(d)
			}
		}
	}
}

func commands(script string) error {
	if out, err := exec.Command("bash", "-c", script).CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

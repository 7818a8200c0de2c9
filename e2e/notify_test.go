package e2e

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/client"
)

// A manager is what systemd is to a service of Type=notify.
type manager struct {
	*testing.T
	dir    string
	socket *net.UnixConn
}

func (m *manager) start() *exec.Cmd {
	m.Helper()
	cmd := exec.Command(filepath.Join(bin, "supervisord"), "-n", "-c", filepath.Join(m.dir, "supervisord.conf"))
	cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+m.socket.LocalAddr().String())
	if err := cmd.Start(); err != nil {
		m.Fatal(err)
	}
	m.Cleanup(func() { _ = cmd.Process.Kill() })
	return cmd
}

func (m *manager) hears(want string) {
	m.Helper()
	buf := make([]byte, 100)
	_ = m.socket.SetReadDeadline(time.Now().Add(patience))
	n, err := m.socket.Read(buf)
	if got := string(buf[:n]); err != nil || got != want {
		m.Fatalf("heard %q, %v; want %q", got, err, want)
	}
}

func (m *manager) ctl(args ...string) string {
	out, _ := exec.Command(filepath.Join(bin, "supervisorctl"), append([]string{"-c", filepath.Join(m.dir, "supervisord.conf")}, args...)...).Output()
	return strings.TrimSpace(string(out))
}

// TestNotify is supervisord as a service of systemd: it says that it is up, and when its first process dies
// it is the service manager that starts the next one, which takes over.
func TestNotify(t *testing.T) {
	dir := t.TempDir()
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	m := &manager{t, dir, socket}
	writeConfig(t, dir, fmt.Sprintf(`[program:a]
command=%s/child stay
startsecs=0
`, bin))
	first := m.start()
	m.hears("READY=1")
	pid := "0"
	for deadline := time.Now().Add(patience); pid == "0" && time.Now().Before(deadline); {
		pid = m.ctl("pid", "a")
	}
	environ, err := os.ReadFile("/proc/" + pid + "/environ")
	if err != nil || bytes.Contains(environ, []byte("NOTIFY_SOCKET")) {
		t.Errorf("the program has the manager's socket: %q, %v", environ, err)
	}

	c, err := client.New("unix://"+filepath.Join(dir, "s"), "", "")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	info, err := c.DaemonInfo(t.Context())
	if err != nil || info.PID != first.Process.Pid || info.Daemon == info.PID {
		t.Fatalf("got %+v, %v; want the guard's pid %d", info, err, first.Process.Pid)
	}
	daemon := info.Daemon
	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = first.Wait()
	for deadline := time.Now().Add(patience); syscall.Kill(daemon, 0) == nil && time.Now().Before(deadline); {
		if stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", daemon)); bytes.Contains(stat, []byte(") Z ")) {
			break // nobody waits for it here
		}
		time.Sleep(5 * time.Millisecond)
	}
	second := m.start()
	m.hears("READY=1")
	if got := m.ctl("pid", "a"); got != pid {
		t.Errorf("the program's pid is %s and was %s", got, pid)
	}
	if got := m.ctl("pid"); got != strconv.Itoa(second.Process.Pid) {
		t.Errorf("supervisord's pid is %s, want %d", got, second.Process.Pid)
	}
	if err := second.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	m.hears("STOPPING=1")
	if err := second.Wait(); err != nil {
		t.Errorf("the end: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "pid.state")); err == nil {
		t.Error("the state file is still there")
	}
}

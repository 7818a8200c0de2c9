package child

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/internal/config"
	"holdfast/internal/process"
)

// A notebook is a log that keeps the messages.
type notebook struct {
	mu    sync.Mutex
	lines []string // guarded by mu
}

func (n *notebook) Write(line []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	_, text, _ := bytes.Cut(bytes.TrimSpace(line), []byte("msg="))
	n.lines = append(n.lines, strings.Trim(string(text), `"`))
	return len(line), nil
}

func (n *notebook) read() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return strings.Join(n.lines, "\n")
}

// socketRig is a rig with a unix socket and the lines about it.
func socketRig(t *testing.T) (*rig, *config.FastCGI, *notebook) {
	t.Helper()
	k, n := newRig(t), &notebook{}
	k.sockets.log = slog.New(slog.NewTextHandler(n, nil))
	dir, err := os.MkdirTemp("", "hf-") // t.TempDir's names are too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return k, &config.FastCGI{Socket: "unix://" + dir + "/s", UID: -1, GID: -1, Mode: 0o700}, n
}

// fcgi is a program on the socket.
func (k *rig) fcgi(cfg *config.FastCGI, what string, args ...string) *config.Process {
	p := k.program(what, args...)
	p.FastCGI = cfg
	p.Source = config.Source{File: "supervisord.conf", Line: 7, Section: "fcgi-program:web"}
	return p
}

// end kills a process, as far as its end being noted by the loop.
func (k *rig) end(spawn uint64) {
	k.t.Helper()
	k.Signal(spawn, syscall.SIGKILL, true)
	k.ended(spawn)
	k.Done(spawn)
}

// connect comes back with a connection, which nobody may have accepted yet.
func connect(t *testing.T, cfg *config.FastCGI) net.Conn {
	t.Helper()
	network, address, _ := strings.Cut(cfg.Socket, "://")
	c, err := net.Dial(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(bound))
	return c
}

func answer(t *testing.T, c net.Conn) string {
	t.Helper()
	b, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// freeTCP is an address on which nobody listens.
func freeTCP(t *testing.T) *config.FastCGI {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return &config.FastCGI{Socket: "tcp://" + l.Addr().String(), UID: -1, GID: -1, Mode: -1}
}

func TestTheSocketIsStdin(t *testing.T) {
	k, unixSocket, log := socketRig(t)
	for _, cfg := range []*config.FastCGI{unixSocket, freeTCP(t)} {
		t.Run(cfg.Socket[:4], func(t *testing.T) {
			spawn := k.spawn(k.fcgi(cfg, "accept", "hello"))
			k.spawned(spawn)
			if got := answer(t, connect(t, cfg)); got != "hello" {
				t.Errorf("got %q", got)
			}
			k.logged("out.log", "accepting 0 <nil>") // blocking
			if err := k.WriteStdin(spawn, []byte("x")); err != ErrStdinClosed {
				t.Errorf("writing to stdin: %v", err)
			}
			k.end(spawn)
			k.eventually("it is closed", func() bool { return strings.HasSuffix(log.read(), "Closing socket "+cfg.Socket) })
			network, address, _ := strings.Cut(cfg.Socket, "://")
			k.eventually("nobody listens", func() bool {
				c, err := net.Dial(network, address)
				if err == nil {
					c.Close()
				}
				return err != nil
			})
		})
	}
	want := "Creating socket " + unixSocket.Socket + "\nClosing socket " + unixSocket.Socket
	if !strings.HasPrefix(log.read(), want+"\nCreating socket tcp://127.0.0.1:") {
		t.Errorf("got %s", log.read())
	}
}

func TestWhatWaitsOutlivesARestartWhileAnotherLives(t *testing.T) {
	k, cfg, log := socketRig(t)
	stays, goes := k.spawn(k.fcgi(cfg, "wait")), k.spawn(k.fcgi(cfg, "wait"))
	k.spawned(stays)
	k.spawned(goes)
	client := connect(t, cfg)
	k.end(goes)
	k.spawned(k.spawn(k.fcgi(cfg, "accept", "late")))
	if got := answer(t, client); got != "late" {
		t.Errorf("got %q", got)
	}
	if got, want := log.read(), "Creating socket "+cfg.Socket; got != want {
		t.Errorf("got %s", got)
	}
}

func TestARestartOfTheOnlyProcessMakesTheSocketAnew(t *testing.T) {
	k, cfg, log := socketRig(t)
	for range 3 {
		spawn := k.spawn(k.fcgi(cfg, "wait"))
		k.spawned(spawn)
		k.end(spawn) // Done and the next Spawn follow each other at once, as on the loop
	}
	k.eventually("the last is closed", func() bool { return strings.Count(log.read(), "Closing") == 3 })
	if got, want := log.read(), strings.TrimSuffix(strings.Repeat("Creating socket "+cfg.Socket+"\nClosing socket "+cfg.Socket+"\n", 3), "\n"); got != want {
		t.Errorf("got %s", got)
	}
}

func TestAChildLeftBehindWithTheSocketHindersNobody(t *testing.T) {
	k, cfg, _ := socketRig(t)
	k.command("wait")
	first := k.spawn(k.fcgi(cfg, "leave", "wait"))
	pid := k.spawned(first)
	k.ended(first)
	k.Done(first)
	defer syscall.Kill(-pid, syscall.SIGKILL)
	k.spawned(k.spawn(k.fcgi(cfg, "accept", "new")))
	if got := answer(t, connect(t, cfg)); got != "new" {
		t.Errorf("got %q", got)
	}
}

func TestAFailedStartGivesTheSocketBack(t *testing.T) {
	k, cfg, log := socketRig(t)
	p := k.fcgi(cfg, "wait")
	p.Command = "/no/such"
	spawn := k.spawn(p)
	if got, want := k.fact(spawn, 0), (process.SpawnFailed{Err: "can't find command '/no/such'"}); got != want {
		t.Errorf("got %#v", got)
	}
	k.Done(spawn)
	want := "Creating socket " + cfg.Socket + "\nClosing socket " + cfg.Socket
	k.eventually("closed", func() bool { return log.read() == want })
}

func TestACancelledStartGivesTheSocketBack(t *testing.T) {
	k, cfg, log := socketRig(t)
	blocked := make(chan struct{})
	k.sockets.ask(cfg.Socket, func(*socket) { <-blocked }) // a lookup that hangs
	spawn := k.spawn(k.fcgi(cfg, "wait"))
	k.Cancel(spawn)
	if _, ok := k.fact(spawn, 0).(process.SpawnFailed); !ok {
		t.Errorf("got %#v", k.fact(spawn, 0))
	}
	k.Done(spawn)
	close(blocked)
	k.eventually("closed", func() bool { return strings.Contains(log.read(), "Closing") })
}

func TestTheSocketsOfAGroupAreTriedOnce(t *testing.T) {
	k, cfg, log := socketRig(t)
	tcp := freeTCP(t)
	g := &config.Group{Name: "site", Processes: []config.Process{*k.fcgi(cfg, "wait"), *k.fcgi(tcp, "wait"), *k.fcgi(cfg, "wait"), *k.program("wait")}}
	if _, err := k.Prepare(g); err != nil {
		t.Fatal(err)
	}
	want := "Creating socket " + cfg.Socket + "\nClosing socket " + cfg.Socket + "\nCreating socket " + tcp.Socket + "\nClosing socket " + tcp.Socket
	if got := log.read(); got != want {
		t.Errorf("got %s", got)
	}
}

func TestSocketsThatCannotBe(t *testing.T) {
	k, good, log := socketRig(t)
	dir := filepath.Dir(strings.TrimPrefix(good.Socket, "unix://"))
	file, living := filepath.Join(dir, "file"), filepath.Join(dir, "living")
	if err := os.WriteFile(file, []byte("kept"), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", living)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	tcp, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	long := "/" + strings.Repeat("x", 200)

	for _, row := range []struct {
		name, socket, want string
	}{
		{"no directory", "unix:///no/such/s", "bind: no such file or directory (make its directory first)"},
		{"a file", "unix://" + file, "what is there is no socket (remove it, or use another path)"},
		{"somebody listens", "unix://" + living, "address already in use (somebody listens there; end that program, or use another socket)"},
		{"a port on which somebody listens", "tcp://" + tcp.Addr().String(), "bind: address already in use (somebody listens there; end that program, or use another socket)"},
		{"not this machine", "tcp://192.0.2.1:80", "bind: cannot assign requested address (use an address of this machine)"},
		{"a long path", "unix://" + long, "the path has 201 bytes: file name too long (a socket's path can have 107 bytes at most)"},
	} {
		t.Run(row.name, func(t *testing.T) {
			cfg := &config.FastCGI{Socket: row.socket, UID: -1, GID: -1, Mode: -1}
			text := "Could not create FastCGI socket " + row.socket + ": " + row.want
			_, err := k.Prepare(&config.Group{Name: "site", Processes: []config.Process{*k.fcgi(cfg, "wait")}})
			if want := "supervisord.conf:7: [fcgi-program:web] socket: " + text; err == nil || err.Error() != want {
				t.Errorf("Prepare: got  %v\nwant %s", err, want)
			}
			var many config.Errors
			if !errors.As(err, &many) || len(many) != 1 {
				t.Errorf("got %T", err)
			}
			spawn := k.spawn(k.fcgi(cfg, "wait"))
			failed, _ := k.fact(spawn, 0).(process.SpawnFailed)
			if !strings.HasPrefix(text, failed.Err+" (") {
				t.Errorf("Spawn: got %#v", k.fact(spawn, 0))
			}
			k.Done(spawn)
		})
	}
	if b, _ := os.ReadFile(file); string(b) != "kept" {
		t.Error("the file is gone")
	}
	if c, err := net.Dial("unix", living); err != nil {
		t.Errorf("the living socket: %v", err)
	} else {
		c.Close()
	}
	if strings.Contains(log.read(), "Closing") {
		t.Errorf("closed what was never open: %s", log.read())
	}
}

func TestTwoProgramsDoNotShareASocket(t *testing.T) {
	k, cfg, _ := socketRig(t)
	k.spawned(k.spawn(k.fcgi(cfg, "wait")))
	other := *cfg
	failed, _ := k.fact(k.spawn(k.fcgi(&other, "wait")), 0).(process.SpawnFailed)
	if want := "Could not create FastCGI socket " + cfg.Socket + ": address already in use"; failed.Err != want {
		t.Errorf("got %q", failed.Err)
	}
}

func TestTheSocketFile(t *testing.T) {
	k, cfg, _ := socketRig(t)
	path := strings.TrimPrefix(cfg.Socket, "unix://")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close() // a stale one is left
	cfg.Mode = 0o712
	if os.Getuid() == 0 {
		cfg.UID, cfg.GID = 1, 2
	}
	spawn := k.spawn(k.fcgi(cfg, "wait"))
	k.spawned(spawn)
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		t.Fatal(err)
	}
	if st.Mode&0o777 != 0o712 || cfg.UID != -1 && (st.Uid != 1 || st.Gid != 2) {
		t.Errorf("mode %o, owner %d:%d", st.Mode&0o777, st.Uid, st.Gid)
	}

	// Somebody puts another one in its place; that stays.
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	other, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	k.end(spawn)
	k.sockets.close()
	if _, err := os.Lstat(path); err != nil {
		t.Error("the other's socket was removed")
	}
}

func TestCloseClosesTheSockets(t *testing.T) {
	k, cfg, log := socketRig(t)
	k.spawned(k.spawn(k.fcgi(cfg, "wait"))) // and its end is never noted
	k.sockets.close()
	if !strings.HasSuffix(log.read(), "Closing socket "+cfg.Socket) {
		t.Errorf("got %s", log.read())
	}
	if _, err := os.Lstat(strings.TrimPrefix(cfg.Socket, "unix://")); err == nil {
		t.Error("the file is there")
	}
	k.eventually("nothing is left of it", func() bool {
		k.sockets.mu.Lock()
		defer k.sockets.mu.Unlock()
		return len(k.sockets.all) == 0 && len(k.sockets.held) == 0
	})
}

// What nobody has taken when the loop has adopted all is closed: a socket's goroutine may come to it later.
func TestASocketOfADaemonBeforeIsTakenAtOnce(t *testing.T) {
	k, cfg, lines := socketRig(t)
	theirs, _, err := listen(cfg)
	if err != nil {
		t.Fatal(err)
	}
	left := map[string]int{cfg.Socket: theirs}
	k.sockets.takenOver = func(url string) (int, bool) {
		fd, ok := left[url]
		delete(left, url)
		return fd, ok
	}
	late := make(chan struct{})
	k.sockets.ask(cfg.Socket, func(*socket) { <-late })
	first, second := k.sockets.take(cfg), k.sockets.take(cfg)
	clear(left)
	close(late)
	for _, h := range []*hold{first, second} {
		if <-h.ready; h.err != nil || h.fd != theirs {
			t.Errorf("got fd %d (%v), want the %d of the daemon before", h.fd, h.err, theirs)
		}
	}
	k.sockets.drop(first)
	<-k.sockets.drop(second)
	if got := lines.read(); strings.Contains(got, "Creating") {
		t.Errorf("the log says %q", got)
	}
}

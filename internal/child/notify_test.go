package child

import (
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"holdfast/internal/config"
	"holdfast/internal/launch"
	"holdfast/internal/process"
	"holdfast/internal/sdnotify"
	"holdfast/internal/survive"
)

// A notifyRig is a rig that notes the messages among the facts, and holds the sockets as a guard does.
type notifyRig struct {
	*rig
	opts Options
	hear func(sdnotify.Message) // nil: nothing more to be done with it

	mu   sync.Mutex
	all  []string       // guarded by mu: messages and facts, in their order
	held map[string]int // guarded by mu: copies
}

func newNotifyRig(t *testing.T, change func(*Options)) *notifyRig {
	t.Helper()
	k := &notifyRig{held: make(map[string]int)}
	k.rig = newRigWith(t, func(o *Options) {
		report := o.Report
		o.Report = func(spawn uint64, e process.Event) {
			k.add(fmt.Sprintf("%T", e))
			report(spawn, e)
		}
		o.Notified = func(spawn uint64, m sdnotify.Message) {
			if k.hear != nil {
				k.hear(m)
			}
			k.add(strings.TrimSpace(fmt.Sprintf("%d: %s", spawn, told(m))))
		}
		o.Hold = func(key string, fds ...int) {
			if !strings.HasPrefix(key, "notify ") {
				return
			}
			fd, err := unix.FcntlInt(uintptr(fds[0]), unix.F_DUPFD_CLOEXEC, 3)
			if err != nil {
				t.Error(err)
			}
			k.mu.Lock()
			defer k.mu.Unlock()
			k.held[key] = fd
		}
		o.Release = func(key string) {
			k.mu.Lock()
			defer k.mu.Unlock()
			if fd, ok := k.held[key]; ok {
				unix.Close(fd)
				delete(k.held, key)
			}
		}
		o.NotifyDir = filepath.Join(shortDir(t), "n")
		if change != nil {
			change(o)
		}
		k.opts = *o
	})
	return k
}

// shortDir is a directory with a path that a socket can have, which everybody may enter.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "hf-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// told is a message in few words.
func told(m sdnotify.Message) string {
	var words []string
	for _, w := range []struct {
		said bool
		word string
	}{{m.Ready, "ready"}, {m.Reloading, "reloading"}, {m.Stopping, "stopping"}, {m.Alive, "alive"}, {m.Hung, "hung"},
		{m.StatusSet, "status " + m.Status}, {m.Errno != 0, fmt.Sprint("errno ", m.Errno)}, {m.MainPID != 0, fmt.Sprint("pid ", m.MainPID)}} {
		if w.said {
			words = append(words, w.word)
		}
	}
	return strings.Join(words, ", ")
}

func (k *notifyRig) add(line string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.all = append(k.all, line)
}

func (k *notifyRig) story() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.all)
}

func (k *notifyRig) heard(line string) {
	k.t.Helper()
	for deadline := time.Now().Add(bound); !slices.Contains(k.story(), line); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			k.t.Fatalf("not in %v: %s; got %q", bound, line, k.story())
		}
	}
}

func (k *notifyRig) notifies(what string, args ...string) *config.Process {
	p := k.program(what, args...)
	p.Health.Ready = &config.Check{Kind: config.CheckNotify}
	return p
}

// socket is the path of a spawn's socket.
func (k *notifyRig) socket(spawn uint64) string {
	k.t.Helper()
	sockets, _ := notifySockets(k.opts.NotifyDir)
	for _, s := range sockets {
		if s.spawn == spawn {
			return s.path
		}
	}
	k.t.Fatalf("spawn %d has no socket in %s", spawn, k.opts.NotifyDir)
	return ""
}

func say(t *testing.T, path string, datagrams ...string) {
	t.Helper()
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, d := range datagrams {
		if _, err := c.Write([]byte(d)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWhatAProcessSaysOfItself(t *testing.T) {
	k := newNotifyRig(t, nil)
	k.ended(k.spawn(k.notifies("notify", "STATUS=up", "X=1", "READY=1,STATUS=serves", "RELOADING=1", "READY=1", "STOPPING=1")))
	want := []string{"process.Spawned", "1: status up", "1: ready, status serves", "1: reloading", "1: ready", "1: stopping", "process.Ended"}
	got := slices.DeleteFunc(k.story(), func(s string) bool { return s == "process.Reaped" })
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A wrapper's child says it, in a session of its own, and is gone when it is read.
func TestAWrappersChildNotifies(t *testing.T) {
	if err := launch.Subreaper(); err != nil {
		t.Fatal(err)
	}
	k := newNotifyRig(t, nil)
	k.command("notify")
	spawn := k.spawn(k.notifies("wrap", "READY=1"))
	k.heard(fmt.Sprint(spawn, ": ready"))
}

// The tool of shell scripts, as another user where that is possible; it waits until its message was taken.
func TestSystemdNotify(t *testing.T) {
	tool, err := exec.LookPath("systemd-notify")
	if err != nil {
		t.Skip(err)
	}
	k := newNotifyRig(t, nil)
	p := k.notifies("wait")
	p.Command = tool + " --ready --status=serves --pid=4711"
	if nobody := 65534; os.Geteuid() == 0 {
		p.UID = &nobody
	}
	if e := k.ended(k.spawn(p)); e != (process.Ended{}) {
		t.Errorf("got %#v, stderr %q", e, k.read("err.log"))
	}
	if got := k.story(); !slices.Contains(got, "1: ready, status serves, pid 4711") {
		t.Errorf("got %q", got)
	}
}

func TestTheEnvironmentOfOneThatNotifies(t *testing.T) {
	k := newNotifyRig(t, func(o *Options) {
		o.Environ = append(o.Environ, "NOTIFY_SOCKET=/daemons", "WATCHDOG_PID=7", "WATCHDOG_USEC=7")
	})
	p := k.notifies("report")
	p.Health.WatchdogSecs = 3
	k.ended(k.spawn(p))
	var got []string
	for line := range strings.Lines(k.read("out.log")) {
		if strings.HasPrefix(line, "NOTIFY") || strings.HasPrefix(line, "WATCHDOG") {
			got = append(got, strings.TrimSpace(line))
		}
	}
	if len(got) != 2 || !strings.HasPrefix(got[0], "NOTIFY_SOCKET="+k.opts.NotifyDir+"/1-") || got[1] != "WATCHDOG_USEC=3000000" {
		t.Errorf("got %q", got)
	}
	p = k.program("report") // the others have what they always had
	p.Stdout.File = filepath.Join(k.dir, "other.log")
	k.ended(k.spawn(p))
	if got := k.read("other.log"); !strings.Contains(got, "NOTIFY_SOCKET=/daemons\n") || !strings.Contains(got, "WATCHDOG_USEC=7\n") {
		t.Errorf("got %q", got)
	}
}

// What is in the queue when the process has ended comes before its end is reported.
func TestWhatWasSaidComesBeforeTheEnd(t *testing.T) {
	k := newNotifyRig(t, nil)
	var once sync.Once
	k.hear = func(sdnotify.Message) {
		once.Do(func() {
			k.eventually("the process has ended", func() bool { return slices.Contains(k.story(), "process.Reaped") })
		})
	}
	var args, want []string
	for i := range 8 {
		args, want = append(args, fmt.Sprint("ERRNO=", i+1), "WATCHDOG=1"), append(want, fmt.Sprint("1: errno ", i+1))
	}
	k.ended(k.spawn(k.notifies("notify", args[:9]...)))
	got := slices.DeleteFunc(k.story(), func(s string) bool { return !strings.HasPrefix(s, "1: errno") && s != "process.Ended" })
	if diff := cmp.Diff(append(want[:5:5], "process.Ended"), got); diff != "" {
		t.Error(diff)
	}
}

func TestASocketIsTheSpawnsOwnAndGoesWithIt(t *testing.T) {
	k := newNotifyRig(t, nil)
	k.ended(k.spawn(k.program("report"))) // what is there once for all is there
	if _, err := os.Stat(k.opts.NotifyDir); !os.IsNotExist(err) {
		t.Errorf("there is a directory that nobody needs: %v", err)
	}
	k.Done(k.last)
	k.eventually("the run is forgotten", func() bool { return k.run(k.last) == nil })
	fds, _ := os.ReadDir("/proc/self/fd")
	first, second := k.spawn(k.notifies("notify", "stay")), k.spawn(k.notifies("notify", "stay"))
	k.spawned(first)
	k.spawned(second)
	path := k.socket(first)
	info, err := os.Stat(path)
	if err != nil || info.Mode() != fs.ModeSocket|0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if info, err := os.Stat(k.opts.NotifyDir); err != nil || info.Mode() != fs.ModeDir|0o711 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	say(t, path, "READY=1")
	k.heard("2: ready")
	k.Signal(first, syscall.SIGKILL, false)
	k.ended(first)
	k.Done(first)
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("it is still there: %v", err)
	}
	say(t, k.socket(second), "STOPPING=1")
	k.heard("3: stopping")
	k.Signal(second, syscall.SIGKILL, false)
	k.ended(second)
	k.Done(second)
	k.eventually("files are what they were", func() bool {
		now, _ := os.ReadDir("/proc/self/fd")
		return len(now) <= len(fds)
	})
	k.dropNotifyDirs() // as Close does
	if _, err := os.Stat(k.opts.NotifyDir); !os.IsNotExist(err) {
		t.Errorf("the directory is still there: %v", err)
	}
}

func TestNotifySpawnsThatFailLeaveNoSocket(t *testing.T) {
	k := newNotifyRig(t, nil)
	p := k.notifies("wait")
	p.Command = "/no/such"
	if _, ok := k.fact(k.spawn(p), 0).(process.SpawnFailed); !ok {
		t.Errorf("got %#v", k.fact(k.last, 0))
	}
	file := filepath.Join(shortDir(t), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	k = newNotifyRig(t, func(o *Options) { o.NotifyDir = file + "/n" })
	t.Setenv("TMPDIR", strings.Repeat("/long", 30))
	got, _ := k.fact(k.spawn(k.notifies("wait")), 0).(process.SpawnFailed)
	for _, want := range []string{"'web': can't make its notification socket, in " + file + "/n (ENOTDIR) nor in /long/long", "too long", "set pidfile="} {
		if !strings.Contains(got.Err, want) {
			t.Errorf("got %q, want %q in it", got.Err, want)
		}
	}
}

func TestAnotherDirectoryWhereTheFirstIsOfNoUse(t *testing.T) {
	log, said := debugLog()
	k := newNotifyRig(t, func(o *Options) { o.NotifyDir, o.Log = "/"+strings.Repeat("long", 30), log })
	tmp := shortDir(t)
	t.Setenv("TMPDIR", tmp)
	for range 2 {
		k.ended(k.spawn(k.notifies("notify", "READY=1")))
	}
	if got := k.story(); !slices.Contains(got, "1: ready") || !slices.Contains(got, "2: ready") {
		t.Errorf("got %q", got)
	}
	if got := said.String(); strings.Count(got, "notification sockets are in "+tmp) != 1 || !strings.Contains(got, "too long") {
		t.Errorf("said %q", got)
	}
	k.dropNotifyDirs() // as Close does
	if left, _ := os.ReadDir(tmp); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

func TestNotifyDirsOfOthers(t *testing.T) {
	dir := shortDir(t)
	if err := os.Symlink(dir, dir+"/link"); err != nil {
		t.Fatal(err)
	}
	if err := makeNotifyDir(dir + "/link"); err == nil {
		t.Error("a symbolic link will do")
	}
	if os.Geteuid() != 0 {
		t.Skip("the rest is root's")
	}
	if err := os.Mkdir(dir+"/nobodys", 0o711); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir+"/nobodys", 65534, -1); err != nil {
		t.Fatal(err)
	}
	if err := makeNotifyDir(dir + "/nobodys"); err == nil {
		t.Error("somebody else's will do")
	}
	if err := os.Mkdir(dir+"/closed", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := makeNotifyDir(dir + "/closed/n"); err == nil || !strings.Contains(err.Error(), "others may not enter "+dir+"/closed") {
		t.Errorf("got %v", err)
	}
	nobody := 65534
	fd, err := bindNotify(dir+"/s", &nobody)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	info, err := os.Stat(dir + "/s")
	if err != nil || info.Mode() != fs.ModeSocket|0o600 || info.Sys().(*syscall.Stat_t).Uid != 65534 {
		t.Errorf("%+v, %v", info, err)
	}
}

// What is said a thousand times a second is handed on ten times, and what it said last comes.
func TestAFloodIsGathered(t *testing.T) {
	k := newNotifyRig(t, nil)
	spawn := k.spawn(k.notifies("notify-flood", filepath.Join(k.dir, "stop")))
	begin := time.Now()
	k.eventually("some are handed on", func() bool { return len(k.story()) > 6 })
	if err := os.WriteFile(filepath.Join(k.dir, "stop"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	k.ended(spawn)
	got := k.story()
	got = got[:slices.Index(got, "process.Ended")]
	if most := int(time.Since(begin)/notifyEvery) + 6; len(got) > most {
		t.Errorf("%d are handed on, want %d at most: %q", len(got), most, got)
	}
	var last, seen int
	for _, line := range got {
		if _, err := fmt.Sscanf(line, "1: alive, status %d", &seen); err == nil {
			if seen < last {
				t.Errorf("%d after %d", seen, last)
			}
			last = seen
		}
	}
	t.Logf("%d datagrams, %d of them handed on", last+1, len(got))
}

func TestGather(t *testing.T) {
	var all sdnotify.Message
	for _, m := range []string{"WATCHDOG=1\nSTATUS=a", "STATUS=b\nEXTEND_TIMEOUT_USEC=5", "READY=1", "READY=1\nWATCHDOG=1", "STATUS="} {
		gather(&all, sdnotify.Parse([]byte(m)))
	}
	want := sdnotify.Message{Alive: true, StatusSet: true, ExtendTimeout: 5 * time.Microsecond, Ready: true}
	if all != want {
		t.Errorf("got %+v", all)
	}
}

// Files that come with a message are closed, which tells a sender that it was taken.
func TestFilesThatComeWithAMessageAreClosed(t *testing.T) {
	k := newNotifyRig(t, nil)
	spawn := k.spawn(k.notifies("notify", "stay"))
	k.logged("out.log", "said all")
	path := k.socket(spawn)
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	r := os.NewFile(uintptr(p[0]), "barrier")
	defer r.Close()
	s, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(s)
	to := &unix.SockaddrUnix{Name: path}
	fds, _ := os.ReadDir("/proc/self/fd")
	for _, text := range []string{"FDSTORE=1", "STATUS=a", "STATUS=b", "BARRIER=1"} {
		var oob []byte
		if strings.HasSuffix(text, "=1") {
			oob = unix.UnixRights(p[1])
		}
		if err := unix.Sendmsg(s, []byte(text), oob, to, 0); err != nil {
			t.Fatal(err)
		}
	}
	unix.Close(p[1])
	if n, err := r.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("got %d, %v", n, err)
	}
	if got := k.story(); !slices.Contains(got, "1: status b") {
		t.Errorf("what was said before the barrier is not handed on: %q", got)
	}
	if now, _ := os.ReadDir("/proc/self/fd"); len(now) >= len(fds) {
		t.Errorf("%d files are open, %d were", len(now), len(fds))
	}
	// A datagram that is too long, and one that is nothing, are passed over.
	say(t, path, "READY=1\nX="+strings.Repeat("x", sdnotify.MaxSize), "", "STOPPING=1")
	k.heard("1: stopping")
	if slices.Contains(k.story(), "1: ready") {
		t.Error("the beginning of a long one is understood")
	}
}

// next is a rig that takes spawn over from one that has left, without or with what was held.
func (k *notifyRig) next(p *config.Process, spawn uint64, held bool) *notifyRig {
	k.t.Helper()
	in := Inheritance{Files: noFiles, PidFD: -1, Stage: -1, Notify: -1}
	k.leaveTo(&in, spawn)
	k.mu.Lock()
	fd := k.held[NotifyKey(spawn)]
	delete(k.held, NotifyKey(spawn))
	k.mu.Unlock()
	if held {
		in.Notify = fd
	} else {
		unix.Close(fd)
	}
	n := newNotifyRig(k.t, func(o *Options) {
		o.NotifyDir = k.opts.NotifyDir
		o.Inherited = func(*config.Process, uint64) Inheritance { return in }
	})
	n.last = spawn
	return n
}

// leaveTo leaves a spawn to the next daemon, and says in in what that finds.
func (k *rig) leaveTo(in *Inheritance, spawn uint64) {
	k.t.Helper()
	pid := k.spawned(spawn)
	k.Leave()
	start, err := launch.Look(pid)
	if err != nil {
		k.t.Fatal(err)
	}
	in.Conclusion = survive.Conclusion{Fate: survive.Alive, PID: pid, Start: start, Told: true}
	in.Known, in.Guard = true, os.Getpid()
}

func TestMessagesOutliveTheDaemon(t *testing.T) {
	for _, held := range []bool{true, false} {
		t.Run(fmt.Sprintf("held %v", held), func(t *testing.T) {
			k := newNotifyRig(t, nil)
			sign := filepath.Join(k.dir, "sign")
			p := k.notifies("notify", "READY=1", "@"+sign, "STOPPING=1", "stay")
			spawn := k.spawn(p)
			k.heard("1: ready")
			path := k.socket(spawn)
			n := k.next(p, spawn, held)
			if held { // while there is no daemon
				say(t, path, "STATUS=left alone", "RELOADING=1")
			}
			n.Adopt(p, spawn)
			if held {
				n.heard("1: reloading")
				if got, want := n.story(), []string{"1: status left alone", "1: reloading"}; !slices.Equal(got, want) {
					t.Errorf("got %q, want %q", got, want)
				}
			}
			n.eventually("it is adopted", func() bool { return n.live(spawn) != nil })
			n.CleanNotify()
			if err := os.WriteFile(sign, nil, 0o644); err != nil {
				t.Fatal(err)
			}
			n.heard("1: stopping")
			n.Signal(spawn, syscall.SIGKILL, false)
			n.eventually("its end is reported", func() bool { return slices.Contains(n.story(), "process.Ended") })
			if _, err := os.Stat(path); !os.IsNotExist(err) {
				t.Errorf("the socket is still there: %v", err)
			}
			if slices.Contains(k.story(), "1: stopping") {
				t.Error("the one who has left has heard it")
			}
		})
	}
}

// A message that was being handed on when the daemon was killed is told to the next one.
func TestAMessageInHandIsNotLost(t *testing.T) {
	k := newNotifyRig(t, nil)
	in, forever := make(chan struct{}), make(chan struct{})
	k.hear = func(sdnotify.Message) {
		close(in)
		<-forever
	}
	p := k.notifies("notify", "READY=1", "stay")
	spawn := k.spawn(p)
	<-in
	n := k.next(p, spawn, true)
	n.Adopt(p, spawn)
	n.heard("1: ready")
	close(forever)
}

func TestCleanNotify(t *testing.T) {
	k := newNotifyRig(t, nil)
	spawn := k.spawn(k.notifies("notify", "stay"))
	k.spawned(spawn)
	own := k.socket(spawn)
	stale := filepath.Join(k.opts.NotifyDir, "77-ABCDEFGHIJKL")
	fd, err := bindNotify(stale, nil)
	if err != nil {
		t.Fatal(err)
	}
	unix.Close(fd)
	other := filepath.Join(k.opts.NotifyDir, "78-ABCDEFGHIJKL") // no socket
	if err := os.WriteFile(other, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	k.CleanNotify()
	for path, stays := range map[string]bool{own: true, stale: false, other: true} {
		if _, err := os.Stat(path); (err == nil) != stays {
			t.Errorf("%s: %v", path, err)
		}
	}
}

package archtest

// rooms says what kind of room each package is. A package that is in no room fails the test.
var rooms = map[string]string{
	"cmd/supervisord":           "cmd",
	"cmd/supervisorctl":         "cmd",
	"cmd/echo_supervisord_conf": "cmd",
	"cmd/pidproxy":              "pidproxy",

	"client":     "public",
	"childutils": "public",

	"internal/daemon": "daemon",

	"internal/rpc":     "face",
	"internal/web":     "face",
	"internal/metrics": "face",
	"internal/fleet":   "face",
	"internal/ctl":     "ctl",

	"internal/supervisor": "loop",
	"internal/process":    "pure",
	"internal/listener":   "pure",
	"internal/health":     "pure",
	"internal/event":      "pure",
	"internal/config":     "config",

	"internal/guard": "guard",

	"internal/launch":  "launch",
	"internal/child":   "hand",
	"internal/capture": "hand",
	"internal/survive": "hand",
	"internal/probe":   "hand",

	"internal/ini":        "ground",
	"internal/expand":     "ground",
	"internal/shellwords": "ground",
	"internal/getopt":     "ground",
	"internal/pyrepr":     "ground",
	"internal/xmlrpc":     "ground",
	"internal/logfile":    "ground",
	"internal/logread":    "ground",
	"internal/httpd":      "ground",
	"internal/dlog":       "ground",
	"internal/syslog":     "ground",
	"internal/rlimit":     "ground",
	"internal/sdnotify":   "ground",

	"internal/archtest": "outside",
	"internal/pyref":    "outside",
	"e2e":               "outside",
	"bench":             "outside",
	"examples":          "outside",
	"docs":              "outside",
}

// An arrows row says which of our rooms (or which single packages) a room may import, and why not
// the others.
type arrows struct {
	from string
	to   []string
	why  string
}

// mayImport has one row a room. What is not in a row is forbidden, for the row's reason.
var mayImport = []arrows{
	{"cmd", []string{"daemon", "guard", "ctl", "config", "ground"},
		"a command is flags and a package's Main; what it does must be embeddable in a test"},
	{"pidproxy", nil,
		"pidproxy stands between a child and us and must not grow with us"},
	{"public", []string{"client", "ground"}, // childutils gives a listener its client
		"a public package is imported by other people's programs; it must not bring the daemon along"},
	{"daemon", []string{"face", "loop", "pure", "config", "hand", "launch", "guard", "ground"},
		"daemon joins the rooms; the only one that it does not need is the client's side"},
	{"face", []string{"loop", "pure", "config", "ground"},
		"a face turns words into calls on the supervisor: through another face or past the loop to the hands, two would own the state"},
	{"ctl", []string{"public", "config", "ground"},
		"supervisorctl is a client like every other; what it can do, the public client must be able to do"},
	{"loop", []string{"pure", "config", "ground"},
		"the loop declares the small interface that it needs and daemon fills it; so it runs in a test with no file, socket, clock or process"},
	{"pure", []string{"pure", "internal/dlog"}, // dlog for the names of the log levels
		"what decides gets all that it needs as arguments; so a day with a thousand programs is a test of milliseconds"},
	{"config", []string{"internal/event", "ground"}, // event for the names of the types that events= takes
		"config is values and says nothing of what is done with them"},
	{"hand", []string{"hand", "launch", "pure", "config", "ground"},
		"hands do what they are told and report facts; one that calls the supervisor waits for who waits for it"},
	{"guard", []string{"launch", "internal/sdnotify"},
		"the guard is another process, of which all else must be able to die: it knows of pids and files, not of programs"},
	{"launch", []string{"pure", "config", "ground"},
		"launch is below the other hands: it knows of pids, not of logs or pools"},
	{"ground", []string{"ground"},
		"ground knows nothing of us; it could be another project's"},
	{"outside", []string{"cmd", "public", "daemon", "face", "ctl", "loop", "pure", "config", "hand", "launch", "guard", "ground"},
		"tests and benchmarks look at everything; nothing imports them"},
}

// An importBan forbids imports from outside the module. A path ending in "/..." means the path and
// all below it.
type importBan struct {
	paths  []string
	in     []string // rooms; nil: every room
	except []string // rooms, or one package's path
	why    string
}

var importBans = []importBan{
	{paths: []string{"os/...", "net/...", "sync/...", "io/fs", "io/ioutil", "golang.org/x/sys/..."}, in: []string{"pure"},
		why: "the machine, the pools and the events are pure: no file, no socket, no lock, no system call"},
	{paths: []string{"os/...", "net/...", "golang.org/x/sys/..."}, in: []string{"loop"},
		why: "nothing that can block runs on the supervisor's loop"},
	{paths: []string{"os/exec"}, except: []string{"outside", "pidproxy"},
		why: "cmd.Wait takes a thread and a goroutine a child and steals exit statuses from the reaper; only launch starts programs"},
	{paths: []string{"github.com/prometheus/..."}, except: []string{"internal/metrics", "outside"},
		why: "a collector reads a snapshot; nothing else needs to know that there is one"},
	{paths: []string{"go.etcd.io/..."}, except: []string{"internal/fleet", "outside"},
		why: "the etcd client doubles the binary"},
	{paths: []string{"C", "plugin"},
		why: "the binaries are static (CGO_ENABLED=0)"},
	{paths: []string{"testing/...", "github.com/google/go-cmp/...", "github.com/rogpeppe/go-internal/..."}, except: []string{"outside"},
		why: "test helpers have no place in what we ship"},
}

// A useBan forbids names of imported packages: "time.Now", or with a trailing "()" only its call.
// "*" stands for every name of the package that begins or ends so. "go" is the go statement.
type useBan struct {
	uses   []string
	but    []string // names that a "*" does not mean
	in     []string
	except []string
	why    string
}

var useBans = []useBan{
	{uses: []string{"time.Now", "time.Since", "time.Until", "time.After", "time.AfterFunc", "time.NewTimer",
		"time.NewTicker", "time.Tick", "time.Sleep"}, in: []string{"pure"},
		why: "time is an argument, and a deadline is a field of the state"},
	{uses: []string{"time.After", "time.AfterFunc", "time.Tick", "time.Sleep"}, in: []string{"loop"},
		why: "a deadline is a field of the state and the loop keeps one timer; a timer a process fires on the next spawn"},
	{uses: []string{"syscall.*()"}, but: []string{"syscall.Signal", "syscall.Errno", "syscall.WaitStatus"}, in: []string{"pure", "loop"},
		why: "syscall is imported for its types; a conversion is no call"},
	{uses: []string{"go"}, in: []string{"pure"},
		why: "a pure function starts no goroutine"},
	{uses: []string{"syscall.Wait4", "syscall.ForkExec", "syscall.StartProcess", "syscall.Kill", "syscall.PtraceAttach",
		"os.StartProcess", "os.FindProcess",
		"unix.Wait4", "unix.Waitid", "unix.Kill", "unix.Tgkill", "unix.PidfdSendSignal",
		"syscall.SYS_WAIT*", "syscall.SYS_KILL", "syscall.SYS_*FORK", "syscall.SYS_CLONE*", "syscall.SYS_PIDFD_SEND_SIGNAL", "syscall.SYS_TGKILL",
		"unix.SYS_WAIT*", "unix.SYS_KILL", "unix.SYS_*FORK", "unix.SYS_CLONE*", "unix.SYS_PIDFD_SEND_SIGNAL", "unix.SYS_TGKILL"},
		except: []string{"internal/launch", "guard", "pidproxy", "outside"},
		why:    "one place in a process forks, reaps and signals (guard has a process of its own): a second reaper steals exit statuses, and a bare pid may be another process by now"},
	{uses: []string{"syscall.RawSyscall*", "syscall.Syscall*", "unix.RawSyscall*", "unix.Syscall*"},
		except: []string{"hand", "launch", "outside"},
		why:    "raw system calls belong to the hands, where a test with real processes holds them"},
	{uses: []string{"os.Exit", "log.Fatal*"}, except: []string{"cmd", "pidproxy", "outside", "internal/launch", "internal/daemon"},
		why: "only a main may end the process; everything else returns its error (launch and daemon end forked copies of us)"},
}

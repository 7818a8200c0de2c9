package listener

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"holdfast/internal/dlog"
	"holdfast/internal/event"
	"holdfast/internal/process"
	"holdfast/internal/pyref"
)

// originalPool plays days of a pool with the original's pool, dispatcher and events; only the
// processes and the pipes are ours. A turn is [what, member, argument].
const originalPool = `
from supervisor import events, process
from supervisor.dispatchers import PEventListenerDispatcher
from supervisor.states import ProcessStates
class O:
    def __init__(self, **kw): self.__dict__.update(kw)

def day(d):
    out = []
    events.clear()
    process.GlobalSerial.serial = -1
    log = O(**{l: (lambda text, l=l: out.append(l + ' ' + text)) for l in ('debug', 'warn', 'error')})
    options = O(logger=log, identifier='supervisor')
    class Process:
        state, listener_state, event = ProcessStates.STOPPED, None, None
        def __init__(self, name, group):
            self.config, self.group = O(name=name, options=options, stdout_logfile=None), group
        def transition(self): pass
        def write(self, b): out.append('write %s %s' % (self.config.name, b.decode()))
    pool = process.EventListenerPool(O(
        name='pool', buffer_size=d['size'], options=options, pool_events=[events.EventTypes.EVENT],
        result_handler=__import__('supervisor.dispatchers').dispatchers.default_handler,
        process_configs=[O(name=n, make_process=lambda g, n=n: Process(n, g)) for n in d['members']]))
    members = list(pool.processes.values())
    for what, m, arg in d['turns']:
        out.append('--')
        p = members[m]
        if what == 'event':
            events.notify(events.RemoteCommunicationEvent(arg, ''))
        elif what == 'state':
            p.state = getattr(ProcessStates, arg)
            if arg == 'STARTING':
                p.dispatcher = PEventListenerDispatcher(p, 'stdout', 0)
            elif arg == 'EXITED' and p.event is not None:
                events.notify(events.EventRejectedEvent(p, p.event))
                p.event = None
        else:
            options.readfd = lambda fd: arg.encode('latin-1')
            p.dispatcher.handle_read_event()
        pool.transition()
    return out

answer = [day(d) for d in data]
`

type originalDay struct {
	Size    int      `json:"size"`
	Members []string `json:"members"`
	Turns   [][3]any `json:"turns"`
}

// What listeners say in the random days. Left out is what the original gets wrong (quirks 80): a
// line with a number at the eighth byte that is no RESULT, and lengths below 1.
var sayings = []string{"READY\n", "READY\n", "READY\n", "READY\n", "RESULT 2\nOK", "RESULT 2\nOK", "RESULT 2\nOKREADY\n",
	"RESULT 4\nFAIL", "RESULT 4\nFAILREADY\n", "RESULT 0_2 \r\nok", "RESULT x\n", "RESULT \xe9\n", "hello\n", "\n"}

// randomDay makes the turns of a day and plays them here.
func randomDay(r *rand.Rand) (d originalDay, lines []string) {
	d.Size = 1 + r.IntN(4)
	d.Members = []string{"a", "b", "c"}[:1+r.IntN(3)]
	p := New(Options{Name: "pool", Server: "supervisor", BufferSize: d.Size,
		Events: event.Subscribe([]string{"EVENT"}), Members: d.Members})
	var serial event.Serial
	show := func(do []Action) {
		levels := map[slog.Level]string{dlog.Debug: "debug", dlog.Warn: "warn", dlog.Error: "error"}
		for _, a := range do {
			switch a := a.(type) {
			case Log:
				lines = append(lines, levels[a.Level]+" "+a.Text)
			case Write:
				lines = append(lines, fmt.Sprintf("write %s %s", d.Members[a.Member], a.Data), "debug "+a.Done.Text)
			}
		}
	}
	alive := make([]bool, len(d.Members))
	now := time.Unix(1700000000, 0)
	rest := make([]string, len(d.Members)) // of a saying that was cut
	for range 60 {
		now = now.Add(rejectionPause) // so that nothing has to wait, and no minute passes
		m := r.IntN(len(d.Members))
		switch {
		case r.IntN(3) == 0:
			kind := fmt.Sprint(len(d.Turns))
			d.Turns = append(d.Turns, [3]any{"event", m, kind})
			lines = append(lines, "--")
			show(p.Accept(serial.Next(), event.RemoteCommunication{Kind: kind}))
		case !alive[m] || r.IntN(12) == 0:
			states := []process.State{process.Starting, process.Running}
			if alive[m] {
				states = []process.State{process.Stopping, process.Exited}[r.IntN(2):]
			}
			for _, s := range states {
				d.Turns = append(d.Turns, [3]any{"state", m, s.String()})
				lines = append(lines, "--")
				show(p.Changed(m, s))
				show(p.Dispatch(now))
			}
			alive[m], rest[m] = !alive[m], ""
			continue
		default:
			say := rest[m]
			if say == "" {
				say = sayings[r.IntN(len(sayings))]
				if p.State(m) == Busy && r.IntN(3) > 0 {
					say = sayings[4+r.IntN(5)]
				}
			}
			n := len(say)
			if r.IntN(3) == 0 {
				n = 1 + r.IntN(n)
			}
			say, rest[m] = say[:n], say[n:]
			var latin1 []rune
			for _, c := range []byte(say) {
				latin1 = append(latin1, rune(c))
			}
			d.Turns = append(d.Turns, [3]any{"say", m, string(latin1)})
			lines = append(lines, "--", "debug '"+d.Members[m]+"' stdout output:\n"+event.Repr(say))
			show(output(p, m, []byte(say)))
		}
		show(p.Dispatch(now))
	}
	return d, lines
}

// The log lines and what is written to whom, turn by turn.
func TestPoolIsTheOriginals(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var days []originalDay
	var got, want [][]string
	for range 1500 {
		d, lines := randomDay(r)
		days, got = append(days, d), append(got, lines)
	}
	pyref.Ask(t, originalPool, days, &want)
	for i := range days {
		if diff := gocmp.Diff(want[i], got[i]); diff != "" {
			t.Fatalf("day %d %+v: (-original +ours)\n%s", i, days[i], diff)
		}
	}
	all := strings.Builder{}
	for _, lines := range got {
		all.WriteString(strings.Join(lines, "\n"))
	}
	for _, part := range []string{"processed", "rejected", "overflowed", "UNKNOWN", "bad result line", "rebuffering", "sent to listener c"} {
		t.Logf("%s: %d times", part, strings.Count(all.String(), part))
		if !strings.Contains(all.String(), part) {
			t.Errorf("no day had a line with %q", part)
		}
	}
}

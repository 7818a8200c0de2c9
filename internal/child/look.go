package child

import (
	"context"
	"log/slog"

	"holdfast/internal/capture"
	"holdfast/internal/config"
	"holdfast/internal/event"
	"holdfast/internal/pyrepr"
)

// An Output is something that a process wrote.
type Output struct {
	Stderr bool   // and not stdout
	Comm   bool   // it stood between the capture tokens; else it is a chunk, as it came
	Data   []byte // the receiver's own
}

// look says what is to be done with an output of r on its way into the log. For most programs that
// is nothing.
//
// The stdout of an event listener is its side of the event protocol: it is passed on as it was
// read, and has no capture mode, no log events and no syslog.
//
// Captured data is in log events too. The original's manual says that it is not, but so the original
// does, and listeners get what they have always got.
func (r *run) look(cfg config.Log, stderr bool) capture.Look {
	o := &r.m.opts
	l := capture.Look{StripANSI: o.StripANSI, Match: r.matching.look()}
	var seen []func([]byte)
	if o.Log.Enabled(context.Background(), slog.LevelDebug) {
		seen = append(seen, func(data []byte) { r.debug(stderr, data) })
	}
	protocol := r.p.Listener && !stderr
	if o.Output != nil && (protocol || cfg.EventsEnabled) {
		seen = append(seen, func(data []byte) { o.Output(r.spawn, Output{Stderr: stderr, Data: data}) })
	}
	chunk := inTurn(seen)
	if protocol {
		l.Raw = chunk
		if o.Taken != nil {
			l.Taken = func() { o.Taken(r.spawn) }
		}
		return l
	}
	l.Chunk = chunk
	if cfg.CaptureMaxBytes > 0 {
		l.CaptureMaxBytes = cfg.CaptureMaxBytes
		l.Comm = func(data []byte) {
			if o.Output != nil {
				o.Output(r.spawn, Output{Stderr: stderr, Comm: true, Data: data})
			}
			o.Log.Debug(pyrepr.Repr(r.p.Name) + " " + channel(stderr) + " emitted a comm event")
		}
	}
	if cfg.Syslog {
		l.Syslog = func(line string) { r.m.syslog.Send(r.p.Name + " " + line) }
	}
	return l
}

// inTurn calls all of them, of which the last one may keep what it gets; nil if there are none.
func inTurn(all []func([]byte)) func([]byte) {
	switch len(all) {
	case 0:
		return nil
	case 1:
		return all[0]
	}
	return func(data []byte) {
		for _, f := range all {
			f(data)
		}
	}
}

// debug shows a chunk in the daemon's log, of a listener as Python's repr, so that each line feed
// of the protocol can be seen.
func (r *run) debug(stderr bool, data []byte) {
	text := string(data)
	if r.p.Listener && !stderr {
		text = event.Repr(text)
	} else {
		text = event.Text(text)
	}
	r.m.opts.Log.Debug(pyrepr.Repr(r.p.Name) + " " + channel(stderr) + " output:\n" + text)
}

func channel(stderr bool) string {
	if stderr {
		return "stderr"
	}
	return "stdout"
}

package dlog

import (
	"context"
	"log/slog"
	"strings"
	"time"
)

// A handler is the slog.Handler of a Log. Attributes, which no line of the original has, follow the
// message as key=value.
type handler struct {
	log    *Log
	prefix string // of the groups that are open, each with its dot
	attrs  string // from WithAttrs, ready to be appended
}

func (h *handler) Enabled(_ context.Context, level slog.Level) bool { return level >= h.log.level }

func (h *handler) Handle(_ context.Context, r slog.Record) error {
	h.log.add(h.line(r))
	return nil
}

func (h *handler) line(r slog.Record) []byte {
	message := r.Message
	if h.attrs != "" || r.NumAttrs() > 0 {
		var b strings.Builder
		b.WriteString(message)
		b.WriteString(h.attrs)
		r.Attrs(func(a slog.Attr) bool {
			writeAttr(&b, h.prefix, a)
			return true
		})
		message = b.String()
	}
	at := r.Time
	if at.IsZero() {
		at = time.Now()
	}
	return format(at, r.Level, message)
}

func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	var b strings.Builder
	b.WriteString(h.attrs)
	for _, a := range attrs {
		writeAttr(&b, h.prefix, a)
	}
	return &handler{log: h.log, prefix: h.prefix, attrs: b.String()}
}

func (h *handler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	return &handler{log: h.log, prefix: h.prefix + name + ".", attrs: h.attrs}
}

func writeAttr(b *strings.Builder, prefix string, a slog.Attr) {
	v := a.Value.Resolve()
	if v.Kind() != slog.KindGroup {
		if a.Key != "" {
			b.WriteString(" " + prefix + a.Key + "=" + v.String())
		}
		return
	}
	if a.Key != "" {
		prefix += a.Key + "."
	}
	for _, member := range v.Group() {
		writeAttr(b, prefix, member)
	}
}

// headLen is how long a line is before its message.
const headLen = len("2026-01-02 03:04:05,678 INFO ")

// format returns the line of the log. A message of several lines is written as it is.
func format(at time.Time, level slog.Level, message string) []byte {
	at = at.Local()
	b := make([]byte, 0, headLen+len(message)+1)
	b = at.AppendFormat(b, "2006-01-02 15:04:05")
	ms := at.Nanosecond() / 1e6
	b = append(b, ',', byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10), ' ')
	b = append(b, short(level)...)
	b = append(b, ' ')
	b = append(b, message...)
	return append(b, '\n')
}

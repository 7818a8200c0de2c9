package dlog

import (
	"log/slog"
	"strings"
)

// The levels of the manual, in slog's numbers, so that Error, Warn, Info and Debug are slog's own.
const (
	Crit    = slog.Level(12)
	Error   = slog.LevelError
	Warn    = slog.LevelWarn
	Info    = slog.LevelInfo
	Debug   = slog.LevelDebug
	Trace   = slog.Level(-8)
	Blather = slog.Level(-12)
)

// levels holds what loglevel= may say and how a line shows it, most severe first.
var levels = []struct {
	level slog.Level
	name  string
	short string
}{
	{Crit, "critical", "CRIT"},
	{Error, "error", "ERRO"},
	{Warn, "warn", "WARN"},
	{Info, "info", "INFO"},
	{Debug, "debug", "DEBG"},
	{Trace, "trace", "TRAC"},
	{Blather, "blather", "BLAT"},
}

// ParseLevel reads a value of loglevel=, in any case of letters.
func ParseLevel(name string) (slog.Level, bool) {
	for _, l := range levels {
		if strings.EqualFold(name, l.name) {
			return l.level, true
		}
	}
	return 0, false
}

// short is the four letters of a line. A level between two of the manual's shows as the lower one.
func short(level slog.Level) string {
	for _, l := range levels {
		if level >= l.level {
			return l.short
		}
	}
	return "BLAT"
}

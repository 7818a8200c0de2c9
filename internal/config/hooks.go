package config

import (
	"strings"
	"syscall"

	"holdfast/internal/shellwords"
)

// hookOptions are those of processOptions about commands around the life of a process.
var hookOptions = []option[program]{
	noPreset("pre_start_command", hook, func(p *program) *string { return &p.Hooks.PreStart }),
	noPreset("post_stop_command", hook, func(p *program) *string { return &p.Hooks.PostStop }),
	noPreset("stop_command", hook, func(p *program) *string { return &p.Hooks.Stop }),
	noPreset("reload_command", hook, func(p *program) *string { return &p.Hooks.Reload }),
	noPreset("reload_signal", realSignal, func(p *program) *syscall.Signal { return &p.Hooks.ReloadSignal }),
	opt("hook_timeout_secs", "60", positive, func(p *program) *int { return &p.Hooks.TimeoutSecs }).cured(secondsCure),
}

var hook = plain(commandCure, parseCommand)

// parseCommand gives a command as it is, if it can be split into words; empty if there are none.
func parseCommand(text string) (string, error) {
	words, err := shellwords.Split(text)
	if err != nil || len(words) == 0 {
		return "", err
	}
	return strings.TrimSpace(text), nil
}

// finishHooks is what the hooks of one process must be to each other, and the time that is given them.
func (s *section) finishHooks(p *program) {
	h := &p.Hooks
	if h.Reload != "" && h.ReloadSignal != 0 {
		s.fail("reload_signal", s.raw("reload_signal"), "it is reloaded by reload_command already", "remove one of the two")
	}
	if h.PreStart == "" && h.PostStop == "" && h.Reload == "" {
		s.onlyIf(false, "there is no command that it could be for: pre_start_command, post_stop_command or reload_command",
			"add one of these, or remove it", "hook_timeout_secs")
		h.TimeoutSecs = 0
	}
}

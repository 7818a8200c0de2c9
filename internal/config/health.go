package config

import (
	"errors"
	"fmt"
	"math"
	"net"
	"net/url"
	"regexp"
	"strings"
	"syscall"
)

// A check is what the options of readiness= or of liveness= are read into.
type check struct {
	Check
	target *target // nil: there is none, or it is wrong
}

// A target is what readiness= or liveness= names.
type target struct {
	kind CheckKind
	word string // how the kind is written: http and https are one kind
	text string // Check.Target
}

// kinds are the words that readiness= begins with.
var kinds = []struct {
	word  string // without the colon
	kind  CheckKind
	parse func(h *host, rest string) (string, error)
}{
	{"http", CheckHTTP, parseCheckURL("http:")},
	{"https", CheckHTTP, parseCheckURL("https:")},
	{"tcp", CheckTCP, parseCheckAddress},
	{"exec", CheckExec, parseCheckCommand},
	{"file", CheckFile, parseCheckFile},
	{"output", CheckOutput, parseCheckOutput},
}

const (
	checkKinds  = "http://HOST/PATH, https://HOST/PATH, tcp://HOST:PORT, exec:COMMAND or file:PATH"
	countCure   = "use a whole number, such as 3"
	portCure    = "use a port from 1 to 65535"
	commandCure = "use words as in command=, with quotes in pairs"
)

var (
	positive    = plain("use a whole number above 0", parsePositive)
	realSignal  = plain(signal.cure, parseRealSignal)
	negated     = plain(boolean.cure, func(text string) (bool, error) { v, err := parseBoolean(text); return !v, err })
	filePath    = datatype[string]{func(h *host, text string) (string, error) { return h.expandUser(text), nil }, ""}
	httpHeaders = plain("use Name: value, each header on a line of its own", parseHeaders)
	readiness   = datatype[target]{parseTarget, "use notify, output:REGEXP, " + checkKinds}
	liveness    = datatype[target]{parseLiveTarget, "use " + checkKinds}
)

// healthOptions are those of programOptions about the state of a process.
var healthOptions = append(append(
	checkNumbers("readiness", func(p *program) *check { return &p.ready }),
	checkNumbers("liveness", func(p *program) *check { return &p.live })...),
	opt("start_timeout_secs", "0", natural, func(p *program) *int { return &p.Health.StartTimeoutSecs }).cured(secondsCure),
	noPreset("liveness_signal", realSignal, func(p *program) *syscall.Signal { return &p.Health.LiveSignal }),
	opt("watchdog_secs", "0", natural, func(p *program) *int { return &p.Health.WatchdogSecs }).cured(secondsCure),
	opt("oneshot", "false", boolean, func(p *program) *bool { return &p.OneShot }),
)

// targetOptions are those of processOptions about the state of a process.
var targetOptions = append(
	checkTargets("readiness", readiness, func(p *program) *check { return &p.ready }),
	checkTargets("liveness", liveness, func(p *program) *check { return &p.live })...,
)

// checkNumbers are the options of a check that are the same for all processes of a program.
func checkNumbers(prefix string, of func(*program) *check) []option[program] {
	return []option[program]{
		opt(prefix+"_initial_delay_secs", "0", natural, func(p *program) *int { return &of(p).InitialDelaySecs }).cured(secondsCure),
		opt(prefix+"_period_secs", "10", positive, func(p *program) *int { return &of(p).PeriodSecs }).cured(secondsCure),
		opt(prefix+"_timeout_secs", "1", positive, func(p *program) *int { return &of(p).TimeoutSecs }).cured(secondsCure),
		opt(prefix+"_success_threshold", "1", positive, func(p *program) *int { return &of(p).SuccessThreshold }).cured(countCure),
		opt(prefix+"_failure_threshold", "3", positive, func(p *program) *int { return &of(p).FailureThreshold }).cured(countCure),
		opt(prefix+"_tls_verify", "true", negated, func(p *program) *bool { return &of(p).HTTP.NoVerify }),
	}
}

// checkTargets are the options of a check that are expanded for each process.
func checkTargets(prefix string, d datatype[target], of func(*program) *check) []option[program] {
	return []option[program]{
		noPreset(prefix, optional(d), func(p *program) **target { return &of(p).target }),
		noPreset(prefix+"_http_header", httpHeaders, func(p *program) *[][2]string { return &of(p).HTTP.Headers }),
		noPreset(prefix+"_http_body", str, func(p *program) *string { return &of(p).HTTP.Body }),
		noPreset(prefix+"_tls_ca", filePath, func(p *program) *string { return &of(p).HTTP.CAFile }),
		noPreset(prefix+"_tls_cert", filePath, func(p *program) *string { return &of(p).HTTP.CertFile }),
		noPreset(prefix+"_tls_key", filePath, func(p *program) *string { return &of(p).HTTP.KeyFile }),
	}
}

// checkSuffixes are the options of a check and the kinds that have them.
var checkSuffixes = []struct{ suffix, kinds string }{
	{"_initial_delay_secs", " http https tcp exec file "},
	{"_period_secs", " http https tcp exec file "},
	{"_timeout_secs", " http https tcp exec file "},
	{"_success_threshold", " http https tcp exec file "},
	{"_failure_threshold", " http https tcp exec file "},
	{"_http_header", " http https "},
	{"_http_body", " http https "},
	{"_tls_ca", " https "},
	{"_tls_cert", " https "},
	{"_tls_key", " https "},
	{"_tls_verify", " https "},
}

// onlyIf fails for an option that stands in the section itself if what it is for is not there. One that is
// inherited from [DEFAULT] is meant for those that have it.
func (s *section) onlyIf(there bool, message, cure, option string) {
	if !there && s.owns(option) {
		s.fail(option, s.raw(option), message, cure)
	}
}

// checkHealth is what the options about the state of a process must be to each other, as far as they are the
// same for all processes of a program.
func (s *section) checkHealth(p *program) {
	ready, live, watched := s.has("readiness"), s.has("liveness"), p.Health.WatchdogSecs > 0
	for _, c := range checkSuffixes {
		s.onlyIf(ready, "there is no readiness= that it could be for", "add a line readiness=, or remove it", "readiness"+c.suffix)
		s.onlyIf(live, "there is no liveness= that it could be for", "add a line liveness=, or remove it", "liveness"+c.suffix)
	}
	s.onlyIf(ready, "there is no readiness= that it could be for", "add a line readiness=, or remove it", "start_timeout_secs")
	s.onlyIf(live || watched, "nothing finds out whether it is alive", "add a line liveness= or watchdog_secs=, or remove it", "liveness_signal")
	if !ready {
		p.Health.StartTimeoutSecs = 0
	}
	if !live && !watched {
		p.Health.LiveSignal = 0
	}
	if live && p.live.SuccessThreshold > 1 {
		s.fail("liveness_success_threshold", s.raw("liveness_success_threshold"), "one success is enough to be alive", "remove it")
	}
	if !p.OneShot {
		return
	}
	const message, cure = "a oneshot program is up when it has exited as expected", "remove it, or oneshot=true"
	if p.AutoRestart == RestartAlways {
		s.fail("autorestart", s.raw("autorestart"), "a oneshot program that has exited as expected is done, and not started again", "use unexpected or false, or remove oneshot=true")
	}
	if ready {
		s.fail("readiness", s.raw("readiness"), message, cure)
	}
	if live {
		s.fail("liveness", s.raw("liveness"), message, cure)
	}
	if watched {
		s.fail("watchdog_secs", s.raw("watchdog_secs"), message, cure)
	}
}

// finishHealth makes the checks of one process.
func (s *section) finishHealth(p *program) {
	p.Health.Ready = s.finishCheck("readiness", &p.ready)
	p.Health.Live = s.finishCheck("liveness", &p.live)
}

func (s *section) finishCheck(prefix string, c *check) *Check {
	if c.target == nil {
		return nil
	}
	for _, o := range checkSuffixes {
		s.onlyIf(strings.Contains(o.kinds, " "+c.target.word+" "), "it is not for a check of the kind "+c.target.word, "remove it", prefix+o.suffix)
	}
	if c.target.word == "https" {
		s.onlyIf(c.HTTP.KeyFile != "", "a certificate is of no use without its key", "add a line "+prefix+"_tls_key=", prefix+"_tls_cert")
		s.onlyIf(c.HTTP.CertFile != "", "a key is of no use without its certificate", "add a line "+prefix+"_tls_cert=", prefix+"_tls_key")
		s.onlyIf(!c.HTTP.NoVerify, "nobody looks at it with "+prefix+"_tls_verify=false", "remove one of the two", prefix+"_tls_ca")
	}

	made := c.Check
	made.Kind, made.Target = c.target.kind, c.target.text
	if made.Kind == CheckNotify || made.Kind == CheckOutput {
		return &Check{Kind: made.Kind, Target: made.Target} // it is waited for, and not tried
	}
	// What is inherited from [DEFAULT] may be for others.
	if made.Kind != CheckHTTP {
		made.HTTP = HTTPCheck{}
	}
	if c.target.word != "https" {
		made.HTTP.CAFile, made.HTTP.CertFile, made.HTTP.KeyFile, made.HTTP.NoVerify = "", "", "", false
	}
	return &made
}

func parsePositive(text string) (int, error) {
	n, err := parseInteger(text)
	if err == nil && n < 1 {
		err = errors.New("it must be 1 or more")
	}
	return n, err
}

func parseRealSignal(text string) (syscall.Signal, error) {
	sig, err := ParseSignal(text)
	if err == nil && sig == 0 {
		err = errors.New("0 is no signal that a process notices")
	}
	return sig, err
}

// parseTarget reads readiness=.
func parseTarget(h *host, text string) (target, error) {
	text = strings.TrimSpace(text)
	if text == "notify" {
		return target{kind: CheckNotify, word: "notify"}, nil
	}
	for _, k := range kinds {
		if rest, ok := strings.CutPrefix(text, k.word+":"); ok {
			value, err := k.parse(h, strings.TrimSpace(rest))
			return target{k.kind, k.word, value}, err
		}
	}
	return target{}, errors.New("there is no such check")
}

// parseLiveTarget reads liveness=.
func parseLiveTarget(h *host, text string) (target, error) {
	t, err := parseTarget(h, text)
	switch {
	case err != nil:
		return t, err
	case t.kind == CheckNotify:
		return t, cured{errors.New("it tells once that it is ready, and not that it is still alive"),
			"use watchdog_secs= for a program that says WATCHDOG=1, else " + checkKinds}
	case t.kind == CheckOutput:
		return t, errors.New("a line tells that it was alive once, and not that it still is")
	}
	return t, nil
}

func parseCheckURL(scheme string) func(*host, string) (string, error) {
	return func(_ *host, rest string) (string, error) {
		u, err := url.Parse(scheme + rest)
		var inner *url.Error
		switch {
		case errors.As(err, &inner):
			return "", cured{fmt.Errorf("the URL is wrong: %w", inner.Err), "use " + scheme + "//HOST:PORT/PATH"}
		case err != nil:
			return "", err
		case u.Hostname() == "":
			return "", cured{errors.New("the URL has no host"), "use " + scheme + "//HOST:PORT/PATH"}
		case u.Port() != "":
			if _, err := parseRanged(u.Port(), 1, math.MaxUint16); err != nil {
				return "", cured{err, portCure}
			}
		}
		return scheme + rest, nil
	}
}

// parseCheckAddress reads what follows tcp: and gives host:port.
func parseCheckAddress(_ *host, rest string) (string, error) {
	const cure = "use tcp://HOST:PORT, such as tcp://127.0.0.1:2379 or tcp://[::1]:2379"
	address, ok := strings.CutPrefix(rest, "//")
	name, port, err := net.SplitHostPort(address)
	var inner *net.AddrError
	switch {
	case !ok:
		return "", cured{errors.New("tcp: has no // behind it"), cure}
	case errors.As(err, &inner):
		return "", cured{fmt.Errorf("the address is wrong: %s", inner.Err), cure}
	case err != nil:
		return "", err
	case name == "" || strings.ContainsAny(name, "/ \t\r\n"):
		return "", cured{errors.New("the address has no host"), cure}
	}
	number, err := parseRanged(port, 1, math.MaxUint16)
	if err != nil {
		return "", cured{err, portCure}
	}
	return net.JoinHostPort(name, fmt.Sprint(number)), nil
}

func parseCheckCommand(_ *host, rest string) (string, error) {
	text, err := parseCommand(rest)
	if err == nil && text == "" {
		err = errors.New("exec: names no command")
	}
	if err != nil {
		return "", cured{err, commandCure}
	}
	return text, nil
}

func parseCheckFile(h *host, rest string) (string, error) {
	if rest == "" {
		return "", cured{errors.New("file: names no path"), "use file:PATH"}
	}
	return h.expandUser(rest), nil
}

func parseCheckOutput(_ *host, rest string) (string, error) {
	if rest == "" {
		return "", cured{errors.New("output: names no regular expression"), "use output:REGEXP, such as output:^ready"}
	}
	if _, err := regexp.Compile(rest); err != nil {
		text := strings.TrimPrefix(err.Error(), "error parsing regexp: ")
		return "", cured{errors.New("the regular expression does not compile: " + text), "use the syntax of Go's package regexp (RE2)"}
	}
	return rest, nil
}

// parseHeaders reads a header a line.
func parseHeaders(text string) (headers [][2]string, err error) {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok || name == "" || strings.ContainsFunc(name, notInHeaderName) {
			return nil, fmt.Errorf("%q is no header", line)
		}
		value = strings.TrimSpace(value)
		if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			return nil, fmt.Errorf("%q is no header: there is a control character in it", line)
		}
		headers = append(headers, [2]string{name, value})
	}
	return headers, nil
}

// notInHeaderName tells whether HTTP forbids r in a header's name.
func notInHeaderName(r rune) bool {
	letter := r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z'
	return !letter && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
}

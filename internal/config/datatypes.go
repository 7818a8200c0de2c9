package config

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"path"
	"strconv"
	"strings"
	"syscall"

	"holdfast/internal/dlog"
	"holdfast/internal/pyrepr"
	"holdfast/internal/shellwords"
)

// A datatype reads one kind of value. Its errors have the original's wording; cure is what we add.
type datatype[V any] struct {
	parse func(h *host, text string) (V, error)
	cure  string
}

// A cured is an error of a datatype that has a cure of its own.
type cured struct {
	error
	cure string
}

// plain makes a datatype of a function that needs no host.
func plain[V any](cure string, parse func(text string) (V, error)) datatype[V] {
	return datatype[V]{func(_ *host, text string) (V, error) { return parse(text) }, cure}
}

// optional is d for a field that is nil as long as the option is not given.
func optional[V any](d datatype[V]) datatype[*V] {
	return datatype[*V]{func(h *host, text string) (*V, error) {
		v, err := d.parse(h, text)
		if err != nil {
			return nil, err
		}
		return &v, nil
	}, d.cure}
}

// worded is d with one sentence for whatever is wrong; format has a %s for the value.
func worded[V any](d datatype[V], format string) datatype[V] {
	return datatype[V]{func(h *host, text string) (V, error) {
		v, err := d.parse(h, text)
		if err != nil {
			err = fmt.Errorf(format, text)
		}
		return v, err
	}, d.cure}
}

var (
	str         = plain("", func(text string) (string, error) { return text, nil })
	boolean     = plain("use true or false", parseBoolean)
	integer     = plain("use a whole number, such as 10", parseInteger)
	natural     = plain("use a whole number, such as 10", parseNatural)
	byteSize    = plain("use a number of bytes, or a number and KB, MB or GB, such as 50MB", parseByteSize)
	octal       = plain("use an octal number, such as 022", parseOctal)
	signal      = plain("use a signal's name or number, such as TERM or 15", ParseSignal)
	stopSteps   = plain("use signals and seconds with commas between them, such as TERM:60, INT:5, KILL", parseStopSteps)
	exitCodes   = plain("use numbers from 0 to 255 with commas between them, such as 0,2", parseExitCodes)
	autoRestart = plain("use true, false or unexpected", parseAutoRestart)
	exitWhen    = plain("use exited, failed or fatal", parseExitWhen)
	logLevel    = plain("use critical, error, warn, info, debug, trace or blather", parseLogLevel)
	list        = plain("", func(text string) ([]string, error) { return parseList(text), nil })
	account     = plain("use the name or the number of a user in the system's user database", lookupUser)
	ownership   = plain("use user or user:group, names or numbers known to the system", parseOwner)
	address     = plain("use PORT or HOST:PORT with a port from 1 to 65535, such as 127.0.0.1:9001", parseAddress)
	pairs       = plain(`use KEY="value" pairs with commas between them`, shellwords.KeyValues)

	directory = datatype[string]{parseDirectory, "create the directory, or name one that exists"}
	dirPath   = datatype[string]{parseDirPath, "create the directory, or name a path in one that exists"}
	logFile   = datatype[logName]{parseLogName, "create the directory, or use AUTO or NONE"}
	fullPath  = datatype[string]{func(h *host, text string) (string, error) {
		return h.normal(strings.TrimSpace(text)), nil
	}, ""}
)

func parseNatural(text string) (int, error) {
	n, err := parseInteger(text)
	if err == nil && n < 0 {
		err = errors.New("it can't be negative")
	}
	return n, err
}

// truth reads the words for yes and no.
func truth(text string) (value, ok bool) {
	switch strings.ToLower(text) {
	case "yes", "true", "on", "1":
		return true, true
	case "no", "false", "off", "0":
		return false, true
	}
	return false, false
}

func parseBoolean(text string) (bool, error) {
	value, ok := truth(text)
	if !ok {
		return false, errors.New("not a valid boolean value: " + pyrepr.Repr(text))
	}
	return value, nil
}

func parseAutoRestart(text string) (AutoRestart, error) {
	switch value, ok := truth(text); {
	case ok && value:
		return RestartAlways, nil
	case ok:
		return RestartNever, nil
	case strings.ToLower(text) == "unexpected":
		return RestartUnexpected, nil
	}
	return 0, errors.New("invalid 'autorestart' value " + pyrepr.Repr(strings.ToLower(text)))
}

// parseStopSteps reads "TERM:60, INT:5, KILL". SIGKILL is what ends every stop, so that it is not in the result
// unless it is the only one.
func parseStopSteps(text string) (steps []StopStep, err error) {
	for i, item := range strings.Split(text, ",") {
		name, secs, timed := strings.Cut(strings.TrimSpace(item), ":")
		sig, err := ParseSignal(name)
		if err != nil {
			return nil, err
		}
		step := StopStep{sig, 10}
		if timed {
			if step.WaitSecs, err = parseNatural(secs); err != nil {
				return nil, err
			}
		}
		if last := strings.Count(text, ",") == i; sig == syscall.SIGKILL && i > 0 {
			if !last || timed {
				return nil, errors.New("nothing comes after KILL")
			}
			break
		}
		steps = append(steps, step)
	}
	return steps, nil
}

func parseExitWhen(text string) (ExitWhen, error) {
	when, ok := map[string]ExitWhen{"fatal": ExitFatal, "failed": ExitFailed, "exited": ExitExited}[strings.ToLower(text)]
	if !ok {
		return 0, errors.New("there is no such end")
	}
	return when, nil
}

func parseInteger(text string) (int, error) {
	n, err := parseInt(text, 10)
	if err != nil {
		return 0, err
	}
	return toInt(n), nil
}

func parseByteSize(text string) (int64, error) {
	digits, unit := strings.ToLower(text), int64(1)
	for i, suffix := range []string{"kb", "mb", "gb"} {
		if rest, ok := strings.CutSuffix(digits, suffix); ok {
			digits, unit = rest, 1<<(10*(i+1))
			break
		}
	}
	n, err := parseInt(digits, 10)
	if err != nil {
		return 0, err
	}
	return unit * clamp(n, math.MinInt64/unit, math.MaxInt64/unit), nil
}

func parseOctal(text string) (int, error) {
	n, err := parseInt(text, 8)
	if err != nil {
		return 0, errors.New(text + " can not be converted to an octal type")
	}
	return toInt(n), nil
}

func parseExitCodes(text string) ([]int, error) {
	codes := []int{}
	if text == "" {
		return codes, nil
	}
	for item := range strings.SplitSeq(text, ",") {
		code, err := parseRanged(item, 0, 255)
		if err != nil {
			return nil, errors.New("not a valid list of exit codes: " + pyrepr.Repr(text))
		}
		codes = append(codes, code)
	}
	return codes, nil
}

func parseList(text string) []string {
	if text == "" {
		return nil
	}
	items := strings.Split(text, ",")
	for i := range items {
		items[i] = strings.TrimSpace(items[i])
	}
	return items
}

func parseLogLevel(text string) (slog.Level, error) {
	level, ok := dlog.ParseLevel(text)
	if !ok {
		return 0, errors.New("bad logging level name " + pyrepr.Repr(text))
	}
	return level, nil
}

func parseDirectory(h *host, text string) (string, error) {
	dir := h.expandUser(text)
	if dir == "" || !h.isDir(dir) {
		return "", errors.New(text + " is not an existing directory")
	}
	return dir, nil
}

func parseDirPath(h *host, text string) (string, error) {
	p := h.expandUser(text)
	if dir := dirName(p); dir != "" && !h.isDir(dir) {
		return "", errors.New("The directory named as part of the path " + text + " does not exist")
	}
	return p, nil
}

// A logName is what a child's logfile option says.
type logName struct {
	file         string
	auto, syslog bool
	empty        bool
}

func parseLogName(h *host, text string) (logName, error) {
	switch strings.ToLower(text) {
	case "":
		return logName{empty: true}, nil
	case "none", "off":
		return logName{}, nil
	case "auto":
		return logName{auto: true}, nil
	case "syslog":
		return logName{syslog: true}, nil
	}
	file, err := parseDirPath(h, text)
	return logName{file: file}, err
}

// parseAddress gives "host:port", the host empty for every interface.
func parseAddress(text string) (string, error) {
	i := strings.LastIndexByte(text, ':')
	if i < 0 {
		port, err := parseRanged(text, 1, math.MaxUint16)
		if err != nil {
			// The blank at the end is the original's.
			return "", errors.New("not a valid port number: " + pyrepr.Repr(text) + " ")
		}
		return net.JoinHostPort("", strconv.Itoa(port)), nil
	}
	name, number := strings.ToLower(text[:i]), text[i+1:]
	if inner, ok := strings.CutPrefix(name, "["); ok { // as IPv6 addresses are written, too
		name = strings.TrimSuffix(inner, "]")
	}
	if number == "" {
		return "", errors.New("no port number specified in ''")
	}
	port, err := parseRanged(number, 1, math.MaxUint16)
	if err != nil {
		return "", err
	}
	if name == "*" {
		name = ""
	}
	return net.JoinHostPort(name, strconv.Itoa(port)), nil
}

// ParseURL checks the value of supervisorctl's -s: it must have a scheme, and a host or a path.
func ParseURL(text string) (string, error) {
	scheme, rest, ok := strings.Cut(text, ":")
	isScheme := scheme != "" && strings.Trim(strings.ToLower(scheme), "abcdefghijklmnopqrstuvwxyz0123456789+-.") == "" &&
		!strings.ContainsAny(scheme[:1], "0123456789+-.")
	if i := strings.IndexAny(rest, "?#"); i >= 0 {
		rest = rest[:i]
	}
	if !ok || !isScheme || strings.TrimPrefix(rest, "//") == "" {
		return "", errors.New("value " + pyrepr.Repr(text) + " is not a URL")
	}
	return text, nil
}

// parseName reads the name of a process or group: what would break a namespec, a URL or an event's
// header is refused.
func parseName(text string) (string, error) {
	name := strings.TrimSpace(text)
	for _, c := range []string{" ", ":", "/"} {
		if strings.Contains(name, c) {
			return "", errors.New("Invalid name: " + pyrepr.Repr(text) + " because of character: " + pyrepr.Repr(c))
		}
	}
	return name, nil
}

const nameCure = "use a name without blanks, colons and slashes"

// parseSocket reads socket= of an fcgi-program and gives its URL in the normal form.
func parseSocket(h *host, text string) (string, error) {
	if p, ok := strings.CutPrefix(text, "unix://"); ok {
		if !path.IsAbs(p) {
			return "", errors.New("Unix socket path " + p + " is not an absolute path")
		}
		return "unix://" + h.normal(p), nil
	}
	rest, ok := strings.CutPrefix(text, "tcp://")
	name, number, found := strings.Cut(rest, ":")
	if !ok || !found || name == "" || strings.ContainsAny(name, " \t\n\v\f\r") || number == "" ||
		strings.Trim(number, "0123456789") != "" {
		return "", errors.New("Bad socket format " + text)
	}
	port, err := parseRanged(number, 1, math.MaxUint16)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("tcp://%s:%d", strings.ToLower(name), port), nil
}

package ctl

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"

	"holdfast/client"
)

// showLong prints for each process its line of the table, and below it what else there is to say.
func (s *session) showLong(processes []client.ProcessDetails) {
	width := nameWidth(processes)
	for _, p := range processes {
		s.say("%s", strings.TrimRight(fmt.Sprintf("%-*s%-10s%s", width, joinName(p.Group, p.Name), p.StateName, printable(p.Description)), " "))
		for _, l := range details(p) {
			s.say("  %-13s%s", l.label, printable(l.text))
		}
	}
}

type detail struct{ label, text string }

// details are what a line of the table does not say. A program that has nothing of ours has none while it runs
// for the first time.
func details(p client.ProcessDetails) (lines []detail) {
	say := func(label, format string, args ...any) {
		lines = append(lines, detail{label, fmt.Sprintf(format, args...)})
	}
	starts := p.State == client.Starting || p.State == client.Running
	if p.PID != 0 && p.State != client.Running { // whose line tells it
		say("process", "%d, started %s", p.PID, ago(p.Start, p.Now))
	}
	switch {
	case p.Readiness == "" || !starts || p.PID == 0:
	case p.Ready:
		say("ready", "%s(%s)", lasting(p.ReadySince, p.Now), p.Readiness)
	case p.NotReady == "":
		say("not ready", "%s(%s)", lasting(p.ReadySince, p.Now), p.Readiness)
	default:
		say("not ready", "%s(%s): %s", lasting(p.ReadySince, p.Now), p.Readiness, p.NotReady)
	}
	if p.Waiting != "" && p.State != client.Starting && p.State != client.Stopping { // whose lines tell it
		say("waiting", "%s", strings.TrimPrefix(p.Waiting, "waiting "))
	}
	if p.MainPID != p.PID && p.MainPID != 0 {
		say("main process", "%d %s", p.MainPID, p.MainCommand)
	}
	if p.Status != "" {
		say("says", "%s", p.Status)
	}
	if len(p.DependsOn) > 0 {
		say("depends on", "%s", strings.Join(p.DependsOn, ", "))
	}
	if p.Restarts > 0 {
		say("restarts", "%d", p.Restarts)
	}
	if p.LastExit != "" {
		say("last exit", "%s, %s", p.LastExit, ago(p.Stop, p.Now))
	}
	if !p.Next.IsZero() {
		label := "next start"
		if p.State == client.Stopping {
			label = "next signal"
		}
		say(label, "in %s", span(p.Next.Sub(p.Now)))
	}
	return lines
}

// lasting is "for 12 s ", or nothing if it is not known since when.
func lasting(since, now time.Time) string {
	if since.IsZero() {
		return ""
	}
	return "for " + span(now.Sub(since)) + " "
}

func ago(t, now time.Time) string {
	return span(now.Sub(t)) + " ago (" + t.Format(time.DateTime) + ")"
}

// span is a time in its two biggest units.
func span(d time.Duration) string {
	secs := int64(max(d, 0) / time.Second) // less than none: the clock was set back
	switch {
	case secs < 60:
		return fmt.Sprintf("%d s", secs)
	case secs < 60*60:
		return fmt.Sprintf("%d min %d s", secs/60, secs%60)
	case secs < 24*60*60:
		return fmt.Sprintf("%d h %d min", secs/3600, secs/60%60)
	}
	return fmt.Sprintf("%d d %d h", secs/86400, secs/3600%24)
}

// printable shows what a terminal would obey as Go would write it. A process may say what it likes of itself.
func printable(text string) string {
	if strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) < 0 {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
			continue
		}
		quoted := strconv.QuoteRune(r)
		b.WriteString(quoted[1 : len(quoted)-1])
	}
	return b.String()
}

// A jsonProcess is a process as --json shows it: the names are the API's. All of them are always there, and
// those to come stand behind these. Times are null for never.
type jsonProcess struct {
	Name          string     `json:"name"`
	Group         string     `json:"group"`
	State         int        `json:"state"`
	StateName     string     `json:"statename"`
	Description   string     `json:"description"`
	PID           int        `json:"pid"`
	MainPID       int        `json:"main_pid"`
	MainCommand   string     `json:"main_command"`
	Start         *time.Time `json:"start"`
	Stop          *time.Time `json:"stop"`
	Now           *time.Time `json:"now"`
	Next          *time.Time `json:"next"`
	Ready         bool       `json:"ready"`
	NotReady      string     `json:"not_ready"`
	ReadySince    *time.Time `json:"ready_since"`
	Waiting       string     `json:"waiting"`
	Status        string     `json:"status"`
	Restarts      int        `json:"restarts"`
	LastExit      string     `json:"last_exit"`
	ExitStatus    int        `json:"exitstatus"`
	SpawnErr      string     `json:"spawnerr"`
	Readiness     string     `json:"readiness"`
	Liveness      string     `json:"liveness"`
	Reload        string     `json:"reload"`
	DependsOn     []string   `json:"depends_on"`
	StdoutLogfile string     `json:"stdout_logfile"`
	StderrLogfile string     `json:"stderr_logfile"`
}

func writeJSON(w io.Writer, processes []client.ProcessDetails) error {
	list := make([]jsonProcess, len(processes))
	for i, p := range processes {
		list[i] = jsonProcess{
			p.Name, p.Group, int(p.State), p.StateName, p.Description, p.PID, p.MainPID, p.MainCommand,
			orNull(p.Start), orNull(p.Stop), orNull(p.Now), orNull(p.Next),
			p.Ready, p.NotReady, orNull(p.ReadySince), p.Waiting, p.Status, p.Restarts, p.LastExit, p.ExitStatus, p.SpawnErr,
			p.Readiness, p.Liveness, p.Reload, append([]string{}, p.DependsOn...), p.StdoutLogfile, p.StderrLogfile,
		}
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(list)
}

func orNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

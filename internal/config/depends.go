package config

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"holdfast/internal/ini"
)

// dependOptions are those of processOptions about the order of processes.
var dependOptions = []option[program]{
	noPreset("depends_on", dependencies, func(p *program) *needs { return &p.dependsOn }),
	noPreset("requires", dependencies, func(p *program) *needs { return &p.requires }),
}

var dependencies = plain("use NAME or GROUP:NAME with commas between them, each with (running), (ready) or (completed) behind it if need be", parseNeeds)

// A needs is what depends_on= or requires= says.
type needs struct {
	text string
	list []need
}

// A need is one item of it.
type need struct {
	text        string
	group, name string // no group: name may be that of a group, a process or a program; name *: the whole group
	until       Until
}

var untils = map[string]Until{"running": UntilRunning, "ready": UntilReady, "completed": UntilCompleted}

func parseNeeds(text string) (needs, error) {
	n := needs{text: text}
	if strings.TrimSpace(text) == "" {
		return n, nil
	}
	for item := range strings.SplitSeq(text, ",") {
		one, err := parseNeed(strings.TrimSpace(item))
		if err != nil {
			return n, err
		}
		n.list = append(n.list, one)
	}
	return n, nil
}

func parseNeed(text string) (need, error) {
	n := need{text: text}
	namespec, condition, ok := strings.Cut(text, "(")
	if ok {
		word, closed := strings.CutSuffix(condition, ")")
		until, known := untils[word]
		if !known || !closed {
			return n, fmt.Errorf("(%s is no condition", condition)
		}
		n.until = until
	}
	group, name, inGroup := strings.Cut(namespec, ":")
	if !inGroup {
		group, name = "", namespec
	}
	var err, groupErr error
	n.name, err = parseName(name)
	n.group, groupErr = parseName(group)
	switch {
	case err != nil || groupErr != nil:
		return n, cmp.Or(err, groupErr)
	case n.name == "" || inGroup && n.group == "":
		return n, errors.New("there is an empty name in it")
	}
	return n, nil
}

// A needy is a process that depends on others.
type needy struct {
	sec                 *ini.Section
	group, name         string
	dependsOn, requires needs
}

// needed keeps what p depends on until all groups are there; resolve.go goes on with it.
func (r *reader) needed(s *section, p *program) {
	if len(p.dependsOn.list)+len(p.requires.list) > 0 {
		r.needs = append(r.needs, needy{s.Section, p.Group, p.Name, p.dependsOn, p.requires})
	}
}

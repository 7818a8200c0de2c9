package child

import (
	"maps"
	"slices"
	"strings"

	"holdfast/internal/config"
)

// An environ is the daemon's environment, which every child inherits.
type environ struct {
	names  []string // as they came
	pairs  []string // NAME=VALUE, in the same order
	values map[string]string
}

// parseEnviron reads NAME=VALUE pairs. Of the same name the first one counts, as in Python.
func parseEnviron(list []string) environ {
	e := environ{values: make(map[string]string, len(list))}
	for _, pair := range list {
		name, value, ok := strings.Cut(pair, "=")
		if _, seen := e.values[name]; !ok || seen {
			continue
		}
		e.names = append(e.names, name)
		e.pairs = append(e.pairs, pair)
		e.values[name] = value
	}
	return e
}

// of is the environment of p: the daemon's, the names that tell a program that it is supervised,
// and above them what the configuration says. HOME, USER and the like are the daemon's, whoever p
// runs as.
func (e environ) of(p *config.Process, serverURL string) []string {
	set := map[string]string{
		"SUPERVISOR_ENABLED":      "1",
		"SUPERVISOR_PROCESS_NAME": p.Name,
		"SUPERVISOR_GROUP_NAME":   p.Group,
	}
	if p.ServerURLSet {
		serverURL = p.ServerURL // of nobody, if it is empty
	}
	if serverURL != "" {
		set["SUPERVISOR_SERVER_URL"] = serverURL
	}
	maps.Copy(set, p.Environment)

	list := make([]string, 0, len(e.names)+len(set))
	for i, name := range e.names {
		if _, changed := set[name]; !changed {
			list = append(list, e.pairs[i])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(set)) {
		list = append(list, name+"="+set[name])
	}
	return list
}

package config

import "reflect"

// Diff says what a reread finds: the names of the groups that are new or changed, in the order of
// parsed, and of those that are gone, in the order of active. Nothing is written to.
//
// A log that is AUTO in parsed is never a change, nor is one that is AUTO in active as long as it
// has no file yet. Of an fcgi-program's socket only the address counts.
func Diff(active, parsed []Group) (added, changed, removed []string) {
	now := make(map[string]*Group, len(active))
	for i := range active {
		now[active[i].Name] = &active[i]
	}
	then := make(map[string]bool, len(parsed))
	for i := range parsed {
		g := &parsed[i]
		then[g.Name] = true
		if old := now[g.Name]; old == nil {
			added = append(added, g.Name)
		} else if !sameGroup(old, g) {
			changed = append(changed, g.Name)
		}
	}
	for i := range active {
		if !then[active[i].Name] {
			removed = append(removed, active[i].Name)
		}
	}
	return added, changed, removed
}

func sameGroup(active, parsed *Group) bool {
	if active.Kind != parsed.Kind || active.Priority != parsed.Priority ||
		!reflect.DeepEqual(active.Listener, parsed.Listener) || socketOf(active.FastCGI) != socketOf(parsed.FastCGI) ||
		len(active.Processes) != len(parsed.Processes) {
		return false
	}
	for i := range active.Processes {
		if !sameProcess(active.Processes[i], parsed.Processes[i]) {
			return false
		}
	}
	return true
}

// sameProcess compares everything that is an option; it works on copies.
func sameProcess(active, parsed Process) bool {
	if socketOf(active.FastCGI) != socketOf(parsed.FastCGI) ||
		!sameTarget(active.Stdout, parsed.Stdout) || !sameTarget(active.Stderr, parsed.Stderr) {
		return false
	}
	for _, p := range []*Process{&active, &parsed} {
		p.Source, p.Group, p.Program, p.FastCGI = Source{}, "", "", nil
		p.Stdout.File, p.Stdout.Auto, p.Stdout.Empty = "", false, false
		p.Stderr.File, p.Stderr.Auto, p.Stderr.Empty = "", false, false
	}
	return reflect.DeepEqual(active, parsed)
}

func sameTarget(active, parsed Log) bool {
	return parsed.Auto || active.Auto && active.File == "" || active.File == parsed.File && active.Empty == parsed.Empty
}

func socketOf(f *FastCGI) string {
	if f == nil {
		return ""
	}
	return f.Socket
}

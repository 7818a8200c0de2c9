package config

import (
	"cmp"
	"slices"
	"strings"
)

// groupOptions are what is read for the group of a single program as well as for a [group:x].
var (
	groupOptions = []option[group]{
		opt("priority", "999", integer, func(g *group) *int { return &g.Priority }),
	}
	memberOptions = []option[group]{
		noPreset("programs", list, func(g *group) *[]string { return &g.programs }),
	}
)

// A group is what the sections that make groups are read into.
type group struct {
	Group
	programs []string
	listener EventListener
}

// readGroups reads all sections that make groups, and sorts the groups.
func (r *reader) readGroups() {
	member := map[string]bool{} // sections that are in some [group:x]
	r.eachGroup("group:", KindProgram, nil, func(s *section, g *group) {
		read(s, groupOptions, g)
		r.adrift = !read(s, memberOptions, g) || r.adrift
		for _, name := range g.programs {
			sec := r.findMember(s, name)
			if sec == "" {
				r.adrift = true
				continue
			}
			member[sec] = true
			r.addMember(g, sec)
		}
	})
	r.eachGroup("program:", KindProgram, member, func(s *section, g *group) {
		read(s, groupOptions, g)
		g.Processes, _ = r.processes(s.Section, g.Name)
	})
	r.eachGroup("eventlistener:", KindEventListener, nil, r.readListener)
	r.eachGroup("fcgi-program:", KindFastCGI, member, func(s *section, g *group) {
		read(s, groupOptions, g)
		g.FastCGI = readFastCGI(s, g.Name)
		g.Processes, _ = r.processes(s.Section, g.Name)
		for i := range g.Processes {
			g.Processes[i].FastCGI = g.FastCGI
		}
	})
	r.resolveNeeds()
	slices.SortStableFunc(r.cfg.Groups, byPriority)
}

// byPriority is the order in which groups start.
func byPriority(a, b Group) int {
	return cmp.Or(cmp.Compare(a.Priority, b.Priority), cmp.Compare(a.Name, b.Name))
}

// eachGroup makes a group of each section whose name begins with prefix, but for those in except.
// One that has an error goes to Bad.
func (r *reader) eachGroup(prefix string, kind Kind, except map[string]bool, fill func(*section, *group)) {
	for _, sec := range r.file.Sections {
		if !strings.HasPrefix(sec.Name, prefix) || except[sec.Name] {
			continue
		}
		before := len(r.errs)
		s := r.section(sec)
		name, err := parseName(s.suffix())
		g := group{Group: Group{Name: name, Kind: kind, Source: s.source()}}
		if err != nil {
			s.fail("", "", err.Error(), nameCure)
			name = strings.TrimSpace(s.suffix())
		}
		fill(s, &g)
		if len(r.errs) > before {
			r.bad(name)
			for _, n := range append(g.programs, name) {
				r.unread[n] = true
			}
			continue
		}
		g.Processes = lastOfName(g.Processes)
		r.cfg.Groups = append(r.cfg.Groups, g.Group)
	}
}

// bad notes that a group is left out for its errors.
func (r *reader) bad(name string) {
	if !slices.Contains(r.cfg.Bad, name) {
		r.cfg.Bad = append(r.cfg.Bad, name)
	}
}

// findMember gives the name of the section that a name in programs= means, empty if there is none.
//
// Differs: the original blames the section of the member before for an unknown one.
func (r *reader) findMember(s *section, name string) string {
	program, fcgi := "program:"+name, "fcgi-program:"+name
	isProgram, isFCGI := r.file.Section(program) != nil, r.file.Section(fcgi) != nil
	switch {
	case isProgram && isFCGI:
		s.fail("programs", name, "["+s.Name+"] name "+name+" is ambiguous (exists as program and fcgi-program)",
			"rename one of the two sections")
	case isProgram:
		return program
	case isFCGI:
		return fcgi
	default:
		s.fail("programs", name, "["+s.Name+"] names unknown program or fcgi-program "+name,
			"name sections [program:x] or [fcgi-program:x], with commas between the names")
	}
	return ""
}

// addMember adds the processes of a section to a [group:x].
//
// Differs: an fcgi-program keeps its socket, which the original does not even read here.
func (r *reader) addMember(g *group, member string) {
	sec := r.file.Section(member)
	procs, _ := r.processes(sec, g.Name)
	if strings.HasPrefix(member, "fcgi-program:") {
		fcgi := r.section(sec)
		socket := readFastCGI(fcgi, strings.TrimSpace(fcgi.suffix()))
		for i := range procs {
			procs[i].FastCGI = socket
		}
	}
	g.Processes = append(g.Processes, procs...)
}

// lastOfName leaves one process for each name: the last, in the place of the first.
//
// Differs: the original runs one of them, too, but getAllConfigInfo tells them all.
func lastOfName(procs []Process) []Process {
	at := make(map[string]int, len(procs))
	out := procs[:0]
	for _, p := range procs {
		if i, ok := at[p.Name]; ok {
			out[i] = p
			continue
		}
		at[p.Name] = len(out)
		out = append(out, p)
	}
	return out
}

package config

import "holdfast/internal/ini"

// resolveNeeds turns what processes depend on into processes. A group with one that depends on what is not there,
// on itself, or on what depends on it, goes to Bad. So does one that depends on what could not be read: for that
// there is an error already.
func (r *reader) resolveNeeds() {
	if len(r.needs) == 0 {
		return
	}
	g := newGraph(r.cfg.Groups, r.unread)
	g.fail = func(sec *ini.Section, i item, message, cure string) {
		(&section{Section: sec, errs: &r.errs}).fail(i.option, i.text, message, cure)
	}
	for i := range r.needs {
		g.connect(&r.needs[i])
	}
	for _, knot := range g.knots() {
		g.refuse(knot)
	}
	kept := r.cfg.Groups[:0]
	for i := range r.cfg.Groups {
		if g.bad[i] {
			r.bad(r.cfg.Groups[i].Name)
		} else {
			kept = append(kept, r.cfg.Groups[i])
		}
	}
	r.cfg.Groups = kept
}

// A graph is who depends on whom. All that is done with it takes time in proportion to its size.
type graph struct {
	nodes   []*node // in the order of the groups
	bad     []bool  // by the index of the group
	unread  map[string]bool
	isGroup map[string]bool
	ofGroup map[string][]*node
	ofName  map[string][]*node // by the names of processes and of programs
	member  map[[2]string]*node
	wishes  map[[2]string]*wish // by the text of the options: many processes of a program have the same
	told    map[told]bool
	fail    func(sec *ini.Section, i item, message, cure string)
}

// A node is a process in the graph.
type node struct {
	*Process
	group int // its index
	needy *needy
	wish  *wish // nil: it depends on nobody
	visit visit
}

// A wish is what depends_on= and requires= say together, in processes.
type wish struct {
	deps     []Dependency
	nodes    []*node // of deps
	by       map[*node]item
	problems []problem
	unread   bool // something of it could not be read
}

// An item is one name in depends_on= or in requires=.
type item struct{ option, text string }

// A problem is what is wrong with an item.
type problem struct {
	item
	message, cure string
}

// A told is an error that is told once, for the first process of a program.
type told struct {
	sec *ini.Section
	item
}

func newGraph(groups []Group, unread map[string]bool) *graph {
	g := &graph{
		bad: make([]bool, len(groups)), unread: unread, isGroup: map[string]bool{},
		ofGroup: map[string][]*node{}, ofName: map[string][]*node{}, member: map[[2]string]*node{},
		wishes: map[[2]string]*wish{}, told: map[told]bool{},
	}
	for i := range groups {
		g.isGroup[groups[i].Name] = true
		for j := range groups[i].Processes {
			at := &node{Process: &groups[i].Processes[j], group: i}
			g.nodes = append(g.nodes, at)
			g.member[[2]string{at.Group, at.Name}] = at
			g.ofGroup[at.Group] = append(g.ofGroup[at.Group], at)
			g.ofName[at.Name] = append(g.ofName[at.Name], at)
			if at.Program != at.Name {
				g.ofName[at.Program] = append(g.ofName[at.Program], at)
			}
		}
	}
	return g
}

// connect gives a process what it depends on, and says what is wrong with it.
func (g *graph) connect(n *needy) {
	key := [2]string{n.requires.text, n.dependsOn.text}
	if g.wishes[key] == nil {
		g.wishes[key] = g.wish(n)
	}
	w := g.wishes[key]
	for _, p := range w.problems {
		g.tell(n.sec, p)
	}
	at := g.member[[2]string{n.group, n.name}]
	if at == nil {
		return // its group has another error
	}
	at.needy, at.wish, at.DependsOn = n, w, w.deps
	i, itself := w.by[at]
	if itself {
		g.tell(n.sec, problem{i, at.String() + " would wait for itself", "leave it out, or name others"})
		at.wish = nil
	}
	g.bad[at.group] = g.bad[at.group] || itself || w.unread || len(w.problems) > 0
}

func (g *graph) tell(sec *ini.Section, p problem) {
	if t := (told{sec, p.item}); !g.told[t] {
		g.told[t] = true
		g.fail(sec, p.item, p.message, p.cure)
	}
}

// wish resolves the options of a process. Of what is named twice the first holds, and requires goes before depends_on.
func (g *graph) wish(n *needy) *wish {
	w := &wish{by: map[*node]item{}}
	add := func(option string, list []need, required bool) {
		for _, one := range list {
			i := item{option, one.text}
			if g.couldNotRead(one) {
				w.unread = true
				continue
			}
			found, message, cure := g.resolve(one)
			if message != "" {
				w.problems = append(w.problems, problem{i, message, cure})
			}
			for _, at := range found {
				if _, twice := w.by[at]; !twice {
					w.by[at] = i
					w.nodes = append(w.nodes, at)
					w.deps = append(w.deps, Dependency{Group: at.Group, Name: at.Name, Until: one.until, Required: required})
				}
			}
		}
	}
	add("requires", n.requires.list, true)
	add("depends_on", n.dependsOn.list, false)
	return w
}

// couldNotRead tells whether an item is in a group that has an error of its own.
func (g *graph) couldNotRead(n need) bool {
	return n.group != "" && g.unread[n.group] || n.group == "" && g.unread[n.name]
}

const nameOneCure = "use the name of a group, or GROUP:NAME for one process"

// resolve gives the processes that an item means, and what is wrong with it.
func (g *graph) resolve(n need) (found []*node, message, cure string) {
	switch {
	case n.group == "" && g.isGroup[n.name]:
		found = g.ofGroup[n.name]
	case n.group == "":
		found = g.ofName[n.name]
		if len(found) == 0 {
			return nil, "there is no group, program or process " + n.name, nameOneCure
		}
		for _, at := range found {
			if at.Group != found[0].Group || at.Program != found[0].Program {
				return nil, n.name + " may be any of " + joined(found, ", "), "use GROUP:NAME"
			}
		}
	case !g.isGroup[n.group]:
		return nil, "there is no group " + n.group, nameOneCure
	case n.name == "*":
		found = g.ofGroup[n.group]
	default:
		one := g.member[[2]string{n.group, n.name}]
		if one == nil {
			return nil, "there is no process " + n.name + " in the group " + n.group, nameOneCure
		}
		found = []*node{one}
	}
	for _, at := range found {
		switch {
		case n.until == UntilReady && at.Health.Ready == nil:
			message, cure = at.neverReady()
		case n.until == UntilCompleted && at.AutoRestart == RestartAlways && at.Patience.RestartSecs == 0:
			message = at.String() + " is never completed: autorestart=true starts it again as soon as it has exited"
			cure = "set autorestart=unexpected or false in [" + at.Source.Section + "], or use (running)"
		default:
			continue
		}
		break
	}
	return found, message, cure
}

func (at *node) neverReady() (message, cure string) {
	message = at.String() + " is never ready: it has no readiness="
	if at.OneShot {
		return message, "use (completed) for a oneshot program"
	}
	return message, "add a line readiness= to [" + at.Source.Section + "], or use (running)"
}

// String is the name of the process as supervisorctl shows it.
func (at *node) String() string {
	if at.Group == at.Name {
		return at.Name
	}
	return at.Group + ":" + at.Name
}

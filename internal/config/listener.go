package config

import (
	"slices"
	"strings"

	"holdfast/internal/event"
)

const stockResultHandler = "supervisor.dispatchers:default_handler"

// listenerOptions are what [eventlistener:x] has for its group; without a priority it starts
// before everything and stops after it.
var listenerOptions = []option[group]{
	opt("priority", "-1", integer, func(g *group) *int { return &g.Priority }),
	opt("buffer_size", "10", integer, func(g *group) *int { return &g.listener.BufferSize }),
	opt("events", "", list, func(g *group) *[]string { return &g.listener.Events }),
	opt("result_handler", stockResultHandler, str, func(g *group) *string { return &g.listener.ResultHandler }),
}

// readListener reads an [eventlistener:x].
func (r *reader) readListener(s *section, g *group) {
	l := &g.listener
	ok := read(s, listenerOptions, g)
	if ok && l.BufferSize < 1 {
		s.fail("buffer_size", "", "["+s.Name+"] section sets invalid buffer_size ("+s.raw("buffer_size")+")", "use 1 or more")
	}
	// Differs: a result handler is Python, so there is only the stock one.
	if ok && l.ResultHandler != stockResultHandler {
		s.fail("result_handler", l.ResultHandler, l.ResultHandler+" cannot be resolved within ["+s.Name+"]",
			"Python result handlers can't be loaded here; remove the option")
	}
	if ok && len(l.Events) == 0 {
		s.fail("events", "", "["+s.Name+`] section requires an "events" line`, "add a line events=, such as events=PROCESS_STATE")
	}
	for i, name := range l.Events {
		l.Events[i] = strings.ToUpper(name)
		if !slices.Contains(event.Types(), event.Type(l.Events[i])) {
			s.fail("events", name, "Unknown event type "+l.Events[i]+" in ["+s.Name+"] events", eventsCure())
		}
	}
	slices.Sort(l.Events)
	l.Events = slices.Compact(l.Events)

	g.Listener = l
	g.Processes, _ = r.processes(s.Section, g.Name)
	for i := range g.Processes {
		g.Processes[i].Listener = true
	}
	if len(g.Processes) > 0 && g.Processes[0].RedirectStderr {
		s.fail("redirect_stderr", s.raw("redirect_stderr"), "["+s.Name+"] section sets redirect_stderr=true but this is not allowed "+
			"because it will interfere with the eventlistener protocol", "remove redirect_stderr")
	}
}

func eventsCure() string {
	var names []string
	for _, t := range event.Types() {
		names = append(names, string(t))
	}
	return "use " + strings.Join(names, ", ")
}

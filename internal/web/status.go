package web

import (
	"net/http"
	"strings"

	"holdfast/internal/process"
)

// A row is a process on the status page.
type row struct {
	Class, State string // the state in lower case
	Description  string
	Name, Tail   string // its namespec, and where the end of its log is
	Actions      []button
	Logs         []button // links: they change nothing
}

// A button is something that can be asked for. The zero value is a gap.
type button struct{ Label, URL string }

// index is the status page, and where its actions are done.
func (h *handler) index(w http.ResponseWriter, r *http.Request, f form) {
	if f["action"] != "" {
		h.act(w, r, f)
		return
	}
	infos, err := h.api.AllProcessInfo()
	if err != nil {
		h.ending(w)
		return
	}
	data := struct {
		common
		Message string
		Bad     bool
		Rows    []row
	}{h.common(), f["message"], isBad(f["message"]), make([]row, len(infos))}
	for i, info := range infos {
		name := namespec(info.Group, info.Name)
		data.Rows[i] = row{
			Class: class(info.State), State: strings.ToLower(info.State.String()),
			Description: h.daemon.Description(info),
			Name:        name, Tail: "tail.html?processname=" + quote(name),
			Actions: actions(info.State, quote(name)),
			Logs:    logs(quote(name)),
		}
	}
	render(w, http.StatusOK, "status.html", data)
}

// namespec is how a process is called from outside its group.
func namespec(group, name string) string {
	if group == name {
		return name
	}
	return group + ":" + name
}

// class is what the style goes by, and what people's checks may look for.
func class(s process.State) string {
	switch s {
	case process.Running:
		return "statusrunning"
	case process.Fatal, process.Backoff:
		return "statuserror"
	}
	return "statusnominal"
}

// actions are what can be done with a process in that state, in columns.
func actions(s process.State, quoted string) []button {
	do := func(label, name string) button {
		return button{label, "index.html?processname=" + quoted + "&action=" + name}
	}
	var first, second button
	switch s {
	case process.Running:
		first, second = do("Restart", "restart"), do("Stop", "stop")
	case process.Stopped, process.Exited, process.Fatal:
		first = do("Start", "start")
	}
	return []button{first, second, do("Clear Log", "clearlog")}
}

// isBad tells whether a message is of what did not work.
func isBad(message string) bool {
	for _, start := range []string{"ERROR", "unexpected rpc fault", "No such process"} {
		if strings.HasPrefix(message, start) {
			return true
		}
	}
	return strings.HasPrefix(message, "All restarted at ") && strings.Contains(message, ", but not ")
}

// logs are the links that follow the logs of a process.
func logs(quoted string) []button {
	return []button{{"Tail -f Stdout", "logtail/" + quoted}, {"Tail -f Stderr", "logtail/" + quoted + "/stderr"}}
}

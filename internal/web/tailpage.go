package web

import (
	"errors"
	"io/fs"
	"net/http"
	"strconv"

	"holdfast/internal/logread"
	"holdfast/internal/supervisor"
)

const (
	leastTail = 1024 // bytes
	// Differs: there is a most. Logs may be larger than the machine's memory.
	mostTail = 1 << 20
)

// tailPage shows the end of a process's stdout log.
func (h *handler) tailPage(w http.ResponseWriter, _ *http.Request, f form) {
	name := f["processname"]
	limit := tailLimit(f["limit"])
	data := struct {
		common
		Title, Name, Text string
		Refresh, More     string // addresses; empty for none
		Logs              []button
	}{common: h.common(), Title: name, Name: name}
	page := func(limit int64) string {
		return "tail.html?processname=" + quote(name) + "&limit=" + strconv.FormatInt(limit, 10)
	}
	if name == "" {
		data.Title, data.Text = "None", "No process name found"
	} else {
		data.Refresh, data.Logs = page(limit), logs(quote(name))
		if limit < mostTail {
			data.More = page(min(limit*8, mostTail))
		}
		text, err := h.readTail(name, limit)
		if isEnding(err) {
			h.ending(w)
			return
		}
		data.Text = text
		if errors.Is(err, supervisor.ErrNoFile) {
			data.Text = "No file for " + name
		} else if err != nil {
			data.Text = "ERROR: " + h.unexpected(err)
		}
	}
	render(w, http.StatusOK, "tail.html", data)
}

// tailLimit is how many bytes a form's limit means.
func tailLimit(text string) int64 {
	n, err := strconv.ParseUint(text, 10, 64)
	if errors.Is(err, strconv.ErrRange) {
		return mostTail
	}
	return int64(min(max(n, leastTail), mostTail))
}

func (h *handler) readTail(name string, limit int64) (string, error) {
	info, err := h.processInfo(name)
	if err != nil {
		return "", err
	}
	if info.StdoutLog == "" {
		return "", supervisor.ErrNoFile
	}
	text, err := logread.Read(info.StdoutLog, -limit, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", supervisor.ErrNoFile
	case err != nil:
		return "", supervisor.ErrFailed
	}
	return text, nil
}

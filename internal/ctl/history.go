package ctl

import (
	"os"
	"strings"
)

// A history is the lines typed before, the oldest first; it is a term.History, which counts from
// the newest. Its file is the one that readline would write: a line each.
type history struct {
	lines []string
	off   bool // what is typed now is not for the history
}

// Add keeps a line, unless it is the one before once more.
func (h *history) Add(line string) {
	if n := len(h.lines); line != "" && !h.off && (n == 0 || h.lines[n-1] != line) {
		h.lines = append(h.lines, line)
	}
}

func (h *history) Len() int {
	if h.off {
		return 0
	}
	return len(h.lines)
}

func (h *history) At(i int) string { return h.lines[len(h.lines)-1-i] }

// load reads the file; without one the history begins empty.
func (h *history) load(path string) {
	data, err := os.ReadFile(path)
	if err != nil {
		return
	}
	for line := range strings.Lines(string(data)) {
		if line = strings.TrimRight(line, "\r\n"); line != "" {
			h.lines = append(h.lines, line)
		}
	}
}

// save writes the file. A history that cannot be saved is lost, as in the original: there is no
// more use in a complaint from a shell that ends.
func (h *history) save(path string) {
	text := strings.Join(h.lines, "\n")
	if text != "" {
		text += "\n"
	}
	_ = os.WriteFile(path, []byte(text), 0o600)
}

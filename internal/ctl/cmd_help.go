package ctl

import (
	"context"
	"fmt"
	"strings"
	"unicode/utf8"
)

var helpCommand = command{
	name:     "help",
	complete: completeCommands,
	run:      help,
}

const helpOnHelp = "help\t\tList the actions\nhelp <action>\tShow how to use an action"

func help(_ context.Context, s *session, arg string) error {
	switch c := s.command(arg); {
	case arg == "help":
		s.say("%s", helpOnHelp)
	case arg == "":
		var names, ours []string
		for _, c := range s.commands {
			switch {
			case c.ours:
				ours = append(ours, c.name)
			case c.help != "":
				names = append(names, c.name)
			}
		}
		s.topics("default", names)
		s.topics("holdfast", ours)
	case c == nil || c.help == "":
		s.say("*** No help on %s", arg)
	default:
		s.say("%s", c.help)
	}
	return nil
}

func (s *session) topics(whose string, names []string) {
	header := whose + " commands (type help <topic>):"
	fmt.Fprintf(s.out, "\n%s\n%s\n%s\n", header, strings.Repeat("=", len(header)), columns(names, 79))
}

// columns lays names out in as few lines as fit in width, down one column and then the next.
func columns(names []string, width int) string {
	length := func(i int) int { return utf8.RuneCountInString(names[i]) }
	rows := 1
	var widths []int
	for ; ; rows++ {
		widths = widths[:0]
		total := -2
		for first := 0; first < len(names); first += rows {
			w := 0
			for i := first; i < min(first+rows, len(names)); i++ {
				w = max(w, length(i))
			}
			widths = append(widths, w)
			total += w + 2
		}
		if total <= width || rows >= len(names) {
			break
		}
	}
	var b strings.Builder
	for row := range min(rows, len(names)) {
		for col, w := range widths {
			i := col*rows + row
			if i >= len(names) {
				break
			}
			if col > 0 {
				b.WriteString("  ")
			}
			fmt.Fprintf(&b, "%-*s", w, names[i])
		}
		b.WriteByte('\n')
	}
	return b.String()
}

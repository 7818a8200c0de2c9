package ctl

import (
	"context"
	"os"
	"os/signal"
)

// shell runs commands until one of them, the end of the input or Ctrl-C ends it.
func (s *session) shell(prompt, historyFile string) {
	s.in.complete = s.completeLine
	if historyFile != "" {
		s.in.history.load(historyFile)
		defer s.in.history.save(historyFile)
	}
	for quit := s.execute("status"); !quit; {
		line, err := s.readCommand(prompt)
		if err != nil {
			line = "EOF"
		}
		quit = s.execute(line)
	}
}

func (s *session) readCommand(prompt string) (string, error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	return s.in.command(ctx, prompt)
}

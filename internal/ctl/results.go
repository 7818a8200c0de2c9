package ctl

import (
	"errors"
	"fmt"

	"holdfast/client"
)

// words are how a command that acts on processes tells the outcome for each.
type words struct {
	done   string
	failed map[int]string // by the code of the fault
	raw    int            // the code for which the fault's own text is the line
	ignore int            // the code that leaves the exit code as it is
}

// outcome prints the line for one process and sets the exit code.
func (s *session) outcome(w words, r client.Result) error {
	name := joinName(r.Group, r.Name)
	text, known := w.failed[r.Status]
	switch {
	case r.Status == client.Success:
		s.say("%s: %s", name, w.done)
		return nil
	case known:
		s.say("%s: ERROR (%s)", name, text)
	case r.Status == w.raw:
		s.say("%s", r.Description)
	default:
		return valueError(fmt.Sprintf("Unknown result code %d for %s", r.Status, name))
	}
	switch r.Status {
	case w.ignore:
	case client.SpawnError, client.AbnormalTermination, client.NotRunning:
		s.exit = exitNotRunning
	default:
		s.exit = exitGeneric
	}
	return nil
}

// outcomes is outcome for the results of a call on several processes, or for its error.
func (s *session) outcomes(w words, results []client.Result, err error) error {
	for _, r := range results {
		if err := s.outcome(w, r); err != nil {
			return err
		}
	}
	return err
}

// single is outcome for a call on the process that was typed as name, which returned err.
func (s *session) single(w words, name string, err error) error {
	r := client.Result{Status: client.Success}
	r.Group, r.Name = splitName(name)
	var f *client.Fault
	switch {
	case errors.As(err, &f):
		r.Status, r.Description = f.Code, f.String
	case err != nil:
		return err
	}
	return s.outcome(w, r)
}

// group is outcomes for a call on a group; badGroup is the exit code if there is none.
func (s *session) group(w words, group string, badGroup int, results []client.Result, err error) error {
	if isFault(err, client.BadName) {
		s.say("%s: ERROR (no such group)", group)
		s.exit = badGroup
		return nil
	}
	return s.outcomes(w, results, err)
}

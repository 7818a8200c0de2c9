package ctl

import (
	"context"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"holdfast/client"
)

// completeLine is what TAB does at pos of line. It puts in what all the offers for the word before
// pos have in common; if that is nothing new it returns the offers, to be shown.
//
// Differs: words end at blanks only; in the original also at most punctuation, which cuts names in
// two that have some.
func (s *session) completeLine(line string, pos int) (newLine string, newPos int, offers []string) {
	before, after := line[:pos], line[pos:]
	head := before[:strings.LastIndexByte(before, ' ')+1]
	word := before[len(head):]
	offers = s.offers(line, word)
	slices.Sort(offers)
	offers = slices.Compact(offers)
	if len(offers) == 0 {
		return line, pos, nil
	}
	common := offers[0]
	for _, o := range offers[1:] {
		for !strings.HasPrefix(o, common) {
			_, size := utf8.DecodeLastRuneInString(common)
			common = common[:len(common)-size]
		}
	}
	if common == word {
		return line, pos, offers
	}
	return head + common + after, len(head + common), nil
}

// offers are the words that may stand where text is in line.
func (s *session) offers(line, text string) []string {
	// Nothing can be typed, Ctrl-C included, while the server is asked.
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	words := strings.Fields(line)
	if len(words) == 0 || len(words) == 1 && !strings.HasSuffix(line, " ") {
		return completeCommands(ctx, s, text)
	}
	if c := s.command(words[0]); c != nil && c.complete != nil {
		return c.complete(ctx, s, text)
	}
	return nil
}

func completeCommands(_ context.Context, s *session, text string) (offers []string) {
	for _, c := range s.commands {
		if c.help != "" || c.name == "help" {
			offers = appendOffer(offers, text, c.name)
		}
	}
	return offers
}

func completeGroups(ctx context.Context, s *session, text string) (offers []string) {
	for _, p := range s.known(ctx) {
		offers = appendOffer(offers, text, p.Group)
	}
	return offers
}

func completeProcesses(ctx context.Context, s *session, text string) (offers []string) {
	for _, p := range s.known(ctx) {
		if strings.Contains(text, ":") || p.Name != p.Group {
			offers = appendOffer(offers, text, p.Group+":"+p.Name)
			offers = appendOffer(offers, text, p.Group+":*")
		} else {
			offers = appendOffer(offers, text, p.Name)
		}
	}
	return offers
}

func appendOffer(offers []string, text, word string) []string {
	if strings.HasPrefix(word, text) {
		offers = append(offers, word+" ")
	}
	return offers
}

// known returns the processes that the server has. It is asked once for a command line; one that
// does not answer has none.
func (s *session) known(ctx context.Context) []client.ProcessInfo {
	if !s.asked {
		s.asked, s.processes = true, nil
		if c, err := s.server(); err == nil {
			s.processes, _ = c.AllProcessInfo(ctx)
		}
	}
	return s.processes
}

package config

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var manyProcs = regexp.MustCompile(`(?i)numprocs[^\n]*\d[\d_]{3}`)

// FuzzLoad holds Load to: it never panics, an error has its place, and what it gives is in order.
func FuzzLoad(f *testing.F) {
	for _, text := range corpus() {
		f.Add(text)
	}
	f.Add(Sample)
	health, err := os.ReadFile("testdata/health.conf")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(strings.ReplaceAll(string(health), "/ROOT/", "/tmp/"))
	f.Add("[supervisord]\n[program:a]\ncommand=x\ndepends_on=b,g:c(running)\n[program:b]\ncommand=x\n[program:c]\ncommand=x\nrequires=b(completed)\n[group:g]\nprograms=c\n")
	path := filepath.Join(f.TempDir(), "supervisord.conf")
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "include") || manyProcs.MatchString(text) {
			return // would read files of this machine, or take seconds
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg, err := Load(path, nil, []string{"HOME=/", "A=b"})
		var errs Errors
		if err != nil && (!errors.As(err, &errs) || len(errs) == 0) {
			t.Fatalf("an error that is none of ours: %v", err)
		}
		for _, e := range errs {
			if e.File != path || e.Line < 1 || e.Line > 1+strings.Count(text, "\n")+strings.Count(text, "\r") || e.Message == "" || !strings.Contains(e.Error(), e.Message) {
				t.Errorf("an error without place or words: %#v", e)
			}
		}
		if cfg == nil {
			if err == nil {
				t.Fatal("neither configuration nor error")
			}
			return
		}
		for i, g := range cfg.Groups {
			if i > 0 && byPriority(cfg.Groups[i-1], g) > 0 {
				t.Errorf("%s stands before %s", cfg.Groups[i-1].Name, g.Name)
			}
			seen := map[string]bool{}
			for _, p := range g.Processes {
				if seen[p.Name] || p.Group != g.Name || p.Environment == nil || p.ExitCodes == nil || p.StopAsGroup && !p.KillAsGroup {
					t.Errorf("a process that should not be: %+v", p)
				}
				seen[p.Name] = true
			}
		}
		if added, changed, removed := Diff(cfg.Groups, cfg.Groups); len(added)+len(removed) > 0 || len(changed) > 0 && !twins(cfg.Groups) {
			t.Errorf("the same is not the same: %v %v %v", added, changed, removed)
		}
	})
}

// twins says whether two groups share a name, of which one is always changed.
func twins(groups []Group) bool {
	seen := map[string]bool{}
	for _, g := range groups {
		if seen[g.Name] {
			return true
		}
		seen[g.Name] = true
	}
	return false
}

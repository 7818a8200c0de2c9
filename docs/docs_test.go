// Package docs has no code; its test keeps the manual complete.
package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"holdfast/internal/config"
)

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestEveryOptionIsInTheManual(t *testing.T) {
	manual := read(t, "manual/configuration.md")
	names := regexp.MustCompile(`(?m)^;?([a-z_]+) ?=`).FindAllStringSubmatch(config.Sample, -1)
	if len(names) < 50 {
		t.Fatalf("got %d options in the sample; want all", len(names))
	}
	for _, n := range names {
		// stderr_syslog may stand there as the second half of a row of stdout_syslog.
		rest, isStderr := strings.CutPrefix(n[1], "stderr_")
		if !strings.Contains(manual, "`"+n[1]+"`") && !(isStderr && strings.Contains(manual, "`stdout_"+rest+"`, `stderr_…`")) {
			t.Errorf("manual/configuration.md has no option `%s`", n[1])
		}
	}
}

func TestEveryFlagIsInTheManual(t *testing.T) {
	manual := read(t, "manual/supervisord.md")
	flags := regexp.MustCompile(`--[a-z_]+`).FindAllString(config.Usage("supervisord"), -1)
	if len(flags) < 20 {
		t.Fatalf("got %d flags; want all", len(flags))
	}
	for _, f := range flags {
		if !strings.Contains(manual, "`"+f+"`") {
			t.Errorf("manual/supervisord.md has no option `%s`", f)
		}
	}
}

func TestEveryCommandIsInTheManual(t *testing.T) {
	manual := read(t, "manual/supervisorctl.md")
	files, err := filepath.Glob("../internal/ctl/cmd_*.go")
	if err != nil || len(files) < 20 {
		t.Fatalf("got %v, %v; want a file a command", files, err)
	}
	for _, f := range files {
		name := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(f), "cmd_"), ".go")
		if !regexp.MustCompile("`" + name + "[` ]").MatchString(manual) {
			t.Errorf("manual/supervisorctl.md has no command `%s`", name)
		}
	}
}

// TestLinks looks at the links within the repository, to headings too.
func TestLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#:]*)(?:#([^)]*))?\)`)
	seen := 0
	err := filepath.WalkDir("..", func(page string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && page != ".." && strings.HasPrefix(d.Name(), ".") {
			return fs.SkipDir
		}
		if d.IsDir() || filepath.Ext(page) != ".md" {
			return nil
		}
		for _, m := range link.FindAllStringSubmatch(read(t, page), -1) {
			seen++
			target := page
			if m[1] != "" {
				target = filepath.Join(filepath.Dir(page), m[1])
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: nothing is at %s", page, m[1])
			} else if m[2] != "" && !slices.Contains(anchors(read(t, target)), m[2]) {
				t.Errorf("%s: %s has no heading %s", page, target, m[2])
			}
		}
		return nil
	})
	if err != nil || seen < 10 {
		t.Fatalf("%d links seen, %v", seen, err)
	}
}

// anchors are the names that headings are linked by.
func anchors(page string) (names []string) {
	for _, h := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(page, -1) {
		name := regexp.MustCompile(`[^a-z0-9 _-]`).ReplaceAllString(strings.ToLower(h[1]), "")
		names = append(names, strings.ReplaceAll(name, " ", "-"))
	}
	return names
}

package differential

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

var rewrite = flag.Bool("rewrite", false, "write what the original gives into the scenarios")

// A block is one command of a scenario and what it must give: one compared case.
type block struct {
	line     int      // of the file, for messages
	comments []string //
	command  string   //
	body     []string
	differs  string // the row of docs/differences.md; "" is none

	original, ours []string // ours is used if differs is set
}

func parse(file, text string) ([]block, error) {
	var blocks []block
	n := 0
	for chunk := range strings.SplitSeq(text, "\n\n") {
		b := block{line: n + 1}
		n += strings.Count(chunk, "\n") + 2
		part := 0 // 0 before the command, 1 body, 2 the original's, 3 ours
		for l := range strings.SplitSeq(strings.Trim(chunk, "\n"), "\n") {
			sep, name, _ := strings.Cut(l, " ")
			switch {
			case part == 0 && (l == "" || strings.HasPrefix(l, "#")):
				b.comments = append(b.comments, l)
			case part == 0:
				b.command, part = l, 1
			case sep == "----" && part == 1 && name == "":
				part = 2
			case sep == "----" && part == 2 && name != "":
				b.differs, part = name, 3
			case part == 1:
				b.body = append(b.body, l)
			case part == 2:
				b.original = append(b.original, l)
			default:
				b.ours = append(b.ours, l)
			}
		}
		if b.command != "" && part < 2 {
			return nil, fmt.Errorf("%s:%d: no line ---- behind the command", file, b.line)
		}
		blocks = append(blocks, b)
	}
	return blocks, nil
}

func (b block) String() string {
	var s strings.Builder
	for _, l := range b.comments {
		s.WriteString(l + "\n")
	}
	if b.command == "" {
		return s.String()
	}
	for _, l := range slices.Concat([]string{b.command}, b.body, []string{"----"}, b.original) {
		s.WriteString(l + "\n")
	}
	if b.differs != "" {
		s.WriteString("---- " + b.differs + "\n")
		for _, l := range b.ours {
			s.WriteString(l + "\n")
		}
	}
	return s.String()
}

// TestScenarios is the comparison.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		blocks, err := parse(file, string(text))
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(file), ".txt")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for i := range sides {
				t.Run(sides[i].name, func(t *testing.T) {
					if !*rewrite {
						t.Parallel()
					}
					play(t, &sides[i], file, blocks)
				})
			}
			if *rewrite {
				var parts []string
				for _, b := range blocks {
					parts = append(parts, b.String())
				}
				if err := os.WriteFile(file, []byte(strings.Join(parts, "\n")), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// attempts is how often a scenario may be played. On a machine that is busy with something else a program
// that is to end within a second may not.
const attempts = 3

// play gives the blocks to one side, in their order, and compares, or records, what comes.
func play(t *testing.T, s *side, file string, blocks []block) {
	s.need(t)
	for n := 1; ; n++ {
		diffs := playOnce(t, s, file, blocks)
		if len(diffs) == 0 {
			return
		}
		if n == attempts {
			t.Error(strings.Join(diffs, "\n"))
			return
		}
		t.Logf("once more, since:\n%s", strings.Join(diffs, "\n"))
	}
}

func playOnce(t *testing.T, s *side, file string, blocks []block) (diffs []string) {
	w := newWorld(t, s)
	defer w.end()
	for i := range blocks {
		b := &blocks[i]
		if b.command == "" {
			continue
		}
		got := lines(w.normal(w.do(b.command, b.body)))
		want := &b.original
		if s.ours && b.differs != "" {
			want = &b.ours
		}
		if *rewrite && (!s.ours || b.differs != "") {
			*want = got
			continue
		}
		if diff := cmp.Diff(*want, got); diff != "" {
			diffs = append(diffs, fmt.Sprintf("%s:%d: %s\n%s", file, b.line, b.command, diff))
		}
	}
	return diffs
}

// lines is an output as it stands in a file.
func lines(out string) []string {
	if out == "" {
		return nil
	}
	all := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	for i, l := range all {
		switch {
		case l == "":
			all[i] = "~"
		case !plain(l):
			all[i] = strconv.Quote(l)
		}
	}
	return all
}

func plain(l string) bool {
	for _, r := range l {
		if !unicode.IsPrint(r) || r == utf8.RuneError {
			return false
		}
	}
	return strings.TrimRight(l, " ") == l && !strings.HasPrefix(l, "----")
}

// TestReasons holds the differences of the scenarios to the document that lists them for the user.
func TestReasons(t *testing.T) {
	doc, err := os.ReadFile("../../docs/differences.md")
	if err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob("testdata/*.txt")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		blocks, err := parse(file, string(text))
		if err != nil {
			t.Error(err)
		}
		for _, b := range blocks {
			if b.differs != "" && !strings.Contains(string(doc), "| "+b.differs) {
				t.Errorf("%s:%d: docs/differences.md has no row that begins with %q", file, b.line, b.differs)
			}
			if b.differs != "" && slices.Equal(b.original, b.ours) {
				t.Errorf("%s:%d: %q: there is no difference", file, b.line, b.differs)
			}
		}
	}
}

package archtest

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

const module = "holdfast"

// A fact is one thing that a package does in its source: an import or the use of an imported name.
type fact struct {
	pkg  string // relative to the module; "" is its root
	name string // "net/http" of an import; "time.Now" or "go" of a use
	call bool   // of a use: it is called
	pos  token.Position
}

// facts are what the check works on.
type facts struct {
	packages []string
	imports  []fact
	uses     []fact
}

// read gathers the facts of every package below fsys, tests left out: a test may use what it likes.
func read(fsys fs.FS) (facts, error) {
	var f facts
	set := token.NewFileSet()
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := path.Base(name)
		if d.IsDir() {
			if name != "." && (base == "testdata" || base[0] == '.' || base[0] == '_') {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(base, ".go") {
			return nil
		}
		pkg := path.Dir(name)
		if len(f.packages) == 0 || f.packages[len(f.packages)-1] != pkg {
			f.packages = append(f.packages, pkg)
		}
		if strings.HasSuffix(base, "_test.go") {
			return nil
		}
		src, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(set, name, src, 0)
		if err != nil {
			return err
		}
		f.add(set, pkg, file)
		return nil
	})
	return f, err
}

func (f *facts) add(set *token.FileSet, pkg string, file *ast.File) {
	names := map[string]string{} // as the file calls it -> as the rules call it
	for _, spec := range file.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue // the parser has checked it
		}
		f.imports = append(f.imports, fact{pkg: pkg, name: p, pos: set.Position(spec.Pos())})
		local := path.Base(p)
		if spec.Name != nil {
			local = spec.Name.Name
		}
		names[local] = path.Base(p)
	}
	called := map[ast.Expr]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr: // seen before its Fun
			called[ast.Unparen(n.Fun)] = true
		case *ast.GoStmt:
			f.uses = append(f.uses, fact{pkg: pkg, name: "go", pos: set.Position(n.Pos())})
		case *ast.SelectorExpr:
			x, ok := n.X.(*ast.Ident)
			if !ok || x.Obj != nil || names[x.Name] == "" { // Obj: a local variable of that name
				break
			}
			f.uses = append(f.uses, fact{pkg: pkg, name: names[x.Name] + "." + n.Sel.Name, call: called[n], pos: set.Position(n.Pos())})
		}
		return true
	})
}

// check returns one line for each thing that the rules forbid, in the order of the sources.
func check(f facts) []string {
	var out []violation
	say := func(at fact, format string, args ...any) {
		out = append(out, violation{at.pos, fmt.Sprintf(format, args...)})
	}
	for _, p := range f.packages {
		if roomOf(p) == "" {
			out = append(out, violation{text: p + ": is in no room; add it to the table of rooms"})
		}
	}
	for _, i := range f.imports {
		from := roomOf(i.pkg)
		if to, ours := strings.CutPrefix(i.name, module+"/"); ours {
			checkArrow(i, from, to, say)
			continue
		}
		for _, b := range importBans {
			if applies(b.in, b.except, i.pkg) && slices.ContainsFunc(b.paths, func(p string) bool { return pathMatches(p, i.name) }) {
				say(i, "%s imports %s: %s", i.pkg, i.name, b.why)
			}
		}
	}
	for _, u := range f.uses {
		for _, b := range useBans {
			if !applies(b.in, b.except, u.pkg) || slices.Contains(b.but, u.name) {
				continue
			}
			if slices.ContainsFunc(b.uses, func(p string) bool { return useMatches(p, u) }) {
				say(u, "%s uses %s: %s", u.pkg, u.name, b.why)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b violation) int {
		return cmp.Or(cmp.Compare(a.pos.Filename, b.pos.Filename), cmp.Compare(a.pos.Offset, b.pos.Offset))
	})
	var lines []string
	for _, v := range out {
		lines = append(lines, v.String())
	}
	return lines
}

func checkArrow(i fact, from, to string, say func(fact, string, ...any)) {
	for _, a := range mayImport {
		if a.from == from && !slices.Contains(a.to, roomOf(to)) && !slices.Contains(a.to, to) {
			say(i, "%s (%s) imports %s (%s): %s", i.pkg, from, to, cmp.Or(roomOf(to), "in no room"), a.why)
		}
	}
}

type violation struct {
	pos  token.Position
	text string
}

func (v violation) String() string {
	if v.pos.Filename == "" {
		return v.text
	}
	return fmt.Sprintf("%s:%d: %s", v.pos.Filename, v.pos.Line, v.text)
}

// roomOf finds the room of a package, or of the nearest package above it that has one.
func roomOf(pkg string) string {
	for p := pkg; p != "." && p != ""; p = path.Dir(p) {
		if r, ok := rooms[p]; ok {
			return r
		}
	}
	return ""
}

func applies(in, except []string, pkg string) bool {
	is := func(s string) bool { return s == pkg || s == roomOf(pkg) }
	return (in == nil || slices.ContainsFunc(in, is)) && !slices.ContainsFunc(except, is)
}

func pathMatches(pattern, name string) bool {
	if root, ok := strings.CutSuffix(pattern, "/..."); ok {
		return name == root || strings.HasPrefix(name, root+"/")
	}
	return name == pattern
}

func useMatches(pattern string, u fact) bool {
	pattern, onlyCall := strings.CutSuffix(pattern, "()")
	if onlyCall && !u.call {
		return false
	}
	before, after, wild := strings.Cut(pattern, "*")
	if !wild {
		return u.name == pattern
	}
	return strings.HasPrefix(u.name, before) && strings.HasSuffix(u.name, after) && len(u.name) >= len(before)+len(after)
}

package config

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/internal/ini"
)

// dependencyText writes down what each process depends on.
func dependencyText(cfg *Config) string {
	var lines []string
	for _, g := range cfg.Groups {
		for _, p := range g.Processes {
			for _, d := range p.DependsOn {
				line := fmt.Sprintf("%s:%s %s:%s %s", p.Group, p.Name, d.Group, d.Name, [...]string{"up", "running", "ready", "completed"}[d.Until])
				if d.Required {
					line += " required"
				}
				lines = append(lines, line)
			}
		}
	}
	return strings.Join(lines, "\n")
}

// someGroups are a program of its own, one with two processes, a group with a program of either kind, an
// event listener and an fcgi-program; web is to be filled in.
const someGroups = `[supervisord]
[program:etcd]
command=x
readiness=notify
[program:pair]
command=x
numprocs=2
process_name=%%(program_name)s%%(process_num)d
[program:one]
command=x
[program:two]
command=x
numprocs=2
process_name=number%%(process_num)d
[group:g]
programs=one,two
[program:job]
command=x
oneshot=true
[eventlistener:watch]
command=x
events=TICK_5
[fcgi-program:php]
command=x
socket=tcp://h:1
[program:web]
command=x
%s
`

func TestDependencies(t *testing.T) {
	for _, tt := range []struct{ rule, options, want string }{
		{"none", "", ""},
		{"an empty list is none", "depends_on=\nrequires= \n", ""},
		{"a program", "depends_on=etcd\n", "web:web etcd:etcd up"},
		{"all processes of a program", "depends_on=pair\n", "web:web pair:pair0 up\nweb:web pair:pair1 up"},
		{"all processes of a group", "depends_on=g\n", "web:web g:one up\nweb:web g:number0 up\nweb:web g:number1 up"},
		{"the same, as supervisorctl has it", "depends_on=g:*\n", "web:web g:one up\nweb:web g:number0 up\nweb:web g:number1 up"},
		{"a process", "depends_on=g:number1, pair:pair0\n", "web:web g:number1 up\nweb:web pair:pair0 up"},
		{"a program in a group by its own name", "depends_on=two\n", "web:web g:number0 up\nweb:web g:number1 up"},
		{"a process by its own name", "depends_on=number1,pair1\n", "web:web g:number1 up\nweb:web pair:pair1 up"},
		{"with conditions, over several lines", "depends_on=etcd(ready),\n\tpair (running),\n\tjob(completed),one\n",
			"web:web etcd:etcd ready\nweb:web pair:pair0 running\nweb:web pair:pair1 running\nweb:web job:job completed\nweb:web g:one up"},
		{"any program may complete", "depends_on=etcd(completed)\n", "web:web etcd:etcd completed"},
		{"requires is stronger", "depends_on=etcd(running),job\nrequires=etcd(ready)\n", "web:web etcd:etcd ready required\nweb:web job:job up"},
		{"of what is named twice the first holds", "depends_on=pair:pair1(running),pair,pair:pair0(completed),pair\n", "web:web pair:pair1 running\nweb:web pair:pair0 up"},
		{"event listeners and fcgi-programs", "depends_on=watch,php\n", "web:web watch:watch up\nweb:web php:php up"},
		{"an event listener depends on a program", "[eventlistener:w]\ncommand=x\nevents=TICK\ndepends_on=web\n", "w:w web:web up"},
		{"a member on others of its group", "[program:a]\ncommand=x\ndepends_on=b\n[program:b]\ncommand=x\n[group:h]\nprograms=a,b\n", "h:a h:b up"},
		{"a group without processes", "depends_on=none\n[group:none]\n", ""},
		{"a group goes before a program of its name", "depends_on=two\n[program:a]\ncommand=x\n[group:two]\nprograms=a\n", "web:web two:a up"},
		{"of a program in two groups each has its own", "depends_on=h:one\n[group:h]\nprograms=one\n", "web:web h:one up"},
	} {
		cfg := loadGood(t, fmt.Sprintf(someGroups, tt.options))
		if got := dependencyText(cfg); got != tt.want {
			t.Errorf("%s: got\n%s\nwant\n%s", tt.rule, got, tt.want)
		}
	}
}

func TestDependencyErrors(t *testing.T) {
	const syntaxCure = " (use NAME or GROUP:NAME with commas between them, each with (running), (ready) or (completed) behind it if need be)"
	const nameCure = " (use the name of a group, or GROUP:NAME for one process)"
	for _, tt := range []struct{ rule, options, want, bad string }{
		{"an empty name", "depends_on=etcd,\n", "28: [program:web] depends_on=etcd,: there is an empty name in it" + syntaxCure, "web"},
		{"an empty group", "depends_on=:etcd\n", "28: [program:web] depends_on=:etcd: there is an empty name in it" + syntaxCure, "web"},
		{"an empty process", "depends_on=etcd:\n", "28: [program:web] depends_on=etcd:: there is an empty name in it" + syntaxCure, "web"},
		{"no comma", "depends_on=etcd job\n", "28: [program:web] depends_on: Invalid name: 'etcd job' because of character: ' '" + syntaxCure, "web"},
		{"too many colons", "depends_on=a:b:c\n", "28: [program:web] depends_on=a:b:c: Invalid name: 'b:c' because of character: ':'" + syntaxCure, "web"},
		{"an unknown condition", "depends_on=etcd(up)\n", "28: [program:web] depends_on=etcd(up): (up) is no condition" + syntaxCure, "web"},
		{"half a condition", "depends_on=etcd(ready\n", "28: [program:web] depends_on=etcd(ready: (ready is no condition" + syntaxCure, "web"},
		{"unknown names, each told", "depends_on=nope, nope:x, g:nope\nrequires=nope\n",
			"28: [program:web] depends_on: there is no group, program or process nope" + nameCure + "\n" +
				"28: [program:web] depends_on=nope:x: there is no group nope" + nameCure + "\n" +
				"28: [program:web] depends_on=g:nope: there is no process nope in the group g" + nameCure + "\n" +
				"29: [program:web] requires: there is no group, program or process nope" + nameCure, "web"},
		{"of many processes one is told", "[program:many]\ncommand=x\nnumprocs=9\nprocess_name=%(process_num)d\ndepends_on=nope,many:3(ready)\n",
			"32: [program:many] depends_on: there is no group, program or process nope" + nameCure + "\n" +
				"32: [program:many] depends_on=many:3(ready): many:3 is never ready: it has no readiness= (add a line readiness= to [program:many], or use (running))", "many"},
		{"a name of several", "depends_on=one\n[group:h]\nprograms=one\n", "28: [program:web] depends_on: one may be any of g:one, h:one (use GROUP:NAME)", "web"},
		{"the name of a program and of another's process", "depends_on=number0\n[program:number0]\ncommand=x\n[group:h]\nprograms=number0\n",
			"28: [program:web] depends_on: number0 may be any of g:number0, h:number0 (use GROUP:NAME)", "web"},
		{"ready, and never to be", "depends_on=g(ready)\n",
			"28: [program:web] depends_on=g(ready): g:one is never ready: it has no readiness= (add a line readiness= to [program:one], or use (running))", "web"},
		{"a oneshot is never ready", "requires=job(ready)\n",
			"28: [program:web] requires=job(ready): job is never ready: it has no readiness= (use (completed) for a oneshot program)", "web"},
		{"completed, and started again at once", "depends_on=a(completed),b(completed)\n[program:a]\ncommand=x\nautorestart=true\nrestartsecs=1\n[program:b]\ncommand=x\nautorestart=true\n",
			"28: [program:web] depends_on=b(completed): b is never completed: autorestart=true starts it again as soon as it has exited (set autorestart=unexpected or false in [program:b], or use (running))", "web"},
		{"itself", "depends_on=web\n", "28: [program:web] depends_on: web would wait for itself (leave it out, or name others)", "web"},
		{"each of many, itself", "[program:many]\ncommand=x\nnumprocs=9\nprocess_name=%(process_num)d\ndepends_on=many\n",
			"32: [program:many] depends_on: many:0 would wait for itself (leave it out, or name others)", "many"},
		{"itself, through its group", "[program:a]\ncommand=x\nrequires=etcd,h\n[program:b]\ncommand=x\ndepends_on=a\n[group:h]\nprograms=a,b\n",
			"30: [program:a] requires: h:a would wait for itself (leave it out, or name others)", "h"},
		{"two that wait for each other", "depends_on=a\n[program:a]\ncommand=x\nrequires=etcd,web(running)\n",
			"28: [program:web] depends_on: they would wait for each other: web -> a -> web (take one of these dependencies out)", "a web"},
		{"only who is in the circle is bad",
			"depends_on=a\n[program:a]\ncommand=x\ndepends_on=b,etcd\n[program:b]\ncommand=x\ndepends_on=g:number1,c,a,web\n[program:c]\ncommand=x\n[program:d]\ncommand=x\ndepends_on=web\n",
			"28: [program:web] depends_on: they would wait for each other: web -> a -> b -> web (take one of these dependencies out)", "a b web"},
		{"a circle through a group", "depends_on=h\n[program:a]\ncommand=x\n[program:b]\ncommand=x\ndepends_on=web\n[group:h]\nprograms=a,b\n",
			"33: [program:b] depends_on: they would wait for each other: h:b -> web -> h:b (take one of these dependencies out)", "h web"},
		{"two circles, two errors", "depends_on=a\n[program:a]\ncommand=x\ndepends_on=web\n[program:b]\ncommand=x\ndepends_on=c\n[program:c]\ncommand=x\ndepends_on=b\n",
			"28: [program:web] depends_on: they would wait for each other: web -> a -> web (take one of these dependencies out)\n" +
				"34: [program:b] depends_on: they would wait for each other: b -> c -> b (take one of these dependencies out)", "a b c web"},
		{"what could not be read is one error", "depends_on=a\n[program:a]\ncommand=x\nstartsecs=x\n[program:c]\ncommand=x\ndepends_on=a:nope\n[program:d]\ncommand=x\ndepends_on=web\n",
			"31: [program:a] startsecs: invalid literal for int() with base 10: 'x' (use a whole number of seconds, such as 10)", "a c web"},
		{"nor a program in a group that could not be read", "depends_on=a\n[program:a]\ncommand=x\nstartsecs=x\n[group:h]\nprograms=a\n",
			"31: [program:a] startsecs: invalid literal for int() with base 10: 'x' (use a whole number of seconds, such as 10)", "h web"},
		{"who depends on one with unknown names is not concerned", "depends_on=a\n[program:a]\ncommand=x\ndepends_on=nope\n",
			"31: [program:a] depends_on: there is no group, program or process nope" + nameCure, "a"},
	} {
		cfg, err := loadText(t, fmt.Sprintf(someGroups, tt.options))
		if err == nil {
			t.Errorf("%s: got no error", tt.rule)
			continue
		}
		got := strings.ReplaceAll(err.Error(), filepath.Dir(err.(Errors)[0].File)+"/supervisord.conf:", "")
		if a, b := sortedLines(tt.want), sortedLines(got); a != b {
			t.Errorf("%s: got\n%s\nwant\n%s", tt.rule, b, a)
		}
		slices.Sort(cfg.Bad)
		if got := strings.Join(cfg.Bad, " "); got != tt.bad {
			t.Errorf("%s: bad are %s, want %s", tt.rule, got, tt.bad)
		}
		for _, name := range names(cfg.Groups) {
			if slices.Contains(cfg.Bad, name) {
				t.Errorf("%s: %s is bad and there", tt.rule, name)
			}
		}
	}
}

// graphOf writes a configuration of the programs p0, p1, ..., each with what it depends on.
func graphOf(dependsOn [][]int) string {
	var b strings.Builder
	b.WriteString("[supervisord]\n")
	for i, list := range dependsOn {
		fmt.Fprintf(&b, "[program:p%d]\ncommand=x\ndepends_on=", i)
		for j, d := range list {
			if j > 0 {
				b.WriteString(",")
			}
			fmt.Fprintf(&b, "p%d", d)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// TestKnots holds the search to the plain way: who reaches himself.
func TestKnots(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		n := 2 + random.IntN(9)
		edges := make([][]int, n)
		reaches := make([][]bool, n)
		for i := range n {
			reaches[i] = make([]bool, n)
			for range random.IntN(3) {
				if d := random.IntN(n); d != i {
					edges[i] = append(edges[i], d)
					reaches[i][d] = true
				}
			}
		}
		for k := range n {
			for i := range n {
				for j := range n {
					reaches[i][j] = reaches[i][j] || reaches[i][k] && reaches[k][j]
				}
			}
		}
		var want []string
		knots := 0
		for i := range n {
			if !reaches[i][i] {
				continue
			}
			want = append(want, fmt.Sprintf("p%d", i))
			first := true
			for j := range i {
				first = first && !(reaches[i][j] && reaches[j][i])
			}
			if first {
				knots++
			}
		}
		text := graphOf(edges)
		cfg, err := loadText(t, text)
		errs, _ := err.(Errors)
		slices.Sort(want)
		slices.Sort(cfg.Bad)
		if !slices.Equal(cfg.Bad, want) || len(errs) != knots {
			t.Errorf("of\n%sgot %v bad with %v; want %v and %d errors", text, cfg.Bad, err, want, knots)
		}
		for _, e := range errs {
			checkWay(t, edges, e.Message)
		}
	}
}

// checkWay follows the way that an error shows.
func checkWay(t *testing.T, edges [][]int, message string) {
	t.Helper()
	_, text, _ := strings.Cut(message, "each other: ")
	way := strings.Split(text, " -> ")
	for i, name := range way[1:] {
		var from, to int
		_, err1 := fmt.Sscanf(way[i], "p%d", &from)
		_, err2 := fmt.Sscanf(name, "p%d", &to)
		if err1 != nil || err2 != nil || !slices.Contains(edges[from], to) {
			t.Errorf("%s: %s does not depend on %s", message, way[i], name)
		}
	}
	if len(way) < 3 || way[0] != way[len(way)-1] {
		t.Errorf("%s is no circle", message)
	}
}

// TestManyDependencies has graphs for which a search that goes each way, or looks at everybody at each step,
// would take minutes or for ever. The bound is one that only these meet.
func TestManyDependencies(t *testing.T) {
	const n = 2000
	chain, fan, layers := make([][]int, n), make([][]int, n), make([][]int, n)
	for i := range n - 1 {
		chain[i] = []int{i + 1}
		fan[i] = []int{n - 1}
		if i > 0 {
			fan[0] = append(fan[0], i)
		}
		for j := i/3*3 + 3; j < min(i/3*3+6, n); j++ {
			layers[i] = append(layers[i], j) // three each, on all three of the next layer
		}
	}
	ring := slices.Clone(chain)
	ring[n-1] = []int{0}
	all := "[supervisord]\n[program:a]\ncommand=x\nnumprocs=1000\nprocess_name=%(process_num)d\ndepends_on=b\n" +
		"[program:b]\ncommand=x\nnumprocs=1000\nprocess_name=%(process_num)d\n"
	for _, tt := range []struct {
		name, text string
		bad        int
	}{
		{"a chain", graphOf(chain), 0},
		{"a fan", graphOf(fan), 0},
		{"all of each layer on all of the next", graphOf(layers), 0},
		{"a ring", graphOf(ring), n},
		{"a thousand on a thousand", all, 0},
	} {
		began := time.Now()
		cfg, err := loadText(t, tt.text)
		if cfg == nil || len(cfg.Bad) != tt.bad {
			t.Fatalf("%s: got %v", tt.name, err)
		}
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("%s: %v", tt.name, took)
		} else {
			t.Logf("%s: %v", tt.name, took)
		}
		if errs, ok := err.(Errors); ok && (len(errs) != 1 || len(errs[0].Message) > 500) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// BenchmarkDependencies has a chain of processes, and all on one: the time for each stays the same however many they are.
func BenchmarkDependencies(b *testing.B) {
	for _, n := range []int{1000, 10_000, 100_000} {
		for _, shape := range []string{"chain", "fan"} {
			groups := make([]Group, n)
			var r reader
			for i := range n {
				name, on := fmt.Sprintf("p%d", i), "p0"
				if shape == "chain" {
					on = fmt.Sprintf("p%d", i+1)
				}
				groups[i] = Group{Name: name, Processes: []Process{{Group: name, Name: name, Program: name}}}
				if on != name && i < n-1 {
					r.needs = append(r.needs, needy{&ini.Section{}, name, name, needs{on, []need{{text: on, name: on}}}, needs{}})
				}
			}
			b.Run(fmt.Sprintf("%s/%d", shape, n), func(b *testing.B) {
				for b.Loop() {
					r.cfg.Groups = groups
					r.resolveNeeds()
					if len(r.errs) > 0 || len(r.cfg.Groups) != n {
						b.Fatal(r.errs)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/process")
			})
		}
	}
}

func FuzzDependencies(f *testing.F) {
	for _, text := range []string{"a", "a, b(ready),g:c (completed)", "a,", "a:b:c", "a(", "g:*(running)", " \n"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := parseNeeds(text)
		if err != nil {
			if err.Error() == "" {
				t.Errorf("%q: an error without words", text)
			}
			return
		}
		var items []string
		for _, n := range got.list {
			if n.name == "" || strings.ContainsAny(n.group+n.name, " :/,(") {
				t.Errorf("%q: got %+v", text, n)
			}
			item := n.name
			if n.group != "" {
				item = n.group + ":" + item
			}
			items = append(items, item+[...]string{"", "(running)", "(ready)", "(completed)"}[n.until])
		}
		again, err := parseNeeds(strings.Join(items, ","))
		if err != nil || len(again.list) != len(got.list) {
			t.Fatalf("%q: got %+v, and then %+v, %v", text, got, again, err)
		}
		for i, n := range again.list {
			if first := got.list[i]; n.group != first.group || n.name != first.name || n.until != first.until {
				t.Errorf("%q: got %+v, and then %+v", text, first, n)
			}
		}
	})
}

package config

import (
	"slices"
	"strings"
)

// A visit is what the search for knots notes at a node.
type visit struct {
	index, low int // index 0: it was not there yet
	place      int // in waiting
	waiting    bool
}

// knots gives those that depend on each other, each set of them once: the strongly connected components of
// more than one process, by Tarjan's algorithm.
func (g *graph) knots() (knots [][]*node) {
	var waiting []*node
	seen := 0
	var search func(*node)
	search = func(at *node) {
		seen++
		v := &at.visit
		*v = visit{seen, seen, len(waiting), true}
		waiting = append(waiting, at)
		for _, next := range at.next() {
			if next.visit.index == 0 {
				search(next)
			}
			if next.visit.waiting {
				v.low = min(v.low, next.visit.low)
			}
		}
		if v.low < v.index {
			return
		}
		knot := slices.Clone(waiting[v.place:])
		waiting = waiting[:v.place]
		for _, of := range knot {
			of.visit.waiting = false
		}
		if len(knot) > 1 {
			knots = append(knots, knot)
		}
	}
	for _, at := range g.nodes {
		if at.visit.index == 0 {
			search(at)
		}
	}
	return knots
}

func (at *node) next() []*node {
	if at.wish == nil {
		return nil
	}
	return at.wish.nodes
}

// refuse records one error for a knot, with a shortest way around from its first process, and its groups as bad.
func (g *graph) refuse(knot []*node) {
	in := map[*node]bool{}
	for _, at := range knot {
		g.bad[at.group], in[at] = true, true
	}
	start := knot[0]
	way := around(start, in)
	g.fail(start.needy.sec, start.wish.by[way[1]], "they would wait for each other: "+joined(way, " -> "), "take one of these dependencies out")
}

// around gives a shortest way from a node of a knot through others of it and back. No way back leads through any that
// is not in the knot; to look at those would take time in proportion to the whole graph for each knot.
func around(start *node, in map[*node]bool) []*node {
	from := map[*node]*node{start: nil}
	for queue := []*node{start}; len(queue) > 0; queue = queue[1:] {
		at := queue[0]
		for _, next := range at.next() {
			if next == start {
				way := []*node{start}
				for ; at != nil; at = from[at] {
					way = append(way, at)
				}
				slices.Reverse(way)
				return way
			}
			if _, met := from[next]; !met && in[next] {
				from[next] = at
				queue = append(queue, next)
			}
		}
	}
	return nil // it is in no knot
}

// joined writes the names down; of very many the first and the last.
func joined(nodes []*node, between string) string {
	const most = 20
	var names []string
	for i, at := range nodes {
		switch {
		case len(nodes) <= most || i < most/2 || i >= len(nodes)-most/2:
			names = append(names, at.String())
		case i == most/2:
			names = append(names, "...")
		}
	}
	return strings.Join(names, between)
}

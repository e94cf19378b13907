package upstream

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func graph(edges map[string]string) func(string) (Node, bool) {
	return func(name string) (Node, bool) {
		spec, ok := edges[name]
		if !ok {
			return Node{}, false
		}
		var n Node
		for _, f := range strings.Fields(spec) {
			if c, isConn := strings.CutPrefix(f, "@"); isConn {
				n.Connections = append(n.Connections, c)
			} else {
				n.Upstreams = append(n.Upstreams, f)
			}
		}
		return n, true
	}
}

func order(p *Plan, cut ...string) string {
	var out []string
	p.Search(func(i int) bool {
		for _, c := range cut {
			if p.Names()[i] == c {
				return true
			}
		}
		return false
	}, func(s Step) bool {
		if s.Connection != "" {
			out = append(out, p.Names()[s.Repository]+"@"+s.Connection)
		} else {
			out = append(out, p.Names()[s.Repository])
		}
		return true
	})
	return strings.Join(out, " ")
}

func TestSearchOrder(t *testing.T) {
	tests := map[string]struct {
		edges map[string]string
		cut   []string
		want  string
	}{
		"alone":              {map[string]string{"r": ""}, nil, "r"},
		"own connection":     {map[string]string{"r": "@npm"}, nil, "r r@npm"},
		"unknown start":      {map[string]string{}, nil, ""},
		"depth first":        {map[string]string{"r": "a b", "a": "c", "b": "", "c": ""}, nil, "r a c b"},
		"connection last":    {map[string]string{"r": "a @npm", "a": "@pypi"}, nil, "r a a@pypi r@npm"},
		"diamond once":       {map[string]string{"r": "a b", "a": "c", "b": "c", "c": "@npm"}, nil, "r a c c@npm b"},
		"cycle":              {map[string]string{"r": "a", "a": "r b", "b": "a"}, nil, "r a b"},
		"self":               {map[string]string{"r": "r a", "a": ""}, nil, "r a"},
		"unknown upstream":   {map[string]string{"r": "x a", "a": ""}, nil, "r a"},
		"cut at the start":   {map[string]string{"r": "a @npm", "a": ""}, []string{"r"}, "r"},
		"cut in the middle":  {map[string]string{"r": "a b", "a": "c @npm", "b": "", "c": ""}, []string{"a"}, "r a b"},
		"cut, but other way": {map[string]string{"r": "a b", "a": "c", "b": "c", "c": "@npm"}, []string{"a"}, "r a b c c@npm"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, order(New("r", 25, graph(tc.edges)), tc.cut...)); diff != "" {
				t.Errorf("search order (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLimit(t *testing.T) {
	edges := map[string]string{"r": ""}
	for i := range 30 {
		edges["r"] += fmt.Sprintf(" u%02d", i)
		edges[fmt.Sprintf("u%02d", i)] = "@npm"
	}
	p := New("r", 25, graph(edges))
	if got := len(p.Names()); got != 26 || !p.Truncated() {
		t.Errorf("plan has %d repositories, truncated %t; want 26 with the own one, true", got, p.Truncated())
	}
	if p := New("r", 1000, graph(edges)); p.Truncated() || len(p.Names()) != 31 {
		t.Errorf("a limit above %d must be taken as %d", MaxSearched, MaxSearched)
	}
}

// Whatever the graph, a search ends, asks nothing twice, and cutting never adds a step.
func TestSearchProperties(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		edges := map[string]string{}
		n := 1 + r.IntN(12)
		for i := range n {
			var s []string
			for range r.IntN(4) {
				s = append(s, fmt.Sprint("n", r.IntN(n+1))) // n: does not exist
			}
			if r.IntN(3) == 0 {
				s = append(s, "@c")
			}
			edges[fmt.Sprint("n", i)] = strings.Join(s, " ")
		}
		p := New("n0", 1+r.IntN(12), graph(edges))
		full := strings.Fields(order(p))
		all := map[string]bool{}
		for _, s := range full {
			if all[s] {
				t.Fatalf("seed %d: %s asked twice in %v", seed, s, full)
			}
			all[s] = true
		}
		for _, s := range strings.Fields(order(p, fmt.Sprint("n", r.IntN(n)), fmt.Sprint("n", r.IntN(n)))) {
			if !all[s] {
				t.Fatalf("seed %d: cutting added %s to %v", seed, s, full)
			}
		}
	}
}

func TestDeepest(t *testing.T) {
	p := New("r", 25, graph(map[string]string{"r": "a c @npm", "a": "b @x", "b": "", "c": "b"}))
	never := func(int) bool { return false }
	var got []string
	for _, s := range p.Deepest(never) {
		got = append(got, strings.TrimSuffix(p.Names()[s.Repository]+"@"+s.Connection, "@"))
	}
	if diff := cmp.Diff("b a@x a c r@npm r", strings.Join(got, " ")); diff != "" {
		t.Errorf("deepest first (-want +got):\n%s", diff)
	}
	if got := p.Deepest(func(i int) bool { return i == 0 }); len(got) != 1 || got[0] != (Step{}) {
		t.Errorf("cut at the start: %v", got)
	}
}

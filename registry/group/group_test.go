package group

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"packhouse.dev/packhouse/registry"
)

func must(t testing.TB, text string) Pattern {
	t.Helper()
	p, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// index makes groups of patterns that inherit everything.
func index(t testing.TB, patterns ...string) *Index {
	t.Helper()
	var groups []Group
	for _, text := range patterns {
		groups = append(groups, Group{Pattern: must(t, text), Controls: inherit()})
	}
	return New(groups)
}

func inherit() Controls { return Controls{{Mode: Inherit}, {Mode: Inherit}, {Mode: Inherit}} }

// pkg reads "/npm/space/name".
func pkg(path string) registry.PackageID {
	p := strings.Split(path, "/")
	return registry.PackageID{Format: registry.Format(p[1]), Namespace: p[2], Name: p[3]}
}

func strength(m Match) string {
	if m.Strong {
		return m.Group.Pattern().String()
	}
	return m.Group.Pattern().String() + " weakly"
}

// TestPatterns has the six combinations of "Package group definition syntax and examples" and all other patterns of the guide, then what
// is refused.
func TestPatterns(t *testing.T) {
	for text, encoded := range map[string]string{
		"/*": "/%2a", "/npm/*": "/npm/%2a", "/maven/com.anycompany~": "/maven/com.anycompany~", "/npm/space/*": "/npm/space/%2a",
		"/npm/space/anycompany-ui~": "/npm/space/anycompany-ui~", "/maven/org.apache.logging.log4j/log4j-core$": "/maven/org.apache.logging.log4j/log4j-core%24",
		"/nuget/*": "/nuget/%2a", "/npm/space/anycompany~": "/npm/space/anycompany~", "/npm/space/foo~": "/npm/space/foo~",
		"/npm/scope/anycompany~": "/npm/scope/anycompany~", "/npm//AsyncStorage$": "/npm//AsyncStorage%24", "/npm//anycompany-spicy-client$": "/npm//anycompany-spicy-client%24",
		"/npm/space/foo-*": "/npm/space/foo-%2a", "/maven/com.*": "/maven/com.%2a", "/npm//*": "/npm//%2a", "/pypi//requests$": "/pypi//requests%24",
		"/pypi//foo-*": "/pypi//foo-%2a", "/generic/ns/na%me$": "/generic/ns/na%25me%24", "/npm//a*b$c~": "/npm//a%2ab%24c~", "/swift/scope/name$": "/swift/scope/name%24",
		"/npm//%2a$": "/npm//%252a%24", "/npm//é~": "/npm//é~", "/npm//e\u0301~": "/npm//e\u0301~", "/ruby//Serde$": "/ruby//Serde%24",
	} {
		p := must(t, text)
		if p.String() != text || p.Encoded() != encoded {
			t.Errorf("%s is %s, encoded %s", text, p, p.Encoded())
		}
		if back, err := Decode(encoded); err != nil || back != p {
			t.Errorf("Decode(%q) = %v, %v", encoded, back, err)
		}
	}
	if p := must(t, "/python//requests$"); p.String() != "/pypi//requests$" || p != must(t, "/pypi//requests$") { // readings A11
		t.Errorf("the alias is %s", p)
	}
	for text, want := range map[string]string{
		"":                      "it begins with a slash",
		"/":                     "it begins with a slash",
		"npm/*":                 "it begins with a slash",
		"/npm":                  "it ends with $",
		"/npm//react":           "it ends with $",
		"/~":                    "all packages are /*",
		"/$":                    "all packages are /*",
		"/npm~":                 "a format is written whole: /npm/*",
		"/np*":                  "a format is written whole",
		"/npm/a/b/c$":           "it has more parts",
		"/npm/space$":           "$ ends a full coordinate",
		"/npm/space/$":          "$ ends a full coordinate",
		"/npm/space/foo-~":      "after another character write *",
		"/npm/~":                "after another character write *",
		"/npm/space/foo*":       "after a word write ~", // "A wildcard is required to be used instead of ~ when following a non-word character"
		"/npm/spa*":             "after a word write ~",
		"/rpm/*":                `there is no package format "rpm"`,
		"/NPM/*":                `there is no package format "NPM"`,
		"/pypi/requests$":       "$ ends a full coordinate",
		"/pypi/requests~":       "write /pypi//requests~",
		"/nuget/ns/*":           "nuget packages have no namespace",
		"/ruby/a/b$":            "write /ruby//b$",
		"/maven//log4j$":        "maven packages have a namespace",
		"/generic//*":           "generic packages have a namespace",
		"/swift//name$":         "swift packages have a namespace",
		"/nuget//Newtonsoft~":   "write /nuget//newtonsoft~",
		"/pypi//Pigeon_cli$":    "write /pypi//pigeon-cli$",
		"/pypi//a--b$":          "write /pypi//a-b$",
		"/pypi//foo_*":          "write /pypi//foo-*",
		"/python//Foo~":         "write /pypi//foo~",
		"/swift/Scope/Name$":    "write /swift/scope/name$",
		"/npm/@corp/*":          "without @",
		"/npm//a b$":            `package names do not have ' '`,
		"/npm//a#b$":            `package names do not have '#'`,
		"/npm//a\u200bb$":       `package names do not have '\u200b'`,
		"/npm//a\x00$":          `package names do not have '\x00'`,
		"/npm//\xff$":           "it is not UTF-8",
		"/npm//" + many(256):    "at most 255 characters",
		"/npm/" + many(600):     "longer than 520 characters",
		"/npm/\u00a0/*":         "package names do not have",
		"/npm//\u2028x$":        "package names do not have",
		"/npm/space/anycompany": "it ends with $",
	} {
		_, err := Parse(text)
		if err == nil || !errors.Is(err, registry.ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("Parse(%.40q): %v, want …%s…", text, err, want)
		}
	}
	for _, text := range []string{"/%2A", "/*", "/npm/*", "/npm//a$", "/npm//a%zz%24", "/npm//a%2", ""} { // readings A13: one spelling
		if p, err := Decode(text); err == nil {
			t.Errorf("Decode(%q) = %s", text, p)
		}
	}
}

func many(n int) string { return strings.Repeat("x", n) + "$" }

// TestGuideMatches has the examples of "Package group hierarchy and pattern specificity", "Words, word boundaries, and prefix matching",
// "Case sensitivity", "Strong and weak match" and "Additional variations".
func TestGuideMatches(t *testing.T) {
	for name, tt := range map[string]struct {
		groups string
		want   map[string]string // path → group, "weakly" for a weak match
	}{
		"Package group hierarchy and pattern specificity": {
			"/npm/* /npm/space/*",
			map[string]string{"/npm//react": "/npm/*", "/npm/space/au.components": "/npm/space/*", "/npm/space/amplify-ui-core": "/npm/space/*", "/pypi//requests": "/*"},
		},
		"Words, word boundaries, and prefix matching": {
			"/npm/space/foo~",
			map[string]string{"/npm/space/foo": "/npm/space/foo~", "/npm/space/foo-bar": "/npm/space/foo~", "/npm/space/food": "/*", "/npm/space/foot": "/*", "/npm//foo": "/*", "/npm/space/foo\u0301": "/*", "/npm/space/foó": "/*", "/npm/space/foo٣": "/*"},
		},
		"Words: there is no boundary in oneword or OneWord": {
			"/npm//one~",
			map[string]string{"/npm//oneword": "/*", "/npm//OneWord": "/*", "/npm//one": "/npm//one~", "/npm//one_word": "/npm//one~"},
		},
		"Package group definition syntax: prefixes of namespaces": {
			"/maven/com.anycompany~ /maven/com.anycompany.internal/*",
			map[string]string{"/maven/com.anycompany/a": "/maven/com.anycompany~", "/maven/com.anycompany.team/a": "/maven/com.anycompany~", "/maven/com.anycompanyb/a": "/*", "/maven/com.anycompany.internal/a": "/maven/com.anycompany.internal/*"},
		},
		"Package group definition syntax: one package": {
			"/maven/org.apache.logging.log4j/log4j-core$",
			map[string]string{"/maven/org.apache.logging.log4j/log4j-core": "/maven/org.apache.logging.log4j/log4j-core$", "/maven/org.apache.logging.log4j/log4j-core-test": "/*"},
		},
		"Starts with prefix (console), readings 3.12": {
			"/npm/space/foo-* /npm/space/foo~",
			map[string]string{"/npm/space/foo-bar": "/npm/space/foo-*", "/npm/space/foo-": "/npm/space/foo-*", "/npm/space/foo": "/npm/space/foo~", "/npm/space/foo.bar": "/npm/space/foo-* weakly"},
		},
		"/npm/* has packages without a scope, /npm//* only those (readings A11)": {
			"/npm/* /npm//*",
			map[string]string{"/npm//react": "/npm//*", "/npm/types/react": "/npm/*"},
		},
		"Case sensitivity: one group for each": {
			"/npm//AsyncStorage$ /npm//asyncStorage$ /npm//asyncstorage$",
			map[string]string{"/npm//AsyncStorage": "/npm//AsyncStorage$", "/npm//asyncStorage": "/npm//asyncStorage$", "/npm//asyncstorage": "/npm//asyncstorage$"},
		},
		"Case sensitivity: one group for all": {
			"/npm//AsyncStorage$",
			map[string]string{"/npm//AsyncStorage": "/npm//AsyncStorage$", "/npm//asyncStorage": "/npm//AsyncStorage$ weakly", "/npm//asyncstorage": "/npm//AsyncStorage$ weakly"},
		},
		"Strong and weak match": {
			"/npm/* /npm//anycompany-spicy-client$",
			map[string]string{"/npm//anycompany-spicy-client": "/npm//anycompany-spicy-client$", "/npm//AnyCompany-spicy-client": "/npm//anycompany-spicy-client$ weakly", "/npm//anycompany-spicy-clients": "/npm/*"},
		},
		"Additional variations": {
			"/npm//foo-bar$",
			map[string]string{"/npm//foo-bar": "/npm//foo-bar$", "/npm//foo.bar": "/npm//foo-bar$ weakly", "/npm//foo..bar": "/npm//foo-bar$ weakly", "/npm//foo_bar": "/npm//foo-bar$ weakly", "/npm//foobar": "/*"},
		},
		"Additional variations: my-package": {
			"/npm//my-package$", map[string]string{"/npm//my.package": "/npm//my-package$ weakly"},
		},
		"Additional variations: Maven": {
			"/maven/com.act-on/*",
			map[string]string{"/maven/com.act-on/a": "/maven/com.act-on/*", "/maven/com.act.on/a": "/maven/com.act-on/* weakly"},
		},
		"Note: a group for a specific variation": {
			"/npm//foo-bar$ /npm//foo_bar$", map[string]string{"/npm//foo_bar": "/npm//foo_bar$", "/npm//foo.bar": "/npm//foo-bar$ weakly"},
		},
		"Namespaces in package group definitions": {
			"/python//requests$", map[string]string{"/pypi//requests": "/pypi//requests$"},
		},
		"confusable characters (Unicode TR39)": {
			"/npm/corp/* /npm//lodash$ /npm//com-mit~",
			map[string]string{
				"/npm/corp/secret": "/npm/corp/*", "/npm/c0rp/secret": "/npm/corp/* weakly", "/npm/cоrp/secret": "/npm/corp/* weakly", "/npm/Corp/Secret": "/npm/corp/* weakly", // a zero, a Cyrillic o
				"/npm//1odash": "/npm//lodash$ weakly", "/npm//lodаsh": "/npm//lodash$ weakly", "/npm//ｌｏｄａｓｈ": "/npm//lodash$ weakly", "/npm//corn‐mit": "/npm//com-mit~ weakly",
			},
		},
		"a variation of a more specific group does not roll up": {
			"/npm//react~ /npm//react-dom$",
			map[string]string{"/npm//react-dom": "/npm//react-dom$", "/npm//react.dom": "/npm//react-dom$ weakly", "/npm//react.x": "/npm//react~"},
		},
		"names that no package has": {
			"/npm/*", map[string]string{"/npm//": "/* weakly"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			x := index(t, strings.Fields(tt.groups)...)
			for path, want := range tt.want {
				if got := strength(x.Find(pkg(path))); got != want {
					t.Errorf("%s: %s, want %s", path, got, want)
				}
			}
		})
	}
	x := index(t, "/npm/a/b~")
	for _, id := range []registry.PackageID{{Format: "npm", Namespace: "a/b", Name: "c"}, {Format: "npm", Namespace: "a", Name: "b/c"}, {Format: "npm/a", Name: "b"}} {
		if got := strength(x.Find(id)); got != "/* weakly" {
			t.Errorf("%v: %s", id, got)
		}
	}
}

func TestHierarchy(t *testing.T) {
	tree := func(x *Index) string {
		var lines []string
		var walk func(*Node, int)
		walk = func(n *Node, depth int) {
			lines = append(lines, strings.Repeat(" ", depth)+n.Pattern().String())
			for _, c := range n.Children() {
				if c.Parent() != n {
					t.Errorf("the parent of %s is another", c.Name())
				}
				walk(c, depth+1)
			}
		}
		walk(x.Get(Root()), 0)
		if len(lines) != len(x.Groups()) {
			t.Errorf("%d of %d groups are below the root", len(lines), len(x.Groups()))
		}
		return strings.Join(lines, "\n")
	}
	got := tree(index(t, "/npm/space/foo-bar$", "/npm/space/foo~", "/npm/space/foo-*", "/npm/space/*", "/npm/spa~", "/npm/*", "/npm//*", "/npm//AsyncStorage$",
		"/npm//asyncstorage~", "/npm//asyncStorage$", "/maven/com.any~", "/maven/com.any.team/x$", "/npm/Space/y$", "/npm/space/foo--*", "/npm/space/food$"))
	want := `/*
 /maven/com.any~
  /maven/com.any.team/x$
 /npm/*
  /npm//*
   /npm//asyncstorage~
    /npm//AsyncStorage$
    /npm//asyncStorage$
  /npm/space/*
   /npm/Space/y$
   /npm/space/food$
   /npm/space/foo~
    /npm/space/foo-*
     /npm/space/foo--*
     /npm/space/foo-bar$
  /npm/spa~`
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	// "Delete a package group": the children become children of its parent.
	got = tree(index(t, "/npm/space/foo-bar$", "/npm/space/*", "/npm/space/foo~"))
	if d := cmp.Diff("/*\n /npm/space/*\n  /npm/space/foo~\n   /npm/space/foo-bar$", got); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff("/*\n /npm/space/*\n  /npm/space/foo-bar$", tree(index(t, "/npm/space/foo-bar$", "/npm/space/*"))); d != "" {
		t.Error(d)
	}
}

func controls(publish, external, internal Mode) Controls {
	return Controls{Publish: {Mode: publish}, ExternalUpstream: {Mode: external}, InternalUpstream: {Mode: internal}}
}

// may sketches what may come in: "publish external internal" of one repository.
func may(m Match, repository string) string {
	var out []string
	for i, name := range []string{"publish", "external", "internal"} {
		if m.Allows(Way(i), repository) {
			out = append(out, name)
		}
	}
	return strings.Join(out, " ")
}

// TestGuideControls has the examples of "Package group origin control configuration examples", "Restriction settings", "Strong and weak
// match" and what the chapter says of the root group.
func TestGuideControls(t *testing.T) {
	specific := func(w Way, repositories ...string) func(*Controls) {
		return func(c *Controls) { c[w] = Control{AllowSpecific, repositories} }
	}
	set := func(c Controls, edits ...func(*Controls)) Controls {
		for _, e := range edits {
			e(&c)
		}
		return c
	}
	type group struct {
		pattern  string
		controls Controls
	}
	for name, tt := range map[string]struct {
		groups []group
		want   map[string]string // "path repository" → what may come in
	}{
		"Working with package groups: the root allows everything": {nil, map[string]string{"/npm//react repo": "publish external internal"}},
		"Allowing packages with private names to be published, but not ingested": {
			[]group{{"/*", controls(Block, Allow, Allow)}, {"/npm/space/anycompany~", controls(Allow, Block, Allow)}},
			map[string]string{
				"/npm/space/anycompany repo": "publish internal", "/npm/space/anycompany-ui repo": "publish internal",
				"/npm//react repo": "external internal", "/npm/space/anycompanyui repo": "external internal", "/npm/space/AnyCompany-ui repo": "",
			},
		},
		"Allowing ingestion from external repositories through one repository": {
			[]group{{"/npm/*", set(controls(Allow, "", ""), specific(InternalUpstream, "repoA"), specific(ExternalUpstream, "repoB"))}},
			map[string]string{"/npm//react repoA": "publish internal", "/npm//react repoB": "publish external", "/npm//react repoC": "publish"},
		},
		"Editing package group origin control settings": {
			[]group{{"/nuget/*", set(inherit(), specific(InternalUpstream, "my_repo"))}},
			map[string]string{"/nuget//newtonsoft.json my_repo": "publish external internal", "/nuget//newtonsoft.json my_repo2": "publish external"},
		},
		"Restriction settings: INHERIT is of the first parent that does not": {
			[]group{{"/*", controls(Block, Allow, Block)}, {"/npm/*", inherit()}, {"/npm/space/*", controls(Inherit, Block, Inherit)}, {"/npm/space/a~", inherit()}, {"/npm/space/a-b$", controls(Allow, Inherit, Inherit)}},
			map[string]string{"/npm/space/a repo": "", "/npm/space/a-b repo": "publish", "/npm//x repo": "external"},
		},
		"INHERIT takes the parent's list, too (readings 3.13)": {
			[]group{{"/npm/*", set(inherit(), specific(Publish, "one", "two"))}, {"/npm/space/*", inherit()}},
			map[string]string{"/npm/space/x one": "publish external internal", "/npm/space/x three": "external internal"},
		},
		"Strong and weak match": {
			[]group{{"/npm/*", controls(Block, Allow, Allow)}, {"/npm//anycompany-spicy-client$", controls(Allow, Block, Allow)}},
			map[string]string{
				"/npm//anycompany-spicy-client repo": "publish internal", "/npm//AnyCompany-spicy-client repo": "", "/npm//anycompany_spicy.client repo": "", "/npm//anything repo": "external internal",
			},
		},
		"what is no setting blocks": {
			[]group{{"/npm/*", controls("", "allow", "Allow")}, {"/*", inherit()}}, map[string]string{"/npm//x repo": "", "/pypi//x repo": ""},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var groups []Group
			for _, g := range tt.groups {
				groups = append(groups, Group{Pattern: must(t, g.pattern), Controls: g.controls, Source: "PackageGroup team/g"})
			}
			x := New(groups)
			for what, want := range tt.want {
				path, repository, _ := strings.Cut(what, " ")
				m := x.Find(pkg(path))
				if got := may(m, repository); got != want {
					t.Errorf("%s: %q, want %q", what, got, want)
				}
				for _, w := range Ways() {
					said := m.Explain(pkg(path), w, repository)
					if blocks := strings.Contains(said, "block") || strings.Contains(said, "for other repositories"); blocks == m.Allows(w, repository) {
						t.Errorf("%s: %s is explained by %q", what, w, said)
					}
				}
			}
		})
	}
}

// TestWithPackages has the table of "How package origin controls interact with package group origin controls" and the rule of "Default
// package origin control settings".
func TestWithPackages(t *testing.T) {
	for _, tt := range []struct{ pkgPublish, pkgUpstream, groupPublish, groupUpstream, publish, upstream string }{
		{"ALLOW", "ALLOW", "ALLOW", "ALLOW", "ALLOW", "ALLOW"},
		{"BLOCK", "ALLOW", "ALLOW", "ALLOW", "BLOCK", "ALLOW"},
		{"ALLOW", "ALLOW", "ALLOW", "BLOCK", "ALLOW", "BLOCK"},
	} {
		own := registry.OriginControls{Publish: registry.Restriction(tt.pkgPublish), Upstream: registry.Restriction(tt.pkgUpstream)}
		m := New([]Group{{Pattern: Root(), Controls: controls(Mode(tt.groupPublish), Mode(tt.groupUpstream), Mode(tt.groupUpstream))}}).Find(pkg("/npm//x"))
		if got := own.MayPublish() && m.Allows(Publish, "r"); got != (tt.publish == "ALLOW") {
			t.Errorf("%+v: publish %v", tt, got)
		}
		for _, w := range []Way{ExternalUpstream, InternalUpstream} {
			if got := own.MayComeFromUpstream() && m.Allows(w, "r"); got != (tt.upstream == "ALLOW") {
				t.Errorf("%+v: %s %v", tt, w, got)
			}
		}
	}
	for _, tt := range []struct {
		group   Controls
		arrival registry.Arrival
		want    registry.OriginControls
	}{
		{Open(), registry.ArrivalPublish, registry.OriginControls{Publish: registry.Allow, Upstream: registry.Block}},
		{Open(), registry.ArrivalExternal, registry.OriginControls{Publish: registry.Block, Upstream: registry.Allow}},
		{controls(Allow, Allow, Block), registry.ArrivalPublish, registry.OriginControls{Publish: registry.Allow, Upstream: registry.Allow}},
		{controls(Allow, AllowSpecific, Allow), registry.ArrivalExternal, registry.OriginControls{Publish: registry.Allow, Upstream: registry.Allow}},
	} {
		m := New([]Group{{Pattern: Root(), Controls: tt.group}}).Find(pkg("/npm//x"))
		if got := registry.DefaultControls(tt.arrival, m.Restricts()); got != tt.want {
			t.Errorf("%v: %v", tt.group, got)
		}
	}
	if m := index(t, "/npm//x$").Find(pkg("/npm//X")); !m.Restricts() {
		t.Error("a weak match restricts nothing")
	}
}

func TestIndex(t *testing.T) {
	a, b := Group{Pattern: must(t, "/npm/*"), Controls: Closed(), Source: "first"}, Group{Pattern: must(t, "/npm/*"), Controls: Open(), Source: "second"}
	x := New([]Group{a, b, {}})
	if n := x.Get(must(t, "/npm/*")); n.Source() != "first" || len(x.Groups()) != 2 || n.Parent() != x.Get(Root()) || n.Name() != "/npm/* (first)" {
		t.Errorf("of two groups with one pattern the first does not count: %v", x.Groups())
	}
	if x.Get(must(t, "/pypi/*")) != nil || x.Get(Root()).Parent() != nil || x.Get(Root()).Name() != "/*" {
		t.Error("Get")
	}
	e := index(t, "/npm/*", "/npm/a/*").Get(must(t, "/npm/a/*")).Effective(Publish)
	if e.Mode != Allow || !e.From.Pattern().IsRoot() {
		t.Errorf("effective %+v", e)
	}
	if d := cmp.Diff(Closed(), x.Get(must(t, "/npm/*")).Controls()); d != "" {
		t.Error(d)
	}
	if got := fmt.Sprint(Ways()); got != "[PUBLISH EXTERNAL_UPSTREAM INTERNAL_UPSTREAM]" {
		t.Error(got)
	}
}

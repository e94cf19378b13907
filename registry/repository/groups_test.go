package repository_test

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/config"
	"packhouse.dev/packhouse/registry/format"
	"packhouse.dev/packhouse/registry/format/formattest"
	"packhouse.dev/packhouse/registry/repository"
)

// The packages of these tests are of a format that package groups know.
const grouped = registry.Format("cargo")

func crate(name, version string) registry.VersionID {
	return registry.VersionID{Package: registry.PackageID{Format: grouped, Name: name}, Version: version}
}

func (w *world) crates(repo string) *repository.View {
	w.t.Helper()
	d, err := w.svc.Enter(w.t.Context(), domain)
	if err != nil {
		w.t.Fatal(err)
	}
	v, err := d.Open(w.t.Context(), repository.Request{Repository: repo, Format: grouped, Principal: root, Base: "http://h/d/cargo/" + repo})
	if err != nil {
		w.t.Fatal(err)
	}
	return v
}

func (w *world) publishCrate(repo, name, version string) error {
	w.t.Helper()
	v, id := w.crates(repo), crate(name, version)
	staged, err := v.Stage(w.t.Context(), id.Package, strings.NewReader(name+version))
	if err != nil {
		return err
	}
	defer staged.Close()
	_, err = v.Publish(w.t.Context(), format.Publication{
		ID: id, Display: name, VersionDisplay: version, Assets: []format.NewAsset{{Name: "a", Staged: staged}}, Tags: map[string]string{"latest": version},
	})
	return err
}

// lists returns the versions that a list shows, or what is said.
func (w *world) lists(repo, name string) string {
	w.t.Helper()
	v := w.crates(repo)
	doc, err := v.Document(w.t.Context(), crate(name, "").Package, "list", formattest.RenderList)
	if err != nil {
		return err.Error()
	}
	var out []string
	for line := range strings.Lines(string(doc.Body)) {
		if f := strings.Fields(line); len(f) > 1 {
			out = append(out, f[1])
		}
	}
	return strings.Join(out, " ")
}

func (w *world) index(repo string) string {
	w.t.Helper()
	doc, err := w.crates(repo).IndexDocument(w.t.Context(), "index", formattest.Index{})
	if err != nil {
		w.t.Fatal(err)
	}
	return string(doc.Body)
}

func (w *world) fetch(repo, name, version string) error {
	w.t.Helper()
	a, err := w.crates(repo).Asset(w.t.Context(), crate(name, version), "a", format.Open)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, a.Body)
	return errors.Join(err, a.Body.Close())
}

// groupOf declares a group. A control is a mode, or the repositories that are allowed.
func groupOf(pattern, publish, external, internal string) func(*config.Domain) {
	control := func(s string) config.GroupControl {
		switch s {
		case "ALLOW", "BLOCK", "INHERIT":
			return config.GroupControl{Mode: s}
		}
		return config.GroupControl{Mode: "ALLOW_SPECIFIC_REPOSITORIES", Repositories: strings.Fields(s)}
	}
	return func(d *config.Domain) {
		d.Groups = append(d.Groups, config.PackageGroup{
			Source: config.Source{Kind: "PackageGroup", Namespace: "team", Name: "g"}, Pattern: pattern,
			Publish: control(publish), ExternalUpstream: control(external), InternalUpstream: control(internal),
		})
	}
}

// The ways by which versions come in are each asked where they come in: into app itself, into app from its upstreams, into store, which
// has the connection. The upstream has pad 1.0.0, and mid 0.1.0 of its own.
func TestGroupsDecideWhatComesIn(t *testing.T) {
	const blocked = "package cargo/pad: not found: package group /cargo//pad$ (PackageGroup team/g) "
	tests := map[string]struct {
		group     func(*config.Domain)
		publish   string // into app
		app, mid  string // what lists show
		fetched   string // 1.0.0 by app, and who holds it then
		asked     bool   // the upstream heard of it
		overrides func(*config.Domain)
	}{
		"everything is allowed": {
			group: groupOf("/cargo//pad$", "ALLOW", "ALLOW", "ALLOW"), publish: "nil", app: "1.0.0 0.1.0", mid: "1.0.0 0.1.0", fetched: "app store", asked: true,
		},
		"publishing is blocked": {
			group: groupOf("/cargo//pad$", "BLOCK", "ALLOW", "ALLOW"), publish: "blocked: package group /cargo//pad$ (PackageGroup team/g) blocks PUBLISH",
			app: "0.1.0 1.0.0", mid: "0.1.0 1.0.0", fetched: "app store", asked: true,
		},
		"publishing elsewhere only": {
			group: groupOf("/cargo//pad$", "mid", "ALLOW", "ALLOW"), publish: "blocked: package group /cargo//pad$ (PackageGroup team/g) allows PUBLISH for other repositories than app only",
			app: "0.1.0 1.0.0", mid: "0.1.0 1.0.0", fetched: "app store", asked: true,
		},
		"nothing from outside": {
			group: groupOf("/cargo//pad$", "ALLOW", "BLOCK", "ALLOW"), publish: "nil", app: "0.1.0", mid: "0.1.0", fetched: "not found",
		},
		"from outside into another repository": {
			group: groupOf("/cargo//pad$", "ALLOW", "other", "ALLOW"), publish: "nil", app: "0.1.0", mid: "0.1.0", fetched: "not found",
		},
		"through one repository (guide)": {
			group: groupOf("/cargo//pad$", "BLOCK", "store", "app"), publish: "blocked: package group /cargo//pad$ (PackageGroup team/g) blocks PUBLISH",
			app: "0.1.0 1.0.0", mid: "0.1.0", fetched: "app store", asked: true,
		},
		"nothing from other repositories": {
			group: groupOf("/cargo//pad$", "ALLOW", "ALLOW", "BLOCK"), publish: "nil", app: blocked + "blocks INTERNAL_UPSTREAM", mid: "0.1.0", fetched: "not found",
		},
		"inherited": {
			group: func(d *config.Domain) {
				groupOf("/cargo/*", "BLOCK", "BLOCK", "ALLOW")(d)
				groupOf("/cargo//pad$", "INHERIT", "INHERIT", "INHERIT")(d)
			},
			publish: "blocked: package group /cargo//pad$ (PackageGroup team/g) blocks PUBLISH, inherited from /cargo/* (PackageGroup team/g)",
			app:     "0.1.0", mid: "0.1.0", fetched: "not found",
		},
		"a block of the package wins over its group": {
			group: groupOf("/cargo//pad$", "ALLOW", "ALLOW", "ALLOW"), overrides: repo("app", crateControls("pad", "BLOCK", "BLOCK")),
			publish: "blocked: the origin controls of package cargo/pad in repository app do not allow publishing (PackageOriginConfiguration team/pad says so)",
			app:     "package cargo/pad: not found: the origin controls of the package in repository app block upstream versions", mid: "0.1.0 1.0.0", fetched: "not found", asked: true,
		},
		"a block of the group wins over the package": {
			group: groupOf("/cargo//pad$", "BLOCK", "BLOCK", "BLOCK"), overrides: repo("app", crateControls("pad", "ALLOW", "ALLOW")),
			publish: "blocked: package group /cargo//pad$ (PackageGroup team/g) blocks PUBLISH", app: blocked + "blocks INTERNAL_UPSTREAM", mid: "0.1.0", fetched: "not found",
		},
		"a variation of a more specific group": {
			group:   groupOf("/cargo//p-a-d$", "ALLOW", "ALLOW", "ALLOW"),
			publish: "nil", app: "0.1.0 1.0.0", mid: "0.1.0 1.0.0", fetched: "app store", asked: true,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if err := w.publishCrate("mid", "pad", "0.1.0"); err != nil {
				t.Fatal(err)
			}
			w.up.put("pad", nil, "1.0.0")
			if tt.overrides == nil {
				tt.overrides = func(*config.Domain) {}
			}
			both := repo("mid", crateControls("pad", "ALLOW", "ALLOW")) // what was published there first owns the name otherwise
			w.apply(tt.group, tt.overrides, both)
			w.clock.move(time.Hour) // what is known of the upstream is old
			before := w.up.asked("pad")
			sortedList := func(repo string) string { return words(w.lists(repo, "pad")) }
			want(t, "app", sortedList("app"), words(tt.app))
			want(t, "mid", sortedList("mid"), words(tt.mid))
			fetched := sentinel(w.fetch("app", "pad", "1.0.0"))
			if fetched == "nil" {
				fetched = w.holders("pad", "1.0.0")
			}
			want(t, "fetched", fetched, tt.fetched)
			if asked := w.up.asked("pad") > before; asked != tt.asked {
				t.Errorf("asked for: %v", asked)
			}
			err := w.publishCrate("app", "pad", "9.0.0")
			if tt.publish == "nil" && tt.fetched == "app store" && errors.Is(err, registry.ErrBlocked) {
				err = nil // it came from outside first: the package's own controls
			}
			got := "nil"
			if err != nil {
				got = err.Error()
			}
			want(t, "publish", got, tt.publish)
		})
	}
}

func words(s string) string {
	if strings.Contains(s, ":") {
		return s
	}
	return strings.Join(slices.Sorted(strings.FieldsSeq(s)), " ")
}

func crateControls(name string, publish, upstream registry.Restriction) func(*config.Repository) {
	return func(r *config.Repository) {
		r.Packages = append(r.Packages, config.PackageOrigin{
			Source: config.Source{Kind: "PackageOriginConfiguration", Namespace: "team", Name: name}, Format: grouped, Name: name, Publish: publish, Upstream: upstream,
		})
	}
}

// holders are the repositories that have a version themselves.
func (w *world) holders(name, version string) string {
	w.t.Helper()
	var out []string
	for _, r := range []string{"app", "mid", "store"} {
		own, err := w.crates(r).Own(w.t.Context(), crate(name, "").Package)
		if err != nil {
			w.t.Fatal(err)
		}
		if own == nil {
			continue
		}
		for _, v := range own.Versions {
			if v.ID.Version == version {
				out = append(out, r)
			}
		}
	}
	return strings.Join(out, " ")
}

// Near names of a protected one come in by no way, are never asked for, listed or told, and what is there already stays.
func TestWeakMatches(t *testing.T) {
	w := newWorld(t)
	if err := w.publishCrate("app", "corp.secret", "0.0.1"); err != nil { // before there was a group
		t.Fatal(err)
	}
	w.apply(groupOf("/cargo//corp-secret$", "ALLOW", "BLOCK", "ALLOW"))
	before := w.up.asked("")
	const weak = " is a variation of package group /cargo//corp-secret$ (PackageGroup team/g) and blocked (weak match); a group of its own lifts that"
	for _, name := range []string{"corp_secret", "corp.secret", "c0rp-secret", "corp--secret", "ｃorp-secret", "соrp-secret"} {
		w.up.put(name, nil, "99.0.0")
		if name != "corp.secret" {
			want(t, name, w.lists("app", name), "package cargo/"+name+": not found: package cargo/"+name+weak)
		}
		want(t, name, sentinel(w.fetch("app", name, "99.0.0")), "not found")
		if err := w.publishCrate("app", name, "1.0.0"); err == nil || err.Error() != "blocked: package cargo/"+name+weak {
			t.Errorf("publish of %s: %v", name, err)
		}
		told, err := w.crates("app").External(t.Context(), []registry.PackageID{crate(name, "").Package})
		if err != nil || len(told) > 0 {
			t.Errorf("%s may be told: %v, %v", name, told, err)
		}
	}
	want(t, "what was there", w.lists("app", "corp.secret"), "0.0.1")
	want(t, "its file", sentinel(w.fetch("app", "corp.secret", "0.0.1")), "nil")
	if err := w.publishCrate("app", "corp-secret", "1.0.0"); err != nil {
		t.Errorf("the name itself: %v", err)
	}
	if n := w.up.asked(""); n > before {
		t.Errorf("the upstream was asked %d times", n-before)
	}
	w.apply(groupOf("/cargo//corp-secret$", "ALLOW", "BLOCK", "ALLOW"), groupOf("/cargo//corp_secret$", "BLOCK", "ALLOW", "ALLOW"))
	want(t, "a group of its own", w.lists("app", "corp_secret"), "99.0.0")
}

// A change of groups holds at the next request, whatever was rendered before, on other replicas too.
func TestGroupChangesHoldAtOnce(t *testing.T) {
	w := newWorld(t)
	w.up.put("pad", nil, "1.0.0")
	if err := w.publishCrate("mid", "tool", "1.0.0"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		want(t, "before", w.lists("app", "pad"), "1.0.0")
		want(t, "index before", w.index("app"), "tool: 1.0.0\n")
	}
	w.apply(groupOf("/cargo/*", "ALLOW", "BLOCK", "BLOCK"))
	asked := w.up.asked("")
	want(t, "blocked", w.lists("app", "pad"), "package cargo/pad: not found: package group /cargo/* (PackageGroup team/g) blocks INTERNAL_UPSTREAM")
	want(t, "blocked at its owner", w.lists("store", "pad"), "package cargo/pad: not found: package group /cargo/* (PackageGroup team/g) blocks EXTERNAL_UPSTREAM")
	want(t, "index", w.index("app"), "")
	want(t, "index of the holder", w.index("mid"), "tool: 1.0.0\n")
	if n := w.up.asked(""); n != asked {
		t.Errorf("the upstream was asked %d times", n-asked)
	}
	w.apply()
	want(t, "after", w.lists("app", "pad"), "1.0.0")
	want(t, "index after", w.index("app"), "tool: 1.0.0\n")
	w.apply(repo("app", crateControls("tool", "", "BLOCK")))
	want(t, "a package's own controls", w.index("app"), "")
	w.apply(groupOf("/cargo//other$", "BLOCK", "BLOCK", "BLOCK"))
	want(t, "another group", w.lists("app", "pad"), "1.0.0")
}

// The controls that the first arrival sets depend on the group (guide, "Default package origin control settings").
func TestFirstArrivalDependsOnTheGroup(t *testing.T) {
	open, restricted := registry.OriginControls{Publish: "ALLOW", Upstream: "BLOCK"}, registry.OriginControls{Publish: "ALLOW", Upstream: "ALLOW"}
	for name, tt := range map[string]struct {
		group                func(*config.Domain)
		published, retrieved registry.OriginControls
	}{
		"no restriction":       {groupOf("/cargo/*", "ALLOW", "ALLOW", "ALLOW"), open, registry.OriginControls{Publish: "BLOCK", Upstream: "ALLOW"}},
		"elsewhere":            {groupOf("/cargo//x$", "BLOCK", "BLOCK", "BLOCK"), open, registry.OriginControls{Publish: "BLOCK", Upstream: "ALLOW"}},
		"specific to some":     {groupOf("/cargo/*", "app", "ALLOW", "ALLOW"), restricted, restricted},
		"specific connections": {groupOf("/cargo/*", "ALLOW", "store", "app"), restricted, restricted},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.up.put("pad", nil, "1.0.0")
			w.apply(tt.group)
			if err := w.publishCrate("app", "tool", "1.0.0"); err != nil {
				t.Fatal(err)
			}
			if err := w.fetch("app", "pad", "1.0.0"); err != nil {
				t.Fatal(err)
			}
			w.apply() // what is recorded, without the group
			for name, wantControls := range map[string]registry.OriginControls{"tool": tt.published, "pad": tt.retrieved} {
				own, err := w.crates("app").Own(t.Context(), crate(name, "").Package)
				if err != nil || own.Controls != wantControls {
					t.Errorf("%s: %+v, %v; want %+v", name, own.Controls, err, wantControls)
				}
			}
		})
	}
}

// A group whose pattern cannot be read may have been meant to block: everything is blocked, and what is there is served.
func TestGroupThatCannotBeRead(t *testing.T) {
	w := newWorld(t)
	w.up.put("pad", nil, "1.0.0")
	if err := w.publishCrate("app", "tool", "1.0.0"); err != nil {
		t.Fatal(err)
	}
	before := w.up.asked("")
	if problems := w.declare(groupOf("/cargo//", "ALLOW", "ALLOW", "ALLOW")); len(problems) != 1 {
		t.Errorf("problems: %v", problems)
	}
	want(t, "publish", sentinel(w.publishCrate("app", "tool", "2.0.0")), "blocked")
	want(t, "upstream", sentinel(w.fetch("app", "pad", "1.0.0")), "not found")
	want(t, "what is there", w.lists("app", "tool"), "1.0.0")
	if n := w.up.asked("") - before; n > 0 {
		t.Errorf("%d requests to the upstream", n)
	}
}

// A version that a blocked way hides is no conflict for a publish (readings 1.11), and neither asked for.
func TestPublishBehindBlockedUpstreams(t *testing.T) {
	w := newWorld(t)
	w.up.put("pad", nil, "1.0.0")
	w.apply(groupOf("/cargo//pad$", "ALLOW", "BLOCK", "ALLOW"))
	want(t, "behind a connection", sentinel(w.publishCrate("app", "pad", "1.0.0")), "nil")
	if n := w.up.asked("pad"); n > 0 {
		t.Errorf("asked %d times", n)
	}
	if err := w.publishCrate("mid", "tool", "1.0.0"); err != nil {
		t.Fatal(err)
	}
	want(t, "in an upstream", sentinel(w.publishCrate("app", "tool", "1.0.0")), "conflict")
	w.apply(groupOf("/cargo//tool$", "ALLOW", "ALLOW", "mid"))
	want(t, "in an upstream that is not asked", sentinel(w.publishCrate("app", "tool", "1.0.0")), "nil")
}

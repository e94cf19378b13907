package repository_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/config"
	"packhouse.dev/packhouse/registry/format"
	"packhouse.dev/packhouse/registry/format/formattest"
)

// The guide's "An external package version is published for an existing internal package" and readings 1.1: once a name is owned, no
// upstream is ever asked for it; a name that nothing blocks is asked for until its first publish.
func TestPrivateNamesStayPrivate(t *testing.T) {
	w := newWorld(t)
	w.mustPublish("app", "mine", "1.0.0", "x")
	if n := w.up.asked("mine"); n == 0 {
		t.Error("the first publish of a name that nothing blocks did not look upstream")
	}
	before := w.up.asked("mine")
	w.up.put("mine", map[string]string{"latest": "9.9.9"}, "9.9.9")
	w.clock.move(time.Hour)
	everything := func() {
		t.Helper()
		want(t, "list", w.list("app", "mine"), "mine 1.0.0 a\nlatest=1.0.0\n")
		for _, version := range []string{"1.0.0", "9.9.9"} {
			for _, asset := range []string{"a", "extra"} {
				_, err := readAsset(t.Context(), w.view("app"), "mine", version, asset)
				if (version == "1.0.0" && asset == "a") != (err == nil) {
					t.Errorf("%s of %s: %v", asset, version, err)
				}
			}
		}
		if _, err := w.publish("app", "mine", "9.9.9", "a", "x"); err != nil {
			t.Errorf("publish of a version that somebody has outside: %v", err)
		}
		if err := w.view("app").Delete(t.Context(), formattest.ID("mine", "9.9.9")); err != nil {
			t.Error(err)
		}
		if _, err := w.view("app").SetTags(t.Context(), formattest.ID("mine", "").Package, map[string]string{"latest": "1.0.0"}, nil); err != nil {
			t.Error(err)
		}
		if got, err := w.view("app").External(t.Context(), []registry.PackageID{formattest.ID("mine", "").Package}); err != nil || len(got) > 0 {
			t.Errorf("may be told outside: %v, %v", got, err)
		}
	}
	everything()
	if n := w.up.asked("mine"); n != before {
		t.Errorf("the upstream was asked %d times after the first publish", n-before)
	}
	// Also by the way of a downstream repository.
	w.apply(func(d *config.Domain) {
		d.Repositories = append(d.Repositories, config.Repository{Name: "down", Administrator: account, AdministratorUID: "ns", Upstreams: []string{"store", "app"}})
	})
	want(t, "list downstream", w.list("down", "mine"), "mine 1.0.0 a\nlatest=1.0.0\n")
	if n := w.up.asked("mine"); n != before {
		t.Error("the upstream was asked by the way of another repository")
	}
	// All versions deleted: the package and what it decided stay.
	if err := w.view("app").Delete(t.Context(), formattest.ID("mine", "1.0.0")); err != nil {
		t.Fatal(err)
	}
	want(t, "list of a package without versions", w.list("app", "mine"), "error: not found")
	if n := w.up.asked("mine"); n != before {
		t.Error("the upstream was asked when all versions were deleted")
	}
}

func TestBlockedBeforehand(t *testing.T) {
	w := newWorld(t)
	w.apply(repo("app", controls("secret", "ALLOW", "BLOCK")))
	w.up.put("secret", nil, "1.0.0")
	want(t, "list", w.list("app", "secret"), "error: not found")
	_, err := w.read("app", "secret", "1.0.0")
	want(t, "read", sentinel(err), "not found")
	w.mustPublish("app", "secret", "1.0.0", "mine")
	if body, err := w.read("app", "secret", "1.0.0"); body != "mine" || err != nil {
		t.Errorf("read %q, %v", body, err)
	}
	if n := w.up.asked("secret"); n != 0 {
		t.Errorf("the upstream was asked %d times", n)
	}
}

// The guide's three scenarios of package origin controls.
func TestOriginScenarios(t *testing.T) {
	t.Run("external version of an internal package", func(t *testing.T) {
		w := newWorld(t)
		w.mustPublish("app", "p", "1.0.0", "x")
		w.up.put("p", nil, "2.0.0")
		w.clock.move(time.Hour)
		want(t, "blocked", w.list("app", "p"), "p 1.0.0 a\nlatest=1.0.0\n")
		w.apply(repo("app", controls("p", "", "ALLOW")))
		want(t, "allowed by configuration", w.list("app", "p"), "p 1.0.0 a\np 2.0.0 a,b\nlatest=1.0.0\n")
		w.apply()
		want(t, "and back to what is recorded", w.list("app", "p"), "p 1.0.0 a\nlatest=1.0.0\n")
	})
	t.Run("internal version of an external package", func(t *testing.T) {
		w := newWorld(t)
		w.up.put("p", nil, "1.0.0")
		if _, err := w.read("app", "p", "1.0.0"); err != nil {
			t.Fatal(err)
		}
		_, err := w.publish("app", "p", "2.0.0", "a", "x")
		want(t, "blocked", sentinel(err), registry.ErrBlocked.Error())
		w.apply(repo("app", controls("p", "ALLOW", "")))
		if _, err := w.publish("app", "p", "2.0.0", "a", "x"); err != nil {
			t.Errorf("allowed by configuration: %v", err)
		}
		_, err = w.publish("app", "p", "1.0.0", "a", "x")
		want(t, "other bytes of a retained version", sentinel(err), registry.ErrAlreadyExists.Error())
	})
	t.Run("blocked upstream keeps what is retained", func(t *testing.T) {
		w := newWorld(t)
		w.up.put("p", nil, "1.0.0", "2.0.0")
		if _, err := w.read("app", "p", "1.0.0"); err != nil {
			t.Fatal(err)
		}
		w.apply(repo("app", controls("p", "", "BLOCK")))
		want(t, "list", w.list("app", "p"), "p 1.0.0 a,b\n")
		if _, err := w.read("app", "p", "1.0.0"); err != nil {
			t.Errorf("what is retained: %v", err)
		}
		_, err := w.read("app", "p", "2.0.0")
		want(t, "what is not", sentinel(err), "not found")
		// A block in between stops the path just as well.
		w.apply(repo("mid", controls("p", "", "BLOCK")))
		want(t, "block in between", w.list("app", "p"), "p 1.0.0 a,b\n")
	})
}

// The guide's "Publishing and upstream repositories", and readings 1.2.
func TestReachableUpstream(t *testing.T) {
	w := newWorld(t)
	w.up.put("p", nil, "1.0.0")
	_, err := w.publish("app", "p", "1.0.0", "a", "x")
	want(t, "in the connection", sentinel(err), registry.ErrConflict.Error())
	if err == nil || !strings.Contains(err.Error(), "public:toy") {
		t.Errorf("the error does not say where: %v", err)
	}
	w.mustPublish("mid", "q", "1.0.0", "x")
	w.apply(repo("mid", controls("q", "ALLOW", "ALLOW")))
	_, err = w.publish("app", "q", "1.0.0", "a", "y")
	want(t, "in an upstream repository", sentinel(err), registry.ErrConflict.Error())
	w.mustPublish("app", "q", "1.1.0", "y")

	t.Run("outage", func(t *testing.T) {
		w.list("app", "p") // a copy is there
		w.up.down.Store(true)
		_, err = w.publish("app", "p", "1.0.0", "a", "x")
		want(t, "an old copy that shows the version", sentinel(err), registry.ErrConflict.Error())
		if _, err := w.publish("app", "unknown", "1.0.0", "a", "x"); err != nil {
			t.Errorf("nobody can say: %v", err)
		}
		if !strings.Contains(w.log.String(), "upstreamNotAsked") {
			t.Error("the audit record does not say that the upstream was not asked")
		}
		w.apply(func(d *config.Domain) { d.Connections[0].DenyPublishUnavailable = true })
		_, err = w.publish("app", "careful", "1.0.0", "a", "x")
		want(t, "denied by configuration", sentinel(err), registry.ErrUnavailable.Error())
	})
}

// An upstream that hangs holds a publish for the guide's two seconds (here less), not for ever.
func TestHangingUpstream(t *testing.T) {
	w := newWorld(t)
	gate := make(chan struct{})
	t.Cleanup(func() { close(gate) }) // before the upstream is closed, which waits for its requests
	w.up.mu.Lock()
	w.up.stuck = gate
	w.up.mu.Unlock()
	start := time.Now()
	if _, err := w.publish("app", "p", "1.0.0", "a", "x"); err != nil {
		t.Errorf("publish: %v", err)
	}
	if took := time.Since(start); took < 200*time.Millisecond || took > 5*time.Second {
		t.Errorf("publish took %v", took)
	}
	if w.up.asked("toy.json") != 1 || !strings.Contains(w.log.String(), "upstreamNotAsked") {
		t.Errorf("asked %d times; log %s", w.up.asked("toy.json"), w.log.String())
	}
}

// Publish and ingestion of one name race; whoever is first decides, and the other is told.
func TestFirstArrivalRace(t *testing.T) {
	for round := range 5 {
		w := newWorld(t)
		gate := make(chan struct{})
		w.up.put("p", nil, "1.0.0")
		w.up.mu.Lock()
		w.up.hang = gate
		w.up.mu.Unlock()
		var wg sync.WaitGroup
		var published, read error
		wg.Go(func() { _, read = w.read("app", "p", "1.0.0") })
		wg.Go(func() {
			_, published = formattest.Publish(t.Context(), w.view("app"), "p", "2.0.0", "a", false, strings.NewReader("x"))
		})
		time.Sleep(time.Duration(round) * 3 * time.Millisecond)
		close(gate)
		wg.Wait()
		own, err := w.view("app").Own(t.Context(), formattest.ID("p", "").Package)
		if err != nil {
			t.Fatal(err)
		}
		internal := own != nil && own.Controls.Publish == registry.Allow
		switch {
		case own == nil:
			t.Errorf("nobody won: publish %v, read %v", published, read)
		case internal && published != nil:
			t.Errorf("the package is internal, and its publish failed: %v", published)
		case !internal && read != nil:
			t.Errorf("the package is external, and its download failed: %v", read)
		case !internal && published == nil:
			t.Errorf("published into an external package: %v", own.Controls)
		}
		for _, v := range own.Versions {
			if (v.Origin.Type == registry.Internal) != internal {
				t.Errorf("origins are mixed: %+v in a package with %+v", v.Origin, own.Controls)
			}
		}
	}
}

func TestExternalNames(t *testing.T) {
	w := newWorld(t)
	w.up.put("public", nil, "1.0.0")
	if _, err := w.read("app", "public", "1.0.0"); err != nil {
		t.Fatal(err)
	}
	w.mustPublish("mid", "private", "1.0.0", "x")
	var ids []registry.PackageID
	for _, n := range []string{"public", "private", "unknown"} {
		ids = append(ids, formattest.ID(n, "").Package)
	}
	got, err := w.view("app").External(t.Context(), append(ids, registry.PackageID{Format: "npm", Name: "public"}))
	if err != nil || len(got) != 1 || got[0].Name != "public" {
		t.Errorf("may be told outside: %v, %v", got, err)
	}
	_, err = w.view("app").Forward(t.Context(), format.PassThrough{Method: "POST", Path: "audit", Kind: "audit"})
	want(t, "no connection opted in", sentinel(err), "not found")
	w.apply(func(d *config.Domain) { d.Connections[0].ForwardAudit = true })
	w.up.mu.Lock()
	w.up.files["/audit"] = "{}"
	w.up.mu.Unlock()
	doc, err := w.view("app").Forward(t.Context(), format.PassThrough{Method: "POST", Path: "audit", Kind: "audit"})
	if err != nil || string(doc.Body) != "{}" {
		t.Errorf("forwarded: %+v, %v", doc, err)
	}
}

// A file that is announced at an address which is refused is no outage: clients need not try again, and are told who can help.
func TestRefusedAddress(t *testing.T) {
	w := newWorld(t)
	w.up.put("p", nil, "1.0.0")
	w.apply(func(d *config.Domain) { d.Connections[0].AllowPrivateAddresses = true })
	w.list("app", "p")
	w.apply(func(d *config.Domain) { d.Connections[0].AllowPrivateAddresses = false })
	_, err := w.read("app", "p", "1.0.0")
	want(t, "refused", sentinel(err), registry.ErrBlocked.Error())
	if err == nil || strings.Contains(err.Error(), "127.0.0.1") || !strings.Contains(err.Error(), "hosts") {
		t.Errorf("the client is told %v", err)
	}
}

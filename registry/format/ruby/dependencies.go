package ruby

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
)

// maxGems is how many gems one request of the dependencies API may name. Bundler sends fifty at a time.
const maxGems = 500

// Weigh implements format.Weigher: a request of the dependencies API counts for each gem that it names (user guide, "Quotas in AWS
// CodeArtifact").
func (Format) Weigh(r *http.Request) int {
	if a, err := parsePath(format.Rest(r)); err != nil || a.op != opDependencies {
		return 1
	}
	return 1 + strings.Count(r.URL.Query().Get("gems"), ",")
}

// dependencies serves the dependencies API: all versions of the gems that are asked for, marshalled. Bundler first asks for none, to
// see whether the API is there. Gems that are not there are left out.
func dependencies(w http.ResponseWriter, r *http.Request, repo format.Repository) error {
	var list []string
	if s := r.URL.Query().Get("gems"); s != "" {
		list = strings.Split(s, ",")
	}
	if len(list) > maxGems {
		return fmt.Errorf("%w: at most %d gems in one request", registry.ErrInvalid, maxGems)
	}
	if _, err := repo.External(r.Context(), nil); err != nil { // the list may name nothing that asks for the permission
		return err
	}
	var versions []*registry.Version
	for _, name := range list {
		id, err := names{}.Package("", name)
		if err != nil {
			continue
		}
		view, err := repo.Package(r.Context(), id)
		switch {
		case errors.Is(err, registry.ErrNotFound), errors.Is(err, registry.ErrBlocked):
			continue
		case err != nil:
			return err
		}
		versions = append(versions, view.Versions...)
	}
	m := newMarshaler()
	m.array(len(versions))
	for _, v := range versions {
		if err := m.entry(v); err != nil {
			return err
		}
	}
	write(w, r, http.StatusOK, "application/octet-stream", m.b)
	return nil
}

// entry writes a version as the dependencies API has it.
func (m *marshaler) entry(v *registry.Version) error {
	l, err := lineOf(v)
	if err != nil {
		return err
	}
	number, platform := splitVersion(v.ID.Version)
	m.hash(4)
	for _, f := range []struct{ key, value string }{{"name", v.ID.Package.Name}, {"number", number}, {"platform", platform}} {
		m.symbol(f.key)
		m.text(f.value)
	}
	m.symbol("dependencies")
	m.array(len(l.dependencies))
	for _, d := range l.dependencies {
		m.array(2)
		m.text(d.Name)
		m.text(strings.ReplaceAll(joined(d.Requirements, anyVersion), "&", ", "))
	}
	return nil
}

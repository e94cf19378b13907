package cargo

import (
	"fmt"
	"net/http"
	"strings"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
)

// publish serves "cargo publish". It answers when the crate is in the index: cargo looks there at once.
func publish(w http.ResponseWriter, r *http.Request, repo format.Repository) error {
	u, err := readFrame(r.Context(), repo, r.Body)
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	defer u.crate.Close()
	p, err := u.publication(repo.URL(""))
	if err != nil {
		return fmt.Errorf("publish %s@%s: %w", registry.Clip(u.Name), registry.Clip(u.Version), err)
	}
	if err := sameSpelling(r, repo, u); err != nil {
		return err
	}
	done, err := repo.Publish(r.Context(), *p)
	if err != nil {
		return err
	}
	var said []string
	if !done.Created {
		said = []string{fmt.Sprintf("%s@%s is there already, with the same bytes; nothing was changed", u.Name, u.Version)}
	}
	return writeJSON(w, r, http.StatusOK, published{Warnings: warnings{[]string{}, []string{}, append([]string{}, said...)}})
}

// published is the answer to a publish. Cargo prints what is in Other.
type published struct {
	Warnings warnings `json:"warnings"`
}

type warnings struct {
	InvalidCategories []string `json:"invalid_categories"`
	InvalidBadges     []string `json:"invalid_badges"`
	Other             []string `json:"other"`
}

// publication makes a version of an upload. The crate decides; the request must agree with it on name and version.
func (u *upload) publication(home string) (*format.Publication, error) {
	if err := checkNew(u.Name); err != nil {
		return nil, err
	}
	file := crateFile{ReaderAt: u.crate, size: u.crate.Size(), root: u.Name + "-" + u.Version}
	m, err := file.manifest()
	if err != nil {
		return nil, err
	}
	if m.name != u.Name || m.version != u.Version {
		return nil, fmt.Errorf("%w: Cargo.toml in the crate is that of %q %q", registry.ErrInvalid, registry.Clip(m.name), registry.Clip(m.version))
	}
	readme, err := file.readme(m)
	if err != nil {
		return nil, err
	}
	l, err := m.line(u.crate.Digests().SHA256, func(kind, target, name, at string) bool {
		return at != cratesIO && (sameIndex(at, home) || u.home(kind, target, name))
	})
	if err != nil {
		return nil, err
	}
	line, err := l.encode()
	if err != nil {
		return nil, err
	}
	d := m.description(readme)
	document, err := d.encode()
	if err != nil {
		return nil, err
	}
	return &format.Publication{
		ID: u.id, Display: u.Name, VersionDisplay: u.Version, Summary: d.summary(), Document: document,
		Assets: []format.NewAsset{{Name: assetName(u.Name, u.Version), Staged: u.crate, Info: line}},
	}, nil
}

// sameIndex compares addresses of sparse indexes.
func sameIndex(a, b string) bool {
	clean := func(s string) string { return strings.TrimSuffix(strings.TrimPrefix(s, "sparse+"), "/") }
	return clean(a) == clean(b)
}

// sameSpelling refuses a crate that differs from one in the repository only in letter case, or in "-" and "_": people mean the same by
// both, and so does crates.io.
func sameSpelling(r *http.Request, repo format.Reader, u *upload) error {
	conflict := func(has string) error {
		return fmt.Errorf("%w: the repository has this crate as %s; names that differ only in letter case or in \"-\" and \"_\" are the same", registry.ErrConflict, has)
	}
	own, err := repo.Own(r.Context(), u.id.Package)
	if err != nil {
		return err
	}
	if own != nil && len(own.Versions) > 0 {
		if own.Display != u.Name {
			return conflict(own.Display)
		}
		return nil
	}
	for _, name := range spellings(u.id.Package.Name) {
		other, err := names{}.Package("", name)
		if err != nil {
			return err
		}
		own, err := repo.Own(r.Context(), other)
		if err != nil {
			return err
		}
		if own != nil && len(own.Versions) > 0 {
			return conflict(own.Display)
		}
	}
	return nil
}

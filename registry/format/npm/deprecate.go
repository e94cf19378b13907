package npm

import (
	"errors"
	"fmt"
	"net/http"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
)

// maxDeprecation bounds the text of a deprecation in bytes: it stands in every list of versions.
const maxDeprecation = 8 << 10

// deprecate takes what clients send to change deprecations: the whole packument as they got it, edited. Only the deprecations that
// differ from what is shown count; every other field is ignored.
func deprecate(w http.ResponseWriter, r *http.Request, repo format.Repository, id registry.PackageID, u *upload) error {
	if !u.members["versions"] {
		return refusePut(r, u)
	}
	own, err := repo.Own(r.Context(), id)
	if err != nil {
		return err
	}
	shown, err := repo.Package(r.Context(), id)
	if err != nil && !errors.Is(err, registry.ErrNotFound) {
		return err
	}
	edits, known, err := deprecations(id, u.versions, versionsOf(own), versionsOf(shown))
	if err != nil {
		return err
	}
	if !known {
		return fmt.Errorf("%w: the request has no tarball, and %s has none of the versions in it", registry.ErrInvalid, fullName(id))
	}
	if len(edits) > 0 {
		if err := repo.Edit(r.Context(), id, edits); err != nil {
			return err
		}
	}
	return writeJSON(w, r, http.StatusOK, ok(id))
}

func versionsOf(view *format.PackageView) []*registry.Version {
	if view == nil {
		return nil
	}
	return view.Versions
}

// deprecations are the edits that make own's deprecations those of the claims. Versions that nobody has are ignored; known says
// whether there is any other. A change of a version that only an upstream has is ErrNotFound: it is not ours to change.
func deprecations(id registry.PackageID, claims []claim, own, shown []*registry.Version) (edits []format.Edit, known bool, err error) {
	ours, theirs := index(own), index(shown)
	for _, c := range claims {
		key, err := names{}.Version(c.key)
		if err != nil {
			continue
		}
		mine, seen := ours[key], theirs[key]
		if mine == nil && seen == nil {
			continue
		}
		known = true
		if c.deprecated == nil {
			continue
		}
		said := *c.deprecated
		if len(said) > maxDeprecation {
			return nil, true, fmt.Errorf("%w: the deprecation of %s has more than %d bytes", registry.ErrInvalid, key, maxDeprecation)
		}
		switch {
		case mine != nil && deprecation(mine.Flags) != said:
			edits = append(edits, format.Edit{Version: key, Flags: func([]byte) ([]byte, error) { return flagsOf(said), nil }})
		case mine == nil && deprecation(seen.Flags) != said:
			return nil, true, fmt.Errorf("%w: %s@%s is in an upstream of this repository, not in the repository itself; deprecate it there",
				registry.ErrNotFound, fullName(id), key)
		}
	}
	return edits, known, nil
}

func index(list []*registry.Version) map[string]*registry.Version {
	out := make(map[string]*registry.Version, len(list))
	for _, v := range list {
		out[v.ID.Version] = v
	}
	return out
}

// refusePut answers a PUT without versions: "npm star" and "npm owner" send such.
func refusePut(r *http.Request, u *upload) error {
	switch {
	case u.members["users"]:
		return refuse(r, "star")
	case u.members["maintainers"]:
		return refuse(r, "owner")
	}
	return fmt.Errorf("%w: the request has neither a tarball nor versions", registry.ErrInvalid)
}

package npm

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
)

// editTags serves the writes of "npm dist-tag": PUT and DELETE of one tag, and of all tags with a map (POST adds, PUT replaces), as
// older clients do. Tags are this repository's own; an upstream that has the same tag wins (guide, "npm tags and upstream
// repositories"), which the client is told.
func editTags(w http.ResponseWriter, r *http.Request, repo format.Repository, a address) error {
	set, remove, err := tagEdits(w, r, repo, a)
	if err != nil {
		return err
	}
	shadowed, err := repo.SetTags(r.Context(), a.id, set, remove)
	if err != nil {
		return err
	}
	noticeShadowed(w, a.id, shadowed)
	return writeJSON(w, r, http.StatusOK, ok(a.id))
}

func tagEdits(w http.ResponseWriter, r *http.Request, repo format.Repository, a address) (set map[string]string, remove []string, err error) {
	if r.Method == http.MethodDelete && a.op == opTag {
		return removal(r, repo, a)
	}
	if r.Method != http.MethodPut && (r.Method != http.MethodPost || a.op == opTag) {
		return nil, nil, fmt.Errorf("%w: %s of tags", registry.ErrUnsupported, r.Method)
	}
	body, err := readSmall(w, r, 1<<20)
	if err != nil {
		return nil, nil, err
	}
	asked := map[string]string{}
	switch {
	case a.op == opTag && isString(body):
		asked[a.spec] = text(body)
	case a.op == opTags && isObject(body):
		for tag, raw := range members(body) {
			asked[tag] = text(raw)
		}
	default:
		return nil, nil, fmt.Errorf("%w: the request must be a version, as a JSON string, or an object of tags and versions", registry.ErrInvalid)
	}
	set = map[string]string{}
	for tag, raw := range asked {
		if err := checkTag(tag); err != nil {
			return nil, nil, err
		}
		if set[tag], err = (names{}).Version(raw); err != nil {
			return nil, nil, err
		}
	}
	if a.op == opTags && r.Method == http.MethodPut {
		own, err := repo.Own(r.Context(), a.id)
		if err != nil {
			return nil, nil, err
		}
		remove = replaced(own, set)
	}
	return set, remove, nil
}

// replaced are the tags that a map leaves out. "latest" stays: without it nothing installs.
func replaced(own *format.PackageView, set map[string]string) []string {
	if own == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Sorted(maps.Keys(own.Tags)), func(tag string) bool {
		_, kept := set[tag]
		return kept || tag == latest
	})
}

func removal(r *http.Request, repo format.Repository, a address) (map[string]string, []string, error) {
	if a.spec == latest {
		return nil, nil, fmt.Errorf("%w: the tag \"latest\" cannot be removed, only moved", registry.ErrInvalid)
	}
	own, err := repo.Own(r.Context(), a.id)
	if err != nil {
		return nil, nil, err
	}
	if own == nil || own.Tags[a.spec] == "" {
		return nil, nil, fmt.Errorf("%w: %s has no tag %q in this repository itself", registry.ErrNotFound, fullName(a.id), registry.Clip(a.spec))
	}
	return nil, []string{a.spec}, nil
}

// noticeShadowed tells of tags that were written and will not be seen. npm prints the header.
func noticeShadowed(w http.ResponseWriter, id registry.PackageID, tags []string) {
	if len(tags) == 0 {
		return
	}
	tags = slices.Sorted(slices.Values(tags))
	w.Header().Set("Npm-Notice", fmt.Sprintf("An upstream of this repository has the same tag of %s and wins (%s): clients see the upstream's version, so install yours by its number.",
		fullName(id), strings.Join(tags, ", ")))
}

package cargo

import (
	"errors"
	"fmt"
	"net/http"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
)

// setYanked serves "cargo yank" and "cargo yank --undo". A yanked version is Unlisted: lock files that name it go on working.
func setYanked(w http.ResponseWriter, r *http.Request, repo format.Repository, a address, yanked bool) error {
	id, err := a.versionID()
	if err != nil {
		return err
	}
	from, to := registry.Published, registry.Unlisted
	if !yanked {
		from, to = to, from
	}
	err = repo.Edit(r.Context(), id.Package, []format.Edit{{Version: id.Version, Status: to, Mark: true, IfStatus: from}})
	if errors.Is(err, registry.ErrStale) { // that of an archived version, say, is not for cargo to change
		err = already(r, repo, id, to, err)
	}
	if errors.Is(err, registry.ErrNotFound) {
		return fmt.Errorf("%w: %s@%s is not in this repository itself; what comes from an upstream is yanked there", registry.ErrNotFound, a.name, id.Version)
	}
	if err != nil {
		return err
	}
	return writeJSON(w, r, http.StatusOK, struct {
		OK bool `json:"ok"`
	}{true})
}

// already turns the error of an edit into none if the version has the status that was asked for.
func already(r *http.Request, repo format.Reader, id registry.VersionID, status registry.Status, stale error) error {
	own, err := repo.Own(r.Context(), id.Package)
	if err != nil {
		return err
	}
	if own != nil {
		for _, v := range own.Versions {
			if v.ID == id && v.Status == status {
				return nil
			}
		}
	}
	return stale
}

package ruby

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
)

// fileLookup registers versions under their full names, in lower case: the file names of "a-1" 2 and of "a" 1 for the platform "2" are
// the same.
const fileLookup = "file"

// maxForm bounds the form of a yank, in bytes.
const maxForm = 16 << 10

// push serves "gem push".
func push(w http.ResponseWriter, r *http.Request, repo format.Repository) error {
	body, err := gemBody(r)
	if err != nil {
		return err
	}
	gem, err := repo.Stage(r.Context(), registry.PackageID{}, body)
	if err != nil {
		return fmt.Errorf("push: %w", err)
	}
	defer gem.Close()
	p, err := publication(gem)
	if err != nil {
		return fmt.Errorf("push: %w", err)
	}
	if err := freeName(r, repo, p.ID); err != nil {
		return err
	}
	done, err := repo.Publish(r.Context(), *p)
	if err != nil {
		return err
	}
	if !done.Created {
		writeText(w, r, http.StatusOK, fmt.Sprintf("%s (%s) is there already, with the same bytes; nothing was changed\n", p.Display, p.VersionDisplay))
		return nil
	}
	writeText(w, r, http.StatusOK, fmt.Sprintf("Successfully registered gem: %s (%s)\n", p.Display, p.VersionDisplay))
	return nil
}

// gemBody is the gem of a push: the body, or, when attestations come with it, the part "gem" of it.
func gemBody(r *http.Request) (io.Reader, error) {
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" {
		return r.Body, nil // clients have sent all kinds of types
	}
	parts := multipart.NewReader(r.Body, params["boundary"])
	for range maxEntries {
		p, err := parts.NextRawPart()
		if err != nil {
			break
		}
		if p.FormName() == "gem" {
			return p, nil
		}
	}
	return nil, fmt.Errorf("%w: the form has no part \"gem\"", registry.ErrInvalid)
}

// publication makes a version of a gem file.
func publication(gem format.Staged) (*format.Publication, error) {
	s, err := readGem(gem, gem.Size())
	if err != nil {
		return nil, err
	}
	id, err := s.id()
	if err != nil {
		return nil, err
	}
	document, err := s.encode()
	if err != nil {
		return nil, err
	}
	line := s.line(id.Version, gem.Digests().SHA256)
	if _, err := parseLine(line); err != nil {
		return nil, fmt.Errorf("the gem's dependencies: %w", err)
	}
	return &format.Publication{
		ID: id, Display: s.Name, VersionDisplay: id.Version, Summary: s.Summary, Document: document,
		Assets:  []format.NewAsset{{Name: fileName(id), Staged: gem, Info: []byte(line)}},
		Lookups: []format.Lookup{{Kind: fileLookup, Key: strings.ToLower(fullName(s.Name, id.Version))}},
	}, nil
}

// freeName refuses a gem whose file would have the name of another one's, be it in other letter case.
func freeName(r *http.Request, repo format.Reader, id registry.VersionID) error {
	same, err := repo.Find(r.Context(), fileLookup, strings.ToLower(fullName(id.Package.Name, id.Version)))
	if err != nil {
		return err
	}
	for _, other := range same {
		if other != id {
			return fmt.Errorf("%w: the repository has %s, whose file has the same name but for letter case", registry.ErrConflict, fullName(other.Package.Name, other.Version))
		}
	}
	return nil
}

// setYanked serves "gem yank", for one platform of a version. A yanked version is Unlisted: no index has it, and whoever knows the
// address of the gem still gets it.
func setYanked(w http.ResponseWriter, r *http.Request, repo format.Repository, yanked bool) error {
	id, err := yankForm(r)
	if err != nil {
		return err
	}
	from, to, done := registry.Published, registry.Unlisted, "deleted"
	if !yanked {
		from, to, done = to, from, "restored"
	}
	err = repo.Edit(r.Context(), id.Package, []format.Edit{{Version: id.Version, Status: to, IfStatus: from}})
	if errors.Is(err, registry.ErrStale) { // that of an archived version, say, is not for gem to change
		err = already(r, repo, id, to, err)
	}
	if errors.Is(err, registry.ErrNotFound) {
		return fmt.Errorf("%w: %s (%s) is not in this repository itself; what comes from an upstream is yanked there", registry.ErrNotFound, id.Package.Name, id.Version)
	}
	if err != nil {
		return err
	}
	writeText(w, r, http.StatusOK, fmt.Sprintf("Successfully %s gem: %s (%s)\n", done, id.Package.Name, id.Version))
	return nil
}

// yankForm reads which version is meant from a form in the body, or, as old clients send it, in the address.
func yankForm(r *http.Request) (registry.VersionID, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxForm))
	if err != nil {
		return registry.VersionID{}, fmt.Errorf("%w: the form: %w", registry.ErrInvalid, err)
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return registry.VersionID{}, fmt.Errorf("%w: the form: %w", registry.ErrInvalid, err)
	}
	if form.Get("gem_name") == "" {
		form = r.URL.Query()
	}
	id, err := names{}.Package("", form.Get("gem_name"))
	if err != nil {
		return registry.VersionID{}, err
	}
	number := strings.ReplaceAll(form.Get("version"), "-", ".pre.")
	key, err := versionKey(number, form.Get("platform"))
	return registry.VersionID{Package: id, Version: key}, err
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

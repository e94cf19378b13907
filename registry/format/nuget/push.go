package nuget

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
)

// push serves "dotnet nuget push" (https://learn.microsoft.com/nuget/api/package-publish-resource#push-a-package).
func push(w http.ResponseWriter, r *http.Request, repo format.Repository) error {
	file, err := stage(r, repo)
	if err != nil {
		return fmt.Errorf("push: %w", err)
	}
	defer file.Close()
	p, err := publication(file)
	if err != nil {
		return fmt.Errorf("push: %w", err)
	}
	done, err := repo.Publish(r.Context(), *p)
	if err != nil {
		return err
	}
	return accepted(w, r, done)
}

// accepted answers a push. The same bytes again are no error: a client whose connection broke tries again.
func accepted(w http.ResponseWriter, r *http.Request, done *format.Published) error {
	status := http.StatusCreated
	if !done.Created {
		status = http.StatusOK
		w.Header().Set("X-NuGet-Warning", done.Version.ID.String()+" is there already, with the same bytes; nothing was changed")
	}
	return writeJSON(w, r, status, struct{}{})
}

// stage takes the file of a push: the first part of a form, or the body itself, as curl sends it.
func stage(r *http.Request, repo format.Publisher) (format.Staged, error) {
	var body io.Reader = r.Body
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err == nil && kind == "multipart/form-data" {
		part, err := multipart.NewReader(r.Body, params["boundary"]).NextRawPart()
		if err != nil {
			return nil, fmt.Errorf("%w: the form has no part with a package", registry.ErrInvalid)
		}
		body = part
	}
	return repo.Stage(r.Context(), registry.PackageID{}, body)
}

// publication makes a version of a package file.
func publication(file format.Staged) (*format.Publication, error) {
	m, readme, err := readPackage(file, file.Size())
	if err != nil {
		return nil, err
	}
	id, err := m.versionID()
	if err != nil {
		return nil, err
	}
	m.entry.HasIcon, m.entry.HasLicense = m.icon != "", m.license != ""
	info, err := json.Marshal(m.entry)
	if err != nil {
		return nil, err
	}
	document, err := m.document(readme)
	if err != nil {
		return nil, err
	}
	return &format.Publication{
		ID: id, Display: m.id, VersionDisplay: m.version.full(), Summary: m.entry.about(), Document: document,
		Assets: []format.NewAsset{{Name: assetName(id, packageExtension), Staged: file, Info: info}},
	}, nil
}

// pushSymbols serves the push of a .snupkg, which dotnet sends right after the package
// (https://learn.microsoft.com/nuget/api/symbol-package-publish-resource). It is stored as it is; the package must be here.
func pushSymbols(w http.ResponseWriter, r *http.Request, repo format.Repository) error {
	file, err := stage(r, repo)
	if err != nil {
		return fmt.Errorf("push of symbols: %w", err)
	}
	defer file.Close()
	m, _, err := readPackage(file, file.Size())
	if err != nil {
		return fmt.Errorf("push of symbols: %w", err)
	}
	id, err := m.versionID()
	if err != nil {
		return err
	}
	v, err := own(r, repo, id)
	if err != nil {
		return err
	}
	if v == nil {
		return fmt.Errorf("%w: package %s is not in this repository itself; push the .nupkg before its .snupkg", registry.ErrNotFound, id)
	}
	e, err := entryOf(v)
	if err != nil {
		return err
	}
	done, err := repo.Publish(r.Context(), format.Publication{
		ID: id, Display: e.ID, VersionDisplay: v.Display, Summary: e.about(), Document: v.Document,
		Assets: []format.NewAsset{{Name: assetName(id, symbolExtension), Staged: file}},
	})
	if err != nil {
		return err
	}
	return accepted(w, r, done)
}

func (m *manifest) versionID() (registry.VersionID, error) {
	id, err := names{}.Package("", m.id)
	return registry.VersionID{Package: id, Version: m.version.key()}, err
}

// own finds a version that this very repository holds; nil if there is none.
func own(r *http.Request, repo format.Reader, id registry.VersionID) (*registry.Version, error) {
	p, err := repo.Own(r.Context(), id.Package)
	if err != nil || p == nil {
		return nil, err
	}
	for _, v := range p.Versions {
		if v.ID == id && v.Asset(assetName(id, packageExtension)) != nil {
			return v, nil
		}
	}
	return nil, nil
}

// setListed serves "dotnet nuget delete", which unlists, and its opposite. Restores of a version that is not listed go on working.
func setListed(w http.ResponseWriter, r *http.Request, repo format.Repository, t target, list bool) error {
	id := registry.VersionID{Package: t.id, Version: t.version}
	from, to, status := registry.Published, registry.Unlisted, http.StatusNoContent
	if list {
		from, to, status = to, from, http.StatusOK
	}
	// To list again is a change of metadata; to unlist, one of the status (readings 3.6).
	err := repo.Edit(r.Context(), id.Package, []format.Edit{{Version: id.Version, Status: to, Mark: list, IfStatus: from}})
	if errors.Is(err, registry.ErrStale) { // that of an archived version, say, is not for NuGet to change
		v, ownErr := own(r, repo, id)
		if ownErr != nil {
			return ownErr
		}
		if v != nil && v.Status == to {
			err = nil
		}
	}
	if errors.Is(err, registry.ErrNotFound) {
		return fmt.Errorf("%w: %s is not in this repository itself; what comes from an upstream is unlisted there", registry.ErrNotFound, id)
	}
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	return nil
}

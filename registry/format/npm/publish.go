package npm

import (
	"fmt"
	"io"
	"net/http"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
)

// put serves PUT of a package: a publish if the body has a tarball, else an edit of deprecations. What decides is the tarball, never
// another field: a publish that was taken for an edit, or the reverse, has lost packages elsewhere.
func put(w http.ResponseWriter, r *http.Request, repo format.Repository, id registry.PackageID) error {
	body, err := requestBody(w, r, maxRequest)
	if err != nil {
		return err
	}
	u, err := readUpload(r.Context(), repo, id, body)
	defer u.close()
	if err != nil {
		return fmt.Errorf("put %s: %w", fullName(id), err)
	}
	if u.tarball == nil {
		return deprecate(w, r, repo, id, u)
	}
	p, err := publication(id, u)
	if err != nil {
		return fmt.Errorf("publish %s: %w", fullName(id), err)
	}
	done, err := repo.Publish(r.Context(), *p)
	if err != nil {
		return err
	}
	noticeShadowed(w, id, done.ShadowedTags)
	status := http.StatusOK
	if done.Created {
		status = http.StatusCreated
	}
	return writeJSON(w, r, status, ok(id))
}

// ok is what CouchDB answered; clients look at the status only.
func ok(id registry.PackageID) []byte {
	var o object
	o.raw("ok", []byte("true"))
	o.text("id", fullName(id))
	return o.bytes()
}

// publication checks the upload and makes a version of its tarball: URL, body and tarball must agree on name and version, digests and
// length must be those of the bytes. Everything else is read from the tarball.
func publication(id registry.PackageID, u *upload) (*format.Publication, error) {
	if err := checkNew(id); err != nil {
		return nil, err
	}
	if u.name != fullName(id) {
		return nil, fmt.Errorf("%w: the address names %s and the request %q", registry.ErrInvalid, fullName(id), registry.Clip(u.name))
	}
	if len(u.versions) != 1 {
		return nil, fmt.Errorf("%w: the request has %d versions; publish exactly one", registry.ErrInvalid, len(u.versions))
	}
	c := u.versions[0]
	key, err := names{}.Version(c.key)
	if err != nil {
		return nil, err
	}
	if k, err := (names{}).Version(c.version); err != nil || k != key || c.name != fullName(id) {
		return nil, fmt.Errorf("%w: the version %q in the request says that it is %q of %q", registry.ErrInvalid, registry.Clip(c.key), registry.Clip(c.version), registry.Clip(c.name))
	}
	if u.length >= 0 && u.length != u.tarball.Size() {
		return nil, fmt.Errorf("%w: the tarball has %d bytes and the request says %d", registry.ErrInvalid, u.tarball.Size(), u.length)
	}
	if algorithm := u.tarball.Digests().Conflict(c.want); algorithm != "" {
		return nil, fmt.Errorf("%w: the %s of the tarball is not what the request says", registry.ErrInvalid, algorithm)
	}
	tags, err := publishTags(u.tags, key)
	if err != nil {
		return nil, err
	}
	m, summary, err := hostedManifest(id, key, u.tarball, c)
	if err != nil {
		return nil, err
	}
	p := &format.Publication{
		ID: registry.VersionID{Package: id, Version: key}, Display: fullName(id), VersionDisplay: key, Summary: summary,
		Assets: []format.NewAsset{{Name: tarballName(id, key), Staged: u.tarball, Want: c.want}}, Document: m.encode(), Tags: tags,
	}
	if u.provenance != nil {
		if _, err := readStaged(u.provenance); err != nil {
			return nil, fmt.Errorf("provenance bundle: %w", err)
		}
		p.Assets = append(p.Assets, format.NewAsset{Name: id.Name + "-" + key + provenanceExtension, Staged: u.provenance, Hidden: true})
	}
	return p, nil
}

// readStaged reads a small staged JSON document.
func readStaged(s format.Staged) ([]byte, error) {
	b, err := io.ReadAll(io.NewSectionReader(s, 0, s.Size()))
	if err != nil {
		return nil, err
	}
	return parseJSON(b)
}

// publishTags are the tags that the request sets to the version it publishes.
func publishTags(asked map[string]string, key string) (map[string]string, error) {
	if len(asked) == 0 {
		return map[string]string{latest: key}, nil
	}
	out := map[string]string{}
	for tag, raw := range asked {
		if err := checkTag(tag); err != nil {
			return nil, err
		}
		if k, err := (names{}).Version(raw); err != nil || k != key {
			return nil, fmt.Errorf("%w: the tag %q names %q, which is not the version that is published", registry.ErrInvalid, tag, registry.Clip(raw))
		}
		out[tag] = key
	}
	return out, nil
}

package pypi

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
)

// publish serves the upload form: one file, which makes a version or is added to one.
func (f Format) publish(w http.ResponseWriter, r *http.Request, repo format.Repository) error {
	u, err := readUpload(r.Context(), repo, r)
	defer u.close()
	if err != nil {
		return fmt.Errorf("upload: %w", err)
	}
	if u.action == actionRegister && u.staged == nil {
		return say(w, "nothing has to be registered: upload files\n")
	}
	if err := u.check(); err != nil {
		return fmt.Errorf("upload: %w", err)
	}
	p, m, err := publication(u, f.now())
	if err != nil {
		return fmt.Errorf("upload of %s: %w", registry.Clip(u.file), err)
	}
	if m != nil {
		side, err := repo.Stage(r.Context(), p.ID.Package, bytes.NewReader(m))
		if err != nil {
			return err
		}
		defer side.Close()
		p.Assets = append(p.Assets, format.NewAsset{Name: u.file + metadataExtension, Staged: side, Hidden: true})
	}
	if _, err := repo.Publish(r.Context(), *p); err != nil {
		if errors.Is(err, registry.ErrAlreadyExists) {
			// twine --skip-existing, poetry and flit know a repetition by these words.
			return fmt.Errorf("File already exists (%s): %w", u.file, err) //nolint:staticcheck // a capital letter, as pypi.org has it
		}
		return err
	}
	return say(w, "OK\n")
}

func say(w http.ResponseWriter, text string) error {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = io.WriteString(w, text) // the client is gone; there is nobody to tell
	return nil
}

// publication makes a version of an uploaded file: its name, its metadata and the form must agree on project and version. metadata is
// METADATA of a wheel, nil for a source archive, whose metadata may still change when it is built.
func publication(u *upload, now time.Time) (p *format.Publication, metadata []byte, err error) {
	id, err := names{}.Package("", u.name)
	if err != nil {
		return nil, nil, err
	}
	f, err := checkUpload(id.Name, u.file)
	if err != nil {
		return nil, nil, err
	}
	if err := checkKind(u.kind, f.kind); err != nil {
		return nil, nil, err
	}
	raw, err := readMetadata(u.staged, u.file, f)
	if err != nil {
		return nil, nil, err
	}
	m, err := parseMetadata(raw)
	if err != nil {
		return nil, nil, err
	}
	name, text, err := m.identity()
	if err != nil {
		return nil, nil, err
	}
	if own, err := (names{}).Package("", name); err != nil || own != id {
		return nil, nil, fmt.Errorf("%w: the form is for %s, and the metadata in the file for %q", registry.ErrInvalid, id.Name, registry.Clip(name))
	}
	v, ok := parseVersion(text)
	if !ok {
		return nil, nil, fmt.Errorf("%w: %q in the metadata of the file is not a version by PEP 440", registry.ErrInvalid, registry.Clip(text))
	}
	for _, said := range []struct{ where, version string }{{"form", u.version}, {"file name", f.version}} {
		if !sameVersion(said.version, text) {
			return nil, nil, fmt.Errorf("%w: the %s says version %q, and the metadata in the file %q", registry.ErrInvalid, said.where, registry.Clip(said.version), registry.Clip(text))
		}
	}
	at := now.UTC().Truncate(time.Microsecond)
	p = &format.Publication{
		ID: registry.VersionID{Package: id, Version: v.key()}, Display: name, VersionDisplay: v.String(), Summary: summaryOf(m), Document: document(m),
		Assets: []format.NewAsset{{
			Name: u.file, Staged: u.staged, Want: u.want, Info: fileInfo{RequiresPython: m.requiresPython(), UploadTime: &at}.encode(),
		}},
	}
	if f.kind != wheel {
		raw = nil
	}
	return p, raw, nil
}

// checkKind compares the form's "filetype" with the file's name.
func checkKind(said string, k kind) error {
	if said == "" || said == "bdist_wheel" && k == wheel || said == "sdist" && k == source {
		return nil
	}
	return fmt.Errorf("%w: filetype %q does not go with the name of the file", registry.ErrInvalid, registry.Clip(said))
}

// readMetadata checks a file and reads its core metadata, byte for byte.
func readMetadata(s format.Staged, file string, f fileName) ([]byte, error) {
	if f.kind == wheel {
		return wheelMetadata(s, s.Size(), f)
	}
	_, extension, _ := cutExtension(file)
	return sourceMetadata(s, s.Size(), extension)
}

// Extract implements format.Extractor: lists of upstreams say little of a version; its files say all. Files of an upstream are not
// judged here: what cannot be read says nothing.
func (Format) Extract(id registry.VersionID, name string, s format.Staged) ([]byte, error) {
	raw, err := extract(id, name, s)
	if errors.Is(err, registry.ErrInvalid) || errors.Is(err, registry.ErrTooLarge) {
		return nil, nil
	}
	if err != nil || raw == nil {
		return nil, err
	}
	m, err := parseMetadata(raw)
	if err != nil {
		return nil, nil //nolint:nilerr // see above
	}
	if own, _, err := m.identity(); err != nil || normalised(own) != id.Package.Name {
		return nil, nil //nolint:nilerr // see above
	}
	return document(m), nil
}

func extract(id registry.VersionID, name string, s format.Staged) ([]byte, error) {
	f, ok := parseFileName(id.Package.Name, name)
	_, extension, _ := cutExtension(name)
	if !ok || f.kind == other || f.kind == source && extension != ".tar.gz" && extension != ".tgz" && extension != ".zip" {
		return nil, nil
	}
	return readMetadata(s, name, f)
}

package maven

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
)

// putFile stores one file. Its version is made Unfinished by the first and stays so until metadata names it; a finished version stays
// finished.
func putFile(w http.ResponseWriter, r *http.Request, repo format.Repository, a address) error {
	if a.literal {
		return fmt.Errorf("%w: %s: snapshots are published as builds, such as %s; files that are named for the snapshot itself would be overwritten each time (uniqueVersion=false)",
			registry.ErrInvalid, a.file, a.id.Name+"-"+strings.TrimSuffix(a.version, snapshotSuffix)+"-20210728.194552-1.jar")
	}
	staged, err := repo.Stage(r.Context(), a.id, r.Body)
	if err != nil {
		return err
	}
	defer staged.Close()
	p := format.Publication{
		ID: registry.VersionID{Package: a.id, Version: a.version}, Display: a.id.Name, VersionDisplay: a.version, Status: registry.Unfinished,
	}
	asset := format.NewAsset{Name: a.file, Staged: staged, Want: announced(r.Header)}
	i := inspected(p.ID, a.file, staged)
	if i != nil {
		p.Summary = i.Summary
		if i.Prefix != "" {
			p.Tags = map[string]string{prefixTag + i.Prefix: a.version}
		}
		if asset.Info, err = i.encode(); err != nil {
			return err
		}
	}
	p.Assets = []format.NewAsset{asset}
	done, err := repo.Publish(r.Context(), p)
	if err != nil {
		return err
	}
	return created(w, done.Created)
}

// announced are the checksums that some clients send along.
func announced(h http.Header) (d registry.Digests) {
	for _, alg := range algorithms() {
		known := registry.ParseDigest(string(alg) + ":" + strings.ToLower(strings.TrimSpace(h.Get(alg.header()))))
		d.MD5, d.SHA1, d.SHA256, d.SHA512 = d.MD5+known.MD5, d.SHA1+known.SHA1, d.SHA256+known.SHA256, d.SHA512+known.SHA512
	}
	return d
}

// inspected reads what is kept beside a file: of the POM of a version, and of its jar if that is a Maven plugin. Nobody promised that
// they can be read: what cannot says nothing.
func inspected(id registry.VersionID, name string, file format.Staged) *info {
	var out *info
	var err error
	switch name {
	case mainFile(id, ".pom"):
		if file.Size() <= maxPOM {
			out, err = parsePOM(io.NewSectionReader(file, 0, file.Size()))
		}
	case mainFile(id, ".jar"):
		out, err = pluginInfo(file, file.Size())
	}
	if err != nil {
		return nil
	}
	return out
}

// mainFile is the name of the file of a version that has no classifier.
func mainFile(id registry.VersionID, extension string) string {
	return id.Package.Name + "-" + id.Version + extension
}

// maxChecksum bounds a file with a checksum: some have the name of the file behind it.
const maxChecksum = 4 << 10

// readStaged spools a body, which asks for the permission to publish, and reads it.
func readStaged(r *http.Request, repo format.Publisher, id registry.PackageID, limit int64) ([]byte, format.Staged, error) {
	staged, err := repo.Stage(r.Context(), id, io.LimitReader(r.Body, limit+1))
	if err != nil {
		return nil, nil, err
	}
	if staged.Size() > limit {
		return nil, nil, errors.Join(fmt.Errorf("%w: this file has at most %d KiB", registry.ErrTooLarge, limit>>10), staged.Close())
	}
	body, err := io.ReadAll(io.NewSectionReader(staged, 0, staged.Size()))
	if err != nil {
		return nil, nil, errors.Join(err, staged.Close())
	}
	return body, staged, nil
}

// putChecksum compares a checksum with that of the file, and remembers if an unfinished version has files whose checksums were wrong:
// it cannot be finished (user guide, "Checksum mismatches during publishing").
func putChecksum(w http.ResponseWriter, r *http.Request, repo format.Repository, a address) error {
	body, staged, err := readStaged(r, repo, a.id, maxChecksum)
	if err != nil {
		return err
	}
	if err := staged.Close(); err != nil {
		return err
	}
	v, err := own(r, repo, a.id, a.version)
	if err != nil {
		return err
	}
	var asset *registry.Asset
	if v != nil {
		asset = v.Asset(a.file)
	}
	if asset == nil {
		return fmt.Errorf("%w: %s is not here; upload the file first, and then its checksum", registry.ErrNotFound, a.file)
	}
	said, _, _ := bytes.Cut(bytes.TrimSpace(body), []byte(" "))
	want := a.checksum.of(asset.Digests)
	matches := string(said) == want
	if err := remember(r, repo, v, a.file+"."+string(a.checksum), matches); err != nil {
		return err
	}
	if !matches {
		return fmt.Errorf("%w: the %s of %s is %s, and not %q", registry.ErrInvalid, a.checksum, a.file, want, registry.Clip(string(said)))
	}
	return created(w, true)
}

// own is a version as this very repository has it, of any status; nil if it has none.
func own(r *http.Request, repo format.Reader, id registry.PackageID, version string) (*registry.Version, error) {
	p, err := repo.Own(r.Context(), id)
	if err != nil || p == nil {
		return nil, err
	}
	return versionOf(p, version), nil
}

func versionOf(p *format.PackageView, version string) *registry.Version {
	for _, v := range p.Versions {
		if v.ID.Version == version {
			return v
		}
	}
	return nil
}

// flags are what is remembered of a version: the checksum files that did not match.
type flags struct {
	Mismatched []string `json:"mismatched,omitempty"`
}

func parseFlags(b []byte) (f flags, err error) {
	if len(b) > 0 {
		err = json.Unmarshal(b, &f)
	}
	return f, err
}

// remember notes that a checksum file of an unfinished version matched, or did not. Whoever may not change metadata cannot finish the
// version either, and what he sent wrongly he is told.
func remember(r *http.Request, repo format.Editor, v *registry.Version, file string, matched bool) error {
	f, err := parseFlags(v.Flags)
	if err != nil {
		return err
	}
	if v.Status != registry.Unfinished || matched && !slices.Contains(f.Mismatched, file) {
		return nil
	}
	change := func(old []byte) ([]byte, error) {
		f, err := parseFlags(old)
		if err != nil {
			return nil, err
		}
		f.Mismatched = slices.DeleteFunc(f.Mismatched, func(s string) bool { return s == file })
		if !matched {
			f.Mismatched = append(f.Mismatched, file)
			slices.Sort(f.Mismatched)
		}
		if len(f.Mismatched) == 0 {
			return nil, nil
		}
		return json.Marshal(f)
	}
	err = repo.Edit(r.Context(), v.ID.Package, []format.Edit{{Version: v.ID.Version, Flags: change}})
	if !matched && errors.Is(err, registry.ErrAccessDenied) {
		return nil
	}
	return err
}

package pypi

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
)

// Bounds of what is taken from one page of an upstream. The largest known have some ten thousand files.
const (
	maxPage  = 128 << 20 // bytes
	maxFiles = 100_000
)

// accept prefers JSON, which says most: sizes, times and reasons.
const accept = typeJSON + ", " + typeHTML + ";q=0.2, " + typeText + ";q=0.1"

// remoteFile is one file of a page, in whatever form the page was.
type remoteFile struct {
	name           string
	url            string // absolute
	digests        registry.Digests
	requiresPython string
	size           int64 // -1: not known
	uploaded       time.Time
	yanked         bool
	reason         string
	metadata       bool // the page announces its core metadata
	metadataHash   registry.Digests
}

// Package implements format.Remote.
func (Format) Package(ctx context.Context, src format.Source, id registry.PackageID) (*format.RemotePackage, error) {
	doc, err := src.Document(ctx, format.SourceRequest{
		Path: id.Name + "/", Accept: accept, Class: format.ClassIndex, MaxBytes: maxPage, Types: []string{typeJSON, typeHTML, typeText},
	})
	if err != nil {
		return nil, err
	}
	files, err := parsePage(doc.ContentType, doc.Body, doc.URL)
	if err != nil {
		return nil, fmt.Errorf("page of %s: %w", id.Name, err)
	}
	return remotePackage(id, files)
}

// Asset implements format.Remote.
func (f Format) Asset(ctx context.Context, src format.Source, id registry.VersionID, name string) (*format.RemoteAsset, error) {
	p, err := f.Package(ctx, src, id.Package)
	if err != nil {
		return nil, err
	}
	return p.Asset(id, name)
}

// parsePage reads a page of a project, which came from address.
func parsePage(contentType string, body []byte, address string) ([]remoteFile, error) {
	base, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("%w: address of the page: %w", registry.ErrInvalid, err)
	}
	if strings.HasPrefix(strings.ToLower(contentType), typeJSON) {
		return parseJSONPage(body, base)
	}
	return parseHTMLPage(body, base)
}

// checkVersion refuses pages of a later major version, which mean something else (PEP 629).
func checkVersion(v string) error {
	major, _, _ := strings.Cut(strings.TrimSpace(v), ".")
	if major != "1" {
		return fmt.Errorf("%w: the page is of version %q of the simple API, and only 1 is known", registry.ErrInvalid, registry.Clip(v))
	}
	return nil
}

// errQuarantined: no file of such a project may be offered (PEP 792).
var errQuarantined = fmt.Errorf("%w: the upstream has put the project into quarantine", registry.ErrNotFound)

// parseJSONPage reads PEP 691. A file whose entry is wrong is left out, so that one does not take a project away.
func parseJSONPage(body []byte, base *url.URL) ([]remoteFile, error) {
	var p struct {
		Meta struct {
			APIVersion string `json:"api-version"`
		} `json:"meta"`
		Status struct {
			Status string `json:"status"`
		} `json:"project-status"`
		Files []json.RawMessage `json:"files"`
	}
	if err := json.Unmarshal(body, &p); err != nil {
		return nil, fmt.Errorf("%w: %w", registry.ErrInvalid, err)
	}
	if err := checkVersion(p.Meta.APIVersion); err != nil {
		return nil, err
	}
	if p.Status.Status == "quarantined" {
		return nil, errQuarantined
	}
	out := make([]remoteFile, 0, min(len(p.Files), maxFiles))
	for _, raw := range p.Files {
		if f, ok := jsonFile(raw, base); ok && len(out) < maxFiles {
			out = append(out, f)
		}
	}
	return out, nil
}

func jsonFile(raw []byte, base *url.URL) (remoteFile, bool) {
	var j struct {
		Filename         string            `json:"filename"`
		URL              string            `json:"url"`
		Hashes           map[string]string `json:"hashes"`
		RequiresPython   *string           `json:"requires-python"`
		Size             *int64            `json:"size"`
		UploadTime       string            `json:"upload-time"`
		Yanked           json.RawMessage   `json:"yanked"`
		CoreMetadata     json.RawMessage   `json:"core-metadata"`
		DistInfoMetadata json.RawMessage   `json:"dist-info-metadata"`
	}
	if err := json.Unmarshal(raw, &j); err != nil {
		return remoteFile{}, false
	}
	f := remoteFile{name: j.Filename, size: -1, digests: digestsOf(j.Hashes)}
	if j.Size != nil && *j.Size >= 0 {
		f.size = *j.Size
	}
	if j.RequiresPython != nil {
		f.requiresPython = *j.RequiresPython
	}
	if at, err := time.Parse(time.RFC3339, j.UploadTime); err == nil && at.Year() < 10_000 && at.Year() > 1990 {
		f.uploaded = at.UTC().Truncate(time.Microsecond)
	}
	f.yanked, f.reason = yankedOf(j.Yanked)
	for _, m := range []json.RawMessage{j.CoreMetadata, j.DistInfoMetadata} {
		if has, d := metadataOf(m); has && !f.metadata {
			f.metadata, f.metadataHash = true, d
		}
	}
	return f, f.resolve(base, j.URL)
}

// yankedOf reads a boolean or a reason.
func yankedOf(raw json.RawMessage) (bool, string) {
	var is bool
	var reason string
	switch {
	case json.Unmarshal(raw, &is) == nil:
		return is, ""
	case json.Unmarshal(raw, &reason) == nil:
		return reason != "", reason
	}
	return false, ""
}

// metadataOf reads a boolean or hashes.
func metadataOf(raw json.RawMessage) (bool, registry.Digests) {
	var is bool
	var h map[string]string
	switch {
	case json.Unmarshal(raw, &is) == nil:
		return is, registry.Digests{}
	case json.Unmarshal(raw, &h) == nil && h != nil:
		return true, digestsOf(h)
	}
	return false, registry.Digests{}
}

// digestsOf takes the digests that are known here; what is not hexadecimal of the right length is none.
func digestsOf(h map[string]string) registry.Digests {
	known := func(name string) registry.Digests { return registry.ParseDigest(name + ":" + strings.ToLower(h[name])) }
	return registry.Digests{MD5: known("md5").MD5, SHA1: known("sha1").SHA1, SHA256: known("sha256").SHA256, SHA512: known("sha512").SHA512}
}

// resolve makes the file's address absolute and says whether it is one. Without a name, the file has that of its address.
func (f *remoteFile) resolve(base *url.URL, ref string) bool {
	u, err := base.Parse(strings.TrimSpace(ref))
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil {
		return false
	}
	if f.name == "" {
		f.name = path.Base(u.Path)
	}
	u.Fragment, u.RawFragment = "", ""
	f.url = u.String()
	return isFile(f.name)
}

// remotePackage sorts the files of a page into versions.
func remotePackage(id registry.PackageID, files []remoteFile) (*format.RemotePackage, error) {
	out := &format.RemotePackage{Display: id.Name}
	byKey := map[string]*remoteVersion{}
	seen := map[string]bool{}
	for _, f := range files {
		parsed, ok := parseFileName(id.Name, f.name)
		if !ok || seen[f.name] || strings.HasSuffix(f.name, metadataExtension) {
			continue
		}
		key, err := names{}.Version(parsed.version)
		if err != nil {
			continue
		}
		seen[f.name] = true
		v := byKey[key]
		if v == nil {
			v = &remoteVersion{yanked: map[string]string{}, Version: registry.Version{
				ID: registry.VersionID{Package: id, Version: key}, Display: display(parsed.version), Status: registry.Published,
			}}
			byKey[key] = v
		}
		v.add(f)
	}
	for _, v := range byKey {
		v.Flags = flags{Yanked: v.yanked}.encode()
		out.Versions = append(out.Versions, &v.Version)
		out.Size += int64(600 + len(v.Flags))
		for _, a := range v.Assets {
			out.Size += int64(300 + len(a.Name) + len(a.Source) + len(a.Info))
		}
		if v.newest.After(out.Modified) {
			out.Modified = v.newest
		}
	}
	if len(out.Versions) == 0 {
		return nil, fmt.Errorf("%w: %s has no files there", registry.ErrNotFound, id.Name)
	}
	slices.SortFunc(out.Versions, func(a, b *registry.Version) int {
		return cmp.Or(names{}.Compare(a.ID.Version, b.ID.Version), strings.Compare(a.ID.Version, b.ID.Version))
	})
	return out, nil
}

// display is the normal form of a version, with its zeros.
func display(text string) string {
	if v, ok := parseVersion(text); ok {
		return v.String()
	}
	return text
}

// remoteVersion is a version being collected.
type remoteVersion struct {
	registry.Version
	yanked map[string]string
	newest time.Time
}

// add takes a file, and its core metadata as a hidden asset.
func (v *remoteVersion) add(f remoteFile) {
	info := fileInfo{RequiresPython: cleanSpecifier(f.requiresPython)}
	if !f.uploaded.IsZero() {
		info.UploadTime = &f.uploaded
		if v.PublishedAt.IsZero() || f.uploaded.Before(v.PublishedAt) {
			v.PublishedAt = f.uploaded
		}
		if f.uploaded.After(v.newest) {
			v.newest = f.uploaded
		}
	}
	v.Assets = append(v.Assets, registry.Asset{Name: f.name, Size: f.size, Digests: f.digests, Listed: true, Source: f.url, Info: info.encode()})
	if f.metadata {
		if at, err := metadataAddress(f.url); err == nil {
			v.Assets = append(v.Assets, registry.Asset{Name: f.name + metadataExtension, Size: -1, Digests: f.metadataHash, Source: at})
		}
	}
	if f.yanked {
		reason := strings.Join(strings.Fields(strings.ToValidUTF8(f.reason, "\ufffd")), " ")
		if len(reason) > 1<<10 {
			reason = strings.ToValidUTF8(reason[:1<<10], "")
		}
		v.yanked[f.name] = reason
	}
}

// metadataAddress puts the extension behind the path, before a query.
func metadataAddress(file string) (string, error) {
	u, err := url.Parse(file)
	if err != nil || u.Path == "" {
		return "", errors.New("no path")
	}
	if u.RawPath != "" {
		u.RawPath += metadataExtension
	}
	u.Path += metadataExtension
	return u.String(), nil
}

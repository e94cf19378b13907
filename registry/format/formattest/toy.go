// Package formattest has a format that is as awkward as the contract allows, for tests of everything that works with formats: several
// assets in a version, versions that grow after they were retained and may be unfinished, look-up by file name, documents kept byte
// for byte, an index over the whole repository, and upstreams that are found in three steps.
package formattest

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"slices"
	"strings"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
)

// Toy is the format "toy". Its addresses are
//
//	GET  list/<name>                        versions, one per line, and tags
//	GET  file/<name>/<version>/<asset>      an asset
//	GET  find/<file name>                   versions that have the file
//	GET  index                              all packages
//	PUT  file/<name>/<version>/<asset>      publish, or add to, a version; ?unfinished leaves it unfinished
//
// At an upstream, "toy.json" names the address of lists, a list names the pages of a package, and a page its versions and files.
type Toy struct {
	// As is another name for the format, for what knows the names of real ones.
	As registry.Format
}

func (f Toy) name() registry.Format { return cmp.Or(f.As, "toy") }

// Traits implements format.Format.
func (f Toy) Traits() format.Traits {
	return format.Traits{Name: f.name(), Grows: format.GrowsAlways, Unfinished: true, PublishActions: []string{"codeartifact:PublishPackageVersion"}}
}

// Names implements format.Format.
func (f Toy) Names() format.Names { return toyNames{f.name()} }

type toyNames struct{ format registry.Format }

func (n toyNames) Package(namespace, name string) (registry.PackageID, error) {
	if namespace != "" || name == "" || len(name) > 100 || strings.ContainsAny(name, "/\\ \x00%") {
		return registry.PackageID{}, fmt.Errorf("%w: package name %q", registry.ErrInvalid, name)
	}
	return registry.PackageID{Format: n.format, Name: strings.ToLower(name)}, nil
}

func (toyNames) Version(raw string) (string, error) {
	if raw == "" || len(raw) > 50 || strings.ContainsAny(raw, "/\\ \x00%") {
		return "", fmt.Errorf("%w: version %q", registry.ErrInvalid, raw)
	}
	return strings.ToLower(raw), nil
}

func (toyNames) Asset(raw string) (string, error) {
	if raw == "" || strings.ContainsAny(raw, "/\\\x00") {
		return "", fmt.Errorf("%w: asset name %q", registry.ErrInvalid, raw)
	}
	return raw, nil
}

func (toyNames) Compare(a, b string) int { return strings.Compare(a, b) }

// ID returns the identity of a toy version.
func ID(name, version string) registry.VersionID {
	return registry.VersionID{Package: registry.PackageID{Format: "toy", Name: name}, Version: version}
}

// Serve implements format.Format.
func (f Toy) Serve(w http.ResponseWriter, r *http.Request, repo format.Repository) error {
	p := strings.Split(format.Rest(r), "/")
	switch {
	case p[0] == "list" && len(p) == 2:
		id, err := f.Names().Package("", p[1])
		if err != nil {
			return err
		}
		doc, err := repo.Document(r.Context(), id, "list", RenderList)
		if err != nil {
			return err
		}
		return format.ServeDocument(w, r, doc)
	case p[0] == "index" && len(p) == 1:
		doc, err := repo.IndexDocument(r.Context(), "index", Index{})
		if err != nil {
			return err
		}
		return format.ServeDocument(w, r, doc)
	case p[0] == "file" && len(p) == 4 && r.Method == http.MethodPut:
		return Put(r.Context(), repo, p[1], p[2], p[3], r.URL.Query().Has("unfinished"), r.Body)
	case p[0] == "file" && len(p) == 4:
		a, err := repo.Asset(r.Context(), ID(p[1], p[2]), p[3], format.Open)
		if err != nil {
			return err
		}
		defer a.Body.Close()
		return format.ServeAsset(w, r, a, "application/octet-stream")
	}
	return fmt.Errorf("%w: %s", registry.ErrNotFound, format.Rest(r))
}

// Put publishes one file.
func Put(ctx context.Context, repo format.Publisher, name, version, asset string, unfinished bool, body io.Reader) error {
	_, err := Publish(ctx, repo, name, version, asset, unfinished, body)
	return err
}

// Publish publishes one file and returns what Publish of the repository does.
func Publish(ctx context.Context, repo format.Publisher, name, version, asset string, unfinished bool, body io.Reader) (*format.Published, error) {
	id, err := toyNames{"toy"}.Package("", name)
	if err != nil {
		return nil, err
	}
	key, err := toyNames{"toy"}.Version(version)
	if err != nil {
		return nil, err
	}
	staged, err := repo.Stage(ctx, id, body)
	if err != nil {
		return nil, err
	}
	defer staged.Close()
	p := format.Publication{
		ID: registry.VersionID{Package: id, Version: key}, Display: name, VersionDisplay: version, Summary: "toy " + name,
		Assets: []format.NewAsset{{Name: asset, Staged: staged}}, Document: []byte("{ verbatim\x00\xff " + version + "}"),
		Tags: map[string]string{"latest": key}, Lookups: []format.Lookup{{Kind: "file", Key: asset}},
	}
	if unfinished {
		p.Status = registry.Unfinished
	}
	return repo.Publish(ctx, p)
}

// RenderList renders "name version file,file deprecated" lines and "tag=version" lines.
func RenderList(v *format.PackageView) (*format.Rendered, error) {
	var b strings.Builder
	for _, ver := range v.Versions {
		var files []string
		for _, a := range ver.Assets {
			files = append(files, a.Name)
		}
		fmt.Fprintf(&b, "%s %s %s%s\n", v.Display, ver.ID.Version, strings.Join(files, ","), ver.Flags)
	}
	for _, tag := range slices.Sorted(func(yield func(string) bool) {
		for t := range v.Tags {
			if !yield(t) {
				return
			}
		}
	}) {
		fmt.Fprintf(&b, "%s=%s\n", tag, v.Tags[tag])
	}
	b.WriteString(v.URL("end") + "\n")
	return &format.Rendered{ContentType: "text/plain", Body: []byte(b.String()), Modified: v.Modified}, nil
}

// Index renders "name: versions" lines.
type Index struct{}

// Entry implements format.IndexRenderer.
func (Index) Entry(v *format.PackageView) ([]byte, error) {
	var keys []string
	for _, ver := range v.Versions {
		keys = append(keys, ver.ID.Version)
	}
	return []byte(v.ID.Name + ": " + strings.Join(keys, " ") + "\n"), nil
}

// Assemble implements format.IndexRenderer.
func (Index) Assemble(w io.Writer, entries iter.Seq2[registry.PackageID, []byte]) (*format.Rendered, error) {
	for _, e := range entries {
		if _, err := w.Write(e); err != nil {
			return nil, err
		}
	}
	return &format.Rendered{ContentType: "text/plain"}, nil
}

// RemoteVersion is a version on a page of an upstream.
type RemoteVersion struct {
	Version string            `json:"version"`
	Files   map[string]string `json:"files"` // SHA-256 by name; "" where it is not announced
}

// Page is a page of an upstream.
type Page struct {
	Versions []RemoteVersion   `json:"versions"`
	Tags     map[string]string `json:"tags"`
}

func document[T any](ctx context.Context, src format.Source, path string, class format.Class) (*T, error) {
	doc, err := src.Document(ctx, format.SourceRequest{Path: path, Class: class, Types: []string{"application/json"}})
	if err != nil {
		return nil, err
	}
	out := new(T)
	if err := json.Unmarshal(doc.Body, out); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", registry.ErrInvalid, path, err)
	}
	return out, nil
}

// Package implements format.Remote.
func (Toy) Package(ctx context.Context, src format.Source, id registry.PackageID) (*format.RemotePackage, error) {
	root, err := document[struct{ Lists string }](ctx, src, "toy.json", format.ClassConfig)
	if errors.Is(err, registry.ErrNotFound) {
		return nil, fmt.Errorf("%w: the upstream has no toy.json", registry.ErrInvalid) // which is not the package's absence
	}
	if err != nil {
		return nil, err
	}
	pages, err := document[[]string](ctx, src, root.Lists+id.Name+".json", format.ClassIndex)
	if err != nil {
		return nil, err
	}
	out := &format.RemotePackage{Display: id.Name, Tags: map[string]string{}, Summary: "remote " + id.Name, Size: 1000}
	for _, path := range *pages {
		page, err := document[Page](ctx, src, path, format.ClassIndex)
		if err != nil {
			return nil, err
		}
		for _, v := range page.Versions {
			out.Versions = append(out.Versions, remoteVersion(id, v))
		}
		for tag, key := range page.Tags {
			out.Tags[tag] = key
		}
	}
	return out, nil
}

func remoteVersion(id registry.PackageID, v RemoteVersion) *registry.Version {
	out := &registry.Version{ID: registry.VersionID{Package: id, Version: v.Version}, Display: v.Version, Status: registry.Published, Document: []byte("remote " + v.Version)}
	for name, sum := range v.Files {
		out.Assets = append(out.Assets, registry.Asset{
			Name: name, Size: -1, Listed: true, Digests: registry.Digests{SHA256: sum}, Source: "files/" + id.Name + "/" + v.Version + "/" + name,
		})
	}
	slices.SortFunc(out.Assets, func(a, b registry.Asset) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// Asset implements format.Remote: every version has a file "extra" that no list names.
func (Toy) Asset(_ context.Context, _ format.Source, id registry.VersionID, name string) (*format.RemoteAsset, error) {
	if name != "extra" {
		return nil, fmt.Errorf("%w: %s", registry.ErrNotFound, name)
	}
	return &format.RemoteAsset{URL: "files/" + id.Package.Name + "/" + id.Version + "/" + name, Size: -1}, nil
}

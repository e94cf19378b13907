package swift

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
)

// manifestFile is the manifest of a package, for every version of Swift that has no manifest of its own.
const manifestFile = "Package.swift"

// toolsVersion is a version of Swift's tools.
type toolsVersion [3]int

// parseTools reads one to three numbers; the rest are zero.
func parseTools(s string) (toolsVersion, bool) {
	var v toolsVersion
	parts := strings.Split(s, ".")
	if len(parts) > len(v) {
		return v, false
	}
	for i, p := range parts {
		n, err := strconv.Atoi(p)
		if err != nil || n < 0 || n > 9999 || p != strconv.Itoa(n) {
			return v, false
		}
		v[i] = n
	}
	return v, true
}

// String is how manifests write it: "5.9", "5.9.1". The client does not read "5".
func (v toolsVersion) String() string {
	s := strconv.Itoa(v[0]) + "." + strconv.Itoa(v[1])
	if v[2] > 0 {
		s += "." + strconv.Itoa(v[2])
	}
	return s
}

// full is how the client asks for it: "5.9.0".
func (v toolsVersion) full() string { return fmt.Sprintf("%d.%d.%d", v[0], v[1], v[2]) }

var (
	// variantName is the name of a manifest for a version of Swift (specification, 4.3).
	variantName = regexp.MustCompile(`^Package@swift-(\d+(?:\.\d+){0,2})\.swift$`)
	// toolsLine is the line in which a manifest says its tools version (ToolsVersionParser.swift in the client).
	toolsLine = regexp.MustCompile(`(?i)^[\s\pZ]*//[\s\pZ]*swift-tools-version:[\s\pZ]*(\d+\.\d+(?:\.\d+)?)(?:[-+][0-9A-Za-z.+-]*)?\s*(?:;.*)?$`)
)

// declaredTools reads the tools version of a manifest: from its first line with anything in it, or, since 6.0, from any.
func declaredTools(text string) (toolsVersion, bool) {
	first := true
	for line := range strings.FieldsFuncSeq(text, isNewline) {
		if strings.TrimSpace(line) == "" {
			continue
		}
		if m := toolsLine.FindStringSubmatch(line); m != nil {
			if v, ok := parseTools(m[1]); ok && (first || v[0] >= 6) {
				return v, true
			}
		}
		first = false
	}
	return toolsVersion{}, false
}

// isNewline is Swift's idea of it.
func isNewline(r rune) bool { return strings.ContainsRune("\n\r\v\f\u0085\u2028\u2029", r) }

// variant is a manifest of a package.
type variant struct {
	name    string
	tools   toolsVersion // that it declares
	version toolsVersion // in its name; zero for Package.swift
	suffix  string       // the same as written: "5.9"
	text    string       // "" if only its name is known
}

// named is a variant without a text; false if that is no name of a manifest.
func named(name string) (variant, bool) {
	v := variant{name: name}
	m := variantName.FindStringSubmatch(name)
	if m == nil {
		return v, name == manifestFile
	}
	var ok bool
	v.suffix = m[1]
	v.version, ok = parseTools(m[1])
	return v, ok
}

// advertised are the variants that a client can be told of. It picks the highest file name that its compiler fits, takes what the link
// says of it for the tools version, asks for that version, and puts the answer into the file of that name; so the link says the version
// in the name (RegistryPackageContainer.swift). A variant that would then be taken for Package.swift itself, or for another variant,
// stops the client: it is left out, and Package.swift serves in its place.
func advertised(list []variant) []variant {
	root := list[0]
	var out []variant
	for _, v := range list[1:] {
		if v.version == root.tools {
			continue
		}
		if at := slices.IndexFunc(out, func(o variant) bool { return o.version == v.version }); at >= 0 {
			if len(v.suffix) > len(out[at].suffix) { // of 5 and 5.0 the more exact
				out[at] = v
			}
			continue
		}
		out = append(out, v)
	}
	slices.SortFunc(out, func(a, b variant) int { return slices.Compare(a.version[:], b.version[:]) })
	return out
}

// choose returns the manifest for a version of Swift: the variant of that name, else one that declares it; nil if there is none. The
// client writes "5.9.0" for the variant "5.9".
func choose(list []variant, want toolsVersion) *variant {
	var named, declared *variant
	for i := range list[1:] {
		v := &list[i+1]
		if v.version == want && (named == nil || len(v.suffix) > len(named.suffix)) {
			named = v
		}
		if v.tools == want && (declared == nil || slices.Compare(v.version[:], declared.version[:]) > 0) {
			declared = v
		}
	}
	if named != nil {
		return named
	}
	return declared
}

// manifest serves Package.swift, or the variant for a version of Swift (specification, 4.3).
func manifest(w http.ResponseWriter, r *http.Request, repo format.Repository, a address) error {
	q := r.URL.Query()
	if !q.Has("swift-version") {
		d, err := document(r.Context(), repo, a, "manifest", renderManifest)
		if err == nil {
			return format.ServeDocument(w, r, d)
		}
		if !errors.Is(err, errUnknown) {
			return err
		}
	}
	id, list, err := manifests(r.Context(), repo, a.versionID())
	if err != nil {
		return err
	}
	path := repo.URL(releasePath(id, a.version) + "/" + manifestFile)
	chosen := &list[0]
	if q.Has("swift-version") {
		want, ok := parseTools(q.Get("swift-version"))
		if chosen = choose(list, want); ok && chosen != nil && chosen.text == "" {
			chosen, _, err = foreignManifest(r.Context(), repo, a.versionID(), chosen.name)
			if errors.Is(err, registry.ErrNotFound) {
				chosen, err = nil, nil
			}
			if err != nil {
				return err
			}
		}
		if !ok || chosen == nil {
			seeOther(w, path)
			return nil
		}
	}
	d, err := format.NewDocument(manifestDocument(path, chosen, list))
	if err != nil {
		return err
	}
	return format.ServeDocument(w, r, d)
}

// seeOther sends to Package.swift whoever asks for a version of Swift for which there is no manifest of its own.
func seeOther(w http.ResponseWriter, path string) {
	h := w.Header()
	h.Set("Location", path)
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", "0")
	w.WriteHeader(http.StatusSeeOther)
}

// renderManifest renders Package.swift of a version whose archive is here.
func renderManifest(view *format.PackageView, v *registry.Version, asset *registry.Asset) (*format.Rendered, error) {
	rel, err := decodeRelease(asset.Info)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", v.ID, err)
	}
	c, err := decodeContents(v.Document)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", v.ID, err)
	}
	if len(c.Manifests) == 0 {
		return nil, errUnknown
	}
	list := c.variants()
	return manifestDocument(view.URL(releasePath(rel.ID, v.ID.Version)+"/"+manifestFile), &list[0], list), nil
}

func manifestDocument(path string, chosen *variant, list []variant) *format.Rendered {
	out := &format.Rendered{ContentType: manifestType, Body: []byte(chosen.text), Header: http.Header{
		"Content-Disposition": {`attachment; filename="` + chosen.name + `"`},
	}}
	if chosen.name == manifestFile {
		for _, v := range advertised(list) { // a line for each: the client cuts lines at commas
			out.Header.Add("Link", fmt.Sprintf(`<%s?swift-version=%s>; rel="alternate"; filename=%q; swift-tools-version=%q`, path, v.suffix, v.name, v.version))
		}
	}
	return out
}

// manifests returns the manifests of a version, Package.swift first, and the package as its owner writes it. Those of an archive that is
// not here are asked of its upstream: to look at a manifest is no download. Of these, only Package.swift has a text.
func manifests(ctx context.Context, repo format.Reader, id registry.VersionID) (owner string, list []variant, err error) {
	asset, err := repo.Asset(ctx, id, assetName(id), format.Stat)
	if err != nil {
		return "", nil, err
	}
	rel, err := decodeRelease(asset.Info)
	if err != nil {
		return "", nil, fmt.Errorf("%s: %w", id, err)
	}
	c, err := decodeContents(asset.Version.Document)
	if err != nil {
		return "", nil, fmt.Errorf("%s: %w", id, err)
	}
	if len(c.Manifests) > 0 {
		return rel.ID, c.variants(), nil
	}
	root, more, err := foreignManifest(ctx, repo, id, manifestFile)
	if err != nil {
		return "", nil, err
	}
	return rel.ID, append([]variant{*root}, more...), nil
}

// foreign is the Info of a manifest of an upstream: all that there is to it, so that it need not be fetched a second time.
type foreign struct {
	Text     string           `json:"text"`
	Variants []foreignVariant `json:"variants,omitempty"`
}

// foreignVariant is a variant that an upstream says it has.
type foreignVariant struct {
	Name  string `json:"name"`
	Tools string `json:"tools"`
}

// foreignManifest asks an upstream for one manifest, and, if that is Package.swift, for the names of the others.
func foreignManifest(ctx context.Context, repo format.Reader, id registry.VersionID, name string) (*variant, []variant, error) {
	asset, err := repo.Asset(ctx, id, name, format.Stat)
	if err != nil {
		return nil, nil, err
	}
	var f foreign
	if err := json.Unmarshal(asset.Info, &f); err != nil {
		return nil, nil, fmt.Errorf("%s of %s: %w", name, id, err)
	}
	v, _ := named(name)
	v.text = f.Text
	v.tools, _ = declaredTools(f.Text) // the client says what is wrong with it
	var more []variant
	for _, m := range f.Variants {
		if o, ok := named(m.Name); ok {
			o.tools, _ = parseTools(m.Tools)
			more = append(more, o)
		}
	}
	return &v, more, nil
}

package swift

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
)

// sourceArchive is the name of the one resource of a release, and of the part of a publish that has it.
const sourceArchive = "source-archive"

// signing is a signature as release documents have it.
type signing struct {
	Signature string `json:"signatureBase64Encoded"`
	Format    string `json:"signatureFormat"`
}

// release is the Info of a source archive: what a publisher, or an upstream, says of it.
type release struct {
	ID                string          `json:"id"`       // scope and name as written
	Metadata          json.RawMessage `json:"metadata"` // an object
	Signing           *signing        `json:"signing,omitempty"`
	MetadataSignature string          `json:"metadataSignature,omitempty"` // in base64; kept, no client asks for it
	PublishedAt       string          `json:"publishedAt,omitempty"`       // by an upstream; else the row knows
}

func (r release) encode() ([]byte, error) {
	if len(r.Metadata) == 0 {
		r.Metadata = json.RawMessage("{}")
	}
	b, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("release: %w", err)
	}
	return b, nil
}

func decodeRelease(info []byte) (release, error) {
	var r release
	if err := json.Unmarshal(info, &r); err != nil || !isIdentifierLike(r.ID) {
		return r, errors.New("stored release is damaged")
	}
	return r, nil
}

func isIdentifierLike(id string) bool {
	scope, name, ok := strings.Cut(id, ".")
	_, err := names{}.Package(scope, name)
	return ok && err == nil
}

// archiveOf is the source archive of a version as far as it is known: that of a proxied version is known once somebody asked for it.
func archiveOf(v *registry.Version) *registry.Asset {
	a := v.Asset(assetName(v.ID))
	if a == nil || len(a.Info) == 0 {
		return nil
	}
	return a
}

// errUnknown says that a view lacks what a document needs; the version itself has to be looked at.
var errUnknown = errors.New("not in the view")

// document gives a document of one release from the cache; errUnknown if the package's view does not have the release, or not enough of
// it.
func document(ctx context.Context, repo format.Reader, a address, kind string, render func(*format.PackageView, *registry.Version, *registry.Asset) (*format.Rendered, error)) (*format.Document, error) {
	d, err := repo.Document(ctx, a.id, kind+" "+a.version, func(v *format.PackageView) (*format.Rendered, error) {
		for _, ver := range v.Versions {
			if asset := archiveOf(ver); ver.ID.Version == a.version && ver.Status.Served() && asset != nil {
				return render(v, ver, asset)
			}
		}
		return nil, errUnknown
	})
	if errors.Is(err, registry.ErrNotFound) {
		return nil, errUnknown // nothing of it is listed
	}
	return d, err
}

// oneRelease serves the document of a release. It is asked for before every manifest and archive, so that it comes from the cache where it can.
func oneRelease(w http.ResponseWriter, r *http.Request, repo format.Repository, a address) error {
	d, err := document(r.Context(), repo, a, "release", renderRelease)
	switch {
	case err == nil:
		return format.ServeDocument(w, r, d)
	case !errors.Is(err, errUnknown):
		return err
	}
	// Unlisted, or an upstream's of which only the list has been read.
	asset, err := repo.Asset(r.Context(), a.versionID(), assetName(a.versionID()), format.Stat)
	if err != nil {
		return err
	}
	view, err := repo.Package(r.Context(), a.id)
	if errors.Is(err, registry.ErrNotFound) {
		view, err = &format.PackageView{URL: repo.URL}, nil
	}
	if err != nil {
		return err
	}
	rendered, err := renderRelease(view, asset.Version, &asset.Asset)
	if err != nil {
		return err
	}
	if d, err = format.NewDocument(rendered); err != nil {
		return err
	}
	return format.ServeDocument(w, r, d)
}

// resource is a resource of a release document.
type resource struct {
	Name     string   `json:"name"`
	Type     string   `json:"type"`
	Checksum string   `json:"checksum"`
	Signing  *signing `json:"signing,omitempty"`
}

// renderRelease renders the document of a release (specification, 4.2).
func renderRelease(view *format.PackageView, v *registry.Version, asset *registry.Asset) (*format.Rendered, error) {
	r, err := decodeRelease(asset.Info)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", v.ID, err)
	}
	if asset.Digests.SHA256 == "" {
		return nil, fmt.Errorf("%s: no checksum", v.ID)
	}
	published := r.PublishedAt
	if published == "" && !v.PublishedAt.IsZero() {
		published = v.PublishedAt.UTC().Format(timeFormat)
	}
	body, err := json.Marshal(struct {
		ID          string          `json:"id"`
		Version     string          `json:"version"`
		Resources   []resource      `json:"resources"`
		Metadata    json.RawMessage `json:"metadata"`
		PublishedAt string          `json:"publishedAt,omitempty"`
	}{r.ID, v.ID.Version, []resource{{sourceArchive, archiveType, asset.Digests.SHA256, r.Signing}}, r.Metadata, published})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", v.ID, err)
	}
	out := &format.Rendered{ContentType: jsonType, Body: body, Modified: view.Modified, Header: http.Header{}}
	for _, link := range neighbours(view, r.ID, v.ID.Version) {
		out.Header.Add("Link", link)
	}
	return out, nil
}

// timeFormat is what the client's decoder takes: a fraction of a second would spoil the document.
const timeFormat = "2006-01-02T15:04:05Z"

// published are the releases of a view that can be had, ascending.
func published(view *format.PackageView) []*registry.Version {
	out := make([]*registry.Version, 0, len(view.Versions))
	for _, v := range view.Versions {
		if v.Status.Listed() {
			out = append(out, v)
		}
	}
	return out
}

// neighbours are the links of a release document to other releases. A header line for each: the client cuts lines at commas.
func neighbours(view *format.PackageView, id, version string) []string {
	list := published(view)
	if len(list) == 0 {
		return nil
	}
	link := func(v *registry.Version, relation string) string {
		return "<" + view.URL(releasePath(id, v.ID.Version)) + `>; rel="` + relation + `"`
	}
	out := []string{link(list[len(list)-1], "latest-version")}
	for i, v := range list {
		switch c := (names{}).Compare(v.ID.Version, version); {
		case c > 0:
			return append(out, link(v, "successor-version"))
		case c < 0 && (i+1 == len(list) || names{}.Compare(list[i+1].ID.Version, version) >= 0):
			out = append(out, link(v, "predecessor-version"))
		}
	}
	return out
}

// releases serves the list of releases (specification, 4.1).
func releases(w http.ResponseWriter, r *http.Request, repo format.Reader, a address) error {
	d, err := repo.Document(r.Context(), a.id, "releases", renderReleases)
	if err != nil {
		return err
	}
	return format.ServeDocument(w, r, d)
}

func renderReleases(view *format.PackageView) (*format.Rendered, error) {
	id := viewIdentifier(view)
	type entry struct {
		URL     string   `json:"url,omitempty"`
		Problem *problem `json:"problem,omitempty"`
	}
	body := []byte(`{"releases":{`)
	for i, key := range releaseKeys(view) {
		e := entry{}
		if status, hidden := view.Hidden[key]; !hidden {
			e.URL = view.URL(releasePath(id, key))
		} else {
			e.Problem = &problem{Status: http.StatusGone, Title: http.StatusText(http.StatusGone), Detail: "this release is " + strings.ToLower(string(status)) + " in the repository"}
		}
		name, err := json.Marshal(key)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		value, err := json.Marshal(e)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		if i > 0 {
			body = append(body, ',')
		}
		body = append(append(append(body, name...), ':'), value...)
	}
	out := &format.Rendered{ContentType: jsonType, Body: append(body, "}}"...), Modified: view.Modified, Header: http.Header{}}
	for _, link := range packageLinks(view, id) {
		out.Header.Add("Link", link)
	}
	return out, nil
}

// releaseKeys are the versions of a list, highest first: those that can be had, and tombstones of those that cannot any more. What is
// not listed is neither.
func releaseKeys(view *format.PackageView) []string {
	var out []string
	for _, v := range published(view) {
		out = append(out, v.ID.Version)
	}
	for key, status := range view.Hidden {
		if !status.Served() && status != registry.Unfinished {
			out = append(out, key)
		}
	}
	slices.SortFunc(out, func(a, b string) int { return names{}.Compare(b, a) })
	return out
}

// viewIdentifier is the package as its owner writes it, if anybody here knows.
func viewIdentifier(view *format.PackageView) string {
	if strings.EqualFold(view.Display, identifier(view.ID.Namespace, view.ID.Name)) {
		return view.Display
	}
	return identifier(view.ID.Namespace, view.ID.Name)
}

// packageLinks are the links of a list: its latest release, and where the sources of that are.
func packageLinks(view *format.PackageView, id string) []string {
	list := published(view)
	if len(list) == 0 {
		return nil
	}
	last := list[len(list)-1]
	out := []string{"<" + view.URL(releasePath(id, last.ID.Version)) + `>; rel="latest-version"`}
	asset := archiveOf(last)
	if asset == nil {
		return out
	}
	r, err := decodeRelease(asset.Info)
	if err != nil {
		return out
	}
	relation := "canonical"
	for _, u := range repositoryURLs(r.Metadata) {
		if strings.ContainsAny(u, "<>,;\"") || strings.ContainsFunc(u, func(r rune) bool { return r <= ' ' || r > '~' }) {
			continue // the client's way of reading this header knows no quoting
		}
		out = append(out, "<"+u+`>; rel="`+relation+`"`)
		relation = "alternate"
	}
	return out
}

// archive serves a source archive (specification, 4.4).
func archive(w http.ResponseWriter, r *http.Request, repo format.Reader, a address) error {
	mode := format.Open
	if r.Method == http.MethodHead {
		mode = format.Stat
	}
	asset, err := repo.Asset(r.Context(), a.versionID(), assetName(a.versionID()), mode)
	if err != nil {
		return err
	}
	if asset.Body != nil {
		defer asset.Body.Close()
	}
	rel, err := decodeRelease(asset.Info)
	if err != nil {
		return fmt.Errorf("%s: %w", a.versionID(), err)
	}
	h := w.Header()
	_, name, _ := strings.Cut(rel.ID, ".")
	h.Set("Content-Disposition", `attachment; filename="`+name+"-"+a.version+`.zip"`)
	if sum, err := hex.DecodeString(asset.Digests.SHA256); err == nil && len(sum) > 0 {
		h.Set("Digest", "sha-256="+base64.StdEncoding.EncodeToString(sum))
	}
	if rel.Signing != nil {
		h.Set("X-Swift-Package-Signature-Format", rel.Signing.Format)
		h.Set("X-Swift-Package-Signature", rel.Signing.Signature)
	}
	if err := format.ServeAsset(w, r, asset, archiveType); err != nil {
		for _, k := range []string{"Content-Disposition", "Digest", "X-Swift-Package-Signature-Format", "X-Swift-Package-Signature"} {
			h.Del(k) // they are not true of the error
		}
		return err
	}
	return nil
}

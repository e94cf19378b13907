package generic

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
)

// Format is the generic format. It has no state.
type Format struct{}

var (
	_ format.Format      = Format{}
	_ format.ErrorWriter = Format{}
	_ format.Describer   = Format{}
)

// New returns the format.
func New() Format { return Format{} }

// Traits implements format.Format.
func (Format) Traits() format.Traits {
	return format.Traits{
		Name: Name, Grows: format.GrowsWhileUnfinished, Unfinished: true, NoUpstream: true, PublishesByAPI: true,
		PublishActions: []string{"codeartifact:PublishPackageVersion"},
	}
}

// Names implements format.Format.
func (Format) Names() format.Names { return names{} }

// Describe implements format.Describer: files are not interpreted, not even one called README (user guide, "Generic package constraints").
func (Format) Describe(v *registry.Version) (format.Description, error) {
	return format.Description{DisplayName: v.ID.Package.Name}, nil
}

// WriteError implements format.ErrorWriter.
func (Format) WriteError(w http.ResponseWriter, r *http.Request, status int, message string) {
	_ = writeJSON(w, r, status, map[string]string{"error": message}) // the client is gone; there is nobody to tell
}

// address is a parsed path.
type address struct {
	id      registry.PackageID
	version string // "": the package
	asset   string // "": the version
}

// parse reads a path below the repository, split before it is decoded, so that an encoded slash is no separator.
func parse(rest string) (a address, all bool, err error) {
	rest = strings.TrimSuffix(rest, "/")
	if rest == "" {
		return a, true, nil
	}
	segments := strings.Split(rest, "/")
	if len(segments) < 2 || len(segments) > 4 {
		return a, false, fmt.Errorf("%w: an address is namespace/package/version/asset", registry.ErrNotFound)
	}
	for i, s := range segments {
		if segments[i], err = url.PathUnescape(s); err != nil {
			return a, false, fmt.Errorf("%w: the address is not well encoded", registry.ErrInvalid)
		}
	}
	if a.id, err = (names{}).Package(segments[0], segments[1]); err != nil {
		return a, false, err
	}
	if len(segments) > 2 {
		if a.version, err = (names{}).Version(segments[2]); err != nil {
			return a, false, err
		}
	}
	if len(segments) > 3 {
		a.asset, err = (names{}).Asset(segments[3])
	}
	return a, false, err
}

// Serve implements format.Format.
func (Format) Serve(w http.ResponseWriter, r *http.Request, repo format.Repository) error {
	a, all, err := parse(format.Rest(r))
	if err != nil {
		return err
	}
	read := r.Method == http.MethodGet || r.Method == http.MethodHead
	switch {
	case all && read:
		return packages(w, r, repo)
	case a.asset != "" && read:
		return download(w, r, repo, a)
	case a.asset != "" && r.Method == http.MethodPut:
		return upload(w, r, repo, a)
	case a.asset == "" && a.version != "" && read:
		return assets(w, r, repo, a)
	case a.asset == "" && a.version != "" && r.Method == http.MethodPost && r.URL.Query().Has("publish"):
		return finish(w, r, repo, a)
	case a.asset == "" && a.version != "" && r.Method == http.MethodDelete:
		return remove(w, r, repo, a)
	case a.version == "" && !all && read:
		d, err := repo.Document(r.Context(), a.id, "versions", renderVersions)
		if err != nil {
			return err
		}
		return format.ServeDocument(w, r, d)
	}
	return fmt.Errorf("%w: %s at this address", registry.ErrUnsupported, r.Method)
}

func download(w http.ResponseWriter, r *http.Request, repo format.Reader, a address) error {
	mode := format.Open
	if r.Method == http.MethodHead {
		mode = format.Stat
	}
	asset, err := repo.Asset(r.Context(), registry.VersionID{Package: a.id, Version: a.version}, a.asset, mode)
	if err != nil {
		return err
	}
	if asset.Body != nil {
		defer asset.Body.Close()
	}
	w.Header().Set("X-Checksum-Sha256", asset.Digests.SHA256)
	// A browser must not run what somebody uploaded.
	w.Header().Set("Content-Disposition", "attachment; filename*=UTF-8''"+url.PathEscape(asset.Name))
	w.Header().Set("X-Content-Type-Options", "nosniff")
	return format.ServeAsset(w, r, asset, "application/octet-stream")
}

// packages lists the packages of the repository and of its upstreams' own.
func packages(w http.ResponseWriter, r *http.Request, repo format.Repository) error {
	q := r.URL.Query()
	type item struct {
		Namespace string `json:"namespace"`
		Package   string `json:"package"`
		URL       string `json:"url"`
	}
	out := struct {
		Packages []item `json:"packages"`
		More     bool   `json:"more,omitempty"` // only the first are listed: select with namespace and prefix
	}{Packages: []item{}}
	query := format.Query{Namespace: q.Get("namespace"), HasNamespace: q.Has("namespace"), Prefix: q.Get("prefix"), Limit: maxListed + 1}
	for p, err := range repo.Packages(r.Context(), query) {
		if err != nil {
			return err
		}
		if out.More = len(out.Packages) == maxListed; out.More {
			break
		}
		out.Packages = append(out.Packages, item{p.ID.Namespace, p.ID.Name, repo.URL(escaped(p.ID, "", ""))})
	}
	return writeJSON(w, r, http.StatusOK, out)
}

// maxListed is how many packages one list has.
const maxListed = 1000

func renderVersions(v *format.PackageView) (*format.Rendered, error) {
	type item struct {
		Version   string    `json:"version"`
		Published time.Time `json:"published"`
		URL       string    `json:"url"`
	}
	out := struct {
		Namespace string `json:"namespace"`
		Package   string `json:"package"`
		Versions  []item `json:"versions"`
	}{v.ID.Namespace, v.ID.Name, []item{}}
	for _, x := range v.Versions {
		out.Versions = append(out.Versions, item{x.ID.Version, x.PublishedAt.UTC(), v.URL(escaped(v.ID, x.ID.Version, ""))})
	}
	body, err := json.Marshal(out)
	return &format.Rendered{ContentType: "application/json", Body: body, Modified: v.Modified}, err
}

// assets describes a version, also while it is Unfinished: whoever uploads looks at what is there.
func assets(w http.ResponseWriter, r *http.Request, repo format.Repository, a address) error {
	v, err := own(r, repo, a)
	if err != nil {
		return err
	}
	return writeJSON(w, r, http.StatusOK, described(v, repo.URL))
}

// own is a version as this very repository holds it: generic packages come from nowhere else.
func own(r *http.Request, repo format.Reader, a address) (*registry.Version, error) {
	p, err := repo.Own(r.Context(), a.id)
	if err != nil {
		return nil, err
	}
	if p != nil {
		at := slices.IndexFunc(p.Versions, func(v *registry.Version) bool { return v.ID.Version == a.version })
		if at >= 0 && p.Versions[at].Status != registry.Archived && p.Versions[at].Status != registry.Disposed {
			return p.Versions[at], nil
		}
	}
	return nil, fmt.Errorf("%w: version %s of %s/%s", registry.ErrNotFound, a.version, a.id.Namespace, a.id.Name)
}

type versionJSON struct {
	Namespace string      `json:"namespace"`
	Package   string      `json:"package"`
	Version   string      `json:"version"`
	Status    string      `json:"status"`
	Revision  string      `json:"revision"`
	Assets    []assetJSON `json:"assets"`
}

type assetJSON struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	MD5    string `json:"md5"`
	SHA1   string `json:"sha1"`
	SHA256 string `json:"sha256"`
	SHA512 string `json:"sha512"`
	URL    string `json:"url"`
}

func described(v *registry.Version, at func(string) string) versionJSON {
	id := v.ID.Package
	out := versionJSON{Namespace: id.Namespace, Package: id.Name, Version: v.ID.Version, Status: string(v.Status), Revision: v.Revision, Assets: []assetJSON{}}
	for _, x := range v.Assets {
		d := x.Digests
		out.Assets = append(out.Assets, assetJSON{x.Name, x.Size, d.MD5, d.SHA1, d.SHA256, d.SHA512, at(escaped(id, v.ID.Version, x.Name))})
	}
	slices.SortFunc(out.Assets, func(a, b assetJSON) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// escaped is the path of a package, a version or an asset.
func escaped(id registry.PackageID, version, asset string) string {
	s := url.PathEscape(id.Namespace) + "/" + url.PathEscape(id.Name) + "/"
	if version != "" {
		s += url.PathEscape(version) + "/"
	}
	return s + url.PathEscape(asset)
}

func writeJSON(w http.ResponseWriter, r *http.Request, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	body = append(body, '\n')
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // the client is gone; there is nobody to tell
	}
	return nil
}

// notFound says whether an error means that there is nothing.
func notFound(err error) bool { return errors.Is(err, registry.ErrNotFound) }

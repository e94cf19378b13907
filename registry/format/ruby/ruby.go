package ruby

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/klauspost/compress/zlib"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
)

// Format is the RubyGems format. It has no state.
type Format struct{}

var (
	_ format.Format      = Format{}
	_ format.ErrorWriter = Format{}
	_ format.Describer   = Format{}
	_ format.Extractor   = Format{}
	_ format.Remote      = Format{}
	_ format.Lister      = Format{}
	_ format.Verifier    = Format{}
	_ format.Weigher     = Format{}
)

// New returns the format.
func New() Format { return Format{} }

// Traits implements format.Format.
func (Format) Traits() format.Traits {
	return format.Traits{
		Name: Name, Grows: format.GrowsNever, PublishActions: []string{"codeartifact:PublishPackageVersion"},
		Presets: []format.Preset{{Name: "public:ruby-gems-org", URL: "https://rubygems.org/", Hosts: []string{"index.rubygems.org"}}},
	}
}

// Names implements format.Format.
func (Format) Names() format.Names { return names{} }

// accountRefusal says what there is instead of "gem owner" and "gem signin".
const accountRefusal = "gem owner and gem signin: who may push and yank is decided by RepositoryPolicy, DomainPolicy and IdentityPolicy resources, " +
	"and a token is the API key (packhouse login gem)"

// Serve implements format.Format.
func (Format) Serve(w http.ResponseWriter, r *http.Request, repo format.Repository) error {
	a, err := parsePath(format.Rest(r))
	if err != nil {
		return err
	}
	read := r.Method == http.MethodGet || r.Method == http.MethodHead
	switch {
	case a.op == opAccount:
		return fmt.Errorf("%w: %s", registry.ErrUnsupported, accountRefusal)
	case a.op == opPush && r.Method == http.MethodPost:
		return push(w, r, repo)
	case a.op == opYank && r.Method == http.MethodDelete:
		return setYanked(w, r, repo, true)
	case a.op == opUnyank && r.Method == http.MethodPut:
		return setYanked(w, r, repo, false)
	case !read || a.op == opPush || a.op == opYank || a.op == opUnyank:
		return fmt.Errorf("%w: %s at this address", registry.ErrUnsupported, r.Method)
	}
	return serveRead(w, r, repo, a)
}

func serveRead(w http.ResponseWriter, r *http.Request, repo format.Repository, a address) error {
	switch a.op {
	case opVersions:
		return serveIndex(w, r, repo, a, versionsIndex{})
	case opNames:
		return serveIndex(w, r, repo, a, namesIndex{})
	case opSpecs:
		return serveIndex(w, r, repo, a, specsIndex{a.name})
	case opInfo:
		d, err := repo.Document(r.Context(), a.id, "info", renderInfo)
		if err != nil {
			return absent(err)
		}
		return serveCompact(w, r, d)
	case opDependencies:
		return dependencies(w, r, repo)
	case opQuick:
		return quick(w, r, repo, a)
	case opGem:
		return download(w, r, repo, a)
	default:
		// RubyGems asks whether there is anything here before it uses the compact index.
		if _, err := repo.External(r.Context(), nil); err != nil {
			return err
		}
		writeText(w, r, http.StatusOK, "This is a RubyGems source. \"packhouse login gem\" and \"packhouse login bundle\" make clients use it.\n")
		return nil
	}
}

// absent makes what is hidden look like what is not there: after a 403 for an index document, bundler gives up the whole index.
func absent(err error) error {
	if errors.Is(err, registry.ErrBlocked) {
		return fmt.Errorf("%w: %s", registry.ErrNotFound, strings.TrimPrefix(err.Error(), registry.ErrBlocked.Error()+": "))
	}
	return err
}

func serveIndex(w http.ResponseWriter, r *http.Request, repo format.Repository, a address, x format.IndexRenderer) error {
	kind := map[operation]string{opVersions: versionsKind, opNames: namesKind, opSpecs: a.name}[a.op]
	d, err := repo.IndexDocument(r.Context(), kind, x)
	if err != nil {
		return err
	}
	if a.op == opSpecs {
		plain := *d
		plain.Gzip = nil // it is compressed, and clients unpack it themselves
		return format.ServeDocument(w, r, &plain)
	}
	return serveCompact(w, r, d)
}

// resolve finds which version a file name means, and calls serve with it. A name that could mean several means the likeliest that is
// there; those that were published here are known.
func resolve(r *http.Request, repo format.Reader, full string, serve func(registry.VersionID) error) error {
	known, err := repo.Find(r.Context(), fileLookup, strings.ToLower(full))
	if err != nil {
		return err
	}
	var candidates []registry.VersionID
	for _, id := range append(known, readings(full)...) {
		if fullName(id.Package.Name, id.Version) == full {
			candidates = append(candidates, id)
		}
	}
	missing := fmt.Errorf("%w: there is no gem %s here", registry.ErrNotFound, registry.Clip(full))
	for _, id := range candidates {
		if err := serve(id); !errors.Is(err, registry.ErrNotFound) {
			return err
		}
	}
	return missing
}

func download(w http.ResponseWriter, r *http.Request, repo format.Reader, a address) error {
	mode := format.Open
	if r.Method == http.MethodHead {
		mode = format.Stat
	}
	return resolve(r, repo, a.full, func(id registry.VersionID) error {
		asset, err := repo.Asset(r.Context(), id, fileName(id), mode)
		if err != nil {
			return err
		}
		if asset.Body != nil {
			defer asset.Body.Close()
		}
		return format.ServeAsset(w, r, asset, "application/octet-stream")
	})
}

// quick serves the gemspec of a version, which clients read before they fetch the gem.
func quick(w http.ResponseWriter, r *http.Request, repo format.Reader, a address) error {
	return resolve(r, repo, a.full, func(id registry.VersionID) error {
		d, err := repo.Document(r.Context(), id.Package, "quick "+id.Version, func(view *format.PackageView) (*format.Rendered, error) {
			for _, v := range view.Versions {
				if v.ID == id {
					return renderQuick(v)
				}
			}
			return nil, fmt.Errorf("%w: %s", registry.ErrNotFound, id)
		})
		if err != nil {
			return absent(err)
		}
		plain := *d
		plain.Gzip = nil
		return format.ServeDocument(w, r, &plain)
	})
}

func renderQuick(v *registry.Version) (*format.Rendered, error) {
	s, err := specOf(v)
	if err != nil {
		return nil, err
	}
	m := newMarshaler()
	m.specification(s)
	var b bytes.Buffer
	zw := zlib.NewWriter(&b)
	if _, err := zw.Write(m.b); err != nil {
		return nil, err
	}
	if err := zw.Close(); err != nil {
		return nil, err
	}
	return &format.Rendered{ContentType: "application/octet-stream", Body: b.Bytes()}, nil
}

// WriteError implements format.ErrorWriter: gem prints the text of a refusal as it is.
func (Format) WriteError(w http.ResponseWriter, r *http.Request, status int, message string) {
	writeText(w, r, status, message+"\n")
}

func writeText(w http.ResponseWriter, r *http.Request, status int, text string) {
	write(w, r, status, "text/plain; charset=utf-8", []byte(text))
}

func write(w http.ResponseWriter, r *http.Request, status int, contentType string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // the client is gone; there is nobody to tell
	}
}

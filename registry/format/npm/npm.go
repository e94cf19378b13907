package npm

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
)

// Format is the npm format. It has no state.
type Format struct{}

var (
	_ format.Format      = Format{}
	_ format.ErrorWriter = Format{}
	_ format.Describer   = Format{}
	_ format.Remote      = Format{}
)

// New returns the format.
func New() Format { return Format{} }

// Traits implements format.Format. The preset is Yarn's public alias of the npm registry.
func (Format) Traits() format.Traits {
	return format.Traits{
		Name: Name, Grows: format.GrowsNever, PublishActions: []string{"codeartifact:PublishPackageVersion"},
		Presets:    []format.Preset{{Name: "public:npmjs", URL: "https://registry.yarnpkg.com"}},
		MaxRequest: maxRequest,
	}
}

// Names implements format.Format.
func (Format) Names() format.Names { return names{} }

// Serve implements format.Format.
func (Format) Serve(w http.ResponseWriter, r *http.Request, repo format.Repository) error {
	a, err := parsePath(format.Rest(r))
	if err != nil {
		return err
	}
	read := r.Method == http.MethodGet || r.Method == http.MethodHead
	switch {
	case a.op == opCommand:
		return refuseCommand(r, a.command)
	case a.op == opRevision:
		return refuseRevision(r)
	case a.op == opPackument && r.Method == http.MethodPut:
		return put(w, r, repo, a.id)
	case a.op == opAudit && r.Method == http.MethodPost:
		return audit(w, r, repo)
	case a.op == opLegacyAudit && r.Method == http.MethodPost:
		return legacyAudit(w, r, repo)
	case (a.op == opTags || a.op == opTag) && !read:
		return editTags(w, r, repo, a)
	case !read:
		return fmt.Errorf("%w: %s at this address", registry.ErrUnsupported, r.Method)
	}
	switch a.op {
	case opPackument:
		return packumentDocument(w, r, repo, a.id)
	case opVersion:
		return document(w, r, repo, a.id, kindVersion+a.spec, func(v *format.PackageView) (*format.Rendered, error) { return renderVersion(v, a.spec) })
	case opFile:
		return file(w, r, repo, a)
	case opTags:
		return document(w, r, repo, a.id, kindTags, renderTags)
	case opPing:
		return ping(w, r, repo)
	case opWhoami:
		return whoami(w, r, repo)
	case opSearch:
		return search(w, r, repo)
	}
	return fmt.Errorf("%w: %s at this address", registry.ErrUnsupported, r.Method)
}

// WriteError implements format.ErrorWriter: npm and its like print the text of "error". A challenge is left out: npm would explain it
// ("Incorrect or missing password") instead of saying what the text says, and no client of npm waits for one to send its token.
func (Format) WriteError(w http.ResponseWriter, r *http.Request, status int, message string) {
	w.Header().Del("WWW-Authenticate")
	var o object
	o.text("error", message)
	_ = writeJSON(w, r, status, o.bytes()) // the client is gone; there is nobody to tell
}

// packumentDocument serves the list of versions. Commands that edit it ask with "?write=true" and need the full form.
func packumentDocument(w http.ResponseWriter, r *http.Request, repo format.Repository, id registry.PackageID) error {
	if r.URL.RawQuery != "write=true" && wantsAbbreviated(r.Header["Accept"]) {
		return document(w, r, repo, id, kindAbbreviated, renderAbbreviated)
	}
	return document(w, r, repo, id, kindFull, renderFull)
}

func document(w http.ResponseWriter, r *http.Request, repo format.Reader, id registry.PackageID, kind string,
	render func(*format.PackageView) (*format.Rendered, error),
) error {
	d, err := repo.Document(r.Context(), id, kind, render)
	if err != nil {
		return err
	}
	return format.ServeDocument(w, r, d)
}

// file serves a tarball, or the provenance bundle that was published with it.
func file(w http.ResponseWriter, r *http.Request, repo format.Reader, a address) error {
	mode := format.Open
	if r.Method == http.MethodHead {
		mode = format.Stat
	}
	asset, err := repo.Asset(r.Context(), registry.VersionID{Package: a.id, Version: a.version}, a.file, mode)
	if err != nil {
		return err
	}
	if asset.Body != nil {
		defer asset.Body.Close()
	}
	contentType := "application/octet-stream"
	if strings.HasSuffix(a.file, provenanceExtension) {
		contentType = fullType
	}
	return format.ServeAsset(w, r, asset, contentType)
}

// wantsAbbreviated says whether the abbreviated packument is accepted at least as gladly as the full one. A client that accepts
// anything gets the full one, which has all that the other has.
func wantsAbbreviated(accept []string) bool {
	short, full := -1.0, -1.0
	for _, line := range accept {
		for item := range strings.SplitSeq(line, ",") {
			media, params, _ := strings.Cut(item, ";")
			switch media = strings.TrimSpace(media); {
			case strings.EqualFold(media, abbreviatedType):
				short = format.Weight(params)
			case strings.EqualFold(media, fullType):
				full = format.Weight(params)
			}
		}
	}
	return short > 0 && short >= full
}

// ping proves token and permission to read (guide, "Verifying npm authentication and authorization").
func ping(w http.ResponseWriter, r *http.Request, repo format.Repository) error {
	if err := mayRead(r, repo); err != nil {
		return err
	}
	return writeJSON(w, r, http.StatusOK, []byte("{}"))
}

func whoami(w http.ResponseWriter, r *http.Request, repo format.Repository) error {
	if err := mayRead(r, repo); err != nil {
		return err
	}
	var o object
	o.text("username", repo.Principal())
	return writeJSON(w, r, http.StatusOK, o.bytes())
}

// mayRead asks the repository for nothing, for the sake of its authorisation.
func mayRead(r *http.Request, repo format.Reader) error {
	if _, err := repo.Find(r.Context(), "ping", ""); err != nil && !errors.Is(err, registry.ErrNotFound) {
		return err
	}
	return nil
}

package swift

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
)

// Format is the Swift format. It has no state.
type Format struct{}

var (
	_ format.Format      = Format{}
	_ format.ErrorWriter = Format{}
	_ format.Describer   = Format{}
	_ format.Extractor   = Format{}
	_ format.Remote      = Format{}
)

// New returns the format.
func New() Format { return Format{} }

// maxArchive bounds source archives, in bytes. The client holds them in memory.
const maxArchive = 1 << 30

// Traits implements format.Format. Versions do not grow by being published again; but what an upstream's release has is found out
// only when it is asked for (see Remote).
func (Format) Traits() format.Traits {
	return format.Traits{
		Name: Name, Grows: format.GrowsAlways,
		PublishActions: []string{"codeartifact:PublishPackageVersion"}, MaxAsset: maxArchive,
	}
}

// Names implements format.Format.
func (Format) Names() format.Names { return names{} }

// The media types (specification, 3.5 and 4).
const (
	jsonType     = "application/json"
	manifestType = "text/x-swift"
	archiveType  = "application/zip"
	problemType  = "application/problem+json"
	vendorType   = "application/vnd.swift.registry"
)

// Serve implements format.Format.
func (Format) Serve(w http.ResponseWriter, r *http.Request, repo format.Repository) error {
	w.Header().Set("Content-Version", "1") // without it, the client takes no answer for one
	if err := checkAccept(r.Header["Accept"]); err != nil {
		return err
	}
	a, err := parsePath(format.Rest(r))
	read := r.Method == http.MethodGet || r.Method == http.MethodHead
	switch {
	case err != nil && read && errors.Is(err, registry.ErrInvalid):
		return fmt.Errorf("%w: %s", registry.ErrNotFound, reason(err)) // there is no such thing
	case err != nil:
		return err
	case a.op == opLogin && r.Method == http.MethodPost:
		return allowed(w, r, repo)
	case a.op == opRelease && r.Method == http.MethodPut:
		return publish(w, r, repo, a)
	case !read || a.op == opLogin:
		return fmt.Errorf("%w: %s at this address", registry.ErrUnsupported, r.Method)
	}
	return absent(serveRead(w, r, repo, a))
}

func serveRead(w http.ResponseWriter, r *http.Request, repo format.Repository, a address) error {
	switch a.op {
	case opReleases:
		return releases(w, r, repo, a)
	case opRelease:
		return oneRelease(w, r, repo, a)
	case opManifest:
		return manifest(w, r, repo, a)
	case opArchive:
		return archive(w, r, repo, a)
	case opIdentifiers:
		return identifiers(w, r, repo)
	default:
		return allowed(w, r, repo)
	}
}

// absent makes what is hidden look like what is not there: the client knows 404, and gives up a resolution after a 403.
func absent(err error) error {
	if errors.Is(err, registry.ErrBlocked) {
		return fmt.Errorf("%w: %s", registry.ErrNotFound, reason(err))
	}
	return err
}

// reason is the text of an error without the word of its sentinel.
func reason(err error) string {
	text := err.Error()
	for _, s := range []error{registry.ErrBlocked, registry.ErrInvalid} {
		text = strings.TrimPrefix(text, s.Error()+": ")
	}
	return text
}

// allowed says yes to whoever may read: to "swift package-registry login", which tries a token before it keeps it, and to its look
// whether the registry is there.
func allowed(w http.ResponseWriter, r *http.Request, repo format.Index) error {
	if _, err := repo.External(r.Context(), nil); err != nil { // asks about no packages, for the sake of the authorisation
		return err
	}
	write(w, r, http.StatusOK, jsonType, []byte("{}"))
	return nil
}

// checkAccept refuses a request that takes only versions of the protocol other than the first (specification, 3.5). Clients and
// proxies write the header in many ways; whoever does not name the protocol gets its first version.
func checkAccept(header []string) error {
	unknown := ""
	for _, line := range header {
		for item := range strings.SplitSeq(line, ",") {
			media, _, _ := strings.Cut(item, ";")
			rest, ours := strings.CutPrefix(strings.ToLower(strings.TrimSpace(media)), vendorType)
			if !ours {
				continue
			}
			version, _, _ := strings.Cut(rest, "+")
			if version == "" || version == ".v1" {
				return nil
			}
			unknown = version
		}
	}
	if unknown != "" {
		return fmt.Errorf("%w: there is no version %q of the package registry protocol here; ask for %s.v1", registry.ErrInvalid, registry.Clip(strings.TrimPrefix(unknown, ".v")), vendorType)
	}
	return nil
}

// WriteError implements format.ErrorWriter with problem details (specification, 3.3). Of these the client shows the detail.
func (Format) WriteError(w http.ResponseWriter, r *http.Request, status int, message string) {
	body, err := json.Marshal(problem{Status: status, Title: http.StatusText(status), Detail: message})
	if err != nil { // strings: it cannot
		body = []byte(`{"detail":"internal error"}`)
	}
	h := w.Header()
	h.Set("Content-Version", "1")
	h.Set("Content-Language", "en")
	write(w, r, status, problemType, body)
}

// problem is a problem details object (RFC 9457). The client needs detail.
type problem struct {
	Status int    `json:"status"`
	Title  string `json:"title"`
	Detail string `json:"detail"`
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

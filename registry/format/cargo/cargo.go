package cargo

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

// Format is the Cargo format. It has no state.
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

// Traits implements format.Format.
func (Format) Traits() format.Traits {
	return format.Traits{
		Name: Name, Grows: format.GrowsNever, MarksUnlisted: true, PublishActions: []string{"codeartifact:PublishPackageVersion"},
		Presets: []format.Preset{{Name: "public:crates-io", URL: "https://index.crates.io/", Hosts: []string{"static.crates.io"}}},
	}
}

// Names implements format.Format.
func (Format) Names() format.Names { return names{} }

// ownersRefusal says what there is instead of "cargo owner".
const ownersRefusal = "cargo owner: who may publish and yank is decided by RepositoryPolicy, DomainPolicy and IdentityPolicy resources"

// Serve implements format.Format.
func (Format) Serve(w http.ResponseWriter, r *http.Request, repo format.Repository) error {
	a, err := parsePath(format.Rest(r))
	if err != nil {
		return err
	}
	read := r.Method == http.MethodGet || r.Method == http.MethodHead
	switch {
	case a.op == opOwners:
		return fmt.Errorf("%w: %s", registry.ErrUnsupported, ownersRefusal)
	case a.op == opPublish && r.Method == http.MethodPut:
		return publish(w, r, repo)
	case a.op == opYank && r.Method == http.MethodDelete:
		return setYanked(w, r, repo, a, true)
	case a.op == opUnyank && r.Method == http.MethodPut:
		return setYanked(w, r, repo, a, false)
	case !read || a.op == opPublish || a.op == opYank || a.op == opUnyank:
		return fmt.Errorf("%w: %s at this address", registry.ErrUnsupported, r.Method)
	}
	return absent(serveRead(w, r, repo, a))
}

func serveRead(w http.ResponseWriter, r *http.Request, repo format.Repository, a address) error {
	switch a.op {
	case opConfig:
		return config(w, r, repo)
	case opIndex:
		return index(w, r, repo, a)
	case opDownload:
		return download(w, r, repo, a)
	case opSearch:
		return search(w, r, repo)
	default:
		if err := mayRead(r, repo); err != nil {
			return err
		}
		writePage(w, r, http.StatusOK)
		return nil
	}
}

// absent makes what is hidden look like what is not there: cargo goes on without the crate after a 404, and gives up the whole build
// after a 403.
func absent(err error) error {
	if errors.Is(err, registry.ErrBlocked) {
		return fmt.Errorf("%w: %s", registry.ErrNotFound, strings.TrimPrefix(err.Error(), registry.ErrBlocked.Error()+": "))
	}
	return err
}

// download serves a crate file. Its name is that of the address, so that only what the index lists can be downloaded.
func download(w http.ResponseWriter, r *http.Request, repo format.Reader, a address) error {
	id, err := a.versionID()
	if err != nil {
		return err
	}
	mode := format.Open
	if r.Method == http.MethodHead {
		mode = format.Stat
	}
	asset, err := repo.Asset(r.Context(), id, assetName(a.name, a.version), mode)
	if err != nil {
		return err
	}
	if asset.Body != nil {
		defer asset.Body.Close()
	}
	return format.ServeAsset(w, r, asset, "application/x-tar")
}

// WriteError implements format.ErrorWriter in the shape that cargo prints (registry-web-api.html). A 401 tells cargo where people get
// a token; a person who goes there with a browser has none yet, and gets the page all the same.
func (Format) WriteError(w http.ResponseWriter, r *http.Request, status int, message string) {
	page := format.Address(r) + "/me"
	if status == http.StatusUnauthorized && page != "/me" {
		if r.Method == http.MethodGet && strings.HasSuffix(page, r.URL.EscapedPath()) && strings.HasSuffix(r.URL.EscapedPath(), "/me") {
			w.Header().Del("WWW-Authenticate")
			writePage(w, r, status)
			return
		}
		w.Header().Add("WWW-Authenticate", `Cargo login_url="`+page+`"`)
	}
	type detail struct {
		Detail string `json:"detail"`
	}
	_ = writeJSON(w, r, status, map[string][]detail{"errors": {{message}}}) // strings can be encoded
}

// writeJSON answers with a small document that nobody may keep.
func writeJSON(w http.ResponseWriter, r *http.Request, status int, value any) error {
	body, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("answer: %w", err)
	}
	write(w, r, status, "application/json", body)
	return nil
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

// writePage tells people who come with a browser how to get a token.
func writePage(w http.ResponseWriter, r *http.Request, status int) {
	write(w, r, status, "text/html; charset=utf-8", []byte(`<!DOCTYPE html>
<html lang="en"><head><title>Log in to this Cargo registry</title></head><body>
<h1>Log in to this Cargo registry</h1>
<p>Run <code>packhouse login cargo</code>, or give the output of <code>packhouse token</code> or of
<code>aws codeartifact get-authorization-token --query authorizationToken --output text</code> to
<code>cargo login --registry NAME</code>.</p>
</body></html>
`))
}

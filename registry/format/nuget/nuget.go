package nuget

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

// Format is the NuGet format. It has no state.
type Format struct{}

var (
	_ format.Format      = Format{}
	_ format.ErrorWriter = Format{}
	_ format.Describer   = Format{}
	_ format.Extractor   = Format{}
	_ format.Verifier    = Format{}
	_ format.Remote      = Format{}
	_ format.Lister      = Format{}
)

// New returns the format.
func New() Format { return Format{} }

// Traits implements format.Format. Versions grow by their symbols, and by nothing else: that is all that pushes add.
func (Format) Traits() format.Traits {
	return format.Traits{
		Name: Name, Grows: format.GrowsAlways, MarksUnlisted: true,
		PublishActions: []string{"codeartifact:PublishPackageVersion", "codeartifact:ReadFromRepository"},
		Presets:        []format.Preset{{Name: "public:nuget-org", URL: "https://api.nuget.org/v3/index.json"}},
	}
}

// Names implements format.Format.
func (Format) Names() format.Names { return names{} }

// Serve implements format.Format.
func (Format) Serve(w http.ResponseWriter, r *http.Request, repo format.Repository) error {
	t, err := parsePath(format.Rest(r))
	if err != nil {
		return err
	}
	read := r.Method == http.MethodGet || r.Method == http.MethodHead
	switch {
	case t.op == opPush && r.Method == http.MethodPut:
		return push(w, r, repo)
	case t.op == opPushSymbols && r.Method == http.MethodPut:
		return pushSymbols(w, r, repo)
	case t.op == opVersion && r.Method == http.MethodDelete:
		return setListed(w, r, repo, t, false)
	case t.op == opVersion && r.Method == http.MethodPost:
		return setListed(w, r, repo, t, true)
	case !read || t.op == opPush || t.op == opPushSymbols || t.op == opVersion:
		return fmt.Errorf("%w: %s at this address", registry.ErrUnsupported, r.Method)
	}
	return absent(serveRead(w, r, repo, t))
}

func serveRead(w http.ResponseWriter, r *http.Request, repo format.Repository, t target) error {
	switch t.op {
	case opServiceIndex:
		return serviceIndex(w, r, repo)
	case opVersions:
		return serveDocument(w, r, repo, t.id, "versions", renderVersions)
	case opFile:
		return serveFile(w, r, repo, t)
	case opRegistration, opPage, opLeaf:
		return serveRegistration(w, r, repo, t)
	case opEntry:
		return serveDocument(w, r, repo, t.id, "entry "+t.version, func(v *format.PackageView) (*format.Rendered, error) { return renderEntry(v, t.version) })
	case opSearch:
		return search(w, r, repo)
	case opAutocomplete:
		return autocomplete(w, r, repo)
	case opVulnerabilityIndex:
		return serveVulnerabilityIndex(w, r, repo)
	default:
		return serveVulnerabilities(w, r, repo)
	}
}

// absent makes what is hidden look like what is not there: clients go on to their other sources after a 404, and give up after a 403.
func absent(err error) error {
	if errors.Is(err, registry.ErrBlocked) {
		return fmt.Errorf("%w: %s", registry.ErrNotFound, strings.TrimPrefix(err.Error(), registry.ErrBlocked.Error()+": "))
	}
	return err
}

func serveDocument(w http.ResponseWriter, r *http.Request, repo format.Reader, id registry.PackageID, kind string, render func(*format.PackageView) (*format.Rendered, error)) error {
	d, err := repo.Document(r.Context(), id, kind, render)
	if err != nil {
		return err
	}
	return format.ServeDocument(w, r, d)
}

// rendered makes a document of a value.
func rendered(v *format.PackageView, value any) (*format.Rendered, error) {
	body, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", v.ID, err)
	}
	return &format.Rendered{ContentType: "application/json", Body: body, Modified: v.Modified}, nil
}

// renderVersions is the list of the flat container (package-base-address-resource#enumerate-package-versions). Restore looks nowhere
// else, also for versions that are not listed.
func renderVersions(v *format.PackageView) (*format.Rendered, error) {
	var list struct {
		Versions []string `json:"versions"`
	}
	for _, v := range v.Versions {
		list.Versions = append(list.Versions, v.ID.Version)
	}
	if len(list.Versions) == 0 {
		return nil, fmt.Errorf("%w: package %s has no versions", registry.ErrNotFound, v.ID.Name)
	}
	return rendered(v, list)
}

// WriteError implements format.ErrorWriter. NuGet prints the header X-NuGet-Warning, and nothing of a body
// (https://learn.microsoft.com/nuget/api/nuget-protocols).
func (Format) WriteError(w http.ResponseWriter, r *http.Request, status int, message string) {
	w.Header().Set("X-NuGet-Warning", oneLine(message))
	_ = writeJSON(w, r, status, map[string]string{"error": message}) // strings can be encoded
}

// oneLine makes a header of a message.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return ' '
		}
		return r
	}, s)
}

// writeJSON answers with a small document that nobody may keep.
func writeJSON(w http.ResponseWriter, r *http.Request, status int, value any) error {
	body, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("answer: %w", err)
	}
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

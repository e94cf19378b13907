package cargo

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
)

// kindIndex is the kind of index files, for the cache; the spelling follows.
const kindIndex = "index "

// index serves the lines of a crate under one spelling.
func index(w http.ResponseWriter, r *http.Request, repo format.Reader, a address) error {
	d, err := repo.Document(r.Context(), a.id, kindIndex+a.name, func(v *format.PackageView) (*format.Rendered, error) { return renderIndex(v, a.name) })
	if err != nil {
		return err
	}
	return format.ServeDocument(w, r, d)
}

// renderIndex renders the index file of a crate, whose name is given in lower case. Lines of crates that are only spelled alike are
// left out: cargo takes a name other than that it asked for as damage.
func renderIndex(view *format.PackageView, name string) (*format.Rendered, error) {
	var b []byte
	for _, v := range view.Versions {
		spelled, line, err := servedLine(v)
		if err != nil {
			return nil, err
		}
		if strings.ToLower(spelled) == name {
			b = append(append(b, line...), '\n')
		}
	}
	if b == nil {
		return nil, fmt.Errorf("%w: there is no crate %s; the one that is there is spelled otherwise", registry.ErrNotFound, name)
	}
	return &format.Rendered{ContentType: "text/plain; charset=utf-8", Body: b, Modified: view.Modified}, nil
}

// config serves config.json. Clients ask for it at the start of every command, so that it costs nothing but the permission to read.
func config(w http.ResponseWriter, r *http.Request, repo format.Repository) error {
	if err := mayRead(r, repo); err != nil {
		return err
	}
	base := repositoryURL(repo)
	body, err := json.Marshal(struct {
		DL           string `json:"dl"`
		API          string `json:"api"`
		AuthRequired bool   `json:"auth-required"`
	}{base + "/api/v1/crates", base, true})
	if err != nil {
		return fmt.Errorf("config.json: %w", err)
	}
	d, err := format.NewDocument(&format.Rendered{ContentType: "application/json", Body: body})
	if err != nil {
		return err
	}
	return format.ServeDocument(w, r, d)
}

// repositoryURL is the address of the repository without a slash at the end.
func repositoryURL(repo format.Repository) string { return strings.TrimSuffix(repo.URL(""), "/") }

// mayRead asks about no packages, for the sake of the authorisation.
func mayRead(r *http.Request, repo format.Index) error {
	_, err := repo.External(r.Context(), nil)
	return err
}

package cargo

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"packhouse.dev/packhouse/registry/format"
)

// index serves the lines of a crate.
func index(w http.ResponseWriter, r *http.Request, repo format.Reader, a address) error {
	d, err := repo.Document(r.Context(), a.id, "index", renderIndex)
	if err != nil {
		return err
	}
	return format.ServeDocument(w, r, d)
}

// renderIndex renders the index file of a crate.
func renderIndex(view *format.PackageView) (*format.Rendered, error) {
	var b []byte
	for _, v := range view.Versions {
		_, line, err := servedLine(v)
		if err != nil {
			return nil, err
		}
		b = append(append(b, line...), '\n')
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

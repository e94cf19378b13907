package nuget

import (
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strings"
	"time"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
)

// vulnerabilityPage names the one page that there is.
const vulnerabilityPage = "all"

// Limits of what is read of an upstream's vulnerability pages.
const (
	maxVulnerabilityPages = 16
	maxVulnerabilityPage  = 64 << 20
)

// vulnerability is what is known of a range of versions (https://learn.microsoft.com/nuget/api/vulnerability-info#vulnerability-page).
type vulnerability struct {
	URL      string `json:"url"`
	Severity int    `json:"severity"`
	Versions string `json:"versions"`
}

// vulnerabilityRef is an entry of the index of vulnerability pages.
type vulnerabilityRef struct {
	Name    string `json:"@name"`
	ID      string `json:"@id"`
	Updated string `json:"@updated"`
	Comment string `json:"comment,omitempty"`
}

// serveVulnerabilityIndex names the page. Clients keep a page until its @updated changes or its copy is old: it changes with the hour.
func serveVulnerabilityIndex(w http.ResponseWriter, r *http.Request, repo format.Repository) error {
	if _, err := repo.External(r.Context(), nil); err != nil { // nothing else here asks whether the principal may read
		return err
	}
	return writeJSON(w, r, http.StatusOK, []vulnerabilityRef{{
		Name: vulnerabilityPage, ID: repo.URL("v3/vulnerabilities/" + vulnerabilityPage + ".json"),
		Updated: time.Now().UTC().Truncate(time.Hour).Format(time.RFC3339), Comment: "What the upstreams of this repository know",
	}})
}

// serveVulnerabilities serves what upstreams know of packages that come from them. Of a package that is published here they know
// nothing, whatever has its name there.
func serveVulnerabilities(w http.ResponseWriter, r *http.Request, repo format.Repository) error {
	d, err := repo.IndexDocument(r.Context(), "vulnerabilities", vulnerabilityList{})
	if err != nil {
		return err
	}
	return format.ServeDocument(w, r, d)
}

// vulnerabilityList renders the page: an object with a member for each package.
type vulnerabilityList struct{}

// Entry implements format.IndexRenderer: repositories themselves know of no vulnerabilities.
func (vulnerabilityList) Entry(*format.PackageView) ([]byte, error) { return nil, nil }

// Assemble implements format.IndexRenderer.
func (vulnerabilityList) Assemble(w io.Writer, entries iter.Seq2[registry.PackageID, []byte]) (*format.Rendered, error) {
	before := "{"
	for id, e := range entries {
		if _, err := fmt.Fprintf(w, "%s%q:%s", before, id.Name, e); err != nil {
			return nil, err
		}
		before = ","
	}
	if before == "{" {
		before = "{}"
	} else {
		before = "}"
	}
	if _, err := io.WriteString(w, before); err != nil {
		return nil, err
	}
	return &format.Rendered{ContentType: "application/json"}, nil
}

// parseVulnerabilities reads a page, or the update of one. What is no known form of an entry is left out.
func parseVulnerabilities(body []byte, into map[registry.PackageID][]vulnerability) error {
	var page map[string][]vulnerability
	if err := json.Unmarshal(body, &page); err != nil {
		var none []any // the documentation's form of an empty page
		if json.Unmarshal(body, &none) == nil && len(none) == 0 {
			return nil
		}
		return fmt.Errorf("%w: a page of vulnerabilities is no object of lists", registry.ErrInvalid)
	}
	for name, list := range page {
		id, err := names{}.Package("", strings.ToLower(name))
		if err != nil {
			continue
		}
		for _, v := range list {
			if _, err := parseRange(v.Versions); err == nil && address(v.URL) != "" {
				into[id] = append(into[id], v)
			}
		}
	}
	return nil
}

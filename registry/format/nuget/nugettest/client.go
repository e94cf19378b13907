package nugettest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Client asks a source for what NuGet's own client asks for, in the order and by the addresses that it would: everything begins with
// the service index (https://github.com/NuGet/NuGet.Client, src/NuGet.Core/NuGet.Protocol). The client holds answers against what that
// client is strict about.
type Client struct {
	Source   string // address of the service index
	Token    string // password of Basic, sent after a challenge as .NET does
	APIKey   string
	Warnings []string // headers X-NuGet-Warning, which NuGet prints

	index []Resource
	realm bool // challenged once: credentials are sent unasked below the folder of the index
}

// Resource is an entry of the service index.
type Resource struct {
	ID   string `json:"@id"`
	Type string `json:"@type"`
}

// StatusError is an answer that is no success, as NuGet prints it.
type StatusError struct {
	Status  int
	Warning string
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("Response status code does not indicate success: %d (%s). warn : %s", e.Status, http.StatusText(e.Status), e.Warning)
}

// do sends a request; a body is sent in chunks, without its length, and again after a challenge.
func (c *Client) do(method, at string, body []byte, contentType string) ([]byte, http.Header, error) {
	for {
		var r io.Reader
		if body != nil {
			r = struct{ io.Reader }{bytes.NewReader(body)}
		}
		req, err := http.NewRequest(method, at, r)
		if err != nil {
			return nil, nil, err
		}
		if contentType != "" {
			req.Header.Set("Content-Type", contentType)
		}
		if c.APIKey != "" && method != http.MethodGet {
			req.Header.Set("X-NuGet-ApiKey", c.APIKey)
		}
		sent := c.realm && c.Token != "" && strings.HasPrefix(at, c.Source[:strings.LastIndex(c.Source, "/")+1])
		if sent {
			req.SetBasicAuth("aws", c.Token)
		}
		req.Header.Set("X-NuGet-Client-Version", "6.12.0")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return nil, nil, err
		}
		b, err := io.ReadAll(resp.Body)
		if err := errors.Join(err, resp.Body.Close()); err != nil {
			return nil, nil, err
		}
		if resp.StatusCode == http.StatusUnauthorized && c.Token != "" && !sent {
			if !slices.ContainsFunc(resp.Header.Values("WWW-Authenticate"), func(v string) bool { return strings.HasPrefix(v, "Basic ") }) {
				return nil, nil, fmt.Errorf("%s %s: no challenge for Basic but %q", method, at, resp.Header.Values("WWW-Authenticate"))
			}
			if c.realm {
				return nil, nil, fmt.Errorf("%s is not below the folder of the service index: every request there is sent twice", at)
			}
			c.realm = true
			continue
		}
		if w := resp.Header.Get("X-NuGet-Warning"); w != "" {
			c.Warnings = append(c.Warnings, w)
		}
		if resp.StatusCode >= 300 {
			return nil, nil, &StatusError{resp.StatusCode, resp.Header.Get("X-NuGet-Warning")}
		}
		return b, resp.Header, nil
	}
}

func (c *Client) json(at string, into any) error {
	b, h, err := c.do(http.MethodGet, at, nil, "")
	if err != nil {
		return err
	}
	if !strings.HasPrefix(h.Get("Content-Type"), "application/json") {
		return fmt.Errorf("%s is %s", at, h.Get("Content-Type"))
	}
	return json.Unmarshal(b, into)
}

// Resource finds the first of some types in the service index, which is read once.
func (c *Client) Resource(types ...string) (string, error) {
	if c.index == nil {
		var index struct {
			Version   string     `json:"version"`
			Resources []Resource `json:"resources"`
		}
		if err := c.json(c.Source, &index); err != nil {
			return "", err
		}
		if index.Version != "3.0.0" {
			return "", fmt.Errorf("service index of version %q", index.Version)
		}
		c.index = index.Resources
	}
	for _, t := range types {
		for _, r := range c.index {
			if r.Type == t {
				u, err := url.Parse(strings.NewReplacer("{", "", "}", "").Replace(r.ID))
				if err != nil || !u.IsAbs() {
					return "", fmt.Errorf("%s is at %q", t, r.ID)
				}
				return r.ID, nil
			}
		}
	}
	return "", fmt.Errorf("the service index has none of %q", types)
}

// Versions lists what HttpFileSystemBasedFindPackageByIdResource finds: nil if the package is not there.
func (c *Client) Versions(id string) ([]string, error) {
	base, err := c.Resource("PackageBaseAddress/Versioned", "PackageBaseAddress/3.0.0")
	if err != nil {
		return nil, err
	}
	var list struct {
		Versions []string `json:"versions"`
	}
	err = c.json(strings.TrimSuffix(base, "/")+"/"+strings.ToLower(id)+"/index.json", &list)
	if s := (*StatusError)(nil); errors.As(err, &s) && s.Status == http.StatusNotFound {
		return nil, nil
	}
	if err == nil && list.Versions == nil {
		err = errors.New("a list without versions")
	}
	return list.Versions, err
}

// Download restores a version that Versions listed.
func (c *Client) Download(id, version string) ([]byte, error) {
	list, err := c.Versions(id)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(list, version) {
		return nil, fmt.Errorf("NU1102: Unable to find package %s with version (>= %s), among %q", id, version, list)
	}
	base, err := c.Resource("PackageBaseAddress/3.0.0")
	if err != nil {
		return nil, err
	}
	b, _, err := c.do(http.MethodGet, strings.TrimSuffix(base, "/")+"/"+strings.ToLower(id)+"/"+version+"/"+strings.ToLower(id)+"."+version+".nupkg", nil, "")
	return b, err
}

// Entry is a catalog entry.
type Entry struct {
	ID               string `json:"id"`
	Version          string `json:"version"`
	Listed           bool   `json:"listed"`
	Published        string `json:"published"`
	PackageContent   string `json:"packageContent"`
	DependencyGroups []struct {
		TargetFramework string `json:"targetFramework"`
		Dependencies    []struct {
			ID    string `json:"id"`
			Range string `json:"range"`
		} `json:"dependencies"`
	} `json:"dependencyGroups"`
	Deprecation *struct {
		Reasons []string `json:"reasons"`
	} `json:"deprecation"`
}

// Metadata reads a registration as RegistrationResourceV3 does, pages that are not inlined included.
func (c *Client) Metadata(id string, types ...string) ([]Entry, error) {
	if types == nil {
		types = []string{"RegistrationsBaseUrl/Versioned", "RegistrationsBaseUrl/3.6.0", "RegistrationsBaseUrl/3.4.0"}
	}
	base, err := c.Resource(types...)
	if err != nil {
		return nil, err
	}
	type page struct {
		ID    string `json:"@id"`
		Count int    `json:"count"`
		Lower string `json:"lower"`
		Upper string `json:"upper"`
		Items []struct {
			ID             string `json:"@id"`
			CatalogEntry   Entry  `json:"catalogEntry"`
			PackageContent string `json:"packageContent"`
		} `json:"items"`
	}
	var index struct {
		Count int    `json:"count"`
		Items []page `json:"items"`
	}
	if err := c.json(strings.TrimSuffix(base, "/")+"/"+strings.ToLower(id)+"/index.json", &index); err != nil {
		return nil, err
	}
	if index.Count != len(index.Items) {
		return nil, fmt.Errorf("%d pages, and a count of %d", len(index.Items), index.Count)
	}
	var out []Entry
	for _, p := range index.Items {
		if p.Items == nil {
			bounds := p
			if err := c.json(p.ID, &p); err != nil {
				return nil, err
			}
			if bounds.Lower != p.Lower || bounds.Upper != p.Upper || bounds.Count != p.Count {
				return nil, fmt.Errorf("page %s has other bounds than the index says", p.ID)
			}
		}
		if p.Count != len(p.Items) || p.Count == 0 {
			return nil, fmt.Errorf("page %s has %d items and a count of %d", p.ID, len(p.Items), p.Count)
		}
		for _, i := range p.Items {
			if i.PackageContent != i.CatalogEntry.PackageContent {
				return nil, fmt.Errorf("leaf %s has two contents", i.ID)
			}
			out = append(out, i.CatalogEntry)
		}
	}
	return out, nil
}

// Found is a result of a search.
type Found struct {
	ID           string `json:"id"`
	Version      string `json:"version"`
	Description  string `json:"description"`
	Registration string `json:"registration"`
	PackageTypes []struct {
		Name string `json:"name"`
	} `json:"packageTypes"`
	Versions []struct {
		ID      string `json:"@id"`
		Version string `json:"version"`
	} `json:"versions"`
}

// Search is "dotnet package search".
func (c *Client) Search(q string, prerelease bool) ([]Found, error) {
	at, err := c.Resource("SearchQueryService/Versioned", "SearchQueryService/3.4.0", "SearchQueryService/3.0.0-beta")
	if err != nil {
		return nil, err
	}
	var out struct {
		TotalHits int     `json:"totalHits"`
		Data      []Found `json:"data"`
	}
	err = c.json(at+"?q="+url.QueryEscape(q)+"&skip=0&take=20&prerelease="+fmt.Sprint(prerelease)+"&semVerLevel=2.0.0", &out)
	return out.Data, err
}

// Complete is what an editor offers behind the beginning of an id, or, with id, its versions.
func (c *Client) Complete(query string) ([]string, error) {
	at, err := c.Resource("SearchAutocompleteService/Versioned", "SearchAutocompleteService/3.0.0-beta")
	if err != nil {
		return nil, err
	}
	var out struct {
		Data []string `json:"data"`
	}
	err = c.json(at+"?"+query+"&semVerLevel=2.0.0", &out)
	return out.Data, err
}

// Push is "dotnet nuget push"; symbols may be nil.
func (c *Client) Push(file, symbols []byte) error {
	for _, f := range []struct {
		file     []byte
		resource string
	}{{file, "PackagePublish/2.0.0"}, {symbols, "SymbolPackagePublish/4.9.0"}} {
		if f.file == nil {
			continue
		}
		at, err := c.Resource(f.resource)
		if err != nil {
			return err
		}
		body, contentType := Form(f.file)
		if _, _, err := c.do(http.MethodPut, strings.TrimSuffix(at, "/")+"/", body, contentType); err != nil {
			return err
		}
	}
	return nil
}

// Delete is "dotnet nuget delete", which unlists; list true is the opposite, which nuget.org's own page does.
func (c *Client) Delete(id, version string, list bool) error {
	at, err := c.Resource("PackagePublish/2.0.0")
	if err != nil {
		return err
	}
	method := http.MethodDelete
	if list {
		method = http.MethodPost
	}
	_, _, err = c.do(method, strings.TrimSuffix(at, "/")+"/"+id+"/"+version, nil, "")
	return err
}

// Vulnerability is what is known of a range of versions.
type Vulnerability struct {
	URL      string `json:"url"`
	Severity int    `json:"severity"`
	Versions string `json:"versions"`
}

// Vulnerabilities is what a restore with NuGetAudit asks for.
func (c *Client) Vulnerabilities() (map[string][]Vulnerability, error) {
	at, err := c.Resource("VulnerabilityInfo/6.7.0")
	if err != nil {
		return nil, err
	}
	var index []struct {
		Name    string `json:"@name"`
		ID      string `json:"@id"`
		Updated string `json:"@updated"`
	}
	if err := c.json(at, &index); err != nil {
		return nil, err
	}
	out := map[string][]Vulnerability{}
	for _, p := range index {
		var page map[string][]Vulnerability
		if err := c.json(p.ID, &page); err != nil {
			return nil, err
		}
		for id, list := range page {
			out[id] = append(out[id], list...)
		}
	}
	return out, nil
}

// Get reads any address of the source.
func (c *Client) Get(at string) ([]byte, http.Header, error) {
	if _, err := c.Resource("PackageBaseAddress/3.0.0"); err != nil {
		return nil, nil, err
	}
	return c.do(http.MethodGet, at, nil, "")
}

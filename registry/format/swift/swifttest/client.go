package swifttest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Client asks for what SwiftPM asks for, and takes no answer that SwiftPM would not take
// (https://github.com/swiftlang/swift-package-manager, Sources/PackageRegistry/RegistryClient.swift).
type Client struct {
	Registry string // address, as in registries.json
	Token    string
}

// Problem is an answer that is no success. SwiftPM shows the detail only of problems with a Content-Version.
type Problem struct {
	Status int
	Detail string
}

func (e *Problem) Error() string { return fmt.Sprintf("status %d: %s", e.Status, e.Detail) }

// Do sends a request with the headers of SwiftPM.
func (c *Client) Do(method, path, accept string, body []byte, header http.Header) (*http.Response, []byte, error) {
	var r io.Reader
	if body != nil {
		r = bytes.NewReader(body)
	}
	req, err := http.NewRequest(method, strings.TrimSuffix(c.Registry, "/")+path, r)
	if err != nil {
		return nil, nil, err
	}
	for k, v := range header {
		req.Header[k] = v
	}
	req.Header.Set("Accept", "application/vnd.swift.registry.v1+"+accept)
	req.Header.Set("User-Agent", "SwiftPackageManager/6.0.0-dev")
	if c.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, nil, err
	}
	b, err := io.ReadAll(resp.Body)
	return resp, b, errors.Join(err, resp.Body.Close())
}

func checkVersion(resp *http.Response, optional bool) error {
	v := resp.Header.Get("Content-Version")
	if v == "" && optional || v == "1" {
		return nil
	}
	return fmt.Errorf("invalid content version %q", v)
}

func isType(resp *http.Response, want string) bool {
	got := resp.Header.Get("Content-Type")
	return got == want || strings.HasPrefix(got, want+";")
}

// get checks an answer like RegistryClient's validateResponse… functions.
func (c *Client) get(path, accept, contentType string) (*http.Response, []byte, error) {
	resp, body, err := c.Do(http.MethodGet, path, accept, nil, nil)
	if err != nil {
		return nil, nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, nil, problemOf(resp, body)
	}
	if err := checkVersion(resp, accept == "zip"); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	if !isType(resp, contentType) {
		return nil, nil, fmt.Errorf("%s: invalid content type %q", path, resp.Header.Get("Content-Type"))
	}
	return resp, body, nil
}

func problemOf(resp *http.Response, body []byte) error {
	p := &Problem{Status: resp.StatusCode}
	var d struct {
		Detail string `json:"detail"`
	}
	if checkVersion(resp, false) == nil && isType(resp, "application/problem+json") && json.Unmarshal(body, &d) == nil {
		p.Detail = d.Detail
	}
	return p
}

// Release is an entry of a list.
type Release struct {
	URL     string `json:"url"`
	Problem *struct {
		Status int     `json:"status"`
		Title  string  `json:"title"`
		Detail *string `json:"detail"`
	} `json:"problem"`
}

// Releases is getPackageMetadata: versions that can be resolved, highest first, those that cannot any more, and the links.
func (c *Client) Releases(id string) (versions, gone []string, links http.Header, err error) {
	scope, name, _ := strings.Cut(id, ".")
	resp, body, err := c.get("/"+scope+"/"+name, "json", "application/json")
	if err != nil {
		return nil, nil, nil, err
	}
	var list struct {
		Releases map[string]Release `json:"releases"`
	}
	if err := json.Unmarshal(body, &list); err != nil || list.Releases == nil {
		return nil, nil, nil, fmt.Errorf("invalid list: %w\n%s", err, body)
	}
	for v, r := range list.Releases {
		switch {
		case r.Problem == nil:
			versions = append(versions, v)
		case r.Problem.Detail == nil:
			return nil, nil, nil, errors.New("a problem without detail") // the decoder fails
		default:
			gone = append(gone, v)
		}
	}
	slices.Sort(versions)
	slices.Sort(gone)
	return versions, gone, resp.Header, alternateLocations(resp)
}

// alternateLocations is how the client reads Link headers of lists: cut at commas and semicolons, two fields each.
func alternateLocations(resp *http.Response) error {
	for l := range strings.SplitSeq(strings.Join(resp.Header.Values("Link"), ","), ",") {
		if fields := strings.Split(l, ";"); l != "" && len(fields) != 2 {
			return fmt.Errorf("link %q has %d fields", l, len(fields))
		}
	}
	return nil
}

// Metadata is a release document.
type Metadata struct {
	ID        string `json:"id"`
	Version   string `json:"version"`
	Resources []struct {
		Name     string `json:"name"`
		Type     string `json:"type"`
		Checksum string `json:"checksum"`
		Signing  *struct {
			Signature string `json:"signatureBase64Encoded"`
			Format    string `json:"signatureFormat"`
		} `json:"signing"`
	} `json:"resources"`
	Metadata struct {
		Description    string   `json:"description"`
		RepositoryURLs []string `json:"repositoryURLs"`
		Author         *struct {
			Name string `json:"name"`
		} `json:"author"`
	} `json:"metadata"`
	PublishedAt string `json:"publishedAt"`
}

// Metadata is getPackageVersionMetadata.
func (c *Client) Metadata(id, version string) (*Metadata, error) {
	scope, name, _ := strings.Cut(id, ".")
	resp, body, err := c.get("/"+scope+"/"+name+"/"+version, "json", "application/json")
	if err != nil {
		return nil, err
	}
	m := &Metadata{}
	if err := json.Unmarshal(body, m); err != nil || m.ID == "" || m.Version != version || m.Resources == nil {
		return nil, fmt.Errorf("invalid release document: %w\n%s", err, body)
	}
	if m.PublishedAt != "" {
		if _, err := time.Parse("2006-01-02T15:04:05Z07:00", m.PublishedAt); err != nil || strings.Contains(m.PublishedAt, ".") {
			return nil, fmt.Errorf("the decoder takes no date %q", m.PublishedAt)
		}
	}
	if m.Metadata.Author != nil && m.Metadata.Author.Name == "" {
		return nil, errors.New("an author without name")
	}
	return m, alternateLocations(resp)
}

var toolsVersion = regexp.MustCompile(`^\d+\.\d+(\.\d+)?$`)

// Manifests is getAvailableManifests: Package.swift, and the versions of Swift for which there are others, by file name.
func (c *Client) Manifests(id, version string) (text string, variants map[string]string, err error) {
	scope, name, _ := strings.Cut(id, ".")
	resp, body, err := c.get("/"+scope+"/"+name+"/"+version+"/Package.swift", "swift", "text/x-swift")
	if err != nil {
		return "", nil, err
	}
	variants = map[string]string{}
	tools := map[string]bool{}
	for l := range strings.SplitSeq(strings.Join(resp.Header.Values("Link"), ","), ",") {
		if l == "" {
			continue
		}
		fields := strings.Split(l, ";")
		if len(fields) != 4 || !strings.Contains(fields[1], `rel="alternate"`) {
			return "", nil, fmt.Errorf("link %q of a manifest", l)
		}
		file := strings.Trim(strings.TrimPrefix(strings.TrimSpace(fields[2]), "filename="), `"`)
		v := strings.Trim(strings.TrimPrefix(strings.TrimSpace(fields[3]), "swift-tools-version="), `"`)
		if !toolsVersion.MatchString(v) || tools[v] {
			return "", nil, fmt.Errorf("link %q: tools version %q is invalid, or there twice", l, v)
		}
		tools[v], variants[file] = true, v
	}
	return string(body), variants, nil
}

// Manifest is getManifestContent for a version of Swift, which the client writes with three numbers.
func (c *Client) Manifest(id, version, swift string) (string, error) {
	if strings.Count(swift, ".") == 1 {
		swift += ".0"
	}
	scope, name, _ := strings.Cut(id, ".")
	_, body, err := c.get("/"+scope+"/"+name+"/"+version+"/Package.swift?swift-version="+swift, "swift", "text/x-swift")
	return string(body), err
}

// Download is downloadSourceArchive: the archive must have the checksum of the release document.
func (c *Client) Download(id, version string) ([]byte, http.Header, error) {
	m, err := c.Metadata(id, version)
	if err != nil {
		return nil, nil, err
	}
	scope, name, _ := strings.Cut(id, ".")
	resp, body, err := c.get("/"+scope+"/"+name+"/"+version+".zip", "zip", "application/zip")
	if err != nil {
		return nil, nil, err
	}
	if got := Checksum(body); len(m.Resources) != 1 || m.Resources[0].Name != "source-archive" || m.Resources[0].Checksum != got {
		return nil, nil, fmt.Errorf("invalid checksum %s, the release says %+v", got, m.Resources)
	}
	return body, resp.Header, nil
}

// Identifiers is lookupIdentities.
func (c *Client) Identifiers(at string) ([]string, error) {
	_, body, err := c.get("/identifiers?url="+url.QueryEscape(at), "json", "application/json")
	if p := (*Problem)(nil); errors.As(err, &p) && p.Status == http.StatusNotFound {
		return nil, nil // none
	}
	if err != nil {
		return nil, err
	}
	var out struct {
		Identifiers []string `json:"identifiers"`
	}
	err = json.Unmarshal(body, &out)
	return out.Identifiers, err
}

// Publish is publish: 201 with a Location.
func (c *Client) Publish(p Package) error { return c.PublishArchive(p, p.Archive()) }

// PublishArchive publishes any archive as that of a package.
func (c *Client) PublishArchive(p Package, archive []byte) error {
	body, contentType := p.Form(archive)
	h := http.Header{"Content-Type": {contentType}, "Expect": {"100-continue"}, "Prefer": {"respond-async"}}
	if p.Signature != "" {
		h.Set("X-Swift-Package-Signature-Format", "cms-1.0.0")
	}
	resp, answer, err := c.Do(http.MethodPut, "/"+p.Scope+"/"+p.Name+"/"+p.Version, "json", body, h)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusCreated {
		return problemOf(resp, answer)
	}
	if err := checkVersion(resp, false); err != nil {
		return err
	}
	if resp.Header.Get("Location") == "" {
		return errors.New("published without a Location")
	}
	return nil
}

// Login is login: the very address of a registry that has a path, with a POST.
func (c *Client) Login(path string) error {
	resp, body, err := c.Do(http.MethodPost, path, "json", nil, nil)
	if err == nil && resp.StatusCode != http.StatusOK {
		return problemOf(resp, body)
	}
	return err
}

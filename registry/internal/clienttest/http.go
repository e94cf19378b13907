package clienttest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// httpClient has connections for a few dozen concurrent requests of one test.
var httpClient = &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}

// Do sends a request with the administrator's token, as no client would or faster than one could, and returns status and body.
// An error means that there was no answer, or none to its end.
func (p *Packhouse) Do(method, url string, body []byte) (status int, answer []byte, err error) {
	return Do(method, url, p.Token, body)
}

// Do is Packhouse.Do with any token; "": none.
func Do(method, url, token string, body []byte) (status int, answer []byte, err error) {
	r, err := http.NewRequest(method, url, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	resp, err := httpClient.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(resp.Body)
	return resp.StatusCode, answer, err
}

// Escaped is how clients write a name in a path.
func Escaped(name string) string { return strings.ReplaceAll(name, "/", "%2f") }

// Upload is what npm sends to publish bytes as a version of a package.
func Upload(p Package, tarball []byte) []byte {
	m := p.Manifest()
	m["_id"] = p.Name + "@" + p.Version
	m["dist"] = map[string]any{"integrity": Integrity(tarball), "shasum": Shasum(tarball), "tarball": "http://example.com/x.tgz"}
	tag := p.Tag
	if tag == "" {
		tag = "latest"
	}
	data, err := json.Marshal(map[string]any{
		"_id": p.Name, "name": p.Name, "dist-tags": map[string]string{tag: p.Version}, "versions": map[string]any{p.Version: m}, "access": nil,
		"_attachments": map[string]any{p.Name + "-" + p.Version + ".tgz": map[string]any{
			"content_type": "application/octet-stream", "data": base64.StdEncoding.EncodeToString(tarball), "length": len(tarball)}},
	})
	if err != nil {
		panic(err) // strings and maps
	}
	return data
}

// Publish publishes a package without a client and returns the status and the body of the answer.
func (p *Packhouse) Publish(t testing.TB, repository string, pkg Package) (int, string) {
	t.Helper()
	status, answer, err := p.Do(http.MethodPut, p.Registry(repository)+Escaped(pkg.Name), Upload(pkg, pkg.Tarball()))
	if err != nil {
		t.Fatal(err)
	}
	return status, string(answer)
}

// Packument is the list of versions that clients get.
type Packument struct {
	Tags     map[string]string `json:"dist-tags"`
	Versions map[string]struct {
		Deprecated string `json:"deprecated"`
		Dist       struct {
			Tarball   string `json:"tarball"`
			Integrity string `json:"integrity"`
		} `json:"dist"`
	} `json:"versions"`
	Time map[string]time.Time `json:"time"`
}

// Packument reads the list of versions; the error tells the status if that is not 200.
func (p *Packhouse) Packument(repository, name string) (*Packument, error) {
	status, answer, err := p.Do(http.MethodGet, p.Registry(repository)+Escaped(name), nil)
	if err != nil {
		return nil, err
	}
	if status != http.StatusOK {
		return nil, fmt.Errorf("packument of %s: %d %s", name, status, answer)
	}
	out := new(Packument)
	return out, json.Unmarshal(answer, out)
}

package swift

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"packhouse.dev/packhouse/registry"
)

// Limits of what a publisher says of a release, in bytes.
const (
	maxMetadata = 256 << 10
	maxSummary  = 1000
	maxURLs     = 100
)

// metadata is what the registry itself reads of a release's metadata (specification, appendix B).
type metadata struct {
	Description    string
	LicenseURL     string
	RepositoryURLs []string
}

// object is a JSON object read as the client reads it: keys count letter by letter, and null is nothing.
type object map[string]json.RawMessage

func readObject(raw []byte) (object, bool) {
	var o object
	if !bytes.HasPrefix(bytes.TrimSpace(raw), []byte("{")) || json.Unmarshal(raw, &o) != nil {
		return nil, false
	}
	for k, v := range o {
		if string(v) == "null" {
			delete(o, k)
		}
	}
	return o, true
}

// checker notes the first thing that is wrong.
type checker struct{ wrong string }

func (c *checker) fail(path, why string) {
	if c.wrong == "" {
		c.wrong = path + " " + why
	}
}

func (c *checker) text(o object, path, key string) string {
	var s string
	if raw, ok := o[key]; ok && json.Unmarshal(raw, &s) != nil {
		c.fail(path+key, "is not a text")
	}
	return s
}

// address reads a text that has to be a URL.
func (c *checker) address(o object, path, key string) string {
	s := c.text(o, path, key)
	if u, err := url.Parse(s); s != "" && (err != nil || !u.IsAbs()) {
		c.fail(path+key, "is not an address")
	}
	return s
}

// person reads an author or an organization: an object that has a name.
func (c *checker) person(o object, path, key string) object {
	raw, ok := o[key]
	if !ok {
		return nil
	}
	p, ok := readObject(raw)
	if !ok {
		c.fail(path+key, "is not an object")
		return nil
	}
	path += key + "."
	if c.text(p, path, "name") == "" {
		c.fail(path+"name", "is missing")
	}
	c.text(p, path, "email")
	c.text(p, path, "description")
	c.address(p, path, "url")
	return p
}

// checkMetadata refuses what the client could not decode: then nobody could use the release. Errors wrap ErrInvalid.
func checkMetadata(raw []byte) (metadata, error) {
	var m metadata
	o, ok := readObject(raw)
	if !ok {
		return m, fmt.Errorf("%w: the metadata is not a JSON object", registry.ErrInvalid)
	}
	c := &checker{}
	if author := c.person(o, "", "author"); author != nil {
		c.person(author, "author.", "organization")
	}
	m.Description = c.text(o, "", "description")
	m.LicenseURL = c.address(o, "", "licenseURL")
	c.address(o, "", "readmeURL")
	if list, ok := o["repositoryURLs"]; ok && json.Unmarshal(list, &m.RepositoryURLs) != nil {
		c.fail("repositoryURLs", "is not a list of texts")
	}
	if len(m.RepositoryURLs) > maxURLs {
		c.fail("repositoryURLs", fmt.Sprintf("has more than %d addresses", maxURLs))
	}
	if at := c.text(o, "", "originalPublicationTime"); o["originalPublicationTime"] != nil {
		if _, err := time.Parse(time.RFC3339, at); err != nil || strings.Contains(at, ".") {
			c.fail("originalPublicationTime", `is not a time in whole seconds, such as "2024-01-31T12:00:00Z"`)
		}
	}
	if c.wrong != "" {
		return metadata{}, fmt.Errorf("%w: in the metadata, %s", registry.ErrInvalid, c.wrong)
	}
	return m, nil
}

// readMetadata reads metadata that was checked before it was stored.
func readMetadata(raw []byte) metadata {
	m, err := checkMetadata(raw)
	if err != nil {
		return metadata{}
	}
	return m
}

// summary is the description for lists.
func (m metadata) summary() string {
	s := strings.Join(strings.Fields(m.Description), " ")
	if len(s) > maxSummary {
		s = strings.ToValidUTF8(s[:maxSummary], "")
	}
	return s
}

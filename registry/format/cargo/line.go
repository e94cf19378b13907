package cargo

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/internal/semver"
)

// maxLine bounds a line of an index, in bytes. The longest known, of crates with thousands of features, have some 150 KB.
const maxLine = 1 << 20

// timeFormat is the one that cargo reads; with a fraction of a second, the whole line counts for nothing.
const timeFormat = "2006-01-02T15:04:05Z"

// entry is what the registry itself reads of a line. The rest of it is between its author and cargo.
type entry struct {
	name      string
	version   string // as written
	key       string
	checksum  string // SHA-256
	yanked    bool
	published time.Time // zero if the line does not say
}

// parseLine reads a line of an index, which must be one that cargo takes (registry-index.html#json-schema). Errors wrap ErrInvalid.
func parseLine(line []byte) (entry, error) {
	var e entry
	if len(line) > maxLine {
		return e, fmt.Errorf("%w: a line of %d bytes", registry.ErrInvalid, len(line))
	}
	list, err := members(line)
	if err != nil {
		return e, err
	}
	e.name, e.version = text(find(line, list, "name")), text(find(line, list, "vers"))
	if !isCrateName(e.name) {
		return e, fmt.Errorf("%w: %q is not a crate name", registry.ErrInvalid, registry.Clip(e.name))
	}
	v, ok := semver.Parse(e.version)
	if !ok {
		return e, fmt.Errorf("%w: %q is not a semantic version", registry.ErrInvalid, registry.Clip(e.version))
	}
	e.key = v.Key()
	e.checksum = text(find(line, list, "cksum"))
	if registry.ParseDigest("sha256:"+e.checksum) == (registry.Digests{}) || e.checksum != string(bytes.ToLower([]byte(e.checksum))) {
		return e, fmt.Errorf("%w: the line of %s has no SHA-256", registry.ErrInvalid, e.version)
	}
	// Cargo leaves out lines in which these are null or something else.
	for key, begins := range map[string]byte{"deps": '[', "features": '{', "features2": '{'} {
		if raw := find(line, list, key); raw != nil && raw[0] != begins && !(key == "features2" && string(raw) == "null") {
			return e, fmt.Errorf("%w: %q in the line of %s", registry.ErrInvalid, key, e.version)
		}
	}
	if find(line, list, "deps") == nil {
		return e, fmt.Errorf("%w: the line of %s has no dependencies", registry.ErrInvalid, e.version)
	}
	switch raw := find(line, list, "yanked"); string(raw) {
	case "true":
		e.yanked = true
	case "false", "null", "":
	default:
		return e, fmt.Errorf("%w: \"yanked\" in the line of %s", registry.ErrInvalid, e.version)
	}
	if at, err := time.Parse(timeFormat, text(find(line, list, "pubtime"))); err == nil {
		e.published = at
	}
	return e, nil
}

// servedLine is the line of a version as clients get it: the stored one, with "yanked" as its status is and, if it was published here,
// the time of that.
func servedLine(v *registry.Version) (name string, line []byte, err error) {
	line = storedLine(v)
	list, err := members(line)
	if err != nil {
		return "", nil, fmt.Errorf("stored index line of %s is damaged: %w", v.ID, err)
	}
	name = text(find(line, list, "name"))
	want, yanked := "false", find(line, list, "yanked")
	if v.Status == registry.Unlisted {
		want = "true"
	}
	switch {
	case (string(yanked) == "true") == (want == "true"):
	case yanked == nil:
		line = addMember(line, `"yanked":`+want)
	default:
		at := slices.IndexFunc(list, func(m member) bool { return m.key == "yanked" })
		line = slices.Concat(line[:list[at].start], []byte(want), line[list[at].end:])
	}
	if v.Origin.Type == registry.Internal && find(line, list, "pubtime") == nil && !v.PublishedAt.IsZero() {
		line = addMember(line, `"pubtime":"`+v.PublishedAt.UTC().Format(timeFormat)+`"`)
	}
	return name, line, nil
}

// storedLine is the index line that a version was published or proxied with.
func storedLine(v *registry.Version) []byte {
	for _, a := range v.Assets {
		if len(a.Info) > 0 {
			return a.Info
		}
	}
	return nil
}

// addMember adds a member to an object that has some already.
func addMember(object []byte, text string) []byte {
	object = bytes.TrimRight(object, " \t\r\n")
	return append(append(slices.Clone(object[:len(object)-1]), ','), text+"}"...)
}

// indexLine is a line for a crate that is published here. Members that old clients want to see are never left out.
type indexLine struct {
	Name        string              `json:"name"`
	Version     string              `json:"vers"`
	Deps        []indexDependency   `json:"deps"`
	Checksum    string              `json:"cksum"`
	Features    map[string][]string `json:"features"`
	Yanked      bool                `json:"yanked"`
	Links       string              `json:"links,omitempty"`
	RustVersion string              `json:"rust_version,omitempty"`
	V           int                 `json:"v,omitempty"`
}

// indexDependency is a dependency in a line. Registry nil is the registry of the index itself.
type indexDependency struct {
	Name            string   `json:"name"` // in the code of the crate
	Req             string   `json:"req"`
	Features        []string `json:"features"`
	Optional        bool     `json:"optional"`
	DefaultFeatures bool     `json:"default_features"`
	Target          *string  `json:"target"`
	Kind            string   `json:"kind"`
	Registry        *string  `json:"registry"`
	Package         string   `json:"package,omitempty"` // in the index, if it is another name
	Public          bool     `json:"public,omitempty"`
	Artifact        []string `json:"artifact,omitempty"`
	BindepTarget    string   `json:"bindep_target,omitempty"`
	Lib             bool     `json:"lib,omitempty"`
}

// encode writes the line without a line end. "<" and ">" of requirements stay as they are.
func (l *indexLine) encode() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(l); err != nil {
		return nil, fmt.Errorf("index line: %w", err)
	}
	if b.Len() > maxLine {
		return nil, fmt.Errorf("%w: dependencies and features of the crate are more than %d KB", registry.ErrInvalid, maxLine>>10)
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

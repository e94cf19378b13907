package ruby

import (
	"bytes"
	"cmp"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
)

// The kinds of index documents, beside those of specs.
const (
	versionsKind = "versions"
	namesKind    = "names"
)

// versionsHead begins /versions. The date is that of nothing: were it to change, clients would have to fetch the whole document again.
const versionsHead = "created_at: 2024-01-01T00:00:00Z\n---\n"

// renderInfo renders /info of a gem, the oldest version first.
func renderInfo(view *format.PackageView) (*format.Rendered, error) {
	body, err := infoBody(view)
	if err != nil {
		return nil, err
	}
	return compact(body, view.Modified), nil
}

func infoBody(view *format.PackageView) ([]byte, error) {
	b := []byte(infoHead)
	for _, v := range view.Versions {
		line, err := servedLine(v)
		if err != nil {
			return nil, err
		}
		b = append(append(b, line...), '\n')
	}
	return b, nil
}

// compact is a document of the compact index: clients take the ETag for the MD5 of what they have, and check the digest.
func compact(body []byte, modified time.Time) *format.Rendered {
	sum := sha256.Sum256(body)
	digest := base64.StdEncoding.EncodeToString(sum[:])
	return &format.Rendered{
		ContentType: "text/plain; charset=utf-8", Body: body, ETag: `"` + md5Hex(body) + `"`, Modified: modified,
		Header: map[string][]string{"Repr-Digest": {"sha-256=:" + digest + ":"}, "Digest": {"sha-256=" + digest}, "Accept-Ranges": {"bytes"}},
	}
}

func md5Hex(b []byte) string {
	sum := md5.Sum(b)
	return hex.EncodeToString(sum[:])
}

// versionsIndex renders /versions: the gems that changed last come last, so that a client that has the document needs its end only. An
// entry is the time of the last change and a line.
type versionsIndex struct{}

// Entry implements format.IndexRenderer.
func (versionsIndex) Entry(view *format.PackageView) ([]byte, error) {
	body, err := infoBody(view)
	if err != nil {
		return nil, err
	}
	var keys []string
	for _, v := range view.Versions {
		keys = append(keys, v.ID.Version)
	}
	return versionsEntry(view.Modified.UnixNano(), view.ID.Name, keys, md5Hex(body)), nil
}

func versionsEntry(modified int64, name string, keys []string, sum string) []byte {
	return fmt.Appendf(nil, "%020d %s %s %s\n", max(0, modified), name, strings.Join(keys, ","), sum)
}

// Assemble implements format.IndexRenderer.
func (versionsIndex) Assemble(_ io.Writer, entries iter.Seq2[registry.PackageID, []byte]) (*format.Rendered, error) {
	var lines [][]byte
	for _, e := range entries {
		lines = append(lines, e)
	}
	slices.SortFunc(lines, bytes.Compare)
	body := []byte(versionsHead)
	for _, l := range lines {
		_, line, _ := bytes.Cut(l, []byte(" "))
		body = append(body, line...)
	}
	return compact(body, time.Time{}), nil
}

// namesIndex renders /names.
type namesIndex struct{}

// Entry implements format.IndexRenderer.
func (namesIndex) Entry(view *format.PackageView) ([]byte, error) {
	return []byte(view.ID.Name + "\n"), nil
}

// Assemble implements format.IndexRenderer.
func (namesIndex) Assemble(_ io.Writer, entries iter.Seq2[registry.PackageID, []byte]) (*format.Rendered, error) {
	body := []byte(infoHead)
	for _, e := range entries {
		body = append(body, e...)
	}
	return compact(body, time.Time{}), nil
}

// specsIndex renders the three specs indexes: arrays of [name, version, platform], marshalled and compressed. An entry has a line with
// number and platform for each version.
type specsIndex struct{ kind string }

// Entry implements format.IndexRenderer.
func (x specsIndex) Entry(view *format.PackageView) ([]byte, error) {
	latest := map[string]string{} // number by platform
	var out []byte
	for _, v := range view.Versions { // ascending
		number, platform := splitVersion(v.ID.Version)
		pre := isPrerelease(number)
		switch {
		case x.kind == "latest_specs" && !pre:
			latest[platform] = number
		case x.kind == "specs" && !pre, x.kind == "prerelease_specs" && pre:
			out = append(out, number+" "+platform+"\n"...)
		}
	}
	for _, platform := range sortedKeys(latest) {
		out = append(out, latest[platform]+" "+platform+"\n"...)
	}
	return append(out, '\n'), nil // an entry without bytes counts as none at all
}

func sortedKeys(m map[string]string) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, cmp.Compare[string])
	return keys
}

// Assemble implements format.IndexRenderer.
func (specsIndex) Assemble(w io.Writer, entries iter.Seq2[registry.PackageID, []byte]) (*format.Rendered, error) {
	var list [][3]string
	for id, e := range entries {
		for line := range strings.Lines(string(e)) {
			if number, platform, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
				list = append(list, [3]string{id.Name, number, platform})
			}
		}
	}
	m := newMarshaler()
	m.array(len(list))
	for _, s := range list {
		m.array(3)
		m.text(s[0])
		m.version(s[1])
		m.text(s[2])
	}
	zw := gzip.NewWriter(w)
	if _, err := zw.Write(m.b); err != nil {
		return nil, err
	}
	if err := zw.Close(); err != nil {
		return nil, err
	}
	return &format.Rendered{ContentType: "application/octet-stream"}, nil
}

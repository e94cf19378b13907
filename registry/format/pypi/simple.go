package pypi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"iter"
	"time"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
)

// apiVersion is the version of the simple API that pages follow (PEP 792); see renderProject.
const (
	apiVersion    = "1.4"
	apiVersionOld = "1.0"
)

// uploadTime is the form of times in pages: never more than six digits of a second.
const uploadTime = "2006-01-02T15:04:05.999999Z"

// page is the JSON page of a project (PEP 691, 700, 714).
type page struct {
	Meta     meta       `json:"meta"`
	Name     string     `json:"name"`
	Versions []string   `json:"versions"`
	Files    []pageFile `json:"files"`
}

type meta struct {
	APIVersion string `json:"api-version"`
}

type pageFile struct {
	Filename       string            `json:"filename"`
	URL            string            `json:"url"`
	Hashes         map[string]string `json:"hashes"`
	RequiresPython string            `json:"requires-python,omitempty"`
	Size           *int64            `json:"size,omitempty"`
	UploadTime     string            `json:"upload-time,omitempty"`
	Yanked         any               `json:"yanked"` // false, true or the reason
	// CoreMetadata is false, true or hashes. Not under its old name, dist-info-metadata, too: pip 22.3 to 23.1 fail over hashes there
	// (PEP 714).
	CoreMetadata any `json:"core-metadata"`
}

// renderProject renders the page of a project. Pages of version 1.1 and later say the size of every file; where an upstream does not
// tell it, the page says that it is of version 1.0.
func renderProject(v *format.PackageView, rep representation) (*format.Rendered, error) {
	p := page{Meta: meta{apiVersion}, Name: v.ID.Name, Versions: []string{}, Files: []pageFile{}}
	for _, ver := range v.Versions {
		p.Versions = append(p.Versions, ver.Display)
		f, err := flagsOf(ver)
		if err != nil {
			return nil, err
		}
		for i := range ver.Assets {
			a := &ver.Assets[i]
			if !a.Listed {
				continue
			}
			if a.Size < 0 {
				p.Meta.APIVersion = apiVersionOld
			}
			p.Files = append(p.Files, newPageFile(v, ver, a, f))
		}
	}
	out := &format.Rendered{ContentType: rep.contentType(), Modified: v.Modified}
	if rep != repJSON {
		out.Body = p.html()
		return out, nil
	}
	body, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("page of %s: %w", v.ID, err)
	}
	out.Body = body
	return out, nil
}

func newPageFile(view *format.PackageView, ver *registry.Version, a *registry.Asset, f flags) pageFile {
	info := infoOf(a)
	out := pageFile{
		Filename: a.Name, URL: view.URL(filePath(ver.ID, a.Name)), Hashes: hashes(a.Digests), RequiresPython: info.RequiresPython,
		Yanked: false, CoreMetadata: false,
	}
	if a.Size >= 0 {
		out.Size = &a.Size
	}
	switch { // the time when something was ingested is not its age, and clients ask for that
	case info.UploadTime != nil:
		out.UploadTime = info.UploadTime.UTC().Truncate(time.Microsecond).Format(uploadTime)
	case ver.Origin.Type == registry.Internal && !ver.PublishedAt.IsZero():
		out.UploadTime = ver.PublishedAt.UTC().Truncate(time.Microsecond).Format(uploadTime)
	}
	if reason, yanked := f.Yanked[a.Name]; yanked {
		out.Yanked = true
		if reason != "" {
			out.Yanked = reason
		}
	}
	if m := ver.Asset(a.Name + metadataExtension); m != nil {
		out.CoreMetadata = true
		if h := hashes(m.Digests); len(h) > 0 {
			out.CoreMetadata = h
		}
	}
	return out
}

// hashes are the digests that are known, under the names that Python gives them. Empty where none is: the key is mandatory.
func hashes(d registry.Digests) map[string]string {
	out := map[string]string{}
	for name, hex := range map[string]string{"md5": d.MD5, "sha1": d.SHA1, "sha256": d.SHA256, "sha512": d.SHA512} {
		if hex != "" && (name == "sha256" || d.SHA256 == "") {
			out[name] = hex // the SHA-256 alone where there is one: clients would compute every one
		}
	}
	return out
}

// hashText writes the strongest of hashes as "name=hex", "" if there is none.
func hashText(h map[string]string) string {
	for _, name := range []string{"sha256", "sha512", "sha1", "md5"} {
		if hex := h[name]; hex != "" {
			return name + "=" + hex
		}
	}
	return ""
}

// html renders the page in the form of PEP 503, which has been closed: what is new is in JSON only.
func (p *page) html() []byte {
	var b bytes.Buffer
	htmlHead(&b, p.Meta.APIVersion, "Links for "+p.Name)
	for _, f := range p.Files {
		b.WriteString("    <a href=\"" + html.EscapeString(f.URL))
		if h := hashText(f.Hashes); h != "" {
			b.WriteString("#" + h)
		}
		b.WriteString("\"")
		attribute(&b, "data-requires-python", f.RequiresPython)
		switch yanked := f.Yanked.(type) {
		case string:
			attribute(&b, "data-yanked", yanked)
		case bool:
			if yanked {
				b.WriteString(` data-yanked=""`)
			}
		}
		metadata := ""
		switch m := f.CoreMetadata.(type) {
		case map[string]string:
			metadata = hashText(m)
		case bool:
			if m {
				metadata = "true"
			}
		}
		attribute(&b, "data-core-metadata", metadata)
		attribute(&b, "data-dist-info-metadata", metadata)
		b.WriteString(">" + html.EscapeString(f.Filename) + "</a><br>\n")
	}
	b.WriteString(htmlTail)
	return b.Bytes()
}

// attribute writes an attribute unless it has no value.
func attribute(b *bytes.Buffer, name, value string) {
	if value != "" {
		b.WriteString(" " + name + `="` + html.EscapeString(value) + `"`)
	}
}

const htmlTail = "  </body>\n</html>\n"

func htmlHead(w io.StringWriter, version, title string) {
	title = html.EscapeString(title)
	_, _ = w.WriteString("<!DOCTYPE html>\n<html>\n  <head>\n    <meta charset=\"utf-8\">\n    <meta name=\"pypi:repository-version\" content=\"" + version +
		"\">\n    <title>" + title + "</title>\n  </head>\n  <body>\n    <h1>" + title + "</h1>\n") // into memory
}

// projectList renders the list of projects. An entry is a normalised name, whose letters need no escaping anywhere.
type projectList struct{ rep representation }

// Entry implements format.IndexRenderer.
func (projectList) Entry(v *format.PackageView) ([]byte, error) { return []byte(v.ID.Name), nil }

// Assemble implements format.IndexRenderer.
func (l projectList) Assemble(w io.Writer, entries iter.Seq2[registry.PackageID, []byte]) (*format.Rendered, error) {
	var b bytes.Buffer
	if l.rep == repJSON {
		b.WriteString(`{"meta":{"api-version":"` + apiVersion + `"},"projects":[`)
	} else {
		htmlHead(&b, apiVersion, "Simple index")
	}
	first := true
	for _, name := range entries {
		switch {
		case l.rep != repJSON:
			b.WriteString("    <a href=\"" + string(name) + "/\">" + string(name) + "</a><br>\n")
		case first:
			b.WriteString(`{"name":"` + string(name) + `"}`)
		default:
			b.WriteString(`,{"name":"` + string(name) + `"}`)
		}
		first = false
	}
	if l.rep == repJSON {
		b.WriteString("]}")
	} else {
		b.WriteString(htmlTail)
	}
	if _, err := b.WriteTo(w); err != nil {
		return nil, err
	}
	return &format.Rendered{ContentType: l.rep.contentType()}, nil
}

package pypi

import (
	"bytes"
	"fmt"
	"net/url"
	"path"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"packhouse.dev/packhouse/registry"
)

// maxToken bounds one tag of a page, in bytes.
const maxToken = 64 << 10

// parseHTMLPage reads PEP 503 and what was added to it: anchors with an address, and what their attributes say. Any HTML is read, as
// installers do: pages of folders that a web server lists are indexes, too.
func parseHTMLPage(body []byte, base *url.URL) ([]remoteFile, error) {
	z := html.NewTokenizer(bytes.NewReader(body))
	z.SetMaxBuf(maxToken)
	var out []remoteFile
	based := false
	for {
		switch z.Next() {
		case html.ErrorToken:
			if err := z.Err(); err == html.ErrBufferExceeded { //nolint:errorlint // it is returned as it is
				return nil, fmt.Errorf("%w: a tag of the page has more than %d bytes", registry.ErrInvalid, maxToken)
			}
			return out, nil
		case html.StartTagToken, html.SelfClosingTagToken:
			t := z.Token()
			switch t.DataAtom {
			case atom.A:
				if f, ok := htmlFile(t.Attr, base); ok && len(out) < maxFiles {
					out = append(out, f)
				}
			case atom.Base:
				if u, err := base.Parse(strings.TrimSpace(attr(t.Attr, "href"))); err == nil && !based && attr(t.Attr, "href") != "" {
					base, based = u, true
				}
			case atom.Meta:
				if err := checkMeta(attr(t.Attr, "name"), attr(t.Attr, "content")); err != nil {
					return nil, err
				}
			}
		}
	}
}

func checkMeta(name, content string) error {
	switch {
	case strings.EqualFold(name, "pypi:repository-version"):
		return checkVersion(content)
	case strings.EqualFold(name, "pypi:project-status") && content == "quarantined":
		return errQuarantined
	}
	return nil
}

// htmlFile reads an anchor. Its file is named by its address, as installers take it.
func htmlFile(attrs []html.Attribute, base *url.URL) (remoteFile, bool) {
	href := strings.TrimSpace(attr(attrs, "href"))
	f := remoteFile{size: -1, requiresPython: attr(attrs, "data-requires-python")}
	if href == "" || !f.resolve(base, href) || path.Ext(f.name) == "" {
		return remoteFile{}, false
	}
	if u, err := url.Parse(href); err == nil {
		f.digests = fragmentDigests(u.Fragment)
	}
	for _, a := range attrs {
		switch a.Key {
		case "data-yanked":
			f.yanked, f.reason = true, a.Val
		case "data-core-metadata", "data-dist-info-metadata":
			if !f.metadata || f.metadataHash == (registry.Digests{}) {
				f.metadata, f.metadataHash = a.Val != "false", fragmentDigests(a.Val)
			}
		}
	}
	return f, true
}

// fragmentDigests reads "sha256=hex", also among "&egg=name".
func fragmentDigests(fragment string) registry.Digests {
	h := map[string]string{}
	for part := range strings.SplitSeq(fragment, "&") {
		if name, hex, ok := strings.Cut(part, "="); ok {
			h[name] = hex
		}
	}
	return digestsOf(h)
}

// attr returns the value of an attribute, whose name the tokenizer gives in lower case.
func attr(attrs []html.Attribute, name string) string {
	for _, a := range attrs {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

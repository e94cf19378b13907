package swift

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
)

// Limits of a publish.
const (
	maxParts     = 20
	maxSignature = 64 << 10 // bytes
)

// signatureFormat is the one that there is (specification, 4.6.1).
const signatureFormat = "cms-1.0.0"

// upload is what a publish sends.
type upload struct {
	archive           format.Staged
	signature         []byte
	metadata          []byte
	metadataSignature []byte
}

// Close removes the archive's temporary file.
func (u *upload) Close() {
	if u.archive != nil {
		_ = u.archive.Close() // it is temporary
	}
}

// publish serves "swift package-registry publish" (specification, 4.6). It answers when the release can be had.
func publish(w http.ResponseWriter, r *http.Request, repo format.Repository, a address) error {
	u := &upload{}
	defer u.Close()
	if err := u.read(r, repo, a.id); err != nil {
		return fmt.Errorf("publish %s %s: %w", identifier(a.scope, a.name), a.version, err)
	}
	p, err := u.publication(a, r.Header.Get("X-Swift-Package-Signature-Format"))
	if err != nil {
		return fmt.Errorf("publish %s %s: %w", identifier(a.scope, a.name), a.version, err)
	}
	if _, err := repo.Publish(r.Context(), *p); err != nil {
		return err
	}
	h := w.Header()
	h.Set("Location", repo.URL(releasePath(identifier(a.scope, a.name), a.version)))
	write(w, r, http.StatusCreated, jsonType, []byte("{}"))
	return nil
}

// read takes the parts of the form. Clients send them without file names, and say "quoted-printable" of what is not: parts are taken as
// they are.
func (u *upload) read(r *http.Request, repo format.Publisher, id registry.PackageID) error {
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" {
		return fmt.Errorf("%w: the request is no form (multipart/form-data) with a part %q", registry.ErrInvalid, sourceArchive)
	}
	form := multipart.NewReader(r.Body, params["boundary"])
	for n := 0; ; n++ {
		part, err := form.NextRawPart()
		if errors.Is(err, io.EOF) && u.archive != nil {
			return nil
		}
		if err != nil || n == maxParts {
			return fmt.Errorf("%w: the form is cut off, or it has no part %q", registry.ErrInvalid, sourceArchive)
		}
		if err := u.take(r, repo, id, part); err != nil {
			return err
		}
	}
}

func (u *upload) take(r *http.Request, repo format.Publisher, id registry.PackageID, part *multipart.Part) (err error) {
	var body io.Reader = part
	if strings.EqualFold(part.Header.Get("Content-Transfer-Encoding"), "base64") {
		body = base64.NewDecoder(base64.StdEncoding, body)
	}
	small := func(to *[]byte, limit int64) error {
		if *to != nil {
			return fmt.Errorf("%w: the form has two parts %q", registry.ErrInvalid, part.FormName())
		}
		b, err := io.ReadAll(io.LimitReader(body, limit+1))
		if err != nil {
			return fmt.Errorf("%w: part %q: %w", registry.ErrInvalid, part.FormName(), err)
		}
		if int64(len(b)) > limit {
			return fmt.Errorf("%w: part %q has more than %d KB", registry.ErrTooLarge, part.FormName(), limit>>10)
		}
		*to = b
		return nil
	}
	switch part.FormName() {
	case sourceArchive:
		if u.archive != nil {
			return fmt.Errorf("%w: the form has two parts %q", registry.ErrInvalid, sourceArchive)
		}
		u.archive, err = repo.Stage(r.Context(), id, body)
		return err
	case sourceArchive + "-signature":
		return small(&u.signature, maxSignature)
	case "metadata":
		return small(&u.metadata, maxMetadata)
	case "metadata-signature":
		return small(&u.metadataSignature, maxSignature)
	}
	_, err = io.Copy(io.Discard, io.LimitReader(body, maxMetadata)) // not ours
	return err
}

// publication makes a version of an upload. Errors wrap ErrInvalid and say what to change.
func (u *upload) publication(a address, signed string) (*format.Publication, error) {
	rel := release{ID: identifier(a.scope, a.name)}
	if len(u.signature) > 0 {
		if signed != signatureFormat {
			return nil, fmt.Errorf("%w: the archive is signed, and the header X-Swift-Package-Signature-Format is not %q", registry.ErrInvalid, signatureFormat)
		}
		rel.Signing = &signing{base64.StdEncoding.EncodeToString(u.signature), signatureFormat}
	}
	if len(u.metadataSignature) > 0 {
		rel.MetadataSignature = base64.StdEncoding.EncodeToString(u.metadataSignature)
	}
	var m metadata
	if len(bytes.TrimSpace(u.metadata)) > 0 {
		var err error
		if m, err = checkMetadata(u.metadata); err != nil {
			return nil, err
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, u.metadata); err != nil {
			return nil, fmt.Errorf("%w: the metadata: %w", registry.ErrInvalid, err)
		}
		rel.Metadata = compact.Bytes()
	}
	c, err := readContents(u.archive)
	if err != nil {
		return nil, err
	}
	document, err := c.encode()
	if err != nil {
		return nil, err
	}
	info, err := rel.encode()
	if err != nil {
		return nil, err
	}
	p := &format.Publication{
		ID: a.versionID(), Display: rel.ID, VersionDisplay: a.version, Summary: m.summary(), Document: document, CreateOnly: true,
		Assets: []format.NewAsset{{Name: assetName(a.versionID()), Staged: u.archive, Info: info}},
	}
	seen := map[string]bool{}
	for _, at := range m.RepositoryURLs {
		if key := repositoryKey(at); key != "" && !seen[key] {
			seen[key] = true
			p.Lookups = append(p.Lookups, format.Lookup{Kind: repositoryLookup, Key: key})
		}
	}
	return p, nil
}

package pypi

import (
	"context"
	"encoding/hex"
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

// Bounds of an upload form.
const (
	maxFormFields  = 2_000
	maxFormField   = 1 << 20  // bytes of one field
	maxDescribed   = 8 << 20  // bytes of the description
	maxFormText    = 32 << 20 // bytes of all fields
	maxSideFile    = 1 << 20  // bytes of a signature
	actionUpload   = "file_upload"
	actionRegister = "submit" // of old clients, before the upload
)

// upload is a form as it was read: the fields that are looked at, and the file.
type upload struct {
	action, protocol, kind, name, version string
	want                                  registry.Digests
	file                                  string // name
	staged                                format.Staged
	fields                                int
	text                                  int64
}

// close removes the spooled file.
func (u *upload) close() {
	if u.staged != nil {
		u.staged.Close()
	}
}

// readUpload reads the form of an upload (https://docs.pypi.org/api/upload/). The order of fields is not fixed, so the file is spooled
// when it comes and everything is judged at the end. What core metadata says beside the file is not looked at: the file has it. The
// caller closes the upload, also after an error.
func readUpload(ctx context.Context, repo format.Publisher, r *http.Request) (*upload, error) {
	u := &upload{}
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" || params["boundary"] == "" {
		return u, fmt.Errorf("%w: an upload is a form (multipart/form-data)", registry.ErrInvalid)
	}
	src := &noting{r: r.Body}
	form := multipart.NewReader(src, params["boundary"])
	for {
		part, err := form.NextRawPart()
		if errors.Is(err, io.EOF) {
			return u, nil
		}
		if err != nil {
			return u, src.explain(err)
		}
		if u.fields++; u.fields > maxFormFields {
			return u, fmt.Errorf("%w: the form has more than %d fields", registry.ErrInvalid, maxFormFields)
		}
		if err := u.read(ctx, repo, part); err != nil {
			return u, src.explain(err)
		}
	}
}

// noting remembers how reading the request failed, to tell a request that is wrong from one that did not arrive.
type noting struct {
	r   io.Reader
	err error
}

func (n *noting) Read(p []byte) (int, error) {
	c, err := n.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		n.err = err
	}
	return c, err
}

func (n *noting) explain(err error) error {
	switch {
	case n.err != nil:
		return n.err
	case sentinel(err):
		return err
	}
	return fmt.Errorf("%w: the form is damaged or ends in the middle", registry.ErrInvalid)
}

// sentinel says whether an error has a meaning of its own.
func sentinel(err error) bool {
	for _, s := range []error{
		registry.ErrInvalid, registry.ErrTooLarge, registry.ErrAccessDenied, registry.ErrUnauthenticated, registry.ErrUnavailable,
		registry.ErrQuotaExceeded, registry.ErrBlocked, registry.ErrConflict, context.Canceled, context.DeadlineExceeded,
	} {
		if errors.Is(err, s) {
			return true
		}
	}
	return false
}

// read takes one part of the form.
func (u *upload) read(ctx context.Context, repo format.Publisher, part *multipart.Part) error {
	field := part.FormName()
	if field == "content" {
		return u.readFile(ctx, repo, part)
	}
	if isFilePart(part) { // gpg_signature
		return u.skip(part, maxSideFile)
	}
	target := u.target(field)
	if target == nil {
		limit := int64(maxFormField)
		if field == "description" {
			limit = maxDescribed
		}
		return u.skip(part, limit)
	}
	b, err := io.ReadAll(io.LimitReader(part, maxFile+1))
	if err != nil {
		return err
	}
	value := strings.TrimSpace(string(b))
	switch {
	case len(b) > maxFile:
		return fmt.Errorf("%w: the field %q of the form is too long", registry.ErrInvalid, field)
	case *target != "" && *target != value:
		return fmt.Errorf("%w: the form has the field %q twice, with %q and %q", registry.ErrInvalid, field, registry.Clip(*target), registry.Clip(value))
	}
	*target = value
	return nil
}

// target is where a field is kept; nil for those that nobody looks at. blake2_256_digest is one of those: every client that sends it
// sends the SHA-256 too.
func (u *upload) target(field string) *string {
	switch field {
	case ":action":
		return &u.action
	case "protocol_version":
		return &u.protocol
	case "filetype":
		return &u.kind
	case "name":
		return &u.name
	case "version":
		return &u.version
	case "md5_digest":
		return &u.want.MD5
	case "sha256_digest":
		return &u.want.SHA256
	}
	return nil
}

func (u *upload) skip(part io.Reader, limit int64) error {
	n, err := io.Copy(io.Discard, io.LimitReader(part, limit+1))
	if err != nil {
		return err
	}
	if u.text += n; n > limit || u.text > maxFormText {
		return fmt.Errorf("%w: a field of the form is too long", registry.ErrTooLarge)
	}
	return nil
}

// readFile spools the file. If the form has named the project already, it is asked at once whether it may be published.
func (u *upload) readFile(ctx context.Context, repo format.Publisher, part *multipart.Part) error {
	if u.staged != nil {
		return fmt.Errorf("%w: the form has two files", registry.ErrInvalid)
	}
	// Not Part.FileName, which would cut a path off instead of showing it.
	_, params, err := mime.ParseMediaType(part.Header.Get("Content-Disposition"))
	if err != nil || params["filename"] == "" {
		return fmt.Errorf("%w: the field \"content\" has no file name", registry.ErrInvalid)
	}
	u.file = params["filename"]
	if !isFile(u.file) {
		return fmt.Errorf("%w: %q is not a file name", registry.ErrInvalid, registry.Clip(u.file))
	}
	var hint registry.PackageID
	if u.name != "" {
		if hint, err = (names{}).Package("", u.name); err != nil {
			return err
		}
	}
	u.staged, err = repo.Stage(ctx, hint, part)
	return err
}

func isFilePart(part *multipart.Part) bool {
	_, params, err := mime.ParseMediaType(part.Header.Get("Content-Disposition"))
	_, ok := params["filename"]
	return err == nil && ok
}

// check compares the form with itself and with the bytes that came.
func (u *upload) check() error {
	switch {
	case u.action != actionUpload:
		return fmt.Errorf("%w: the form asks for %q; this address takes uploads (\":action\" %q)", registry.ErrInvalid, registry.Clip(u.action), actionUpload)
	case u.protocol != "" && u.protocol != "1":
		return fmt.Errorf("%w: protocol_version %q; this is version 1", registry.ErrInvalid, registry.Clip(u.protocol))
	case u.staged == nil:
		return fmt.Errorf("%w: the form has no file: the field \"content\" is missing", registry.ErrInvalid)
	case u.name == "" || u.version == "":
		return fmt.Errorf("%w: the form has no name or no version", registry.ErrInvalid)
	}
	if err := isDigest("md5_digest", &u.want.MD5, 16); err != nil {
		return err
	}
	if err := isDigest("sha256_digest", &u.want.SHA256, 32); err != nil {
		return err
	}
	if u.want == (registry.Digests{}) {
		return fmt.Errorf("%w: the form has no digest of the file: send sha256_digest", registry.ErrInvalid)
	}
	if algorithm := u.staged.Digests().Conflict(u.want); algorithm != "" {
		return fmt.Errorf("%w: the %s of the file is not what the form says: it was changed on its way", registry.ErrInvalid, algorithm)
	}
	return nil
}

func isDigest(field string, value *string, size int) error {
	*value = strings.ToLower(*value)
	if b, err := hex.DecodeString(*value); *value != "" && (err != nil || len(b) != size) {
		return fmt.Errorf("%w: %s is not hexadecimal of %d bytes", registry.ErrInvalid, field, size)
	}
	return nil
}

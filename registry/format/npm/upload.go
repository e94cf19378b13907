package npm

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
	"packhouse.dev/packhouse/registry/internal/archive"
)

// Limits of a PUT of a package.
const (
	maxRequest    = 2e9      // guide, "Asset size limits for publishing": the whole request, which holds the tarball in base64
	maxBeside     = 64 << 20 // everything but the tarball; a deprecation sends the whole packument back
	maxMember     = 16 << 20 // one version, or another member
	maxProvenance = 4 << 20
)

// upload is what a PUT of a package holds. Files are staged; close removes them.
type upload struct {
	name       string
	tags       map[string]string
	versions   []claim
	tarball    format.Staged
	length     int64 // that the client announced, -1 if it did not
	provenance format.Staged
	members    map[string]bool // top-level members that are there
}

// claim is what the client says of a version. Only the digests, the deprecation and where it was built are made use of.
type claim struct {
	key           string // of the member
	name, version string
	deprecated    *string // nil: not said
	want          registry.Digests
	gitHead       string
	tools         object // _nodeVersion, _npmVersion
}

func (u *upload) close() {
	for _, s := range []format.Staged{u.tarball, u.provenance} {
		if s != nil {
			_ = s.Close() // the temporary file is swept up later if this failed
		}
	}
}

// readUpload reads the body of a PUT of id in one pass, with the tarball going straight to disk. Members come in any order. The
// caller closes the upload, also after an error.
func readUpload(ctx context.Context, repo format.Publisher, id registry.PackageID, body io.Reader) (*upload, error) {
	u := &upload{tags: map[string]string{}, length: -1, members: map[string]bool{}}
	s := newJSONStream(body, maxBeside)
	err := s.object(func(key string) error {
		if u.members[key] {
			return fmt.Errorf("%w: the request has %q twice", registry.ErrInvalid, registry.Clip(key))
		}
		u.members[key] = true
		switch key {
		case "versions":
			return s.object(func(key string) error { return u.addVersion(s, key) })
		case "_attachments":
			return s.object(func(file string) error { return u.addAttachment(ctx, repo, id, s, file) })
		}
		raw, err := s.value(maxMember)
		if err != nil {
			return err
		}
		switch key {
		case "name":
			u.name = text(raw)
		case "dist-tags":
			for tag, v := range members(raw) {
				u.tags[tag] = text(v)
			}
		}
		return nil
	})
	if err == nil {
		err = s.end()
	}
	return u, err
}

func (u *upload) addVersion(s *jsonStream, key string) error {
	raw, err := s.value(maxMember)
	if err != nil {
		return err
	}
	c := claim{key: key, name: text(member(raw, "name")), version: text(member(raw, "version"))}
	if d := member(raw, "deprecated"); d != nil {
		said := deprecationOf(d)
		c.deprecated = &said
	}
	dist := member(raw, "dist")
	c.want = distDigests(dist)
	c.gitHead = text(member(raw, "gitHead"))
	for _, k := range []string{"_nodeVersion", "_npmVersion"} {
		if v := text(member(raw, k)); v != "" {
			c.tools.text(k, v)
		}
	}
	u.versions = append(u.versions, c)
	return nil
}

// addAttachment reads one file. Its name is never used: it may hold a scope, or anything. The data of a tarball is base64, that of a
// provenance bundle is JSON text.
func (u *upload) addAttachment(ctx context.Context, repo format.Publisher, id registry.PackageID, s *jsonStream, file string) error {
	var target *format.Staged
	switch {
	case strings.HasSuffix(file, tarballExtension):
		target = &u.tarball
	case strings.HasSuffix(file, provenanceExtension):
		target = &u.provenance
	default:
		return fmt.Errorf("%w: the attachment %q is neither a tarball nor a provenance bundle", registry.ErrInvalid, registry.Clip(file))
	}
	return s.object(func(key string) error {
		if key != "data" {
			raw, err := s.value(maxMember)
			if err == nil && key == "length" && target == &u.tarball {
				err = json.Unmarshal(raw, &u.length)
				if err != nil {
					err = fmt.Errorf("%w: the length of the attachment is not a number", registry.ErrInvalid)
				}
			}
			return err
		}
		if *target != nil {
			return fmt.Errorf("%w: the request has more than one %s attachment", registry.ErrInvalid, file[strings.LastIndexByte(file, '.'):])
		}
		data, err := s.text()
		if err != nil {
			return err
		}
		if target == &u.provenance {
			*target, err = stage(ctx, repo, id, data, maxProvenance)
		} else {
			*target, err = stage(ctx, repo, id, base64.NewDecoder(base64.StdEncoding, data), maxRequest)
		}
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, data) // up to the closing quote
		return err
	})
}

// stage stages data. Errors in the data are the client's, whatever Stage makes of them.
func stage(ctx context.Context, repo format.Publisher, id registry.PackageID, data io.Reader, limit int64) (format.Staged, error) {
	src := archive.NewSource(&limitedReader{data, limit}, "request")
	staged, err := repo.Stage(ctx, id, src)
	if err == nil {
		return staged, nil
	}
	var corrupt base64.CorruptInputError
	if errors.As(src.Err(), &corrupt) {
		return nil, fmt.Errorf("%w: the tarball in the request is not valid base64", registry.ErrInvalid)
	}
	if errors.Is(src.Err(), io.ErrUnexpectedEOF) {
		return nil, fmt.Errorf("%w: the tarball in the request is cut off", registry.ErrInvalid)
	}
	if src.Err() != nil {
		return nil, src.Err()
	}
	return nil, err
}

// limitedReader fails beyond n bytes.
type limitedReader struct {
	r io.Reader
	n int64
}

func (l *limitedReader) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	if l.n -= int64(n); l.n < 0 {
		return 0, fmt.Errorf("%w: an attachment is larger than this registry takes", registry.ErrTooLarge)
	}
	return n, err
}

// distDigests reads integrity (a list of "algorithm-base64?options") and shasum. Unknown and malformed digests are ignored, as
// clients do; of two of one algorithm none is known to be meant.
func distDigests(dist []byte) registry.Digests {
	var d registry.Digests
	seen := map[string]bool{}
	for item := range strings.FieldsSeq(text(member(dist, "integrity"))) {
		algorithm, encoded, _ := strings.Cut(item, "-")
		encoded, _, _ = strings.Cut(encoded, "?")
		sum, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			continue
		}
		value := hex.EncodeToString(sum)
		one := registry.ParseDigest(algorithm + ":" + value)
		if one == (registry.Digests{}) {
			continue
		}
		if seen[algorithm] {
			value = ""
		}
		seen[algorithm] = true
		switch algorithm {
		case "sha512":
			d.SHA512 = value
		case "sha256":
			d.SHA256 = value
		case "sha1":
			d.SHA1 = value
		}
	}
	if shasum := registry.ParseDigest("sha1:" + strings.ToLower(text(member(dist, "shasum")))); d.SHA1 == "" {
		d.SHA1 = shasum.SHA1
	}
	return d
}

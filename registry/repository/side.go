package repository

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/external"
	"packhouse.dev/packhouse/registry/format"
)

// maxSide bounds a hidden asset that is read without being kept.
const maxSide = 16 << 20

// openSide gives a hidden asset of an upstream, such as the metadata beside a file. Clients look at those of many versions to choose
// one, and a look is no download: nothing is retained. It is kept as the documents of the connection are, so that it is there in an
// outage. What does not have the digests that were announced is asked for once more and else refused.
func (s *Service) openSide(ctx context.Context, rc *repoConfig, f *found) (*format.Asset, error) {
	q := format.SourceRequest{Path: f.fetch.asset.URL, Class: format.ClassIndex, MaxBytes: maxSide}
	conn := f.fetch.conn
	domain := external.Domain{ID: rc.domain.row.ID, UID: rc.domain.row.UID}
	var algorithm string
	for _, opt := range []external.SourceOptions{{MaxAge: -1}, {MaxAge: 0}} {
		doc, err := s.external.Source(domain, conn, opt).Document(ctx, q)
		switch {
		case errors.Is(err, registry.ErrNotFound):
			return nil, fmt.Errorf("%s of %s is announced by %s and not there: %w", f.asset.Name, f.version.ID, conn.Name, registry.ErrNotFound)
		case err != nil:
			return nil, refusal(conn, f.asset.Name, err)
		}
		digests := digestsOf(doc.Body)
		if algorithm = digests.Conflict(f.fetch.asset.Want); algorithm == "" {
			out := &format.Asset{Asset: f.asset, Version: f.version, Modified: modified(f.version), Body: memory{bytes.NewReader(doc.Body)}}
			out.Size, out.Digests = int64(len(doc.Body)), digests
			return out, nil
		}
	}
	s.log.WarnContext(ctx, "an external connection sent other bytes than it announced",
		"connection", conn.Name, "version", f.version.ID.String(), "asset", f.asset.Name, "algorithm", algorithm)
	return nil, fmt.Errorf("%w: %s sent %s with another %s than it announced", registry.ErrUnavailable, conn.Name, f.asset.Name, algorithm)
}

// memory is a body that lies in memory.
type memory struct{ *bytes.Reader }

func (memory) Close() error { return nil }

func digestsOf(b []byte) registry.Digests {
	m, a, x, y := md5.Sum(b), sha1.Sum(b), sha256.Sum256(b), sha512.Sum512(b)
	return registry.Digests{MD5: hex.EncodeToString(m[:]), SHA1: hex.EncodeToString(a[:]), SHA256: hex.EncodeToString(x[:]), SHA512: hex.EncodeToString(y[:])}
}

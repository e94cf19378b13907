package external

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"

	"packhouse.dev/packhouse/registry"
)

// spooled is a body in a temporary file without a name: the system takes it back whatever becomes of us.
type spooled struct {
	*os.File
	size    int64
	digests registry.Digests
}

// spool writes r, whose errors wrap registry.ErrUnavailable, to a file in one pass with all digests.
func spool(dir string, r io.Reader) (_ *spooled, err error) {
	f, err := os.CreateTemp(dir, "upstream-*")
	if err != nil {
		return nil, fmt.Errorf("%w: spool: %w", registry.ErrUnavailable, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	if err := os.Remove(f.Name()); err != nil {
		return nil, fmt.Errorf("%w: spool: %w", registry.ErrUnavailable, err)
	}
	hashes := [4]hash.Hash{md5.New(), sha1.New(), sha256.New(), sha512.New()}
	n, err := io.Copy(io.MultiWriter(f, hashes[0], hashes[1], hashes[2], hashes[3]), r)
	if err != nil && !errors.Is(err, registry.ErrUnavailable) { // not r's: the disk's
		err = fmt.Errorf("%w: spool: %w", registry.ErrUnavailable, err)
	}
	if err != nil {
		return nil, err
	}
	sum := func(i int) string { return hex.EncodeToString(hashes[i].Sum(nil)) }
	return &spooled{f, n, registry.Digests{MD5: sum(0), SHA1: sum(1), SHA256: sum(2), SHA512: sum(3)}}, nil
}

// Close implements format.Staged.
func (s *spooled) Close() error {
	if err := s.File.Close(); !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}

// Size implements format.Staged.
func (s *spooled) Size() int64 { return s.size }

// Digests implements format.Staged.
func (s *spooled) Digests() registry.Digests { return s.digests }

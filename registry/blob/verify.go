package blob

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
)

// ErrDamaged is the end of a reader whose bytes are not those that were put.
var ErrDamaged = errors.New("stored bytes are damaged")

// Verify makes a reader of a whole object fail with ErrDamaged instead of ending when it has another length than size or, unless
// digest is empty, another SHA-256 (hex). The last bytes are held back until then, so nobody who counts them takes a wrong object for
// a whole one. A file is better checked by its length before it is sent: around it, Verify hides what the system could send by itself.
func Verify(r io.ReadCloser, size int64, digest string) io.ReadCloser {
	return &verifier{ReadCloser: r, left: size, digest: digest, hash: sha256.New()}
}

type verifier struct {
	io.ReadCloser
	left   int64
	digest string
	hash   hash.Hash
	err    error
}

// Read implements io.Reader.
func (v *verifier) Read(p []byte) (int, error) {
	if v.err != nil || len(p) == 0 {
		return 0, v.err
	}
	n, err := v.ReadCloser.Read(p)
	v.left -= int64(n)
	if v.digest != "" {
		v.hash.Write(p[:n])
	}
	switch {
	case v.left < 0:
		v.err = fmt.Errorf("%w: %d bytes or more too many", ErrDamaged, -v.left)
	case v.left > 0 && errors.Is(err, io.EOF):
		v.err = fmt.Errorf("%w: %d bytes are missing", ErrDamaged, v.left)
	case v.left > 0:
		v.err = err
		return n, err
	default:
		v.err = v.end(err)
	}
	if errors.Is(v.err, io.EOF) {
		return n, io.EOF
	}
	return 0, v.err
}

// end judges an object of the right length. err is what the reader said with its last bytes.
func (v *verifier) end(err error) error {
	if v.digest != "" && hex.EncodeToString(v.hash.Sum(nil)) != v.digest {
		return fmt.Errorf("%w: another digest", ErrDamaged)
	}
	for range 100 { // readers that say neither more bytes nor the end are given up, as bufio does
		if err != nil {
			return err
		}
		var one [1]byte
		var n int
		if n, err = v.ReadCloser.Read(one[:]); n > 0 {
			return fmt.Errorf("%w: too many bytes", ErrDamaged)
		}
	}
	return io.ErrNoProgress
}

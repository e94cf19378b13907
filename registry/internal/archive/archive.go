// Package archive has what readers of archives share that strangers made: whose fault an error is, when to stop, and what two readers
// would read differently.
package archive

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"packhouse.dev/packhouse/registry"
)

// Source tells errors of reading from errors of what was read. It is not safe for concurrent use.
type Source struct {
	r    io.Reader
	what string
	err  error
}

// NewSource returns a reader of r. what names what is read there, in errors.
func NewSource(r io.Reader, what string) *Source { return &Source{r: r, what: what} }

// Read implements io.Reader.
func (s *Source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

// Err is what went wrong in reading, as the reader said it; nil as long as nothing did.
func (s *Source) Err() error { return s.err }

// Explain makes the error of a decoder over s one that a client may see, with what says what is wrong, unless it came from reading.
func (s *Source) Explain(err error, what string) error {
	if s.err != nil {
		return fmt.Errorf("read %s: %w", s.what, s.err)
	}
	if errors.Is(err, registry.ErrInvalid) {
		return err
	}
	return fmt.Errorf("%w: %s: %w", registry.ErrInvalid, what, err)
}

// AtMost returns a reader of what r unpacks to, which fails with err behind n bytes: a small archive may unpack to absurdly much.
func AtMost(n int64, r io.Reader, err error) io.Reader { return &bounded{r, n, err} }

type bounded struct {
	r    io.Reader
	left int64
	err  error
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, b.err
	}
	return n, err
}

// OnlyPadding reads on after the end of a tar archive, where zeros may be and nothing else: some readers go on there, others do not.
func OnlyPadding(r io.Reader) error {
	buf := make([]byte, 32<<10)
	for {
		n, err := r.Read(buf)
		if len(bytes.Trim(buf[:n], "\x00")) > 0 {
			return errors.New("it goes on after its end")
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// AmbiguousSize says whether readers differ on how long an entry of a tar archive is: where it is said twice, and in sparse files.
func AmbiguousSize(h *tar.Header) bool {
	for k := range h.PAXRecords {
		if k == "size" || strings.HasPrefix(k, "GNU.sparse.") {
			return true
		}
	}
	return false
}

// Package blob stores the bytes of assets. A Store keeps objects by name; names are made here, are used once and never again, so a
// late delete cannot hit a new upload. Which bytes an object holds is said by the rows of package metadata, not by the store.
package blob

import (
	"context"
	"errors"
	"io"
	"time"
)

// Errors of stores.
var (
	ErrNotExist = errors.New("object does not exist")
	ErrExist    = errors.New("object exists already")
)

// Store keeps objects. Implementations are safe for concurrent use and hold nothing but storage calls: whether what they read is what
// was put is checked by Verify around a reader.
type Store interface {
	// Stat returns ErrNotExist for an unknown object.
	Stat(ctx context.Context, object string) (Info, error)
	// Open reads from offset to the end. ErrNotExist for an unknown object. The reader may also be an io.Seeker; if it is an
	// *os.File it goes to clients by sendfile.
	Open(ctx context.Context, object string, offset int64) (io.ReadCloser, error)
	// Put stores exactly size bytes of r durably: when it returns nil, the object survives a power cut. It fails with ErrExist if
	// the object exists and leaves nothing visible when it fails.
	Put(ctx context.Context, object string, size int64, r io.Reader) error
	// Delete removes an object; an unknown object is no error.
	Delete(ctx context.Context, object string) error
	// Walk calls fn for every object, in no order. An error of fn ends it and is returned.
	Walk(ctx context.Context, fn func(Info) error) error
}

// Adopter is what a Store may offer besides, for files of the machine that it runs on.
type Adopter interface {
	// Adopt is Put of the file at the path, which nobody writes any more. It may be removed at its own place once Adopt returned.
	// errors.ErrUnsupported if the store cannot take it over from there: then it is Put.
	Adopt(ctx context.Context, object string, size int64, path string) error
}

// Info describes an object.
type Info struct {
	Object  string
	Size    int64
	Created time.Time
}

package cargo

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
	"packhouse.dev/packhouse/registry/internal/archive"
)

// maxMetadata bounds the JSON before the crate; it holds the whole readme.
const maxMetadata = 16 << 20

// claim is what a publish request says of its crate. Name and version must be those of Cargo.toml; of the dependencies it says which
// are in the registry that is published to, under whatever address cargo knows that.
type claim struct {
	Name    string `json:"name"`
	Version string `json:"vers"`
	Deps    []struct {
		Name     string  `json:"name"`
		Alias    *string `json:"explicit_name_in_toml"`
		Kind     string  `json:"kind"`
		Target   *string `json:"target"`
		Registry *string `json:"registry"` // nil: this one
	} `json:"deps"`
}

// home says whether the request puts a dependency into this registry.
func (c *claim) home(kind, target, name string) bool {
	for _, d := range c.Deps {
		named := d.Name
		if d.Alias != nil {
			named = *d.Alias
		}
		if d.Registry == nil && named == name && d.Kind == kind && (d.Target == nil && target == "" || d.Target != nil && *d.Target == target) {
			return true
		}
	}
	return false
}

// upload is a publish request that was read.
type upload struct {
	claim
	id    registry.VersionID
	crate format.Staged
}

// readFrame reads the body of a publish (registry-web-api.html#publish): a length, JSON, a length, the crate; lengths are 32-bit
// little-endian. The crate goes straight to disk. The caller closes the crate of what it gets.
func readFrame(ctx context.Context, repo format.Publisher, body io.Reader) (*upload, error) {
	src := archive.NewSource(body, "request")
	n, err := length(src)
	if err != nil {
		return nil, err
	}
	if n > maxMetadata {
		return nil, fmt.Errorf("%w: the metadata of the request has %d bytes, at most %d are read", registry.ErrTooLarge, n, maxMetadata)
	}
	raw, err := io.ReadAll(io.LimitReader(src, n))
	if err != nil || int64(len(raw)) < n {
		return nil, cutOff(err)
	}
	u := &upload{}
	if err := json.Unmarshal(raw, &u.claim); err != nil {
		return nil, fmt.Errorf("%w: the metadata of the request is not the JSON of a publish", registry.ErrInvalid)
	}
	if u.id, err = u.claim.identity(); err != nil {
		return nil, err
	}
	if n, err = length(src); err != nil {
		return nil, err
	}
	u.crate, err = repo.Stage(ctx, u.id.Package, io.LimitReader(src, n))
	if err != nil {
		if failed := src.Err(); failed != nil {
			return nil, cutOff(failed)
		}
		return nil, err
	}
	if err := endsAfter(src, u.crate.Size(), n); err != nil {
		return nil, errors.Join(err, u.crate.Close())
	}
	return u, nil
}

// length reads a length.
func length(src *archive.Source) (int64, error) {
	var b [4]byte
	if _, err := io.ReadFull(src, b[:]); err != nil {
		return 0, cutOff(err)
	}
	return int64(binary.LittleEndian.Uint32(b[:])), nil
}

// endsAfter makes sure that all of the crate came, and nothing else.
func endsAfter(src *archive.Source, got, announced int64) error {
	if got < announced {
		return cutOff(nil)
	}
	n, err := io.ReadFull(src, make([]byte, 1))
	switch {
	case n > 0:
		return fmt.Errorf("%w: the request goes on after the crate", registry.ErrInvalid)
	case !errors.Is(err, io.EOF):
		return cutOff(err)
	}
	return nil
}

// cutOff is the error for a request that ends early, whoever found out.
func cutOff(err error) error {
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: the request is cut off", registry.ErrInvalid)
	}
	return fmt.Errorf("read request: %w", err)
}

func (c *claim) identity() (registry.VersionID, error) {
	id, err := names{}.Package("", c.Name)
	if err != nil {
		return registry.VersionID{}, err
	}
	key, err := names{}.Version(c.Version)
	return registry.VersionID{Package: id, Version: key}, err
}

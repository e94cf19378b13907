package ruby

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
)

// Limits of what is read from an upstream without compact index, in bytes; the first two unpacked.
const (
	maxSpecs    = 256 << 20
	maxQuick    = 4 << 20
	maxTreeGems = 5000 // versions of one gem
)

// treePackage reads a gem from the specs indexes and quick gemspecs, if the upstream has no compact index.
func treePackage(ctx context.Context, src format.Source, id registry.PackageID) (*format.RemotePackage, error) {
	_, err := src.Document(ctx, format.SourceRequest{Path: "versions", Class: format.ClassIndex, Append: true})
	if err == nil {
		return nil, fmt.Errorf("%w: gem %s is not there", registry.ErrNotFound, id.Name)
	}
	if !errors.Is(err, registry.ErrNotFound) {
		return nil, err
	}
	tuples, err := treeTuples(ctx, src)
	if err != nil {
		return nil, err
	}
	p := &format.RemotePackage{Display: id.Name}
	seen := map[string]bool{}
	for _, t := range tuples {
		if t.name != id.Name || seen[t.key] || len(p.Versions) >= maxTreeGems {
			continue
		}
		seen[t.key] = true
		v, err := treeVersion(ctx, src, registry.VersionID{Package: id, Version: t.key})
		if errors.Is(err, registry.ErrNotFound) || errors.Is(err, registry.ErrInvalid) {
			continue // one bad version does not take the gem away
		}
		if err != nil {
			return nil, err
		}
		p.Versions = append(p.Versions, v)
		p.Size += int64(len(v.Document) + len(v.Assets[0].Info) + 800)
	}
	switch {
	case len(p.Versions) == 0 && len(seen) > 0:
		return nil, fmt.Errorf("%w: the upstream lists gem %s and has no gemspec of it that could be read", registry.ErrInvalid, id.Name)
	case len(p.Versions) == 0:
		return nil, fmt.Errorf("%w: gem %s is not there", registry.ErrNotFound, id.Name)
	}
	return p, nil
}

// treeTuples reads the list of all versions. An upstream without it is no source of gems, and not one that lacks a gem.
func treeTuples(ctx context.Context, src format.Source) ([]specTuple, error) {
	var out []specTuple
	for _, name := range []string{"specs", "prerelease_specs"} {
		got, err := src.Document(ctx, format.SourceRequest{Path: name + "." + marshalVersion + ".gz", Class: format.ClassIndex, MaxBytes: maxSpecs / 4})
		if errors.Is(err, registry.ErrNotFound) {
			if name == "specs" {
				return nil, fmt.Errorf("%w: the upstream has neither /versions nor /specs.%s.gz, so that it is no source of gems", registry.ErrInvalid, marshalVersion)
			}
			continue
		}
		if err != nil {
			return nil, err
		}
		stream, err := gunzip(got.Body)
		if err != nil {
			return nil, fmt.Errorf("%s of the upstream: %w", name, err)
		}
		tuples, err := readTuples(stream)
		if err != nil {
			return nil, fmt.Errorf("%s of the upstream: %w", name, err)
		}
		out = append(out, tuples...)
	}
	return out, nil
}

// gunzip unpacks an index; a server or the way may have unpacked it already.
func gunzip(b []byte) ([]byte, error) {
	if bytes.HasPrefix(b, []byte(marshalHead)) {
		return b, nil
	}
	zr, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("%w: not compressed with gzip: %w", registry.ErrInvalid, err)
	}
	return readBounded(zr, maxSpecs)
}

func readBounded(r io.Reader, limit int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", registry.ErrInvalid, err)
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("%w: more than %d MiB", registry.ErrInvalid, limit>>20)
	}
	return b, nil
}

func treeVersion(ctx context.Context, src format.Source, id registry.VersionID) (*registry.Version, error) {
	// The name of the file binds nothing: who makes the tree may make it again.
	path := "quick/Marshal." + marshalVersion + "/" + fullName(id.Package.Name, id.Version) + ".gemspec.rz"
	got, err := src.Document(ctx, format.SourceRequest{Path: path, Class: format.ClassConfig, MaxBytes: maxQuick})
	if err != nil {
		return nil, err
	}
	zr, err := zlib.NewReader(bytes.NewReader(got.Body))
	if err != nil {
		return nil, fmt.Errorf("%w: gemspec of %s: %w", registry.ErrInvalid, id, err)
	}
	stream, err := readBounded(zr, maxQuick)
	if err != nil {
		return nil, fmt.Errorf("gemspec of %s: %w", id, err)
	}
	s, err := readSpecification(stream)
	if err != nil {
		return nil, fmt.Errorf("gemspec of %s: %w", id, err)
	}
	if said, err := s.id(); err != nil || said != id {
		return nil, fmt.Errorf("%w: gemspec of %s is that of %s", registry.ErrInvalid, id, said)
	}
	text := s.line(id.Version, "")
	line, err := parseLine(text)
	if err != nil {
		return nil, err
	}
	v := remoteVersion(id.Package, line, text)
	v.Document, err = s.encode()
	return v, err
}

package ruby

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"

	"github.com/klauspost/compress/gzip"
	"go.yaml.in/yaml/v3"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/internal/archive"
)

// Limits of a gem file, in bytes. The first is that of rubygems.org, compressed and not.
const (
	maxPart    = 10 << 20
	maxEntries = 16
)

// The parts of a gem.
const (
	metadataPart  = "metadata.gz"
	dataPart      = "data.tar.gz"
	checksumsPart = "checksums.yaml.gz"
)

// part is one file of a gem: what it hashes to, and, but for the data, its bytes.
type part struct {
	bytes  []byte
	sha256 string
	sha512 string
}

// readGem checks a gem file and reads its gemspec. What is in data.tar.gz is for the client; here it is only hashed. Errors wrap
// registry.ErrInvalid, but for those of reading the file.
func readGem(file io.ReaderAt, size int64) (*spec, error) {
	src := archive.NewSource(io.NewSectionReader(file, 0, size), "gem")
	parts, err := readParts(src)
	if err != nil {
		return nil, src.Explain(err, "the file is no gem")
	}
	for _, name := range []string{metadataPart, dataPart} {
		if _, ok := parts[name]; !ok {
			return nil, fmt.Errorf("%w: the gem has no %s", registry.ErrInvalid, name)
		}
	}
	if err := verify(parts); err != nil {
		return nil, err
	}
	text, err := unzip(metadataPart, parts[metadataPart].bytes)
	if err != nil {
		return nil, err
	}
	return parseGemspec(text)
}

func readParts(src io.Reader) (map[string]part, error) {
	parts := map[string]part{}
	files := tar.NewReader(src)
	for n := 0; ; n++ {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			return parts, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%w: the file is no gem: %w", registry.ErrInvalid, err)
		}
		if _, twice := parts[h.Name]; twice || n >= maxEntries || h.Typeflag != tar.TypeReg || !isPart(h.Name) {
			return nil, fmt.Errorf("%w: the gem has %q, which is not part of a gem or is there twice", registry.ErrInvalid, registry.Clip(h.Name))
		}
		if archive.AmbiguousSize(h) {
			return nil, fmt.Errorf("%w: the size of %q in the gem is one that readers take differently", registry.ErrInvalid, h.Name)
		}
		if parts[h.Name], err = readPart(h.Name, files); err != nil {
			return nil, err
		}
	}
}

// isPart accepts what rubygems.org does: the three parts, and signatures of each.
func isPart(name string) bool {
	switch strings.TrimSuffix(name, ".sig") {
	case metadataPart, dataPart, checksumsPart:
		return true
	}
	return false
}

func readPart(name string, r io.Reader) (part, error) {
	short, long := sha256.New(), sha512.New()
	var kept bytes.Buffer
	to := io.MultiWriter(short, long)
	if name != dataPart {
		to, r = io.MultiWriter(short, long, &kept), io.LimitReader(r, maxPart+1)
	}
	if _, err := io.Copy(to, r); err != nil {
		return part{}, fmt.Errorf("%w: %s in the gem is damaged: %w", registry.ErrInvalid, name, err)
	}
	if kept.Len() > maxPart {
		return part{}, tooLarge(name)
	}
	sum := func(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)) }
	return part{bytes: kept.Bytes(), sha256: sum(short), sha512: sum(long)}, nil
}

func tooLarge(name string) error {
	return fmt.Errorf("%w: %s in the gem has more than %d MiB", registry.ErrInvalid, name, maxPart>>20)
}

func unzip(name string, b []byte) ([]byte, error) {
	zr, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("%w: %s in the gem: %w", registry.ErrInvalid, name, err)
	}
	text, err := io.ReadAll(io.LimitReader(zr, maxPart+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %s in the gem: %w", registry.ErrInvalid, name, err)
	}
	if len(text) > maxPart {
		return nil, tooLarge(name)
	}
	return text, nil
}

// verify compares the parts with checksums.yaml.gz, as clients do. Very old gems have none.
func verify(parts map[string]part) error {
	p, ok := parts[checksumsPart]
	if !ok {
		return nil
	}
	text, err := unzip(checksumsPart, p.bytes)
	if err != nil {
		return err
	}
	var sums map[string]map[string]string
	if err := yaml.Unmarshal(text, &sums); err != nil {
		return fmt.Errorf("%w: %s in the gem: %w", registry.ErrInvalid, checksumsPart, err)
	}
	for _, algorithm := range []struct {
		name string
		of   func(part) string
	}{{"SHA256", func(p part) string { return p.sha256 }}, {"SHA512", func(p part) string { return p.sha512 }}} {
		for name, want := range sums[algorithm.name] {
			if p, ok := parts[name]; !ok || algorithm.of(p) != strings.ToLower(want) {
				return fmt.Errorf("%w: %s in the gem does not have the %s that the gem's checksums say", registry.ErrInvalid, registry.Clip(name), algorithm.name)
			}
		}
	}
	return nil
}

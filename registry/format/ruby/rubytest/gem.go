// Package rubytest makes gem files for tests. Only tests import it.
package rubytest

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// File is an entry of a gem. Kind 0 is a regular file.
type File struct {
	Name string
	Body []byte
	Kind byte
}

// Gzip compresses a text.
func Gzip(text string) []byte {
	var b bytes.Buffer
	zw := gzip.NewWriter(&b)
	_, _ = zw.Write([]byte(text)) // into memory
	_ = zw.Close()
	return b.Bytes()
}

// Tar is an archive with these entries.
func Tar(files ...File) []byte {
	var b bytes.Buffer
	tw := tar.NewWriter(&b)
	for _, f := range files {
		if f.Kind == 0 {
			f.Kind = tar.TypeReg
		}
		if err := tw.WriteHeader(&tar.Header{Name: f.Name, Mode: 0o644, Size: int64(len(f.Body)), Typeflag: f.Kind}); err != nil {
			panic(err) // a test's mistake
		}
		_, _ = tw.Write(f.Body) // into memory
	}
	_ = tw.Close()
	return b.Bytes()
}

// Parts are the entries of a gem with this gemspec.
func Parts(gemspec string) []File {
	meta, data := Gzip(gemspec), Gzip("data")
	sum := func(b []byte) string { s := sha256.Sum256(b); return hex.EncodeToString(s[:]) }
	return []File{
		{Name: "metadata.gz", Body: meta}, {Name: "data.tar.gz", Body: data},
		{Name: "checksums.yaml.gz", Body: Gzip("---\nSHA256:\n  metadata.gz: " + sum(meta) + "\n  data.tar.gz: " + sum(data) + "\n")},
	}
}

// Gem is a gem file with this gemspec.
func Gem(gemspec string) []byte { return Tar(Parts(gemspec)...) }

// Gemspec is a short one. more are further lines, each with its end.
func Gemspec(name, version, more string) string {
	return fmt.Sprintf("--- !ruby/object:Gem::Specification\nname: %s\nversion: !ruby/object:Gem::Version\n  version: %s\nsummary: about %s\n%s", name, version, name, more)
}

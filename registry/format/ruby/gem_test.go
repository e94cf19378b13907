package ruby

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"packhouse.dev/packhouse/registry"
)

// file is an entry of a gem.
type file struct {
	name string
	body []byte
	kind byte
}

func zipped(text string) []byte {
	var b bytes.Buffer
	zw := gzip.NewWriter(&b)
	_, _ = zw.Write([]byte(text)) // into memory
	_ = zw.Close()
	return b.Bytes()
}

func tarred(files ...file) []byte {
	var b bytes.Buffer
	tw := tar.NewWriter(&b)
	for _, f := range files {
		if f.kind == 0 {
			f.kind = tar.TypeReg
		}
		if err := tw.WriteHeader(&tar.Header{Name: f.name, Mode: 0o644, Size: int64(len(f.body)), Typeflag: f.kind}); err != nil {
			panic(err)
		}
		_, _ = tw.Write(f.body) // into memory
	}
	_ = tw.Close()
	return b.Bytes()
}

// parts are those of a gem with this gemspec.
func parts(gemspec string) []file {
	meta, data := zipped(gemspec), zipped("data")
	sum := func(b []byte) string { s := sha256.Sum256(b); return hex.EncodeToString(s[:]) }
	return []file{
		{name: "metadata.gz", body: meta}, {name: "data.tar.gz", body: data},
		{name: "checksums.yaml.gz", body: zipped("---\nSHA256:\n  metadata.gz: " + sum(meta) + "\n  data.tar.gz: " + sum(data) + "\n")},
	}
}

func gemOf(gemspec string) []byte { return tarred(parts(gemspec)...) }

// gemspec is a short one.
func gemspec(name, version, more string) string {
	return fmt.Sprintf("--- !ruby/object:Gem::Specification\nname: %s\nversion: !ruby/object:Gem::Version\n  version: %s\nsummary: about %s\n%s", name, version, name, more)
}

// whole is a gemspec with everything, in the many shapes that there are.
const whole = `--- !ruby/object:Gem::Specification
name: acme
version: !ruby/object:Gem::Version
  version: 1.0-rc1
platform: !ruby/object:Gem::Platform
  cpu: x86_64
  os: linux
  version:
authors: Ann
autorequire:
date: 2024-05-06 00:00:00.000000000 Z
dependencies:
- !ruby/object:Gem::Dependency
  name: rack
  requirement: !ruby/object:Gem::Requirement
    requirements:
    - - ">="
      - !ruby/object:Gem::Version
        version: '2'
    - - "<"
      - !ruby/object:Gem::Version
        version: 3.1
  type: :runtime
  prerelease: false
- !ruby/object:Gem::Dependency
  name: rake
  version_requirements: !ruby/object:Gem::Requirement
    requirements:
    - - ">="
      - !ruby/object:Gem::Version
        version: '0'
  type: :development
email:
- ann@example.com
licenses:
- MIT
metadata:
  source_code_uri: https://src.example
  count: 1
required_ruby_version: !ruby/object:Gem::Requirement
  requirements:
  - - "~>"
    - !ruby/object:Gem::Version
      version: 3.1
rubygems_version: 3.3
homepage: https://example.com
summary: An example
`

func wholeSpec() *spec {
	return &spec{
		Name: "acme", Number: "1.0.pre.rc1", Platform: "x86_64-linux", Summary: "An example", Homepage: "https://example.com", Authors: []string{"Ann"},
		Email: []string{"ann@example.com"}, Licenses: []string{"MIT"}, Metadata: map[string]string{"source_code_uri": "https://src.example", "count": "1"},
		Date: time.Date(2024, 5, 6, 0, 0, 0, 0, time.UTC), RubygemsVersion: "3.3", Ruby: []string{"~> 3.1"},
		Dependencies: []dependency{{Name: "rack", Requirements: []string{">= 2", "< 3.1"}}, {Name: "rake", Development: true}},
	}
}

func TestReadGem(t *testing.T) {
	t.Parallel()
	gem := gemOf(whole)
	got, err := readGem(bytes.NewReader(gem), int64(len(gem)))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wholeSpec(), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if line, want := got.line("1.0.pre.rc1-x86_64-linux", "ab"), "1.0.pre.rc1-x86_64-linux rack:< 3.1&>= 2|checksum:ab,ruby:~> 3.1"; line != want {
		t.Errorf("line %q, want %q", line, want)
	}
}

func TestGemRefusals(t *testing.T) {
	t.Parallel()
	good := parts(gemspec("a", "1", ""))
	deep := strings.Repeat("[", 60) + strings.Repeat("]", 60)
	for name, tt := range map[string]struct {
		gem  []byte
		want string
	}{
		"empty":             {nil, "has no metadata.gz"},
		"rubbish":           {[]byte(strings.Repeat("rubbish", 200)), "is no gem"},
		"no data":           {tarred(good[0]), "has no data.tar.gz"},
		"twice":             {tarred(append(good, good[0])...), "there twice"},
		"other file":        {tarred(append(good, file{name: "../evil"})...), "not part of a gem"},
		"link":              {tarred(file{name: "metadata.gz", kind: tar.TypeSymlink}), "not part of a gem"},
		"not compressed":    {tarred(file{name: "metadata.gz", body: []byte("name: a")}, good[1]), "metadata.gz in the gem"},
		"wrong checksum":    {tarred(good[0], file{name: "data.tar.gz", body: []byte("other")}, good[2]), "does not have the SHA256"},
		"unpacks to much":   {tarred(file{name: "metadata.gz", body: zipped(strings.Repeat("x", maxPart+1))}, good[1]), "more than 10 MiB"},
		"not YAML":          {gemOf("a: b: c: ]["), "not YAML"},
		"a list":            {gemOf("- a\n"), "not a Gem::Specification"},
		"alias":             {gemOf("name: &x a\nversion: *x\n"), "aliases"},
		"deep":              {gemOf("name: " + deep), "nested"},
		"bad name":          {gemOf(gemspec("../a", "1", "")), "not a gem name"},
		"bad version":       {gemOf(gemspec("a", "one", "")), "not a version number"},
		"bad platform":      {gemOf(gemspec("a", "1", "platform: ../x\n")), "not a platform"},
		"bad requirement":   {gemOf(gemspec("a", "1", "required_ruby_version:\n  requirements:\n  - - '>>'\n    - '1'\n")), "not a requirement"},
		"line end in a dep": {gemOf(gemspec("a", "1", "dependencies:\n- name: \"x|y\\nz\"\n")), "not a gem name"},
	} {
		_, err := readGem(bytes.NewReader(tt.gem), int64(len(tt.gem)))
		if !errors.Is(err, registry.ErrInvalid) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

// brokenFile fails to be read.
type brokenFile struct{ err error }

func (b brokenFile) ReadAt(p []byte, _ int64) (int, error) { return iotest.ErrReader(b.err).Read(p) }

func TestGemReadError(t *testing.T) {
	t.Parallel()
	cause := errors.New("disk")
	if _, err := readGem(brokenFile{cause}, 1000); !errors.Is(err, cause) || errors.Is(err, registry.ErrInvalid) {
		t.Error(err)
	}
}

func FuzzGem(f *testing.F) {
	f.Add(gemOf(whole))
	f.Add(tarred(parts(gemspec("a", "1", ""))[:2]...))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := readGem(bytes.NewReader(b), int64(len(b))); err != nil && !errors.Is(err, registry.ErrInvalid) {
			t.Error(err)
		}
	})
}

func FuzzGemspec(f *testing.F) {
	f.Add(whole)
	f.Add(gemspec("a", "1.0", "authors:\n- x\n"))
	f.Fuzz(func(t *testing.T, text string) {
		s, err := parseGemspec([]byte(text))
		if err != nil {
			if !errors.Is(err, registry.ErrInvalid) {
				t.Error(err)
			}
			return
		}
		id, err := s.id()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parseLine(s.line(id.Version, "")); err != nil {
			t.Errorf("line of %+v: %v", s, err)
		}
		m := newMarshaler()
		m.specification(s)
		again, err := readSpecification(m.b)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := again.id(); err != nil || got != id {
			t.Errorf("%v became %v: %v", id, got, err)
		}
	})
}

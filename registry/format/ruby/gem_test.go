package ruby

import (
	"archive/tar"
	"bytes"
	"errors"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format/ruby/rubytest"
)

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
	gem := rubytest.Gem(whole)
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
	good := rubytest.Parts(rubytest.Gemspec("a", "1", ""))
	deep := strings.Repeat("[", 60) + strings.Repeat("]", 60)
	for name, tt := range map[string]struct {
		gem  []byte
		want string
	}{
		"empty":             {nil, "has no metadata.gz"},
		"rubbish":           {[]byte(strings.Repeat("rubbish", 200)), "is no gem"},
		"no data":           {rubytest.Tar(good[0]), "has no data.tar.gz"},
		"twice":             {rubytest.Tar(append(good, good[0])...), "there twice"},
		"other file":        {rubytest.Tar(append(good, rubytest.File{Name: "../evil"})...), "not part of a gem"},
		"link":              {rubytest.Tar(rubytest.File{Name: "metadata.gz", Kind: tar.TypeSymlink}), "not part of a gem"},
		"not compressed":    {rubytest.Tar(rubytest.File{Name: "metadata.gz", Body: []byte("name: a")}, good[1]), "metadata.gz in the gem"},
		"wrong checksum":    {rubytest.Tar(good[0], rubytest.File{Name: "data.tar.gz", Body: []byte("other")}, good[2]), "does not have the SHA256"},
		"unpacks to much":   {rubytest.Tar(rubytest.File{Name: "metadata.gz", Body: rubytest.Gzip(strings.Repeat("x", maxPart+1))}, good[1]), "more than 10 MiB"},
		"not YAML":          {rubytest.Gem("a: b: c: ]["), "not YAML"},
		"a list":            {rubytest.Gem("- a\n"), "not a Gem::Specification"},
		"alias":             {rubytest.Gem("name: &x a\nversion: *x\n"), "aliases"},
		"deep":              {rubytest.Gem("name: " + deep), "nested"},
		"bad name":          {rubytest.Gem(rubytest.Gemspec("../a", "1", "")), "not a gem name"},
		"bad version":       {rubytest.Gem(rubytest.Gemspec("a", "one", "")), "not a version number"},
		"bad platform":      {rubytest.Gem(rubytest.Gemspec("a", "1", "platform: ../x\n")), "not a platform"},
		"bad requirement":   {rubytest.Gem(rubytest.Gemspec("a", "1", "required_ruby_version:\n  requirements:\n  - - '>>'\n    - '1'\n")), "not a requirement"},
		"line end in a dep": {rubytest.Gem(rubytest.Gemspec("a", "1", "dependencies:\n- name: \"x|y\\nz\"\n")), "not a gem name"},
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
	f.Add(rubytest.Gem(whole))
	f.Add(rubytest.Tar(rubytest.Parts(rubytest.Gemspec("a", "1", ""))[:2]...))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := readGem(bytes.NewReader(b), int64(len(b))); err != nil && !errors.Is(err, registry.ErrInvalid) {
			t.Error(err)
		}
	})
}

func FuzzGemspec(f *testing.F) {
	f.Add(whole)
	f.Add(rubytest.Gemspec("a", "1.0", "authors:\n- x\n"))
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

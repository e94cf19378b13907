package ruby

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"packhouse.dev/packhouse/registry"
)

// TestMarshalSpecs compares with what Ruby 3.1 writes for [["pub", Gem::Version.new("1.0"), "ruby"]], but that it shares nothing.
func TestMarshalSpecs(t *testing.T) {
	t.Parallel()
	m := newMarshaler()
	m.array(1)
	m.array(3)
	m.text("pub")
	m.version("1.0")
	m.text("ruby")
	want := "04085b065b084922087075620" + "63a064554" + "553a1147656d3a3a56657273696f6e5b064922" + "08312e30063b00544922" + "0972756279063b0054"
	if got := hex.EncodeToString(m.b); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	tuples, err := readTuples(m.b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]specTuple{{"pub", "1.0"}}, tuples, cmp.AllowUnexported(specTuple{})); diff != "" {
		t.Error(diff)
	}
}

// TestUnmarshalRuby reads a quick gemspec and a specs index as Ruby wrote them, with links between objects.
func TestUnmarshalRuby(t *testing.T) {
	t.Parallel()
	index := "04085b085b0849220c7075622d6f6e65063a064554553a1147656d3a3a56657273696f6e5b0649220a312e302e30063b00544922" +
		"0972756279063b00545b08400755" + "3b065b0649220a312e312e30063b0054400b5b0849220c7075622d74776f063b0054553b065b0649220a302e312e30063b0054400b"
	b, err := hex.DecodeString(index)
	if err != nil {
		t.Fatal(err)
	}
	tuples, err := readTuples(b)
	if err != nil {
		t.Fatal(err)
	}
	want := []specTuple{{"pub-one", "1.0.0"}, {"pub-one", "1.1.0"}, {"pub-two", "0.1.0"}}
	if diff := cmp.Diff(want, tuples, cmp.AllowUnexported(specTuple{})); diff != "" {
		t.Error(diff)
	}
}

func TestSpecificationRoundTrip(t *testing.T) {
	t.Parallel()
	m := newMarshaler()
	m.specification(wholeSpec())
	got, err := readSpecification(m.b)
	if err != nil {
		t.Fatal(err)
	}
	want := wholeSpec()
	want.Date = got.Date // not read
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestMarshalLong(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 122, 123, 255, 256, 65535, 65536, 1 << 24, 1<<31 - 1} {
		m := newMarshaler()
		m.integer(n)
		if got, err := unmarshal(m.b); err != nil || got != n {
			t.Errorf("%d: %v %v", n, got, err)
		}
	}
	for stream, want := range map[string]int{"i\xfa": -1, "i\xff\x00": -256, "i\x85": -118} {
		if got, err := unmarshal([]byte(marshalHead + stream)); err != nil || got != want {
			t.Errorf("%q: %v %v, want %d", stream, got, err, want)
		}
	}
}

func TestUnmarshalRefusals(t *testing.T) {
	t.Parallel()
	for _, stream := range []string{
		"", "\x04\x09i\x00", marshalHead, marshalHead + "i", marshalHead + "00", marshalHead + "@\x00", marshalHead + ";\x00", marshalHead + "[\x04\xff\xff\xff\x7f",
		marshalHead + "\"\x04\xff\xff\xff\x7f", marshalHead + "c\x06A", marshalHead + "o\"\x06A", marshalHead + strings.Repeat("[\x06", 100) + "0", marshalHead + "I\"\x00\xfa",
	} {
		if v, err := unmarshal([]byte(stream)); !errors.Is(err, registry.ErrInvalid) {
			t.Errorf("%q: %v %v", stream, v, err)
		}
	}
}

func FuzzUnmarshal(f *testing.F) {
	m := newMarshaler()
	m.specification(wholeSpec())
	f.Add(m.b)
	f.Add([]byte(marshalHead + "[\x06[\x08I\"\x06a\x06:\x06ETU:\x11Gem::Version[\x06I\"\x061\x06;\x00TI\"\x09ruby\x06;\x00T"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, read := range []func() error{
			func() error { _, err := readTuples(b); return err },
			func() error { _, err := readSpecification(b); return err },
		} {
			if err := read(); err != nil && !errors.Is(err, registry.ErrInvalid) {
				t.Error(err)
			}
		}
	})
}

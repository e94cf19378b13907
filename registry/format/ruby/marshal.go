package ruby

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// marshalHead begins every stream: the version of the format.
const marshalHead = "\x04\x08"

// marshaler writes Ruby's Marshal format 4.8 (Ruby's doc/marshal.rdoc): exactly the classes and forms that Gem::SafeMarshal loads, in a
// fixed order, so that the same content is the same bytes.
type marshaler struct {
	b       []byte
	symbols map[string]int
}

func newMarshaler() *marshaler {
	return &marshaler{b: []byte(marshalHead), symbols: map[string]int{}}
}

// long writes an integer: small ones in one byte, others with a count before them, low byte first. n is never negative.
func (m *marshaler) long(n int) {
	switch {
	case n == 0:
		m.b = append(m.b, 0)
		return
	case n < 123:
		m.b = append(m.b, byte(n+5))
		return
	}
	at := len(m.b)
	m.b = append(m.b, 0)
	for ; n > 0; n >>= 8 {
		m.b = append(m.b, byte(n))
		m.b[at]++
	}
}

func (m *marshaler) raw(s string) {
	m.long(len(s))
	m.b = append(m.b, s...)
}

func (m *marshaler) symbol(s string) {
	if i, known := m.symbols[s]; known {
		m.b = append(m.b, ';')
		m.long(i)
		return
	}
	m.symbols[s] = len(m.symbols)
	m.b = append(m.b, ':')
	m.raw(s)
}

// text writes a UTF-8 string.
func (m *marshaler) text(s string) {
	m.b = append(m.b, 'I', '"')
	m.raw(strings.ToValidUTF8(s, "\uFFFD"))
	m.long(1)
	m.symbol("E")
	m.b = append(m.b, 'T')
}

func (m *marshaler) array(n int) {
	m.b = append(m.b, '[')
	m.long(n)
}

func (m *marshaler) hash(n int) {
	m.b = append(m.b, '{')
	m.long(n)
}

func (m *marshaler) boolean(v bool) {
	if v {
		m.b = append(m.b, 'T')
	} else {
		m.b = append(m.b, 'F')
	}
}

func (m *marshaler) integer(n int) {
	m.b = append(m.b, 'i')
	m.long(n)
}

func (m *marshaler) texts(list []string) {
	m.array(len(list))
	for _, s := range list {
		m.text(s)
	}
}

// version writes a Gem::Version.
func (m *marshaler) version(number string) {
	m.b = append(m.b, 'U')
	m.symbol("Gem::Version")
	m.array(1)
	m.text(number)
}

// requirement writes a Gem::Requirement.
func (m *marshaler) requirement(reqs []string) {
	if len(reqs) == 0 {
		reqs = []string{anyVersion}
	}
	m.b = append(m.b, 'U')
	m.symbol("Gem::Requirement")
	m.array(1)
	m.array(len(reqs))
	for _, r := range reqs {
		op, number, _ := strings.Cut(r, " ")
		m.array(2)
		m.text(op)
		m.version(number)
	}
}

// dependency writes a Gem::Dependency.
func (m *marshaler) dependency(d dependency) {
	m.b = append(m.b, 'o')
	m.symbol("Gem::Dependency")
	m.long(5)
	m.symbol("@name")
	m.text(d.Name)
	m.symbol("@requirement")
	m.requirement(d.Requirements)
	m.symbol("@type")
	if d.Development {
		m.symbol("development")
	} else {
		m.symbol("runtime")
	}
	m.symbol("@prerelease")
	m.boolean(false)
	m.symbol("@version_requirements")
	m.requirement(d.Requirements)
}

// time writes a Time in UTC (Ruby's time.c, time_mdump).
func (m *marshaler) time(t time.Time) {
	t = t.UTC()
	high := uint32(1)<<31 | 1<<30 | uint32(t.Year()-1900)<<14 | uint32(t.Month()-1)<<10 | uint32(t.Day())<<5 | uint32(t.Hour())
	low := uint32(t.Minute())<<26 | uint32(t.Second())<<20
	m.b = append(m.b, 'I', 'u')
	m.symbol("Time")
	m.long(8)
	for _, word := range []uint32{high, low} {
		m.b = append(m.b, byte(word), byte(word>>8), byte(word>>16), byte(word>>24))
	}
	m.long(1)
	m.symbol("zone")
	m.b = append(m.b, 'I', '"')
	m.raw("UTC")
	m.long(1)
	m.symbol("E")
	m.boolean(false) // US-ASCII
}

// specification writes a Gem::Specification: a stream of its own within the stream (Gem::Specification#_dump).
func (m *marshaler) specification(s *spec) {
	in := newMarshaler()
	in.array(19)
	in.text(orZero(s.RubygemsVersion))
	in.integer(4)
	in.text(s.Name)
	in.version(s.Number)
	in.time(dateOf(s.Date))
	in.text(s.Summary)
	in.requirement(s.Ruby)
	in.requirement(s.Rubygems)
	in.text(s.Platform)
	in.array(len(s.Dependencies))
	for _, d := range s.Dependencies {
		in.dependency(d)
	}
	in.text("") // rubyforge_project
	in.texts(s.Email)
	in.texts(s.Authors)
	in.text(s.Description)
	in.text(s.Homepage)
	in.boolean(true) // has_rdoc
	in.text(s.Platform)
	in.texts(s.Licenses)
	in.hash(len(s.Metadata))
	for _, k := range slices.Sorted(maps.Keys(s.Metadata)) {
		in.text(k)
		in.text(s.Metadata[k])
	}
	m.b = append(m.b, 'u')
	m.symbol("Gem::Specification")
	m.raw(string(in.b))
}

func orZero(version string) string {
	if isNumber(version) {
		return version
	}
	return "0"
}

// dateOf is a date that fits the format. Clients want one, whatever it is.
func dateOf(t time.Time) time.Time {
	if t.Year() < 1980 || t.Year() > 9999 {
		return time.Date(1980, 1, 2, 0, 0, 0, 0, time.UTC) // Gem::DEFAULT_SOURCE_DATE_EPOCH
	}
	return t
}

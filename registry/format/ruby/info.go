package ruby

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"packhouse.dev/packhouse/registry"
)

// infoHead begins /info and /names. Clients skip everything up to it.
const infoHead = "---\n"

// maxLine bounds a line of /info, in bytes.
const maxLine = 256 << 10

// timeFormat of created_at.
const timeFormat = "2006-01-02T15:04:05Z"

// infoLine is a line of /info: a version with what it needs. Errors of parseLine wrap registry.ErrInvalid.
type infoLine struct {
	key            string
	checksum       string // SHA-256; "" if the line does not say
	ruby, rubygems []string
	dependencies   []dependency // none for development
	created        time.Time    // zero if the line does not say
}

// parseLine reads "1.0.0-java dep:>= 1&< 2,other:>= 0|checksum:…,ruby:>= 2.7,created_at:…". What it does not know it leaves out.
func parseLine(line string) (infoLine, error) {
	var l infoLine
	bad := func(why string) (infoLine, error) {
		return infoLine{}, fmt.Errorf("%w: the line %q %s", registry.ErrInvalid, registry.Clip(line), why)
	}
	if len(line) > maxLine {
		return bad("is too long")
	}
	key, rest, ok := strings.Cut(line, " ")
	var err error
	if l.key, err = (names{}).Version(key); err != nil {
		return infoLine{}, err
	}
	if !ok {
		return l, nil
	}
	needs, terms, _ := strings.Cut(rest, "|")
	for _, item := range items(needs) {
		name, list, _ := strings.Cut(item, ":")
		reqs, ok := requirements(list)
		if !ok || !isDependencyName(name) {
			return bad("has a dependency that is none")
		}
		l.dependencies = append(l.dependencies, dependency{Name: name, Requirements: reqs})
	}
	for _, item := range items(terms) {
		what, value, _ := strings.Cut(item, ":")
		ok := true
		switch what {
		case "checksum":
			l.checksum = value
			_, err := hex.DecodeString(value)
			ok = err == nil && len(value) == 64 && value == strings.ToLower(value)
		case "ruby":
			l.ruby, ok = requirements(value)
		case "rubygems":
			l.rubygems, ok = requirements(value)
		case "created_at":
			l.created, _ = time.Parse(time.RFC3339, value) // zero: unknown
		}
		if !ok {
			return bad("has a bad " + registry.Clip(what))
		}
	}
	return l, nil
}

func items(list string) []string {
	if list == "" {
		return nil
	}
	return strings.Split(list, ",")
}

// requirements reads ">= 1&< 2"; ">= 0" is none.
func requirements(list string) ([]string, bool) {
	if list == "" || list == anyVersion {
		return nil, true
	}
	reqs := strings.Split(list, "&")
	return reqs, !slices.ContainsFunc(reqs, func(r string) bool { return !isRequirement(r) })
}

// isDependencyName accepts any name of an old gem that cannot be mistaken for another part of a line.
func isDependencyName(s string) bool {
	return s != "" && len(s) <= maxName && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(",:|&/\\", r) })
}

// line writes the line of a gemspec. checksum may be "".
func (s *spec) line(key, checksum string) string {
	var b strings.Builder
	b.WriteString(key + " ")
	for i, d := range s.runtime() {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(d.Name + ":" + joined(d.Requirements, anyVersion))
	}
	b.WriteByte('|')
	var terms []string
	for _, t := range []struct{ what, value string }{{"checksum", checksum}, {"ruby", joined(s.Ruby, "")}, {"rubygems", joined(s.Rubygems, "")}} {
		if t.value != "" {
			terms = append(terms, t.what+":"+t.value)
		}
	}
	b.WriteString(strings.Join(terms, ","))
	return b.String()
}

// joined sorts, since the order of requirements means nothing and lines are compared.
func joined(reqs []string, without string) string {
	if len(reqs) == 0 {
		return without
	}
	return strings.Join(slices.Sorted(slices.Values(reqs)), "&")
}

// lineOf parses the stored line of a version.
func lineOf(v *registry.Version) (infoLine, error) {
	l, err := parseLine(storedLine(v))
	if err != nil {
		return l, fmt.Errorf("stored line of %s is damaged: %w", v.ID, err)
	}
	return l, nil
}

func storedLine(v *registry.Version) string {
	for _, a := range v.Assets {
		if len(a.Info) > 0 {
			return string(a.Info)
		}
	}
	return v.ID.Version + " |"
}

// servedLine is the stored line with what is known since: the checksum of a gem that an upstream did not tell, and, of what was
// published here, when.
func servedLine(v *registry.Version) (string, error) {
	line := storedLine(v)
	l, err := lineOf(v)
	if err != nil {
		return "", err
	}
	if l.checksum == "" {
		if a := v.Asset(fileName(v.ID)); a != nil && a.Digests.SHA256 != "" {
			before, after, _ := strings.Cut(line, "|")
			line = strings.TrimSuffix(before+"|checksum:"+a.Digests.SHA256+","+after, ",")
		}
	}
	if v.Origin.Type == registry.Internal && l.created.IsZero() && !v.PublishedAt.IsZero() {
		line = addTerm(line, "created_at:"+v.PublishedAt.UTC().Format(timeFormat))
	}
	return line, nil
}

func addTerm(line, term string) string {
	if strings.HasSuffix(line, "|") {
		return line + term
	}
	return line + "," + term
}

package pypi

import (
	"cmp"
	"strings"
)

// maxVersion bounds the text of a version.
const maxVersion = 200

// version is a version by PEP 440. Numbers are decimal digits without leading zeros: there is no bound on them.
type version struct {
	epoch   string
	release []string
	pre     string // "a", "b", "rc" or "" for none
	preN    string
	post    string // "" for none
	dev     string // "" for none
	local   []string
}

// parseVersion reads every spelling that PEP 440 allows ("v1.0-RC.1", "1.0-1", "1.0.POST"), in its Appendix B.
func parseVersion(raw string) (version, bool) {
	if len(raw) > maxVersion {
		return version{}, false
	}
	s := scanner{text: strings.ToLower(strings.TrimSpace(raw))}
	var v version
	s.word("v")
	n := s.digits()
	if n == "" {
		return version{}, false
	}
	v.epoch = "0"
	if s.word("!") {
		v.epoch = n
		if n = s.digits(); n == "" {
			return version{}, false
		}
	}
	v.release = []string{n}
	for s.has(".") && s.digitAt(1) {
		s.word(".")
		v.release = append(v.release, s.digits())
	}
	v.preRelease(&s)
	v.postRelease(&s)
	v.devRelease(&s)
	if s.word("+") && !v.localVersion(&s) {
		return version{}, false
	}
	return v, s.text == ""
}

func (v *version) preRelease(s *scanner) {
	at := s.text
	s.separator()
	for _, word := range []struct{ text, kind string }{
		{"alpha", "a"}, {"beta", "b"}, {"preview", "rc"}, {"pre", "rc"}, {"rc", "rc"}, {"a", "a"}, {"b", "b"}, {"c", "rc"},
	} {
		if s.word(word.text) {
			v.pre, v.preN = word.kind, s.optionalDigits()
			return
		}
	}
	s.text = at
}

func (v *version) postRelease(s *scanner) {
	at := s.text
	if s.word("-") { // "1.0-1"
		if n := s.digits(); n != "" {
			v.post = n
			return
		}
		s.text = at
	}
	s.separator()
	for _, word := range []string{"post", "rev", "r"} {
		if s.word(word) {
			v.post = s.optionalDigits()
			return
		}
	}
	s.text = at
}

func (v *version) devRelease(s *scanner) {
	at := s.text
	s.separator()
	if s.word("dev") {
		v.dev = s.optionalDigits()
		return
	}
	s.text = at
}

func (v *version) localVersion(s *scanner) bool {
	for _, segment := range strings.FieldsFunc(s.text, func(r rune) bool { return r == '.' || r == '-' || r == '_' }) {
		if strings.ContainsFunc(segment, func(r rune) bool { return !isAlnum(r) }) {
			return false
		}
		if isDigits(segment) {
			segment = trimZeros(segment)
		}
		v.local = append(v.local, segment)
	}
	// One separator between two segments, and none at the ends.
	separators := strings.Count(s.text, ".") + strings.Count(s.text, "-") + strings.Count(s.text, "_")
	s.text = ""
	return separators == len(v.local)-1
}

// String is the normal form, with all digits of the release.
func (v version) String() string { return v.text(v.release) }

// key is the normal form without the trailing zeros of the release, which mean nothing in comparisons.
func (v version) key() string { return v.text(trimmed(v.release)) }

func (v version) text(release []string) string {
	var b strings.Builder
	if v.epoch != "0" {
		b.WriteString(v.epoch + "!")
	}
	b.WriteString(strings.Join(release, "."))
	if v.pre != "" {
		b.WriteString(v.pre + v.preN)
	}
	if v.post != "" {
		b.WriteString(".post" + v.post)
	}
	if v.dev != "" {
		b.WriteString(".dev" + v.dev)
	}
	if len(v.local) > 0 {
		b.WriteString("+" + strings.Join(v.local, "."))
	}
	return b.String()
}

// trimmed leaves out trailing zeros, but for the first number.
func trimmed(release []string) []string {
	for len(release) > 1 && release[len(release)-1] == "0" {
		release = release[:len(release)-1]
	}
	return release
}

// compare orders by PEP 440, "Summary of permitted suffixes and relative ordering".
func (v version) compare(o version) int {
	if c := compareNumbers(v.epoch, o.epoch); c != 0 {
		return c
	}
	if c := compareLists(trimmed(v.release), trimmed(o.release), compareNumbers); c != 0 {
		return c
	}
	if c := cmp.Or(cmp.Compare(v.phase(), o.phase()), compareNumbers(v.preN, o.preN)); c != 0 {
		return c
	}
	if c := compareNumbers(v.post, o.post); c != 0 { // none is before any: ""
		return c
	}
	if v.dev == "" || o.dev == "" {
		if c := cmp.Compare(boolInt(v.dev == ""), boolInt(o.dev == "")); c != 0 {
			return c
		}
	}
	if c := compareNumbers(v.dev, o.dev); c != 0 {
		return c
	}
	return compareLists(v.local, o.local, compareLocal)
}

// phase is where a version stands around its release: "1.0.dev1" is before "1.0a1", a pre-release before the release itself.
func (v version) phase() int {
	switch v.pre {
	case "a":
		return 1
	case "b":
		return 2
	case "rc":
		return 3
	}
	if v.post == "" && v.dev != "" {
		return 0
	}
	return 4
}

func compareLists(a, b []string, compare func(a, b string) int) int {
	for i := range min(len(a), len(b)) {
		if c := compare(a[i], b[i]); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(a), len(b))
}

// compareNumbers compares decimal digits without leading zeros; "" is below all.
func compareNumbers(a, b string) int {
	return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
}

// compareLocal orders numbers above letters.
func compareLocal(a, b string) int {
	da, db := isDigits(a), isDigits(b)
	switch {
	case da && db:
		return compareNumbers(a, b)
	case da != db:
		return boolInt(da) - boolInt(db)
	}
	return strings.Compare(a, b)
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

func isDigits(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r < '0' || r > '9' })
}

func trimZeros(digits string) string {
	if t := strings.TrimLeft(digits, "0"); t != "" {
		return t
	}
	return "0"
}

// scanner eats a text from its front.
type scanner struct{ text string }

func (s *scanner) has(word string) bool { return strings.HasPrefix(s.text, word) }

func (s *scanner) word(word string) bool {
	rest, ok := strings.CutPrefix(s.text, word)
	s.text = rest
	return ok
}

func (s *scanner) separator() {
	if s.has(".") || s.has("-") || s.has("_") {
		s.text = s.text[1:]
	}
}

func (s *scanner) digitAt(i int) bool {
	return len(s.text) > i && '0' <= s.text[i] && s.text[i] <= '9'
}

func (s *scanner) digits() string {
	i := 0
	for s.digitAt(i) {
		i++
	}
	d := s.text[:i]
	s.text = s.text[i:]
	if d == "" {
		return ""
	}
	return trimZeros(d)
}

// optionalDigits reads the number after a word, which may be apart ("rc.1") and may be left out.
func (s *scanner) optionalDigits() string {
	at := s.text
	s.separator()
	if n := s.digits(); n != "" {
		return n
	}
	s.text = at
	return "0"
}

package blob

import (
	"crypto/rand"
	"encoding/base32"
	"fmt"
	"strings"
)

// NewObject makes an object name that was never used before and will never be made again: <scope>/<aa>/<sha256>.<random>. scope is the
// lasting name of the domain. The digest is in the name for people who look for bytes; nothing relies on it.
func NewObject(scope, sha256 string) string {
	var b [15]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	unique := strings.ToLower(base32.StdEncoding.EncodeToString(b[:]))
	return scope + "/" + sha256[:min(2, len(sha256))] + "/" + sha256 + "." + unique
}

// CheckObject says whether a name is one that a Store takes: two to four segments of [a-z0-9._-], none beginning with a dot.
func CheckObject(name string) error {
	segments := strings.Split(name, "/")
	if len(segments) < 2 || len(segments) > 4 || len(name) > 250 {
		return fmt.Errorf("object name %.80q: two to four segments are needed", name)
	}
	for _, s := range segments {
		if s == "" || s[0] == '.' {
			return fmt.Errorf("object name %.80q has a bad segment", name)
		}
		for i := range len(s) {
			c := s[i]
			if !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '.' || c == '_' || c == '-') {
				return fmt.Errorf("object name %.80q has a bad character", name)
			}
		}
	}
	return nil
}

package cargo

import (
	"encoding/json"
	"fmt"

	"packhouse.dev/packhouse/registry"
)

// member is one member of a JSON object: its name, and where its value stands in the text.
type member struct {
	key        string
	start, end int
}

// members lists the members of an object in text, which must be valid JSON. encoding/json would take "NAME" for "name" and the last
// of two members for both; Cargo does neither, so that whoever decides by what a line says must read it as Cargo does. A member that
// is there twice is ErrInvalid.
func members(text []byte) ([]member, error) {
	notObject := fmt.Errorf("%w: not a JSON object", registry.ErrInvalid)
	if !json.Valid(text) {
		return nil, notObject
	}
	i := skipSpace(text, 0)
	if text[i] != '{' {
		return nil, notObject
	}
	var out []member
	seen := map[string]bool{}
	for i = skipSpace(text, i+1); text[i] != '}'; {
		if text[i] == ',' {
			i = skipSpace(text, i+1)
		}
		end := skipValue(text, i)
		var m member
		if err := json.Unmarshal(text[i:end], &m.key); err != nil {
			return nil, notObject
		}
		if seen[m.key] {
			return nil, fmt.Errorf("%w: %q is there twice", registry.ErrInvalid, registry.Clip(m.key))
		}
		seen[m.key] = true
		m.start = skipSpace(text, skipSpace(text, end)+1) // after the colon
		m.end = skipValue(text, m.start)
		out = append(out, m)
		i = skipSpace(text, m.end)
	}
	return out, nil
}

func skipSpace(text []byte, i int) int {
	for i < len(text) && (text[i] == ' ' || text[i] == '\t' || text[i] == '\n' || text[i] == '\r') {
		i++
	}
	return i
}

// skipValue returns where the value that begins at i ends.
func skipValue(text []byte, i int) int {
	switch text[i] {
	case '"':
		for i++; text[i] != '"'; i++ {
			if text[i] == '\\' {
				i++
			}
		}
		return i + 1
	case '{', '[':
		for depth := 0; ; i++ {
			switch text[i] {
			case '"':
				i = skipValue(text, i) - 1
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return i + 1
				}
			}
		}
	}
	for i < len(text) {
		switch text[i] {
		case ',', '}', ']', ' ', '\t', '\n', '\r':
			return i
		}
		i++
	}
	return i
}

// find returns the value of a member, nil if there is none.
func find(text []byte, list []member, key string) []byte {
	for _, m := range list {
		if m.key == key {
			return text[m.start:m.end]
		}
	}
	return nil
}

// text reads a JSON string; anything else is "".
func text(raw []byte) string {
	var s string
	if len(raw) == 0 || raw[0] != '"' || json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

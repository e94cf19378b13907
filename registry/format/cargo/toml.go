package cargo

import (
	"bytes"
	"fmt"

	"github.com/BurntSushi/toml"

	"packhouse.dev/packhouse/registry"
)

// Limits of a Cargo.toml. Real ones nest four or five tables; a million brackets would use up the stack, and a key of a hundred
// thousand parts would be walked again for every key below it.
const (
	maxTOML      = 1 << 20
	maxTOMLDepth = 32 // brackets in each other, and parts of one key
)

// table is a TOML table. Keys are compared exactly, as Cargo does; decoding into structs would fold their letter case.
type table map[string]any

// parseTOML reads a document. Errors wrap registry.ErrInvalid.
func parseTOML(text []byte) (table, error) {
	if len(text) > maxTOML {
		return nil, fmt.Errorf("%w: Cargo.toml is larger than %d KB", registry.ErrInvalid, maxTOML>>10)
	}
	if !isShallow(text) {
		return nil, fmt.Errorf("%w: Cargo.toml nests more than %d tables", registry.ErrInvalid, maxTOMLDepth)
	}
	var t table
	if _, err := toml.NewDecoder(bytes.NewReader(text)).Decode(&t); err != nil {
		return nil, fmt.Errorf("%w: Cargo.toml: %s", registry.ErrInvalid, registry.Clip(err.Error()))
	}
	return t, nil
}

// isShallow looks at brackets and dots outside strings and comments, so that what is parsed afterwards is known to be harmless.
func isShallow(text []byte) bool {
	depth, dots := 0, 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '"', '\'':
			i = skipTOMLString(text, i) - 1
		case '#':
			for i < len(text) && text[i] != '\n' {
				i++
			}
			dots = 0
		case '[', '{':
			depth++
			dots = 0
		case ']', '}':
			depth = max(depth-1, 0)
		case '.':
			dots++
		case '\n', ',', '=':
			dots = 0
		}
		if depth > maxTOMLDepth || dots > maxTOMLDepth {
			return false
		}
	}
	return true
}

// skipTOMLString returns where the string that begins at i ends.
func skipTOMLString(text []byte, i int) int {
	quote := text[i : i+1]
	many := bytes.Repeat(quote, 3)
	escapes := quote[0] == '"'
	if bytes.HasPrefix(text[i:], many) {
		for i += 3; i < len(text) && !bytes.HasPrefix(text[i:], many); i++ {
			if escapes && text[i] == '\\' {
				i++
			}
		}
		for i += 3; i < len(text) && text[i] == quote[0]; i++ { // up to two of its own before the end
		}
		return min(i, len(text))
	}
	for i++; i < len(text) && text[i] != quote[0] && text[i] != '\n'; i++ {
		if escapes && text[i] == '\\' {
			i++
		}
	}
	return min(i+1, len(text))
}

// text is a string member, "" if there is none or it is something else.
func (t table) text(key string) string {
	s, _ := t[key].(string)
	return s
}

// flag is a boolean member, or without where there is none.
func (t table) flag(key string, without bool) bool {
	if b, ok := t[key].(bool); ok {
		return b
	}
	return without
}

// list are the strings of an array; a string counts as an array of it.
func (t table) list(key string) []string {
	switch v := t[key].(type) {
	case string:
		return []string{v}
	case []any:
		out := make([]string, 0, len(v))
		for _, e := range v {
			if s, ok := e.(string); ok {
				out = append(out, s)
			}
		}
		return out
	}
	return nil
}

// table is a member that is a table; nil if there is none. Keys of Cargo.toml have an older spelling with "_".
func (t table) table(keys ...string) table {
	for _, k := range keys {
		switch v := t[k].(type) {
		case map[string]any:
			return v
		case table:
			return v
		}
	}
	return nil
}

package npm

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"unicode/utf8"

	"packhouse.dev/packhouse/registry"
)

// Documents are cut and joined as raw JSON: a packument of thousands of versions is rendered by copying, without a tree of maps, and
// fields that this package knows nothing of stay as their author wrote them. Struct decoding is not used on foreign documents also
// because it matches names regardless of case, which clients do not.

// parseJSON checks a foreign document and takes out white space and broken UTF-8. What it returns may be given to the functions
// below. The result may share memory with raw.
func parseJSON(raw []byte) ([]byte, error) {
	raw = bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf")) // clients ignore it too
	if !utf8.Valid(raw) {
		raw = bytes.ToValidUTF8(raw, []byte("�"))
	}
	if bytes.IndexByte(raw, '\n') < 0 { // a string has no raw line end, so this tells indented documents from others
		if !json.Valid(raw) {
			return nil, fmt.Errorf("%w: not valid JSON", registry.ErrInvalid)
		}
		return bytes.TrimSpace(raw), nil
	}
	var b bytes.Buffer
	b.Grow(len(raw))
	if err := json.Compact(&b, raw); err != nil {
		return nil, fmt.Errorf("%w: not valid JSON: %w", registry.ErrInvalid, err)
	}
	return b.Bytes(), nil
}

// isObject and isString look at the first byte of valid JSON.
func isObject(raw []byte) bool { return len(raw) > 1 && raw[0] == '{' }
func isString(raw []byte) bool { return len(raw) > 1 && raw[0] == '"' }

// members yields the members of a JSON object in their order, and nothing for other values. Of equal keys, clients take the last.
func members(raw []byte) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		if !isObject(raw) {
			return
		}
		for i := 1; ; {
			i = space(raw, i)
			if i >= len(raw) || raw[i] != '"' {
				return
			}
			end := valueEnd(raw, i)
			key, ok := unquote(raw[i:end])
			i = space(raw, end)
			if !ok || i >= len(raw) || raw[i] != ':' {
				return
			}
			i = space(raw, i+1)
			end = valueEnd(raw, i)
			if end <= i || !yield(key, raw[i:end]) {
				return
			}
			i = space(raw, end)
			if i >= len(raw) || raw[i] != ',' {
				return
			}
			i++
		}
	}
}

// member returns one member, nil if there is none.
func member(raw []byte, key string) []byte {
	var out []byte
	for k, v := range members(raw) {
		if k == key {
			out = v
		}
	}
	return out
}

// field is a member of an object.
type field struct {
	key string
	raw []byte
}

// fields are the members of an object, each key once.
type fields []field

// get returns a value, nil if there is none.
func (f fields) get(key string) []byte {
	if i := slices.IndexFunc(f, func(f field) bool { return f.key == key }); i >= 0 {
		return f[i].raw
	}
	return nil
}

// lastMembers are the members of an object, each key once, where it first stood and with its last value.
func lastMembers(raw []byte) fields {
	var out fields
	var at map[string]int // made when looking through out would take long
	for k, v := range members(raw) {
		i, again := at[k]
		if at == nil {
			i = slices.IndexFunc(out, func(f field) bool { return f.key == k })
			again = i >= 0
		}
		if again {
			out[i].raw = v
			continue
		}
		out = append(out, field{k, v})
		if at != nil {
			at[k] = len(out) - 1
		} else if len(out) == 64 {
			at = make(map[string]int, 128)
			for i, f := range out {
				at[f.key] = i
			}
		}
	}
	return out
}

// elements yields the elements of a JSON array, and nothing for other values.
func elements(raw []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		if len(raw) < 2 || raw[0] != '[' {
			return
		}
		for i := 1; ; i++ {
			i = space(raw, i)
			if i >= len(raw) || raw[i] == ']' {
				return
			}
			end := valueEnd(raw, i)
			if end <= i || !yield(raw[i:end]) {
				return
			}
			i = space(raw, end)
			if i >= len(raw) || raw[i] != ',' {
				return
			}
		}
	}
}

func space(raw []byte, i int) int {
	for i < len(raw) && (raw[i] == ' ' || raw[i] == '\t' || raw[i] == '\n' || raw[i] == '\r') {
		i++
	}
	return i
}

// valueEnd returns the end of the value that begins at i.
func valueEnd(raw []byte, i int) int {
	depth := 0
	for i < len(raw) {
		switch c := raw[i]; c {
		case '"':
			i = stringEnd(raw, i)
			if depth == 0 {
				return i
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return i // of a number or word at the end of its container
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',', ' ', '\t', '\n', '\r':
			if depth == 0 {
				return i
			}
		}
		i++
	}
	return i
}

// stringEnd returns the end of the string whose opening quote is at i.
func stringEnd(raw []byte, i int) int {
	for from := i + 1; ; {
		j := bytes.IndexByte(raw[min(from, len(raw)):], '"')
		if j < 0 {
			return len(raw)
		}
		quote := from + j
		escapes := 0
		for quote-1-escapes > i && raw[quote-1-escapes] == '\\' {
			escapes++
		}
		if from = quote + 1; escapes%2 == 0 {
			return from
		}
	}
}

// unquote decodes a JSON string; false for any other value.
func unquote(raw []byte) (string, bool) {
	if !isString(raw) {
		return "", false
	}
	if body := raw[1 : len(raw)-1]; bytes.IndexByte(body, '\\') < 0 {
		return string(body), true
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return "", false
	}
	return s, true
}

// text is unquote for members that may be missing.
func text(raw []byte) string {
	s, _ := unquote(raw)
	return s
}

// truthy is what JavaScript takes for true.
func truthy(raw []byte) bool {
	switch string(raw) {
	case "", "null", "false", `""`, "0", "-0", "0.0":
		return false
	}
	return true
}

// appendQuoted appends s as a JSON string.
func appendQuoted(b []byte, s string) []byte {
	plain := true
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			plain = false
			break
		}
	}
	if plain {
		return append(append(append(b, '"'), s...), '"')
	}
	var quoted bytes.Buffer
	enc := json.NewEncoder(&quoted)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string into memory cannot fail
	return append(b, bytes.TrimSuffix(quoted.Bytes(), []byte("\n"))...)
}

// object builds a JSON object.
type object struct{ b []byte }

// key begins a member; its value is appended to b next.
func (o *object) key(k string) {
	if o.b == nil {
		o.b = append(o.b, '{')
	} else {
		o.b = append(o.b, ',')
	}
	o.b = append(appendQuoted(o.b, k), ':')
}

func (o *object) raw(k string, v []byte) {
	o.key(k)
	o.b = append(o.b, v...)
}

func (o *object) text(k, v string) {
	o.key(k)
	o.b = appendQuoted(o.b, v)
}

// bytes ends the object.
func (o *object) bytes() []byte {
	if o.b == nil {
		return []byte("{}")
	}
	return append(o.b, '}')
}

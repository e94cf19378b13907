package ruby

import (
	"fmt"
	"strings"

	"packhouse.dev/packhouse/registry"
)

// Bounds of a stream that is read.
const (
	maxNesting = 64
	maxValues  = 20_000_000
)

// The values that a stream may hold, beside nil, bool, int, string and []any.
type (
	symbol string
	pairs  [][2]any // of a hash
	// object is one of a class: with its instance variables, or what its marshal_dump or _dump gave, as value.
	object struct {
		class string
		vars  map[string]any
		value any
	}
)

// unmarshaler reads Ruby's Marshal format 4.8 (doc/marshal.rdoc) into plain values: nothing is made from the names of classes.
type unmarshaler struct {
	b       []byte
	symbols []symbol
	objects []any // what "@" refers to
	values  int
}

// unmarshal reads a whole stream. Errors wrap registry.ErrInvalid.
func unmarshal(b []byte) (any, error) {
	rest, ok := strings.CutPrefix(string(b), marshalHead)
	if !ok {
		return nil, fmt.Errorf("%w: not a Marshal %s stream", registry.ErrInvalid, marshalVersion)
	}
	u := &unmarshaler{b: []byte(rest)}
	v, err := u.value(0)
	if err != nil {
		return nil, err
	}
	if len(u.b) > 0 {
		return nil, damaged("goes on after its end")
	}
	return v, nil
}

func damaged(why string) error {
	return fmt.Errorf("%w: the Marshal stream %s", registry.ErrInvalid, why)
}

func (u *unmarshaler) next() (byte, error) {
	if len(u.b) == 0 {
		return 0, damaged("is cut off")
	}
	c := u.b[0]
	u.b = u.b[1:]
	return c, nil
}

// long reads an integer of at most four bytes.
func (u *unmarshaler) long() (int, error) {
	c, err := u.next()
	if err != nil {
		return 0, err
	}
	switch n := int(int8(c)); {
	case n == 0:
		return 0, nil
	case n > 4:
		return n - 5, nil
	case n < -4:
		return n + 5, nil
	default:
		count, out := max(n, -n), 0
		if n < 0 {
			out = -1 << (8 * count)
		}
		for i := range count {
			c, err := u.next()
			if err != nil {
				return 0, err
			}
			out += int(c) << (8 * i)
		}
		return out, nil
	}
}

// length reads one that the rest of the stream can have.
func (u *unmarshaler) length() (int, error) {
	n, err := u.long()
	if err == nil && (n < 0 || n > len(u.b)) {
		err = damaged("is cut off")
	}
	return n, err
}

func (u *unmarshaler) raw() (string, error) {
	n, err := u.length()
	if err != nil {
		return "", err
	}
	s := string(u.b[:n])
	u.b = u.b[n:]
	return s, nil
}

func (u *unmarshaler) symbol() (symbol, error) {
	c, err := u.next()
	if err != nil {
		return "", err
	}
	return u.symbolOf(c)
}

// symbolOf reads what follows the type of a symbol.
func (u *unmarshaler) symbolOf(kind byte) (symbol, error) {
	switch kind {
	case ':':
		s, err := u.raw()
		u.symbols = append(u.symbols, symbol(s))
		return symbol(s), err
	case ';':
		i, err := u.long()
		if err != nil || i < 0 || i >= len(u.symbols) {
			return "", damaged("refers to a symbol that it does not have")
		}
		return u.symbols[i], nil
	}
	return "", damaged("has something else for a symbol")
}

// note gives a value the number by which it is referred to.
func (u *unmarshaler) note(v any) int {
	u.objects = append(u.objects, v)
	return len(u.objects) - 1
}

func (u *unmarshaler) value(depth int) (any, error) {
	if u.values++; depth > maxNesting || u.values > maxValues {
		return nil, damaged("is nested too deeply, or too large")
	}
	kind, err := u.next()
	if err != nil {
		return nil, err
	}
	switch kind {
	case '0':
		return nil, nil
	case 'T', 'F':
		return kind == 'T', nil
	case 'i':
		return u.long()
	case ':', ';':
		return u.symbolOf(kind)
	case '@':
		i, err := u.long()
		if err != nil || i < 0 || i >= len(u.objects) {
			return nil, damaged("refers to an object that it does not have")
		}
		return u.objects[i], nil
	case 'I':
		return u.withVariables(depth)
	default:
		return u.composite(kind, depth)
	}
}

// withVariables reads a value that instance variables follow: encodings of texts, zones of times. They are not kept.
func (u *unmarshaler) withVariables(depth int) (any, error) {
	kind, err := u.next()
	if err != nil {
		return nil, err
	}
	var v any
	switch kind {
	case 'u': // the object gets its number after its variables
		class, data, err := u.dumped()
		if err != nil {
			return nil, err
		}
		if _, err := u.variables(depth); err != nil {
			return nil, err
		}
		v = object{class: class, value: data}
		u.note(v)
		return v, nil
	case ':':
		v, err = u.symbolOf(kind)
	default:
		v, err = u.composite(kind, depth)
	}
	if err != nil {
		return nil, err
	}
	_, err = u.variables(depth)
	return v, err
}

// dumped reads the class of an object with _dump, and what that gave.
func (u *unmarshaler) dumped() (class, data string, err error) {
	name, err := u.symbol()
	if err != nil {
		return "", "", err
	}
	data, err = u.raw()
	return string(name), data, err
}

func (u *unmarshaler) variables(depth int) (map[string]any, error) {
	n, err := u.length()
	if err != nil {
		return nil, err
	}
	out := map[string]any{}
	for range n {
		name, err := u.symbol()
		if err != nil {
			return nil, err
		}
		if out[string(name)], err = u.value(depth + 1); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// composite reads the types that have a number to be referred to by.
func (u *unmarshaler) composite(kind byte, depth int) (any, error) {
	switch kind {
	case '"', 'f':
		s, err := u.raw()
		u.note(s)
		return s, err
	case '[':
		return u.array(depth)
	case '{':
		return u.hash(depth)
	case 'o', 'U':
		name, err := u.symbol()
		if err != nil {
			return nil, err
		}
		o, at := object{class: string(name)}, u.note(nil)
		if kind == 'o' {
			o.vars, err = u.variables(depth)
		} else {
			o.value, err = u.value(depth + 1)
		}
		u.objects[at] = o
		return o, err
	case 'u':
		class, data, err := u.dumped()
		o := object{class: class, value: data}
		u.note(o)
		return o, err
	}
	return nil, damaged(fmt.Sprintf("has a value of type %q, which no gem index has", kind))
}

func (u *unmarshaler) array(depth int) (any, error) {
	n, err := u.length()
	if err != nil {
		return nil, err
	}
	at := u.note(nil)
	var out []any
	for range n {
		v, err := u.value(depth + 1)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	u.objects[at] = out
	return out, nil
}

func (u *unmarshaler) hash(depth int) (any, error) {
	n, err := u.length()
	if err != nil {
		return nil, err
	}
	at := u.note(nil)
	var out pairs
	for range n {
		k, err := u.value(depth + 1)
		if err != nil {
			return nil, err
		}
		v, err := u.value(depth + 1)
		if err != nil {
			return nil, err
		}
		out = append(out, [2]any{k, v})
	}
	u.objects[at] = out
	return out, nil
}

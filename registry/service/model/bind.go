package model

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"
)

// Input is a request as it came, with its body read unless it is a payload.
type Input struct {
	Query   url.Values
	Header  http.Header
	Body    []byte    // JSON; empty: {}
	Payload io.Reader // of operations whose body is no JSON
}

// Bind fills a request, a pointer to a struct of this package, and holds it against the model. Members that the model does not know are
// ignored, as the service does. The error is an *Invalid.
func Bind(request any, in Input) error {
	b := &binder{}
	v := reflect.ValueOf(request).Elem()
	body, err := parseBody(in.Body)
	if err != nil {
		return err
	}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		b.bind(v.Field(i), memberName(f.Name), f.Tag, in, body)
	}
	if len(b.violations) > 0 || b.parse != "" {
		return &Invalid{Violations: b.violations, Parse: b.parse}
	}
	return nil
}

// parseBody reads a JSON object. Numbers keep their text.
func parseBody(text []byte) (map[string]any, error) {
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, nil
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var out map[string]any
	if err := dec.Decode(&out); err != nil {
		return nil, &Invalid{Parse: "the body of the request is not a JSON object"}
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, &Invalid{Parse: "the body of the request has more than one JSON value"}
	}
	return out, nil
}

// maxViolations are told at once.
const maxViolations = 10

type binder struct {
	violations []Violation
	parse      string
}

func (b *binder) violate(path, value, constraint string) {
	if constraint != "" && len(b.violations) < maxViolations {
		b.violations = append(b.violations, Violation{path, value, constraint})
	}
}

func (b *binder) wrongType(path, want string) {
	if b.parse == "" {
		b.parse = fmt.Sprintf("the value at '%s' is no %s", path, want)
	}
}

// memberName is what the model calls a member; queries and headers have other names for it.
func memberName(field string) string { return strings.ToLower(field[:1]) + field[1:] }

// bind fills one member of a request, which errors call path, from where it stands.
func (b *binder) bind(v reflect.Value, path string, tag reflect.StructTag, in Input, body map[string]any) {
	shape, options, _ := strings.Cut(tag.Get("shape"), ",")
	required := options == "required"
	if _, ok := tag.Lookup("payload"); ok {
		if in.Payload == nil {
			b.violate(path, "null", "Member must not be null")
			return
		}
		v.Set(reflect.ValueOf(&in.Payload).Elem())
		return
	}
	var values []string
	name, inQuery := tag.Lookup("query")
	if inQuery {
		values = in.Query[name]
	} else if header, ok := tag.Lookup("header"); ok {
		values = in.Header.Values(header)
	} else {
		b.member(v, path, shape, required, body[tag.Get("body")])
		return
	}
	switch {
	case len(values) == 0 && required:
		b.violate(path, "null", "Member must not be null")
	case len(values) > 1:
		b.violate(path, shown(values[1]), "Member must not be there twice")
	case len(values) == 1:
		b.text(v, path, shapes[shape], values[0])
	}
}

// text fills a scalar from text, as queries and headers have it.
func (b *binder) text(v reflect.Value, path string, s *Shape, text string) {
	switch s.Type {
	case "boolean":
		on, err := strconv.ParseBool(text)
		if err != nil {
			b.wrongType(path, "boolean")
			return
		}
		v.SetBool(on)
	case "integer", "long":
		b.number(v, path, s, text)
	default:
		b.string(v, path, s, text)
	}
}

func (b *binder) string(v reflect.Value, path string, s *Shape, text string) {
	if c := s.checkText(text); c != "" {
		b.violate(path, shown(text), c)
		return
	}
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.ValueOf(&text))
		return
	}
	v.SetString(text)
}

func (b *binder) number(v reflect.Value, path string, s *Shape, text string) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || s.Type == "integer" && (n > math.MaxInt32 || n < math.MinInt32) {
		b.wrongType(path, s.Type)
		return
	}
	if c := s.checkNumber(n); c != "" {
		b.violate(path, shown(text), c)
		return
	}
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.ValueOf(&n))
		return
	}
	v.SetInt(n)
}

// member fills a member of a structure from a JSON value; null is none.
func (b *binder) member(v reflect.Value, path, shape string, required bool, value any) {
	if value == nil {
		if required {
			b.violate(path, "null", "Member must not be null")
		}
		return
	}
	b.value(v, path, shape, value)
}

// value fills v from a JSON value. Types of structures have no Shape.
func (b *binder) value(v reflect.Value, path, shape string, value any) {
	s := shapes[shape]
	if s == nil {
		b.structure(v, path, value)
		return
	}
	switch s.Type {
	case "list":
		b.list(v, path, s, value)
	case "map":
		b.mapping(v, path, s, value)
	case "boolean":
		on, ok := value.(bool)
		if !ok {
			b.wrongType(path, "boolean")
			return
		}
		v.SetBool(on)
	case "integer", "long":
		n, ok := value.(json.Number)
		if !ok {
			b.wrongType(path, s.Type)
			return
		}
		b.number(v, path, s, n.String())
	default:
		text, ok := value.(string)
		if !ok {
			b.wrongType(path, "string")
			return
		}
		b.string(v, path, s, text)
	}
}

func (b *binder) structure(v reflect.Value, path string, value any) {
	object, ok := value.(map[string]any)
	if !ok {
		b.wrongType(path, "structure")
		return
	}
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	for i := range v.NumField() {
		tag := v.Type().Field(i).Tag
		shape, options, _ := strings.Cut(tag.Get("shape"), ",")
		name := tag.Get("body")
		b.member(v.Field(i), path+"."+name, shape, options == "required", object[name])
	}
}

func (b *binder) list(v reflect.Value, path string, s *Shape, value any) {
	items, ok := value.([]any)
	if !ok {
		b.wrongType(path, "list")
		return
	}
	if c := s.checkLength(len(items)); c != "" {
		b.violate(path, fmt.Sprintf("of %d items", len(items)), c)
		return
	}
	out := reflect.MakeSlice(v.Type(), len(items), len(items))
	for i, item := range items {
		b.member(out.Index(i), fmt.Sprintf("%s.%d.member", path, i+1), s.Member, true, item)
	}
	v.Set(out)
}

func (b *binder) mapping(v reflect.Value, path string, s *Shape, value any) {
	object, ok := value.(map[string]any)
	if !ok {
		b.wrongType(path, "map")
		return
	}
	out := reflect.MakeMapWithSize(v.Type(), len(object))
	for key, item := range object {
		k, e := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		b.string(k, path+" keys", shapes[s.Key], key)
		b.member(e, path+"."+key+".member", s.Value, true, item)
		out.SetMapIndex(k, e)
	}
	v.Set(out)
}

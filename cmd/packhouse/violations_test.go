package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"packhouse.dev/packhouse/registry/service/model"
)

// serviceModel is the model of the SDKs that the tables of the service are generated from; the tests read it themselves.
type serviceModel struct {
	Operations map[string]struct {
		HTTP struct {
			Method     string
			RequestURI string `json:"requestUri"`
		} `json:"http"`
		Input shapeRef
	}
	Shapes map[string]*serviceShape
}

type shapeRef struct{ Shape string }

type serviceShape struct {
	Type               string
	Required, Enum     []string
	Members            map[string]serviceMember
	Member, Key, Value shapeRef
	Min, Max           *int64
	Pattern            string
}

type serviceMember struct{ Shape, Location, LocationName string }

func readModel(t *testing.T) *serviceModel {
	t.Helper()
	data, err := os.ReadFile("../../hack/genservice/codeartifact.json")
	if err != nil {
		t.Fatal(err)
	}
	m := &serviceModel{}
	if err := json.Unmarshal(data, m); err != nil {
		t.Fatal(err)
	}
	return m
}

// violation is a value in which one thing is wrong.
type violation struct {
	path  string // of what is wrong
	value any    // what is around it; none: it is left out
	want  string // constraint; "": it is not of its type
}

type none struct{}

// candidates are texts of which every pattern of the model takes one; hostile ones of which it refuses one.
func candidates() []string {
	return []string{"a1", "123456789012", "my-repo", "public:npmjs", "arn:aws:codeartifact:eu-central-1:111122223333:domain/nowhere", "/npm/a/*", strings.Repeat("0", 64), strings.Repeat("a", 32)}
}

func hostile() []string { return []string{"#", " ", "\u00e9", "\u0007"} }

func (s *serviceShape) fits(text string) bool {
	n := int64(utf8.RuneCountInString(text))
	return (s.Min == nil || n >= *s.Min) && (s.Max == nil || n <= *s.Max) && s.matches(text)
}

func (s *serviceShape) matches(text string) bool {
	pattern := strings.ReplaceAll(s.Pattern, `\p{IsWhitespace}`, `\s`) // Java's, for which Go has no name
	return pattern == "" || regexp.MustCompile(`\A(?:`+pattern+`)\z`).MatchString(text)
}

// valid is a value of a shape, with what is required and no more.
func (m *serviceModel) valid(t *testing.T, name string) any {
	t.Helper()
	s := m.Shapes[name]
	switch s.Type {
	case "structure":
		out := map[string]any{}
		for _, member := range s.Required {
			out[member] = m.valid(t, s.Members[member].Shape)
		}
		return out
	case "list":
		return []any{m.valid(t, s.Member.Shape)}
	case "map":
		return map[string]any{m.valid(t, s.Key.Shape).(string): m.valid(t, s.Value.Shape)}
	case "boolean":
		return true
	case "integer", "long":
		if s.Min != nil {
			return *s.Min
		}
		return 1
	case "blob":
		return "bytes"
	}
	if len(s.Enum) > 0 {
		return s.Enum[0]
	}
	for _, text := range candidates() {
		if s.fits(text) {
			return text
		}
	}
	t.Fatalf("no candidate is a %s", name)
	return nil
}

// violations are the values of a shape in which one thing is wrong, one for each constraint.
func (m *serviceModel) violations(t *testing.T, name, path string) []violation {
	t.Helper()
	s := m.Shapes[name]
	switch s.Type {
	case "structure":
		out := []violation{{path, "x", ""}}
		for _, member := range slices.Sorted(maps.Keys(s.Members)) {
			for _, v := range m.member(t, s, member, strings.TrimPrefix(path+"."+member, ".")) {
				object := m.valid(t, name).(map[string]any)
				object[member] = v.value
				if v.value == (none{}) {
					delete(object, member)
				}
				out = append(out, violation{v.path, object, v.want})
			}
		}
		return out
	case "list":
		out := []violation{{path, "x", ""}}
		if s.Max != nil {
			out = append(out, violation{path, slices.Repeat([]any{m.valid(t, s.Member.Shape)}, int(*s.Max)+1), atMost("length", *s.Max)})
		}
		for _, v := range m.violations(t, s.Member.Shape, path+".1.member") {
			out = append(out, violation{v.path, []any{v.value}, v.want})
		}
		return out
	case "map":
		out := []violation{{path, "x", ""}}
		for _, v := range m.violations(t, s.Key.Shape, path+" keys") {
			if key, ok := v.value.(string); ok {
				out = append(out, violation{v.path, map[string]any{key: m.valid(t, s.Value.Shape)}, v.want})
			}
		}
		key := m.valid(t, s.Key.Shape).(string)
		for _, v := range m.violations(t, s.Value.Shape, path+"."+key+".member") {
			out = append(out, violation{v.path, map[string]any{key: v.value}, v.want})
		}
		return out
	case "boolean":
		return []violation{{path, "x", ""}}
	case "integer", "long":
		return append(s.bounds(path, "value", func(n int64) any { return n }), violation{path, "x", ""})
	case "blob":
		return nil
	}
	return s.texts(t, path)
}

// member adds that a required member is left out. The body of a request is always there, if only with no byte in it.
func (m *serviceModel) member(t *testing.T, s *serviceShape, name, path string) []violation {
	t.Helper()
	shape := s.Members[name].Shape
	out := m.violations(t, shape, path)
	if slices.Contains(s.Required, name) && m.Shapes[shape].Type != "blob" {
		out = append(out, violation{path, none{}, "Member must not be null"})
	}
	return out
}

func (s *serviceShape) texts(t *testing.T, path string) []violation {
	t.Helper()
	out := append(s.bounds(path, "length", func(n int64) any { return strings.Repeat("a", int(n)) }), violation{path, 7, ""})
	if len(s.Enum) > 0 {
		out = append(out, violation{path, "No-such", "Member must satisfy enum value set: [" + strings.Join(s.Enum, ", ") + "]"})
	}
	if s.Pattern == "" {
		return out
	}
	length := 1
	if s.Min != nil {
		length = max(1, int(*s.Min))
	}
	for _, c := range hostile() {
		if text := strings.Repeat(c, length); !s.matches(text) {
			return append(out, violation{path, text, "Member must satisfy regular expression pattern: " + s.Pattern})
		}
	}
	t.Fatalf("%s: nothing hostile breaks the pattern %s", path, s.Pattern)
	return nil
}

func atMost(what string, n int64) string {
	return fmt.Sprintf("Member must have %s less than or equal to %d", what, n)
}

// bounds are a value below the least and one above the most; make makes one.
func (s *serviceShape) bounds(path, what string, make func(n int64) any) []violation {
	var out []violation
	if s.Min != nil && (*s.Min > 0 || what == "value") {
		out = append(out, violation{path, make(*s.Min - 1), fmt.Sprintf("Member must have %s greater than or equal to %d", what, *s.Min)})
	}
	if s.Max != nil {
		out = append(out, violation{path, make(*s.Max + 1), atMost(what, *s.Max)})
	}
	return out
}

// request binds the members of a request to HTTP. ok is false when HTTP cannot say it: a text in a query is a text.
func (m *serviceModel) request(t *testing.T, r *running, operation string, in map[string]any) (req *http.Request, ok bool) {
	t.Helper()
	op := m.Operations[operation]
	query, header, body, payload := url.Values{}, http.Header{}, map[string]any{}, ""
	for name, value := range in {
		member := m.Shapes[op.Input.Shape].Members[name]
		scalar := m.Shapes[member.Shape].Type
		switch _, isText := value.(string); {
		case scalar == "blob":
			payload = "bytes"
		case member.Location == "":
			body[name] = value
		case scalar == "string" && !isText:
			return nil, false
		case member.Location == "querystring":
			query.Set(member.LocationName, fmt.Sprint(value))
		case member.Location == "header":
			header.Set(member.LocationName, fmt.Sprint(value))
		default:
			t.Fatalf("%s.%s is in the %s", operation, name, member.Location)
		}
	}
	content := []byte(payload)
	if payload == "" && len(body) > 0 {
		var err error
		if content, err = json.Marshal(body); err != nil {
			t.Fatal(err)
		}
	}
	req, err := http.NewRequestWithContext(t.Context(), op.HTTP.Method, r.Endpoint+op.HTTP.RequestURI+"?"+query.Encode(), bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(req.Header, header)
	req.Header.Set("Authorization", "Bearer "+r.Token)
	return req, true
}

// exception is an answer of the API that is not a success.
type exception struct {
	status          int
	kind            string
	Message, Reason string
}

func ask(t *testing.T, req *http.Request) exception {
	t.Helper()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	e := exception{status: resp.StatusCode, kind: resp.Header.Get("X-Amzn-Errortype")}
	body, err := io.ReadAll(resp.Body)
	if err == nil && e.status >= 300 {
		err = json.Unmarshal(body, &e)
	}
	if err != nil {
		t.Fatalf("%s: %v: %s", req.URL, err, body)
	}
	return e
}

// TestServiceModel: every operation of the model is routed, takes a request that the model takes, and refuses each that breaks one
// constraint of it, for that.
func TestServiceModel(t *testing.T) {
	t.Parallel()
	m, r := readModel(t), startDev(t, dataFolder(t), emptyYAML)
	if len(m.Operations) != len(model.Operations) {
		t.Errorf("%d operations are routed, and the model has %d", len(model.Operations), len(m.Operations))
	}
	sent := 0
	for _, name := range slices.Sorted(maps.Keys(m.Operations)) {
		input := m.Operations[name].Input.Shape
		req, _ := m.request(t, r, name, m.valid(t, input).(map[string]any))
		if e := ask(t, req); e.status >= 500 || e.kind == "UnknownOperationException" || strings.Contains(e.Message, "failed to satisfy constraint") || e.Reason == "CANNOT_PARSE" {
			t.Errorf("%s: what the model takes is refused: %+v", name, e)
		}
		for _, v := range m.violations(t, input, "") {
			in, isObject := v.value.(map[string]any)
			if !isObject {
				continue // the request itself
			}
			req, ok := m.request(t, r, name, in)
			if !ok {
				continue
			}
			sent++
			e := ask(t, req)
			reason, text := "FIELD_VALIDATION_FAILED", "at '"+v.path+"' failed to satisfy constraint: "+v.want
			if v.want == "" {
				reason, text = "CANNOT_PARSE", "the value at '"+v.path+"' is no "
			}
			if e.status != http.StatusBadRequest || e.kind != "ValidationException" || e.Reason != reason || !strings.Contains(e.Message, text) {
				t.Errorf("%s: got %+v\nwant %s: %s", name, e, reason, text)
			}
		}
	}
	if sent < 900 {
		t.Errorf("only %d requests break the model", sent)
	}
}

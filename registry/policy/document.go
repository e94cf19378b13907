package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Bounds of the text of a policy, in bytes: what the service model and IAM take.
const (
	MaxResourceDocument = 7168
	MaxIdentityDocument = 10240
)

// Read parses and compiles a JSON policy document. The error is an *Error that names statement and field.
func Read(name string, kind Kind, text []byte) (*Policy, error) {
	limit := MaxIdentityDocument
	if kind == Resource {
		limit = MaxResourceDocument
	}
	if len(text) > limit {
		return nil, &Error{Text: fmt.Sprintf("the document has %d bytes; %d are allowed", len(text), limit)}
	}
	doc, err := Parse(text)
	if err != nil {
		return nil, err
	}
	return Compile(name, kind, doc)
}

// Parse reads a JSON policy document (IAM, "IAM JSON policy elements reference"). It is strict, so that nothing that was meant to
// forbid is dropped: unknown and repeated elements, wrong types and text after the end are errors. What the elements say is checked by
// Compile. Read bounds the text.
func Parse(text []byte) (*Document, error) {
	if !utf8.Valid(text) {
		return nil, &Error{Text: "the document is not UTF-8"}
	}
	if err := syntax(text); err != nil {
		return nil, err
	}
	p := &parser{dec: json.NewDecoder(bytes.NewReader(text))}
	p.dec.UseNumber()
	doc := &Document{}
	tok, err := p.next()
	if err != nil {
		return nil, err
	}
	if err := p.object(tok, doc.element(p)); err != nil {
		return nil, err
	}
	return doc, nil
}

// parser reads the tokens of text that is JSON, knows where it is and never recurses deeper than a policy is nested.
type parser struct {
	dec       *json.Decoder
	statement int // from 1; 0 outside of statements
	sid       string
	field     string
}

func (p *parser) fail(format string, args ...any) error {
	return &Error{Statement: p.statement, Sid: p.sid, Field: p.field, Text: fmt.Sprintf(format, args...)}
}

func (p *parser) next() (json.Token, error) {
	tok, err := p.dec.Token()
	if err != nil { // the syntax was checked
		return nil, p.fail("%v", err)
	}
	return tok, nil
}

// syntax names the line in which a document stops being JSON.
func syntax(text []byte) error {
	var raw json.RawMessage
	err := json.Unmarshal(text, &raw)
	var syn *json.SyntaxError
	switch {
	case errors.As(err, &syn):
		line := 1 + bytes.Count(text[:min(int(syn.Offset), len(text))], []byte("\n"))
		return &Error{Text: fmt.Sprintf("line %d: %v", line, syn)}
	case err != nil:
		return &Error{Text: err.Error()}
	}
	return nil
}

// object reads the elements of an object; each has its value as the next token.
func (p *parser) object(open json.Token, element func(name string, value json.Token) error) error {
	if open != json.Delim('{') {
		return p.fail("must be an object")
	}
	seen := map[string]bool{}
	for {
		tok, err := p.next()
		if err != nil {
			return err
		}
		name, ok := tok.(string)
		if !ok { // "}": the decoder lets nothing else through here
			return nil
		}
		if seen[name] {
			return p.fail("%.100q is there twice", name)
		}
		seen[name] = true
		if tok, err = p.next(); err != nil {
			return err
		}
		if err := element(name, tok); err != nil {
			return err
		}
	}
}

// list reads one value or an array of values.
func (p *parser) list(first json.Token, item func(json.Token) error) error {
	if first != json.Delim('[') {
		return item(first)
	}
	for {
		tok, err := p.next()
		if err != nil {
			return err
		}
		if tok == json.Delim(']') {
			return nil
		}
		if err := item(tok); err != nil {
			return err
		}
	}
}

// texts reads a string or an array of strings. It is never nil without an error. scalars: numbers and truth values are taken as their
// text, as in conditions.
func (p *parser) texts(first json.Token, scalars bool) ([]string, error) {
	out := []string{}
	err := p.list(first, func(tok json.Token) error {
		switch v := tok.(type) {
		case string:
			out = append(out, v)
			return nil
		case json.Number:
			if scalars {
				out = append(out, v.String())
				return nil
			}
		case bool:
			if scalars {
				out = append(out, fmt.Sprint(v))
				return nil
			}
		}
		return p.fail("must be text or a list of texts")
	})
	return out, err
}

func (p *parser) string(tok json.Token) (string, error) {
	s, ok := tok.(string)
	if !ok {
		return "", p.fail("must be text")
	}
	return s, nil
}

func (d *Document) element(p *parser) func(string, json.Token) error {
	return func(name string, tok json.Token) (err error) {
		p.field = name
		switch name {
		case "Version":
			d.Version, err = p.string(tok)
		case "Id":
			d.ID, err = p.string(tok)
		case "Statement":
			err = p.list(tok, func(tok json.Token) error {
				if len(d.Statements) == maxStatements {
					return p.fail("there are more than %d", maxStatements)
				}
				d.Statements = append(d.Statements, Statement{})
				p.statement, p.sid, p.field = len(d.Statements), "", ""
				return p.object(tok, d.Statements[len(d.Statements)-1].element(p))
			})
			p.statement, p.sid = 0, ""
		default:
			p.field = ""
			err = p.fail("a policy has no element %.100q", name)
		}
		p.field = ""
		return err
	}
}

func (s *Statement) element(p *parser) func(string, json.Token) error {
	return func(name string, tok json.Token) (err error) {
		p.field = name
		switch name {
		case "Sid":
			if s.Sid, err = p.string(tok); err == nil && len(s.Sid) <= maxSid {
				p.sid = s.Sid
			}
		case "Effect":
			s.Effect, err = p.string(tok)
		case "Principal":
			s.Principals, err = p.principals(tok)
		case "NotPrincipal":
			s.NotPrincipals, err = p.principals(tok)
		case "Action":
			s.Actions, err = p.texts(tok, false)
		case "NotAction":
			s.NotActions, err = p.texts(tok, false)
		case "Resource":
			s.Resources, err = p.texts(tok, false)
		case "NotResource":
			s.NotResources, err = p.texts(tok, false)
		case "Condition":
			s.Conditions, err = p.conditions(tok)
		default:
			p.field = ""
			err = p.fail("a statement has no element %.100q", name)
		}
		p.field = ""
		return err
	}
}

// principals reads "*" or {"AWS": …}.
func (p *parser) principals(tok json.Token) ([]string, error) {
	if tok == "*" {
		return []string{"*"}, nil
	}
	if tok != json.Delim('{') {
		return nil, p.fail(`must be "*" or an object like {"AWS": "123456789012"}`)
	}
	var out []string
	err := p.object(tok, func(kind string, tok json.Token) (err error) {
		if kind != "AWS" {
			return p.fail("principals of the kind %.100q do not exist here: write AWS", kind)
		}
		out, err = p.texts(tok, false)
		return err
	})
	if err == nil && out == nil {
		return nil, p.fail("is empty")
	}
	return out, err
}

func (p *parser) conditions(tok json.Token) (out []Condition, err error) {
	err = p.object(tok, func(operator string, tok json.Token) error {
		return p.object(tok, func(key string, tok json.Token) error {
			values, err := p.texts(tok, true)
			out = append(out, Condition{Operator: operator, Key: key, Values: values})
			return err
		})
	})
	return out, err
}

// JSON writes the document as IAM has it, for Parse and for whoever asks for the policy: the same document gives the same bytes, with conditions in order of operator and key.
func (d *Document) JSON() ([]byte, error) {
	type statement struct {
		Sid          string                         `json:"Sid,omitempty"`
		Effect       string                         `json:"Effect"`
		Principal    any                            `json:"Principal,omitempty"`
		NotPrincipal any                            `json:"NotPrincipal,omitempty"`
		Action       []string                       `json:"Action,omitempty"`
		NotAction    []string                       `json:"NotAction,omitempty"`
		Resource     []string                       `json:"Resource,omitempty"`
		NotResource  []string                       `json:"NotResource,omitempty"`
		Condition    map[string]map[string][]string `json:"Condition,omitempty"`
	}
	out := struct {
		Version   string      `json:"Version,omitempty"`
		ID        string      `json:"Id,omitempty"`
		Statement []statement `json:"Statement"`
	}{Version: d.Version, ID: d.ID}
	for i := range d.Statements {
		s := &d.Statements[i]
		o := statement{
			Sid: s.Sid, Effect: s.Effect, Principal: principalElement(s.Principals), NotPrincipal: principalElement(s.NotPrincipals),
			Action: s.Actions, NotAction: s.NotActions, Resource: s.Resources, NotResource: s.NotResources,
		}
		for _, c := range s.Conditions {
			if o.Condition == nil {
				o.Condition = map[string]map[string][]string{}
			}
			if o.Condition[c.Operator] == nil {
				o.Condition[c.Operator] = map[string][]string{}
			}
			for key := range o.Condition[c.Operator] {
				if strings.EqualFold(key, c.Key) { // values are alternatives, conditions are not: joining them would allow more
					return nil, &Error{Statement: i + 1, Sid: s.Sid, Field: "Condition", Text: c.Operator + " of " + c.Key + " is there twice"}
				}
			}
			o.Condition[c.Operator][c.Key] = c.Values
		}
		out.Statement = append(out.Statement, o)
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	err := enc.Encode(out)
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), err
}

func principalElement(list []string) any {
	switch {
	case list == nil:
		return nil
	case slices.Equal(list, []string{"*"}):
		return "*"
	}
	return map[string][]string{"AWS": list}
}

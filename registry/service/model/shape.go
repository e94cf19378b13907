package model

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Operation is one operation of the service.
type Operation struct {
	Name, Method, Path string
	New                func() any // a pointer to a new request
	Payload            bool       // the body of the request is bytes, not JSON
	Errors             []string   // exceptions that the model knows of it
}

// Shape is what a value of a request is held against. Structures are Go types instead.
type Shape struct {
	Type               string // string, integer, long, boolean, list or map
	Min, Max           *int64 // length in characters or items; of numbers the value
	Pattern            string // as the model has it
	Enum               []string
	Member, Key, Value string // shapes of elements

	re *regexp.Regexp
}

// ShapeOf returns the constraints of a shape by name, nil for structures.
func ShapeOf(name string) *Shape { return shapes[name] }

func bound(n int64) *int64 { return &n }

// Violation is one constraint that a request does not satisfy.
type Violation struct {
	Path, Value, Constraint string
}

func (v Violation) String() string {
	return fmt.Sprintf("Value %s at '%s' failed to satisfy constraint: %s", v.Value, v.Path, v.Constraint)
}

// Invalid is what is wrong with a request. Parse says that a value is not even of its type.
type Invalid struct {
	Violations []Violation
	Parse      string
}

// Error uses the words of the service.
func (e *Invalid) Error() string {
	if e.Parse != "" {
		return e.Parse
	}
	list := make([]string, len(e.Violations))
	for i, v := range e.Violations {
		list[i] = v.String()
	}
	if len(list) == 1 {
		return "1 validation error detected: " + list[0]
	}
	return strconv.Itoa(len(list)) + " validation errors detected: " + strings.Join(list, "; ")
}

// maxShown is how much of a value stands in an error, in bytes.
const maxShown = 256

func shown(s string) string {
	if len(s) > maxShown {
		s = strings.ToValidUTF8(s[:maxShown], "") + "…"
	}
	return "'" + s + "'"
}

// checkText holds a string against its shape. At most one violation is told for each value.
func (s *Shape) checkText(text string) (constraint string) {
	n := int64(utf8.RuneCountInString(text))
	switch {
	case s.Min != nil && n < *s.Min:
		return fmt.Sprintf("Member must have length greater than or equal to %d", *s.Min)
	case s.Max != nil && n > *s.Max:
		return fmt.Sprintf("Member must have length less than or equal to %d", *s.Max)
	case s.re != nil && !s.re.MatchString(text):
		return "Member must satisfy regular expression pattern: " + s.Pattern
	case len(s.Enum) > 0 && !contains(s.Enum, text):
		return "Member must satisfy enum value set: [" + strings.Join(s.Enum, ", ") + "]"
	}
	return ""
}

func contains(list []string, text string) bool {
	for _, e := range list {
		if e == text {
			return true
		}
	}
	return false
}

func (s *Shape) checkNumber(n int64) (constraint string) {
	switch {
	case s.Min != nil && n < *s.Min:
		return fmt.Sprintf("Member must have value greater than or equal to %d", *s.Min)
	case s.Max != nil && n > *s.Max:
		return fmt.Sprintf("Member must have value less than or equal to %d", *s.Max)
	}
	return ""
}

func (s *Shape) checkLength(n int) (constraint string) {
	switch {
	case s.Min != nil && int64(n) < *s.Min:
		return fmt.Sprintf("Member must have length greater than or equal to %d", *s.Min)
	case s.Max != nil && int64(n) > *s.Max:
		return fmt.Sprintf("Member must have length less than or equal to %d", *s.Max)
	}
	return ""
}

// Time is a point in time as the protocol has it: seconds since 1970 with three decimals (REST-JSON, unixTimestamp).
type Time struct{ time.Time }

// MarshalJSON writes 1566002944.273.
func (t Time) MarshalJSON() ([]byte, error) {
	ms := t.UnixMilli()
	return json.Marshal(json.RawMessage(fmt.Sprintf("%d.%03d", ms/1000, ms%1000)))
}

package guidetest_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// forms are what a string like <time> stands for. The AWS CLI prints points in time as numbers (version 1) or texts (version 2).
var forms = map[string]*regexp.Regexp{
	"<time>":     regexp.MustCompile(`^(\d{9,11}(\.\d+)?|\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d))$`),
	"<revision>": regexp.MustCompile(`^[A-Za-z0-9+/_-]{20,64}=*$`),
	"<number>":   regexp.MustCompile(`^\d+$`),
	"<token>":    regexp.MustCompile(`^[A-Za-z0-9._~+/=-]{20,}$`),
	"<text>":     regexp.MustCompile(`(?s)^.+$`),
	"<md5>":      regexp.MustCompile(`^[0-9a-f]{32}$`),
	"<sha1>":     regexp.MustCompile(`^[0-9a-f]{40}$`),
	"<sha256>":   regexp.MustCompile(`^[0-9a-f]{64}$`),
	"<sha512>":   regexp.MustCompile(`^[0-9a-f]{128}$`),
}

// Marks of members that the example of the guide leaves out, and of those that it has alone.
const (
	more = "+"
	less = "-"
)

// checkWant says whether what a command is to print can be read.
func checkWant(want string) error {
	switch {
	case want == "":
		return nil
	case strings.HasPrefix(want, "> "):
		for line := range strings.SplitSeq(want, "\n") {
			if !strings.HasPrefix(line, "> ") {
				return fmt.Errorf("a line of text without > at its beginning: %q", line)
			}
			if _, err := regexp.Compile(line[2:]); err != nil {
				return err
			}
		}
		return nil
	default:
		_, err := decode(want)
		return err
	}
}

func decode(text string) (any, error) {
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	if dec.More() {
		return nil, fmt.Errorf("more than one JSON value in %q", text)
	}
	return v, nil
}

// compare holds what a command printed against what it is to print, and tells the differences.
func compare(want, got string) []string {
	if strings.HasPrefix(want, "> ") || want == "" {
		return compareText(want, got)
	}
	w, err := decode(want)
	if err != nil {
		return []string{err.Error()}
	}
	g, err := decode(got)
	if err != nil {
		return []string{fmt.Sprintf("what it prints is no JSON: %v", err)}
	}
	return match("$", w, g)
}

func compareText(want, got string) []string {
	split := func(s string) []string {
		return slices.DeleteFunc(strings.Split(s, "\n"), func(l string) bool { return strings.TrimSpace(l) == "" })
	}
	w, g := split(want), split(got)
	if len(w) != len(g) {
		return []string{fmt.Sprintf("%d lines of text, want %d", len(g), len(w))}
	}
	var diffs []string
	for i := range w {
		if !regexp.MustCompile("^(?:" + w[i][2:] + ")$").MatchString(strings.TrimSpace(g[i])) {
			diffs = append(diffs, fmt.Sprintf("line %d is %q, want %q", i+1, g[i], w[i][2:]))
		}
	}
	return diffs
}

func match(path string, want, got any) []string {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			return []string{fmt.Sprintf("%s is %s, want an object", path, show(got))}
		}
		return matchObject(path, w, g)
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			return []string{fmt.Sprintf("%s is %s, want a list of %d", path, show(got), len(w))}
		}
		var diffs []string
		for i := range w {
			diffs = append(diffs, match(fmt.Sprintf("%s[%d]", path, i), w[i], g[i])...)
		}
		return diffs
	case string:
		return matchString(path, w, got)
	default:
		if show(want) != show(got) {
			return []string{fmt.Sprintf("%s is %s, want %s", path, show(got), show(want))}
		}
		return nil
	}
}

// matchObject wants the members of want and no others. A member that is null is none: some versions of the AWS CLI print it, others do not.
func matchObject(path string, want, got map[string]any) []string {
	var diffs []string
	null := func(_ string, v any) bool { return v == nil }
	want, got = maps.Clone(want), maps.Clone(got)
	maps.DeleteFunc(want, null)
	maps.DeleteFunc(got, null)
	known := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if strings.HasPrefix(name, less) {
			continue // the members that there are are all looked at below
		}
		wire := strings.TrimPrefix(name, more)
		known[wire] = true
		value, ok := got[wire]
		if !ok {
			diffs = append(diffs, path+"."+wire+" is missing")
			continue
		}
		diffs = append(diffs, match(path+"."+wire, want[name], value)...)
	}
	for _, name := range slices.Sorted(maps.Keys(got)) {
		if !known[name] {
			diffs = append(diffs, fmt.Sprintf("%s.%s is there: %s", path, name, show(got[name])))
		}
	}
	return diffs
}

func matchString(path, want string, got any) []string {
	form := forms[want]
	if len(want) > 2 && strings.HasPrefix(want, "/") && strings.HasSuffix(want, "/") {
		form = regexp.MustCompile("(?s)" + want[1:len(want)-1])
	}
	text, isText := got.(string)
	if n, ok := got.(json.Number); ok && (want == "<time>" || want == "<number>") {
		text, isText = n.String(), true
	}
	if !isText || form != nil && !form.MatchString(text) || form == nil && text != want {
		return []string{fmt.Sprintf("%s is %s, want %q", path, show(got), want)}
	}
	return nil
}

func show(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// marked are the members of want with a mark, in order of their names.
func marked(want, mark string) []string {
	if want == "" || strings.HasPrefix(want, "> ") {
		return nil
	}
	v, err := decode(want)
	if err != nil {
		return nil // TestScripts says so
	}
	found := map[string]bool{}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				walk(e)
			}
		case map[string]any:
			for name, e := range v {
				if wire, ok := strings.CutPrefix(name, mark); ok {
					found[wire] = true
				}
				walk(e)
			}
		}
	}
	walk(v)
	return slices.Sorted(maps.Keys(found))
}

func TestCompare(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		want, got string
		diffs     int
	}{
		"nothing":         {"", "", 0},
		"something":       {"", "{}", 1},
		"text":            {"> a+\n> b", "aa\n\nb\n", 0},
		"other text":      {"> a+\n> b", "aa\nc", 1},
		"part of a line":  {"> a", "ab", 1},
		"no JSON":         {"{}", "oops", 1},
		"equal":           {`{"a":[1,null,true,"x"]}`, `{"a":[1,null,true,"x"]}`, 0},
		"null":            {`{"a":null}`, `{"b":null}`, 0},
		"null for a text": {`{"a":"x"}`, `{"a":null}`, 1},
		"another type":    {`{"a":"1"}`, `{"a":1}`, 1},
		"member too many": {`{}`, `{"a":1}`, 1},
		"member missing":  {`{"a":1,"+b":2}`, `{"a":1}`, 1},
		"member gone":     {`{"-a":1}`, `{}`, 0},
		"member not gone": {`{"-a":1}`, `{"a":1}`, 1},
		"shorter list":    {`[1]`, `[]`, 1},
		"no list":         {`[1]`, `{}`, 1},
		"forms":           {`["<time>","<time>","<number>","/^a.c$/"]`, `[1583075193.861,"2020-10-07T15:36:35.194000-04:00",3,"abc"]`, 0},
		"not of the form": {`["<md5>","/^a$/"]`, `["x","b"]`, 2},
	}
	for name, tt := range tests {
		if diffs := compare(tt.want, tt.got); len(diffs) != tt.diffs {
			t.Errorf("%s: %q", name, diffs)
		}
	}
	if got := marked(`{"+origin":{"+x":1},"a":[{"+b":1,"-c":2}]}`, more); !slices.Equal(got, []string{"b", "origin", "x"}) {
		t.Errorf("marked: %q", got)
	}
}

package npm

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"packhouse.dev/packhouse/registry"
)

func TestMembers(t *testing.T) {
	t.Parallel()
	raw := []byte(` {"a" : 1 , "b":{"x":["}",{}]},"c\u0064":"\"}", "e":[], "a":null} `)
	var got []string
	for k, v := range members(bytes.TrimSpace(raw)) {
		got = append(got, k+"="+string(v))
	}
	if diff := cmp.Diff([]string{`a=1`, `b={"x":["}",{}]}`, `cd="\"}"`, `e=[]`, `a=null`}, got); diff != "" {
		t.Error(diff)
	}
	var last []string
	for _, f := range lastMembers(bytes.TrimSpace(raw)) {
		last = append(last, f.key+"="+string(f.raw))
	}
	if diff := cmp.Diff([]string{`a=null`, `b={"x":["}",{}]}`, `cd="\"}"`, `e=[]`}, last); diff != "" {
		t.Error(diff)
	}
	var list []string
	for v := range elements([]byte(`[1, "a,b" ,[2],{"c":3}]`)) {
		list = append(list, string(v))
	}
	if diff := cmp.Diff([]string{`1`, `"a,b"`, `[2]`, `{"c":3}`}, list); diff != "" {
		t.Error(diff)
	}
}

func TestManyMembersKeepLast(t *testing.T) {
	t.Parallel()
	var o object
	for i := range 300 {
		o.raw(strings.Repeat("k", 1+i%150), []byte{byte('0' + i/150)})
	}
	fields := lastMembers(o.bytes())
	if len(fields) != 150 {
		t.Fatalf("%d fields, want 150", len(fields))
	}
	for _, f := range fields {
		if string(f.raw) != "1" {
			t.Errorf("%q = %s, want the last value", f.key, f.raw)
		}
	}
}

// FuzzMembers holds the cutting of objects against encoding/json.
func FuzzMembers(f *testing.F) {
	for _, s := range []string{`{}`, `{"a":1,"b":[{"c":"}"}]}`, "{\n \"a\\u0062\": -1.5e3 ,\"\\\"\":null}", `[1,[2],"x"]`, "{\"\xff\":\"\xff\"}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		for range members(raw) { // must not panic on anything
			continue
		}
		for range elements(raw) {
			continue
		}
		checked, err := parseJSON(raw)
		if err != nil {
			return
		}
		var want map[string]json.RawMessage
		if json.Unmarshal(checked, &want) == nil && want != nil {
			got := map[string]json.RawMessage{}
			for k, v := range members(checked) {
				got[k] = v
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatal(diff)
			}
		}
		var list []json.RawMessage
		if json.Unmarshal(checked, &list) == nil {
			n := 0
			for v := range elements(checked) {
				if !bytes.Equal(v, list[n]) {
					t.Fatalf("element %d is %s, want %s", n, v, list[n])
				}
				n++
			}
			if n != len(list) {
				t.Fatalf("%d elements, want %d", n, len(list))
			}
		}
	})
}

func TestAppendQuoted(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "plain", `"\`, "ä\n<&>", "\xff"} {
		var back string
		if err := json.Unmarshal(appendQuoted(nil, s), &back); err != nil || back != strings.ToValidUTF8(s, "�") {
			t.Errorf("appendQuoted(%q) reads back as %q, %v", s, back, err)
		}
	}
}

// streamed reads a document with a streamed "data" member.
func streamed(r io.Reader, budget int64) (map[string]string, error) {
	got := map[string]string{}
	s := newJSONStream(r, budget)
	err := s.object(func(key string) error {
		if key != "data" {
			v, err := s.value(1 << 10)
			got[key] = string(v)
			return err
		}
		data, err := s.text()
		if err != nil {
			return err
		}
		b, err := io.ReadAll(data)
		got[key] = string(b)
		return err
	})
	if err != nil {
		return nil, err
	}
	return got, s.end()
}

func TestJSONStream(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ab+/", 100_000)
	in := ` { "a":1, "data" : "` + long + `\/\u002b\ud83d\ude00\n", "b": {"c": [ "}" ]} } `
	for name, r := range map[string]io.Reader{"whole": strings.NewReader(in), "byte by byte": iotest.OneByteReader(strings.NewReader(in))} {
		got, err := streamed(r, 1<<10)
		want := map[string]string{"a": "1", "data": long + "/+😀\n", "b": `{"c": [ "}" ]}`}
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", name, err, diff)
		}
	}
}

func TestJSONStreamRefuses(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	tests := map[string]struct {
		in   io.Reader
		want error
	}{
		"empty":              {strings.NewReader(""), registry.ErrInvalid},
		"no object":          {strings.NewReader("[]"), registry.ErrInvalid},
		"cut in a key":       {strings.NewReader(`{"a`), registry.ErrInvalid},
		"cut in a value":     {strings.NewReader(`{"a":{`), registry.ErrInvalid},
		"cut in data":        {strings.NewReader(`{"data":"abc`), registry.ErrInvalid},
		"cut in an escape":   {strings.NewReader(`{"data":"abc\u00`), registry.ErrInvalid},
		"bad escape":         {strings.NewReader(`{"data":"\x"}`), registry.ErrInvalid},
		"bad unicode escape": {strings.NewReader(`{"data":"\u+123"}`), registry.ErrInvalid},
		"control character":  {strings.NewReader("{\"data\":\"a\nb\"}"), registry.ErrInvalid},
		"data is no string":  {strings.NewReader(`{"data":1}`), registry.ErrInvalid},
		"trailing comma":     {strings.NewReader(`{"a":1,}`), registry.ErrInvalid},
		"no colon":           {strings.NewReader(`{"a" 1}`), registry.ErrInvalid},
		"no value":           {strings.NewReader(`{"a":}`), registry.ErrInvalid},
		"bad number":         {strings.NewReader(`{"a":01}`), registry.ErrInvalid},
		"unbalanced":         {strings.NewReader(`{"a":[}]}`), registry.ErrInvalid},
		"something follows":  {strings.NewReader(`{}{}`), registry.ErrInvalid},
		"long key":           {strings.NewReader(`{"` + strings.Repeat("k", 2000) + `":1}`), registry.ErrTooLarge},
		"long value":         {strings.NewReader(`{"a":"` + strings.Repeat("v", 2000) + `"}`), registry.ErrTooLarge},
		"too much":           {strings.NewReader(`{` + strings.Repeat(`"a":1,`, 2000) + `"a":1}`), registry.ErrTooLarge},
		"too much space":     {strings.NewReader(strings.Repeat(" ", 1<<20)), registry.ErrTooLarge},
		"deep":               {strings.NewReader(`{"a":` + strings.Repeat("[", 1<<20)), registry.ErrTooLarge},
		"read error":         {io.MultiReader(strings.NewReader(`{"data":"abc`), iotest.ErrReader(boom)), boom},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, err := streamed(tt.in, 4<<10); !errors.Is(err, tt.want) {
				t.Errorf("got %v, %v; want %v", got, err, tt.want)
			}
		})
	}
}

// FuzzJSONStream: what is accepted is JSON, and means what encoding/json says.
func FuzzJSONStream(f *testing.F) {
	for _, s := range []string{`{}`, `{"a":1,"data":"x\u0041\/"}`, `{"data":"\ud83d\ude00","b":{"data":[1]}}`, `{"a":1}x`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, err := streamed(bytes.NewReader(raw), 1<<16)
		if err != nil {
			return
		}
		var want map[string]json.RawMessage
		if err := json.Unmarshal(raw, &want); err != nil {
			t.Fatalf("accepted %q, which is not JSON: %v", raw, err)
		}
		for k, v := range want {
			if k != "data" {
				continue
			}
			var s string
			if err := json.Unmarshal(v, &s); err != nil || strings.ToValidUTF8(got[k], "�") != strings.ToValidUTF8(s, "�") {
				t.Fatalf("data is %q, want %q, %v", got[k], s, err)
			}
		}
	})
}

package cargo

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
)

const sum = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// aLine is a line with these members changed, or without those that are "".
func aLine(changes ...string) string {
	m := map[string]string{"name": `"foo"`, "vers": `"1.0.0"`, "deps": "[]", "cksum": `"` + sum + `"`, "features": "{}", "yanked": "false"}
	order := []string{"name", "vers", "deps", "cksum", "features", "yanked"}
	for i := 0; i < len(changes); i += 2 {
		if _, known := m[changes[i]]; !known {
			order = append(order, changes[i])
		}
		m[changes[i]] = changes[i+1]
	}
	var parts []string
	for _, k := range order {
		if m[k] != "" {
			parts = append(parts, `"`+k+`":`+m[k])
		}
	}
	return "{" + strings.Join(parts, ",") + "}"
}

func TestParseLine(t *testing.T) {
	t.Parallel()
	good := entry{name: "foo", version: "1.0.0", key: "1.0.0", checksum: sum}
	tests := map[string]struct {
		line string
		want *entry // nil: refused
	}{
		"plain":              {aLine(), &good},
		"white space":        {" { \"x\" : [ {\"}\":\"]\\\"\"} ] ,\t" + aLine()[1:], &good},
		"yanked":             {aLine("yanked", "true"), &entry{name: "foo", version: "1.0.0", key: "1.0.0", checksum: sum, yanked: true}},
		"yanked null":        {aLine("yanked", "null"), &good},
		"no features":        {aLine("features", ""), &good},
		"features2 null":     {aLine("features2", "null"), &good},
		"build":              {aLine("vers", `"1.0.0+b"`), &entry{name: "foo", version: "1.0.0+b", key: "1.0.0", checksum: sum}},
		"escaped":            {aLine("name", `"f\u006fo"`), &good},
		"other letters":      {aLine("Name", `"bar"`, "NAME", `"baz"`), &good},
		"time":               {aLine("pubtime", `"2024-01-02T03:04:05Z"`), &entry{name: "foo", version: "1.0.0", key: "1.0.0", checksum: sum, published: time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC)}},
		"odd time":           {aLine("pubtime", `"2024"`), &good},
		"a name twice":       {`{"yanked":true,` + aLine()[1:], nil},
		"no JSON":            {"foo", nil},
		"a list":             {"[]", nil},
		"empty":              {"", nil},
		"no name":            {aLine("name", ""), nil},
		"bad name":           {aLine("name", `"../foo"`), nil},
		"number for a name":  {aLine("name", "7"), nil},
		"bad version":        {aLine("vers", `"1.0"`), nil},
		"capital checksum":   {aLine("cksum", `"`+strings.ToUpper(sum)+`"`), nil},
		"short checksum":     {aLine("cksum", `"01"`), nil},
		"deps null":          {aLine("deps", "null"), nil},
		"no deps":            {aLine("deps", ""), nil},
		"features null":      {aLine("features", "null"), nil},
		"yanked is a string": {aLine("yanked", `"yes"`), nil},
		"too long":           {aLine("x", `"`+strings.Repeat("a", maxLine)+`"`), nil},
	}
	for name, tt := range tests {
		got, err := parseLine([]byte(tt.line))
		if tt.want == nil {
			if !errors.Is(err, registry.ErrInvalid) {
				t.Errorf("%s: %+v %v", name, got, err)
			}
			continue
		}
		if diff := cmp.Diff(*tt.want, got, cmp.AllowUnexported(entry{})); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", name, err, diff)
		}
	}
}

func version(line string, status registry.Status, origin registry.OriginType) *registry.Version {
	return &registry.Version{
		ID: registry.VersionID{Package: registry.PackageID{Format: Name, Name: "foo"}, Version: "1.0.0"}, Display: "1.0.0", Status: status,
		Origin: registry.Origin{Type: origin}, PublishedAt: time.Date(2024, 1, 2, 3, 4, 5, 678, time.UTC), Assets: []registry.Asset{{Name: "foo-1.0.0.crate", Info: []byte(line)}},
	}
}

func TestServedLine(t *testing.T) {
	t.Parallel()
	odd := `{ "yanked" : false , ` + aLine("yanked", "")[1:]
	tests := map[string]struct {
		v    *registry.Version
		want string
	}{
		"verbatim":               {version(odd, registry.Published, registry.External), odd},
		"verbatim, yanked":       {version(aLine("yanked", "true"), registry.Unlisted, registry.External), aLine("yanked", "true")},
		"null is false":          {version(aLine("yanked", "null"), registry.Published, registry.External), aLine("yanked", "null")},
		"yanked here":            {version(odd, registry.Unlisted, registry.External), strings.Replace(odd, "false", "true", 1)},
		"put back here":          {version(aLine("yanked", "true"), registry.Published, registry.External), aLine()},
		"yanked, was not said":   {version(aLine("yanked", ""), registry.Unlisted, registry.External), aLine("yanked", "", "x", "")[:len(aLine("yanked", ""))-1] + `,"yanked":true}`},
		"published here":         {version(aLine(), registry.Published, registry.Internal), aLine("pubtime", `"2024-01-02T03:04:05Z"`)},
		"published here, yanked": {version(aLine(), registry.Unlisted, registry.Internal), aLine("yanked", "true", "pubtime", `"2024-01-02T03:04:05Z"`)},
	}
	for name, tt := range tests {
		before := string(tt.v.Assets[0].Info)
		got, line, err := servedLine(tt.v)
		if err != nil || got != "foo" || string(line) != tt.want {
			t.Errorf("%s: %q %v\n%s\nwant\n%s", name, got, err, line, tt.want)
		}
		if string(tt.v.Assets[0].Info) != before {
			t.Errorf("%s: the stored line changed", name)
		}
	}
	if _, _, err := servedLine(&registry.Version{}); err == nil {
		t.Error("a version without a line")
	}
}

func TestRenderIndex(t *testing.T) {
	t.Parallel()
	at := time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC)
	view := &format.PackageView{Modified: at, Versions: []*registry.Version{
		version(aLine("name", `"Foo_bar"`), registry.Published, registry.External), version(aLine("name", `"Foo_bar"`, "vers", `"2.0.0"`), registry.Unlisted, registry.External),
	}}
	want := aLine("name", `"Foo_bar"`) + "\n" + aLine("name", `"Foo_bar"`, "vers", `"2.0.0"`, "yanked", "true") + "\n"
	r, err := renderIndex(view)
	if err != nil || string(r.Body) != want || !strings.HasPrefix(r.ContentType, "text/plain") || r.Modified != at {
		t.Errorf("%+v %v", r, err)
	}
}

func FuzzLine(f *testing.F) {
	for _, s := range []string{aLine(), aLine("yanked", "true", "pubtime", `"2024-01-02T03:04:05Z"`), `{"name":"a\"b","x":[{"y":"]"}]}`, "[]", "{}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		e, err := parseLine(line)
		if err != nil {
			if !errors.Is(err, registry.ErrInvalid) {
				t.Errorf("%q: %v", line, err)
			}
			return
		}
		for _, status := range []registry.Status{registry.Published, registry.Unlisted} {
			v := version(string(line), status, registry.Internal)
			name, served, err := servedLine(v)
			if err != nil || name != e.name || !json.Valid(served) {
				t.Fatalf("%q is served as %q: %v", line, served, err)
			}
			again, err := parseLine(served)
			if err != nil && len(served) <= maxLine || err == nil && again.yanked != (status == registry.Unlisted) {
				t.Errorf("%q is served as %q, which reads %+v, %v", line, served, again, err)
			}
		}
	})
}

package npm

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"packhouse.dev/packhouse/registry"
)

func npmID(full string) registry.PackageID {
	id, err := parseName(full)
	if err != nil {
		panic(err)
	}
	return id
}

func TestParsePath(t *testing.T) {
	t.Parallel()
	n, s := npmID("lodash"), npmID("@types/node")
	tests := map[string]address{
		"lodash":                                 {id: n},
		"lodash/":                                {id: n},
		"@types/node":                            {id: s},
		"@types%2fnode":                          {id: s},
		"@types%2Fnode":                          {id: s},
		"%40types%2Fnode":                        {id: s},
		"JSONStream":                             {id: npmID("JSONStream")},
		"lodash/4.17.21":                         {op: opVersion, id: n, spec: "4.17.21"},
		"@types%2fnode/latest":                   {op: opVersion, id: s, spec: "latest"},
		"lodash/-/lodash-4.17.21.tgz":            {op: opFile, id: n, version: "4.17.21", file: "lodash-4.17.21.tgz"},
		"lodash/-/lodash-1.0.0+b.tgz":            {op: opFile, id: n, version: "1.0.0", file: "lodash-1.0.0+b.tgz"},
		"lodash/-/lodash-1.0.0%2Bb.tgz":          {op: opFile, id: n, version: "1.0.0", file: "lodash-1.0.0+b.tgz"},
		"lodash/-/lodash-1.0.0-rc.1.sigstore":    {op: opFile, id: n, version: "1.0.0-rc.1", file: "lodash-1.0.0-rc.1.sigstore"},
		"@types/node/-/node-1.0.0.tgz":           {op: opFile, id: s, version: "1.0.0", file: "node-1.0.0.tgz"},
		"@types%2fnode/-/node-1.0.0.tgz":         {op: opFile, id: s, version: "1.0.0", file: "node-1.0.0.tgz"},
		"@types/node/-/@types/node-1.0.0.tgz":    {op: opFile, id: s, version: "1.0.0", file: "node-1.0.0.tgz"},
		"@types/node/-/@types%2fnode-1.0.0.tgz":  {op: opFile, id: s, version: "1.0.0", file: "node-1.0.0.tgz"},
		"lodash/-rev/12-0":                       {op: opRevision, id: n},
		"lodash/-/lodash-1.0.0.tgz/-rev/12-0":    {op: opRevision, id: n},
		"-/ping":                                 {op: opPing},
		"-/whoami":                               {op: opWhoami},
		"-/v1/search":                            {op: opSearch},
		"-/npm/v1/security/advisories/bulk":      {op: opAudit},
		"-/npm/v1/security/audits/quick":         {op: opLegacyAudit},
		"-/npm/v1/security/audits":               {op: opLegacyAudit},
		"-/package/lodash/dist-tags":             {op: opTags, id: n},
		"-/package/@types%2fnode/dist-tags/beta": {op: opTag, id: s, spec: "beta"},
		"-/package/@types/node/dist-tags/beta":   {op: opTag, id: s, spec: "beta"},
		"-/package/lodash/visibility":            {op: opCommand, command: "access"},
		"-/v1/login":                             {op: opCommand, command: "login"},
		"-/user/org.couchdb.user%3Abob":          {op: opCommand, command: "user"},
		"-/user/token/abc":                       {op: opCommand, command: "logout"},
		"-/user/bob/package":                     {op: opCommand, command: "access"},
		"-/org/acme/user":                        {op: opCommand, command: "team"},
		"-/org/acme/package":                     {op: opCommand, command: "access"},
		"-/team/acme/devs/user":                  {op: opCommand, command: "team"},
		"-/npm/v1/user":                          {op: opCommand, command: "profile"},
		"-/npm/v1/tokens/token/abc":              {op: opCommand, command: "token"},
		"-/npm/v1/hooks/hook":                    {op: opCommand, command: "hook"},
		"-/_view/starredByUser":                  {op: opCommand, command: "stars"},
	}
	for in, want := range tests {
		got, err := parsePath(in)
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(address{})); err != nil || diff != "" {
			t.Errorf("parsePath(%q): %v (-want +got):\n%s", in, err, diff)
		}
	}
}

func TestParsePathRefuses(t *testing.T) {
	t.Parallel()
	tests := map[string]error{
		"": registry.ErrNotFound, "/": registry.ErrInvalid, "//": registry.ErrInvalid, "lodash//": registry.ErrInvalid,
		".": registry.ErrInvalid, "..": registry.ErrInvalid, "%2e%2e": registry.ErrInvalid, "%2E.": registry.ErrInvalid,
		"lodash/..": registry.ErrInvalid, "lodash/-/..": registry.ErrInvalid, "lodash/-/../../x": registry.ErrInvalid,
		"%252e%252e": registry.ErrInvalid, "@types%252fnode": registry.ErrInvalid, "@types%2f..": registry.ErrInvalid, "@..%2fnode": registry.ErrInvalid,
		"@a/b%2fc": registry.ErrInvalid, "@a%2fb%2fc": registry.ErrInvalid, "@%2fb": registry.ErrInvalid, "@/b": registry.ErrInvalid, "@types": registry.ErrNotFound,
		"a%2fb": registry.ErrInvalid, "a%5cb": registry.ErrInvalid, "a%00b": registry.ErrInvalid, "a%0ab": registry.ErrInvalid, "a%zz": registry.ErrInvalid,
		"a%ff": registry.ErrInvalid, "a b": registry.ErrInvalid, "a%20b": registry.ErrInvalid, "lodаsh": registry.ErrInvalid, // a Cyrillic а
		".hidden": registry.ErrInvalid, "_private": registry.ErrInvalid, "node_modules": registry.ErrInvalid, "favicon.ico": registry.ErrInvalid,
		"-": registry.ErrNotFound, "-/": registry.ErrNotFound, "-/nothing": registry.ErrNotFound, "-/npm/v1/keys": registry.ErrNotFound, "-/all": registry.ErrNotFound,
		"-/package": registry.ErrNotFound, "-/package/lodash": registry.ErrNotFound, "-/package/lodash/dist-tags/a/b": registry.ErrNotFound,
		"-/npm/v1/oidc/token/exchange/package/x": registry.ErrNotFound, "-/stage": registry.ErrNotFound,
		"@a/b/c/d": registry.ErrNotFound, "lodash/-/other-1.0.0.tgz": registry.ErrNotFound, "lodash/-/lodash-1.0.tgz": registry.ErrNotFound,
		"lodash/-/lodash-1.0.0.zip": registry.ErrNotFound, "lodash/-/lodash-1.0.0.tgz/x": registry.ErrNotFound, "lodash/-": registry.ErrNotFound,
		"@a/b/-/@c/b-1.0.0.tgz":  registry.ErrNotFound,
		strings.Repeat("a", 215): registry.ErrInvalid, strings.Repeat("a", 5000): registry.ErrInvalid,
	}
	for in, want := range tests {
		if got, err := parsePath(in); !errors.Is(err, want) {
			t.Errorf("parsePath(%q) = %+v, %v; want %v", registry.Clip(in), got, err, want)
		}
	}
}

// FuzzPath: whatever comes in, what comes out is an identity that its own form in addresses leads back to, and file names that are
// single segments.
func FuzzPath(f *testing.F) {
	for _, s := range []string{"lodash", "@types%2fnode/-/node-1.0.0.tgz", "-/package/@a/b/dist-tags/x", "%2e%2e/%2e", "@a%2fb/../c", "a/-/a-1.0.0+b.tgz"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, rest string) {
		a, err := parsePath(rest)
		if err != nil {
			if !errors.Is(err, registry.ErrInvalid) && !errors.Is(err, registry.ErrNotFound) {
				t.Fatalf("unexpected error %v", err)
			}
			return
		}
		if a.id != (registry.PackageID{}) {
			again, err := names{}.Package(a.id.Namespace, a.id.Name)
			if err != nil || again != a.id {
				t.Fatalf("identity %+v is not stable: %+v, %v", a.id, again, err)
			}
			back, err := parsePath(escapedName(a.id))
			if err != nil || back.id != a.id {
				t.Fatalf("%q does not lead back to %+v: %+v, %v", escapedName(a.id), a.id, back, err)
			}
		}
		if a.op == opFile {
			if _, err := (names{}).Asset(a.file); err != nil {
				t.Fatal(err)
			}
			back, err := parsePath(escapedName(a.id) + "/-/" + url.PathEscape(a.file))
			if err != nil || back != a {
				t.Fatalf("file %+v does not lead back: %+v, %v", a, back, err)
			}
		}
	})
}

func TestNames(t *testing.T) {
	t.Parallel()
	ok := [][2]string{{"", "lodash"}, {"types", "node"}, {"@types", "node"}, {"s", "_x"}, {"s", "node_modules"}, {"", "JSONStream"}, {"", "a~b"}, {"s", "-"}}
	for _, c := range ok {
		if id, err := (names{}).Package(c[0], c[1]); err != nil || id.Namespace != strings.TrimPrefix(c[0], "@") || id.Name != c[1] {
			t.Errorf("Package(%q, %q) = %+v, %v", c[0], c[1], id, err)
		}
	}
	bad := [][2]string{{"", ""}, {"", "."}, {"", ".."}, {"..", "x"}, {"s", ".x"}, {"@", "x"}, {"", "@a/b"}, {"a/b", "c"}, {"", "a/b"}, {"", "ä"}, {"", "-"}, {"s", strings.Repeat("a", 213)}}
	for _, c := range bad {
		if id, err := (names{}).Package(c[0], c[1]); !errors.Is(err, registry.ErrInvalid) {
			t.Errorf("Package(%q, %q) = %+v, %v; want ErrInvalid", c[0], c[1], id, err)
		}
	}
	for name, want := range map[string]bool{"lodash": true, "@s/a_b.c": true, "JSONStream": false, "a~b": false, "-a": false, "@s/-a": true} {
		if err := checkNew(npmID(name)); (err == nil) != want {
			t.Errorf("checkNew(%q) = %v", name, err)
		}
	}
	for tag, want := range map[string]bool{"latest": true, "next-1": true, "1.x": false, "": false, "a/b": false, "a%b": false, "__proto__": false, strings.Repeat("t", 300): false} {
		if err := checkTag(tag); (err == nil) != want {
			t.Errorf("checkTag(%q) = %v", registry.Clip(tag), err)
		}
	}
	for name, want := range map[string]bool{"a-1.0.0.tgz": true, "a-1.0.0+b.tgz": true, "..": false, "a/b": false, `a\b`: false, "": false, "a b": false, "ä": false} {
		if _, err := (names{}).Asset(name); (err == nil) != want {
			t.Errorf("Asset(%q) = %v", name, err)
		}
	}
}

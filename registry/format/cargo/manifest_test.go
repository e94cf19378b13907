package cargo

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format/cargo/cargotest"
)

const homeIndex = "sparse+http://h/d-111122223333/cargo/r/"

func lineOf(text string) (string, error) {
	m, err := parseManifest([]byte(text))
	if err != nil {
		return "", err
	}
	l, err := m.line(sum, func(_, _, _, at string) bool { return sameIndex(at, homeIndex) })
	if err != nil {
		return "", err
	}
	b, err := l.encode()
	return string(b), err
}

func TestManifestLine(t *testing.T) {
	t.Parallel()
	const pkg = "[package]\nname = \"foo\"\nversion = \"1.0.0\"\n"
	const begin, end = `{"name":"foo","vers":"1.0.0","deps":[`, `],"cksum":"` + sum + `","features":{},"yanked":false}`
	dep := func(name, req, kind, target, registry, more string) string {
		return `{"name":"` + name + `","req":"` + req + `","features":[],"optional":false,"default_features":true,"target":` + target + `,"kind":"` + kind + `","registry":` + registry + more + `}`
	}
	const io = `"` + cratesIO + `"`
	tests := map[string]struct{ text, want, err string }{
		"bare":             {pkg, begin + end, ""},
		"old table":        {strings.Replace(pkg, "package", "project", 1), begin + end, ""},
		"short":            {pkg + "[dependencies]\na = \"1\"\nb = \">=1.2, <2.0.0-rc\"\nc = \"*\"\n", begin + dep("a", "^1", "normal", "null", io, "") + "," + dep("b", ">=1.2, <2.0.0-rc", "normal", "null", io, "") + "," + dep("c", "*", "normal", "null", io, "") + end, ""},
		"renamed":          {pkg + "[dependencies.alias]\npackage = \"real\"\nversion = \"1\"\n", begin + dep("alias", "^1", "normal", "null", io, `,"package":"real"`) + end, ""},
		"this registry":    {pkg + "[dependencies.a]\nversion = \"1\"\nregistry-index = \"" + homeIndex + "\"\n", begin + dep("a", "^1", "normal", "null", "null", "") + end, ""},
		"another registry": {pkg + "[dependencies.a]\nversion = \"1\"\nregistry-index = \"sparse+http://other/\"\n", begin + dep("a", "^1", "normal", "null", `"sparse+http://other/"`, "") + end, ""},
		"kinds":            {pkg + "[dev-dependencies]\na = \"1\"\n[build_dependencies]\na = \"2\"\n", begin + dep("a", "^1", "dev", "null", io, "") + "," + dep("a", "^2", "build", "null", io, "") + end, ""},
		"target":           {pkg + "[target.'cfg(unix)'.dependencies]\na = \"1\"\n[target.x86_64-pc-windows-msvc.dev-dependencies]\na = \"1\"\n", begin + dep("a", "^1", "normal", `"cfg(unix)"`, io, "") + "," + dep("a", "^1", "dev", `"x86_64-pc-windows-msvc"`, io, "") + end, ""},
		"dev path":         {pkg + "[dev-dependencies.a]\npath = \"../a\"\n", begin + end, ""},
		"options":          {pkg + "[dependencies.a]\nversion = \"=1.2.3\"\noptional = true\ndefault-features = false\nfeatures = [\"x\"]\npublic = true\n", begin + `{"name":"a","req":"=1.2.3","features":["x"],"optional":true,"default_features":false,"target":null,"kind":"normal","registry":` + io + `,"public":true}` + end, ""},
		"old spelling":     {pkg + "[dependencies.a]\nversion = \"1\"\ndefault_features = false\n", begin + strings.Replace(dep("a", "^1", "normal", "null", io, ""), `"default_features":true`, `"default_features":false`, 1) + end, ""},
		"artifact":         {pkg + "[dependencies.a]\nversion = \"1\"\nartifact = \"bin\"\ntarget = \"wasm\"\nlib = true\n", begin + dep("a", "^1", "normal", "null", io, `,"artifact":["bin"],"bindep_target":"wasm","lib":true`) + strings.TrimSuffix(end, "}") + `,"v":3}`, ""},
		"features":         {pkg + "links = \"z\"\nrust-version = \"1.70\"\n[features]\ndefault = [\"dep:a\", \"b?/c\"]\n", begin + `],"cksum":"` + sum + `","features":{"default":["dep:a","b?/c"]},"yanked":false,"links":"z","rust_version":"1.70"}`, ""},

		"no package":         {"[dependencies]\n", "", "no [package]"},
		"other letters":      {"[Package]\nname = \"foo\"\n", "", "no [package]"},
		"no TOML":            {"= =", "", "Cargo.toml"},
		"workspace":          {pkg + "[dependencies]\na = { workspace = true }\n", "", "inherited from a workspace"},
		"git":                {pkg + "[dependencies]\na = { git = \"https://x\" }\n", "", "has no version"},
		"registry by name":   {pkg + "[dependencies]\na = { version = \"1\", registry = \"mine\" }\n", "", "names its registry"},
		"bad requirement":    {pkg + "[dependencies]\na = \"latest\"\n", "", "requires a version that is none"},
		"number":             {pkg + "[dependencies]\na = 1\n", "", "neither a version nor a table"},
		"bad name":           {pkg + "[dependencies]\n\"a/b\" = \"1\"\n", "", "is not the name of a crate"},
		"feature is a table": {pkg + "[features.x]\ny = 1\n", "", "is no list"},
		"bad rust-version":   {pkg + "rust-version = \"nightly\"\n", "", "no version of Rust"},
		"too much":           {pkg + "[features]\n" + strings.Repeat("a", 1000) + " = [\"" + strings.Repeat("b", maxTOML) + "\"]\n", "", "larger than"},
	}
	for name, tt := range tests {
		got, err := lineOf(tt.text)
		if (err != nil) != (tt.err != "") || err != nil && (!strings.Contains(err.Error(), tt.err) || !errors.Is(err, registry.ErrInvalid)) {
			t.Errorf("%s: %v, want %q", name, err, tt.err)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if err == nil {
			if _, err := parseLine([]byte(got)); err != nil {
				t.Errorf("%s: our own line is refused: %v", name, err)
			}
		}
	}
}

func TestRequirement(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		"1": "^1", "1.2": "^1.2", "1.2.3": "^1.2.3", "1.2.3-rc.1+b": "^1.2.3-rc.1+b", "*": "*", "1.*": "1.*", "1.2.x": "1.2.x", "= 1.2.3": "=1.2.3", "~1": "~1",
		">=1, <2": ">=1, <2", ">= 1.0 ,< 2": ">=1.0, <2", "^0.0": "^0.0", "=1.*.*": "=1.*.*",
		"": "", "a": "", "1.2.3.4": "", "=>1": "", "1.*.3": "", ">=1 <2": "", ",": "", "1,": "", "01": "", "1-rc": "", "==1": "",
		strings.Repeat("1,", 40) + "1": "",
	} {
		got, ok := requirement(s)
		if ok != (want != "") || ok && got != want {
			t.Errorf("%q: %q %v, want %q", s, got, ok, want)
		}
	}
}

// TestTOMLLimits: what could keep the parser busy is refused before it sees it.
func TestTOMLLimits(t *testing.T) {
	t.Parallel()
	n := maxTOMLDepth
	for name, tt := range map[string]struct {
		text string
		ok   bool
	}{
		"usual":             {cargotest.Crate{Name: "a", Version: "1.0.0", Deps: []cargotest.Dep{{Name: "b", Req: "1.2.3", Target: "cfg(any(unix, windows))"}}}.TOML(), true},
		"brackets":          {"a = " + strings.Repeat("[", n+1) + strings.Repeat("]", n+1), false},
		"braces":            {"a = " + strings.Repeat("{a=", n+1) + "1" + strings.Repeat("}", n+1), false},
		"dots":              {"[" + strings.Repeat("a.", n+1) + "a]", false},
		"dots in a value":   {"a = {" + strings.Repeat("a.", n+1) + "a = 1}", false},
		"in strings":        {"a = \"" + strings.Repeat("[.", n+1) + "\"\nb = '" + strings.Repeat("{.", n+1) + "'", true},
		"in long strings":   {"a = \"\"\"\n\\\"\"\"\\\"" + strings.Repeat("[.\n", n+1) + "\"\"\"\nb = '''" + strings.Repeat("{.'", n+1) + "'''", true},
		"in comments":       {"# " + strings.Repeat("[.", n+1) + "\na = 1", true},
		"after a string":    {"a = [\"x\", " + strings.Repeat("[", n+1), false},
		"a quote too many":  {"a = \"\"\"x\"\"\"\"\nb = 1", true},
		"unfinished string": {"a = \"x\nb = " + strings.Repeat("[", n+1), false},
		"many lines":        {strings.Repeat("a.b.c = 1\n", 1000), true},
	} {
		if got := isShallow([]byte(tt.text)); got != tt.ok {
			t.Errorf("%s: %v, want %v", name, got, tt.ok)
		}
	}
	begin := time.Now()
	for _, text := range []string{
		strings.Repeat("[a]\n", maxTOML/4), strings.Repeat("[[a]]\n", maxTOML/6), "[" + strings.Repeat("a.", n) + "a]\n" + strings.Repeat("b=1\n", 100_000),
		"a=[" + strings.Repeat("1,", maxTOML/2-10) + "]", "a=\"\"\"" + strings.Repeat("\n", maxTOML-20),
	} {
		_, _ = parseTOML([]byte(text)) // whatever it says, it says it soon
	}
	if took := time.Since(begin); took > 20*time.Second {
		t.Errorf("hostile documents took %v", took)
	}
}

func TestDescription(t *testing.T) {
	t.Parallel()
	long := description{Description: strings.Repeat("ä", maxSummary), Readme: strings.Repeat("r", maxDescription)}
	b, err := long.encode()
	d, err2 := decodeDescription(b)
	if err != nil || err2 != nil || d.Readme != "" || d.Description != long.Description || len(d.summary()) > maxSummary {
		t.Errorf("%d bytes, %v, %v", len(b), err, err2)
	}
	long.Description = strings.Repeat("ä", maxDescription)
	if b, err = long.encode(); err != nil || len(b) > maxDescription {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	if d, err := decodeDescription(nil); err != nil || d != (description{}) {
		t.Errorf("%+v %v", d, err)
	}
	if _, err := decodeDescription([]byte("x")); err == nil {
		t.Error("rubbish was read")
	}
}

func FuzzManifest(f *testing.F) {
	f.Add(cargotest.Crate{Name: "a", Version: "1.0.0", Deps: []cargotest.Dep{{Name: "b", Req: "1", Target: "cfg(unix)", Optional: true}}, Features: map[string][]string{"x": {"dep:b"}}}.TOML())
	f.Add("[package]\nname='a'\nversion='1.0.0'\nreadme=false\n[dependencies]\na={workspace=true}\n")
	f.Add("a=\"\"\"x\\\"\"\"\"\n[[b.c]]\n")
	f.Fuzz(func(t *testing.T, text string) {
		line, err := lineOf(text)
		if err != nil && !errors.Is(err, registry.ErrInvalid) {
			t.Errorf("%q: %v", text, err)
		}
		m, merr := parseManifest([]byte(text))
		if err == nil && merr == nil && isCrateName(m.name) {
			if _, verr := (names{}).Version(m.version); verr == nil {
				if _, err := parseLine([]byte(line)); err != nil {
					t.Errorf("%q makes the line %s: %v", text, line, err)
				}
			}
		}
	})
}

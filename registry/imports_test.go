package registry_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "packhouse.dev/packhouse/"

// A rule is one border. A pattern is an import path below the module, or one of another module; "/..." at its end means the
// package and everything below, "*" one path segment.
type rule struct {
	from   []string
	except []string // packages of from for which the rule does not hold
	deny   []string
	allow  []string // exceptions from deny
	reason string
}

// Drivers are what only commands may choose.
var drivers = []string{"registry/blob/fs/...", "registry/blob/s3/...", "registry/metadata/sql/..."}

// Suites run contracts against drivers and formats; they import what they like and are imported by tests only.
var suites = []string{"registry/blob/blobtest", "registry/metadata/metadatatest", "registry/format/formattest", "registry/internal/..."}

// The borders of the code (design §4). Imports of tests are not looked at, except that no rule may hide a cycle: those the compiler
// refuses.
var rules = []rule{
	{from: []string{"registry"}, deny: []string{"..."},
		reason: "the nouns import the standard library only, so that everything else can speak of them"},
	{from: []string{"registry/audit"}, deny: []string{"..."},
		reason: "a record is text; what it is about is told by whoever writes it"},
	{from: []string{"registry/service/..."}, deny: []string{"registry/format/*", "registry/server/...", "registry/admin/...", "registry/blob/...", "registry/external/...", "registry/metadata/..."},
		reason: "the service API asks the one door, and knows no package protocol"},
	{from: []string{"registry/throttle"}, deny: []string{"..."}, allow: []string{"registry", "registry/config"},
		reason: "a quota counts requests, whatever they are"},
	{from: []string{"registry/intent"}, deny: []string{"..."}, allow: []string{"registry"},
		reason: "what the API wants declared is told to the operator in nouns"},
	{from: []string{"registry/intent/queue"}, deny: []string{"..."}, allow: []string{"registry", "registry/intent", "registry/metadata"},
		reason: "a wish is a row; who has it and who grants it is not its business"},
	{from: []string{"registry/policy"}, deny: []string{"...", "net/http"},
		reason: "who may do what is decided from its arguments alone"},
	{from: []string{"registry/group"}, deny: []string{"...", "net/http"}, allow: []string{"registry"},
		reason: "which group a package is in, and what it allows, is a pure function of patterns and names"},
	{from: []string{"registry/access"}, deny: []string{"...", "net/http"}, allow: []string{"registry", "registry/config", "registry/group", "registry/policy"},
		reason: "what a request is judged by is compiled from documents alone"},
	{from: []string{"registry/upstream"}, deny: []string{"..."}, allow: []string{"registry", "registry/config"},
		reason: "the search order is a pure function of configuration"},
	{from: []string{"registry/config"}, deny: []string{"..."}, allow: []string{"registry"},
		reason: "operator and data plane share the documents and nothing else"},
	{from: []string{"registry/blob", "registry/metadata", "registry/format"}, deny: []string{"..."}, allow: []string{"registry"},
		reason: "a contract knows the nouns only"},
	{from: []string{"registry/auth"}, deny: []string{"..."}, allow: []string{"registry", "registry/policy"},
		reason: "who is calling is found out without storage and configuration; what it needs is declared as an interface"},
	{from: []string{"registry/identity"}, deny: []string{"...", "net/http"}, allow: []string{"registry", "registry/config", "registry/policy"},
		reason: "whom a foreign token speaks for is found out from documents and keys; how keys are fetched is given as a function"},
	{from: []string{"registry/service/sts"}, deny: []string{"..."},
		allow:  []string{"registry", "registry/auth", "registry/identity", "registry/policy", "registry/service/sigv4"},
		reason: "sessions are made and known again from tokens and keys alone"},
	{from: []string{"registry/secret"}, deny: []string{"..."}, allow: []string{"registry", "registry/auth"},
		reason: "secrets are sealed and opened without knowing what they are for; where they are kept is declared as an interface"},
	{from: []string{"registry/external/..."}, deny: []string{"..."},
		allow:  []string{"registry", "registry/config", "registry/format", "registry/metadata", "registry/internal/..."},
		reason: "the client of external connections knows the rows of its cache and nothing else of the registry"},
	{from: []string{"registry/blob/fs/...", "registry/blob/s3/..."}, deny: []string{"..."},
		allow: []string{"registry", "registry/blob", "registry/internal/..."}, reason: "a driver knows its own contract only"},
	{from: []string{"registry/metadata/sql/..."}, deny: []string{"..."},
		allow: []string{"registry", "registry/metadata", "registry/metadata/sql/...", "registry/internal/..."}, reason: "a driver knows its own contract only"},
	{from: []string{"registry/format/*"}, except: []string{"registry/format/all"}, deny: []string{"..."},
		allow:  []string{"registry", "registry/format", "registry/internal/..."},
		reason: "a format is a translator: storage, SQL, policy, network and other formats are behind format.Repository"},
	{from: []string{"registry/format/*"}, except: []string{"registry/format/all"}, deny: []string{"database/sql", "os", "net/http/httputil"},
		reason: "a format is a translator: it touches neither files nor databases"},
	{from: []string{"registry/repository/..."}, deny: []string{"registry/format/*", "registry/server/...", "registry/admin/...", "registry/gc/...", "api/...", "controllers/..."},
		reason: "the one door is the same for every format and every way in"},
	{from: []string{"registry/server/..."}, deny: []string{"registry/blob/...", "registry/metadata/...", "registry/format/*", "registry/external/...", "registry/upstream/..."},
		reason: "the server routes; package data comes through the door"},
	{from: []string{"registry/gc/..."}, deny: []string{"registry/format/...", "registry/server/...", "registry/repository/..."},
		reason: "collection is decided by rows, never by what a format or a request says"},
	{from: []string{"registry/admin/..."}, deny: []string{"registry/format/*", "registry/server/..."},
		reason: "the administrator's port knows no package protocol"},
	{from: []string{"registry/..."}, deny: drivers, except: append([]string{"registry/blob/fs/...", "registry/blob/s3/...", "registry/metadata/sql/..."}, suites...),
		reason: "only commands choose drivers"},
	{from: []string{"registry/..."}, except: suites, deny: suites, allow: []string{"registry/internal/..."},
		reason: "suites are for tests"},
	{from: []string{"registry/..."}, deny: []string{"k8s.io/...", "sigs.k8s.io/...", "api/...", "controllers/...", "cmd/..."}, allow: []string{"sigs.k8s.io/yaml"},
		reason: "the data plane restarts and serves without a cluster"},
	{from: []string{"api/..."}, deny: []string{"registry/...", "controllers/...", "cmd/..."},
		reason: "types that clusters store do not follow the data plane's"},
	{from: []string{"controllers/..."}, deny: []string{"registry/..."},
		allow:  []string{"registry", "registry/config", "registry/policy", "registry/group", "registry/identity", "registry/intent", "registry/admin", "registry/upstream"},
		reason: "the operator speaks to the data plane through documents and the admin API"},
	{from: []string{"controllers/compile/..."}, deny: []string{"net/http", "os", "k8s.io/client-go/...", "sigs.k8s.io/controller-runtime/..."},
		reason: "Compile is pure"},
	{from: []string{"..."}, except: []string{"cmd/..."}, deny: []string{"cmd/..."},
		reason: "commands wire; nothing depends on them"},
}

type listed struct {
	ImportPath string
	Imports    []string
}

// TestImports holds the table above against what the packages really import.
func TestImports(t *testing.T) {
	t.Parallel()
	for _, pkg := range list(t) {
		for _, msg := range violations(pkg, rules) {
			t.Error(msg)
		}
	}
}

// TestImportRules shows that the checker finds what it is to find, so that a slip in a pattern is not taken for a clean tree.
func TestImportRules(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		from, to string
		want     bool // forbidden
	}{
		"format reads SQL rows":        {"registry/format/npm", "registry/metadata", true},
		"format reads another format":  {"registry/format/npm", "registry/format/pypi", true},
		"format uses its contract":     {"registry/format/npm", "registry/format", false},
		"format uses a library":        {"registry/format/npm", "github.com/Masterminds/semver/v3", false},
		"list of formats":              {"registry/format/all", "registry/format/npm", false},
		"door knows a format":          {"registry/repository", "registry/format/npm", true},
		"door chooses a driver":        {"registry/repository", "registry/blob/fs", true},
		"command chooses a driver":     {"cmd/packhouse", "registry/blob/fs", false},
		"data plane knows Kubernetes":  {"registry/server", "k8s.io/api/core/v1", true},
		"data plane reads YAML":        {"registry/server", "sigs.k8s.io/yaml", false},
		"suite in production code":     {"registry/server", "registry/format/formattest", true},
		"nouns import a package":       {"registry", "registry/policy", true},
		"nouns import the library":     {"registry", "errors", false},
		"operator opens the database":  {"controllers/domain", "registry/metadata", true},
		"operator writes documents":    {"controllers/compile", "registry/config", false},
		"policy looks at the request":  {"registry/policy", "net/http", true},
		"group knows a format":         {"registry/group", "registry/format/npm", true},
		"group speaks of packages":     {"registry/group", "registry", false},
		"package depends on a command": {"registry/server", "cmd/packhouse", true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := violations(listed{ImportPath: full(tt.from), Imports: []string{full(tt.to)}}, rules)
			if (len(got) > 0) != tt.want {
				t.Errorf("%s → %s: got %q, want forbidden = %v", tt.from, tt.to, got, tt.want)
			}
		})
	}
}

// violations returns one sentence for each import of pkg that a rule forbids.
func violations(pkg listed, rules []rule) []string {
	from := short(pkg.ImportPath)
	var out []string
	for _, r := range rules {
		if !matchAny(r.from, from) || matchAny(r.except, from) {
			continue
		}
		for _, imp := range pkg.Imports {
			to := short(imp)
			ours := to != imp
			denied := slices.ContainsFunc(r.deny, func(p string) bool { return match(p, to) && (ours || p != "...") })
			if denied && !matchAny(r.allow, to) && to != from {
				out = append(out, "package "+from+" must not import "+to+": "+r.reason)
			}
		}
	}
	return out
}

func matchAny(patterns []string, path string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return match(p, path) })
}

// match compares segment by segment.
func match(pattern, path string) bool {
	if pattern == "..." {
		return true
	}
	pattern, deep := strings.CutSuffix(pattern, "/...")
	want, got := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(got) < len(want) || !deep && len(got) != len(want) {
		return false
	}
	for i := range want {
		if want[i] != "*" && want[i] != got[i] {
			return false
		}
	}
	return true
}

// short cuts the module off our own packages: "registry/blob". Others stay as they are.
func short(path string) string { return strings.TrimPrefix(path, module) }

// full is the opposite of short.
func full(path string) string {
	first, _, _ := strings.Cut(path, "/")
	if slices.Contains([]string{"api", "cmd", "controllers", "registry"}, first) {
		return module + path
	}
	return path
}

func list(t *testing.T) []listed {
	t.Helper()
	// -e: a package that does not compile is its own test's failure, not this one's.
	out, err := exec.CommandContext(t.Context(), "go", "list", "-e", "-json=ImportPath,Imports", module+"...").Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("go list: %v\n%s", err, exit.Stderr)
		}
		t.Fatal(err)
	}
	var pkgs []listed
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, p)
	}
	if len(pkgs) < 5 {
		t.Fatalf("go list found %d packages only", len(pkgs))
	}
	return pkgs
}

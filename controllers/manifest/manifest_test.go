package manifest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"

	"packhouse.dev/packhouse/controllers/compile"
)

func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestSamples(t *testing.T) {
	set, err := Load(t.Context(), []string{"../../config/samples"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	o := set.Objects
	if len(o.Registries) != 1 || len(o.Domains) != 1 || len(o.Repositories) != 7 || len(o.Origins) != 1 || len(set.Notices) != 0 {
		t.Fatalf("samples = %+v", o)
	}
	if len(o.Groups) != 2 || len(o.DomainPolicies) != 1 || len(o.RepositoryPolicies) != 1 || len(o.IdentityPolicies) != 2 {
		t.Errorf("samples = %+v", o)
	}
	result := compile.Compile(o, compile.Documents{}, compile.Options{Registry: types.NamespacedName{Namespace: "default", Name: "default"}, Presets: []compile.Preset{
		{Name: "public:npmjs", Format: "npm", URL: "https://registry.yarnpkg.com"}, {Name: "public:pypi", Format: "pypi", URL: "https://pypi.org/simple/"},
		{Name: "public:maven-central", Format: "maven", URL: "https://repo1.maven.org/maven2/"}, {Name: "public:crates-io", Format: "cargo", URL: "https://index.crates.io/"},
		{Name: "public:ruby-gems-org", Format: "ruby", URL: "https://rubygems.org/"},
		{Name: "public:nuget-org", Format: "nuget", URL: "https://api.nuget.org/v3/index.json"},
	}})
	if problems := result.Problems(); len(problems) > 0 {
		t.Errorf("samples have problems: %v", problems)
	}
	if r := o.Registries[0]; r.Namespace != "default" || r.Spec.ARN.Partition != "" && r.Spec.ARN.Partition != "aws" {
		t.Errorf("registry = %+v", r)
	}
	if d := o.Domains[0]; d.Spec.DeletionPolicy != "Retain" || d.UID == "" {
		t.Errorf("the domain was not defaulted: %+v", d)
	}
}

const head = "apiVersion: packhouse.dev/v1alpha1\n"

// What is wrong is said with file, line and field, and everything at once.
func TestErrors(t *testing.T) {
	for name, tt := range map[string]struct {
		text string
		want []string
	}{
		"wrong field": {
			head + "kind: Repository\nmetadata: {name: r1}\nspec:\n  domainRef: {name: d1}\n  upstream:\n    - name: x1\n",
			[]string{"m.yaml:6: Repository r1: spec.upstream: there is no such field"},
		},
		"wrong field in a list": {
			head + "kind: Repository\nmetadata: {name: r1}\nspec:\n  domainRef: {name: d1}\n  upstreams:\n    - name: x1\n    - called: x2\n",
			[]string{"m.yaml:8: Repository r1: spec.upstreams[1].called: there is no such field"},
		},
		"wrong type": {
			head + "kind: Repository\nmetadata: {name: r1}\nspec:\n  domainRef: {name: d1}\n  upstreams: npm-store\n",
			[]string{`m.yaml:6: Repository r1: spec.upstreams: Invalid value: "string": spec.upstreams in body must be of type array: "string"`},
		},
		"missing": {
			head + "kind: Repository\nmetadata: {name: r1}\nspec: {}\n",
			[]string{"m.yaml:4: Repository r1: spec.domainRef: is needed"},
		},
		"bad name": {
			head + "kind: Domain\nmetadata: {name: 1d}\n",
			[]string{"m.yaml:1: Domain 1d: a domain's name has 2 to 50 lower-case letters, digits and hyphens and begins with a letter; set spec.name if the object's name is another"},
		},
		"own upstream": {
			head + "kind: Repository\nmetadata: {name: r1}\nspec:\n  domainRef: {name: d1}\n  upstreams: [{name: r1}]\n",
			[]string{"m.yaml:1: Repository r1: a repository cannot be its own upstream"},
		},
		"bad enum": {
			head + "kind: PackageOriginConfiguration\nmetadata: {name: p1}\nspec:\n  repositoryRef: {name: r1}\n  package: {format: npm, name: x}\n  publish: Maybe\n",
			[]string{`m.yaml:7: PackageOriginConfiguration p1: spec.publish: Unsupported value: "Maybe": supported values: "Allow", "Block"`},
		},
		"nothing set": {
			head + "kind: PackageOriginConfiguration\nmetadata: {name: p1}\nspec:\n  repositoryRef: {name: r1}\n  package: {format: npm, name: x}\n",
			[]string{"m.yaml:4: PackageOriginConfiguration p1: spec: set publish, upstream or both"},
		},
		"syntax":       {head + "kind: [\n", []string{"m.yaml:2: did not find expected node content"}},
		"unknown kind": {head + "kind: Repo\nmetadata: {name: x1}\n", []string{"m.yaml:2: Repo x1: kind: packhouse.dev/v1alpha1 has no kind Repo"}},
		"version":      {"apiVersion: packhouse.dev/v1\nkind: Domain\nmetadata: {name: d1}\n", []string{"m.yaml:1: Domain d1: apiVersion: packhouse.dev/v1 is not known: use packhouse.dev/v1alpha1"}},
		"no object":    {"hello\n", []string{"m.yaml:1: is no object"}},
		"same key":     {head + "kind: Domain\nkind: Domain\n", []string{`m.yaml:3: "kind" is there twice`}},
		"no name":      {head + "kind: Domain\n", []string{"m.yaml:1: Domain: metadata: metadata with a name is needed"}},
		"bad object name": {head + "kind: Domain\nmetadata:\n  name: A_b\n", []string{
			"m.yaml:4: Domain A_b: metadata.name: a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
		}},
		"twice": {head + "kind: Domain\nmetadata: {name: d1}\n---\n" + head + "kind: Domain\nmetadata: {name: d1}\n", []string{"m.yaml:5: Domain d1: is declared at m.yaml:1 already"}},
		"several": {head + "kind: Domain\nmetadata: {name: d1}\nspec: {x: 1}\n---\n" + head + "kind: Domain\nmetadata: {name: d2}\nspec: {y: 1}\n", []string{
			"m.yaml:4: Domain d1: spec.x: there is no such field", "m.yaml:9: Domain d2: spec.y: there is no such field",
		}},
		"policy with both forms": {
			head + "kind: DomainPolicy\nmetadata: {name: p1}\nspec:\n  domainRef: {name: d1}\n  document: '{}'\n  statements:\n    - {effect: Deny, principals: [{everyone: true}], actions: ['*'], resources: ['*']}\n",
			[]string{"m.yaml:4: DomainPolicy p1: spec: a policy has either a document or statements"},
		},
		"statement without principals": {
			head + "kind: RepositoryPolicy\nmetadata: {name: p1}\nspec:\n  repositoryRef: {name: r1}\n  statements:\n    - {effect: Deny, actions: ['*'], resources: ['*']}\n",
			[]string{"m.yaml:7: RepositoryPolicy p1: spec.statements[0]: a statement has either principals or notPrincipals"},
		},
		"principal of two kinds": {
			head + "kind: RepositoryPolicy\nmetadata: {name: p1}\nspec:\n  repositoryRef: {name: r1}\n  statements:\n    - effect: Allow\n      principals: [{everyone: true, account: '123456789012'}]\n      actions: ['*']\n      resources: ['*']\n",
			[]string{"m.yaml:8: RepositoryPolicy p1: spec.statements[0].principals[0]: name exactly one of everyone, account, namespace, serviceAccount, user and aws"},
		},
		"statement with both resources": {
			head + "kind: IdentityPolicy\nmetadata: {name: p1}\nspec:\n  subjects: [{user: bob}]\n  statements:\n    - {effect: Deny, actions: ['*'], resources: ['*'], notResources: ['*']}\n",
			[]string{"m.yaml:7: IdentityPolicy p1: spec.statements[0]: a statement has either resources or notResources"},
		},
		"policy of nobody": {
			head + "kind: IdentityPolicy\nmetadata: {name: p1}\nspec:\n  subjects: [{}]\n  managedPolicies: [AWSCodeArtifactAdminAccess]\n",
			[]string{"m.yaml:5: IdentityPolicy p1: spec.subjects[0]: name exactly one of everyone, serviceAccount, user and group"},
		},
		"policy that says nothing": {
			head + "kind: IdentityPolicy\nmetadata: {name: p1}\nspec:\n  subjects: [{everyone: true}]\n",
			[]string{"m.yaml:4: IdentityPolicy p1: spec: a policy has a document, statements or managedPolicies"},
		},
		"root group": {
			head + "kind: PackageGroup\nmetadata: {name: g1}\nspec:\n  domainRef: {name: d1}\n  pattern: '/*'\n",
			[]string{"m.yaml:6: PackageGroup g1: spec.pattern: the group of all packages is Domain.spec.originControls"},
		},
		"pattern": {
			head + "kind: PackageGroup\nmetadata: {name: g1}\nspec:\n  domainRef: {name: d1}\n  pattern: '/npm/re act$'\n",
			[]string{"m.yaml:6: PackageGroup g1: spec.pattern: a pattern is /format/*, /format/namespace/*, or ends with a namespace or a name and ~, or with a name and $"},
		},
		"list without its restriction": {
			head + "kind: PackageGroup\nmetadata: {name: g1}\nspec:\n  domainRef: {name: d1}\n  pattern: /npm/*\n  originControls:\n    publish: {restriction: Block, repositories: [r1]}\n",
			[]string{"m.yaml:8: PackageGroup g1: spec.originControls.publish: repositories are named with AllowSpecificRepositories, and only then"},
		},
		"root inherits": {
			head + "kind: Domain\nmetadata: {name: d1}\nspec:\n  originControls:\n    publish: {restriction: Inherit}\n",
			[]string{"m.yaml:5: Domain d1: spec.originControls: the group of all packages has no parent to inherit from"},
		},
		"url": {head + "kind: ExternalConnection\nmetadata: {name: x1}\nspec:\n  format: npm\n  url: ftp://x\n", []string{"m.yaml:6: ExternalConnection x1: spec.url: must be an http or https URL"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := write(t, map[string]string{"m.yaml": tt.text})
			_, err := Load(t.Context(), []string{dir}, nil)
			if err == nil {
				t.Fatal("no error")
			}
			if d := cmp.Diff(strings.Join(tt.want, "\n"), strings.ReplaceAll(err.Error(), dir+"/", "")); d != "" {
				t.Error(d)
			}
		})
	}
	if _, err := Load(t.Context(), []string{filepath.Join(t.TempDir(), "absent.yaml")}, nil); err == nil || !strings.Contains(err.Error(), "absent.yaml: no such file") {
		t.Errorf("a file that is not there: %v", err)
	}
}

func TestForeignObjectsAreLeftAlone(t *testing.T) {
	dir := write(t, map[string]string{
		"a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n---\n# nothing\n---\napiVersion: v1\nkind: List\nitems:\n  - " +
			strings.ReplaceAll(head, "\n", "\n    ") + "kind: Domain\n    metadata: {name: d1, namespace: team}\n",
		"b.json": `{"apiVersion":"packhouse.dev/v1alpha1","kind":"Domain","metadata":{"name":"d2"},"status":{"observedGeneration":"nonsense"}}`,
		"c.txt":  "not a manifest", ".d.yaml": "{",
	})
	set, err := Load(t.Context(), []string{dir}, nil)
	if err != nil || len(set.Objects.Domains) != 2 || len(set.Notices) != 1 || set.Objects.Domains[0].Namespace != "team" {
		t.Errorf("set = %+v, %v", set, err)
	}
}

// Rules about changes compare with what was read before, and the oldest object stays the oldest.
func TestReload(t *testing.T) {
	one := head + "kind: Domain\nmetadata: {name: a1}\nspec: {name: shared}\n"
	two := head + "kind: Domain\nmetadata: {name: a0}\nspec: {name: shared}\n"
	dir := write(t, map[string]string{"m.yaml": one})
	first, err := Load(t.Context(), []string{dir}, nil)
	if err != nil {
		t.Fatal(err)
	}
	put := func(text string) (*Set, error) {
		if err := os.WriteFile(filepath.Join(dir, "m.yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return Load(t.Context(), []string{dir}, first)
	}
	_, err = put(strings.Replace(one, "shared", "other", 1))
	if err == nil || !strings.Contains(err.Error(), "m.yaml:4: Domain a1: spec: name cannot be changed: make a new domain") {
		t.Errorf("renamed: %v", err)
	}
	got, err := put(two + "---\n" + one)
	if err != nil || !got.Objects.Domains[0].CreationTimestamp.After(got.Objects.Domains[1].CreationTimestamp.Time) || got.Objects.Domains[1].Name != "a1" {
		t.Errorf("order = %+v, %v", got, err)
	}
}

// Reading is quick, and hostile files end soon.
func TestHostileFiles(t *testing.T) {
	bomb := "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
	for i := range 12 {
		bomb += string(rune('b'+i)) + ": &" + string(rune('b'+i)) + " [" + strings.TrimSuffix(strings.Repeat("*"+string(rune('a'+i))+",", 10), ",") + "]\n"
	}
	for name, text := range map[string]string{
		"alias bomb": bomb, "deep": strings.Repeat("[", 5000), "cycle": "a: &a [*a]\n", "merge": "a: &a {b: 1}\nc: {<<: *a}\n",
		"binary": "\x00\x01\x02", "huge number": "apiVersion: 99999999999999999999999999\n", "tag": "a: !!python/object x\n", "null key": "? \n: x\n",
	} {
		start := time.Now()
		dir := write(t, map[string]string{"m.yaml": text})
		if _, err := Load(t.Context(), []string{dir}, nil); err == nil {
			t.Errorf("%s: no error", name)
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%s took %v", name, took)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(head + "kind: Domain\nmetadata: {name: d1}\n"))
	f.Add([]byte("a: &a [*a]"))
	f.Add([]byte("- !!binary x\n--- \n? {}"))
	all, err := schemas()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		docs, _ := parse("f", data)
		for _, d := range docs {
			_, _, _ = all.object(t.Context(), d, nil)
		}
	})
}

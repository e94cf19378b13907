package e2e

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	api "packhouse.dev/packhouse/api/v1alpha1"
	"packhouse.dev/packhouse/registry/format/nuget/nugettest"
	"packhouse.dev/packhouse/registry/format/pypi/pypitest"
	"packhouse.dev/packhouse/registry/format/swift/swifttest"
)

// everything is the repository that all eight formats are published to, and installed from, at once.
const everything = "everything"

// A recipe is what people type to publish a package, and to install it somewhere else. LOGIN stands for the login command, BASE for the
// address of the domain, and TOKEN for a token.
type recipe struct {
	program          string // that has to be there
	publish, install string
	want             string // in what install prints
}

var recipes = map[string]recipe{
	"npm": {
		"npm", `LOGIN npm; mkdir thing; echo '{"name":"@poly/thing","version":"1.0.0"}' > thing/package.json; npm publish ./thing`,
		`LOGIN npm; npm install --no-audit --no-fund @poly/thing; cat node_modules/@poly/thing/package.json`, `"version":"1.0.0"`,
	},
	"pypi": {
		"twine", `LOGIN twine; twine upload --repository codeartifact *.whl`,
		`LOGIN pip; python3 -m pip download --no-deps --disable-pip-version-check poly-thing==1.0; python3 -m zipfile -l poly_thing-1.0-py3-none-any.whl`, "poly_thing-1.0.dist-info/METADATA",
	},
	"cargo": {
		"cargo", `LOGIN cargo; cargo new --lib poly-thing --vcs none; cd poly-thing; cargo publish --registry packhouse --allow-dirty --no-verify`,
		`LOGIN cargo; cargo new poly-app --vcs none; cd poly-app; cargo add poly-thing --registry packhouse; cargo fetch; cat Cargo.lock`, `name = "poly-thing"`,
	},
	"ruby": {
		"gem", `LOGIN gem; echo "Gem::Specification.new { |s| s.name, s.version, s.summary, s.authors, s.files = 'poly-thing', '1.0.0', 'x', ['x'], [] }" > a.gemspec
gem build a.gemspec; gem push --host BASE/ruby/everything poly-thing-1.0.0.gem`,
		`LOGIN gem; gem install poly-thing --no-document --install-dir gems; ls gems/gems`, "poly-thing-1.0.0",
	},
	"maven": {
		"curl", `echo '<project><modelVersion>4.0.0</modelVersion><groupId>com.poly</groupId><artifactId>thing</artifactId><version>1.0</version></project>' > thing-1.0.pom
echo '<metadata><groupId>com.poly</groupId><artifactId>thing</artifactId><versioning><release>1.0</release><versions><version>1.0</version></versions></versioning></metadata>' > maven-metadata.xml
echo code > thing-1.0.jar
for file in 1.0/thing-1.0.jar 1.0/thing-1.0.pom maven-metadata.xml; do curl -sSf --user aws:TOKEN -T $(basename $file) BASE/maven/everything/com/poly/thing/$file; done`,
		`curl -sSfO --user aws:TOKEN BASE/maven/everything/com/poly/thing/1.0/thing-1.0.jar
echo "$(curl -sSf --user aws:TOKEN BASE/maven/everything/com/poly/thing/1.0/thing-1.0.jar.sha1)  thing-1.0.jar" | sha1sum -c`, "thing-1.0.jar: OK",
	},
	"generic": {
		"curl", `echo data > thing.bin; curl -sSf --user aws:TOKEN -T thing.bin BASE/generic/everything/poly/thing/1.0/thing.bin`,
		`curl -sSf --user aws:TOKEN BASE/generic/everything/poly/thing/1.0/thing.bin`, "data",
	},
}

// polyglot publishes to and installs from one repository in all eight formats at the same time. .NET and Swift are asked for by clients
// that send what those send.
func (s *suite) polyglot(t *testing.T) {
	s.apply(t, "kind: Repository\nmetadata: {name: "+everything+"}\nspec: {domainRef: {name: my-domain}}\n")
	repo, domain := s.repositoryReady(t, namespace, everything), s.domainReady(t, namespace, "my-domain")
	base := s.forward(t, namespace, "default")
	address := base + "/my-domain-" + domain.Status.Account
	token := s.packhouseWithKubeconfig(t, "token", "-n", namespace, "--registry", "default", "--duration", "15m")
	formats := []string{"cargo", "generic", "maven", "npm", "nuget", "pypi", "ruby", "swift"}
	var told []string
	for _, e := range repo.Status.Endpoints {
		told = append(told, e.Format)
	}
	if slices.Sort(told); !slices.Equal(told, formats) {
		t.Errorf("the repository's endpoints are for %q", told)
	}
	login := strings.Join([]string{
		filepath.Join(s.root, "bin", "packhouse"), "login", "--kubeconfig", os.Getenv("KUBECONFIG"), "-n", namespace, "--registry", "default", "--repository", everything, "--endpoint", base,
	}, " ")
	say := strings.NewReplacer("LOGIN", login, "BASE", address, "TOKEN", token)
	t.Run("formats", func(t *testing.T) {
		for format, r := range recipes {
			t.Run(format, func(t *testing.T) {
				t.Parallel()
				if _, err := exec.LookPath(r.program); err != nil {
					if os.Getenv("REQUIRE_CLIENTS") != "" {
						t.Fatal(err)
					}
					t.Skip("NOT RUN: ", err)
				}
				s.script(t, say.Replace(r.publish))
				if out := s.script(t, say.Replace(r.install)); !strings.Contains(out, r.want) {
					t.Errorf("it does not say %q:\n%s", r.want, out)
				}
			})
		}
		t.Run("nuget", func(t *testing.T) {
			t.Parallel()
			c := &nugettest.Client{Source: address + "/nuget/" + everything + "/v3/index.json", Token: token}
			p := nugettest.Package{ID: "Poly.Thing", Version: "1.0.0"}
			must(t, c.Push(p.File(), p.Symbols()))
			if got, err := c.Download("poly.thing", "1.0.0"); err != nil || !bytes.Equal(got, p.File()) {
				t.Errorf("%d bytes, %v", len(got), err)
			}
		})
		t.Run("swift", func(t *testing.T) {
			t.Parallel()
			c := &swifttest.Client{Registry: address + "/swift/" + everything + "/", Token: token}
			p := swifttest.Package{Scope: "Poly", Name: "Thing", Version: "1.0.0"}
			must(t, c.Publish(p))
			if got, _, err := c.Download("poly.thing", "1.0.0"); err != nil || !bytes.Equal(got, p.Archive()) {
				t.Errorf("%d bytes, %v", len(got), err)
			}
		})
	})
	if t.Failed() || t.Skipped() {
		return
	}
	if got := s.listed(t, base, token); !slices.Equal(got, formats) {
		t.Errorf("list-packages has packages of %q", got)
	}
}

// script runs shell commands as somebody who never did it before, in a folder of their own.
func (s *suite) script(t *testing.T, commands string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	home, dir := t.TempDir(), t.TempDir()
	wheel := pypitest.Dist{Name: "poly-thing", Version: "1.0"}
	if strings.Contains(commands, "*.whl") {
		must(t, os.WriteFile(filepath.Join(dir, wheel.WheelName()), wheel.Wheel(), 0o600))
	}
	path := filepath.Join(s.root, ".cache", "clients", "node_modules", ".bin") + string(os.PathListSeparator) + os.Getenv("PATH")
	cmd := exec.CommandContext(ctx, "/bin/sh", "-euc", commands)
	cmd.Dir = dir
	cmd.Env = []string{
		"HOME=" + home, "CARGO_HOME=" + filepath.Join(home, ".cargo"), "PATH=" + path, "LANG=C.UTF-8", "npm_config_update_notifier=false", "NO_PROXY=*",
		"RUSTUP_HOME=" + cmp.Or(os.Getenv("RUSTUP_HOME"), filepath.Join(os.Getenv("HOME"), ".rustup")), // where its cargo looks for the real one
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s\n%v\n%s", commands, err, out)
	}
	return string(out)
}

// listed are the formats of the packages that the service API lists.
func (s *suite) listed(t *testing.T, base, token string) []string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/v1/packages?domain=my-domain&repository="+everything, nil)
	must(t, err)
	r.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(r)
	must(t, err)
	defer resp.Body.Close()
	var list struct {
		Packages []struct {
			Format string `json:"format"`
		} `json:"packages"`
	}
	must(t, json.NewDecoder(resp.Body).Decode(&list))
	var out []string
	for _, p := range list.Packages {
		out = append(out, p.Format)
	}
	slices.Sort(out)
	return out
}

// counts: a package group shows how many packages were published that are of it.
func (s *suite) counts(t *testing.T) {
	took := eventually(t, 3*time.Minute, "the number of packages of a group", func() string {
		g := &api.PackageGroup{}
		if err := s.c.Get(context.Background(), client.ObjectKey{Namespace: namespace, Name: "npm"}, g); err != nil {
			return err.Error()
		}
		if g.Status.Packages == 0 {
			return fmt.Sprintf("%+v", g.Status)
		}
		return ""
	})
	t.Logf("it was there after another %v", took.Round(time.Second))
}

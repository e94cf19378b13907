package guidetest_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"packhouse.dev/packhouse/registry/internal/clienttest"
)

// TestHowTo runs docs/service-api.md as it is written, but for where the data are.
func TestHowTo(t *testing.T) {
	t.Parallel()
	programs(t, "aws", "npm", "curl", "node")
	doc, err := os.ReadFile("../../../docs/service-api.md")
	if err != nil {
		t.Fatal(err)
	}
	script := "set -x\n"
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllSubmatch(doc, -1) {
		script += string(block[1])
	}
	r := newRunner(t)
	record, err := filepath.Rel(r.work, r.record)
	if err != nil {
		t.Fatal(err)
	}
	script = strings.NewReplacer("$PWD/packhouse-data", r.p.DataDir, "audit.jsonl", record).Replace(script)
	out, complaint, err := r.exec(item{command: script})
	if err != nil {
		t.Fatalf("%v\n%s%s", err, out, complaint)
	}
	for _, text := range []string{
		`"status": "Active"`, `"description": "what we share"`, "+ @acme/lib@1.0.0", `"defaultDisplayVersion": "1.0.0"`, "/team-111122223333/maven/libs/\n",
		`"namespace":"acme"`, `"reason":"FIELD_VALIDATION_FAILED"`, `"resourceArn": "arn:aws:codeartifact:us-west-2:111122223333:domain/team"`, `"eventName":"DeleteRepository"`,
	} {
		if !strings.Contains(out, text) {
			t.Errorf("the how-to does not print %q but\n%s%s", text, out, complaint)
		}
	}
}

// TestLogin is "aws codeartifact login" and then the tool itself, or with --dry-run what would be run: the tool is not needed then.
func TestLogin(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		programs []string
		format   string // that this binary must have
		script   string
		says     string
	}{
		"dotnet, dry run": {nil, "nuget", `login --tool dotnet --dry-run`, "dotnet nuget add source http://"},
		"nuget, dry run":  {nil, "nuget", `login --tool nuget --dry-run`, "nuget sources add -name my-domain/my_repo -source http://"},
		"swift, dry run":  {nil, "swift", `login --tool swift --namespace my-namespace --dry-run`, "swift package-registry set http://"},
		"npm": {[]string{"npm"}, "npm", `login --tool npm
mkdir lib; echo '{"name": "@acme/lib", "version": "1.0.0"}' > lib/package.json
npm publish ./lib
npm install @acme/lib lodash
npm ls --parseable=false`, "@acme/lib@1.0.0"},
		"pip and twine": {[]string{"pip", "twine", "python3"}, "pypi", `login --tool twine
mkdir -p acme_lib-1.0.dist-info
printf 'Metadata-Version: 2.1\nName: acme-lib\nVersion: 1.0\n' > acme_lib-1.0.dist-info/METADATA
printf 'Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n' > acme_lib-1.0.dist-info/WHEEL
printf 'hello = "hello"\n' > acme_lib.py
printf 'acme_lib.py,,\nacme_lib-1.0.dist-info/METADATA,,\nacme_lib-1.0.dist-info/WHEEL,,\nacme_lib-1.0.dist-info/RECORD,,\n' > acme_lib-1.0.dist-info/RECORD
python3 -m zipfile -c acme_lib-1.0-py3-none-any.whl acme_lib.py acme_lib-1.0.dist-info/
twine upload --non-interactive --disable-progress-bar --repository codeartifact acme_lib-1.0-py3-none-any.whl
login --tool pip
pip install --target site acme-lib`, "Successfully installed acme-lib-1.0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			programs(t, append(tt.programs, "aws")...)
			if !formats()[tt.format] {
				t.Skipf("SKIPPED: this binary does not serve %s", tt.format)
			}
			r := newRunner(t)
			r.up.Add(clienttest.Package{Name: "lodash", Version: "4.17.20"})
			for _, command := range []string{"domain", "repository npm-store", "connect npm-store public:npmjs", "repository my_repo npm-store"} {
				if err := r.fixtures.do(command); err != nil {
					t.Fatal(err)
				}
			}
			login := `login() { aws codeartifact login --domain my-domain --domain-owner 111122223333 --repository my_repo "$@"; }` + "\n"
			out, complaint, err := r.exec(item{command: login + tt.script})
			if err != nil || !strings.Contains(out, tt.says) || !strings.Contains(out, "/my_repo/") {
				t.Errorf("%v\n%s%s", err, out, complaint)
			}
		})
	}
}

// programs skips a test whose programs are not all there, or fails it with REQUIRE_CLIENTS=1.
func programs(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		_, err := exec.LookPath(name)
		if err == nil && name == "aws" {
			err = recentCLI()
		}
		if err == nil {
			continue
		}
		if os.Getenv("REQUIRE_CLIENTS") != "" {
			t.Fatalf("%s: %v", name, err)
		}
		t.Skipf("SKIPPED: %s: %v", name, err)
	}
}

// recentCLI says whether the AWS CLI knows package groups (March 2024), and with them AWS_ENDPOINT_URL_CODEARTIFACT.
var recentCLI = sync.OnceValue(func() error {
	if out, err := exec.Command("aws", "codeartifact", "create-package-group", "--generate-cli-skeleton").CombinedOutput(); err != nil {
		return fmt.Errorf("the AWS CLI is older than 2024: %w: %s", err, out)
	}
	return nil
})

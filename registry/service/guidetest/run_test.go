package guidetest_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"packhouse.dev/packhouse/registry/format/all"
	"packhouse.dev/packhouse/registry/internal/clienttest"
)

func TestMain(m *testing.M) { os.Exit(clienttest.Main(m)) }

// The accounts of the guide. Its commands are run by an administrator of the first, unless they are of another's things.
const manifests = `apiVersion: packhouse.dev/v1alpha1
kind: Registry
metadata: {name: default}
spec:
  arn: {region: us-west-2}
  allowedNamespaces: {all: true}
  accounts:
    - {namespace: other, id: "123456789012"}
    - {namespace: third, id: "444455556666"}
---
apiVersion: packhouse.dev/v1alpha1
kind: AccessKey
metadata: {name: admin, namespace: other}
spec: {}
---
apiVersion: packhouse.dev/v1alpha1
kind: IdentityPolicy
metadata: {name: admin, namespace: other}
spec:
  subjects: [{user: admin}]
  statements: [{effect: Allow, actions: ["*"], resources: ["*"]}]
---
apiVersion: packhouse.dev/v1alpha1
kind: AccessKey
metadata: {name: admin, namespace: third}
spec: {}
---
apiVersion: packhouse.dev/v1alpha1
kind: IdentityPolicy
metadata: {name: admin, namespace: third}
spec:
  subjects: [{user: admin}]
  statements: [{effect: Allow, actions: ["*"], resources: ["*"]}]
`

// profiles are those of the AWS CLI by the account that they are in.
var profiles = map[string]string{"123456789012": "other", "444455556666": "third"}

// commandTimeout is for one command, so that one that hangs fails its row and not the whole run.
const commandTimeout = 3 * time.Minute

// runner runs a chapter: a user with a home and a folder to work in, beside a registry of its own.
type runner struct {
	t          *testing.T
	p          *clienttest.Packhouse
	up         *clienttest.Upstream
	home, work string
	record     string // audit log
	bin        string // programs that stand in for what is not there
	vars       []string
	formats    map[string]bool
	fixtures   fixtures
}

// run reports whether the commands of the guide are to be run.
func run() bool { return os.Getenv("PACKHOUSE_GUIDE") != "" }

// TestGuide runs all chapters and holds the table against what came out.
func TestGuide(t *testing.T) {
	if !run() {
		t.Skip("SKIPPED: the commands of the guide are run by make guide")
	}
	programs(t, "aws", "npm", "pip", "python3", "twine", "cargo", "gem", "curl")
	all := chapters(t)
	if t.Run("chapter", func(t *testing.T) {
		for _, c := range all {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				newRunner(t).run(c)
			})
		}
	}) {
		checkTable(t, all, os.Getenv("UPDATE") != "")
	}
}

func newRunner(t *testing.T) *runner {
	t.Helper()
	up := clienttest.NewUpstream(t)
	dir := t.TempDir()
	record := filepath.Join(dir, "audit.jsonl")
	p := clienttest.Start(t, clienttest.Options{Manifests: manifests, Upstream: up, Args: []string{"--audit-log", record}})
	r := &runner{t: t, p: p, up: up, record: record, home: filepath.Join(dir, "home"), work: filepath.Join(dir, "work"), bin: filepath.Join(dir, "bin"), formats: formats()}
	for _, d := range []string{r.home, r.work, r.bin} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	r.credentials()
	r.standIns()
	r.vars = []string{"PACKHOUSE_DATA_DIR=" + p.DataDir, "ENDPOINT=" + p.Endpoint, "AUDIT_LOG=" + record}
	return r
}

// formats are those that this binary has.
func formats() map[string]bool {
	out := map[string]bool{}
	for _, f := range all.Formats() {
		out[string(f.Traits().Name)] = true
	}
	return out
}

// credentials writes the files of the AWS CLI: the administrator's key as the default and as profile-name, which is what the guide calls
// one, and those of the other accounts.
func (r *runner) credentials() {
	r.t.Helper()
	data, err := os.ReadFile(filepath.Join(r.p.DataDir, "dev.json"))
	if err != nil {
		r.t.Fatal(err)
	}
	var dev struct{ AccessKeyID, SecretAccessKey string }
	if err := json.Unmarshal(data, &dev); err != nil {
		r.t.Fatal(err)
	}
	r.fixtures = newFixtures(r.t, r.p, r.up, dev.AccessKeyID, dev.SecretAccessKey)
	var config, credentials strings.Builder
	add := func(profile, id, secret string) {
		section := "profile " + profile
		if profile == "default" {
			section = profile
		}
		fmt.Fprintf(&config, "[%s]\nregion = us-west-2\noutput = json\n", section)
		fmt.Fprintf(&credentials, "[%s]\naws_access_key_id = %s\naws_secret_access_key = %s\n", profile, id, secret)
	}
	add("default", dev.AccessKeyID, dev.SecretAccessKey)
	add("profile-name", dev.AccessKeyID, dev.SecretAccessKey)
	for account, namespace := range profiles {
		file, err := os.ReadFile(filepath.Join(r.p.DataDir, "access-keys", namespace, "admin.env"))
		if err != nil {
			r.t.Fatal(err)
		}
		id, secret, _ := strings.Cut(string(file), "\n")
		_, id, _ = strings.Cut(id, "=")
		_, secret, _ = strings.Cut(strings.TrimSpace(secret), "=")
		add(account, id, secret)
	}
	r.write(filepath.Join(r.home, ".aws/config"), config.String())
	r.write(filepath.Join(r.home, ".aws/credentials"), credentials.String())
}

// standIns makes "nuget" and "dotnet" where they are not installed: the AWS CLI asks them which sources they have, also with --dry-run.
// The guide calls Python "python", which Debian does not.
func (r *runner) standIns() {
	r.t.Helper()
	for name, does := range map[string]string{"nuget": "echo 'No sources found.'", "dotnet": "echo 'No sources found.'", "python": `exec python3 "$@"`} {
		if _, err := exec.LookPath(name); err == nil {
			continue
		}
		path := filepath.Join(r.bin, name)
		r.write(path, "#!/bin/sh\n"+does+"\n")
		if err := os.Chmod(path, 0o700); err != nil {
			r.t.Fatal(err)
		}
	}
}

func (r *runner) write(path, text string) {
	r.t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// run does what a chapter says. A fixture that fails ends it; a row that fails does not.
func (r *runner) run(c chapter) {
	for _, f := range c.files {
		r.write(filepath.Join(r.work, f.Name), string(f.Data))
	}
	for _, it := range c.items {
		at := fmt.Sprintf("%s.txtar:%d", c.name, it.line)
		switch {
		case it.outside != "":
		case it.kind == fixture:
			if err := r.fixtures.do(it.command); err != nil {
				r.t.Fatalf("%s: %s: %v", at, it.command, err)
			}
		case it.needs != "" && !r.formats[it.needs]:
		case it.kind == shell:
			if out, complaint, err := r.exec(it); err != nil {
				r.t.Fatalf("%s: %s: %v\n%s%s", at, it.command, err, out, complaint)
			}
		default:
			for _, problem := range r.row(it) {
				r.t.Errorf("%s: %s\n\t%s", at, oneLine(it.command), problem)
			}
		}
	}
}

// row runs a command of the guide and tells what is wrong with what it did.
func (r *runner) row(it item) []string {
	out, complaint, err := r.exec(it)
	if it.refused != "" {
		if err == nil {
			return []string{"it succeeds, and prints " + out}
		}
		if !regexp.MustCompile(it.refused).MatchString(complaint) {
			return []string{fmt.Sprintf("it is refused with %q, want %q", complaint, it.refused)}
		}
		return nil
	}
	if err != nil {
		return []string{fmt.Sprintf("%v: %s%s", err, out, complaint)}
	}
	if it.set != "" {
		r.vars = append(r.vars, it.set+"="+strings.TrimSpace(out))
	}
	diffs := compare(it.want, out)
	if len(diffs) > 0 {
		diffs = append(diffs, "it printed "+out)
	}
	return diffs
}

// exec runs a command in a shell, with nothing of the machine's configuration.
func (r *runner) exec(it item) (out, complaint string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/bin/bash", "-euo", "pipefail", "-c", it.command)
	cmd.Dir, cmd.WaitDelay = r.work, 5*time.Second
	cmd.Env = append([]string{
		"PATH=" + os.Getenv("PATH") + string(os.PathListSeparator) + r.bin, "HOME=" + r.home, "LANG=C.UTF-8", "TERM=dumb", "NO_COLOR=1", "CI=1",
		"AWS_ENDPOINT_URL_CODEARTIFACT=" + r.p.Endpoint, "AWS_EC2_METADATA_DISABLED=true", "AWS_PAGER=", "PAGER=cat",
		"npm_config_update_notifier=false", "npm_config_fund=false", "npm_config_audit=false",
		"PIP_DISABLE_PIP_VERSION_CHECK=1", "PIP_ROOT_USER_ACTION=ignore", "CARGO_HOME=" + filepath.Join(r.home, ".cargo"),
		"RUSTUP_HOME=" + cmp.Or(os.Getenv("RUSTUP_HOME"), filepath.Join(os.Getenv("HOME"), ".rustup")), // where its cargo looks for the real one
	}, r.vars...)
	if it.as != "" {
		cmd.Env = append(cmd.Env, "AWS_PROFILE="+it.as)
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	return stdout.String(), stderr.String(), err
}

// oneLine is a command as the table has it.
func oneLine(command string) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(command, "\\\n", " ")), " ")
}

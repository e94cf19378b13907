package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const nugetAddress = "http://127.0.0.1:4873/my-domain-111122223333/nuget/my-repo/"

func TestNuGetSteps(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("APPDATA", filepath.Join(home, ".nuget"))
	steps, err := nugetSteps(t.Context(), &settings{registry: nugetAddress, token: secret})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time it is renewed
		for _, s := range steps {
			if strings.Contains(s.String(), secret) {
				t.Errorf("it prints %s", s)
			}
			if err := s.run(t.Context(), secret); err != nil {
				t.Fatal(err)
			}
		}
	}
	file := filepath.Join(home, ".nuget", "NuGet", "NuGet.Config")
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- begin: written by packhouse login nuget -->", "<!-- end: written by packhouse login nuget -->\n"
	want := "<configuration>\n" +
		begin + `<packageSources><add key="packhouse" value="` + nugetAddress + `v3/index.json" protocolVersion="3" allowInsecureConnections="true" /></packageSources>` + end +
		begin + `<disabledPackageSources><add key="nuget.org" value="true" /></disabledPackageSources>` + end +
		begin + `<packageSourceCredentials><packhouse><add key="Username" value="aws" /><add key="ClearTextPassword" value="` + secret + `" /></packhouse></packageSourceCredentials>` + end +
		"</configuration>\n"
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
}

func TestNuGetConfig(t *testing.T) {
	for name, tt := range map[string]struct{ old, want, err string }{
		"sources of before": {
			"<configuration>\n  <!-- mine -->\n  <packageSources>\n    <clear />\n    <add key=\"nuget.org\" value=\"x\" />\n  </packageSources>\n</configuration>",
			"<!-- mine -->", "",
		},
		"another packhouse":     {`<configuration><packageSources><add key="packhouse" value="x"/></packageSources></configuration>`, "", "with the id packhouse that login did not write"},
		"another's credentials": {`<configuration><packageSourceCredentials><packhouse></packhouse></packageSourceCredentials></configuration>`, "", "with the id packhouse that login did not write"},
		"another file":          {"<settings/>", "", "it is no NuGet.Config"},
		"no XML":                {"{", "", "it cannot be read"},
	} {
		got, err := nugetConfig(tt.old, nugetAddress)
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil || !strings.Contains(got, tt.want) || !strings.Contains(got, nugetAddress) {
			t.Errorf("%s: %v\n%s", name, err, got)
		}
		again, err := nugetConfig(strings.ReplaceAll(got, placeholder, "token"), nugetAddress)
		if diff := cmp.Diff(got, again); diff != "" || err != nil {
			t.Errorf("%s, a second time: %v\n%s", name, err, diff)
		}
	}
	if _, err := nugetSteps(t.Context(), &settings{registry: nugetAddress, scope: "@a"}); err == nil {
		t.Error("a scope was taken")
	}
}

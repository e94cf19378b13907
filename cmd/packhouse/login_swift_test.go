package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const swiftAddress = "https://packages.example.com:8443/my-domain-111122223333/swift/my-repo/"

func TestSwiftSteps(t *testing.T) {
	home, project := t.TempDir(), t.TempDir()
	t.Setenv("HOME", home)
	t.Chdir(project)
	if _, err := swiftStepsOn("linux", &settings{registry: swiftAddress}); err == nil || !strings.Contains(err.Error(), "no Package.swift here") {
		t.Errorf("outside of a project: %v", err)
	}
	netrc := filepath.Join(home, ".netrc")
	for file, text := range map[string]string{"Package.swift": "", netrc: "machine other login me password mine\ndefault login x password y\n"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, scope := range []string{"", "@mona", ""} { // the third time it is renewed
		steps, err := swiftStepsOn("linux", &settings{registry: swiftAddress, token: secret, scope: scope})
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range steps {
			if strings.Contains(s.String(), secret) {
				t.Errorf("it prints %s", s)
			}
			if err := s.run(t.Context(), secret); err != nil {
				t.Fatal(err)
			}
		}
	}
	registry := "{\n      \"supportsAvailability\": false,\n      \"url\": \"" + swiftAddress + "\"\n    }"
	for file, want := range map[string]string{
		netrc:                                    "machine other login me password mine\ndefault login x password y\nmachine packages.example.com login token password " + secret + "\n",
		".swiftpm/configuration/registries.json": "{\n  \"authentication\": {},\n  \"registries\": {\n    \"[default]\": " + registry + ",\n    \"mona\": " + registry + "\n  },\n  \"version\": 1\n}\n",
		filepath.Join(home, ".swiftpm/configuration/registries.json"): "{\n  \"authentication\": {\n    \"packages.example.com:8443\": {\n" +
			"      \"loginAPIPath\": \"/my-domain-111122223333/swift/my-repo/login\",\n      \"type\": \"token\"\n    }\n  },\n  \"registries\": {},\n  \"version\": 1\n}\n",
	} {
		got, err := os.ReadFile(file)
		if diff := cmp.Diff(want, string(got)); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", file, err, diff)
		}
	}
	if info, err := os.Stat(netrc); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	steps, err := swiftStepsOn("darwin", &settings{registry: swiftAddress, token: secret})
	if err != nil || len(steps) != 2 || steps[1].String() != "swift package-registry login "+swiftAddress+"login --token '<token>' --no-confirm" {
		t.Errorf("on macOS: %v %v", steps, err)
	}
	if err := os.WriteFile(".swiftpm/configuration/registries.json", []byte(`{"version":2}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := swiftStepsOn("linux", &settings{registry: swiftAddress}); err == nil || !strings.Contains(err.Error(), "registries.json: it has version 2") {
		t.Errorf("a file of the future: %v", err)
	}
}

func TestSwiftConfig(t *testing.T) {
	for name, tt := range map[string]struct{ old, want, err string }{
		"another's settings": {
			`{"version":1,"security":{"default":{"signing":{"onUnsigned":"warn"}}},"registries":{"[default]":{"url":"https://old.test"},"b":{"url":"https://b.test"}}}`,
			"{\n  \"registries\": {\n    \"[default]\": \"x\",\n    \"b\": {\n      \"url\": \"https://b.test\"\n    }\n  },\n  \"security\": {\n    \"default\": {\n      \"signing\": {\n        \"onUnsigned\": \"warn\"\n      }\n    }\n  },\n  \"version\": 1\n}\n", "",
		},
		"empty":         {" \n", "{\n  \"authentication\": {},\n  \"registries\": {\n    \"[default]\": \"x\"\n  },\n  \"version\": 1\n}\n", ""},
		"no registries": {`{"version":1}`, "{\n  \"registries\": {\n    \"[default]\": \"x\"\n  },\n  \"version\": 1\n}\n", ""},
		"no JSON":       {"{", "", "it cannot be read"},
		"no object":     {`{"version":1,"registries":[]}`, "", "registries is not an object"},
		"no version":    {`{}`, "", "it has version <nil>, and only 1 is known"},
	} {
		got, err := swiftConfig(tt.old, []string{"registries", "[default]"}, "x")
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if diff := cmp.Diff(tt.want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
}

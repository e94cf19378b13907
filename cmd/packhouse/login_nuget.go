package main

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// nugetSource is the name of the source that login writes.
const nugetSource = "packhouse"

var errNoNuGetScopes = errors.New("--scope: NuGet packages have no scopes")

// nugetSteps write the user's NuGet.Config, which dotnet, nuget, msbuild and Visual Studio read alike: the source and its credentials.
// nuget.org is turned off, so that no name is looked up past the repository; its packages come through a public:nuget-org connection.
// The commands of dotnet and nuget would have the token among their arguments, which every user of the machine can see.
func nugetSteps(_ context.Context, s *settings) ([]step, error) {
	if s.scope != "" {
		return nil, errNoNuGetScopes
	}
	file, err := nugetConfigFile()
	if err != nil {
		return nil, err
	}
	old, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	if _, err := nugetConfig(string(old), s.registry); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	index := s.registry + "v3/index.json"
	return []step{{
		file: file, line: fmt.Sprintf("source %s is %s, with the token, and nuget.org is disabled", nugetSource, index),
		rewrite: func(old string) string {
			text, err := nugetConfig(old, s.registry)
			if err != nil {
				return old // it was read a moment ago
			}
			return text
		},
	}}, nil
}

// nugetConfigFile is the configuration of the user (https://learn.microsoft.com/nuget/consume-packages/configuring-nuget-behavior).
func nugetConfigFile() (string, error) {
	if runtime.GOOS == "windows" {
		if dir := os.Getenv("APPDATA"); dir != "" {
			return filepath.Join(dir, "NuGet", "NuGet.Config"), nil
		}
	}
	home, err := os.UserHomeDir()
	return filepath.Join(home, ".nuget", "NuGet", "NuGet.Config"), err
}

// nugetConfig puts the source into a NuGet.Config, in the place of that of an earlier login.
func nugetConfig(old, registry string) (string, error) {
	file := xmlFile{tool: "nuget", root: "configuration", what: "NuGet.Config", name: nugetSource, named: func(d *xml.Decoder, e xml.StartElement) (string, error) {
		name := e.Name.Local // of credentials
		for _, a := range e.Attr {
			if a.Name.Local == "key" {
				name = a.Value
			}
		}
		return name, d.Skip()
	}}
	insecure := ""
	if strings.HasPrefix(registry, "http:") {
		insecure = ` allowInsecureConnections="true"`
	}
	return file.with(old, []xmlElement{
		{"packageSources", `<add key="` + nugetSource + `" value="` + xmlText(registry) + `v3/index.json" protocolVersion="3"` + insecure + ` />`},
		{"disabledPackageSources", `<add key="nuget.org" value="true" />`},
		{"packageSourceCredentials", "<" + nugetSource + `><add key="Username" value="aws" /><add key="ClearTextPassword" value="` + placeholder + `" /></` + nugetSource + ">"}, // last: the placeholder is no XML
	})
}

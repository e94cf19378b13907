package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// swiftSteps do what "aws codeartifact login --tool swift" does (guide, "Configure Swift with the login command"): the project in the
// working directory takes its packages from the repository, and the Swift Package Manager gets the token for the host, in ~/.netrc, or
// from macOS's keychain, into which only it can put one.
func swiftSteps(_ context.Context, s *settings) ([]step, error) {
	return swiftStepsOn(runtime.GOOS, s)
}

func swiftStepsOn(goos string, s *settings) ([]step, error) {
	at, err := url.Parse(s.registry)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat("Package.swift"); err != nil {
		return nil, errors.New("there is no Package.swift here: Swift has the registry of a project in the project; go there first")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return nil, err
	}
	scope := "[default]"
	if s.scope != "" {
		scope = strings.TrimPrefix(s.scope, "@")
	}
	project, err := swiftStep(filepath.Join(".swiftpm", "configuration", "registries.json"), "the registry of "+scope+" is "+s.registry,
		[]string{"registries", scope}, map[string]any{"url": s.registry, "supportsAvailability": false})
	if err != nil {
		return nil, err
	}
	if goos == "darwin" {
		return []step{project, {args: []string{"swift", "package-registry", "login", s.registry + "login", "--token", placeholder, "--no-confirm"}}}, nil
	}
	user, err := swiftStep(filepath.Join(home, ".swiftpm", "configuration", "registries.json"), at.Host+" is logged in to with a token",
		[]string{"authentication", at.Host}, map[string]any{"type": "token", "loginAPIPath": at.Path + "login"})
	if err != nil {
		return nil, err
	}
	return []step{project, user, {
		file: filepath.Join(home, ".netrc"), line: "the token of " + at.Hostname() + " is the token",
		rewrite: func(old string) string { return withMachine(old, at.Hostname()) },
	}}, nil
}

// swiftStep sets one value in a registries.json, and finds out beforehand whether that can be done.
func swiftStep(file, line string, path []string, value any) (step, error) {
	old, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return step{}, err
	}
	if _, err := swiftConfig(string(old), path, value); err != nil {
		return step{}, fmt.Errorf("%s: %w", file, err)
	}
	return step{file: file, line: line, rewrite: func(old string) string {
		text, err := swiftConfig(old, path, value)
		if err != nil {
			return old // it was read a moment ago
		}
		return text
	}}, nil
}

// swiftConfig sets a value in a registries.json, of which version 1 is known
// (https://github.com/swiftlang/swift-package-manager/blob/main/Sources/PackageRegistry/RegistryConfiguration.swift).
func swiftConfig(old string, path []string, value any) (string, error) {
	root := map[string]any{"version": json.Number("1"), "registries": map[string]any{}, "authentication": map[string]any{}}
	if strings.TrimSpace(old) != "" {
		root = map[string]any{}
		d := json.NewDecoder(strings.NewReader(old))
		d.UseNumber()
		if err := d.Decode(&root); err != nil {
			return "", fmt.Errorf("it cannot be read: %w", err)
		}
		if root["version"] != json.Number("1") {
			return "", fmt.Errorf("it has version %v, and only 1 is known", root["version"])
		}
	}
	at := root
	for _, key := range path[:len(path)-1] {
		if at[key] == nil {
			at[key] = map[string]any{}
		}
		next, ok := at[key].(map[string]any)
		if !ok {
			return "", fmt.Errorf("%s is not an object", key)
		}
		at = next
	}
	at[path[len(path)-1]] = value
	b, err := json.MarshalIndent(root, "", "  ")
	return string(b) + "\n", err
}

// withMachine puts the token of a host at the end of a .netrc, in the place of the one of an earlier login: the Swift Package Manager
// takes the last one. Entries that others wrote stay.
func withMachine(old, host string) string {
	entry := "machine " + host + " login token password "
	var out []string
	for line := range strings.Lines(old) {
		if line = strings.TrimRight(line, "\r\n"); !strings.HasPrefix(line, entry) {
			out = append(out, line)
		}
	}
	return strings.Join(append(out, entry+placeholder), "\n") + "\n"
}

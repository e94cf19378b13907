package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// errNoGemScopes is for clients whose packages have no namespace.
var errNoGemScopes = errors.New("--scope: gems have no scopes")

// gemKey is the name of the API key, as the guide has it ("gem push --key codeartifact_api_key").
const gemKey = ":codeartifact_api_key"

// gemSteps make the repository the one source of gems, and its token the API key for it (guide, "Configure RubyGems and Bundler
// manually"). The key also stands under the host, so that "gem push --host" needs no --key.
func gemSteps(_ context.Context, s *settings) ([]step, error) {
	if s.scope != "" {
		return nil, errNoGemScopes
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return nil, err
	}
	source := strings.Replace(s.registry, "://", "://aws:"+placeholder+"@", 1)
	host := strings.TrimSuffix(s.registry, "/")
	return []step{
		{
			file: filepath.Join(home, ".gemrc"), line: "the one source is " + s.registry,
			rewrite: func(old string) string { return withSources(old, source) },
		},
		{
			file: filepath.Join(home, ".gem", "credentials"), line: "the API key of " + host + ", and " + gemKey + ", are the token",
			rewrite: func(old string) string {
				return withKey(withKey(old, gemKey, "Bearer "+placeholder), host, "Bearer "+placeholder)
			},
		},
	}, nil
}

// withSources puts the list of sources into a .gemrc, in the place of the one that it has.
func withSources(old, source string) string {
	var out []string
	inList := false
	for line := range strings.Lines(old) {
		item := strings.HasPrefix(line, " ") || strings.HasPrefix(line, "-")
		inList = strings.HasPrefix(line, ":sources:") || inList && item
		if !inList {
			out = append(out, strings.TrimRight(line, "\r\n"))
		}
	}
	return strings.Join(append(out, ":sources:", "- "+source), "\n") + "\n"
}

// withKey puts a key with one value into a YAML mapping, in the place of the one that it has.
func withKey(old, key, value string) string {
	var out []string
	for line := range strings.Lines(old) {
		if !strings.HasPrefix(line, key+": ") {
			out = append(out, strings.TrimRight(line, "\r\n"))
		}
	}
	return strings.Join(append(out, fmt.Sprintf("%s: %s", key, value)), "\n") + "\n"
}

// bundleSteps give bundler the token for the repository, and make Gemfiles that name rubygems.org use it.
func bundleSteps(_ context.Context, s *settings) ([]step, error) {
	if s.scope != "" {
		return nil, errNoGemScopes
	}
	return []step{
		{args: []string{"bundle", "config", "set", "--global", s.registry, "aws:" + placeholder}},
		{args: []string{"bundle", "config", "set", "--global", "mirror.https://rubygems.org", s.registry}},
	}, nil
}

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os/exec"
	"slices"
	"strings"
)

// yarnSteps depend on the version: Yarn 1 reads npm's files, later ones have their own.
func yarnSteps(ctx context.Context, s *settings) ([]step, error) {
	out, err := exec.CommandContext(ctx, "yarn", "--version").Output()
	if err != nil {
		return nil, fmt.Errorf("yarn --version: %w", err)
	}
	if strings.HasPrefix(strings.TrimSpace(string(out)), "1.") {
		return yarnClassicSteps(ctx, s)
	}
	return yarnBerrySteps(ctx, s)
}

// yarnClassicSteps write the user's .npmrc, where Yarn 1 looks for registry and credentials. It sends them for packages without a
// scope only if told so (guide, "Configure Yarn 1.X"); npm refuses to write that setting, which is not its own any more.
func yarnClassicSteps(ctx context.Context, s *settings) ([]step, error) {
	steps, err := npmSteps(ctx, s)
	if err != nil {
		return nil, err
	}
	out, err := exec.CommandContext(ctx, "npm", "config", "get", "userconfig").Output()
	if err != nil {
		return nil, fmt.Errorf("npm config get userconfig: %w", err)
	}
	return append(steps, step{file: strings.TrimSpace(string(out)), line: s.nerfDart() + ":always-auth=true"}), nil
}

// yarnBerrySteps write the user's .yarnrc.yml. Later Yarns refuse plain HTTP unless the host is listed.
func yarnBerrySteps(ctx context.Context, s *settings) ([]step, error) {
	set := func(key, value string) step {
		return step{args: []string{"yarn", "config", "set", "--home", key, value}}
	}
	server := "npmRegistryServer"
	if s.scope != "" {
		server = fmt.Sprintf("npmScopes[%q].npmRegistryServer", s.scope[1:])
	}
	at := fmt.Sprintf("npmRegistries[%q]", strings.TrimSuffix(s.nerfDart(), "/"))
	steps := []step{set(server, s.registry), set(at+".npmAlwaysAuth", "true"), set(at+".npmAuthToken", placeholder)}
	u, err := url.Parse(s.registry)
	if err != nil {
		return nil, err
	}
	if u.Scheme != "http" {
		return steps, nil
	}
	hosts, err := yarnPlainHosts(ctx)
	if err != nil {
		return nil, err
	}
	if slices.Contains(hosts, u.Hostname()) {
		return steps, nil
	}
	list, err := json.Marshal(append(hosts, u.Hostname()))
	if err != nil {
		return nil, err
	}
	return append(steps, step{args: []string{"yarn", "config", "set", "--home", "--json", "unsafeHttpWhitelist", string(list)}}), nil
}

// yarnPlainHosts are the hosts for which Yarn takes plain HTTP already; setting the list replaces it.
func yarnPlainHosts(ctx context.Context) ([]string, error) {
	out, err := exec.CommandContext(ctx, "yarn", "config", "get", "--json", "unsafeHttpWhitelist").Output()
	if err != nil {
		return nil, fmt.Errorf("yarn config get unsafeHttpWhitelist: %w", err)
	}
	var hosts []string
	if err := json.Unmarshal(out, &hosts); err != nil {
		return nil, fmt.Errorf("yarn config get unsafeHttpWhitelist: %w", err)
	}
	return hosts, nil
}

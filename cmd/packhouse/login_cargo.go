package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/BurntSushi/toml"
)

// cargoRegistry is what the registry is called in cargo's configuration, and after "cargo publish --registry".
const cargoRegistry = "packhouse"

// The lines around what login writes into config.toml, so that the next login finds it.
const (
	cargoBegin = "# begin: written by packhouse login cargo"
	cargoEnd   = "# end: written by packhouse login cargo"
)

// cargoSteps add the registry to the user's config.toml, also in the place of crates.io (guide, "Configure Cargo manually"), and give
// cargo the token. Unlike the guide's, the configuration has no registry.default: with it, "cargo add" writes the registry's name
// beside public crates, which then are other crates than those that dependencies mean.
func cargoSteps(_ context.Context, s *settings) ([]step, error) {
	if s.scope != "" {
		return nil, errors.New("--scope: crates have no scopes")
	}
	home := os.Getenv("CARGO_HOME")
	if home == "" {
		dir, err := os.UserHomeDir()
		if err != nil {
			return nil, err
		}
		home = filepath.Join(dir, ".cargo")
	}
	file := filepath.Join(home, "config.toml")
	block := fmt.Sprintf("[registries.%s]\nindex = \"sparse+%s\"\ncredential-provider = \"cargo:token\"\n\n[source.crates-io]\nreplace-with = %q\n",
		cargoRegistry, s.registry, cargoRegistry)
	return []step{
		{file: file, text: block, edit: func(old string) (string, error) { return cargoConfig(file, old, block) }},
		{args: []string{"cargo", "login", "--registry", cargoRegistry}, input: placeholder},
	}, nil
}

// cargoConfig puts the block into a config.toml, in the place of the one of an earlier login.
func cargoConfig(file, old, block string) (string, error) {
	before, rest, found := strings.Cut(old, cargoBegin+"\n")
	_, after, ended := strings.Cut(rest, cargoEnd+"\n")
	if !found || !ended {
		before, after = old, ""
	}
	var ignored map[string]any
	if _, err := toml.Decode(before+after, &ignored); err != nil {
		return "", fmt.Errorf("%s: %w", file, err)
	}
	if before != "" && !strings.HasSuffix(before, "\n") {
		before += "\n"
	}
	if before != "" && !found {
		before += "\n"
	}
	out := before + cargoBegin + "\n" + block + cargoEnd + "\n" + after
	if _, err := toml.Decode(out, &ignored); err != nil {
		return "", fmt.Errorf("%s has settings of its own for [registries.%s] or [source.crates-io]; take them out, or write there yourself:\n\n%s", file, cargoRegistry, block)
	}
	return out, nil
}

// editFile changes a text file at once. One that is not there is made, for its owner alone; a link stays one.
func editFile(file string, edit func(old string) (string, error)) error {
	if target, err := filepath.EvalSymlinks(file); err == nil {
		file = target
	}
	old, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	text, err := edit(string(old))
	if err != nil || text == string(old) {
		return err
	}
	mode := fs.FileMode(0o600)
	if info, err := os.Stat(file); err == nil {
		mode = info.Mode().Perm()
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	draft, err := os.CreateTemp(filepath.Dir(file), ".packhouse-")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(draft.Name()) }() // after the rename there is none
	_, err = draft.WriteString(text)
	err = cmp.Or(err, draft.Chmod(mode))
	if err := errors.Join(err, draft.Close()); err != nil {
		return err
	}
	return os.Rename(draft.Name(), file)
}

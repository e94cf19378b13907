package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// errNoScopes is for clients whose packages have no namespace.
var errNoScopes = errors.New("--scope: Python packages have no scopes")

// indexURL is the address of the simple index with user and token in it, which is the one form that all Python clients understand.
func (s *settings) indexURL() string {
	return strings.Replace(s.registry, "://", "://aws:"+placeholder+"@", 1) + "simple/"
}

// pipSteps are what "aws codeartifact login --tool pip" does.
func pipSteps(_ context.Context, s *settings) ([]step, error) {
	if s.scope != "" {
		return nil, errNoScopes
	}
	return []step{{args: []string{"pip", "config", "--user", "set", "global.index-url", s.indexURL()}}}, nil
}

// twineServer is the name of the repository in .pypirc, as "aws codeartifact login --tool twine" has it.
const twineServer = "codeartifact"

// twineSteps write .pypirc, which flit reads, too. Neither has a command for it.
func twineSteps(_ context.Context, s *settings) ([]step, error) {
	if s.scope != "" {
		return nil, errNoScopes
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return nil, err
	}
	return []step{{
		file: filepath.Join(home, ".pypirc"), line: fmt.Sprintf("repository %s is %s", twineServer, s.registry),
		rewrite: func(old string) string { return withServer(old, twineServer, s.registry, "aws", placeholder) },
	}}, nil
}

// withServer puts a repository into a .pypirc and leaves everything else in it as it is.
func withServer(old, name, address, user, password string) string {
	sections := iniSections(old)
	at := slices.IndexFunc(sections, func(x iniSection) bool { return x.name == "distutils" })
	if at < 0 {
		sections = slices.Insert(sections, boundary(sections), iniSection{name: "distutils", lines: []string{"[distutils]"}})
		at = boundary(sections)
	}
	sections[at].addToList("index-servers", name)
	sections = slices.DeleteFunc(sections, func(x iniSection) bool { return x.name == name })
	sections = append(sections, iniSection{name: name, lines: []string{
		"[" + name + "]", "repository = " + address, "username = " + user, "password = " + password,
	}})
	var lines []string
	for _, x := range sections {
		lines = append(lines, x.lines...)
	}
	return strings.Join(lines, "\n") + "\n"
}

// boundary is where the first section goes: behind what stands before all sections.
func boundary(sections []iniSection) int {
	if len(sections) > 0 && sections[0].name == "" {
		return 1
	}
	return 0
}

// iniSection is a section with the line that begins it; that of name "" is what stands before all.
type iniSection struct {
	name  string
	lines []string
}

func iniSections(text string) []iniSection {
	var out []iniSection
	text = strings.TrimRight(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	if text == "" {
		return nil
	}
	for line := range strings.SplitSeq(text, "\n") {
		trimmed := strings.TrimSpace(line)
		if strings.HasPrefix(trimmed, "[") && strings.HasSuffix(trimmed, "]") {
			out = append(out, iniSection{name: trimmed[1 : len(trimmed)-1]})
		} else if len(out) == 0 {
			out = append(out, iniSection{})
		}
		last := &out[len(out)-1]
		last.lines = append(last.lines, line)
	}
	return out
}

// addToList adds an item to a value of several lines.
func (x *iniSection) addToList(key, item string) {
	at := slices.IndexFunc(x.lines, func(l string) bool {
		k, _, ok := strings.Cut(l, "=")
		return ok && strings.TrimSpace(k) == key
	})
	if at < 0 {
		x.lines = append(x.lines, key+" =", "    "+item)
		return
	}
	_, first, _ := strings.Cut(x.lines[at], "=")
	items := strings.Fields(first)
	end := at + 1
	for end < len(x.lines) && (strings.HasPrefix(x.lines[end], " ") || strings.HasPrefix(x.lines[end], "\t")) {
		items = append(items, strings.Fields(x.lines[end])...)
		end++
	}
	if !slices.Contains(items, item) {
		x.lines = slices.Insert(x.lines, end, "    "+item)
	}
}

// The lines around what login writes to uv's configuration, which no command of uv writes.
const (
	uvBegin = "# packhouse login: begin (written anew by each login)"
	uvEnd   = "# packhouse login: end"
)

// uvSteps write the user's uv.toml. The index is the default one and has the address for "uv publish --index packhouse".
func uvSteps(_ context.Context, s *settings) ([]step, error) {
	if s.scope != "" {
		return nil, errNoScopes
	}
	dir := os.Getenv("XDG_CONFIG_HOME")
	if dir == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return nil, err
		}
		dir = filepath.Join(home, ".config")
	}
	publish := strings.Replace(s.registry, "://", "://aws:"+placeholder+"@", 1)
	block := strings.Join([]string{
		uvBegin, "[[index]]", `name = "packhouse"`, `url = "` + s.indexURL() + `"`, `publish-url = "` + publish + `"`, "default = true", uvEnd,
	}, "\n") + "\n"
	return []step{{
		file: filepath.Join(dir, "uv", "uv.toml"), line: "the default index is " + s.registry + "simple/",
		rewrite: func(old string) string { return withBlock(old, block) },
	}}, nil
}

// withBlock replaces the block between our lines, or adds it at the end, where a table of TOML may always stand.
func withBlock(old, block string) string {
	before, rest, found := strings.Cut(old, uvBegin+"\n")
	if found {
		if _, after, ended := strings.Cut(rest, uvEnd+"\n"); ended {
			return before + block + after
		}
		rest = ""
	}
	if before != "" && !strings.HasSuffix(before, "\n") {
		before += "\n"
	}
	return before + block + rest
}

// poetrySteps make the repository known under the name packhouse. Which index a project installs from stands in its pyproject.toml.
func poetrySteps(_ context.Context, s *settings) ([]step, error) {
	if s.scope != "" {
		return nil, errNoScopes
	}
	return []step{
		{args: []string{"poetry", "config", "repositories.packhouse", s.registry}},
		{args: []string{"poetry", "config", "http-basic.packhouse", "aws", placeholder}},
	}, nil
}

// rewriteFile changes a file that may not exist. It becomes its owner's alone, because it has a token then, and is replaced at once,
// so that a client never reads half of it.
func rewriteFile(file string, change func(old string) string) error {
	if target, err := filepath.EvalSymlinks(file); err == nil {
		file = target // files of configuration are often links into a folder that is kept elsewhere
	}
	old, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	draft, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+"-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = draft.WriteString(change(string(old)))
	if err = errors.Join(err, draft.Close()); err == nil {
		err = os.Rename(draft.Name(), file)
	}
	if err != nil {
		return errors.Join(err, os.Remove(draft.Name()))
	}
	return nil
}

package format_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestOneFolder keeps the promise that adding a format is one folder: no Go string literal outside a format's own folder equals the
// format's name, so nobody switches on formats. Tests and generated files (format/all) are free to name them, and so are commands:
// "packhouse login npm" speaks of a client.
func TestOneFolder(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	formats := folders(t)
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); rel != "." && (strings.HasPrefix(name, ".") || slices.Contains([]string{"node_modules", "testdata", "hack", "bin", "cmd"}, name)) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || isSuite(rel) {
			return nil
		}
		if strings.HasPrefix(filepath.ToSlash(rel), "registry/group/") {
			return nil // the guide's rules of patterns name formats, and the operator reads patterns without having any
		}
		for _, l := range literals(t, path) {
			if name := l.value; slices.Contains(formats, name) && !strings.HasPrefix(filepath.ToSlash(rel), "registry/format/"+name+"/") {
				t.Errorf("%s:%d: %q names a format outside its folder; ask the format's Traits or Names instead", rel, l.line, name)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestEveryFormatPassesTheSuite: a format that nobody holds against what all promise is not finished.
func TestEveryFormatPassesTheSuite(t *testing.T) {
	t.Parallel()
	for _, name := range folders(t) {
		tests, err := filepath.Glob(filepath.Join(name, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(tests, func(path string) bool {
			b, err := os.ReadFile(path)
			return err == nil && strings.Contains(string(b), "formattest.Run(t, ")
		}) {
			t.Errorf("registry/format/%s: no test calls formattest.Run", name)
		}
	}
}

// isSuite says whether a file belongs to a package that only tests import.
func isSuite(rel string) bool {
	dir := filepath.ToSlash(filepath.Dir(rel))
	return strings.HasSuffix(dir, "test") || strings.Contains(dir, "registry/internal/")
}

// folders are the names of the formats: the folders here that are none of the helpers.
func folders(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() && !slices.Contains([]string{"all", "formattest", "testdata"}, e.Name()) {
			names = append(names, e.Name())
		}
	}
	return names
}

type literal struct {
	value string
	line  int
}

// literals are the string literals of a file, without import paths and struct tags. Generated files have none.
func literals(t *testing.T, path string) []literal {
	t.Helper()
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, path, nil, parser.ParseComments)
	if err != nil {
		t.Logf("not looked at: %v", err)
		return nil
	}
	if ast.IsGenerated(file) {
		return nil
	}
	var out []literal
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ImportSpec:
			return false
		case *ast.BasicLit:
			if n.Kind == token.STRING {
				if s, err := strconv.Unquote(n.Value); err == nil {
					out = append(out, literal{s, fset.Position(n.Pos()).Line})
				}
			}
		}
		return true
	})
	return out
}

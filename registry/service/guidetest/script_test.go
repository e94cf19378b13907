package guidetest_test

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

// chapter is a file of testdata.
type chapter struct {
	name  string
	files []txtar.File
	items []item
}

// item is a block of a script.
type item struct {
	kind    kind
	line    int // in the file
	section string
	command string // of the shell, or the fixture's words

	guide   int // line of the guide; 0: it is not there as it is here
	notes   []string
	refused string
	as      string
	needs   string
	set     string
	outside string // why it is not run
	want    string
}

type kind int

const (
	row kind = iota
	fixture
	shell
)

// chapters reads all of them in the order of the guide.
func chapters(t *testing.T) []chapter {
	t.Helper()
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no chapters: %v", err)
	}
	var out []chapter
	for _, path := range paths {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		items, err := parse(string(archive.Comment))
		if err != nil {
			t.Fatalf("%s:%v", path, err)
		}
		out = append(out, chapter{strings.TrimSuffix(filepath.Base(path), ".txtar"), archive.Files, items})
	}
	return out
}

// parse reads a script. Errors begin with the number of a line.
func parse(script string) ([]item, error) {
	var items []item
	section := ""
	lines := strings.Split(script, "\n")
	for at := 0; at < len(lines); {
		if lines[at] == "" || strings.HasPrefix(lines[at], "#") {
			at++
			continue
		}
		begin := at
		for at < len(lines) && lines[at] != "" {
			at++
		}
		block := lines[begin:at]
		it := item{line: begin + 1, section: section}
		switch head := block[0]; {
		case strings.HasPrefix(head, "== "):
			section = head[3:]
			continue
		case strings.HasPrefix(head, "% "):
			for _, line := range block {
				items = append(items, item{kind: fixture, line: it.line, section: section, command: strings.TrimPrefix(line, "% ")})
			}
			continue
		case strings.HasPrefix(head, "+ "):
			it.kind, it.command = shell, strings.Join(block, "\n")[2:]
		case strings.HasPrefix(head, "@"):
			if err := it.row(block); err != nil {
				return nil, fmt.Errorf("%d: %w", begin+1, err)
			}
		default:
			return nil, fmt.Errorf("%d: a block that begins with %q", begin+1, head)
		}
		items = append(items, it)
	}
	return items, nil
}

var rowHead = regexp.MustCompile(`^@(\d*) (.+)$`)

func (it *item) row(block []string) error {
	m := rowHead.FindStringSubmatch(block[0])
	if m == nil {
		return fmt.Errorf("%q is no row", block[0])
	}
	it.guide, _ = strconv.Atoi(m[1]) // digits or nothing
	command, rest := []string{m[2]}, block[1:]
	for strings.HasSuffix(command[len(command)-1], `\`) && len(rest) > 0 {
		command, rest = append(command, rest[0]), rest[1:]
	}
	it.command = strings.Join(command, "\n")
	for len(rest) > 0 && strings.HasPrefix(rest[0], ": ") {
		key, value, _ := strings.Cut(rest[0][2:], " ")
		switch key {
		case "note":
			it.notes = append(it.notes, value)
		case "refused":
			it.refused = value
		case "as":
			it.as = value
		case "needs":
			it.needs = value
		case "set":
			it.set = value
		case "outside":
			it.outside = value
		default:
			return fmt.Errorf("unknown word %q", key)
		}
		rest = rest[1:]
	}
	it.want = strings.Join(rest, "\n")
	return nil
}

// rows are the items that go into the table.
func (c chapter) rows() []item {
	var out []item
	for _, it := range c.items {
		if it.kind == row {
			out = append(out, it)
		}
	}
	return out
}

// TestScripts: every chapter can be read, its rows are in the order of the guide, and say enough.
func TestScripts(t *testing.T) {
	t.Parallel()
	last := 0
	for _, c := range chapters(t) {
		for _, it := range c.rows() {
			at := fmt.Sprintf("%s:%d", c.name, it.line)
			if it.section == "" {
				t.Errorf("%s: in no section", at)
			}
			if it.guide == 0 && len(it.notes) == 0 {
				t.Errorf("%s: a command that the guide does not have needs a note", at)
			}
			if it.guide > 0 && it.guide < last {
				t.Errorf("%s: line %d stands behind line %d", at, it.guide, last)
			}
			last = max(last, it.guide)
			if err := checkWant(it.want); err != nil {
				t.Errorf("%s: %v", at, err)
			}
		}
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		script string
		items  int
		fails  bool
	}{
		"empty":        {"# nothing\n", 0, false},
		"rows":         {"== A\n\n@7 aws x \\\n  y\n: note because\n{}\n\n% a b\n% c d\n\n+ true\nfalse\n", 4, false},
		"unknown kind": {"hello\n", 0, true},
		"unknown word": {"@7 aws\n: nothing x\n", 0, true},
		"no command":   {"@7\n", 0, true},
	}
	for name, tt := range tests {
		items, err := parse(tt.script)
		if (err != nil) != tt.fails || len(items) != tt.items {
			t.Errorf("%s: %d items, %v", name, len(items), err)
		}
	}
}

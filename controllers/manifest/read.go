package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Bounds of what is read.
const (
	maxFile      = 8 << 20
	maxFiles     = 2000
	maxDocuments = 20_000
	maxNodes     = 1 << 20 // of one document, aliases followed
	maxDepth     = 100
)

// document is one YAML document.
type document struct {
	place
	root    *yaml.Node
	content map[string]any
	kept    bool // of the folder behind all others
}

// created is when a kept object came to be.
func (d *document) created() (time.Time, bool) {
	meta, _ := d.content["metadata"].(map[string]any)
	text, _ := meta["creationTimestamp"].(string)
	at, err := time.Parse(time.RFC3339, text)
	return at, err == nil && d.kept
}

// read reads all documents of files and folders.
func read(paths []string) ([]*document, []*Error) {
	files, problems := expand(paths)
	var out []*document
	for _, f := range files {
		docs, errs := readFile(f)
		out, problems = append(out, docs...), append(problems, errs...)
		if len(out) > maxDocuments {
			return nil, append(problems, &Error{File: f, Message: fmt.Sprintf("there are more than %d objects", maxDocuments)})
		}
	}
	return out, problems
}

// expand lists the files of folders, in order of their names.
func expand(paths []string) (files []string, problems []*Error) {
	for _, p := range paths {
		fi, err := os.Stat(p)
		if err != nil {
			problems = append(problems, &Error{File: p, Message: reason(err)})
			continue
		}
		if !fi.IsDir() {
			files = append(files, p)
			continue
		}
		entries, err := os.ReadDir(p)
		if err != nil {
			problems = append(problems, &Error{File: p, Message: reason(err)})
			continue
		}
		for _, e := range entries {
			name := e.Name()
			// Editors leave hidden files beside those they write.
			if e.IsDir() || strings.HasPrefix(name, ".") || !slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(name)) {
				continue
			}
			files = append(files, filepath.Join(p, name))
		}
	}
	if len(files) > maxFiles {
		problems = append(problems, &Error{File: paths[0], Message: fmt.Sprintf("there are more than %d files", maxFiles)})
		return nil, problems
	}
	return files, problems
}

// reason is an error of the file system without the path, which is said already.
func reason(err error) string {
	var pe *os.PathError
	if errors.As(err, &pe) {
		return pe.Err.Error()
	}
	return err.Error()
}

func readFile(path string) ([]*document, []*Error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, []*Error{{File: path, Message: reason(err)}}
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, []*Error{{File: path, Message: reason(err)}}
	}
	if len(data) > maxFile {
		return nil, []*Error{{File: path, Message: fmt.Sprintf("has more than %d MiB", maxFile>>20)}}
	}
	return parse(path, data)
}

// parse reads the documents of a file.
func parse(path string, data []byte) (out []*document, problems []*Error) {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var root yaml.Node
		err := decode(dec, &root)
		if errors.Is(err, io.EOF) {
			return out, problems
		}
		if err != nil {
			return out, append(problems, syntaxError(path, err))
		}
		docs, err := documents(path, &root)
		if err != nil {
			problems = append(problems, err.(*Error)) //nolint:errorlint,forcetypeassert // documents returns nothing else
			continue
		}
		out = append(out, docs...)
		if len(out) > maxDocuments {
			return out, problems
		}
	}
}

// decode turns a panic of the parser over hostile input into an error.
func decode(dec *yaml.Decoder, n *yaml.Node) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("cannot be read as YAML: %v", p)
		}
	}()
	return dec.Decode(n)
}

// syntaxError takes the line out of a parser's message.
func syntaxError(path string, err error) *Error {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	if rest, ok := strings.CutPrefix(text, "line "); ok {
		if number, message, ok := strings.Cut(rest, ": "); ok {
			if line, err := strconv.Atoi(number); err == nil {
				return &Error{File: path, Line: line, Message: message}
			}
		}
	}
	return &Error{File: path, Message: text}
}

// documents converts a YAML document; a List gives those of its items.
func documents(path string, root *yaml.Node) ([]*document, error) {
	n := root
	if n.Kind == yaml.DocumentNode {
		if len(n.Content) == 0 {
			return nil, nil
		}
		n = n.Content[0]
	}
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		return nil, nil // only comments
	}
	c := &converter{path: path, left: maxNodes}
	v, err := c.value(n, 0)
	if err != nil {
		return nil, err
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, &Error{File: path, Line: n.Line, Message: "is no object"}
	}
	if m["kind"] == "List" && m["apiVersion"] == "v1" {
		return listed(path, n, m)
	}
	return []*document{{place: place{path, n.Line}, root: n, content: m}}, nil
}

func listed(path string, n *yaml.Node, m map[string]any) ([]*document, error) {
	items, _ := m["items"].([]any)
	at := child(n, "items")
	var out []*document
	for i, item := range items {
		content, ok := item.(map[string]any)
		if !ok {
			return nil, &Error{File: path, Line: at.Content[i].Line, Message: "is no object"}
		}
		out = append(out, &document{place: place{path, at.Content[i].Line}, root: at.Content[i], content: content})
	}
	return out, nil
}

// converter makes plain values of nodes, as JSON has them.
type converter struct {
	path string
	left int
}

func (c *converter) value(n *yaml.Node, depth int) (any, error) {
	fail := func(format string, args ...any) error {
		return &Error{File: c.path, Line: n.Line, Message: fmt.Sprintf(format, args...)}
	}
	if c.left--; c.left < 0 {
		return nil, fail("the document has more than %d values", maxNodes)
	}
	if depth > maxDepth {
		return nil, fail("the document is nested more than %d deep", maxDepth)
	}
	switch n.Kind {
	case yaml.AliasNode:
		return c.value(n.Alias, depth+1)
	case yaml.SequenceNode:
		out := make([]any, 0, len(n.Content))
		for _, item := range n.Content {
			v, err := c.value(item, depth+1)
			if err != nil {
				return nil, err
			}
			out = append(out, v)
		}
		return out, nil
	case yaml.MappingNode:
		out := make(map[string]any, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			k := n.Content[i]
			if k.Kind != yaml.ScalarNode || k.Tag == "!!merge" {
				return nil, &Error{File: c.path, Line: k.Line, Message: "keys must be plain text"}
			}
			if _, again := out[k.Value]; again {
				return nil, &Error{File: c.path, Line: k.Line, Message: fmt.Sprintf("%q is there twice", k.Value)}
			}
			v, err := c.value(n.Content[i+1], depth+1)
			if err != nil {
				return nil, err
			}
			out[k.Value] = v
		}
		return out, nil
	case yaml.ScalarNode:
		return c.scalar(n, fail)
	default:
		return nil, fail("cannot be read")
	}
}

func (c *converter) scalar(n *yaml.Node, fail func(string, ...any) error) (any, error) {
	switch n.Tag {
	case "!!null":
		return nil, nil
	case "!!bool":
		var b bool
		if err := n.Decode(&b); err != nil {
			return nil, fail("%q is neither true nor false", n.Value)
		}
		return b, nil
	case "!!int":
		var i int64
		if err := n.Decode(&i); err != nil {
			return nil, fail("%q is no 64-bit number", n.Value)
		}
		return i, nil
	case "!!float":
		var f float64
		if err := n.Decode(&f); err != nil {
			return nil, fail("%q is no number", n.Value)
		}
		return f, nil
	case "!!str", "!!timestamp":
		return n.Value, nil
	default:
		return nil, fail("values with the tag %s are not taken", n.Tag)
	}
}

// child returns the value of a key, nil if there is none.
func child(n *yaml.Node, key string) *yaml.Node {
	for n != nil && n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// lineOf finds the line of a field path like spec.upstreams[0].name: that of the key, or of the nearest thing above it.
func lineOf(n *yaml.Node, path string) int {
	line := n.Line
	for len(path) > 0 {
		path = strings.TrimPrefix(path, ".")
		if rest, ok := strings.CutPrefix(path, "["); ok {
			index, after, _ := strings.Cut(rest, "]")
			path = after
			if i, err := strconv.Atoi(index); err == nil && n.Kind == yaml.SequenceNode && i < len(n.Content) {
				n = n.Content[i]
				line = n.Line
				continue
			}
			if n = child(n, strings.Trim(index, `"`)); n == nil {
				return line
			}
			line = n.Line
			continue
		}
		end := strings.IndexAny(path, ".[")
		if end < 0 {
			end = len(path)
		}
		key := path[:end]
		path = path[end:]
		for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == key {
				line = n.Content[i].Line
			}
		}
		if n = child(n, key); n == nil {
			return line
		}
	}
	return line
}

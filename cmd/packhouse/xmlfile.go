package main

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// xmlFile is a configuration file of a tool: sections below one element, which login adds to. Comments and everything else stay as they
// are.
type xmlFile struct {
	tool string // of "packhouse login"
	root string // the outermost element
	what string // the file, for messages
	name string // what login's own elements are called
	// named returns the name of an element of a section, whose start was read; it reads to its end.
	named func(d *xml.Decoder, e xml.StartElement) (string, error)
}

// xmlElement is what login adds to a section.
type xmlElement struct{ section, element string }

// The lines around what login writes, so that the next login finds it.
func (f xmlFile) begin() string { return "<!-- begin: written by packhouse login " + f.tool + " -->" }
func (f xmlFile) end() string   { return "<!-- end: written by packhouse login " + f.tool + " -->" }

// with puts elements into a file, in the place of those of an earlier login. A section that is not there is made.
func (f xmlFile) with(old string, elements []xmlElement) (string, error) {
	text, err := f.withoutBlocks(old)
	if err != nil {
		return "", err
	}
	if strings.TrimSpace(text) == "" {
		text = "<" + f.root + ">\n</" + f.root + ">\n"
	}
	for _, e := range elements {
		if text, err = f.withElement(text, e); err != nil {
			return "", err
		}
	}
	return text, nil
}

func (f xmlFile) withoutBlocks(text string) (string, error) {
	for {
		before, rest, found := strings.Cut(text, f.begin())
		if !found {
			return text, nil
		}
		_, after, ended := strings.Cut(rest, f.end())
		if !ended {
			return "", fmt.Errorf("the line %s has no end; take out what login wrote, and the line", f.begin())
		}
		text = strings.TrimRight(before, " ") + strings.TrimPrefix(after, "\n")
	}
}

func (f xmlFile) withElement(text string, e xmlElement) (string, error) {
	at, err := f.find(text, e.section)
	if err != nil {
		return "", err
	}
	block := f.begin() + e.element + f.end() + "\n"
	switch {
	case at.end == 0:
		block = f.begin() + "<" + e.section + ">" + e.element + "</" + e.section + ">" + f.end() + "\n"
		return text[:at.root] + block + text[at.root:], nil
	case at.end == at.start: // <servers/>
		return text[:at.begin] + "<" + e.section + ">" + block + "</" + e.section + ">" + text[at.end:], nil
	}
	return text[:at.start] + "\n" + block + strings.TrimPrefix(text[at.start:], "\n"), nil
}

// sectionAt is where a section stands, in bytes: begin and start are before and behind its first tag, end is behind its last, 0 if
// there is none. root is before the last tag of all.
type sectionAt struct{ begin, start, end, root int64 }

func (f xmlFile) find(text, section string) (at sectionAt, err error) {
	d := xml.NewDecoder(strings.NewReader(text))
	depth := 0
	for {
		before := d.InputOffset()
		t, err := d.Token()
		if errors.Is(err, io.EOF) && at.root > 0 {
			return at, nil
		}
		if err != nil {
			return at, fmt.Errorf("it cannot be read: %w", err)
		}
		switch t := t.(type) {
		case xml.StartElement:
			depth++
			switch {
			case depth == 1 && t.Name.Local != f.root:
				return at, fmt.Errorf("it is no %s: its element is <%s>", f.what, t.Name.Local)
			case depth == 2 && t.Name.Local == section:
				at.begin, at.start = before, d.InputOffset()
			case depth == 3 && at.start > 0 && at.end == 0:
				name, err := f.named(d, t)
				if err != nil {
					return at, fmt.Errorf("it cannot be read: %w", err)
				}
				depth--
				if name == f.name {
					return at, fmt.Errorf("it has a %s with the id %s that login did not write; give that another id, or take it out", t.Name.Local, f.name)
				}
			}
		case xml.EndElement:
			if depth == 2 && t.Name.Local == section {
				at.end = d.InputOffset()
			}
			if depth == 1 {
				at.root = before
			}
			depth--
		}
	}
}

// xmlText writes a text for XML.
func xmlText(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // into memory
	return b.String()
}

// Package safexml reads XML documents that strangers wrote.
package safexml

import (
	"bufio"
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"

	"packhouse.dev/packhouse/registry"
)

const (
	maxDepth = 100
	maxLabel = 40 // characters of the name of an encoding
)

// Decode reads one XML document into v, as encoding/xml does. It has no document type, which could define entities, and is not nested
// deeply. The caller bounds r. Errors wrap registry.ErrInvalid.
func Decode(r io.Reader, v any) error {
	d := xml.NewDecoder(unmarked(r))
	d.Entity = xml.HTMLEntity // old POMs use them undeclared, and Maven knows them
	d.CharsetReader = charset
	err := xml.NewTokenDecoder(&guarded{d: d}).Decode(v)
	if errors.Is(err, io.EOF) {
		err = errors.New("it is empty or cut off")
	}
	if err != nil {
		return fmt.Errorf("%w: %w", registry.ErrInvalid, err)
	}
	return nil
}

type guarded struct {
	d     *xml.Decoder
	depth int
}

// Token implements xml.TokenReader.
func (g *guarded) Token() (xml.Token, error) {
	t, err := g.d.Token()
	switch t.(type) {
	case xml.Directive:
		return nil, errors.New("document types are not read")
	case xml.StartElement:
		if g.depth++; g.depth > maxDepth {
			return nil, errors.New("it is nested too deeply")
		}
	case xml.EndElement:
		g.depth--
	}
	return t, err
}

// charset reads the encodings that documents are written in beside UTF-8. What a byte order mark said is UTF-8 by now.
func charset(label string, r io.Reader) (io.Reader, error) {
	switch strings.ToLower(label) {
	case "utf-8", "utf8", "us-ascii", "ascii", "utf-16", "utf-16le", "utf-16be":
		return r, nil
	case "iso-8859-1", "latin1", "windows-1252", "cp1252", "iso-8859-15":
		return &latin{r: r}, nil
	}
	return nil, fmt.Errorf("the encoding %q is not read; write UTF-8", label[:min(len(label), maxLabel)])
}

// latin turns ISO-8859-1 into UTF-8. Its relatives differ in a few characters, which only descriptions have.
type latin struct {
	r    io.Reader
	left bytes.Buffer
	buf  [4096]byte
}

// Read implements io.Reader.
func (l *latin) Read(p []byte) (int, error) {
	for l.left.Len() == 0 {
		n, err := l.r.Read(l.buf[:])
		for _, c := range l.buf[:n] {
			l.left.WriteRune(rune(c))
		}
		if n == 0 && err != nil {
			return 0, err
		}
	}
	return l.left.Read(p)
}

// unmarked makes UTF-8 of what begins with a byte order mark of UTF-16, and takes the mark away.
func unmarked(r io.Reader) io.Reader {
	b := bufio.NewReader(r)
	mark, err := b.Peek(2)
	if err == nil && (mark[0] == 0xfe && mark[1] == 0xff || mark[0] == 0xff && mark[1] == 0xfe) {
		return transform.NewReader(b, unicode.UTF16(unicode.BigEndian, unicode.ExpectBOM).NewDecoder())
	}
	if mark, err = b.Peek(3); err == nil && bytes.Equal(mark, []byte("\xef\xbb\xbf")) {
		_, _ = b.Discard(len(mark)) // they were peeked
	}
	return b
}

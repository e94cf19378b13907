package npm

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"packhouse.dev/packhouse/registry"
)

// jsonStream reads a JSON document that may hold a string of gigabytes, with memory for its small parts only. encoding/json's tokens
// hold whole strings.
type jsonStream struct {
	r    *bufio.Reader
	left int64 // bytes of everything but streamed strings that may still be read
}

func newJSONStream(r io.Reader, budget int64) *jsonStream {
	return &jsonStream{r: bufio.NewReaderSize(r, 64<<10), left: budget}
}

func malformed(what string) error {
	return fmt.Errorf("%w: the request is not valid JSON: %s", registry.ErrInvalid, what)
}

// readError names an end in the middle; other errors of reading stay what they are.
func readError(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return malformed("it ends in the middle")
	}
	return err
}

func (s *jsonStream) byte() (byte, error) {
	if s.left--; s.left < 0 {
		return 0, fmt.Errorf("%w: the request has too much beside its tarball", registry.ErrTooLarge)
	}
	c, err := s.r.ReadByte()
	if err != nil {
		return 0, readError(err)
	}
	return c, nil
}

// next returns the next byte that is no white space.
func (s *jsonStream) next() (byte, error) {
	for {
		c, err := s.byte()
		if err != nil {
			return 0, err
		}
		if c != ' ' && c != '\t' && c != '\n' && c != '\r' {
			return c, nil
		}
	}
}

func (s *jsonStream) back() { _ = s.r.UnreadByte(); s.left++ }

// object reads an object and calls fn at the value of each member; fn reads the value. Keys come in order, also equal ones.
func (s *jsonStream) object(fn func(key string) error) error {
	c, err := s.next()
	if err != nil {
		return err
	}
	if c != '{' {
		return malformed("an object is missing")
	}
	for first := true; ; first = false {
		if c, err = s.next(); err != nil {
			return err
		}
		if c == '}' && first {
			return nil
		}
		if c != '"' {
			return malformed("a key is missing")
		}
		s.back()
		raw, err := s.value(1 << 10)
		if err != nil {
			return err
		}
		key, ok := unquote(raw)
		if !ok {
			return malformed("a key is broken")
		}
		if c, err = s.next(); err != nil {
			return err
		}
		if c != ':' {
			return malformed("a colon is missing")
		}
		if err := fn(key); err != nil {
			return err
		}
		switch c, err = s.next(); {
		case err != nil:
			return err
		case c == '}':
			return nil
		case c != ',':
			return malformed("a comma is missing")
		}
	}
}

// end checks that nothing but white space follows.
func (s *jsonStream) end() error {
	for {
		c, err := s.r.ReadByte()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if s.left--; s.left < 0 || c != ' ' && c != '\t' && c != '\n' && c != '\r' {
			return malformed("something follows it")
		}
	}
}

// value reads one value of at most limit bytes, checked and without white space.
func (s *jsonStream) value(limit int) ([]byte, error) {
	c, err := s.next()
	if err != nil {
		return nil, err
	}
	buf := make([]byte, 0, 64)
	depth := 0
	for inString := false; ; {
		if len(buf) >= limit {
			return nil, fmt.Errorf("%w: a part of the request has more than %d bytes", registry.ErrTooLarge, limit)
		}
		buf = append(buf, c)
		switch {
		case inString && c == '\\':
			if c, err = s.byte(); err != nil {
				return nil, err
			}
			buf = append(buf, c)
		case inString:
			inString = c != '"'
		case c == '"':
			inString = true
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
		}
		if depth == 0 && !inString && (c == '"' || c == '}' || c == ']') {
			return parseJSON(buf)
		}
		if c, err = s.byte(); err != nil {
			return nil, err
		}
		if depth == 0 && !inString && bytes.IndexByte([]byte(",}] \t\r\n"), c) >= 0 { // the end of a number or a word
			s.back()
			return parseJSON(buf)
		}
	}
}

// text begins to read a string. What it returns must be read to its end before anything else.
func (s *jsonStream) text() (io.Reader, error) {
	c, err := s.next()
	if err != nil {
		return nil, err
	}
	if c != '"' {
		return nil, malformed("a string is missing")
	}
	return &stringReader{r: s.r}, nil
}

// stringReader reads the content of a JSON string.
type stringReader struct {
	r     *bufio.Reader
	spare []byte // decoded escapes that did not fit
	err   error
}

// Read copies up to the next escape or quote at a time.
func (s *stringReader) Read(p []byte) (int, error) {
	if len(s.spare) > 0 {
		n := copy(p, s.spare)
		s.spare = s.spare[n:]
		return n, nil
	}
	if s.err != nil || len(p) == 0 {
		return 0, s.err
	}
	if _, err := s.r.Peek(1); err != nil {
		s.err = readError(err)
		return 0, s.err
	}
	chunk, _ := s.r.Peek(min(len(p), s.r.Buffered()))
	n := 0
	for n < len(chunk) && chunk[n] != '"' && chunk[n] != '\\' && chunk[n] >= ' ' {
		n++
	}
	if n > 0 {
		copy(p, chunk[:n])
		_, err := s.r.Discard(n)
		return n, err
	}
	switch chunk[0] {
	case '"':
		_, _ = s.r.Discard(1)
		s.err = io.EOF
		return 0, io.EOF
	case '\\':
		if s.spare, s.err = s.escape(); s.err != nil {
			return 0, s.err
		}
		return s.Read(p)
	}
	s.err = malformed("a string has a control character")
	return 0, s.err
}

func (s *stringReader) escape() ([]byte, error) {
	b := make([]byte, 2)
	if _, err := io.ReadFull(s.r, b); err != nil {
		return nil, readError(err)
	}
	if i := strings.IndexByte(`"\/bfnrt`, b[1]); i >= 0 {
		return []byte{"\"\\/\b\f\n\r\t"[i]}, nil
	}
	if b[1] != 'u' {
		return nil, malformed("a string has an unknown escape")
	}
	r, err := s.unit()
	if err != nil {
		return nil, err
	}
	if utf16.IsSurrogate(r) {
		if next, _ := s.r.Peek(2); string(next) == `\u` {
			_, _ = s.r.Discard(2)
			low, err := s.unit()
			if err != nil {
				return nil, err
			}
			r = utf16.DecodeRune(r, low)
		}
	}
	return utf8.AppendRune(nil, r), nil
}

// unit reads four hexadecimal digits.
func (s *stringReader) unit() (rune, error) {
	b := make([]byte, 4)
	if _, err := io.ReadFull(s.r, b); err != nil {
		return 0, readError(err)
	}
	n, err := strconv.ParseUint(string(b), 16, 16)
	if err != nil {
		return 0, malformed("a string has a broken escape")
	}
	return rune(n), nil
}

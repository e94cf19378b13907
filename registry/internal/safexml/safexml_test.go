package safexml_test

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf16"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/internal/safexml"
)

type doc struct {
	A string `xml:"a"`
}

func wide(s string, big bool) string {
	var b strings.Builder
	for _, u := range utf16.Encode([]rune("\ufeff" + s)) {
		if big {
			u = u<<8 | u>>8
		}
		b.Write([]byte{byte(u), byte(u >> 8)})
	}
	return b.String()
}

func TestDecode(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"plain":         "<x><a>ä</a></x>",
		"mark":          "\ufeff<x><a>ä</a></x>",
		"entity":        "<x><a>&auml;</a></x>",
		"latin 1":       "<?xml version='1.0' encoding='ISO-8859-1'?><x><a>\xe4</a></x>",
		"UTF-16":        wide("<?xml version='1.0' encoding='utf-16'?><x><a>ä</a></x>", false),
		"UTF-16, other": wide("<x><a>ä</a></x>", true),
	} {
		var d doc
		if err := safexml.Decode(strings.NewReader(text), &d); err != nil || d.A != "ä" {
			t.Errorf("%s: %q %v", name, d.A, err)
		}
	}
	for name, text := range map[string]string{
		"empty": "", "one byte": "\xff", "cut off": "<x><a>", "document type": "<!DOCTYPE x><x/>", "deep": strings.Repeat("<x>", 200), "encoding": "<?xml version='1.0' encoding='ebcdic'?><x/>",
	} {
		if err := safexml.Decode(strings.NewReader(text), new(doc)); !errors.Is(err, registry.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

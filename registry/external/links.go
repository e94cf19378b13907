package external

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
)

// maxLinks bounds what is kept of the Link headers of one answer, in bytes.
const maxLinks = 64 << 10

// withLinks puts the Link headers of an answer before its body, in a line of JSON: that is how a document of which they are a part is
// kept, so that they change, stay and go with it.
func withLinks(links []string, body io.Reader) (io.Reader, error) {
	size := 0
	for _, l := range links {
		size += len(l)
	}
	if size > maxLinks {
		return nil, fmt.Errorf("%w: Link headers of %d bytes", errTooBig, size)
	}
	line, err := json.Marshal(append([]string{}, links...))
	if err != nil {
		return nil, fmt.Errorf("%w: Link headers: %w", errMalformed, err)
	}
	return io.MultiReader(bytes.NewReader(append(line, '\n')), body), nil
}

// cutLinks undoes withLinks.
func cutLinks(kept []byte) (links []string, body []byte, err error) {
	line, body, ok := bytes.Cut(kept, []byte("\n"))
	if !ok {
		return nil, nil, fmt.Errorf("%w: no Link headers", errUnreadable)
	}
	if err := json.Unmarshal(line, &links); err != nil {
		return nil, nil, fmt.Errorf("%w: Link headers: %w", errUnreadable, err)
	}
	return links, body, nil
}

package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"packhouse.dev/packhouse/registry"
)

// Encode writes a document. The same document gives the same bytes.
func Encode[T Registry | Domain](doc *T) ([]byte, error) { return json.Marshal(doc) }

// Decode reads a document strictly: an unknown field, trailing bytes or another schema is ErrInvalid.
func Decode[T Registry | Domain](b []byte) (*T, error) {
	var head struct {
		Schema int `json:"schema"`
	}
	if err := json.Unmarshal(b, &head); err != nil {
		return nil, fmt.Errorf("%w: configuration document: %w", registry.ErrInvalid, err)
	}
	if head.Schema != Schema {
		return nil, fmt.Errorf("%w: configuration document has schema %d, this build reads %d", registry.ErrInvalid, head.Schema, Schema)
	}
	doc := new(T)
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(doc); err != nil {
		return nil, fmt.Errorf("%w: configuration document: %w", registry.ErrInvalid, err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, fmt.Errorf("%w: configuration document: data after the end", registry.ErrInvalid)
	}
	return doc, nil
}

package service

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"

	"packhouse.dev/packhouse/registry/service/model"
)

// pages makes the tokens by which clients ask for the next page. A token holds the place behind which the next page begins, never a
// number: what is inserted or removed meanwhile shifts nothing. It is bound to its query, and nobody but the registry can make one.
type pages struct{ key []byte }

// tagSize is how much of the signature stands in a token, in bytes.
const tagSize = 16

// next makes a token for the place behind cursor. query is what the request asks, without page size and token.
func (p pages) next(query, cursor any) (string, error) {
	body, err := json.Marshal(cursor)
	if err != nil {
		return "", fmt.Errorf("page token: %w", err)
	}
	tag, err := p.tag(query, body)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(append(tag, body...)), nil
}

// read fills cursor from a token. One of another query, or of nobody, is a ValidationException.
func (p pages) read(token string, query, cursor any) error {
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(raw) < tagSize {
		return badToken()
	}
	want, err := p.tag(query, raw[tagSize:])
	if err != nil {
		return err
	}
	if !hmac.Equal(want, raw[:tagSize]) || json.Unmarshal(raw[tagSize:], cursor) != nil {
		return badToken()
	}
	return nil
}

func badToken() error {
	return validation(reasonField, "The value of 'nextToken' is not one that this query gave.")
}

func (p pages) tag(query any, body []byte) ([]byte, error) {
	q, err := json.Marshal(query)
	if err != nil {
		return nil, fmt.Errorf("page token: %w", err)
	}
	sum := sha256.Sum256(q)
	m := hmac.New(sha256.New, p.key)
	m.Write(sum[:])
	m.Write(body)
	return m.Sum(nil)[:tagSize], nil
}

// The sizes of pages. The guide says 100 packages and 50 versions; the rest follows the model's documentation.
const (
	defaultPage  = 50
	packagesPage = 100
)

// page is one page of a list.
type page[T any] struct {
	items []T
	next  string
}

// query identifies a list: the operation and everything that selects or orders. Who asks is part of it.
func (c *call) query(parts ...string) []string {
	return append([]string{c.op.Name, c.caller.Principal.ARN, c.account}, parts...)
}

// paged cuts the page behind token out of a list in ascending order of key. size 0 is the default.
func paged[T any](c *call, list []T, key func(T) []string, token string, size int64, query []string) (page[T], error) {
	if size == 0 {
		size = defaultPage
	}
	if token != "" {
		var after []string
		if err := c.api.pages.read(token, query, &after); err != nil {
			return page[T]{}, err
		}
		at, found := slices.BinarySearchFunc(list, after, func(item T, k []string) int { return slices.Compare(key(item), k) })
		if found {
			at++
		}
		list = list[at:]
	}
	if int64(len(list)) <= size {
		return page[T]{items: list}, nil
	}
	list = list[:size]
	next, err := c.api.pages.next(query, key(list[size-1]))
	return page[T]{list, next}, err
}

// some is a list that is never null: clients read an empty one.
func some[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func tagsOf(list []model.Tag) map[string]string {
	out := make(map[string]string, len(list))
	for _, t := range list {
		out[t.Key] = *t.Value
	}
	return out
}

package repository

import (
	"context"
	"io"

	"packhouse.dev/packhouse/registry/content"
	"packhouse.dev/packhouse/registry/external"
	"packhouse.dev/packhouse/registry/format"
	"packhouse.dev/packhouse/registry/metadata"
)

// Bodies lets the client of external connections keep documents where assets are.
func Bodies(k *content.Keeper) external.Keeper { return bodies{k} }

type bodies struct{ k *content.Keeper }

// Keep implements external.Keeper.
func (b bodies) Keep(ctx context.Context, d external.Domain, body format.Staged, fn func(metadata.Tx, metadata.BlobRow) error) error {
	_, err := b.k.Commit(ctx, d.ID, []content.Item{{Staged: body}}, func(tx metadata.Tx, rows []metadata.BlobRow) error { return fn(tx, rows[0]) })
	return err
}

// Open implements external.Keeper.
func (b bodies) Open(ctx context.Context, f metadata.File) (io.ReadCloser, error) {
	return b.k.Open(ctx, f, -1)
}

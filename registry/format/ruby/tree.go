package ruby

import (
	"context"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
)

func treePackage(ctx context.Context, src format.Source, id registry.PackageID) (*format.RemotePackage, error) {
	return nil, registry.ErrNotFound
}

package plane

import (
	"context"
	"slices"

	"packhouse.dev/packhouse/registry/auth"
	"packhouse.dev/packhouse/registry/metadata"
)

// revocations reads what auth needs to know from the store.
type revocations struct{ catalog metadata.Catalog }

var _ auth.Revocations = revocations{}

// Revocations implements auth.Revocations.
func (r revocations) Revocations(ctx context.Context, uid string) ([]auth.Revocation, error) {
	domains, err := r.catalog.Domains(ctx)
	if err != nil {
		return nil, err
	}
	ids := []metadata.DomainID{metadata.RegistryDomain}
	if i := slices.IndexFunc(domains, func(d metadata.Domain) bool { return d.UID == uid }); i >= 0 {
		ids = append(ids, domains[i].ID)
	}
	var out []auth.Revocation
	for _, id := range ids {
		rows, err := r.catalog.Revocations(ctx, id)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			out = append(out, auth.Revocation{Kind: auth.Kind(row.Kind), Value: row.Value, IssuedBefore: row.IssuedBefore})
		}
	}
	return out, nil
}

// revokes says whether changes end tokens; nil means that changes were lost.
func revokes(changes []metadata.Change) bool {
	return changes == nil || slices.ContainsFunc(changes, func(c metadata.Change) bool { return c.Kind == metadata.TokensRevoked })
}

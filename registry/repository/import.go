package repository

import (
	"context"
	"errors"
	"slices"

	"packhouse.dev/packhouse/registry"
)

// importRest fetches the assets of a retained version that nobody asked for yet, one after the other, in the background, if the
// connection that the version came from says so; and likely ones, if they are there.
func (s *Service) importRest(rc *repoConfig, v *registry.Version, likely ...string) {
	pending := slices.ContainsFunc(v.Assets, func(a registry.Asset) bool { return !a.Stored && a.Source != "" })
	if len(likely) == 0 && (!pending || len(v.Assets) < 2) {
		return
	}
	assets := slices.Clone(v.Assets)
	for _, name := range likely {
		if v.Asset(name) == nil {
			assets = append(assets, registry.Asset{Name: name, Size: -1})
		}
	}
	key := importKey{rc.row.ID, v.ID}
	s.flights.mu.Lock()
	defer s.flights.mu.Unlock()
	if s.flights.imports[key] || s.stopping.Err() != nil {
		return
	}
	s.flights.imports[key] = true
	s.background.Go(func() {
		left := int64(importBudget)
		for _, a := range assets {
			now := s.asDeclared(rc) // what is blocked meanwhile is not asked for any more
			if left -= max(a.Size, 0); left < 0 || now == nil {
				break
			}
			err := errAgain
			for try := 0; try < tries && errors.Is(err, errAgain); try++ { // a flight of somebody else ended just then
				err = s.importAsset(s.stopping, now, v.ID, a.Name)
			}
			if err != nil && !(a.Source == "" && errors.Is(err, registry.ErrNotFound)) {
				s.log.Warn("file of a retained version was not imported", "repository", rc.arn, "version", v.ID.String(), "asset", a.Name, "error", err)
			}
		}
		s.flights.mu.Lock()
		defer s.flights.mu.Unlock()
		delete(s.flights.imports, key)
	})
}

// asDeclared is a repository as it is declared now, nil if it is not served any more.
func (s *Service) asDeclared(rc *repoConfig) *repoConfig {
	d := s.current.Load().domains[rc.domain.doc.Ref()]
	if d == nil {
		return nil
	}
	if now := d.repos[rc.doc.Name]; now != nil && now.row.ID == rc.row.ID {
		return now
	}
	return nil
}

// importAsset makes the repository have the bytes of one asset.
func (s *Service) importAsset(ctx context.Context, rc *repoConfig, id registry.VersionID, name string) error {
	f, err := s.find(ctx, rc, id, name)
	switch {
	case err != nil:
		return err
	case f.from == nil && !f.fetch.conn.RetainAll:
		return nil
	case f.from == nil:
		fl, err := s.join(rc, f)
		if err != nil {
			return err
		}
		return s.afterFlight(ctx, rc, f, fl)
	case f.from == f.row && f.step.Repository == 0:
		return nil
	}
	return s.retain(ctx, rc, f)
}

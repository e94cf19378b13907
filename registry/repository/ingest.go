package repository

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/blob"
	"packhouse.dev/packhouse/registry/config"
	"packhouse.dev/packhouse/registry/content"
	"packhouse.dev/packhouse/registry/external"
	"packhouse.dev/packhouse/registry/format"
	"packhouse.dev/packhouse/registry/metadata"
)

const (
	maxFlights   = 256     // downloads from upstreams at the same time
	importBudget = 4 << 30 // bytes of the further assets of one version that are fetched unasked
)

// flights are the downloads under way: whoever wants the same file of the same connection reads along.
type flights struct {
	mu      sync.Mutex
	m       map[flightKey]*flight
	imports map[importKey]bool
}

// importKey names the completion of a retained version.
type importKey struct {
	repository metadata.RepositoryID
	version    registry.VersionID
}

type flightKey struct {
	owner      metadata.RepositoryID // repository that has the connection, and into which the version is ingested
	connection string
	version    registry.VersionID
	asset      string
}

// flight is one download. The fields below opened are set before it is closed, those below done before that.
type flight struct {
	key     flightKey
	dc      *domainConfig
	conn    *config.Connection
	targets []*repoConfig // the owner of the connection, and the repository that asked first if it is another
	version *registry.Version
	asset   registry.Asset
	remote  format.RemoteAsset
	display string
	summary string

	opened chan struct{}
	spool  *blob.Spool
	size   int64 // as announced; -1 unknown
	err    error // instead of spool

	document []byte // read from the bytes, where lists have none
	info     []byte // likewise, of the asset
	arrived  bool   // the version was not there before

	done    chan struct{}
	outcome error                           // nil: the bytes are what was announced and are stored
	refused map[metadata.RepositoryID]error // targets beside the owner that did not take the version
}

func (fs *flights) init() { fs.m, fs.imports = map[flightKey]*flight{}, map[importKey]bool{} }

// join returns the flight of a key, or begins one.
func (s *Service) join(rc *repoConfig, f *found) (*flight, error) {
	key := flightKey{rc.ids[f.fetch.owner], f.fetch.conn.Identity(), f.version.ID, f.asset.Name}
	s.flights.mu.Lock()
	defer s.flights.mu.Unlock()
	if fl := s.flights.m[key]; fl != nil {
		return fl, nil
	}
	if len(s.flights.m) >= maxFlights || s.stopping.Err() != nil {
		return nil, fmt.Errorf("%w: %d downloads from upstreams are under way", registry.ErrUnavailable, len(s.flights.m))
	}
	fl := &flight{
		key: key, dc: rc.domain, conn: f.fetch.conn, targets: []*repoConfig{rc.members[f.fetch.owner]}, version: f.version, asset: f.asset,
		remote: f.fetch.asset, opened: make(chan struct{}), done: make(chan struct{}), refused: map[metadata.RepositoryID]error{},
	}
	if f.fetch.owner != 0 {
		fl.targets = append(fl.targets, rc)
	}
	fl.display, fl.summary = s.presentation(rc.domain, f)
	s.flights.m[key] = fl
	s.background.Go(func() { s.fly(fl) })
	return fl, nil
}

// presentation returns how the package is written, and its summary.
func (s *Service) presentation(dc *domainConfig, f *found) (display, summary string) {
	if f.row != nil {
		row := f.l.rows[f.step.Repository]
		return row.Display, row.Summary
	}
	rem := s.remotes.get(remoteKey{dc.row.ID, f.fetch.conn.Identity(), f.l.id})
	if rem == nil || rem.pkg == nil {
		return f.l.id.Name, ""
	}
	return rem.pkg.Display, rem.pkg.Summary
}

// openRemote gives the bytes of an asset while they come from an upstream.
func (s *Service) openRemote(ctx context.Context, rc *repoConfig, f *found) (*format.Asset, error) {
	fl, err := s.join(rc, f)
	if err != nil {
		return nil, err
	}
	select {
	case <-fl.opened:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if fl.err != nil {
		return nil, fl.err
	}
	body, err := fl.spool.Follow(ctx)
	if err != nil {
		return nil, errAgain // it ended between joining and following: what it fetched is in the rows
	}
	asset := f.asset
	asset.Size = fl.size
	return &format.Asset{
		Asset: asset, Version: f.version, Modified: modified(f.version),
		Body: &retaining{ReadCloser: body, then: func() error { return s.afterFlight(ctx, rc, f, fl) }},
	}, nil
}

// afterFlight makes sure that the requesting repository has the version once its bytes are there.
func (s *Service) afterFlight(ctx context.Context, rc *repoConfig, f *found, fl *flight) error {
	select {
	case <-fl.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	if fl.outcome != nil {
		return fl.outcome
	}
	if slices.ContainsFunc(fl.targets, func(t *repoConfig) bool { return t.row.ID == rc.row.ID }) {
		return fl.refused[rc.row.ID]
	}
	again, err := s.find(ctx, rc, f.version.ID, f.asset.Name)
	if err != nil {
		return err
	}
	if again.from == nil {
		return errAgain
	}
	if again.step.Repository == 0 && again.from == again.row {
		return nil
	}
	if err := s.retain(ctx, rc, again); err != nil {
		return err
	}
	s.importRest(rc, f.version)
	return nil
}

// fly downloads, checks and stores one asset. It runs on its own: whoever waits may go.
func (s *Service) fly(fl *flight) {
	err := s.download(fl)
	if err != nil {
		level := slog.LevelWarn
		if errors.Is(err, registry.ErrNotFound) && fl.version.Asset(fl.asset.Name) == nil {
			level = slog.LevelDebug // nobody said that it is there
		}
		s.log.Log(s.stopping, level, "file of an external connection was not ingested",
			"connection", fl.conn.Name, "version", fl.version.ID.String(), "asset", fl.asset.Name, "error", err)
		err = refusal(fl.conn, fl.asset.Name, err)
	}
	s.flights.mu.Lock()
	delete(s.flights.m, fl.key)
	s.flights.mu.Unlock()
	fl.outcome = err
	select {
	case <-fl.opened:
	default:
		fl.err = err
		close(fl.opened)
	}
	close(fl.done)
	if fl.spool == nil {
		return
	}
	if err != nil {
		fl.spool.Fail(err)
	} else {
		fl.spool.Accept()
	}
	if err := fl.spool.Close(); err != nil {
		s.log.Warn("spool file was not removed", "error", err)
	}
	if err == nil {
		var likely []string
		if layout, ok := s.formats[fl.version.ID.Package.Format].(format.Layout); ok && fl.arrived {
			likely = layout.Likely(fl.version.ID)
		}
		s.importRest(fl.targets[len(fl.targets)-1], fl.version, likely...)
	}
}

// refusal is what clients are told. An address that is refused will be refused again, and only an administrator can change that, so
// that it is no outage; which address it is, is for the log.
func refusal(conn *config.Connection, asset string, err error) error {
	if !errors.Is(err, external.ErrRefused) {
		return err
	}
	return fmt.Errorf("%w: %s announces %s at an address that external connection %s may not fetch from; an administrator finds it in the log and can add its host to the connection's hosts",
		registry.ErrBlocked, conn.Name, asset, conn.Name)
}

func (s *Service) download(fl *flight) error {
	ctx := s.stopping
	if has, err := s.ingested(ctx, fl); err != nil || has {
		return cmp.Or(err, errAgain)
	}
	limit := s.maxAsset(fl.version.ID.Package.Format)
	body, err := s.external.Open(ctx, fl.conn, fl.remote.URL, limit)
	if errors.Is(err, registry.ErrNotFound) {
		return fmt.Errorf("%s of %s is announced by %s and not there: %w", fl.asset.Name, fl.version.ID, fl.conn.Name, registry.ErrNotFound)
	}
	if err != nil {
		return err
	}
	defer body.Close()
	spool, err := blob.NewSpool(s.opt.SpoolDir, limit)
	if err != nil {
		return err
	}
	fl.spool, fl.size = spool, body.Size
	close(fl.opened)
	if _, err := spool.ReadFrom(body); err != nil {
		return err
	}
	if err := spool.Finish(); err != nil {
		return err
	}
	if err := s.verify(fl, spool); err != nil {
		return fmt.Errorf("%w: %w", registry.ErrUnavailable, err)
	}
	s.extract(fl)
	return s.ingest(ctx, fl)
}

// extract reads from a file what is kept beside it, and the version's document, if the upstream's list had none. The file is what it is
// also without.
func (s *Service) extract(fl *flight) {
	if x, ok := s.formats[fl.version.ID.Package.Format].(format.Inspector); ok {
		info, err := guardRemote(func() ([]byte, error) { return x.Inspect(fl.version.ID, fl.asset.Name, fl.spool) })
		if err != nil {
			s.log.Warn("a file of an external connection was not understood",
				"connection", fl.conn.Name, "version", fl.version.ID.String(), "asset", fl.asset.Name, "error", err)
		}
		fl.info = info
	}
	x, ok := s.formats[fl.version.ID.Package.Format].(format.Extractor)
	if !ok || len(fl.version.Document) > 0 {
		return
	}
	document, err := guardRemote(func() ([]byte, error) { return x.Extract(fl.version.ID, fl.asset.Name, fl.spool) })
	if err != nil {
		s.log.Warn("metadata was not read from a file of an external connection",
			"connection", fl.conn.Name, "version", fl.version.ID.String(), "asset", fl.asset.Name, "error", err)
		return
	}
	fl.document = document
}

// verify compares what came with what was announced; if that was no digest, the format looks whether it is the right file.
func (s *Service) verify(fl *flight, spool *blob.Spool) error {
	if algorithm := spool.Digests().Conflict(fl.remote.Want); algorithm != "" {
		return fmt.Errorf("%s sent %s with another %s than it announced", fl.conn.Name, fl.asset.Name, algorithm)
	}
	if fl.remote.Size >= 0 && fl.remote.Size != spool.Size() {
		return fmt.Errorf("%s sent %d bytes of %s and announced %d", fl.conn.Name, spool.Size(), fl.asset.Name, fl.remote.Size)
	}
	check := fl.remote.Verify
	if f, ok := s.formats[fl.version.ID.Package.Format].(format.Verifier); check == nil && ok && fl.remote.Want == (registry.Digests{}) {
		check = func(file format.Staged) error { return f.Verify(fl.version.ID, fl.asset.Name, file) }
	}
	if check == nil {
		return nil
	}
	_, err := guardRemote(func() (struct{}, error) { return struct{}{}, check(spool) })
	return err
}

// ingested says whether the owner of the connection has the bytes already: the flight before this one has just ended.
func (s *Service) ingested(ctx context.Context, fl *flight) (bool, error) {
	owner := fl.targets[0]
	rows, err := s.store.Packages(ctx, []metadata.RepositoryID{owner.row.ID}, fl.version.ID.Package)
	if err != nil || len(rows) == 0 {
		return false, err
	}
	versions, err := s.store.Versions(ctx, []metadata.PackageRow{rows[0].Row}, []string{fl.version.ID.Version})
	if err != nil || len(versions) == 0 {
		return false, err
	}
	a := versions[0].Asset(fl.asset.Name)
	return a != nil && a.Stored && versions[0].Origin.EntryUID == fl.conn.Identity() && versions[0].Status.Served(), nil
}

// ingest stores the bytes and the version that they belong to, in the repository that has the connection and in the one that asked.
func (s *Service) ingest(ctx context.Context, fl *flight) error {
	_, err := s.keeper.Commit(ctx, fl.dc.row.ID, []content.Item{{Staged: fl.spool}}, func(tx metadata.Tx, blobs []metadata.BlobRow) error {
		clear(fl.refused)
		fl.arrived = false
		for i, rc := range fl.targets {
			by := registry.ArrivalExternal
			if i > 0 { // it takes the version from the owner of the connection
				by = registry.ArrivalInternalUpstream
			}
			err := s.ingestInto(tx, rc, by, fl, blobs[0])
			switch {
			case err == nil:
			case i > 0 && (errors.Is(err, registry.ErrBlocked) || errors.Is(err, errAgain)):
				fl.refused[rc.row.ID] = err
			default:
				return err
			}
		}
		return nil
	})
	return err
}

func (s *Service) ingestInto(tx metadata.Tx, rc *repoConfig, by registry.Arrival, fl *flight, bytes metadata.BlobRow) error {
	id := fl.version.ID
	p, err := s.arrive(tx, rc, id.Package, by, fl.display, fl.summary)
	if err != nil {
		return err
	}
	old, err := tx.Version(p.Row, id.Version)
	if err != nil {
		return err
	}
	digests, size := fl.spool.Digests(), fl.spool.Size()
	switch {
	case old == nil:
		fl.arrived = true
		_, err = tx.InsertVersion(p.Row, s.ingestedVersion(fl, bytes))
	case !old.Status.Served() || old.Origin.EntryUID != fl.conn.Identity():
		return errAgain
	default:
		a := old.Asset(fl.asset.Name)
		switch {
		case a == nil:
			err = tx.InsertAsset(old.Row, fl.newAsset(fl.asset, bytes))
		case a.Stored:
			return nil
		case digests.Conflict(a.Digests) != "":
			return fmt.Errorf("%w: %s now has other bytes of %s than when the version came", registry.ErrUnavailable, fl.conn.Name, a.Name)
		default:
			err = tx.FillAsset(old.Row, a.Name, bytes, digests, size)
		}
	}
	if err != nil {
		return err
	}
	return tx.Record(s.change(rc, id.Package, eventIngested, id.Version))
}

func (s *Service) ingestedVersion(fl *flight, bytes metadata.BlobRow) metadata.NewVersion {
	v := fl.version
	now := s.now()
	out := metadata.NewVersion{
		Key: v.ID.Version, Display: v.Display, Status: v.Status, Document: v.Document, Flags: v.Flags,
		Origin:      registry.Origin{Type: registry.External, Entry: fl.conn.Name, EntryUID: fl.conn.Identity()},
		PublishedAt: v.PublishedAt, ArrivedAt: now,
	}
	if out.PublishedAt.IsZero() {
		out.PublishedAt = now
	}
	if len(out.Document) == 0 {
		out.Document = fl.document
	}
	has := false
	for _, a := range v.Assets {
		if a.Name == fl.asset.Name {
			has = true
			out.Assets = append(out.Assets, fl.newAsset(a, bytes))
			continue
		}
		out.Assets = append(out.Assets, metadata.NewAsset{Name: a.Name, Listed: a.Listed, Size: a.Size, Digests: a.Digests, Source: a.Source, Info: a.Info})
	}
	if !has {
		out.Assets = append(out.Assets, fl.newAsset(fl.asset, bytes))
	}
	out.Revision = revision(out.Document, out.Flags, out.Assets)
	return out
}

func (fl *flight) newAsset(a registry.Asset, bytes metadata.BlobRow) metadata.NewAsset {
	out := metadata.NewAsset{
		Name: a.Name, Listed: a.Listed, Blob: bytes, Size: fl.spool.Size(), Digests: fl.spool.Digests(), Source: fl.remote.URL, Info: fl.asset.Info, // a list may know less of a file than what was asked about it
	}
	if fl.info != nil {
		out.Info = fl.info
	}
	return out
}

// maxAsset is the limit of one file.
func (s *Service) maxAsset(f registry.Format) int64 {
	limit := s.Limits().AssetBytes
	if own := s.formats[f].Traits().MaxAsset; own > 0 {
		limit = min(limit, own)
	}
	return limit
}

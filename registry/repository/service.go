// Package repository is the one door to package data. A View is one repository seen by one principal for one request; it
// authorises, applies origin controls and statuses, resolves upstreams, retains, publishes and records what changed. Formats, the
// service API and the console all go through it.
package repository

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/config"
	"packhouse.dev/packhouse/registry/content"
	"packhouse.dev/packhouse/registry/external"
	"packhouse.dev/packhouse/registry/format"
	"packhouse.dev/packhouse/registry/metadata"
)

// Options of a Service. Store, Keeper, External, Formats and SpoolDir are needed.
type Options struct {
	Store    metadata.Store
	Keeper   *content.Keeper
	External *external.Client
	Formats  []format.Format
	SpoolDir string           // for uploads and downloads under way
	Logger   *slog.Logger     // audit records and background failures
	Now      func() time.Time // default time.Now

	CacheBytes  int64         // rendered documents and located assets in memory; default 48 MiB
	RenderBytes int64         // what all renderings may hold at once; default 256 MiB
	AskTimeout  time.Duration // how long a publish waits for an upstream; default 2 s (guide)
}

// Service is the data of all domains. It is safe for concurrent use; several Services over one store agree.
type Service struct {
	store    metadata.Store
	keeper   *content.Keeper
	external *external.Client
	formats  map[registry.Format]format.Format
	opt      Options
	log      *slog.Logger
	now      func() time.Time

	current atomic.Pointer[snapshot]
	changes atomic.Uint64 // of the configuration, as far as this process has heard
	reload  sync.Mutex

	cache     *cache
	remotes   *remoteCache
	flights   flights
	rendering *semaphore.Weighted

	background sync.WaitGroup
	stop       context.CancelFunc
	stopping   context.Context
}

// New starts a Service on what the store remembers; it serves at once, with the configuration that was last declared.
func New(ctx context.Context, opt Options) (*Service, error) {
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.DiscardHandler)
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.CacheBytes == 0 {
		opt.CacheBytes = 48 << 20
	}
	if opt.RenderBytes == 0 {
		opt.RenderBytes = 256 << 20
	}
	if opt.AskTimeout == 0 {
		opt.AskTimeout = 2 * time.Second
	}
	s := &Service{
		store: opt.Store, keeper: opt.Keeper, external: opt.External, opt: opt, log: opt.Logger, now: opt.Now,
		formats:   map[registry.Format]format.Format{},
		cache:     newCache(opt.CacheBytes),
		remotes:   newRemoteCache(opt.CacheBytes),
		rendering: semaphore.NewWeighted(opt.RenderBytes),
	}
	s.flights.init()
	for _, f := range opt.Formats {
		name := f.Traits().Name
		if _, twice := s.formats[name]; twice {
			return nil, fmt.Errorf("format %s is listed twice", name)
		}
		s.formats[name] = f
	}
	s.stopping, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	s.store.Follow(s.follow)
	if err := s.load(ctx); err != nil {
		s.stop()
		return nil, fmt.Errorf("load configuration: %w", err)
	}
	return s, nil
}

// Close ends background work. The store is the caller's to close afterwards.
func (s *Service) Close() {
	s.stop()
	s.background.Wait()
	s.cache.clear()
}

// Ready says whether requests can be answered. When it returns nil, every configuration that was applied before the call is in force.
func (s *Service) Ready(ctx context.Context) error {
	if err := s.store.Barrier(ctx, metadata.RegistryDomain); err != nil {
		return err
	}
	return s.refresh(ctx)
}

// refresh reads the configuration again if it changed since the snapshot was read. Whoever comes meanwhile waits for that one look:
// what was acknowledged before a request began is in force for it.
func (s *Service) refresh(ctx context.Context) error {
	if s.fresh() {
		return nil
	}
	s.reload.Lock()
	defer s.reload.Unlock()
	if s.fresh() {
		return nil
	}
	_, err := s.reloadLocked(ctx)
	return err
}

func (s *Service) fresh() bool { return s.current.Load().changes == s.changes.Load() }

// Format returns a format by name.
func (s *Service) Format(name registry.Format) (format.Format, bool) {
	f, ok := s.formats[name]
	return f, ok
}

// Endpoints returns the base addresses in force.
func (s *Service) Endpoints() []config.Endpoint { return s.current.Load().endpoints }

// TrustedProxies returns the networks of proxies whose word counts about who called them.
func (s *Service) TrustedProxies() []netip.Prefix { return s.current.Load().trusted }

// Limits returns the limits in force.
func (s *Service) Limits() config.Limits { return s.current.Load().limits }

// follow drops what changes make wrong. It runs in commit order, before a change is acknowledged.
func (s *Service) follow(_ metadata.DomainID, changes []metadata.Change) {
	if changes == nil { // some were lost
		s.cache.clear()
		s.remotes.clear()
		s.changes.Add(1)
		return
	}
	for i := range changes {
		switch c := &changes[i]; c.Kind {
		case metadata.PackageChanged:
			s.cache.dropPackage(c.Repository, c.Package)
		case metadata.UpstreamChanged:
			s.cache.dropUpstream(upstreamKey{c.Connection, c.Key})
		case metadata.ConfigChanged:
			s.changes.Add(1)
		case metadata.TokensRevoked: // package auth follows these
		}
	}
}

// Documents is the whole configuration. Generation 0 takes the next one.
type Documents struct {
	Registry          *config.Registry
	Domains           []config.Domain
	Epoch, Generation int64
}

// Applied tells what became of a configuration.
type Applied struct {
	Changed  bool
	Problems []Problem
}

// Apply stores a configuration and puts it in force. Domains that are not in it are detached: their content is kept and not served.
// A configuration that is older than the one in force is registry.ErrStale. A domain whose content belongs to another namespace is
// left out and reported; everything else is applied.
func (s *Service) Apply(ctx context.Context, docs Documents) (*Applied, error) {
	out := &Applied{}
	body, err := config.Encode(docs.Registry)
	if err != nil {
		return nil, err
	}
	if err := s.declare(ctx, out, docs, metadata.Declaration{Schema: config.Schema, Body: body}); err != nil {
		return nil, fmt.Errorf("registry document: %w", err)
	}
	if err := s.declareDomains(ctx, out, docs); err != nil {
		return nil, err
	}
	declared := map[registry.DomainRef]bool{}
	for i := range docs.Domains {
		declared[docs.Domains[i].Ref()] = true
	}
	rows, err := s.store.Domains(ctx)
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		if row.State == metadata.Active && !declared[row.Ref] {
			if err := s.store.Undeclare(ctx, row.Ref, docs.Epoch, docs.Generation); err != nil {
				return nil, fmt.Errorf("detach domain %s: %w", row.Ref, err)
			}
			out.Changed = true
		}
	}
	problems, err := s.reloadNow(ctx)
	out.Problems = append(out.Problems, problems...)
	return out, err
}

// declaring is how many domains are declared at the same time: the store joins their transactions.
const declaring = 16

func (s *Service) declareDomains(ctx context.Context, out *Applied, docs Documents) error {
	results := make([]Applied, len(docs.Domains))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(declaring)
	for i := range docs.Domains {
		g.Go(func() error {
			d := &docs.Domains[i]
			body, err := config.Encode(d)
			if err != nil {
				return err
			}
			decl := metadata.Declaration{Ref: d.Ref(), Holder: d.Holder, Schema: config.Schema, Body: body}
			for _, r := range d.Repositories {
				decl.Repositories = append(decl.Repositories, metadata.DeclaredRepository{Name: r.Name, Administrator: r.AdministratorUID})
			}
			switch err := s.declare(ctx, &results[i], docs, decl); {
			case errors.Is(err, registry.ErrConflict):
				results[i].Problems = []Problem{{d.Source, "the name belongs to content of another namespace; it is not served"}}
			case err != nil:
				return fmt.Errorf("domain %s: %w", d.Ref(), err)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for _, r := range results {
		out.Changed = out.Changed || r.Changed
		out.Problems = append(out.Problems, r.Problems...)
	}
	return nil
}

// declare puts one document.
func (s *Service) declare(ctx context.Context, out *Applied, docs Documents, decl metadata.Declaration) error {
	decl.Epoch, decl.Generation = docs.Epoch, docs.Generation
	got, err := s.store.Declare(ctx, decl)
	if err != nil {
		return err
	}
	out.Changed = out.Changed || got.Changed
	return nil
}

// storedRegistry is the registry's document, nil if nothing was ever declared.
type storedRegistry struct {
	doc    *config.Registry
	digest string
}

// storedDomain is an active domain as the store remembers it.
type storedDomain struct {
	row          metadata.Domain
	doc          *config.Domain
	digest       string // of doc
	repositories []metadata.Repository
}

func (s *Service) load(ctx context.Context) error {
	_, err := s.reloadNow(ctx)
	return err
}

// reloadNow reads the documents in force and swaps the snapshot.
func (s *Service) reloadNow(ctx context.Context) ([]Problem, error) {
	s.reload.Lock()
	defer s.reload.Unlock()
	return s.reloadLocked(ctx)
}

func (s *Service) reloadLocked(ctx context.Context) ([]Problem, error) {
	changes := s.changes.Load() // before reading: a change that comes while we read makes the snapshot old
	before := s.current.Load()
	var reg storedRegistry
	last, err := s.store.Document(ctx, metadata.RegistryDomain)
	if err == nil && last != nil {
		reg, err = decodeRegistry(last, before)
	}
	var domains []storedDomain
	if err == nil {
		domains, err = s.readDomains(ctx)
	}
	if err != nil {
		return nil, err
	}
	snap, problems := compileSnapshot(reg, domains, s.formats, before)
	snap.changes = changes
	s.current.Store(snap)
	return problems, nil
}

func (s *Service) readDomains(ctx context.Context) ([]storedDomain, error) {
	rows, err := s.store.Domains(ctx)
	if err != nil {
		return nil, err
	}
	var out []storedDomain
	for _, row := range rows {
		if row.State != metadata.Active {
			continue
		}
		last, err := s.store.Document(ctx, row.ID)
		if err != nil {
			return nil, err
		}
		if last == nil {
			continue
		}
		doc, err := s.decode(row.Ref, last)
		if err != nil {
			return nil, fmt.Errorf("domain %s: %w", row.Ref, err)
		}
		repos, err := s.store.Repositories(ctx, row.ID)
		if err != nil {
			return nil, err
		}
		out = append(out, storedDomain{row: row, doc: doc, digest: last.Digest, repositories: repos})
	}
	return out, nil
}

// decodeRegistry is decode for the registry's document.
func decodeRegistry(last *metadata.Document, before *snapshot) (storedRegistry, error) {
	if before != nil && before.digest == last.Digest {
		return storedRegistry{before.registry, last.Digest}, nil
	}
	doc, err := config.Decode[config.Registry](last.Body)
	return storedRegistry{doc, last.Digest}, err
}

// decode reads a document, or takes it from the snapshot that has the same one: most configurations change one domain of many.
func (s *Service) decode(ref registry.DomainRef, last *metadata.Document) (*config.Domain, error) {
	if now := s.current.Load(); now != nil {
		if d := now.domains[ref]; d != nil && d.digest == last.Digest {
			return d.doc, nil
		}
	}
	return config.Decode[config.Domain](last.Body)
}

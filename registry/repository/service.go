// Package repository is the one door to package data. A View is one repository seen by one principal for one request; it
// authorises, applies origin controls and statuses, resolves upstreams, retains, publishes and records what changed. Formats, the
// service API and the console all go through it.
package repository

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

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
	dirty   atomic.Bool // another process changed the configuration
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

// Ready says whether requests can be answered.
func (s *Service) Ready(ctx context.Context) error {
	return s.store.Barrier(ctx, metadata.RegistryDomain)
}

// Format returns a format by name.
func (s *Service) Format(name registry.Format) (format.Format, bool) {
	f, ok := s.formats[name]
	return f, ok
}

// Endpoints returns the base addresses in force.
func (s *Service) Endpoints() []config.Endpoint { return s.current.Load().endpoints }

// Limits returns the limits in force.
func (s *Service) Limits() config.Limits { return s.current.Load().limits }

// follow drops what changes make wrong. It runs in commit order, before a change is acknowledged.
func (s *Service) follow(_ metadata.DomainID, changes []metadata.Change) {
	if changes == nil { // some were lost
		s.cache.clear()
		s.remotes.clear()
		s.dirty.Store(true)
		return
	}
	for i := range changes {
		switch c := &changes[i]; c.Kind {
		case metadata.PackageChanged:
			s.cache.dropPackage(c.Repository, c.Package)
		case metadata.UpstreamChanged:
			s.cache.dropUpstream(upstreamKey{c.Connection, c.Key})
		case metadata.ConfigChanged:
			s.dirty.Store(true)
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
	declared := map[registry.DomainRef]bool{}
	for i := range docs.Domains {
		d := &docs.Domains[i]
		declared[d.Ref()] = true
		body, err := config.Encode(d)
		if err != nil {
			return nil, err
		}
		decl := metadata.Declaration{Ref: d.Ref(), Holder: d.Holder, Schema: config.Schema, Body: body}
		for _, r := range d.Repositories {
			decl.Repositories = append(decl.Repositories, metadata.DeclaredRepository{Name: r.Name, Administrator: r.AdministratorUID})
		}
		err = s.declare(ctx, out, docs, decl)
		switch {
		case errors.Is(err, registry.ErrConflict):
			out.Problems = append(out.Problems, Problem{d.Source, "the name belongs to content of another namespace; it is not served"})
		case err != nil:
			return nil, fmt.Errorf("domain %s: %w", d.Ref(), err)
		}
	}
	rows, err := s.store.Domains(ctx)
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		if row.State == metadata.Active && !declared[row.Ref] {
			epoch, generation, err := s.numbers(ctx, row.Ref, docs)
			if err == nil {
				err = s.store.Undeclare(ctx, row.Ref, epoch, generation)
			}
			if err != nil {
				return nil, fmt.Errorf("detach domain %s: %w", row.Ref, err)
			}
			out.Changed = true
		}
	}
	problems, err := s.reloadNow(ctx)
	out.Problems = append(out.Problems, problems...)
	return out, err
}

// declare puts one document.
func (s *Service) declare(ctx context.Context, out *Applied, docs Documents, decl metadata.Declaration) (err error) {
	if decl.Epoch, decl.Generation, err = s.numbers(ctx, decl.Ref, docs); err != nil {
		return err
	}
	got, err := s.store.Declare(ctx, decl)
	if err != nil {
		return err
	}
	out.Changed = out.Changed || got.Changed
	return nil
}

// numbers returns the caller's epoch and generation, or the next generation of the domain if the caller has none.
func (s *Service) numbers(ctx context.Context, ref registry.DomainRef, docs Documents) (epoch, generation int64, err error) {
	if docs.Generation != 0 {
		return docs.Epoch, docs.Generation, nil
	}
	rows, err := s.store.Domains(ctx)
	if err != nil {
		return 0, 0, err
	}
	row := metadata.Domain{ID: metadata.RegistryDomain}
	if ref != (registry.DomainRef{}) {
		at := slices.IndexFunc(rows, func(d metadata.Domain) bool { return d.Ref == ref })
		if at < 0 {
			return 0, 1, nil
		}
		row = rows[at]
	}
	last, err := s.store.Document(ctx, row.ID)
	if err != nil || last == nil {
		return 0, row.Generation + 1, err
	}
	return last.Epoch, max(last.Generation, row.Generation) + 1, nil
}

// storedDomain is an active domain as the store remembers it.
type storedDomain struct {
	row          metadata.Domain
	doc          *config.Domain
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
	s.dirty.Store(false) // before reading: a change that comes while we read makes it dirty again
	var reg *config.Registry
	last, err := s.store.Document(ctx, metadata.RegistryDomain)
	if err == nil && last != nil {
		reg, err = config.Decode[config.Registry](last.Body)
	}
	var domains []storedDomain
	if err == nil {
		domains, err = s.readDomains(ctx)
	}
	if err != nil {
		s.dirty.Store(true)
		return nil, err
	}
	snap, problems := compileSnapshot(reg, domains, s.formats)
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
		doc, err := config.Decode[config.Domain](last.Body)
		if err != nil {
			return nil, fmt.Errorf("domain %s: %w", row.Ref, err)
		}
		repos, err := s.store.Repositories(ctx, row.ID)
		if err != nil {
			return nil, err
		}
		out = append(out, storedDomain{row: row, doc: doc, repositories: repos})
	}
	return out, nil
}

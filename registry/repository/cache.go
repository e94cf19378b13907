package repository

import (
	"container/list"
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/metadata"
)

// cache keeps what was made for reads: rendered documents and located assets, by what they depend on. A change drops entries by
// dependency; a new configuration drops nothing, the reader compares what the entry was made under. Everything in it can be
// dropped at any time.
//
// A value that is being made while something it depends on changes is given to those who already wait for it, whose requests began
// before the change was acknowledged, and is neither kept nor given to anyone who comes later.
type cache struct {
	mu       sync.Mutex
	max      int64
	size     int64
	entries  map[cacheKey]*entry
	order    *list.List // of *entry, most recently used first
	packages map[registry.PackageID]map[*entry]struct{}
	sources  map[upstreamKey]map[*entry]struct{}
	making   map[cacheKey]*making
	marks    map[*mark]struct{}
}

// cacheKey names a value. The format is in the package; base is part of the key because documents hold absolute addresses.
type cacheKey struct {
	repository metadata.RepositoryID
	id         registry.PackageID
	kind       string // representation, or "asset" with version and asset name
	base       string
}

type upstreamKey struct{ connection, key string }

// entry is a kept value. Its fields are immutable but for rc, which the cache's lock guards.
type entry struct {
	key        cacheKey
	value      any
	size       int64
	rc         *repoConfig // configuration that it was last compared with
	freshUntil time.Time   // zero: for ever
	sources    []sourceUse
	element    *list.Element
}

// making is a value being made: waiters share it.
type making struct {
	key     cacheKey
	rc      *repoConfig
	tainted bool // something it depends on changed
	done    chan struct{}
	entry   *entry
	err     error
}

// made is what a maker returns.
type made struct {
	value      any
	size       int64
	freshUntil time.Time
	sources    []sourceUse
	keep       bool
}

func newCache(max int64) *cache {
	c := &cache{max: max, marks: map[*mark]struct{}{}}
	c.clearLocked()
	return c
}

func (c *cache) clearLocked() {
	c.entries = map[cacheKey]*entry{}
	c.order = list.New()
	c.packages = map[registry.PackageID]map[*entry]struct{}{}
	c.sources = map[upstreamKey]map[*entry]struct{}{}
	for _, m := range c.making {
		m.tainted = true
	}
	c.making = map[cacheKey]*making{}
	for m := range c.marks {
		m.tainted = true
	}
	c.size = 0
}

func (c *cache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clearLocked()
}

// get returns the entry of key if it may be used under rc now.
func (c *cache) get(key cacheKey, rc *repoConfig, now time.Time) *entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.getLocked(key, rc, now)
}

func (c *cache) getLocked(key cacheKey, rc *repoConfig, now time.Time) *entry {
	e := c.entries[key]
	if e == nil || (!e.freshUntil.IsZero() && now.After(e.freshUntil)) {
		return nil
	}
	if e.rc != rc {
		if !e.rc.sameFor(rc, key.id) {
			c.removeLocked(e)
			return nil
		}
		e.rc = rc
	}
	c.order.MoveToFront(e.element)
	return e
}

// expired returns the entry of key whose time has run out, for revalidation by its sources.
func (c *cache) expired(key cacheKey, rc *repoConfig) *entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.entries[key]; e != nil && e.rc.sameFor(rc, key.id) {
		return e
	}
	return nil
}

// do returns the kept value of key or makes it, once for all who ask at the same time. ctx ends only the caller's own wait.
func (c *cache) do(ctx context.Context, key cacheKey, rc *repoConfig, now time.Time, mk func(context.Context) (made, error)) (any, error) {
	c.mu.Lock()
	if e := c.getLocked(key, rc, now); e != nil {
		c.mu.Unlock()
		return e.value, nil
	}
	m := c.making[key]
	if m == nil || !m.rc.sameFor(rc, key.id) { // never wait for what an older configuration gives
		m = &making{key: key, rc: rc, done: make(chan struct{})}
		c.making[key] = m
		go func() {
			got, err := guarded(context.WithoutCancel(ctx), mk)
			c.finish(m, got, err)
		}()
	}
	c.mu.Unlock()
	select {
	case <-m.done:
		if m.err != nil {
			return nil, m.err
		}
		return m.entry.value, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// guarded turns a panic of a renderer into an error: it runs on a goroutine of its own, where it would end the process.
func guarded(ctx context.Context, mk func(context.Context) (made, error)) (got made, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic while rendering: %v\n%s", p, debug.Stack())
		}
	}()
	return mk(ctx)
}

func (c *cache) finish(m *making, got made, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer close(m.done)
	if c.making[m.key] == m {
		delete(c.making, m.key)
	}
	if err != nil {
		m.err = err
		return
	}
	m.entry = &entry{key: m.key, value: got.value, size: got.size + 256, rc: m.rc, freshUntil: got.freshUntil, sources: got.sources}
	if got.keep && !m.tainted && m.entry.size <= c.max/4 {
		c.insertLocked(m.entry)
	}
}

func (c *cache) insertLocked(e *entry) {
	if old := c.entries[e.key]; old != nil {
		c.removeLocked(old)
	}
	c.entries[e.key] = e
	e.element = c.order.PushFront(e)
	c.size += e.size
	addTo(c.packages, e.key.id, e)
	for _, s := range e.sources {
		addTo(c.sources, s.key, e)
	}
	for c.size > c.max {
		c.removeLocked(c.order.Back().Value.(*entry))
	}
}

func (c *cache) removeLocked(e *entry) {
	delete(c.entries, e.key)
	c.order.Remove(e.element)
	c.size -= e.size
	removeFrom(c.packages, e.key.id, e)
	for _, s := range e.sources {
		removeFrom(c.sources, s.key, e)
	}
}

func addTo[K comparable](m map[K]map[*entry]struct{}, k K, e *entry) {
	if m[k] == nil {
		m[k] = map[*entry]struct{}{}
	}
	m[k][e] = struct{}{}
}

func removeFrom[K comparable](m map[K]map[*entry]struct{}, k K, e *entry) {
	delete(m[k], e)
	if len(m[k]) == 0 {
		delete(m, k)
	}
}

// dropPackage drops what depends on a package of a repository: entries of every repository whose plan has that one. Indexes over
// all packages of a format are kept under an identity without a name.
func (c *cache) dropPackage(repository metadata.RepositoryID, id registry.PackageID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range []registry.PackageID{id, {Format: id.Format}} {
		for e := range c.packages[k] {
			if slices.Contains(e.rc.ids, repository) {
				c.removeLocked(e)
			}
		}
	}
	for key, m := range c.making {
		if (key.id == id || key.id == registry.PackageID{Format: id.Format}) && slices.Contains(m.rc.ids, repository) {
			m.tainted = true
			delete(c.making, key)
		}
	}
	for m := range c.marks {
		m.tainted = m.tainted || m.key.id == id && slices.Contains(m.rc.ids, repository)
	}
}

// mark is the beginning of a look at the store, of which the result may be kept if nothing it depends on changed meanwhile.
type mark struct {
	c       *cache
	key     cacheKey
	rc      *repoConfig
	tainted bool
}

// mark begins a look. release must be called.
func (c *cache) mark(key cacheKey, rc *repoConfig) *mark {
	m := &mark{c: c, key: key, rc: rc}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.marks[m] = struct{}{}
	return m
}

func (m *mark) release() {
	m.c.mu.Lock()
	defer m.c.mu.Unlock()
	delete(m.c.marks, m)
}

// keep puts what the look gave into the cache, unless it is old already.
func (m *mark) keep(got made) {
	m.c.mu.Lock()
	defer m.c.mu.Unlock()
	if !m.tainted {
		m.c.insertLocked(&entry{key: m.key, value: got.value, size: got.size, rc: m.rc})
	}
}

// dropUpstream drops what was made from a document of a connection. A value that is being made has just asked for its documents
// itself, and the change is most often its own fetch; it is left alone.
func (c *cache) dropUpstream(k upstreamKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for e := range c.sources[k] {
		c.removeLocked(e)
	}
}

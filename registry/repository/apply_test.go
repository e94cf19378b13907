package repository_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/config"
	"packhouse.dev/packhouse/registry/metadata"
	"packhouse.dev/packhouse/registry/repository"
)

// large is a configuration of domains with so many repositories each. Every tenth repository has a connection, the others search the
// one before them in line.
func large(domains, repositories int) repository.Documents {
	docs := repository.Documents{Registry: &config.Registry{Schema: config.Schema, Partition: "aws", Region: "local"}}
	for d := range domains {
		doc := config.Domain{
			Schema: config.Schema, Owner: account, Name: fmt.Sprintf("large%d", d), Holder: "ns",
			Connections: []config.Connection{{Name: "public:npmjs", Format: "npm", URL: "https://registry.example.com/", RetainAll: true}},
		}
		for i := range repositories {
			r := config.Repository{
				Source: config.Source{Kind: "Repository", Namespace: "team", Name: fmt.Sprintf("repo-%d", i), UID: fmt.Sprintf("0000-%d", i), Generation: 1},
				Name:   fmt.Sprintf("repo-%d", i), Administrator: account, AdministratorUID: "ns", Description: "a repository of the team", Tags: map[string]string{"team": "web"},
			}
			if i%10 == 0 {
				r.Connections = []string{"public:npmjs"}
			} else {
				r.Upstreams = []string{fmt.Sprintf("repo-%d", i-1)}
			}
			doc.Repositories = append(doc.Repositories, r)
		}
		docs.Domains = append(docs.Domains, doc)
	}
	return docs
}

// TestApplyLarge measures what the operator waits for: the first configuration of a large registry, and one changed repository. The
// bounds are far above what it takes (70 and 40 ms on two cores), so that only another order of magnitude fails.
func TestApplyLarge(t *testing.T) {
	for _, size := range []struct{ domains, repositories int }{{1, 1000}, {200, 5}} {
		t.Run(fmt.Sprintf("%d domains of %d", size.domains, size.repositories), func(t *testing.T) {
			w := newWorld(t)
			docs := large(size.domains, size.repositories)
			apply := func(limit time.Duration) time.Duration {
				docs.Epoch, docs.Generation = 1, docs.Generation+1
				began := time.Now()
				if got, err := w.svc.Apply(t.Context(), docs); err != nil || len(got.Problems) > 0 {
					t.Fatalf("%+v, %v", got, err)
				}
				took := time.Since(began)
				if took > limit {
					t.Errorf("it took %v", took)
				}
				return took
			}
			first := apply(5 * time.Second)
			docs.Domains[0].Repositories[1].Description = "another"
			changed := apply(2 * time.Second)
			t.Logf("first %v, one changed %v, none changed %v", first, changed, apply(2*time.Second))
		})
	}
}

// TestNoOldSnapshotWhileLoading: a request that comes while another one loads what was applied elsewhere does not get the old one.
func TestNoOldSnapshotWhileLoading(t *testing.T) {
	w := newWorld(t)
	b := w.service()
	w.apply(func(d *config.Domain) { d.Repositories = d.Repositories[:3] }) // without "other"
	loading, release := make(chan struct{}), make(chan struct{})
	once := sync.OnceFunc(func() { close(loading); <-release })
	w.store.hold.Store(&once)
	enter := func() error {
		d, err := b.Enter(t.Context(), domain)
		if err != nil {
			return err
		}
		_, err = d.Open(t.Context(), repository.Request{Repository: "other", Format: "toy", Principal: root})
		return err
	}
	answers := make(chan error, 2)
	go func() { answers <- enter() }()
	<-loading
	go func() { answers <- enter() }()
	time.AfterFunc(50*time.Millisecond, func() { close(release) })
	for range 2 {
		if err := <-answers; !errors.Is(err, registry.ErrNotFound) {
			t.Errorf("a repository that is not declared any more: %v", err)
		}
	}
}

// Numbers of a configuration are in force also when nothing else changed, and lower ones are refused from then on.
func TestApplyNumbers(t *testing.T) {
	w := newWorld(t)
	docs := large(2, 3)
	apply := func(epoch, generation int64) error {
		docs.Epoch, docs.Generation = epoch, generation
		_, err := w.svc.Apply(t.Context(), docs)
		return err
	}
	for _, tt := range []struct {
		epoch, generation int64
		want              error
	}{{1, 5, nil}, {1, 7, nil}, {1, 6, registry.ErrStale}, {0, 9, registry.ErrStale}, {1, 7, nil}, {2, 1, nil}} {
		if err := apply(tt.epoch, tt.generation); !errors.Is(err, tt.want) {
			t.Errorf("%d.%d: %v, want %v", tt.epoch, tt.generation, err, tt.want)
		}
	}
	rows, err := w.store.Domains(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range rows {
		if d.State == metadata.Active && (d.Epoch != 2 || d.Generation != 1) {
			t.Errorf("%s has %d.%d", d.Ref, d.Epoch, d.Generation)
		}
	}
}

package repository_test

import (
	"fmt"
	"testing"
	"time"

	"packhouse.dev/packhouse/registry/config"
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

// TestApplyLarge measures what the operator waits for: the first configuration of a large registry, and one changed repository.
func TestApplyLarge(t *testing.T) {
	for _, size := range []struct{ domains, repositories int }{{1, 1000}, {200, 5}} {
		t.Run(fmt.Sprintf("%d domains of %d", size.domains, size.repositories), func(t *testing.T) {
			w := newWorld(t)
			docs := large(size.domains, size.repositories)
			apply := func() time.Duration {
				docs.Epoch, docs.Generation = 1, docs.Generation+1
				began := time.Now()
				if got, err := w.svc.Apply(t.Context(), docs); err != nil || len(got.Problems) > 0 {
					t.Fatalf("%+v, %v", got, err)
				}
				return time.Since(began)
			}
			first := apply()
			docs.Domains[0].Repositories[1].Description = "another"
			changed := apply()
			same := apply()
			t.Logf("first %v, one changed %v, none changed %v", first, changed, same)
		})
	}
}

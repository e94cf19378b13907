// Package metadatatest is the contract of metadata.Store as a test. Every driver passes it.
package metadatatest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/metadata"
)

// Run runs the suite. open returns an empty store; it is closed by whoever opens it, when the test ends.
func Run(t *testing.T, open func(t *testing.T) metadata.Store) {
	t.Helper()
	tests := []struct {
		name string
		fn   func(*testing.T, *fixture)
	}{
		{"packages", testPackages}, {"tags", testTags}, {"list", testList}, {"versions", testVersions}, {"document bytes", testDocumentBytes},
		{"insert twice", testInsertTwice}, {"assets", testAssets}, {"dispose", testDispose}, {"delete", testDelete}, {"retain", testRetain},
		{"replace assets", testReplaceAssets}, {"find", testFind}, {"rollback", testRollback}, {"panic", testPanic},
		{"declare", testDeclare}, {"declare conflicts", testDeclareConflicts}, {"declare order", testDeclareOrder}, {"undeclare", testUndeclare},
		{"declare without numbers", testDeclareUnnumbered}, {"remove a repository", testRemoveRepository}, {"remove a domain", testRemoveDomain},
		{"removal conflicts", testRemovalConflicts}, {"clear in batches", testClearInBatches}, {"clear while retaining", testClearWhileRetaining},
		{"secrets", testSecrets}, {"intents", testIntents}, {"intents end", testIntentsEnd}, {"intents withdrawn", testIntentsWithdrawn}, {"revocations", testRevocations}, {"derived", testDerived},
		{"upstream", testUpstream}, {"leases", testLeases}, {"changes", testChanges}, {"revisions", testRevisions},
		{"blobs", testBlobs}, {"collection", testCollection}, {"discard", testDiscard}, {"trim", testTrim},
		{"first arrival", testFirstArrival}, {"concurrent versions", testConcurrentVersions}, {"collect while publishing", testCollectWhilePublishing},
		{"history", testHistory}, {"closed", testClosed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { tt.fn(t, newFixture(t, open(t))) })
	}
}

// fixture is a store with a domain of three repositories.
type fixture struct {
	metadata.Store
	domain metadata.DomainID
	repos  []metadata.RepositoryID
	ref    registry.DomainRef
}

// serial makes objects of tests unique.
var serial atomic.Int64

func newFixture(t *testing.T, s metadata.Store) *fixture {
	t.Helper()
	f := &fixture{Store: s, ref: registry.DomainRef{Owner: "111122223333", Name: "d"}}
	got, err := s.Declare(t.Context(), f.declaration(1, "a", "b", "c"))
	must(t, err)
	f.domain = got.Domain.ID
	for _, r := range got.Repositories {
		f.repos = append(f.repos, r.ID)
	}
	if len(f.repos) != 3 || f.domain == 0 {
		t.Fatalf("declared %+v", got)
	}
	return f
}

func (f *fixture) declaration(generation int64, repositories ...string) metadata.Declaration {
	d := metadata.Declaration{Ref: f.ref, Holder: "ns-1", Generation: generation, Schema: 1, Body: fmt.Appendf(nil, `{"generation":%d}`, generation)}
	for _, r := range repositories {
		d.Repositories = append(d.Repositories, metadata.DeclaredRepository{Name: r, Administrator: "ns-1"})
	}
	return d
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var pkg = registry.PackageID{Format: "npm", Namespace: "corp", Name: "left-pad"}

var published = registry.OriginControls{Publish: registry.Allow, Upstream: registry.Block}

// digests of a content; only the SHA-256 is true.
func digests(content string) registry.Digests {
	sum := sha256.Sum256([]byte(content))
	h := hex.EncodeToString(sum[:])
	return registry.Digests{MD5: h[:32], SHA1: h[:40], SHA256: h, SHA512: h + h}
}

func newBlob(content string) metadata.NewBlob {
	return metadata.NewBlob{Digests: digests(content), Size: int64(len(content)), Object: fmt.Sprintf("d/o%d", serial.Add(1))}
}

// put publishes a version with one asset of the given content.
func (f *fixture) put(ctx context.Context, repository metadata.RepositoryID, id registry.PackageID, version, content string) error {
	_, err := f.Update(ctx, f.domain, func(tx metadata.Tx) error {
		p, _, err := tx.EnsurePackage(repository, id, id.Name, published, metadata.ByArrival)
		if err != nil {
			return err
		}
		b, err := tx.Blob(newBlob(content))
		if err != nil {
			return err
		}
		if _, err := tx.InsertVersion(p.Row, newVersion(version, metadata.NewAsset{Name: "a.tgz", Listed: true, Blob: b, Size: int64(len(content)), Digests: digests(content)})); err != nil {
			return err
		}
		return tx.Record(metadata.Change{Kind: metadata.PackageChanged, Repository: repository, Package: id})
	})
	return err
}

func newVersion(key string, assets ...metadata.NewAsset) metadata.NewVersion {
	return metadata.NewVersion{
		Key: key, Display: key, Status: registry.Published, Document: []byte(`{"v":"` + key + `"}`), Revision: "rev-" + key,
		Origin:      registry.Origin{Type: registry.Internal, Entry: "a", EntryUID: "uid-a"},
		PublishedAt: time.UnixMicro(1_700_000_000_123_456).UTC(), ArrivedAt: time.UnixMicro(1_700_000_001_000_000).UTC(), Assets: assets,
	}
}

// row returns the package row in a repository, nil if there is none.
func (f *fixture) row(t *testing.T, repository metadata.RepositoryID, id registry.PackageID) *metadata.Package {
	t.Helper()
	rows, err := f.Packages(t.Context(), []metadata.RepositoryID{repository}, id)
	must(t, err)
	if len(rows) == 0 {
		return nil
	}
	return rows[0]
}

// versions returns the versions of a package in a repository by key.
func (f *fixture) versions(t *testing.T, repository metadata.RepositoryID, id registry.PackageID) map[string]*metadata.Version {
	t.Helper()
	out := map[string]*metadata.Version{}
	p := f.row(t, repository, id)
	if p == nil {
		return out
	}
	list, err := f.Versions(t.Context(), []metadata.PackageRow{p.Row}, nil)
	must(t, err)
	for _, v := range list {
		out[v.ID.Version] = v
	}
	return out
}

func (f *fixture) update(t *testing.T, fn func(metadata.Tx) error) {
	t.Helper()
	_, err := f.Update(t.Context(), f.domain, fn)
	must(t, err)
}

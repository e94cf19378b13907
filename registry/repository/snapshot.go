package repository

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/config"
	"packhouse.dev/packhouse/registry/format"
	"packhouse.dev/packhouse/registry/metadata"
	"packhouse.dev/packhouse/registry/upstream"
)

// snapshot is what is declared, compiled for requests. It is immutable; a request uses one snapshot to its end.
type snapshot struct {
	changes   uint64 // Service.changes when it was read
	registry  *config.Registry
	limits    config.Limits
	endpoints []config.Endpoint
	domains   map[registry.DomainRef]*domainConfig
}

type domainConfig struct {
	row    metadata.Domain
	doc    *config.Domain
	digest string // of doc, as stored
	repos  map[string]*repoConfig
	conns  map[string]*config.Connection
	prints map[string][]byte // of conns, for fingerprints
}

// repoConfig is a declared repository with its row and its plan.
type repoConfig struct {
	row         metadata.Repository
	doc         *config.Repository
	domain      *domainConfig
	arn         string
	plan        *upstream.Plan
	members     []*repoConfig           // by index in plan.Names
	ids         []metadata.RepositoryID // of members
	overrides   map[registry.PackageID]override
	fingerprint string // of everything in the documents that its rendered documents depend on, but for overrides
}

// override is a declared PackageOriginConfiguration; "" leaves what is recorded.
type override struct{ publish, upstream registry.Restriction }

// Problem is something in a document that the data plane could not use. It never widens what is allowed.
type Problem struct {
	Source config.Source
	Text   string
}

// compileSnapshot joins documents and rows. A repository without a row (its name belongs to another administrator) is not served.
func compileSnapshot(reg *config.Registry, domains []storedDomain, formats map[registry.Format]format.Format) (*snapshot, []Problem) {
	if reg == nil {
		reg = &config.Registry{Schema: config.Schema, Partition: "aws", Region: "local"}
	}
	s := &snapshot{registry: reg, limits: reg.Limits.WithDefaults(), endpoints: reg.Endpoints, domains: map[registry.DomainRef]*domainConfig{}}
	var problems []Problem
	for _, d := range domains {
		dc := &domainConfig{row: d.row, doc: d.doc, digest: d.digest, repos: map[string]*repoConfig{}, conns: map[string]*config.Connection{}, prints: map[string][]byte{}}
		for i := range d.doc.Connections {
			c := &d.doc.Connections[i]
			dc.conns[c.Name] = c
			b, err := json.Marshal(c)
			if err != nil { // plain data; cannot fail, and must not be taken for equal if it does
				b = fmt.Appendf(nil, "%p", c)
			}
			dc.prints[c.Name] = b
		}
		rows := map[string]metadata.Repository{}
		for _, r := range d.repositories {
			rows[r.Name] = r
		}
		for i := range d.doc.Repositories {
			doc := &d.doc.Repositories[i]
			row, ok := rows[doc.Name]
			if !ok || row.State != metadata.Active {
				problems = append(problems, Problem{doc.Source, fmt.Sprintf("repository %q has content of another administrator and is not served", doc.Name)})
				continue
			}
			rc := &repoConfig{row: row, doc: doc, domain: dc, arn: s.arn("repository", d.doc.Owner, d.doc.Name+"/"+doc.Name)}
			var ps []Problem
			rc.overrides, ps = compileOverrides(doc.Packages, formats)
			problems = append(problems, ps...)
			dc.repos[doc.Name] = rc
		}
		for _, rc := range dc.repos {
			rc.compilePlan(s.limits.SearchedUpstreams)
		}
		s.domains[d.doc.Ref()] = dc
	}
	return s, problems
}

func compileOverrides(declared []config.PackageOrigin, formats map[registry.Format]format.Format) (map[registry.PackageID]override, []Problem) {
	out := map[registry.PackageID]override{}
	var problems []Problem
	for _, p := range declared {
		f, ok := formats[p.Format]
		if !ok {
			problems = append(problems, Problem{p.Source, fmt.Sprintf("unknown package format %q", p.Format)})
			continue
		}
		id, err := f.Names().Package(p.Namespace, p.Name)
		if err != nil {
			problems = append(problems, Problem{p.Source, err.Error()})
			continue
		}
		if _, taken := out[id]; !taken { // the first is the oldest
			out[id] = override{publish: p.Publish, upstream: p.Upstream}
		}
	}
	return out, problems
}

func (rc *repoConfig) compilePlan(limit int) {
	dc := rc.domain
	rc.plan = upstream.New(rc.doc.Name, limit, func(name string) (upstream.Node, bool) {
		r, ok := dc.repos[name]
		if !ok {
			return upstream.Node{}, false
		}
		known := slices.DeleteFunc(slices.Clone(r.doc.Connections), func(c string) bool { return dc.conns[c] == nil })
		return upstream.Node{Upstreams: r.doc.Upstreams, Connections: known}, true
	})
	h := sha256.New()
	for i, name := range rc.plan.Names() {
		m := dc.repos[name]
		rc.members = append(rc.members, m)
		rc.ids = append(rc.ids, m.row.ID)
		fmt.Fprintf(h, "%d %v %d:", m.row.ID, rc.plan.Children(i), len(rc.plan.Connections(i)))
		for _, c := range rc.plan.Connections(i) {
			h.Write(dc.prints[c])
		}
	}
	rc.fingerprint = hex.EncodeToString(h.Sum(nil))
}

// arn makes the ARN of a resource of an account.
func (s *snapshot) arn(kind, account, resource string) string {
	return "arn:" + s.registry.Partition + ":codeartifact:" + s.registry.Region + ":" + account + ":" + kind + "/" + resource
}

// packageARN is the ARN that permissions on a package are asked for (guide, "Resource policies"): …:package/domain/repo/format/ns/name.
func (s *snapshot) packageARN(rc *repoConfig, id registry.PackageID) string {
	d := rc.domain.doc
	return s.arn("package", d.Owner, d.Name+"/"+rc.doc.Name+"/"+string(id.Format)+"/"+id.Namespace+"/"+id.Name)
}

// override returns what is declared for a package in this very repository.
func (rc *repoConfig) override(id registry.PackageID) override { return rc.overrides[id] }

// sameFor says whether documents of package id that were rendered under rc look the same under other.
func (rc *repoConfig) sameFor(other *repoConfig, id registry.PackageID) bool {
	if rc == other {
		return true
	}
	if rc.row.ID != other.row.ID || rc.fingerprint != other.fingerprint {
		return false
	}
	for i := range rc.members { // equal fingerprints have equal members
		if rc.members[i].override(id) != other.members[i].override(id) {
			return false
		}
	}
	return true
}

// effective joins what is declared with what the row records; row nil: nothing arrived yet.
func (o override) effective(row *metadata.Package) registry.OriginControls {
	c := registry.OriginControls{Publish: registry.Allow, Upstream: registry.Allow}
	if row != nil {
		c = row.Controls
	}
	if o.publish != "" {
		c.Publish = o.publish
	}
	if o.upstream != "" {
		c.Upstream = o.upstream
	}
	return c
}

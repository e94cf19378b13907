package repository

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/access"
	"packhouse.dev/packhouse/registry/config"
	"packhouse.dev/packhouse/registry/format"
	"packhouse.dev/packhouse/registry/identity"
	"packhouse.dev/packhouse/registry/metadata"
	"packhouse.dev/packhouse/registry/upstream"
)

// snapshot is what is declared, compiled for requests. It is immutable; a request uses one snapshot to its end.
type snapshot struct {
	changes   uint64 // Service.changes when it was read
	registry  *config.Registry
	digest    string // of registry, as stored
	access    *access.Registry
	providers *identity.Providers
	problems  []Problem // of access and providers
	limits    config.Limits
	endpoints []config.Endpoint
	trusted   []netip.Prefix
	domains   map[registry.DomainRef]*domainConfig
	readers   readers
}

type domainConfig struct {
	row      metadata.Domain
	doc      *config.Domain
	digest   string // of doc, as stored
	access   *access.Domain
	problems []Problem // of access
	groups   [sha256.Size]byte
	repos    map[string]*repoConfig
	conns    map[string]*config.Connection
	prints   map[string][]byte // of conns, for fingerprints
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
	fingerprint string // of everything that its rendered documents depend on, but for what is about single packages
	whole       string // of that, too: of overrides and package groups
}

// override is a declared PackageOriginConfiguration; "" leaves what is recorded.
type override struct {
	publish, upstream registry.Restriction
	by                string // what declares it
}

// Problem is something in a document that the data plane could not use. It never widens what is allowed.
type Problem struct {
	Source config.Source
	Text   string
}

// compileSnapshot joins documents and rows. A repository without a row (its name belongs to another administrator) is not served.
// What was compiled for the snapshot before is taken over where the documents are the same ones. before may be nil.
func compileSnapshot(reg storedRegistry, domains []storedDomain, formats map[registry.Format]format.Format, before *snapshot) (*snapshot, []Problem) {
	s := &snapshot{registry: reg.doc, digest: reg.digest, domains: map[registry.DomainRef]*domainConfig{}}
	if s.registry == nil {
		s.registry = &config.Registry{Schema: config.Schema, Partition: "aws", Region: "local"}
	}
	s.limits, s.endpoints = s.registry.Limits.WithDefaults(), s.registry.Endpoints
	s.compileAccess(before)
	problems := slices.Clone(s.problems)
	for _, text := range s.registry.TrustedProxies {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			problems = append(problems, Problem{s.registry.Source, fmt.Sprintf("trusted proxy %q is no network; it is not trusted", text)})
			continue
		}
		s.trusted = append(s.trusted, p.Masked())
	}
	for _, d := range domains {
		dc := &domainConfig{row: d.row, doc: d.doc, digest: d.digest, repos: map[string]*repoConfig{}}
		dc.compileAccess(s, before)
		problems = append(problems, dc.problems...)
		dc.compileConnections()
		problems = append(problems, dc.compileRepositories(s, d.repositories, formats)...)
		for _, rc := range dc.repos {
			rc.compilePlan(s.limits.SearchedUpstreams)
		}
		s.domains[d.doc.Ref()] = dc
	}
	return s, problems
}

func (s *snapshot) compileAccess(before *snapshot) {
	if before != nil && before.registry == s.registry {
		s.access, s.providers, s.problems = before.access, before.providers, before.problems
		return
	}
	var problems []access.Problem
	s.access, problems = access.CompileRegistry(s.registry)
	s.problems = asProblems(problems)
	var others []identity.Problem
	s.providers, others = identity.Compile(s.registry, s.access.AccountOf)
	for _, p := range others {
		s.problems = append(s.problems, Problem(p))
	}
}

func (dc *domainConfig) compileAccess(s, before *snapshot) {
	if before != nil && before.access == s.access {
		if old := before.domains[dc.doc.Ref()]; old != nil && old.doc == dc.doc {
			dc.access, dc.problems, dc.groups = old.access, old.problems, old.groups
			return
		}
	}
	var problems []access.Problem
	dc.access, problems = access.CompileDomain(s.access, dc.doc)
	dc.problems = asProblems(problems)
	dc.groups = sha256.Sum256(printOf(dc.doc.Groups))
}

func asProblems(list []access.Problem) []Problem {
	var out []Problem
	for _, p := range list {
		out = append(out, Problem(p))
	}
	return out
}

// printOf tells declarations apart.
func printOf(declared any) []byte {
	b, err := json.Marshal(declared)
	if err != nil { // plain data; cannot fail, and must not be taken for equal if it does
		b = fmt.Appendf(nil, "%p", &b)
	}
	return b
}

func (dc *domainConfig) compileConnections() {
	dc.conns, dc.prints = map[string]*config.Connection{}, map[string][]byte{}
	for i := range dc.doc.Connections {
		c := &dc.doc.Connections[i]
		dc.conns[c.Name], dc.prints[c.Name] = c, printOf(c)
	}
}

func (dc *domainConfig) compileRepositories(s *snapshot, list []metadata.Repository, formats map[registry.Format]format.Format) []Problem {
	rows := map[string]metadata.Repository{}
	for _, r := range list {
		rows[r.Name] = r
	}
	var problems []Problem
	for i := range dc.doc.Repositories {
		doc := &dc.doc.Repositories[i]
		row, ok := rows[doc.Name]
		if !ok || row.State != metadata.Active {
			problems = append(problems, Problem{doc.Source, fmt.Sprintf("repository %q has content of another administrator and is not served", doc.Name)})
			continue
		}
		rc := &repoConfig{row: row, doc: doc, domain: dc, arn: s.access.Names().Repository(dc.doc.Owner, dc.doc.Name, doc.Name)}
		var ps []Problem
		rc.overrides, ps = compileOverrides(doc.Packages, formats)
		problems = append(problems, ps...)
		dc.repos[doc.Name] = rc
	}
	return problems
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
			out[id] = override{publish: p.Publish, upstream: p.Upstream, by: fmt.Sprintf("%s %s/%s", p.Source.Kind, p.Source.Namespace, p.Source.Name)}
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
	h, all := sha256.New(), sha256.New()
	all.Write(dc.groups[:])
	for i, name := range rc.plan.Names() {
		m := dc.repos[name]
		rc.members = append(rc.members, m)
		rc.ids = append(rc.ids, m.row.ID)
		fmt.Fprintf(h, "%d %v %d:", m.row.ID, rc.plan.Children(i), len(rc.plan.Connections(i)))
		for _, c := range rc.plan.Connections(i) {
			h.Write(dc.prints[c])
		}
		all.Write(printOf(m.doc.Packages))
	}
	rc.fingerprint = hex.EncodeToString(h.Sum(nil))
	rc.whole = hex.EncodeToString(all.Sum(h.Sum(nil)))
}

// override returns what is declared for a package in this very repository.
func (rc *repoConfig) override(id registry.PackageID) override { return rc.overrides[id] }

// sameFor says whether documents of package id that were rendered under rc look the same under other. An identity without a name
// stands for all packages of its format.
func (rc *repoConfig) sameFor(other *repoConfig, id registry.PackageID) bool {
	if rc == other {
		return true
	}
	if rc.row.ID != other.row.ID || rc.fingerprint != other.fingerprint {
		return false
	}
	if id.Name == "" {
		return rc.whole == other.whole
	}
	for i := range rc.members { // equal fingerprints have equal members
		if rc.members[i].override(id) != other.members[i].override(id) {
			return false
		}
	}
	return rc.domain.access.Groups() == other.domain.access.Groups() || rc.ways(id) == other.ways(id)
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

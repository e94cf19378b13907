package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"packhouse.dev/packhouse/controllers/compile"
	"packhouse.dev/packhouse/controllers/manifest"
	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/config"
	"packhouse.dev/packhouse/registry/format/all"
)

// defaultAccount is the account of manifests without a namespace.
const defaultAccount = "111122223333"

// manifests are what the files declare, compiled.
type manifests struct {
	set       *manifest.Set
	compiled  compile.Documents // without endpoints of our own
	registry  *config.Registry
	domains   []config.Domain // in order of account and name
	first     registry.DomainRef
	refusals  []compile.Condition
	problems  []string // the same in words: what is declared and not in force
	keys      []compile.KeyState
	secrets   map[string]string // of access keys, by id
	canonical []byte            // the same for the same configuration
}

// compiler turns files into configuration.
type compiler struct {
	files     []string
	kept      string            // folder of what was declared through the service API; "": none
	endpoints []config.Endpoint // under which this process can be reached; they come first
	options   compile.Options
	keyring   keyring
}

// newCompiler checks that urls ("NAME=URL"), which take the place of external connections' addresses, name connections that there are.
func newCompiler(files, urls []string, endpoints []config.Endpoint) (*compiler, error) {
	c := &compiler{files: files, endpoints: endpoints, options: compile.Options{URLs: map[string]string{}, DefaultAccount: defaultAccount}}
	for _, text := range urls {
		name, address, _ := strings.Cut(text, "=")
		if u, err := url.Parse(address); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return nil, fmt.Errorf("--external-connection-url %q is not NAME=URL, for example public:npmjs=https://npm.example.com/", text)
		}
		c.options.URLs[name] = address
	}
	left := maps.Clone(c.options.URLs)
	var names []string
	for _, f := range all.Formats() {
		t := f.Traits()
		for _, p := range t.Presets {
			c.options.Presets = append(c.options.Presets, compile.Preset{Name: p.Name, Format: t.Name, URL: p.URL, Hosts: p.Hosts})
			names = append(names, p.Name)
			delete(left, p.Name)
		}
	}
	for name := range left {
		return nil, fmt.Errorf("--external-connection-url: there is no external connection %q; there are %s", name, strings.Join(names, ", "))
	}
	return c, nil
}

// read reads the files. before is what was in force, nil at first.
func (c *compiler) read(ctx context.Context, before *manifests) (*manifests, error) {
	m := &manifests{}
	var previousSet *manifest.Set
	var previous compile.Documents
	if before != nil {
		previousSet, previous = before.set, before.compiled
	}
	var err error
	if m.set, err = manifest.LoadWith(ctx, c.files, c.kept, previousSet); err != nil {
		return nil, err
	}
	opt := c.options
	switch r := m.set.Objects.Registries; len(r) {
	case 0: // everything has a default
	case 1:
		opt.Registry = types.NamespacedName{Namespace: r[0].Namespace, Name: r[0].Name}
	default:
		return nil, fmt.Errorf("there are %d objects of kind Registry; this process is one registry", len(r))
	}
	objects := m.set.Objects
	if objects.Keys, m.secrets, err = c.keyring.of(objects.AccessKeys); err != nil {
		return nil, err
	}
	result := compile.Compile(objects, previous, opt)
	m.compiled, m.domains, m.keys = result.Documents, result.Domains, result.Keys
	m.refusals = result.Problems()
	for _, p := range m.refusals {
		m.problems = append(m.problems, place(m.set, p.Object)+p.Object.String()+": "+p.Message)
	}
	own := *result.Registry
	own.Endpoints = slices.Concat(c.endpoints, own.Endpoints)
	m.first = m.firstDeclared()
	own.Identities = append(slices.Clone(own.Identities), devIdentity(m.account()))
	m.registry = &own
	return m, m.canonicalize()
}

// firstDeclared is the domain that stands first in the files, among those that are in force.
func (m *manifests) firstDeclared() registry.DomainRef {
	for _, o := range m.set.Objects.Domains {
		for i := range m.domains {
			if s := m.domains[i].Source; s.Namespace == o.Namespace && s.Name == o.Name {
				return m.domains[i].Ref()
			}
		}
	}
	return registry.DomainRef{}
}

func (m *manifests) canonicalize() error {
	var all bytes.Buffer
	b, err := config.Encode(m.registry)
	if err != nil {
		return err
	}
	all.Write(b)
	for i := range m.domains {
		if b, err = config.Encode(&m.domains[i]); err != nil {
			return err
		}
		all.Write(b)
	}
	m.canonical = all.Bytes()
	return nil
}

// dateGroups gives package groups of files, which say nothing of it, the time when this registry had them first: it stands in the
// documents that are in force, also after a restart. Other things have rows, which have times.
func (d *dev) dateGroups(ctx context.Context, m *manifests, now time.Time) error {
	for i := range m.domains {
		doc := &m.domains[i]
		var known []config.PackageGroup
		switch before, err := d.plane.Service.Enter(ctx, doc.Ref()); {
		case err == nil:
			known = before.Declared().Groups
		case !errors.Is(err, registry.ErrNotFound):
			return err
		}
		doc.Groups = slices.Clone(doc.Groups)
		for j := range doc.Groups {
			g := &doc.Groups[j]
			if m.set.Dated(g.Source.Kind, g.Source.Namespace, g.Source.Name) {
				continue
			}
			g.CreatedAt = now.UTC().Truncate(time.Second) // as apiservers do
			if at := slices.IndexFunc(known, func(k config.PackageGroup) bool { return k.Pattern == g.Pattern }); at >= 0 {
				g.CreatedAt = known[at].CreatedAt
			}
		}
	}
	return nil
}

// domain returns the document of a domain.
func (m *manifests) domain(ref registry.DomainRef) *config.Domain {
	i := slices.IndexFunc(m.domains, func(d config.Domain) bool { return d.Ref() == ref })
	if i < 0 {
		return nil
	}
	return &m.domains[i]
}

// summary says what is served, in a line per domain.
func (m *manifests) summary() string {
	lines := make([]string, 0, len(m.domains))
	for _, d := range m.domains {
		names := make([]string, len(d.Repositories))
		for i, r := range d.Repositories {
			names[i] = r.Name
		}
		if len(names) == 0 {
			names = []string{"none"}
		}
		lines = append(lines, fmt.Sprintf("domain %s (account %s), repositories: %s", d.Name, d.Owner, strings.Join(names, ", ")))
	}
	return strings.Join(lines, "\n")
}

// place is where an object stands, for the beginning of a line.
func place(set *manifest.Set, o compile.Object) string {
	if at := set.Place(o.Kind, o.Namespace, o.Name); at != "" {
		return at + ": "
	}
	return ""
}

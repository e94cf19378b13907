// Package compile turns objects into the configuration documents of the data plane. It is pure: no network, no clock, no client; the
// same objects in any order give the same documents.
//
// Damage never widens what is allowed. An object that breaks a rule keeps the fragment that it gave before; without one it is left
// out, or, where leaving it out would allow more, it blocks. Of two objects for one thing the oldest wins, and keeps winning.
package compile

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	api "packhouse.dev/packhouse/api/v1alpha1"
	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/config"
	"packhouse.dev/packhouse/registry/policy"
	"packhouse.dev/packhouse/registry/upstream"
)

// Objects are all objects that there are, as they were read, in any order.
type Objects struct {
	Registries   []api.Registry
	Domains      []api.Domain
	Repositories []api.Repository
	Connections  []api.ExternalConnection
	Origins      []api.PackageOriginConfiguration
	Groups       []api.PackageGroup

	DomainPolicies     []api.DomainPolicy
	RepositoryPolicies []api.RepositoryPolicy
	IdentityPolicies   []api.IdentityPolicy
	IdentityProviders  []api.IdentityProvider
	AccessKeys         []api.AccessKey
	Keys               map[types.NamespacedName][]Key // of AccessKeys, as their Secrets have them
	// ServiceAccounts are those of namespaces that have identity policies or access keys. nil: there is no cluster to ask.
	ServiceAccounts []config.ServiceAccount

	Namespaces map[string]Namespace // by name
}

// Namespace is what is needed to know of a namespace. Without a UID its name stands for it.
type Namespace struct {
	UID    string
	Labels map[string]string
}

// Documents are the configuration of one registry.
type Documents struct {
	Registry *config.Registry
	Domains  []config.Domain // in order of account and name
}

// Preset is an external connection that every registry knows.
type Preset struct {
	Name   string
	Format registry.Format
	URL    string
	Hosts  []string
}

// Options say for which registry, and what the process knows beside the objects.
type Options struct {
	Registry types.NamespacedName // the Registry whose documents are wanted
	Presets  []Preset
	// URLs replace the addresses of presets, by name. Whoever gives them vouches for them: they may be private.
	URLs map[string]string
	// DefaultAccount is the account of namespace "default"; "" derives it as for any other.
	DefaultAccount string
	// Cluster is who signs the tokens of the cluster's service accounts; nil: it is as it was before.
	Cluster *config.ClusterIssuer
}

// Object names an object that a condition is about.
type Object struct {
	Kind, Namespace, Name string
}

// String is Kind namespace/name.
func (o Object) String() string { return o.Kind + " " + o.Namespace + "/" + o.Name }

// Condition is something that is true of an object.
type Condition struct {
	Object  Object
	Type    string // api.ConditionAccepted or api.ConditionResolvedRefs
	Status  bool
	Reason  string
	Message string
}

// Result of a compilation.
type Result struct {
	Documents
	// Conditions has Accepted and ResolvedRefs of every object that belongs to the registry, in order of object and type.
	Conditions []Condition
	// Groups has what package groups show in their status, in order of the objects.
	Groups []GroupState
	// Keys has what access keys show in theirs, oldest first.
	Keys []KeyState
	// Served has what is served of each Domain and Repository that is in the documents, also where that is an earlier declaration.
	Served map[Object]Served
}

// Served says where an object's content is.
type Served struct {
	Domain     registry.DomainRef
	ARN        string
	Repository string   // "": the object is a Domain
	Search     []string // repositories and connections, in the order in which packages are looked for
}

// Problems are the conditions that are false.
func (r *Result) Problems() []Condition {
	return slices.DeleteFunc(slices.Clone(r.Conditions), func(c Condition) bool { return c.Status })
}

// compilation is one run.
type compilation struct {
	objects  Objects
	previous Documents
	opt      Options
	registry *api.Registry
	limits   config.Limits
	accounts accounts
	domains  map[types.NamespacedName]*domain // accepted, by object
	out      Result
}

// domain is an accepted domain with the document being made.
type domain struct {
	object *api.Domain
	doc    *config.Domain
	policy *policy.Policy   // nil: none
	repos  map[string]*repo // by own name
}

// repo is an accepted repository.
type repo struct {
	object *api.Repository
	doc    *config.Repository
	policy *policy.Policy // nil: none
}

// Compile makes the documents of one registry.
func Compile(objects Objects, previous Documents, opt Options) *Result {
	c := &compilation{objects: objects.sorted(), previous: previous, opt: opt, domains: map[types.NamespacedName]*domain{}}
	c.compileRegistry()
	c.compileDomains()
	c.compileIdentities()
	c.compileProviders()
	c.compileKeys()
	c.compileDomainPolicies()
	c.compileRepositories()
	c.compileOrigins()
	c.compileGroups()
	c.connectionConditions()
	c.finish()
	return &c.out
}

// byAge sorts objects, oldest first. The name decides between objects of one second, so that a restart changes nothing.
func byAge[T any](list []T, meta func(*T) *metav1.ObjectMeta) []T {
	return slices.SortedFunc(slices.Values(list), func(a, b T) int {
		ma, mb := meta(&a), meta(&b)
		return cmp.Or(ma.CreationTimestamp.Compare(mb.CreationTimestamp.Time), strings.Compare(ma.Namespace+"/"+ma.Name, mb.Namespace+"/"+mb.Name))
	})
}

func (o Objects) sorted() Objects {
	o.Registries = byAge(o.Registries, func(x *api.Registry) *metav1.ObjectMeta { return &x.ObjectMeta })
	o.Domains = byAge(o.Domains, func(x *api.Domain) *metav1.ObjectMeta { return &x.ObjectMeta })
	o.Repositories = byAge(o.Repositories, func(x *api.Repository) *metav1.ObjectMeta { return &x.ObjectMeta })
	o.Connections = byAge(o.Connections, func(x *api.ExternalConnection) *metav1.ObjectMeta { return &x.ObjectMeta })
	o.Origins = byAge(o.Origins, func(x *api.PackageOriginConfiguration) *metav1.ObjectMeta { return &x.ObjectMeta })
	o.Groups = byAge(o.Groups, func(x *api.PackageGroup) *metav1.ObjectMeta { return &x.ObjectMeta })
	o.DomainPolicies = byAge(o.DomainPolicies, func(x *api.DomainPolicy) *metav1.ObjectMeta { return &x.ObjectMeta })
	o.RepositoryPolicies = byAge(o.RepositoryPolicies, func(x *api.RepositoryPolicy) *metav1.ObjectMeta { return &x.ObjectMeta })
	o.IdentityPolicies = byAge(o.IdentityPolicies, func(x *api.IdentityPolicy) *metav1.ObjectMeta { return &x.ObjectMeta })
	o.IdentityProviders = byAge(o.IdentityProviders, func(x *api.IdentityProvider) *metav1.ObjectMeta { return &x.ObjectMeta })
	o.AccessKeys = byAge(o.AccessKeys, func(x *api.AccessKey) *metav1.ObjectMeta { return &x.ObjectMeta })
	return o
}

func (c *compilation) say(o Object, kind string, ok bool, reason, message string) {
	c.out.Conditions = append(c.out.Conditions, Condition{Object: o, Type: kind, Status: ok, Reason: reason, Message: message})
}

func (c *compilation) accept(o Object) {
	c.say(o, api.ConditionAccepted, true, api.ReasonAccepted, "")
}

func (c *compilation) refuse(o Object, reason, message string) {
	c.say(o, api.ConditionAccepted, false, reason, message)
}

// resolved says what became of references: problems is empty if all are resolved.
func (c *compilation) resolved(o Object, reason string, problems []string) {
	if len(problems) == 0 {
		c.say(o, api.ConditionResolvedRefs, true, api.ReasonResolved, "")
		return
	}
	c.say(o, api.ConditionResolvedRefs, false, reason, strings.Join(problems, "; "))
}

// served says where a domain and its repositories are.
func (c *compilation) served(d *domain) {
	ref := d.doc.Ref()
	arn := func(kind, name string) string {
		return fmt.Sprintf("arn:%s:codeartifact:%s:%s:%s/%s", c.out.Registry.Partition, c.out.Registry.Region, ref.Owner, kind, name)
	}
	c.out.Served[Object{"Domain", d.object.Namespace, d.object.Name}] = Served{Domain: ref, ARN: arn("domain", ref.Name)}
	for _, re := range d.repos {
		at := Served{Domain: ref, ARN: arn("repository", ref.Name+"/"+re.doc.Name), Repository: re.doc.Name}
		plan := c.plan(re, d)
		names := plan.Names()
		plan.Search(func(int) bool { return false }, func(s upstream.Step) bool {
			if s.Connection != "" {
				at.Search = append(at.Search, s.Connection)
			} else {
				at.Search = append(at.Search, names[s.Repository])
			}
			return true
		})
		c.out.Served[Object{"Repository", re.object.Namespace, re.object.Name}] = at
	}
}

// finish puts everything into its order.
func (c *compilation) finish() {
	c.out.Served = map[Object]Served{}
	for _, d := range c.domains {
		c.served(d)
		slices.SortFunc(d.doc.Repositories, func(a, b config.Repository) int { return strings.Compare(a.Name, b.Name) })
		slices.SortFunc(d.doc.Connections, func(a, b config.Connection) int { return strings.Compare(a.Name, b.Name) })
		c.out.Domains = append(c.out.Domains, *d.doc)
	}
	slices.SortFunc(c.out.Domains, func(a, b config.Domain) int {
		return cmp.Or(strings.Compare(a.Owner, b.Owner), strings.Compare(a.Name, b.Name))
	})
	slices.SortStableFunc(c.out.Conditions, func(a, b Condition) int {
		return cmp.Or(strings.Compare(a.Object.String(), b.Object.String()), strings.Compare(a.Type, b.Type))
	})
}

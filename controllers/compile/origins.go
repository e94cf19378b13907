package compile

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	api "packhouse.dev/packhouse/api/v1alpha1"
	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/config"
)

// compileOrigins puts declared origin controls to their repositories, oldest first. The data plane knows which spellings name one
// package, and takes the first of several.
func (c *compilation) compileOrigins() {
	byObject := map[types.NamespacedName]*config.Repository{}
	for _, d := range c.domains {
		for name, r := range d.repos {
			at := slices.IndexFunc(d.doc.Repositories, func(doc config.Repository) bool { return doc.Name == name })
			byObject[types.NamespacedName{Namespace: r.object.Namespace, Name: r.object.Name}] = &d.doc.Repositories[at]
		}
	}
	first := map[string]string{}
	for i := range c.objects.Origins {
		p := &c.objects.Origins[i]
		o := Object{"PackageOriginConfiguration", p.Namespace, p.Name}
		namespace := p.Spec.RepositoryRef.Namespace
		if namespace == "" {
			namespace = p.Namespace
		}
		doc := byObject[types.NamespacedName{Namespace: namespace, Name: p.Spec.RepositoryRef.Name}]
		switch {
		case namespace != p.Namespace:
			c.accept(o)
			c.resolved(o, api.ReasonNotAllowed, []string{"a repository of another namespace cannot be configured from here"})
			continue
		case doc == nil:
			if !c.foreignRepository(namespace, p.Spec.RepositoryRef.Name) {
				c.accept(o)
				c.resolved(o, api.ReasonNotFound, []string{fmt.Sprintf("Repository %s/%s does not exist or is not accepted", namespace, p.Spec.RepositoryRef.Name)})
			}
			continue
		}
		key := fmt.Sprintf("%s/%s %q %q %q", namespace, doc.Name, p.Spec.Package.Format, p.Spec.Package.Namespace, p.Spec.Package.Name)
		if older, taken := first[key]; taken {
			c.refuse(o, api.ReasonConflicted, fmt.Sprintf("PackageOriginConfiguration %s is older and about the same package", older))
			continue
		}
		first[key] = p.Name
		doc.Packages = append(doc.Packages, c.origin(o, p, doc))
		c.resolved(o, "", nil)
	}
}

func (c *compilation) foreignRepository(namespace, name string) bool {
	at := slices.IndexFunc(c.objects.Repositories, func(r api.Repository) bool { return r.Namespace == namespace && r.Name == name })
	if at < 0 {
		return false
	}
	ref := c.objects.Repositories[at].Spec.DomainRef
	if ref.Namespace == "" {
		ref.Namespace = namespace
	}
	return c.foreign(ref.Namespace, ref.Name)
}

// origin compiles one declaration. What cannot be read is what it was before, and blocks if it was nothing.
func (c *compilation) origin(o Object, p *api.PackageOriginConfiguration, doc *config.Repository) config.PackageOrigin {
	out := config.PackageOrigin{
		Source: source("PackageOriginConfiguration", &p.ObjectMeta), Format: registry.Format(p.Spec.Package.Format), Namespace: p.Spec.Package.Namespace, Name: p.Spec.Package.Name,
	}
	var bad bool
	out.Publish, bad = restriction(p.Spec.Publish)
	if !bad {
		out.Upstream, bad = restriction(p.Spec.Upstream)
	}
	if !bad {
		c.accept(o)
		return out
	}
	c.refuse(o, api.ReasonInvalid, "publish and upstream are Allow or Block")
	for i := range c.previous.Domains {
		for j := range c.previous.Domains[i].Repositories {
			r := &c.previous.Domains[i].Repositories[j]
			if r.Source.UID != doc.Source.UID || r.Name != doc.Name {
				continue
			}
			old := before(r.Packages, func(x *config.PackageOrigin) config.Source { return x.Source }, out.Source)
			if old != nil && old.Format == out.Format && old.Namespace == out.Namespace && old.Name == out.Name {
				return *old
			}
		}
	}
	out.Publish, out.Upstream = registry.Block, registry.Block
	return out
}

func restriction(r api.Restriction) (_ registry.Restriction, bad bool) {
	switch r {
	case "":
		return "", false
	case api.Allow:
		return registry.Allow, false
	case api.Block:
		return registry.Block, false
	}
	return "", true
}

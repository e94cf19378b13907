package compile

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	api "packhouse.dev/packhouse/api/v1alpha1"
	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/config"
)

// connection finds what a repository of a namespace means by a name: a preset, or an ExternalConnection of the same namespace.
func (c *compilation) connection(name, namespace string) (_ *config.Connection, problem string) {
	if strings.HasPrefix(name, "public:") {
		return c.preset(name)
	}
	at := slices.IndexFunc(c.objects.Connections, func(x api.ExternalConnection) bool { return x.Namespace == namespace && x.Name == name })
	if at < 0 {
		return nil, fmt.Sprintf("there is no external connection %s: name a preset like public:npmjs, or an ExternalConnection of namespace %s", name, namespace)
	}
	x := &c.objects.Connections[at]
	if x.Spec.Overrides != "" {
		return nil, fmt.Sprintf("ExternalConnection %s takes the place of %s: name that", name, x.Spec.Overrides)
	}
	conn, problem := compileConnection(x)
	conn.Name = namespace + ":" + name
	if problem != "" {
		return c.keptConnection(conn, problem)
	}
	return conn, ""
}

func (c *compilation) preset(name string) (*config.Connection, string) {
	at := slices.IndexFunc(c.opt.Presets, func(p Preset) bool { return p.Name == name })
	if at < 0 {
		return nil, fmt.Sprintf("there is no preset %s", name)
	}
	p := c.opt.Presets[at]
	conn := &config.Connection{Source: config.Source{Kind: "Preset", Name: name}, Name: name, Format: p.Format, URL: p.URL, Hosts: p.Hosts, RetainAll: true}
	if x := c.overriding(name); x != nil {
		over, problem := compileConnection(x)
		over.Name = name
		switch {
		case problem != "":
			return c.keptConnection(over, problem)
		case over.Format != p.Format:
			return nil, fmt.Sprintf("ExternalConnection %s/%s overrides %s with another format", x.Namespace, x.Name, name)
		}
		conn = over
	}
	if u, ok := c.opt.URLs[name]; ok {
		conn.URL, conn.AllowPrivateAddresses = u, true
	}
	return conn, ""
}

// overriding returns the oldest connection of the registry's own namespace that takes the place of a preset. Those of other
// namespaces must not decide where everybody's packages come from.
func (c *compilation) overriding(name string) *api.ExternalConnection {
	at := slices.IndexFunc(c.objects.Connections, func(x api.ExternalConnection) bool {
		return x.Spec.Overrides == name && x.Namespace == c.opt.Registry.Namespace
	})
	if at < 0 {
		return nil
	}
	return &c.objects.Connections[at]
}

// keptConnection returns what a connection was before, if it is the same object.
func (c *compilation) keptConnection(conn *config.Connection, problem string) (*config.Connection, string) {
	for i := range c.previous.Domains {
		if old := before(c.previous.Domains[i].Connections, func(x *config.Connection) config.Source { return x.Source }, conn.Source); old != nil && old.Name == conn.Name {
			return old, ""
		}
	}
	return nil, problem
}

func compileConnection(x *api.ExternalConnection) (*config.Connection, string) {
	conn := &config.Connection{
		Source: source("ExternalConnection", &x.ObjectMeta), Format: registry.Format(x.Spec.Format), URL: x.Spec.URL, Hosts: x.Spec.Hosts, CA: x.Spec.CA,
		AllowPrivateAddresses: x.Spec.AllowPrivateAddresses, RetainAll: x.Spec.Retain != "Requested", DenyPublishUnavailable: x.Spec.PublishWhenUnavailable == "Deny",
		ForwardAudit: x.Spec.Forward.Audit, ForwardSearch: x.Spec.Forward.Search,
	}
	if x.Spec.Credentials != nil {
		conn.Credentials = x.Namespace + "/" + x.Spec.Credentials.Name
	}
	u, err := url.Parse(x.Spec.URL)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil {
		return conn, fmt.Sprintf("ExternalConnection %s/%s: url must be an http or https URL without credentials", x.Namespace, x.Name)
	}
	if conn.IndexFresh, err = lifetime(x.Spec.Cache.Index); err == nil {
		conn.AbsentFresh, err = lifetime(x.Spec.Cache.Absent)
	}
	if err != nil {
		return conn, fmt.Sprintf("ExternalConnection %s/%s: cache: %v", x.Namespace, x.Name, err)
	}
	return conn, ""
}

func lifetime(text string) (config.Duration, error) {
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err == nil && d <= 0 {
		err = fmt.Errorf("%q is not above zero", text)
	}
	return config.Duration(d), err
}

// connectionConditions reports on connections that repositories of this registry may name.
func (c *compilation) connectionConditions() {
	for i := range c.objects.Connections {
		x := &c.objects.Connections[i]
		o := Object{"ExternalConnection", x.Namespace, x.Name}
		_, problem := compileConnection(x)
		switch over := x.Spec.Overrides; {
		case problem != "":
			c.refuse(o, api.ReasonInvalid, problem)
		case over == "":
			c.accept(o)
		case x.Namespace != c.opt.Registry.Namespace:
			c.refuse(o, api.ReasonNotAllowed, "only an ExternalConnection in the namespace of the Registry may take the place of a preset")
		case c.overriding(over) != x:
			first := c.overriding(over)
			c.refuse(o, api.ReasonConflicted, fmt.Sprintf("ExternalConnection %s is older and overrides %s", first.Name, over))
		default:
			c.accept(o)
		}
	}
}

package registry

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"golang.org/x/sync/errgroup"

	api "packhouse.dev/packhouse/api/v1alpha1"
	"packhouse.dev/packhouse/controllers/compile"
	"packhouse.dev/packhouse/registry/admin"
	"packhouse.dev/packhouse/registry/config"
)

// concurrentWrites is how many statuses are written at the same time.
const concurrentWrites = 16

// told is what compilation said of an object.
type told struct{ accepted, resolved *compile.Condition }

// report writes statuses. Only those that change are written.
func (r *Reconciler) report(ctx context.Context, reg *api.Registry, w *world, out *outcome) error {
	said := map[compile.Object]*told{}
	for i := range out.compiled.Conditions {
		c := &out.compiled.Conditions[i]
		t := said[c.Object]
		if t == nil {
			t = &told{}
			said[c.Object] = t
		}
		if c.Type == api.ConditionAccepted {
			t.accepted = c
		} else {
			t.resolved = c
		}
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(concurrentWrites)
	one := func(kind string, o client.Object, status *api.Status, write func()) {
		key := compile.Object{Kind: kind, Namespace: o.GetNamespace(), Name: o.GetName()}
		t := said[key]
		if t == nil {
			return // of another registry
		}
		g.Go(func() error {
			before := o.DeepCopyObject().(client.Object)
			old := status.DeepCopy()
			r.conditions(key, o.GetGeneration(), status, t, out)
			write()
			return r.write(ctx, before, o, old, status)
		})
	}
	for i := range w.objects.Domains {
		o := &w.objects.Domains[i]
		one("Domain", o, &o.Status.Status, func() { domainStatus(o, reg, out) })
	}
	for i := range w.objects.Repositories {
		o := &w.objects.Repositories[i]
		one("Repository", o, &o.Status.Status, func() { r.repositoryStatus(o, reg, out) })
	}
	for i := range w.objects.Connections {
		o := &w.objects.Connections[i]
		if concerns(o.Namespace, reg, out) {
			one("ExternalConnection", o, &o.Status, func() {})
		}
	}
	for i := range w.objects.Origins {
		o := &w.objects.Origins[i]
		one("PackageOriginConfiguration", o, &o.Status, func() {})
	}
	for i := range w.objects.Groups {
		o := &w.objects.Groups[i]
		one("PackageGroup", o, &o.Status.Status, func() { groupStatus(o, out) })
	}
	for i := range w.objects.DomainPolicies {
		o := &w.objects.DomainPolicies[i]
		one("DomainPolicy", o, &o.Status, func() {})
	}
	for i := range w.objects.RepositoryPolicies {
		o := &w.objects.RepositoryPolicies[i]
		one("RepositoryPolicy", o, &o.Status, func() {})
	}
	for i := range w.objects.IdentityPolicies {
		o := &w.objects.IdentityPolicies[i]
		if len(w.objects.Registries) == 1 || concerns(o.Namespace, reg, out) { // callers may be where nothing is served
			one("IdentityPolicy", o, &o.Status, func() {})
		}
	}
	for i := range w.objects.IdentityProviders {
		o := &w.objects.IdentityProviders[i]
		if len(w.objects.Registries) == 1 || concerns(o.Namespace, reg, out) {
			one("IdentityProvider", o, &o.Status, func() {})
		}
	}
	for i := range w.objects.AccessKeys {
		o := &w.objects.AccessKeys[i]
		one("AccessKey", o, &o.Status.Status, func() { accessKeyStatus(o, reg, out) })
	}
	one("Registry", reg, &reg.Status.Status, func() { registryStatus(reg, out) })
	return g.Wait()
}

// concerns says whether a Registry reports on what a namespace has for all registries, as external connections: it is its own
// namespace, or one of its domains or repositories is there.
func concerns(namespace string, reg *api.Registry, out *outcome) bool {
	if namespace == reg.Namespace {
		return true
	}
	for at := range out.compiled.Served {
		if at.Namespace == namespace {
			return true
		}
	}
	return false
}

// write patches a status that changed and tells of what did.
func (r *Reconciler) write(ctx context.Context, before, after client.Object, old, status *api.Status) error {
	if equality.Semantic.DeepEqual(before, after) {
		return nil
	}
	if err := r.opt.Client.Status().Patch(ctx, after, client.MergeFrom(before), FieldOwner); err != nil {
		return client.IgnoreNotFound(err)
	}
	was, is := apimeta.FindStatusCondition(old.Conditions, api.ConditionReady), apimeta.FindStatusCondition(status.Conditions, api.ConditionReady)
	if is == nil || was != nil && was.Status == is.Status && was.Reason == is.Reason {
		return nil
	}
	kind, note := corev1.EventTypeNormal, is.Message
	if is.Status != metav1.ConditionTrue && is.Reason != api.ReasonPending {
		kind = corev1.EventTypeWarning
	}
	if note == "" {
		note = "it is served"
	}
	r.opt.Events.Eventf(after, nil, kind, is.Reason, "Reconcile", "%s", note)
	return nil
}

// conditions sets the four conditions of an object.
func (r *Reconciler) conditions(key compile.Object, generation int64, s *api.Status, t *told, out *outcome) {
	was := apimeta.FindStatusCondition(s.Conditions, api.ConditionProgrammed)
	var served bool
	if was != nil {
		served = was.Status == metav1.ConditionTrue && was.ObservedGeneration == generation
	}
	set := func(kind string, ok bool, reason, message string) metav1.Condition {
		c := metav1.Condition{Type: kind, Status: metav1.ConditionFalse, Reason: reason, Message: message, ObservedGeneration: generation}
		if ok {
			c.Status = metav1.ConditionTrue
		}
		apimeta.SetStatusCondition(&s.Conditions, c)
		return c
	}
	all := []metav1.Condition{accepted(set, t), resolved(set, key, t, out), programmed(set, key, t, out, served)}
	ready := metav1.Condition{Status: metav1.ConditionTrue, Reason: api.ReasonReady}
	for _, c := range all {
		if c.Status != metav1.ConditionTrue {
			ready = c
			break
		}
	}
	set(api.ConditionReady, ready.Status == metav1.ConditionTrue, ready.Reason, ready.Message)
	s.ObservedGeneration = generation
}

type setter func(kind string, ok bool, reason, message string) metav1.Condition

func accepted(set setter, t *told) metav1.Condition {
	if t.accepted != nil && !t.accepted.Status {
		return set(api.ConditionAccepted, false, t.accepted.Reason, t.accepted.Message)
	}
	return set(api.ConditionAccepted, true, api.ReasonAccepted, "")
}

func resolved(set setter, key compile.Object, t *told, out *outcome) metav1.Condition {
	if t.resolved != nil && !t.resolved.Status {
		return set(api.ConditionResolvedRefs, false, t.resolved.Reason, t.resolved.Message)
	}
	if text := out.secrets[key]; text != "" {
		return set(api.ConditionResolvedRefs, false, api.ReasonBadSecret, text)
	}
	return set(api.ConditionResolvedRefs, true, api.ReasonResolved, "")
}

// programmed says whether what is declared is served. What was served goes on being so while the registry cannot be asked: its
// configuration lies in its own database. Only the Registry itself always says what is so now.
func programmed(set setter, key compile.Object, t *told, out *outcome, served bool) metav1.Condition {
	const kind = api.ConditionProgrammed
	whole := key.Kind == "Registry"
	var p *problem
	switch {
	case whole && errors.As(out.running, &p):
		return set(kind, false, p.reason, p.text)
	case whole && out.running != nil:
		return set(kind, false, api.ReasonRefused, out.running.Error())
	case t.accepted != nil && !t.accepted.Status:
		if _, still := out.compiled.Served[key]; still && !whole {
			return set(kind, false, t.accepted.Reason, "an earlier declaration stays in force as far as it is allowed")
		}
		return set(kind, false, t.accepted.Reason, "it is not served")
	case key.Kind == "Repository" && out.compiled.Served[key].Repository == "":
		return set(kind, false, api.ReasonPending, "it is not served before its domain is")
	}
	for _, x := range out.problems {
		if x.Source.Kind == key.Kind && x.Source.Namespace == key.Namespace && x.Source.Name == key.Name {
			return set(kind, false, api.ReasonContentOfOther, x.Text)
		}
	}
	switch {
	case out.err == nil || served && !whole:
		return set(kind, true, api.ReasonProgrammed, "")
	case errors.Is(out.err, errNotReady):
		return set(kind, false, api.ReasonNotAvailable, out.err.Error())
	}
	return set(kind, false, api.ReasonUnreachable, fmt.Sprintf("the registry cannot be given its configuration: %v", out.err))
}

func registryStatus(reg *api.Registry, out *outcome) {
	reg.Status.Endpoints = nil
	for _, e := range out.endpoints {
		if e.URL != "" {
			reg.Status.Endpoints = append(reg.Status.Endpoints, e.URL)
		} else {
			reg.Status.Endpoints = append(reg.Status.Endpoints, "https://*.d."+e.Host)
		}
	}
	if out.err != nil || out.status == nil {
		return // what was there stays, until somebody can be asked
	}
	reg.Status.Version = out.status.Version
	reg.Status.Domains, reg.Status.Repositories, reg.Status.Retained = 0, 0, nil
	for _, d := range out.status.Domains {
		if d.State == "Active" {
			reg.Status.Domains++
			reg.Status.Repositories += int32(len(d.Repositories))
		} else {
			reg.Status.Retained = append(reg.Status.Retained, d.Owner+"/"+d.Name)
		}
	}
	slices.Sort(reg.Status.Retained)
}

func domainStatus(o *api.Domain, reg *api.Registry, out *outcome) {
	at, ok := out.compiled.Served[compile.Object{Kind: "Domain", Namespace: o.Namespace, Name: o.Name}]
	if !ok {
		return
	}
	o.Status.Registry, o.Status.Account, o.Status.ARN = client.ObjectKeyFromObject(reg).String(), at.Domain.Owner, at.ARN
	if out.err != nil || out.status == nil {
		return
	}
	i := slices.IndexFunc(out.status.Domains, func(d admin.DomainStatus) bool { return d.Owner == at.Domain.Owner && d.Name == at.Domain.Name })
	if i < 0 {
		return
	}
	o.Status.Repositories, o.Status.Retained = int32(len(out.status.Domains[i].Repositories)), out.status.Domains[i].Retained
}

func groupStatus(o *api.PackageGroup, out *outcome) {
	key := compile.Object{Kind: "PackageGroup", Namespace: o.Namespace, Name: o.Name}
	i := slices.IndexFunc(out.compiled.Groups, func(g compile.GroupState) bool { return g.Object == key })
	if i < 0 { // it has no packages
		o.Status.Parent, o.Status.Subgroups, o.Status.Packages, o.Status.Publish, o.Status.ExternalUpstream, o.Status.InternalUpstream = "", 0, 0, nil, nil, nil
		return
	}
	g := out.compiled.Groups[i]
	o.Status.Parent, o.Status.Subgroups = g.Parent, g.Subgroups
	if n, known := out.counts.of(g.Domain, g.Pattern); known {
		o.Status.Packages = n
	}
	o.Status.Publish, o.Status.ExternalUpstream, o.Status.InternalUpstream = &g.Publish, &g.ExternalUpstream, &g.InternalUpstream
}

func (r *Reconciler) repositoryStatus(o *api.Repository, reg *api.Registry, out *outcome) {
	at, ok := out.compiled.Served[compile.Object{Kind: "Repository", Namespace: o.Namespace, Name: o.Name}]
	o.Status.Endpoints, o.Status.SearchOrder = nil, nil
	if !ok || len(out.endpoints) == 0 {
		return
	}
	o.Status.Registry, o.Status.ARN, o.Status.SearchOrder = client.ObjectKeyFromObject(reg).String(), at.ARN, at.Search
	for _, f := range r.opt.Formats {
		o.Status.Endpoints = append(o.Status.Endpoints, api.RepositoryEndpoint{Format: f, URL: endpoint(out.endpoints[0], at, f)})
	}
}

// endpoint is the address of a repository for a format (design, addresses).
func endpoint(e config.Endpoint, at compile.Served, format string) string {
	domain := at.Domain.Name + "-" + at.Domain.Owner
	if e.URL == "" {
		return "https://" + domain + ".d." + e.Host + "/" + format + "/" + at.Repository + "/"
	}
	return e.URL + "/" + domain + "/" + format + "/" + at.Repository + "/"
}

// bracketed writes an IP address as the host of a URL.
func bracketed(ip string) string {
	if p := net.ParseIP(ip); p != nil && p.To4() == nil {
		return "[" + ip + "]"
	}
	return ip
}

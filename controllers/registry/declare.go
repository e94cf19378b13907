package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	api "packhouse.dev/packhouse/api/v1alpha1"
	"packhouse.dev/packhouse/controllers/compile"
	"packhouse.dev/packhouse/controllers/declare"
	noun "packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/config"
	"packhouse.dev/packhouse/registry/intent"
)

// annotationIntent says by which intent an object was declared the last time: an operator that is given it again, because the one before
// it did not answer, sees that it is made.
const annotationIntent = "packhouse.dev/intent"

// change is an intent on its way into an object. It is made with the state of its Registry locked: nobody else compiles or pushes
// between the look at what is declared and the one at what became of it.
type change struct {
	*Reconciler
	id    string
	again bool // it may have been made before
	in    intent.Intent
	log   logr.Logger

	reg *api.Registry
	s   *state
	w   *world   // as it was looked at
	out *outcome // of that look

	declare.Target
	doc  *config.Domain             // of the change; nil: it is to be made
	made bool                       // the cluster may have it
	live *unstructured.Unstructured // the object as it is; nil: there is none
}

// make makes the change and returns when every replica serves it. An error that is none of the registry's sentinels, or
// noun.ErrUnavailable, is worth another try.
func (c *change) make(ctx context.Context) error {
	if err := c.look(ctx); err != nil {
		return err
	}
	made, err := c.find(ctx)
	switch {
	case err != nil:
		return err
	case made && c.in.Create:
		c.made = true
		return c.verdict(ctx, nil)
	case made:
		return nil
	case c.in.Delete:
		return c.delete(ctx)
	}
	return c.apply(ctx)
}

// look brings the registry up to what is declared, and remembers both.
func (c *change) look(ctx context.Context) error {
	w, out, err := c.pass(ctx, c.reg, c.s)
	if err != nil {
		return err
	}
	c.w, c.out = w, out
	return out.err
}

// find finds the object, and asks whether the change may be made to it. made is true if it was made before.
func (c *change) find(ctx context.Context) (made bool, err error) {
	in := c.in
	if i := slices.IndexFunc(c.out.compiled.Domains, func(d config.Domain) bool { return d.Ref() == in.Domain }); i >= 0 {
		c.doc = &c.out.compiled.Domains[i]
	}
	c.Target, err = declare.Find(in, declare.World{
		Domain: c.doc, Namespace: func(account string) (string, error) { return c.w.namespaceOf(account, c.out.compiled.Registry) },
		Taken: func(t declare.Target) (bool, error) { return c.taken(ctx, t) },
	})
	if c.again && in.Delete && errors.Is(err, noun.ErrNotFound) {
		return true, nil
	}
	if err != nil && !(c.again && errors.Is(err, noun.ErrConflict)) {
		return false, err
	}
	live, readErr := c.read(ctx, c.Target)
	if readErr != nil {
		return false, readErr
	}
	c.live = live
	switch {
	case live != nil && live.GetAnnotations()[annotationIntent] == c.id && live.GetDeletionTimestamp().IsZero():
		return true, nil
	case err != nil:
		return false, err
	}
	return false, c.mayChange()
}

// mayChange asks whether the object is one that the service API may change, and whether the change was made from what is declared now.
func (c *change) mayChange() error {
	if !compile.Selects(c.reg.Spec.ServiceAPI.Namespaces, c.Namespace, c.w.objects.Namespaces) {
		return fmt.Errorf("%w: nothing is changed through the service API in namespace %s, because spec.serviceAPI.namespaces of Registry %s/%s does not name it: declare it as a resource, or have that set",
			noun.ErrAccessDenied, c.Namespace, c.reg.Namespace, c.reg.Name)
	}
	if c.live != nil {
		if err := c.keptByNobody(); err != nil {
			return err
		}
	} else if c.Exists {
		return fmt.Errorf("%s: %w", c.Target, noun.ErrStale)
	}
	if c.in.Base == "" { // a domain that is to be made has no state to start from
		return nil
	}
	// Also what is new was allowed, and found room, in that state and in no other.
	now, err := revision(c.doc)
	if err == nil && now != c.in.Base {
		err = fmt.Errorf("domain %s: %w", c.in.Domain, noun.ErrStale)
	}
	return err
}

// keptByNobody asks whether the object is there to stay and nobody else's.
func (c *change) keptByNobody() error {
	if !c.live.GetDeletionTimestamp().IsZero() {
		return fmt.Errorf("%w: %s is being deleted", noun.ErrConflict, c.Target)
	}
	if tool := keeper(c.live); tool != "" {
		return fmt.Errorf("%w: %s is managed by %s: change it there", noun.ErrConflict, c.Target, tool)
	}
	if managers := others(c.live); c.in.Delete && len(managers) > 0 {
		return fmt.Errorf("%w: %s is declared by field manager %s: delete it there", noun.ErrConflict, c.Target, quoted(managers))
	}
	return nil
}

// revision is what the registry calls a domain's: the digest of its document as it is stored.
func revision(d *config.Domain) (string, error) {
	if d == nil {
		return "", nil
	}
	return digestOf(d)
}

// taken says whether an object of that name is another one than the change would make.
func (c *change) taken(ctx context.Context, t declare.Target) (bool, error) {
	live, err := c.read(ctx, t)
	return live != nil && live.GetAnnotations()[annotationIntent] != c.id, err
}

// read reads an object from the apiserver; nil if there is none.
func (c *change) read(ctx context.Context, t declare.Target) (*unstructured.Unstructured, error) {
	u := unstructuredFor(t)
	err := c.opt.Live.Get(ctx, types.NamespacedName{Namespace: t.Namespace, Name: t.Name}, u)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return u, err
}

// apply declares the object: first for show, to see what would become of it and of the configuration, and then in earnest.
func (c *change) apply(ctx context.Context) error {
	wanted, err := c.object()
	if err != nil {
		return err
	}
	u, err := c.ours(wanted)
	if err != nil {
		return err
	}
	shown := u.DeepCopy()
	if err := c.opt.Client.Apply(ctx, client.ApplyConfigurationFromUnstructured(shown), APIFieldOwner, client.DryRunAll); err != nil {
		return c.refused(err)
	}
	if err := c.whole(shown, wanted); err != nil {
		return err
	}
	trial, err := withObject(c.w.objects, shown)
	if err != nil {
		return err
	}
	if err := refusal(c.compiled(ctx, c.reg, trial, c.s), c.out.compiled, c.Target); err != nil {
		return err
	}
	c.made = true
	if err := c.opt.Client.Apply(ctx, client.ApplyConfigurationFromUnstructured(u), APIFieldOwner); err != nil {
		return c.refused(err)
	}
	c.live = u
	if err := c.await(ctx, u); err != nil {
		return err
	}
	before := c.out.compiled
	if err := c.look(ctx); err != nil {
		return err
	}
	c.opt.Events.Eventf(u, nil, corev1.EventTypeNormal, "Declared", "Declare", "declared through the service API by %s", c.in.Principal)
	return c.verdict(ctx, before)
}

// cacheTime is how long the cache may be behind the apiserver.
const cacheTime = 5 * time.Second

// await waits until the cache has an object as it was written: what is compiled comes from there.
func (c *change) await(ctx context.Context, u *unstructured.Unstructured) error {
	return c.until(ctx, func(o client.Object) bool { return o.GetUID() == u.GetUID() && o.GetGeneration() >= u.GetGeneration() }, func() bool { return false })
}

// until waits until the cache has the object and ok says yes, or has none and absent does.
func (c *change) until(ctx context.Context, ok func(client.Object) bool, absent func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, cacheTime)
	defer cancel()
	for {
		o, err := emptyOf(c.Kind)
		if err != nil {
			return err
		}
		switch err := c.opt.Client.Get(ctx, types.NamespacedName{Namespace: c.Namespace, Name: c.Name}, o); {
		case err == nil && ok(o), apierrors.IsNotFound(err) && absent():
			return nil
		case err != nil && !apierrors.IsNotFound(err):
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: the cache is behind the apiserver: %w", c.Target, ctx.Err())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// emptyOf is an object of one of the kinds that the service API knows.
func emptyOf(kind string) (client.Object, error) {
	switch kind {
	case "Domain":
		return &api.Domain{}, nil
	case "Repository":
		return &api.Repository{}, nil
	case "PackageGroup":
		return &api.PackageGroup{}, nil
	case "DomainPolicy":
		return &api.DomainPolicy{}, nil
	case "RepositoryPolicy":
		return &api.RepositoryPolicy{}, nil
	}
	return nil, fmt.Errorf("%w: the service API does not know kind %s", noun.ErrInvalid, kind)
}

// delete deletes the object, its content with it, and what was declared about it through the service API and about nothing else.
func (c *change) delete(ctx context.Context) error {
	with := declare.With(c.in, c.doc)
	c.made = true
	c.s.permitted[c.live.GetUID()] = true
	if err := c.remove(ctx, c.Target, c.live, true); err != nil {
		return c.refused(err)
	}
	for _, t := range with {
		live, err := c.read(ctx, t)
		if err != nil {
			return err
		}
		if live == nil || keeper(live) != "" || len(others(live)) > 0 || !compile.Selects(c.reg.Spec.ServiceAPI.Namespaces, t.Namespace, c.w.objects.Namespaces) {
			continue // it is somebody else's
		}
		if err := c.remove(ctx, t, live, false); err != nil {
			return err
		}
	}
	uid := c.live.GetUID()
	if err := c.until(ctx, func(o client.Object) bool { return o.GetUID() != uid || !o.GetDeletionTimestamp().IsZero() }, func() bool { return true }); err != nil {
		return err
	}
	if err := c.look(ctx); err != nil {
		return err
	}
	switch left, err := c.read(ctx, c.Target); {
	case err != nil:
		return err
	case left != nil && left.GetUID() == uid && controllerutil.ContainsFinalizer(left, Finalizer):
		return fmt.Errorf("%w: the content of %s is not removed yet", errNotReady, c.Target)
	}
	return nil
}

// remove deletes an object as it was read. With its content it gets the finalizer that removes that, whatever its deletion policy says.
func (c *change) remove(ctx context.Context, t declare.Target, live *unstructured.Unstructured, content bool) error {
	if content && (t.Kind == "Domain" || t.Kind == "Repository") {
		if by, _, _ := unstructured.NestedString(live.Object, "status", "registry"); by != client.ObjectKeyFromObject(c.reg).String() {
			return fmt.Errorf("%w: the status of %s is not written yet", errNotReady, t)
		}
		before := live.DeepCopy()
		if controllerutil.AddFinalizer(live, Finalizer) {
			if err := c.opt.Client.Patch(ctx, live, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}), FieldOwner); err != nil {
				return err
			}
		}
	}
	uid, version := live.GetUID(), live.GetResourceVersion()
	return client.IgnoreNotFound(c.opt.Client.Delete(ctx, live, client.Preconditions{UID: &uid, ResourceVersion: &version}))
}

// namespaceOf finds the namespace that is an account.
func (w *world) namespaceOf(account string, reg *config.Registry) (string, error) {
	known := map[string]string{}
	for _, a := range reg.Accounts {
		known[a.Namespace] = a.ID
	}
	var found []string
	for name := range w.namespaces {
		id, ok := known[name]
		if !ok {
			id = noun.DeriveAccount(name)
		}
		if id == account {
			found = append(found, name)
		}
	}
	slices.Sort(found)
	switch {
	case len(found) == 1 && !slices.Contains(reg.ClosedAccounts, account):
		return found[0], nil
	case len(found) == 0:
		return "", fmt.Errorf("%w: account %s is no namespace of the cluster", noun.ErrAccessDenied, account)
	}
	return "", fmt.Errorf("%w: account %s is that of several namespaces (%s)", noun.ErrConflict, account, strings.Join(found, ", "))
}

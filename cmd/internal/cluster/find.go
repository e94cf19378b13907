package cluster

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"

	api "packhouse.dev/packhouse/api/v1alpha1"
	"packhouse.dev/packhouse/controllers/build"
)

// resource is the plural of Registry, as in addresses of the apiserver.
const resource = "registries"

// listed is how many objects are asked for at once; more than that are not told apart in a sentence anyway.
const listed = 100

// Registry finds a Registry of the namespace: the one of that name, or with an empty name the only one.
func (c *Cluster) Registry(ctx context.Context, name string) (*api.Registry, error) {
	if name == "" {
		return c.only(ctx)
	}
	u, err := c.registries().Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil, c.notFound(ctx, name)
	case err != nil:
		return nil, c.failed(err, access{"get", api.GroupVersion.Group, resource, name, "read the Registry"})
	}
	return typed(u)
}

func (c *Cluster) registries() dynamic.ResourceInterface {
	return c.Dynamic.Resource(api.GroupVersion.WithResource(resource)).Namespace(c.Namespace)
}

func typed(u *unstructured.Unstructured) (*api.Registry, error) {
	r := new(api.Registry)
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, r); err != nil {
		return nil, fmt.Errorf("registry %s/%s is not understood: %w", u.GetNamespace(), u.GetName(), err)
	}
	return r, nil
}

func (c *Cluster) only(ctx context.Context) (*api.Registry, error) {
	all, err := c.list(ctx)
	switch {
	case err != nil:
		return nil, err
	case len(all) == 0:
		return nil, problem(ErrNotFound, "there is no Registry in namespace %q of the cluster%s: say the namespace of yours with -n", c.Namespace, c.inContext())
	case len(all) > 1:
		return nil, problem(ErrAmbiguous, "say which --registry: namespace %q has %s", c.Namespace, strings.Join(names(all), ", "))
	}
	return typed(&all[0])
}

func (c *Cluster) list(ctx context.Context) ([]unstructured.Unstructured, error) {
	got, err := c.registries().List(ctx, metav1.ListOptions{Limit: listed})
	switch {
	case apierrors.IsNotFound(err): // the kind itself
		return nil, problem(fmt.Errorf("%w: %w", ErrNotFound, err), "Packhouse is not installed in the cluster%s: it has no registries.%s", c.inContext(), api.GroupVersion.Group)
	case err != nil:
		return nil, c.failed(err, access{"list", api.GroupVersion.Group, resource, "", "look for Registries, and --registry names none"})
	}
	return got.Items, nil
}

func names(all []unstructured.Unstructured) []string {
	out := make([]string, len(all))
	for i := range all {
		out[i] = all[i].GetName()
	}
	slices.Sort(out)
	return out
}

// notFound tells which Registries there are, to those who may know.
func (c *Cluster) notFound(ctx context.Context, name string) error {
	text := fmt.Sprintf("there is no Registry %q in namespace %q of the cluster%s", name, c.Namespace, c.inContext())
	all, err := c.list(ctx)
	switch {
	case apierrors.IsNotFound(err):
		return err
	case err != nil || len(all) == 0:
		return problem(ErrNotFound, "%s: say the namespace of yours with -n", text)
	}
	return problem(ErrNotFound, "%s; it has %s", text, strings.Join(names(all), ", "))
}

// readyPod finds a pod that serves the registry. All of a registry's pods are alike.
func (c *Cluster) readyPod(ctx context.Context, registry string) (string, error) {
	selector := labels.SelectorFromSet(build.Selector(registry)).String()
	got, err := c.Core.Pods(c.Namespace).List(ctx, metav1.ListOptions{LabelSelector: selector, Limit: listed})
	if err != nil {
		return "", c.failed(err, access{"list", "", "pods", "", "look for the registry's pods"})
	}
	pods := got.Items
	slices.SortFunc(pods, func(a, b corev1.Pod) int { return cmp.Compare(a.Name, b.Name) })
	var said []string
	for i := range pods {
		if state := stateOf(&pods[i]); state != "" {
			said = append(said, pods[i].Name+" ("+state+")")
			continue
		}
		return pods[i].Name, nil
	}
	describe := fmt.Sprintf("\"kubectl -n %s describe %s.%s %s\"", c.Namespace, resource, api.GroupVersion.Group, registry)
	if len(said) == 0 {
		return "", problem(ErrNotReady, "Registry %s/%s has no pod: does the operator run? %s says more", c.Namespace, registry, describe)
	}
	return "", problem(ErrNotReady, "no pod of Registry %s/%s is ready: %s; %s says more", c.Namespace, registry, strings.Join(said, ", "), describe)
}

// stateOf says why a pod does not serve, "" if it does.
func stateOf(p *corev1.Pod) string {
	if p.DeletionTimestamp != nil {
		return "terminating"
	}
	for _, cond := range p.Status.Conditions {
		if cond.Type == corev1.PodReady && cond.Status == corev1.ConditionTrue {
			return ""
		}
	}
	for _, s := range p.Status.ContainerStatuses {
		if w := s.State.Waiting; w != nil && w.Reason != "" {
			return w.Reason
		}
	}
	if p.Status.Phase == corev1.PodRunning || p.Status.Phase == "" {
		return "not ready"
	}
	return strings.ToLower(string(p.Status.Phase))
}

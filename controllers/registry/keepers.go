package registry

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// APIFieldOwner is whose fields are those that clients of the service API declare, in server-side apply.
const APIFieldOwner = client.FieldOwner("packhouse-api")

// Marks of tools that would change an object back, or delete it, when somebody else changes it.
const (
	argoTracking = "argocd.argoproj.io/tracking-id" // an annotation: <application>:<group>/<kind>:<namespace>/<name>
	argoInstance = "argocd.argoproj.io/instance"
	fluxName     = "kustomize.toolkit.fluxcd.io/name"
	fluxSpace    = "kustomize.toolkit.fluxcd.io/namespace"
	fluxHelmName = "helm.toolkit.fluxcd.io/name"
	fluxHelmFrom = "helm.toolkit.fluxcd.io/namespace"
	managedBy    = "app.kubernetes.io/managed-by"
	helmRelease  = "meta.helm.sh/release-name" // an annotation
)

// keeper names the tool that keeps an object, by its marks; "": none is known to.
func keeper(o metav1.Object) string {
	labels, notes := o.GetLabels(), o.GetAnnotations()
	named := func(tool, what, name string) string {
		if name == "" {
			return tool
		}
		return fmt.Sprintf("%s (%s %s)", tool, what, name)
	}
	argo, _, _ := strings.Cut(notes[argoTracking], ":")
	switch {
	case argo != "":
		return named("Argo CD", "application", argo)
	case labels[argoInstance] != "":
		return named("Argo CD", "application", labels[argoInstance])
	case labels[fluxName] != "":
		return named("Flux", "Kustomization", labels[fluxSpace]+"/"+labels[fluxName])
	case labels[fluxHelmName] != "":
		return named("Flux", "HelmRelease", labels[fluxHelmFrom]+"/"+labels[fluxHelmName])
	case labels[managedBy] == "Helm":
		return named("Helm", "release", notes[helmRelease])
	}
	return ""
}

// fieldTree is what a manager keeps, as managedFields have it: "f:name" is a field, "k:{…}" and "v:…" are elements of lists, and what is
// below each is what of it is kept; nothing below: all of it.
type fieldTree map[string]fieldTree

// kept reads what managers keep of the spec of an object, by manager. Entries that are not understood keep everything.
func kept(o metav1.Object) map[string][]fieldTree {
	out := map[string][]fieldTree{}
	for _, m := range o.GetManagedFields() {
		if m.Subresource != "" || m.FieldsV1 == nil {
			continue
		}
		var fields fieldTree
		if err := json.NewDecoder(bytes.NewReader(m.FieldsV1.GetRawBytes())).Decode(&fields); err != nil {
			out[m.Manager] = append(out[m.Manager], fieldTree{})
			continue
		}
		if spec, ok := fields["f:spec"]; ok {
			out[m.Manager] = append(out[m.Manager], spec)
		}
	}
	return out
}

// others are the managers beside the service API's that keep something of an object's spec: of the given fields, or of any if none are
// given.
func others(o metav1.Object, fields ...string) []string {
	var out []string
	for manager, trees := range kept(o) {
		if manager == string(APIFieldOwner) {
			continue
		}
		for _, tree := range trees {
			if len(fields) == 0 || len(tree) == 0 || slices.ContainsFunc(fields, func(f string) bool { _, ok := tree["f:"+f]; return ok }) {
				out = append(out, manager)
				break
			}
		}
	}
	slices.Sort(out)
	return out
}

// owned is what of an object's spec the service API has declared: server-side apply takes away what is not declared again.
func owned(o *unstructured.Unstructured) map[string]any {
	spec, _, err := unstructured.NestedMap(o.Object, "spec") // a copy
	if err != nil {
		return nil
	}
	out := map[string]any{}
	for _, tree := range kept(o)[string(APIFieldOwner)] {
		if part, ok := tree.of(spec).(map[string]any); ok {
			maps.Copy(out, part)
		}
	}
	return out
}

// of takes from a value what is in the tree. Lists are taken whole.
func (t fieldTree) of(value any) any {
	object, ok := value.(map[string]any)
	if !ok || len(t) == 0 {
		return value
	}
	out := map[string]any{}
	for key, below := range t {
		if name, field := strings.CutPrefix(key, "f:"); field {
			if v, there := object[name]; there {
				out[name] = below.of(v)
			}
		}
	}
	return out
}

// quoted lists managers for a sentence.
func quoted(managers []string) string {
	out := make([]string, len(managers))
	for i, m := range managers {
		out[i] = fmt.Sprintf("%q", m)
	}
	return strings.Join(out, ", ")
}

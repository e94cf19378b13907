package manifest

import (
	"context"
	"fmt"
	"path"
	"strings"
	"sync"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structural "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/runtime"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"sigs.k8s.io/yaml"

	api "packhouse.dev/packhouse/api/v1alpha1"
	"packhouse.dev/packhouse/config/crd"
)

// kind is a kind with its schema, compiled.
type kind struct {
	structural *structural.Structural
	validator  validation.SchemaValidator
	rules      *cel.Validator
}

type kinds map[string]*kind

// schemas compiles the embedded definitions, once: it takes most of the time of the first reading.
var schemas = sync.OnceValues(loadSchemas) //nolint:gochecknoglobals // it never changes

func loadSchemas() (kinds, error) {
	entries, err := crd.Bases.ReadDir("bases")
	if err != nil {
		return nil, err
	}
	out := kinds{}
	for _, e := range entries {
		data, err := crd.Bases.ReadFile(path.Join("bases", e.Name()))
		if err != nil {
			return nil, err
		}
		var def apiextv1.CustomResourceDefinition
		if err := yaml.UnmarshalStrict(data, &def); err != nil {
			return nil, fmt.Errorf("%s: %w", e.Name(), err)
		}
		k, err := compileKind(&def)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.Name(), err)
		}
		out[def.Spec.Names.Kind] = k
	}
	return out, nil
}

func compileKind(def *apiextv1.CustomResourceDefinition) (*kind, error) {
	for i := range def.Spec.Versions {
		v := &def.Spec.Versions[i]
		if v.Name != api.GroupVersion.Version {
			continue
		}
		var props apiextensions.JSONSchemaProps
		if err := apiextv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(v.Schema.OpenAPIV3Schema, &props, nil); err != nil {
			return nil, err
		}
		s, err := structural.NewStructural(&props)
		if err != nil {
			return nil, err
		}
		validator, _, err := validation.NewSchemaValidator(&props)
		if err != nil {
			return nil, err
		}
		return &kind{structural: s, validator: validator, rules: cel.NewValidator(s, true, celconfig.PerCallLimit)}, nil
	}
	return nil, fmt.Errorf("there is no version %s", api.GroupVersion.Version)
}

// object checks and defaults a document. Documents of other groups give a notice and no object.
func (ks kinds) object(ctx context.Context, d *document, previous *Set) (*object, string, []*Error) {
	apiVersion, _ := d.content["apiVersion"].(string)
	kindName, _ := d.content["kind"].(string)
	group, _, _ := strings.Cut(apiVersion, "/")
	fail := func(field, message string) []*Error {
		return []*Error{{File: d.file, Line: lineOf(d.root, field), Object: d.title(kindName), Field: field, Message: message}}
	}
	switch {
	case apiVersion == "" || kindName == "":
		return nil, "", fail("", "apiVersion and kind are needed")
	case group != api.GroupVersion.Group || !strings.Contains(apiVersion, "/"):
		return nil, fmt.Sprintf("%s:%d: %s of %s is left alone", d.file, d.line, kindName, apiVersion), nil
	case apiVersion != api.GroupVersion.String():
		return nil, "", fail("apiVersion", fmt.Sprintf("%s is not known: use %s", apiVersion, api.GroupVersion))
	case ks[kindName] == nil:
		return nil, "", fail("kind", fmt.Sprintf("%s has no kind %s", apiVersion, kindName))
	}
	k := ks[kindName]
	content := runtime.DeepCopyJSON(d.content)
	delete(content, "status") // not a user's to say; the apiserver drops it too
	id, errs := identity(d, kindName, content)
	if len(errs) > 0 {
		return nil, "", errs
	}
	var old map[string]any
	if previous != nil && previous.objects[id] != nil {
		old = previous.objects[id].content
	}
	errs = append(errs, d.errors(kindName, k.unknown(content))...)
	if len(errs) == 0 {
		defaulting.Default(content, k.structural)
		errs = d.errors(kindName, k.check(ctx, content, old))
	}
	return &object{key: id, place: d.place, content: content}, "", errs
}

// identity checks name and namespace as the apiserver does, and fills in the default namespace.
func identity(d *document, kindName string, content map[string]any) (key, []*Error) {
	fail := func(field, message string) (key, []*Error) {
		return key{}, []*Error{{File: d.file, Line: lineOf(d.root, field), Object: d.title(kindName), Field: field, Message: message}}
	}
	meta, ok := content["metadata"].(map[string]any)
	if !ok {
		return fail("metadata", "metadata with a name is needed")
	}
	name, ok := meta["name"].(string)
	if !ok {
		return fail("metadata.name", "a name is needed, as a text")
	}
	if msgs := utilvalidation.IsDNS1123Subdomain(name); len(msgs) > 0 {
		return fail("metadata.name", msgs[0])
	}
	namespace := "default"
	if v, has := meta["namespace"]; has {
		if namespace, ok = v.(string); !ok {
			return fail("metadata.namespace", "must be a text")
		}
		if msgs := utilvalidation.IsDNS1123Label(namespace); len(msgs) > 0 {
			return fail("metadata.namespace", msgs[0])
		}
	}
	meta["namespace"] = namespace
	return key{kindName, namespace, name}, nil
}

// unknown finds fields that the schema does not have: a slip that is dropped silently is worse than an error.
func (k *kind) unknown(content map[string]any) field.ErrorList {
	var out field.ErrorList
	for _, p := range pruning.PruneWithOptions(runtime.DeepCopyJSON(content), k.structural, true, structural.UnknownFieldPathOptions{TrackUnknownFieldPaths: true}) {
		out = append(out, &field.Error{Type: field.ErrorTypeForbidden, Field: p, Detail: "there is no such field"})
	}
	return out
}

func (k *kind) check(ctx context.Context, content, old map[string]any) field.ErrorList {
	var out field.ErrorList
	if old == nil {
		out = validation.ValidateCustomResource(nil, content, k.validator)
	} else {
		out = validation.ValidateCustomResourceUpdate(nil, content, old, k.validator)
	}
	out = append(out, listtype.ValidateListSetsAndMaps(nil, k.structural, content)...)
	if len(out) > 0 || k.rules == nil {
		return out // rules assume values of the right type
	}
	var before any
	if old != nil {
		before = old
	}
	errs, _ := k.rules.Validate(ctx, nil, k.structural, content, before, celconfig.RuntimeCELCostBudget)
	return append(out, errs...)
}

// title names an object in messages.
func (d *document) title(kindName string) string {
	if meta, ok := d.content["metadata"].(map[string]any); ok {
		if name, ok := meta["name"].(string); ok {
			return kindName + " " + name
		}
	}
	return kindName
}

func (d *document) errors(kindName string, list field.ErrorList) []*Error {
	var out []*Error
	for _, e := range list {
		message := e.Detail
		switch e.Type {
		case field.ErrorTypeRequired:
			message = "is needed"
		case field.ErrorTypeNotSupported, field.ErrorTypeTypeInvalid, field.ErrorTypeDuplicate:
			message = e.ErrorBody()
		default:
			if message == "" {
				message = e.ErrorBody()
			}
		}
		name := e.Field
		if name == "<nil>" {
			name = ""
		}
		out = append(out, &Error{File: d.file, Line: lineOf(d.root, name), Object: d.title(kindName), Field: name, Message: message})
	}
	return out
}

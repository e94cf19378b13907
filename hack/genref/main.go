// Command genref writes docs/reference.md from the generated CRDs, so that the reference cannot say anything else than the schemas
// by which the apiserver and "packhouse dev" judge a manifest.
package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	apiext "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

func main() {
	log.SetFlags(0)
	crds := flag.String("crds", "config/crd/bases", "folder of the CRDs")
	out := flag.String("out", "docs/reference.md", "file to write")
	flag.Parse()
	if err := run(*crds, *out); err != nil {
		log.Fatal(err)
	}
}

func run(dir, out string) error {
	paths, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil {
		return err
	}
	var crds []apiext.CustomResourceDefinition
	for _, p := range paths {
		data, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		var crd apiext.CustomResourceDefinition
		if err := yaml.UnmarshalStrict(data, &crd); err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
		crds = append(crds, crd)
	}
	slices.SortFunc(crds, func(a, b apiext.CustomResourceDefinition) int {
		return cmp.Or(cmp.Compare(rank(a.Spec.Names.Kind), rank(b.Spec.Names.Kind)), cmp.Compare(a.Spec.Names.Kind, b.Spec.Names.Kind))
	})
	var b bytes.Buffer
	b.WriteString("<!-- Written by hack/genref from config/crd/bases. Do not edit; run make generate. -->\n\n# Reference of the kinds\n\n")
	b.WriteString("Every field of every kind. How they belong together is told in the [README](../README.md).\n")
	for _, crd := range crds {
		if err := kind(&b, crd); err != nil {
			return err
		}
	}
	return os.WriteFile(out, b.Bytes(), 0o644)
}

// rank puts the kinds in the order in which a reader needs them; others follow by name.
func rank(kind string) int {
	if i := slices.Index([]string{"Registry", "Domain", "Repository", "ExternalConnection"}, kind); i >= 0 {
		return i
	}
	return 100
}

func kind(w io.Writer, crd apiext.CustomResourceDefinition) error {
	names := crd.Spec.Names
	fmt.Fprintf(w, "\n## %s\n\n", names.Kind)
	for _, v := range crd.Spec.Versions {
		schema := v.Schema.OpenAPIV3Schema
		fmt.Fprintf(w, "`%s/%s`, plural `%s`", crd.Spec.Group, v.Name, names.Plural)
		if len(names.ShortNames) > 0 {
			fmt.Fprintf(w, ", short `%s`", strings.Join(names.ShortNames, "`, `"))
		}
		fmt.Fprintf(w, ", %s.\n\n%s\n", strings.ToLower(string(crd.Spec.Scope)), prose(schema.Description))
		for _, part := range []string{"spec", "status"} {
			s, ok := schema.Properties[part]
			if !ok || len(s.Properties) == 0 {
				continue
			}
			fmt.Fprintf(w, "\n| field of `%s` | type | meaning |\n|---|---|---|\n", part)
			if err := fields(w, "", s); err != nil {
				return fmt.Errorf("%s.%s: %w", names.Kind, part, err)
			}
			for _, r := range s.XValidations {
				fmt.Fprintf(w, "\nRule: %s.\n", strings.TrimSuffix(r.Message, "."))
			}
		}
	}
	return nil
}

// fields writes a row for every property below s, depth first, in order of name with the required ones first.
func fields(w io.Writer, prefix string, s apiext.JSONSchemaProps) error {
	names := slices.SortedFunc(maps.Keys(s.Properties), func(a, b string) int {
		ra, rb := slices.Contains(s.Required, a), slices.Contains(s.Required, b)
		if ra != rb {
			if ra {
				return -1
			}
			return 1
		}
		return cmp.Compare(a, b)
	})
	for _, name := range names {
		p := s.Properties[name]
		meaning := []string{prose(p.Description)}
		if slices.Contains(s.Required, name) {
			meaning = append(meaning, "Required.")
		}
		if p.Default != nil {
			meaning = append(meaning, "Default `"+compact(p.Default.Raw)+"`.")
		}
		meaning = append(meaning, limits(p)...)
		for _, r := range p.XValidations {
			meaning = append(meaning, upper(strings.TrimSuffix(r.Message, "."))+".")
		}
		text := strings.Join(slices.DeleteFunc(meaning, func(m string) bool { return m == "" }), " ")
		fmt.Fprintf(w, "| `%s%s` | %s | %s |\n", prefix, name, typeOf(p), strings.ReplaceAll(text, "|", "\\|"))
		if name == "conditions" { // the same metav1.Condition everywhere
			continue
		}
		if err := fields(w, prefix+name+".", p); err != nil {
			return err
		}
		if p.Items != nil && p.Items.Schema != nil {
			if err := fields(w, prefix+name+"[].", *p.Items.Schema); err != nil {
				return err
			}
		}
	}
	return nil
}

func typeOf(p apiext.JSONSchemaProps) string {
	switch {
	case p.XIntOrString:
		return "integer or string"
	case p.Type == "array" && p.Items != nil && p.Items.Schema != nil:
		return "list of " + typeOf(*p.Items.Schema)
	case p.Type == "object" && p.AdditionalProperties != nil && p.AdditionalProperties.Schema != nil:
		return "map of " + typeOf(*p.AdditionalProperties.Schema)
	case p.Format != "":
		return p.Type + " (" + p.Format + ")"
	default:
		return p.Type
	}
}

func limits(p apiext.JSONSchemaProps) []string {
	var out []string
	if len(p.Enum) > 0 {
		var values []string
		for _, e := range p.Enum {
			values = append(values, "`"+strings.Trim(string(e.Raw), `"`)+"`")
		}
		out = append(out, "One of "+strings.Join(values, ", ")+".")
	}
	if p.Pattern != "" {
		out = append(out, "Matches `"+p.Pattern+"`.")
	}
	if p.MaxLength != nil {
		out = append(out, fmt.Sprintf("At most %d characters.", *p.MaxLength))
	}
	if p.MaxItems != nil {
		out = append(out, fmt.Sprintf("At most %d items.", *p.MaxItems))
	}
	if p.Minimum != nil {
		out = append(out, fmt.Sprintf("At least %g.", *p.Minimum))
	}
	if p.Maximum != nil {
		out = append(out, fmt.Sprintf("At most %g.", *p.Maximum))
	}
	return out
}

// prose joins the lines of a Go comment into one, for a cell of a table.
func prose(s string) string { return strings.Join(strings.Fields(s), " ") }

func upper(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

func compact(raw []byte) string {
	var b bytes.Buffer
	if err := json.Compact(&b, raw); err != nil {
		return string(raw)
	}
	return b.String()
}

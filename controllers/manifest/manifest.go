// Package manifest reads the files that "kubectl apply" would be given, for "packhouse dev": the same schemas default and judge them,
// CEL rules included, and what is wrong is said with file, line and field.
package manifest

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	api "packhouse.dev/packhouse/api/v1alpha1"
	"packhouse.dev/packhouse/controllers/compile"
)

// Error is one thing that is wrong.
type Error struct {
	File    string
	Line    int    // 0: of no line in particular
	Object  string // "Repository my-repo"; "" where it is not known
	Field   string // spec.upstreams[0].name; "" where it is none in particular
	Message string
}

// Error is "file:line: object: field: message".
func (e *Error) Error() string {
	s := e.File
	if e.Line > 0 {
		s += fmt.Sprintf(":%d", e.Line)
	}
	for _, part := range []string{e.Object, e.Field, e.Message} {
		if part != "" {
			s += ": " + part
		}
	}
	return s
}

// maxErrors is how many errors are told at once.
const maxErrors = 20

// joined sorts errors by place and makes them one.
func joined(list []*Error) error {
	slices.SortStableFunc(list, func(a, b *Error) int { return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line)) })
	var out []error
	for i, e := range list {
		if i == maxErrors {
			out = append(out, fmt.Errorf("and %d more", len(list)-maxErrors))
			break
		}
		out = append(out, e)
	}
	return errors.Join(out...)
}

// Set is what was read. It is immutable.
type Set struct {
	Objects compile.Objects
	// Notices tell what was left alone: objects that are not of Packhouse.
	Notices []string
	objects map[key]*object
}

// Place is where an object stands: "file:line". "" for one that is not in the set.
func (s *Set) Place(kind, namespace, name string) string {
	if o := s.objects[key{kind, namespace, name}]; o != nil {
		return fmt.Sprintf("%s:%d", o.file, o.line)
	}
	return ""
}

// Kept says whether an object is of the folder behind the others, and in which file it stands; "" if it is not.
func (s *Set) Kept(kind, namespace, name string) string {
	if o := s.objects[key{kind, namespace, name}]; o != nil && o.kept {
		return o.file
	}
	return ""
}

// Dated says whether an object has the creation time that stands in its file. That of others only tells which of them came first.
func (s *Set) Dated(kind, namespace, name string) bool {
	o := s.objects[key{kind, namespace, name}]
	return o != nil && o.dated
}

// Content is an object as it is declared, defaults included; nil if it is not in the set. The caller may change it.
func (s *Set) Content(kind, namespace, name string) map[string]any {
	if o := s.objects[key{kind, namespace, name}]; o != nil {
		return runtime.DeepCopyJSON(o.content)
	}
	return nil
}

type key struct{ kind, namespace, name string }

// object is a manifest of ours, defaulted.
type object struct {
	key
	place
	content map[string]any
	created time.Time
	dated   bool
	kept    bool
}

type place struct {
	file string
	line int
}

// epoch is when the first object of a set was "created". Files have no creation times; their order stands for it, and objects keep
// theirs from one reading to the next, so that of two objects for one thing the first stays the first.
func epoch() time.Time { return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) }

// Load reads files and folders (*.yaml, *.yml, *.json, not those in folders below). previous is what was read before, nil at first:
// rules about changes compare with it. The error names everything that is wrong, up to a bound; then there is no Set.
func Load(ctx context.Context, paths []string, previous *Set) (*Set, error) {
	return LoadWith(ctx, paths, "", previous)
}

// LoadWith is Load with a folder of manifests that stand behind all others: what a file of paths declares, none of them does. Their
// objects have the creation times that stand in them. The folder need not be there; "" is none.
func LoadWith(ctx context.Context, paths []string, kept string, previous *Set) (*Set, error) {
	schemas, err := schemas()
	if err != nil {
		return nil, err
	}
	documents, problems := read(paths)
	if kept != "" {
		if _, err := os.Stat(kept); err == nil {
			more, errs := read([]string{kept})
			for _, d := range more {
				d.kept = true
			}
			documents, problems = append(documents, more...), append(problems, errs...)
		}
	}
	out := &Set{objects: map[key]*object{}}
	last := epoch()
	if previous != nil {
		for _, o := range previous.objects {
			if !o.kept && o.created.After(last) {
				last = o.created
			}
		}
	}
	var order []*object
	for _, d := range documents {
		o, notice, errs := schemas.object(ctx, d, previous)
		problems = append(problems, errs...)
		if notice != "" {
			out.Notices = append(out.Notices, notice)
		}
		if o == nil || len(errs) > 0 {
			continue
		}
		if first := out.objects[o.key]; first != nil && d.kept {
			out.Notices = append(out.Notices, fmt.Sprintf("%s:%d: %s %s is declared at %s:%d, which counts", o.file, o.line, o.kind, o.name, first.file, first.line))
			continue
		} else if first != nil {
			problems = append(problems, &Error{
				File: o.file, Line: o.line, Object: o.kind + " " + o.name, Message: fmt.Sprintf("is declared at %s:%d already", first.file, first.line),
			})
			continue
		}
		o.created = last.Add(time.Second)
		if at, ok := d.created(); ok {
			o.created, o.dated = at, true
		} else if previous != nil && previous.objects[o.key] != nil {
			o.created = previous.objects[o.key].created
		} else {
			last = o.created
		}
		o.kept = d.kept
		out.objects[o.key] = o
		order = append(order, o)
	}
	if len(problems) > 0 {
		return nil, joined(problems)
	}
	for _, o := range order {
		if err := out.add(o); err != nil {
			return nil, &Error{File: o.file, Line: o.line, Object: o.kind + " " + o.name, Message: err.Error()}
		}
	}
	return out, nil
}

// add converts an object to its type.
func (s *Set) add(o *object) error {
	meta := metav1.ObjectMeta{}
	if s.Objects.Namespaces == nil {
		s.Objects.Namespaces = map[string]compile.Namespace{}
	}
	s.Objects.Namespaces[o.namespace] = compile.Namespace{}
	sum := sha256.Sum256([]byte(o.kind + "\x00" + o.namespace + "\x00" + o.name))
	meta.UID, meta.CreationTimestamp, meta.Generation = types.UID(hex.EncodeToString(sum[:16])), metav1.NewTime(o.created), 1
	switch o.kind {
	case "Registry":
		return appendTyped(&s.Objects.Registries, o, &meta, func(r *api.Registry) *metav1.ObjectMeta { return &r.ObjectMeta })
	case "Domain":
		return appendTyped(&s.Objects.Domains, o, &meta, func(r *api.Domain) *metav1.ObjectMeta { return &r.ObjectMeta })
	case "Repository":
		return appendTyped(&s.Objects.Repositories, o, &meta, func(r *api.Repository) *metav1.ObjectMeta { return &r.ObjectMeta })
	case "ExternalConnection":
		return appendTyped(&s.Objects.Connections, o, &meta, func(r *api.ExternalConnection) *metav1.ObjectMeta { return &r.ObjectMeta })
	case "PackageOriginConfiguration":
		return appendTyped(&s.Objects.Origins, o, &meta, func(r *api.PackageOriginConfiguration) *metav1.ObjectMeta { return &r.ObjectMeta })
	case "PackageGroup":
		return appendTyped(&s.Objects.Groups, o, &meta, func(r *api.PackageGroup) *metav1.ObjectMeta { return &r.ObjectMeta })
	case "DomainPolicy":
		return appendTyped(&s.Objects.DomainPolicies, o, &meta, func(r *api.DomainPolicy) *metav1.ObjectMeta { return &r.ObjectMeta })
	case "RepositoryPolicy":
		return appendTyped(&s.Objects.RepositoryPolicies, o, &meta, func(r *api.RepositoryPolicy) *metav1.ObjectMeta { return &r.ObjectMeta })
	case "IdentityPolicy":
		return appendTyped(&s.Objects.IdentityPolicies, o, &meta, func(r *api.IdentityPolicy) *metav1.ObjectMeta { return &r.ObjectMeta })
	case "IdentityProvider":
		return appendTyped(&s.Objects.IdentityProviders, o, &meta, func(r *api.IdentityProvider) *metav1.ObjectMeta { return &r.ObjectMeta })
	case "AccessKey":
		return appendTyped(&s.Objects.AccessKeys, o, &meta, func(r *api.AccessKey) *metav1.ObjectMeta { return &r.ObjectMeta })
	}
	return fmt.Errorf("kind %s is not known to this build", o.kind)
}

func appendTyped[T any](to *[]T, o *object, meta *metav1.ObjectMeta, of func(*T) *metav1.ObjectMeta) error {
	var t T
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.content, &t); err != nil {
		return err
	}
	m := of(&t)
	m.Namespace, m.Name = o.namespace, o.name
	m.UID, m.CreationTimestamp, m.Generation = meta.UID, meta.CreationTimestamp, meta.Generation
	*to = append(*to, t)
	return nil
}

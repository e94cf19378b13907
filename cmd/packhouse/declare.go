package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"sigs.k8s.io/yaml"

	"packhouse.dev/packhouse/cmd/internal/plane"
	"packhouse.dev/packhouse/controllers/declare"
	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/intent"
	"packhouse.dev/packhouse/registry/metadata"
)

// keptDir is the folder of the data directory with what was declared through the service API: manifests, one object in a file.
const keptDir = "declared"

// Declare implements intent.Configurator: what comes through the service API is kept as manifests in the data directory, and loaded
// behind those of the user. What one of those declares is theirs to change.
func (d *dev) Declare(ctx context.Context, in intent.Intent) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if in.Base != "" {
		now, err := d.plane.Service.Enter(ctx, in.Domain)
		if err != nil {
			return err
		}
		if now.Revision() != in.Base {
			return fmt.Errorf("domain %s: %w", in.Domain, registry.ErrStale)
		}
	}
	c := &change{in: in, m: d.inForce}
	if err := c.find(); err != nil {
		return err
	}
	if err := c.write(); err != nil {
		return err
	}
	if err := d.try(ctx, c); err != nil {
		return err
	}
	if err := c.perform(d.compiler.kept); err != nil {
		return err
	}
	m, err := d.compiler.read(ctx, d.inForce)
	if err != nil {
		return err
	}
	if err := d.apply(ctx, m); err != nil {
		return err
	}
	if in.Delete && c.removal != nil {
		if err := d.plane.Remove(ctx, *c.removal); err != nil {
			return err
		}
	}
	if in.Spec.Domain != nil { // the first one may be another
		return d.writeFile(ctx)
	}
	return nil
}

// try compiles the change beside the folder of what is kept, so that nothing is written that does not hold.
func (d *dev) try(ctx context.Context, c *change) (err error) {
	dir, err := os.MkdirTemp(d.dataDir, ".declared-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := os.CopyFS(dir, os.DirFS(d.compiler.kept)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := c.perform(dir); err != nil {
		return err
	}
	trial := *d.compiler
	trial.kept = dir
	m, err := trial.read(ctx, d.inForce)
	if err != nil {
		return fmt.Errorf("%w: %s", registry.ErrInvalid, strings.ReplaceAll(err.Error(), dir+string(filepath.Separator), ""))
	}
	for _, p := range m.refusals {
		if o := p.Object; !c.in.Delete && o.Kind == c.Kind && o.Namespace == c.Namespace && o.Name == c.Name {
			return fmt.Errorf("%w: %s", registry.ErrInvalid, p.Message)
		}
	}
	return nil
}

// change is an intent on its way into a file.
type change struct {
	in intent.Intent
	m  *manifests
	declare.Target

	content map[string]any    // what is declared now, nil: nothing
	data    []byte            // what is to be in the file; nil: no file
	gone    []string          // further files that go with it
	removal *metadata.Removal // of content
}

// namespaceOf is the namespace that is an account.
func (c *change) namespaceOf(account string) (string, error) {
	for _, a := range c.m.registry.Accounts {
		if a.ID == account {
			return a.Namespace, nil
		}
	}
	if account == defaultAccount {
		return "default", nil
	}
	return "", fmt.Errorf("%w: account %s is no namespace of the manifests; a Registry names it in spec.accounts", registry.ErrAccessDenied, account)
}

// find finds the object that the intent is about, or gives it a place. One of the user's own manifests is not touched.
func (c *change) find() (err error) {
	c.Target, err = declare.Find(c.in, declare.World{
		Domain: c.m.domain(c.in.Domain), Namespace: c.namespaceOf,
		Taken: func(t declare.Target) (bool, error) { return c.m.set.Content(t.Kind, t.Namespace, t.Name) != nil, nil },
	})
	if err != nil {
		return err
	}
	c.content = c.m.set.Content(c.Kind, c.Namespace, c.Name)
	if c.content != nil && c.m.set.Kept(c.Kind, c.Namespace, c.Name) == "" {
		return fmt.Errorf("%w: %s is declared at %s: change it there", registry.ErrConflict, c.Target, c.m.set.Place(c.Kind, c.Namespace, c.Name))
	}
	return nil
}

// file is the change's own in a folder.
func (c *change) file(dir string) string {
	return filepath.Join(dir, strings.ToLower(c.Kind)+"."+c.Namespace+"."+c.Name+".yaml")
}

// perform makes the change in a folder.
func (c *change) perform(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, name := range c.gone {
		if err := os.Remove(filepath.Join(dir, filepath.Base(name))); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if c.data != nil {
		return plane.WriteFile(c.file(dir), c.data)
	}
	if err := os.Remove(c.file(dir)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// write makes the text of the file.
func (c *change) write() error {
	if c.in.Delete {
		c.delete()
		return nil
	}
	old, _ := c.content["spec"].(map[string]any)
	spec, err := declare.Spec(c.in, c.Target, c.m.domain(c.in.Domain), old)
	if err != nil {
		return err
	}
	if c.in.Spec.Domain != nil || c.in.Spec.Repository != nil {
		spec["deletionPolicy"] = "Delete"
	}
	meta := map[string]any{"name": c.Name, "namespace": c.Namespace, "creationTimestamp": time.Now().UTC().Format(time.RFC3339)}
	if old, ok := c.content["metadata"].(map[string]any); ok {
		meta = old
	}
	meta["annotations"] = map[string]any{declare.By: c.in.Principal}
	c.data, err = yaml.Marshal(map[string]any{"apiVersion": "packhouse.dev/v1alpha1", "kind": c.Kind, "metadata": meta, "spec": spec})
	return err
}

// delete takes the object away, and what was kept about it and nothing else.
func (c *change) delete() {
	doc := c.m.domain(c.in.Domain)
	switch s := c.in.Spec; {
	case s.Domain != nil:
		c.removal = &metadata.Removal{Domain: c.in.Domain, Holder: doc.Holder}
	case s.Repository != nil:
		for _, r := range doc.Repositories {
			if r.Name == s.Repository.Name {
				c.removal = &metadata.Removal{Domain: c.in.Domain, Repository: r.Name, Holder: r.AdministratorUID}
			}
		}
	}
	for _, t := range declare.With(c.in, doc) {
		if file := c.m.set.Kept(t.Kind, t.Namespace, t.Name); file != "" {
			c.gone = append(c.gone, file)
		}
	}
}

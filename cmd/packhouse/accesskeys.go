package main

import (
	"context"
	"encoding/base32"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"k8s.io/apimachinery/pkg/types"

	api "packhouse.dev/packhouse/api/v1alpha1"
	"packhouse.dev/packhouse/cmd/internal/plane"
	"packhouse.dev/packhouse/controllers/compile"
	"packhouse.dev/packhouse/registry/auth"
)

// accessKeysDir is the folder in the data directory where "packhouse dev" has what a cluster has in Secrets: a file
// NAMESPACE/SECRET.env for each Secret of an AccessKey, as shells and "docker run --env-file" read it.
const accessKeysDir = "access-keys"

// accessKey derives a key from a sealing key: for one name it is always the same one, in this data directory and nowhere else.
func accessKey(sealing []byte, name string) (id, secret string, err error) {
	a, err := auth.Derive(sealing, "packhouse dev access key id 1"+name, 10)
	if err != nil {
		return "", "", err
	}
	b, err := auth.Derive(sealing, "packhouse dev secret access key 1"+name, 30)
	if err != nil {
		return "", "", err
	}
	return "AKIA" + base32.StdEncoding.EncodeToString(a), base64.StdEncoding.EncodeToString(b), nil
}

// keyring makes the keys of AccessKeys.
type keyring struct {
	sealing []byte // nil: they are not known yet
}

// of gives the keys of AccessKeys as compilation takes them, and the secrets of all by their ids.
func (r keyring) of(list []api.AccessKey) (map[types.NamespacedName][]compile.Key, map[string]string, error) {
	keys, secrets := map[types.NamespacedName][]compile.Key{}, map[string]string{}
	if r.sealing == nil {
		return keys, secrets, nil
	}
	for i := range list {
		k := &list[i]
		at := types.NamespacedName{Namespace: k.Namespace, Name: k.Name}
		for _, name := range k.SecretNames() {
			id, secret, err := accessKey(r.sealing, " "+k.Namespace+"/"+name)
			if err != nil {
				return nil, nil, err
			}
			keys[at] = append(keys[at], compile.Key{Secret: name, ID: id})
			secrets[id] = secret
		}
	}
	return keys, secrets, nil
}

// putKeys gives the registry the secrets of access keys.
func (d *dev) putKeys(ctx context.Context, m *manifests) error {
	secrets := map[string]string{}
	for _, k := range m.registry.AccessKeys {
		for _, id := range k.IDs {
			secrets[id] = m.secrets[id]
		}
	}
	if err := d.plane.KeepAccessKeys(ctx, secrets); err != nil {
		return fmt.Errorf("access keys: %w", err)
	}
	return nil
}

// writeKeys writes the files with access keys, and takes those away whose keys are good for nothing any more.
func (d *dev) writeKeys(m *manifests) error {
	dir := filepath.Join(d.dataDir, accessKeysDir)
	there, err := filepath.Glob(filepath.Join(dir, "*", "*.env"))
	if err != nil {
		return err
	}
	wanted := map[string]bool{}
	for _, k := range m.keys {
		for _, active := range k.Keys {
			file := filepath.Join(dir, k.Object.Namespace, active.Secret+".env")
			if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
				return err
			}
			text := "AWS_ACCESS_KEY_ID=" + active.ID + "\nAWS_SECRET_ACCESS_KEY=" + m.secrets[active.ID] + "\n"
			if err := plane.WriteFile(file, []byte(text)); err != nil {
				return err
			}
			wanted[file] = true
		}
	}
	var failed []error
	for _, file := range there {
		if !wanted[file] {
			failed = append(failed, os.Remove(file))
		}
	}
	return errors.Join(failed...)
}

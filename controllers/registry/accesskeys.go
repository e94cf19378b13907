package registry

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "packhouse.dev/packhouse/api/v1alpha1"
	"packhouse.dev/packhouse/controllers/build"
	"packhouse.dev/packhouse/controllers/compile"
	"packhouse.dev/packhouse/registry/admin"
	"packhouse.dev/packhouse/registry/identity"
)

// Keys of the Secrets of access keys: environment variables of AWS's clients, so that a pod takes a Secret as it is (envFrom).
const (
	keyAccessKeyID     = "AWS_ACCESS_KEY_ID"
	keySecretAccessKey = "AWS_SECRET_ACCESS_KEY"
)

// keyFresh is how long what Secrets of access keys had is taken for what they have: Secrets are not watched.
const keyFresh = resync - resync/4

// pair is what a Secret of an access key has.
type pair struct {
	compile.Key
	secret string
}

// pairs are what the Secrets of an AccessKey had.
type pairs struct {
	names []string
	at    time.Time
	list  []pair
}

// readKeys reads the Secrets of the access keys of a Registry, and makes those that are not there. They are read only from the key's own
// namespace.
func (r *Reconciler) readKeys(ctx context.Context, reg *api.Registry, w *world, s *state) error {
	w.objects.Keys = map[types.NamespacedName][]compile.Key{}
	known := s.keys
	s.keys = map[types.UID]pairs{}
	for i := range w.objects.AccessKeys {
		k := &w.objects.AccessKeys[i]
		if of, _, _ := compile.RegistryOfKey(&w.objects, k); of != client.ObjectKeyFromObject(reg) {
			continue
		}
		had, ok := known[k.UID]
		if names := k.SecretNames(); !ok || !slices.Equal(had.names, names) || r.opt.Now().Sub(had.at) >= keyFresh {
			had = pairs{names: names, at: r.opt.Now()}
			for _, name := range names {
				p, err := r.keyIn(ctx, k, name)
				if err != nil {
					return fmt.Errorf("AccessKey %s/%s: %w", k.Namespace, k.Name, err)
				}
				had.list = append(had.list, p)
			}
		}
		s.keys[k.UID] = had
		for _, p := range had.list {
			key := client.ObjectKeyFromObject(k)
			w.objects.Keys[key] = append(w.objects.Keys[key], p.Key)
		}
	}
	return nil
}

// keyIn reads one Secret of an access key, and makes it if it is not there.
func (r *Reconciler) keyIn(ctx context.Context, k *api.AccessKey, name string) (pair, error) {
	p := pair{Key: compile.Key{Secret: name}}
	secret := &corev1.Secret{}
	err := r.opt.Live.Get(ctx, types.NamespacedName{Namespace: k.Namespace, Name: name}, secret)
	if apierrors.IsNotFound(err) {
		secret = newKey(k, name)
		err = r.opt.Client.Create(ctx, secret, FieldOwner)
	}
	switch {
	case apierrors.IsForbidden(err), apierrors.IsInvalid(err), apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		p.Problem = fmt.Sprintf("Secret %s cannot be read or made: %v", name, err)
		return p, nil
	case err != nil:
		return p, err
	}
	if of := metav1.GetControllerOf(secret); of != nil && of.Kind == "AccessKey" && of.UID != k.UID {
		p.Problem = fmt.Sprintf("Secret %s is that of another AccessKey, or goes with one that was deleted", name)
		return p, nil
	}
	text := func(key string) string { return strings.TrimSpace(string(secret.Data[key])) }
	p.ID, p.secret = text(keyAccessKeyID), text(keySecretAccessKey)
	switch {
	case p.ID == "" || p.secret == "":
		p.Problem = fmt.Sprintf("Secret %s has no %s or no %s", name, keyAccessKeyID, keySecretAccessKey)
	default:
		if err := identity.CheckKeyID(p.ID); err != nil {
			p.Problem = fmt.Sprintf("Secret %s: %v", name, err)
		} else if err := identity.CheckKeySecret(p.secret); err != nil {
			p.Problem = fmt.Sprintf("Secret %s: %v", name, err)
		}
	}
	return p, nil
}

// newKey is a Secret with a key that nobody has: of the form of AWS's long-term keys. It goes with its AccessKey.
func newKey(k *api.AccessKey, name string) *corev1.Secret {
	id, secret := make([]byte, 10), make([]byte, 30)
	_, _ = rand.Read(id) // it never fails
	_, _ = rand.Read(secret)
	yes := true
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: k.Namespace, Name: name, Labels: map[string]string{build.LabelName: build.AppName, build.LabelManagedBy: build.ManagedBy},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: api.GroupVersion.String(), Kind: "AccessKey", Name: k.Name, UID: k.UID, Controller: &yes}},
		},
		Type: corev1.SecretTypeOpaque,
		Data: map[string][]byte{
			keyAccessKeyID:     []byte("AKIA" + base32.StdEncoding.EncodeToString(id)),
			keySecretAccessKey: []byte(base64.StdEncoding.EncodeToString(secret)),
		},
	}
}

// keySecrets are the secrets of the keys that the registry is to take.
func keySecrets(s *state, out *outcome) []admin.AccessKeySecret {
	var list []admin.AccessKeySecret
	for _, k := range out.compiled.Registry.AccessKeys {
		for _, p := range s.keys[types.UID(k.Source.UID)].list {
			if p.Problem == "" && slices.Contains(k.IDs, p.ID) && !slices.ContainsFunc(list, func(x admin.AccessKeySecret) bool { return x.ID == p.ID }) {
				list = append(list, admin.AccessKeySecret{ID: p.ID, Secret: p.secret})
			}
		}
	}
	slices.SortFunc(list, func(a, b admin.AccessKeySecret) int { return strings.Compare(a.ID, b.ID) })
	return list
}

// accessKeyStatus shows the keys that are taken.
func accessKeyStatus(o *api.AccessKey, reg *api.Registry, out *outcome) {
	o.Status.Keys, o.Status.Principal = nil, ""
	key := compile.Object{Kind: "AccessKey", Namespace: o.Namespace, Name: o.Name}
	if i := slices.IndexFunc(out.compiled.Keys, func(k compile.KeyState) bool { return k.Object == key }); i >= 0 {
		k := out.compiled.Keys[i]
		o.Status.Registry, o.Status.Principal, o.Status.Keys = client.ObjectKeyFromObject(reg).String(), k.Principal, k.Keys
	}
}

package registry

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "packhouse.dev/packhouse/api/v1alpha1"
	"packhouse.dev/packhouse/controllers/build"
)

// ensure makes the objects of a Registry what they should be. They are applied again when they were touched, when they should be
// others, and now and then.
func (r *Reconciler) ensure(ctx context.Context, reg *api.Registry, s *state) error {
	objects := build.Objects(reg, r.opt.Build)
	digest, err := digestOf(objects)
	if err != nil {
		return err
	}
	r.mu.Lock()
	done := s.ensured == digest && r.opt.Now().Sub(s.ensuredAt) < ensureAgain
	r.mu.Unlock()
	if done {
		return nil
	}
	if err := r.ensureSecrets(ctx, reg); err != nil {
		return err
	}
	var failed []error
	for _, o := range objects {
		if err := r.apply(ctx, o); err != nil {
			failed = append(failed, err)
		}
	}
	if err := r.prune(ctx, reg); err != nil {
		failed = append(failed, err)
	}
	if err := errors.Join(failed...); err != nil {
		return err
	}
	r.mu.Lock()
	s.ensured, s.ensuredAt = digest, r.opt.Now()
	r.mu.Unlock()
	return nil
}

// touched makes the next look at a Registry apply its objects again.
func (r *Reconciler) touched(key types.NamespacedName) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := r.states[key]; s != nil {
		s.ensured = ""
	}
}

func digestOf(v any) (string, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}

// apply sends an object by server-side apply: the operator owns what it says and leaves the rest to others. What it can only be told
// about, because the apiserver refuses it as such, is a problem.
func (r *Reconciler) apply(ctx context.Context, o runtime.Object) error {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
	if err != nil {
		return err
	}
	u := &unstructured.Unstructured{Object: content}
	unstructured.RemoveNestedField(u.Object, "status")
	unstructured.RemoveNestedField(u.Object, "metadata", "creationTimestamp")
	unstructured.RemoveNestedField(u.Object, "spec", "template", "metadata", "creationTimestamp")
	err = r.opt.Client.Apply(ctx, client.ApplyConfigurationFromUnstructured(u), FieldOwner, client.ForceOwnership)
	if apierrors.IsInvalid(err) || apierrors.IsForbidden(err) {
		return &problem{api.ReasonRefused, fmt.Sprintf("%s %s: %v", u.GetKind(), u.GetName(), err)}
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", u.GetKind(), u.GetName(), err)
	}
	return nil
}

// prune removes what is not wanted any more.
func (r *Reconciler) prune(ctx context.Context, reg *api.Registry) error {
	if reg.Spec.NetworkPolicy != "None" {
		return nil
	}
	np := &networkingv1.NetworkPolicy{}
	key := types.NamespacedName{Namespace: reg.Namespace, Name: build.NamesOf(reg.Name).Workload}
	if err := r.opt.Live.Get(ctx, key, np); err != nil || !metav1.IsControlledBy(np, reg) {
		return client.IgnoreNotFound(err) // it may be the user's own
	}
	return client.IgnoreNotFound(r.opt.Client.Delete(ctx, np))
}

// ensureSecrets makes the sealing key, once and never again, and the certificates of the admin API, again when they run out.
func (r *Reconciler) ensureSecrets(ctx context.Context, reg *api.Registry) error {
	names := build.NamesOf(reg.Name)
	if err := r.ensureSealingKey(ctx, reg, names); err != nil {
		return err
	}
	server := build.AdminServerName(reg.Namespace, reg.Name)
	authority, err := r.ensurePair(ctx, reg, names.Authority, build.Authority, server, build.Pair{})
	if err != nil {
		return err
	}
	if _, err := r.ensurePair(ctx, reg, names.AdminServer, build.Server, server, authority); err != nil {
		return err
	}
	_, err = r.ensurePair(ctx, reg, names.AdminClient, build.Client, "administrator", authority)
	return err
}

func (r *Reconciler) ensureSealingKey(ctx context.Context, reg *api.Registry, names build.Names) error {
	secret := &corev1.Secret{}
	err := r.opt.Live.Get(ctx, types.NamespacedName{Namespace: reg.Namespace, Name: names.Keys}, secret)
	switch {
	case err == nil && len(secret.Data[build.KeySealing]) > 0:
		return r.ownership(ctx, reg, secret)
	case err == nil:
		return &problem{api.ReasonKeyMissing, fmt.Sprintf("Secret %s has no %s: restore it from a backup, or delete it together with the volume %s to begin anew", names.Keys, build.KeySealing, names.Data)}
	case !apierrors.IsNotFound(err):
		return err
	}
	claim := &corev1.PersistentVolumeClaim{}
	err = r.opt.Live.Get(ctx, types.NamespacedName{Namespace: reg.Namespace, Name: names.Data}, claim)
	switch {
	case err == nil:
		return &problem{api.ReasonKeyMissing, fmt.Sprintf("the volume %s is there and the Secret %s with its key is not: restore the Secret from a backup, or delete the volume to begin anew", names.Data, names.Keys)}
	case !apierrors.IsNotFound(err):
		return err
	}
	key, err := build.NewSealingKey(rand.Reader)
	if err != nil {
		return err
	}
	fixed := true
	secret = &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: reg.Namespace, Name: names.Keys, Labels: build.Labels(reg.Name), OwnerReferences: build.OwnedUnlessRetained(reg)},
		Type:       corev1.SecretTypeOpaque, Immutable: &fixed, Data: map[string][]byte{build.KeySealing: []byte(base64.StdEncoding.EncodeToString(key) + "\n")},
	}
	return r.opt.Client.Create(ctx, secret, FieldOwner)
}

// ownership follows the deletion policy, which may have changed since the key was made.
func (r *Reconciler) ownership(ctx context.Context, reg *api.Registry, secret *corev1.Secret) error {
	owned := metav1.IsControlledBy(secret, reg)
	if owned == (reg.Spec.DeletionPolicy == api.Delete) {
		return nil
	}
	before := secret.DeepCopy()
	secret.OwnerReferences = build.OwnedUnlessRetained(reg)
	return r.opt.Client.Patch(ctx, secret, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}), FieldOwner)
}

// ensurePair makes sure of a certificate that can be used.
func (r *Reconciler) ensurePair(ctx context.Context, reg *api.Registry, name string, role build.Role, subject string, authority build.Pair) (build.Pair, error) {
	secret := &corev1.Secret{}
	err := r.opt.Live.Get(ctx, types.NamespacedName{Namespace: reg.Namespace, Name: name}, secret)
	if client.IgnoreNotFound(err) != nil {
		return build.Pair{}, err
	}
	have := build.Pair{Certificate: secret.Data[build.KeyCertificate], Key: secret.Data[build.KeyPrivate]}
	current := role == build.Authority || bytes.Equal(secret.Data[build.KeyCA], authority.Certificate)
	if err == nil && current && have.Good(authority, r.opt.Now()) && metav1.IsControlledBy(secret, reg) {
		return have, nil
	}
	if err == nil && !metav1.IsControlledBy(secret, reg) && !reflectsOurs(secret) {
		return build.Pair{}, &problem{api.ReasonRefused, fmt.Sprintf("Secret %s is not of this Registry: delete it, or name the Registry otherwise", name)}
	}
	made, err := build.NewPair(role, subject, authority, r.opt.Now())
	if err != nil {
		return build.Pair{}, err
	}
	ca := authority.Certificate
	if role == build.Authority {
		ca = made.Certificate
	}
	u := &corev1.Secret{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: metav1.ObjectMeta{Namespace: reg.Namespace, Name: name, Labels: build.Labels(reg.Name), OwnerReferences: build.OwnedBy(reg)},
		Type:       corev1.SecretTypeTLS, Data: map[string][]byte{build.KeyCertificate: made.Certificate, build.KeyPrivate: made.Key, build.KeyCA: ca},
	}
	return made, r.apply(ctx, u)
}

// reflectsOurs says whether a Secret was made by the operator, for a Registry of this name that was deleted.
func reflectsOurs(s *corev1.Secret) bool { return s.Labels[build.LabelManagedBy] == build.ManagedBy }

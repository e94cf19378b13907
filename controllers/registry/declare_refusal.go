package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "packhouse.dev/packhouse/api/v1alpha1"
	"packhouse.dev/packhouse/controllers/compile"
	"packhouse.dev/packhouse/controllers/declare"
	noun "packhouse.dev/packhouse/registry"
)

// refused makes an error of the apiserver one that a client understands, if it can do something about it.
func (c *change) refused(err error) error {
	var status apierrors.APIStatus
	var causes []metav1.StatusCause
	if errors.As(err, &status) && status.Status().Details != nil {
		causes = status.Status().Details.Causes
	}
	texts := func(kind metav1.CauseType, text func(metav1.StatusCause) string) string {
		var out []string
		for _, x := range causes {
			if t := text(x); (kind == "" || x.Type == kind) && !slices.Contains(out, t) {
				out = append(out, t)
			}
		}
		return strings.Join(out, "; ")
	}
	switch {
	case apierrors.HasStatusCause(err, metav1.CauseTypeFieldManagerConflict):
		// The message of a cause is: conflict with "NAME" using packhouse.dev/v1alpha1 at …
		return fmt.Errorf("%w: %s: %s: change it there", noun.ErrConflict, c.Target, texts(metav1.CauseTypeFieldManagerConflict, func(x metav1.StatusCause) string {
			_, rest, _ := strings.Cut(x.Message, `"`)
			manager, _, _ := strings.Cut(rest, `"`)
			return fmt.Sprintf("%s is kept by field manager %q", strings.TrimPrefix(x.Field, "."), manager)
		}))
	case apierrors.IsConflict(err), apierrors.IsAlreadyExists(err):
		return fmt.Errorf("%s: %w", c.Target, noun.ErrStale)
	case apierrors.IsInvalid(err):
		text := texts("", func(x metav1.StatusCause) string { return strings.TrimPrefix(x.Field+": "+x.Message, ": ") })
		if managers := others(c.liveOrNone()); len(managers) > 0 {
			return fmt.Errorf("%w: %s is declared by field manager %s, and with that: %s", noun.ErrConflict, c.Target, quoted(managers), text)
		}
		return fmt.Errorf("%w: %s: %s", noun.ErrInvalid, c.Target, text)
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		return fmt.Errorf("%w: namespace %s is being deleted", noun.ErrConflict, c.Namespace)
	case apierrors.IsForbidden(err), apierrors.IsBadRequest(err):
		c.log.Info("the cluster refuses a change through the service API", "object", c.Target.String(), "error", err.Error())
		return fmt.Errorf("%w: the cluster does not let %s be changed through the service API; the operator's log says why", noun.ErrAccessDenied, c.Target)
	case apierrors.IsNotFound(err):
		return fmt.Errorf("%w: there is no namespace %s", noun.ErrInvalid, c.Namespace)
	}
	return err
}

func (c *change) liveOrNone() *unstructured.Unstructured {
	if c.live == nil {
		return &unstructured.Unstructured{}
	}
	return c.live
}

// verdict says what became of the change. What cannot be served is taken back if it was made by the change. before is what was
// compiled until then; nil: it is not known.
func (c *change) verdict(ctx context.Context, before *compile.Result) error {
	err := refusal(c.out.compiled, before, c.Target)
	for _, p := range c.out.problems {
		if err == nil && p.Source.Kind == c.Kind && p.Source.Namespace == c.Namespace && p.Source.Name == c.Name {
			err = fmt.Errorf("%w: %s: %s", noun.ErrConflict, c.Target, p.Text)
		}
	}
	if err == nil || !c.in.Create {
		return err
	}
	uid := c.live.GetUID()
	if undone := client.IgnoreNotFound(c.opt.Client.Delete(ctx, unstructuredFor(c.Target), client.Preconditions{UID: &uid})); undone != nil {
		return undone
	}
	return err
}

// refusal is why an object is not in force as it is declared, unless that was so before. It is nil for one that is.
func refusal(now, before *compile.Result, t declare.Target) error {
	o := compile.Object{Kind: t.Kind, Namespace: t.Namespace, Name: t.Name}
	for _, p := range now.Problems() {
		if p.Object != o || p.Reason == api.ReasonTruncated || before != nil && slices.Contains(before.Conditions, p) {
			continue
		}
		sentinel := noun.ErrInvalid
		switch p.Reason {
		case api.ReasonNotAllowed, api.ReasonDenied, api.ReasonAccountClash:
			sentinel = noun.ErrAccessDenied
		case api.ReasonNameConflict, api.ReasonConflicted, api.ReasonContentOfOther:
			sentinel = noun.ErrConflict
		}
		return fmt.Errorf("%w: %s", sentinel, p.Message)
	}
	return nil
}

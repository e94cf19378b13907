package cluster

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// What a Problem can be about.
var (
	ErrNotConfigured = errors.New("no cluster is configured")
	ErrNotAllowed    = errors.New("the cluster does not allow it")
	ErrNotFound      = errors.New("it is not in the cluster")
	ErrAmbiguous     = errors.New("there are several")
	ErrNotReady      = errors.New("it is not ready")
)

// Problem is an error whose text tells all there is to tell, also what to do. It unwraps to one of the errors above, and to its cause.
type Problem struct {
	text  string
	cause error
}

// Error implements error.
func (p *Problem) Error() string { return p.text }

// Unwrap implements the interface of errors.Is.
func (p *Problem) Unwrap() error { return p.cause }

func problem(cause error, format string, args ...any) error {
	return &Problem{text: fmt.Sprintf(format, args...), cause: cause}
}

// access is a call to the apiserver, in the words of RBAC.
type access struct {
	verb, group, resource, name string // name "": all of them
	why                         string // what it is needed for
}

// failed says what to do when the apiserver refuses a call.
func (c *Cluster) failed(err error, a access) error {
	object := "on " + a.resource
	if a.group != "" {
		object += "." + a.group
	}
	if a.name != "" {
		object += fmt.Sprintf(" %q", a.name)
	}
	switch {
	case apierrors.IsUnauthorized(err):
		return problem(fmt.Errorf("%w: %w", ErrNotAllowed, err), "the cluster%s does not know you: log in to the cluster again, then try once more", c.inContext())
	case apierrors.IsForbidden(err):
		return problem(fmt.Errorf("%w: %w", ErrNotAllowed, err),
			"you may not %s: ask for a Role with the verb %q %s in namespace %q", a.why, a.verb, object, c.Namespace)
	}
	if _, ok := errors.AsType[*url.Error](err); ok && !errors.Is(err, context.Canceled) { // there was no answer at all
		return problem(fmt.Errorf("%w: %w", ErrNotReady, err), "the cluster%s cannot be reached: %v", c.inContext(), err)
	}
	return fmt.Errorf("cannot %s in namespace %q: %w", a.why, c.Namespace, err)
}

// inContext is which cluster is meant, to be put behind "cluster".
func (c *Cluster) inContext() string {
	if c.Context == "" {
		return ""
	}
	return fmt.Sprintf(" of context %q", c.Context)
}

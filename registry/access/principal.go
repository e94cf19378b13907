package access

import (
	"fmt"
	"strings"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/config"
	"packhouse.dev/packhouse/registry/policy"
)

// accounts says which account each namespace is.
type accounts struct {
	of     map[string]string   // by namespace
	by     map[string][]string // namespaces by account
	closed map[string]bool
}

func compileAccounts(doc *config.Registry) accounts {
	a := accounts{of: map[string]string{}, by: map[string][]string{}, closed: map[string]bool{}}
	for _, x := range doc.Accounts {
		a.of[x.Namespace] = x.ID
		a.by[x.ID] = append(a.by[x.ID], x.Namespace)
	}
	for _, id := range doc.ClosedAccounts {
		a.closed[id] = true
	}
	return a
}

// AccountOf returns the account that a namespace is. One that another namespace is, too, is nobody's: registry.ErrAccessDenied. Names of
// namespaces are for their makers to choose, and could be chosen so that they give another's account.
func (r *Registry) AccountOf(namespace string) (string, error) {
	id, ok := r.accounts.of[namespace]
	if !ok {
		id = registry.DeriveAccount(namespace)
	}
	others := len(r.accounts.by[id])
	if ok {
		others--
	}
	if others > 0 || r.accounts.closed[id] || !registry.IsAccount(id) {
		return "", fmt.Errorf("%w: namespace %s has no account of its own", registry.ErrAccessDenied, namespace)
	}
	return id, nil
}

// session names sessions that administrators begin for a role.
const session = "packhouse"

// Principal reads who is meant:
//
//	root                               the root of the account
//	serviceaccount:NAMESPACE/NAME      a session of the role that the service account is
//	role:NAME, role:NAMESPACE/NAME     the same, of the account or of a namespace's
//	user:NAME, user:NAMESPACE/NAME     a user, as access keys are
//	arn:aws:iam::111122223333:user/x   anybody
//
// account is that of principals without a namespace. Errors wrap registry.ErrInvalid, or are AccountOf's.
func (r *Registry) Principal(text, account string) (policy.Principal, error) {
	if strings.HasPrefix(text, "arn:") {
		p, err := policy.ParsePrincipal(text)
		if err != nil {
			return p, fmt.Errorf("%w: %w", registry.ErrInvalid, err)
		}
		return p, nil
	}
	if text == "root" {
		return policy.Principal{ARN: r.names.Root(account), Account: account, Root: true}, nil
	}
	kind, name, _ := strings.Cut(text, ":")
	namespace, own, qualified := strings.Cut(name, "/")
	if !qualified {
		own = namespace
	}
	if own == "" || strings.Contains(own, "/") || !plain(own) || qualified && !plain(namespace) || kind == "serviceaccount" && !qualified {
		return policy.Principal{}, unknownPrincipal(text)
	}
	if qualified {
		var err error
		if account, err = r.AccountOf(namespace); err != nil {
			return policy.Principal{}, err
		}
	}
	switch kind {
	case "serviceaccount", "role":
		return policy.Principal{ARN: r.names.Session(account, own, session), Account: account}, nil
	case "user":
		return policy.Principal{ARN: r.names.User(account, own), Account: account}, nil
	}
	return policy.Principal{}, unknownPrincipal(text)
}

func unknownPrincipal(text string) error {
	return fmt.Errorf("%w: %.200q names no principal: write root, serviceaccount:NAMESPACE/NAME, role:NAME, user:NAME or an ARN", registry.ErrInvalid, text)
}

// plain says whether a name has only characters that names of principals and namespaces can have.
func plain(name string) bool {
	if name == "" || len(name) > 253 {
		return false
	}
	for i := range len(name) {
		c := name[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-_.@+=,", c) >= 0) {
			return false
		}
	}
	return true
}

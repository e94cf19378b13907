package policy

import (
	"fmt"
	"strings"
)

// identityARN is what aws:PrincipalArn has: for a session, the role.
func (p Principal) identityARN() string {
	service, account, resource, ok := splitARN(p.ARN)
	if role := roleOf(service, resource); ok && role != "" {
		partition, _, _ := strings.Cut(p.ARN[len("arn:"):], ":")
		return "arn:" + partition + ":iam::" + account + ":role/" + role
	}
	return p.ARN
}

// roleOf returns the role of a session, "" for what is none.
func roleOf(service, resource string) string {
	session, ok := strings.CutPrefix(resource, "assumed-role/")
	if !ok || service != "sts" {
		return ""
	}
	role, _, _ := strings.Cut(session, "/")
	return role
}

// userName is what aws:username has: only users have one.
func (p Principal) userName() string {
	_, _, resource, _ := splitARN(p.ARN)
	name, ok := strings.CutPrefix(resource, "user/")
	if !ok {
		return ""
	}
	return name[strings.LastIndexByte(name, '/')+1:]
}

// kind is what aws:PrincipalType has.
func (p Principal) kind() string {
	service, _, resource, _ := splitARN(p.ARN)
	switch {
	case p.Root:
		return "Account"
	case service == "sts" && strings.HasPrefix(resource, "assumed-role/"):
		return "AssumedRole"
	case strings.HasPrefix(resource, "user/"):
		return "User"
	case strings.HasPrefix(resource, "role/"):
		return "Role"
	}
	return ""
}

// ParsePrincipal reads the ARN of the root of an account, a user, a role or a session.
func ParsePrincipal(arn string) (Principal, error) {
	pattern, err := compilePrincipal(arn)
	if err != nil {
		return Principal{}, err
	}
	_, account, resource, ok := splitARN(arn)
	if !ok || pattern.everybody {
		return Principal{}, fmt.Errorf("%q is not the ARN of a principal", arn)
	}
	return Principal{ARN: arn, Account: account, Root: resource == "root"}, nil
}

// principalPattern is whom a statement is about.
type principalPattern struct {
	everybody bool
	account   string
	service   string // "iam" or "sts"; "": everybody of the account
	resource  string // "user/bob", "role/ci", "assumed-role/ci/pod-1"
}

// compilePrincipal reads "*", an account, or the ARN of an account, a user, a role or a session.
func compilePrincipal(s string) (principalPattern, error) {
	if s == "*" {
		return principalPattern{everybody: true}, nil
	}
	if isAccount(s) {
		return principalPattern{account: s}, nil
	}
	service, account, resource, ok := splitARN(s)
	switch {
	case len(s) > maxPattern:
		return principalPattern{}, fmt.Errorf("%.20q… is longer than %d bytes", s, maxPattern)
	case !ok || !isAccount(account) || service != "iam" && service != "sts":
		return principalPattern{}, fmt.Errorf(`%q is no principal: write "*", a 12-digit account or an ARN like arn:aws:iam::123456789012:user/bob`, s)
	case strings.ContainsAny(s, "*?"):
		return principalPattern{}, fmt.Errorf(`%q: a principal cannot have wildcards; write "*" and a condition on aws:PrincipalArn`, s)
	case service == "iam" && resource == "root":
		return principalPattern{account: account}, nil
	}
	for _, kind := range []struct{ service, prefix string }{{"iam", "user/"}, {"iam", "role/"}, {"sts", "assumed-role/"}, {"sts", "federated-user/"}} {
		name, found := strings.CutPrefix(resource, kind.prefix)
		if found && service == kind.service && name != "" && (kind.prefix != "assumed-role/" || strings.Contains(strings.Trim(name, "/"), "/")) {
			return principalPattern{account: account, service: service, resource: resource}, nil
		}
	}
	return principalPattern{}, fmt.Errorf("%q is no principal: it names neither an account, nor a user, a role or a session of a role", s)
}

func isAccount(s string) bool {
	if len(s) != 12 {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// match says whether the principal is the one that is meant, or one of those. The partition does not count.
func (p *principalPattern) match(who *Principal) bool {
	if p.everybody {
		return true
	}
	if p.account != who.Account {
		return false
	}
	if p.service == "" {
		return true
	}
	service, account, resource, ok := splitARN(who.ARN)
	if !ok || account != p.account {
		return false
	}
	if service == p.service && resource == p.resource {
		return true
	}
	role, isRole := strings.CutPrefix(p.resource, "role/")
	return isRole && p.service == "iam" && roleOf(service, resource) == role
}

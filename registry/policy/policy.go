// Package policy decides who may do what, purely: identity and resource policies in, a decision with its trace out. It imports
// nothing of ours.
//
// The language is that of IAM policy documents, read as CodeArtifact reads them (user guide, "Repository policies", "Domain policies",
// "Identity and Access Management"; the interaction of the policies is told at "Interaction between repository and domain policies").
// A policy is compiled once, by Read or Compile, and is immutable then; Evaluate is safe for concurrent use and allocates nothing
// unless a policy uses variables.
package policy

import (
	"net/netip"
	"time"
)

// Principal is who asks, as a policy sees it. It is comparable.
type Principal struct {
	ARN     string // arn:aws:iam::111122223333:root, …:user/bob, …:role/ci, arn:aws:sts::111122223333:assumed-role/ci/pod-1
	Account string // 12 digits
	Root    bool   // the account's root: every permission in its own account, unless a policy denies it
	UserID  string // aws:userid; may be empty
}

// Anonymous says whether there is no principal. An anonymous request never matches a statement.
func (p Principal) Anonymous() bool { return p.ARN == "" }

// Request is one question. Everything that the answer depends on is in it.
type Request struct {
	Principal Principal
	Action    string // codeartifact:ReadFromRepository
	Resource  string // ARN, or "*" for actions that take no resource
	// Creates is the ARN of what a Create… action would make, or "". A statement about Resource or about Creates is about the request.
	Creates string
	// Owner is the account of the domain that the resource is or belongs to; for actions on the account, that account.
	Owner string
	// Administrator is the account that administers the repository, for actions on a repository or on packages in it. It counts as the
	// resource's own account beside Owner; "" if there is none.
	Administrator string
	Context       Context
	Policies      Policies
}

// Context is what conditions can ask of a request. A zero field is a key that the request does not have.
type Context struct {
	Time            time.Time  // aws:CurrentTime, aws:EpochTime
	SourceIP        netip.Addr // aws:SourceIp
	SecureTransport bool       // aws:SecureTransport: always there
	Endpoint        string     // aws:SourceVpce: name of the endpoint that the request came in by
	Listener        string     // name of the endpoint whose policy bears on the request: that one, or what stands for it; no key
	TokenIssued     time.Time  // aws:TokenIssueTime
	TokenDuration   int64      // sts:DurationSeconds, of sts:GetServiceBearerToken only; 0 asks for the rest of the session
	Region          string     // aws:RequestedRegion

	ResourceTags  map[string]string // aws:ResourceTag/…: of the domain, repository or package group that Resource names; packages have none
	RequestTags   map[string]string // aws:RequestTag/… and aws:TagKeys
	TagKeys       []string          // aws:TagKeys of an UntagResource, which has keys without values
	PrincipalTags map[string]string // aws:PrincipalTag/…
	Organization  string            // aws:PrincipalOrgID
	ResourceOrg   string            // aws:ResourceOrgID
}

// Policies are those that may bear on a request. Which of them do, Evaluate decides: the caller passes what there is.
type Policies struct {
	Identity   []*Policy // attached to the principal
	Domain     *Policy   // of the domain
	Repository *Policy   // of the repository
	Endpoint   *Policy   // of the listener; not nil: must allow, too
}

// Effect of a decision.
type Effect int

// The effects, weakest first. The zero value denies.
const (
	ImplicitDeny Effect = iota
	Allow
	ExplicitDeny
)

// String is the effect in words.
func (e Effect) String() string {
	switch e {
	case Allow:
		return "allowed"
	case ExplicitDeny:
		return "explicitly denied"
	default:
		return "implicitly denied"
	}
}

// Decision answers a Request.
type Decision struct {
	Effect Effect
	// Volatile decisions could be others at another time, from another address or with other tags in the request, for the same
	// principal, action and resource: they must not be memoised.
	Volatile bool
	// By is the statement that decided; nil policy if none did.
	By Reference
	// Why says which rule decided.
	Why Rule
	// account tells "no policy allows it" for the two kinds of accounts apart.
	cross bool
}

// Reference names a statement.
type Reference struct {
	Policy    *Policy
	Statement int // from 1
}

// Rule is why a decision is what it is.
type Rule int

// The rules.
const (
	NoPrincipal       Rule = iota // nobody asks
	DenyStatement                 // a statement denies it
	RootOfAccount                 // the root of the account may do everything in it
	IdentityStatement             // an identity policy allows it
	ResourceStatement             // a resource policy allows it
	BothStatements                // an identity policy and a resource policy of another account allow it
	NothingAllows                 // no statement allows it
	NoIdentityAllows              // a resource policy of another account allows it, but no identity policy of the caller's
	NoResourceAllows              // an identity policy allows it, but no resource policy of the other account
	EndpointSilent                // the endpoint's policy does not allow it
	RootWithoutToken              // root cannot have tokens
	OtherAccount                  // an action on an account that is not the caller's
)

// Allowed says whether the action is permitted.
func (d Decision) Allowed() bool { return d.Effect == Allow }

// Reason is one sentence for the trace, for clients and for "packhouse why".
func (d Decision) Reason() string {
	switch d.Why {
	case NoPrincipal:
		return "nobody is signed in"
	case DenyStatement:
		return "explicitly denied by " + d.By.String()
	case RootOfAccount:
		return "the root of the account has every permission in it"
	case IdentityStatement, ResourceStatement:
		return "allowed by " + d.By.String()
	case BothStatements:
		return "allowed by " + d.By.String() + " and by an identity policy of the caller's account"
	case NoIdentityAllows:
		return d.By.String() + " allows it, but the resource is of another account and no identity policy of the caller allows it"
	case NoResourceAllows:
		return "the resource is of another account, and no policy of its domain or repository allows it"
	case EndpointSilent:
		return "the policy of the endpoint does not allow it"
	case RootWithoutToken:
		return "the root of an account cannot get authorization tokens"
	case OtherAccount:
		return "an account can be acted on only by its own principals"
	default:
		if d.cross {
			return "the resource is of another account, and neither an identity policy nor a resource policy allows it"
		}
		return "no identity policy and no resource policy allows it"
	}
}

// String names the statement: "statement 2 (Sid) of DomainPolicy team/my-domain".
func (r Reference) String() string {
	if r.Policy == nil {
		return "no statement"
	}
	return r.Policy.describe(r.Statement) + " of " + r.Policy.name
}

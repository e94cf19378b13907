// Package policy decides who may do what, purely: identity and resource policies in, a decision with its trace out. It imports
// nothing of ours.
package policy

// Principal is who asks, as a policy sees it.
type Principal struct {
	ARN     string // arn:aws:iam::111122223333:root
	Account string // 12 digits
	Root    bool   // the account's root: every permission in its own account
}

// Anonymous says whether there is no principal. An anonymous request never matches a statement.
func (p Principal) Anonymous() bool { return p.ARN == "" }

// Request is one question.
type Request struct {
	Principal Principal
	Action    string // codeartifact:ReadFromRepository
	Resource  string // ARN
	Owner     string // account that the resource belongs to
}

// Effect of a decision.
type Effect int

// The effects, weakest first. The zero value denies.
const (
	ImplicitDeny Effect = iota
	Allow
	ExplicitDeny
)

// Decision answers a Request.
type Decision struct {
	Effect Effect
	// Reason is one sentence for the trace and for "packhouse why".
	Reason string
	// Volatile decisions consulted a condition on the request's address, time, transport or tags and must not be memoised.
	Volatile bool
}

// Allowed says whether the action is permitted.
func (d Decision) Allowed() bool { return d.Effect == Allow }

// Evaluate decides. Until identity and resource policies are declared, an account's root has every permission on what its account
// owns, and nobody else has any.
func Evaluate(r Request) Decision {
	switch {
	case r.Principal.Anonymous():
		return Decision{Effect: ImplicitDeny, Reason: "no principal"}
	case r.Principal.Root && r.Principal.Account == r.Owner && r.Owner != "":
		return Decision{Effect: Allow, Reason: "root of the account that owns the resource"}
	default:
		return Decision{Effect: ImplicitDeny, Reason: "no statement allows it"}
	}
}

package policy

import "slices"

// Evaluate decides (user guide, "Interaction between repository and domain policies"):
//
//   - an explicit deny in any policy that bears on the request wins;
//   - the account's own principals need one allow, in an identity policy or in a resource policy;
//   - principals of other accounts need one in each;
//   - the root of an account needs no identity policy: what Kubernetes lets it apply, it may do, unless a policy denies it.
//
// The owner of the domain and the administrator of the repository both count as own accounts for actions on the repository and its
// packages, the owner alone for actions on the domain (readings A19).
func Evaluate(r Request) Decision {
	if r.Principal.Anonymous() {
		return Decision{Why: NoPrincipal}
	}
	e := evaluation{scope: scopeOf(&r), ceiling: r.Policies.Endpoint != nil}
	e.consult(&r, &e.identity, r.Policies.Identity...)
	if e.scope.domainPolicy {
		e.consult(&r, &e.resource, r.Policies.Domain)
	}
	if e.scope.repositoryPolicy {
		e.consult(&r, &e.resource, r.Policies.Repository)
	}
	e.consult(&r, &e.endpoint, r.Policies.Endpoint)
	if r.Principal.Root {
		e.identity.always, e.identity.now = true, true
	}
	return e.decide()
}

// Could says whether the principal could be allowed the action on some resource like the one of the request, whatever it is called and
// whatever else the request is: only what is denied for every resource and every request is ruled out. It is for questions that come
// before the name is known; Evaluate answers once it is.
func Could(r Request) bool {
	if r.Principal.Anonymous() {
		return false
	}
	e := evaluation{scope: scopeOf(&r), ceiling: r.Policies.Endpoint != nil}
	if e.scope.barred != 0 {
		return false
	}
	denied := false
	some := func(policies ...*Policy) (allowed bool) {
		for _, p := range policies {
			for i := range p.list() {
				switch s := &p.statements[i]; {
				case !s.about(&r):
				case !s.deny:
					allowed = true
				case len(s.conditions) == 0 && !s.notResource && slices.ContainsFunc(s.resources, func(p pattern) bool { return p.raw == "*" }):
					denied = true
				}
			}
		}
		return allowed
	}
	identity, resource, endpoint := some(r.Policies.Identity...) || r.Principal.Root, false, some(r.Policies.Endpoint)
	if e.scope.domainPolicy {
		resource = some(r.Policies.Domain)
	}
	if e.scope.repositoryPolicy {
		resource = some(r.Policies.Repository) || resource
	}
	return !denied && e.join(identity, resource, endpoint)
}

// list is nil for no policy.
func (p *Policy) list() []statement {
	if p == nil {
		return nil
	}
	return p.statements
}

// scope is which policies bear on a request and what they are to it.
type scope struct {
	domainPolicy, repositoryPolicy bool
	identityOnly                   bool // resource policies have no say
	own                            bool // the principal is of the resource's account
	barred                         Rule // not zero: denied before any policy is asked
}

const bearerAction = "sts:GetServiceBearerToken"

func scopeOf(r *Request) scope {
	if r.Action == bearerAction { // "will have no effect in resource policies" (guide, "Permissions required to call…")
		s := scope{identityOnly: true, own: true}
		if r.Principal.Root {
			s.barred = RootWithoutToken
		}
		return s
	}
	own := r.Principal.Account != "" && r.Principal.Account == r.Owner
	switch levelOf(r.Action, r.Resource) {
	case accountLevel: // no resource policies
		s := scope{identityOnly: true, own: own}
		if !own {
			s.barred = OtherAccount
		}
		return s
	case domainLevel: // no repository policies
		s := scope{domainPolicy: true, own: own}
		switch r.Action {
		case "codeartifact:PutDomainPermissionsPolicy": // so that nobody locks himself out
			s.domainPolicy = false
		case "codeartifact:GetAuthorizationToken":
			if r.Principal.Root {
				s.barred = RootWithoutToken
			}
		}
		return s
	default:
		own = own || r.Principal.Account != "" && r.Principal.Account == r.Administrator
		return scope{domainPolicy: true, repositoryPolicy: r.Action != "codeartifact:PutRepositoryPermissionsPolicy", own: own}
	}
}

// evaluation collects what the policies say. It does not hold the request, which would have to be on the heap then.
type evaluation struct {
	scope                        scope
	ceiling                      bool // there is a policy of the endpoint
	identity, resource, endpoint half
	denied                       Reference // a deny that holds whatever else the request is
	deniedNow                    Reference // one that holds for this request
	denyPossible                 bool      // one could hold for another request
}

// half is what one side allows.
type half struct {
	now      bool      // for this request
	always   bool      // whatever else the request is
	possible bool      // for some request
	by       Reference // the first statement that allows it now
}

func (e *evaluation) consult(r *Request, h *half, policies ...*Policy) {
	for _, p := range policies {
		if p == nil {
			continue
		}
		for i := range p.statements {
			s := &p.statements[i]
			if !s.about(r) {
				continue
			}
			holds, volatile := s.holds(r)
			e.count(h, s.deny, Reference{p, i + 1}, holds, volatile)
		}
	}
}

func (e *evaluation) count(h *half, deny bool, by Reference, holds, volatile bool) {
	switch {
	case deny && holds && !volatile:
		if e.denied.Policy == nil {
			e.denied = by
		}
	case deny:
		e.denyPossible = e.denyPossible || volatile
		if holds && e.deniedNow.Policy == nil {
			e.deniedNow = by
		}
	case holds:
		if !h.now {
			h.by = by
		}
		h.now, h.possible = true, true
		h.always = h.always || !volatile
	default:
		h.possible = h.possible || volatile
	}
}

// decide joins the halves. The same rule over what is always allowed and over what could be allowed tells whether the decision depends
// on the request.
func (e *evaluation) decide() Decision {
	d := Decision{cross: !e.scope.own}
	if e.scope.barred != 0 {
		d.Why = e.scope.barred
		return d
	}
	always := e.join(e.identity.always, e.resource.always, e.endpoint.always)
	possible := e.join(e.identity.always || e.identity.possible, e.resource.always || e.resource.possible, e.endpoint.always || e.endpoint.possible)
	d.Volatile = possible && (e.denyPossible || !always)
	switch {
	case e.denied.Policy != nil:
		d.Effect, d.Why, d.By, d.Volatile = ExplicitDeny, DenyStatement, e.denied, false
	case e.deniedNow.Policy != nil:
		d.Effect, d.Why, d.By = ExplicitDeny, DenyStatement, e.deniedNow
	case e.join(e.identity.now, e.resource.now, e.endpoint.now):
		d.Effect = Allow
		d.Why, d.By = e.allowed()
	default:
		d.Why, d.By = e.missing()
	}
	return d
}

func (e *evaluation) join(identity, resource, endpoint bool) bool {
	allowed := identity && resource
	if e.scope.identityOnly {
		allowed = identity
	} else if e.scope.own {
		allowed = identity || resource
	}
	return allowed && (!e.ceiling || endpoint)
}

func (e *evaluation) allowed() (Rule, Reference) {
	switch {
	case !e.scope.own:
		return BothStatements, e.resource.by
	case e.identity.by.Policy != nil:
		return IdentityStatement, e.identity.by
	case e.identity.now:
		return RootOfAccount, Reference{}
	default:
		return ResourceStatement, e.resource.by
	}
}

func (e *evaluation) missing() (Rule, Reference) {
	switch {
	case e.ceiling && !e.endpoint.now:
		return EndpointSilent, Reference{}
	case e.scope.own || e.identity.now == e.resource.now:
		return NothingAllows, Reference{}
	case e.resource.now:
		return NoIdentityAllows, e.resource.by
	default:
		return NoResourceAllows, e.identity.by
	}
}

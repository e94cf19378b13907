package policy

// Step is what one statement has to do with a request.
type Step struct {
	By     Reference
	Deny   bool
	Result Outcome
}

// Outcome is what became of a statement.
type Outcome string

// The outcomes.
const (
	Holds         Outcome = "holds"
	OtherWho      Outcome = "is about other principals"
	OtherAction   Outcome = "is about other actions"
	OtherResource Outcome = "is about other resources"
	Unmet         Outcome = "has conditions that this request does not meet"
	NotConsulted  Outcome = "is not asked for this action"
)

// Explain returns the decision with every statement of every policy that was passed: what "packhouse why" shows. It is not for the
// path of requests.
func Explain(r Request) (Decision, []Step) {
	d := Evaluate(r)
	s := scopeOf(&r)
	var steps []Step
	add := func(asked bool, list ...*Policy) {
		for _, p := range list {
			if p == nil {
				continue
			}
			for i := range p.statements {
				steps = append(steps, Step{By: Reference{p, i + 1}, Deny: p.statements[i].deny, Result: p.statements[i].outcome(&r, asked)})
			}
		}
	}
	asked := !r.Principal.Anonymous() && s.barred == 0
	add(asked, r.Policies.Identity...)
	add(asked && s.domainPolicy, r.Policies.Domain)
	add(asked && s.repositoryPolicy, r.Policies.Repository)
	add(asked, r.Policies.Endpoint)
	return d, steps
}

func (c *statement) outcome(r *Request, asked bool) Outcome {
	holds, _ := c.holds(r)
	switch {
	case !asked:
		return NotConsulted
	case !c.about(r) && anyMatch(c.actions, r, r.Action, true) == c.notAction:
		return OtherAction
	case !c.about(r):
		return OtherWho
	case !c.names(r):
		return OtherResource
	case !holds:
		return Unmet
	}
	return Holds
}

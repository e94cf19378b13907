package repository

import (
	"sync/atomic"

	"packhouse.dev/packhouse/registry/policy"
)

// Decided is a decision about a request, for the record.
type Decided struct {
	Action, Resource string
	Administrator    string // account of the repository's, "" if the resource is in none
	Decision         policy.Decision
}

// decisions remembers the last decision of a request. Reads, which are memoised, leave none.
type decisions struct{ last atomic.Pointer[Decided] }

// authorize asks the policies.
func (x *decisions) authorize(q policy.Request) error {
	d := policy.Evaluate(q)
	x.last.Store(&Decided{Action: q.Action, Resource: q.Resource, Administrator: q.Administrator, Decision: d})
	return permitted(d, &q)
}

// Decided returns the last decision about the request, nil if there is none yet.
func (d *Domain) Decided() *Decided { return d.decisions.last.Load() }

// Decided returns the last decision about the request, nil if there is none yet.
func (c *Catalog) Decided() *Decided { return c.decisions.last.Load() }

// Decided returns the last decision about something else than reading, nil if there is none yet.
func (v *View) Decided() *Decided { return v.decisions.last.Load() }

// Names makes the ARNs of the registry as it is now.
func (s *Service) Names() policy.Names { return s.current.Load().access.Names() }

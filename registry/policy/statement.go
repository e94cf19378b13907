package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrInvalid is what every error of a policy unwraps to.
var ErrInvalid = errors.New("invalid policy")

// Error says what is wrong with a policy and where.
type Error struct {
	Statement int    // from 1; 0: the document as a whole
	Sid       string // of the statement, if it has one
	Field     string // Action, Condition, …; may be empty
	Text      string
}

// Error is "statement 2 (Sid): Action: …".
func (e *Error) Error() string {
	s := ""
	if e.Statement > 0 {
		s = fmt.Sprintf("statement %d", e.Statement)
		if e.Sid != "" {
			s += " (" + e.Sid + ")"
		}
		s += ": "
	}
	if e.Field != "" {
		s += e.Field + ": "
	}
	return s + e.Text
}

// Unwrap makes errors.Is(err, ErrInvalid) true.
func (e *Error) Unwrap() error { return ErrInvalid }

// Statement is a typed statement. Lists that must not be given together are told apart by nil.
type Statement struct {
	Sid           string
	Effect        string   // "Allow" or "Deny"
	Principals    []string // "*", accounts, ARNs of users, roles and sessions; in resource policies only
	NotPrincipals []string
	Actions       []string // with wildcards, in any case
	NotActions    []string
	Resources     []string // ARNs with wildcards and variables
	NotResources  []string
	Conditions    []Condition
}

// Document is a policy before it is compiled.
type Document struct {
	Version    string // "2012-10-17" or "2008-10-17"; "" is the older one, which has no variables
	ID         string
	Statements []Statement
}

// The versions of the policy language.
const (
	Version    = "2012-10-17"
	versionOld = "2008-10-17"
)

// Kind is what a policy is attached to.
type Kind int

// The kinds of policies.
const (
	Identity Kind = iota // to principals; statements have no principal
	Resource             // to a domain, a repository or an endpoint; statements have principals
)

// Bounds of a policy, beside those of its text.
const (
	maxStatements = 200
	maxList       = 500
	maxSid        = 256
)

// Policy is a compiled policy. It is immutable.
type Policy struct {
	name       string
	kind       Kind
	statements []statement
}

// Name is the name that the policy was given, for traces: "DomainPolicy team/my-domain".
func (p *Policy) Name() string { return p.name }

// Len is the number of statements.
func (p *Policy) Len() int { return len(p.statements) }

func (p *Policy) describe(number int) string {
	s := fmt.Sprintf("statement %d", number)
	if sid := p.statements[number-1].sid; sid != "" {
		s += " (" + sid + ")"
	}
	return s
}

// statement is a compiled Statement.
type statement struct {
	sid          string
	deny         bool
	whoever      bool // of an identity policy: the principal is who the policy is attached to
	principals   []principalPattern
	notPrincipal bool
	actions      []pattern
	notAction    bool
	resources    []pattern
	notResource  bool
	conditions   []condition // those that do not depend on the request first

	volatileResource bool // a resource has variables that depend on the request
}

// Compile makes a policy. The error is an *Error that names statement and field.
func Compile(name string, kind Kind, doc *Document) (*Policy, error) {
	switch {
	case doc.Version != "" && doc.Version != Version && doc.Version != versionOld:
		return nil, &Error{Field: "Version", Text: fmt.Sprintf("%q is neither %s nor %s", doc.Version, Version, versionOld)}
	case len(doc.Statements) == 0:
		return nil, &Error{Field: "Statement", Text: "there is none"}
	case len(doc.Statements) > maxStatements:
		return nil, &Error{Field: "Statement", Text: fmt.Sprintf("there are more than %d", maxStatements)}
	}
	out := &Policy{name: name, kind: kind, statements: make([]statement, len(doc.Statements))}
	sids := map[string]bool{}
	for i := range doc.Statements {
		s := &doc.Statements[i]
		fail := func(field, text string) error {
			sid := s.Sid
			if len(sid) > maxSid {
				sid = ""
			}
			return &Error{Statement: i + 1, Sid: sid, Field: field, Text: text}
		}
		switch {
		case len(s.Sid) > maxSid:
			return nil, fail("Sid", fmt.Sprintf("is longer than %d bytes", maxSid))
		case s.Sid != "" && sids[s.Sid]:
			return nil, fail("Sid", "another statement has it")
		}
		sids[s.Sid] = true
		if field, err := out.statements[i].compile(s, kind, doc.Version == Version); err != nil {
			return nil, fail(field, err.Error())
		}
	}
	return out, nil
}

// compile fills in the statement, or names the field that is wrong.
func (c *statement) compile(s *Statement, kind Kind, variables bool) (field string, err error) {
	c.sid = s.Sid
	switch s.Effect {
	case "Allow":
	case "Deny":
		c.deny = true
	default:
		return "Effect", fmt.Errorf("%q is neither Allow nor Deny", s.Effect)
	}
	if field, err := c.compileWho(s, kind); err != nil {
		return field, err
	}
	list, field, err := oneOf(s.Actions, s.NotActions, "Action", "NotAction")
	if err != nil {
		return field, err
	}
	c.notAction = field == "NotAction"
	for _, a := range list {
		if a != "*" && !isAction(a) {
			return field, fmt.Errorf("%q is no action: write codeartifact:ReadFromRepository, codeartifact:* or *", a)
		}
		p, err := compilePattern(a, true, false)
		if err != nil {
			return field, err
		}
		c.actions = append(c.actions, p)
	}
	if list, field, err = oneOf(s.Resources, s.NotResources, "Resource", "NotResource"); err != nil {
		return field, err
	}
	c.notResource = field == "NotResource"
	for _, r := range list {
		if !strings.HasPrefix(r, "*") && !strings.HasPrefix(r, "arn:") {
			return field, fmt.Errorf("%q is neither an ARN nor *", r)
		}
		p, err := compilePattern(r, true, variables)
		if err != nil {
			return field, err
		}
		c.resources = append(c.resources, p)
		c.volatileResource = c.volatileResource || p.volatile()
	}
	if err := c.compileConditions(s, variables); err != nil {
		return "Condition", err
	}
	return "", nil
}

func (c *statement) compileWho(s *Statement, kind Kind) (field string, err error) {
	if kind == Identity {
		c.whoever = true
		if s.Principals != nil || s.NotPrincipals != nil {
			return "Principal", errors.New("an identity policy has none: it is about those to whom it is attached")
		}
		return "", nil
	}
	list, field, err := oneOf(s.Principals, s.NotPrincipals, "Principal", "NotPrincipal")
	if err != nil {
		return field, err
	}
	c.notPrincipal = field == "NotPrincipal"
	for _, who := range list {
		p, err := compilePrincipal(who)
		if err != nil {
			return field, err
		}
		c.principals = append(c.principals, p)
	}
	return "", nil
}

func (c *statement) compileConditions(s *Statement, variables bool) error {
	if len(s.Conditions) > maxList {
		return fmt.Errorf("there are more than %d", maxList)
	}
	if !c.notAction && !slices.ContainsFunc(c.actions, concernsUs) {
		return nil // of another service, whose keys we do not know: the statement is about nothing here
	}
	seen := map[string]bool{}
	for i := range s.Conditions {
		in := &s.Conditions[i]
		id := in.Operator + " " + strings.ToLower(in.Key)
		if seen[id] {
			return fmt.Errorf("%s of %s is there twice: write all values into one", in.Operator, in.Key)
		}
		seen[id] = true
		out, err := compileCondition(in, variables)
		if err != nil {
			return fmt.Errorf("%s: %w", in.Operator, err)
		}
		c.conditions = append(c.conditions, out)
	}
	slices.SortStableFunc(c.conditions, func(a, b condition) int {
		switch {
		case a.volatile == b.volatile:
			return 0
		case a.volatile:
			return 1
		}
		return -1
	})
	return nil
}

// concernsUs says whether a pattern can be about an action of this registry.
func concernsUs(p pattern) bool {
	service, _, ok := strings.Cut(p.raw, ":")
	return !ok || strings.EqualFold(service, "codeartifact") || strings.EqualFold(service, "sts")
}

// oneOf takes the one of two lists that is there.
func oneOf(a, b []string, nameA, nameB string) (list []string, field string, err error) {
	list, field = a, nameA
	if a == nil {
		list, field = b, nameB
	}
	switch {
	case a != nil && b != nil:
		return nil, nameB, fmt.Errorf("there is %s already", nameA)
	case a == nil && b == nil:
		return nil, nameA, fmt.Errorf("%s or %s is needed", nameA, nameB)
	case len(list) == 0:
		return nil, field, errors.New("is empty")
	case len(list) > maxList:
		return nil, field, fmt.Errorf("has more than %d values", maxList)
	}
	return list, field, nil
}

// isAction says whether s has the form "service:Name", with wildcards in the name.
func isAction(s string) bool {
	service, name, ok := strings.Cut(s, ":")
	if !ok || service == "" || name == "" {
		return false
	}
	for _, part := range []string{service, name} {
		for i := range len(part) {
			c := part[i]
			letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-'
			if !letter && (part == service || c != '*' && c != '?') {
				return false
			}
		}
	}
	return true
}

// about says whether a statement is about who asks for what, whatever its resources and conditions say.
func (c *statement) about(r *Request) bool {
	if !c.whoever && slices.ContainsFunc(c.principals, func(p principalPattern) bool { return p.match(&r.Principal) }) == c.notPrincipal {
		return false
	}
	return anyMatch(c.actions, r, r.Action, true) != c.notAction
}

// names says whether a statement is about the resource of a request.
func (c *statement) names(r *Request) bool {
	named := anyMatch(c.resources, r, r.Resource, false) || r.Creates != "" && anyMatch(c.resources, r, r.Creates, false)
	return named != c.notResource
}

func anyMatch(list []pattern, r *Request, s string, fold bool) bool {
	for i := range list {
		if list[i].match(r, s, fold) {
			return true
		}
	}
	return false
}

// holds says whether a statement that is about a request has its resource and meets its conditions. volatile says whether another
// request of the same principal, action and resource could have another answer.
func (c *statement) holds(r *Request) (holds, volatile bool) {
	holds, volatile = c.names(r), c.volatileResource
	if !holds && !volatile {
		return false, false
	}
	for i := range c.conditions { // those that do not depend on the request come first
		request := c.conditions[i].volatile
		if !c.conditions[i].holds(r) {
			if !request {
				return false, false
			}
			holds = false
		}
		volatile = volatile || request
	}
	return holds, volatile
}

package policy

import "fmt"

// bearerStatement is the second statement of both managed policies.
func bearerStatement() Statement {
	return Statement{
		Effect: "Allow", Actions: []string{bearerAction}, Resources: []string{"*"},
		Conditions: []Condition{{Operator: "StringEquals", Key: "sts:AWSServiceName", Values: []string{"codeartifact.amazonaws.com"}}},
	}
}

// Managed returns a predefined policy (user guide, "AWS managed (predefined) policies for AWS CodeArtifact"), to be attached to
// principals by its name.
func Managed(name string) (*Policy, error) {
	first := Statement{Effect: "Allow", Resources: []string{"*"}}
	switch name {
	case "AWSCodeArtifactAdminAccess":
		first.Actions = []string{"codeartifact:*"}
	case "AWSCodeArtifactReadOnlyAccess":
		first.Actions = []string{"codeartifact:Describe*", "codeartifact:Get*", "codeartifact:List*", "codeartifact:ReadFromRepository"}
	default:
		return nil, fmt.Errorf("%w: there is no managed policy %q", ErrInvalid, name)
	}
	return Compile("managed policy "+name, Identity, &Document{Version: Version, Statements: []Statement{first, bearerStatement()}})
}

// Named returns the policy under another name for traces.
func (p *Policy) Named(name string) *Policy {
	q := *p
	q.name = name
	return &q
}

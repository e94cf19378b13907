package access

import (
	"errors"
	"testing"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/config"
)

func TestPrincipal(t *testing.T) {
	t.Parallel()
	doc := &config.Registry{Partition: "aws", Region: "local", ClosedAccounts: []string{"000000000009"}, Accounts: []config.Account{
		{Namespace: "team-b", ID: other}, {Namespace: "one", ID: "000000000001"}, {Namespace: "two", ID: "000000000001"}, {Namespace: "closed", ID: "000000000009"},
		{Namespace: "victim", ID: registry.DeriveAccount("chosen")},
	}}
	r, _ := CompileRegistry(doc)
	tests := map[string]struct {
		text, arn string
		root      bool
		err       error
	}{
		"root":                          {text: "root", arn: "arn:aws:iam::" + owner + ":root", root: true},
		"a service account":             {text: "serviceaccount:team-b/ci", arn: "arn:aws:sts::" + other + ":assumed-role/ci/packhouse"},
		"of a namespace nobody named":   {text: "serviceaccount:x/ci", arn: "arn:aws:sts::" + registry.DeriveAccount("x") + ":assumed-role/ci/packhouse"},
		"without a namespace":           {text: "serviceaccount:ci", err: registry.ErrInvalid},
		"a role":                        {text: "role:ci", arn: "arn:aws:sts::" + owner + ":assumed-role/ci/packhouse"},
		"a role of a namespace":         {text: "role:team-b/ci", arn: "arn:aws:sts::" + other + ":assumed-role/ci/packhouse"},
		"a user":                        {text: "user:bob@example.com", arn: "arn:aws:iam::" + owner + ":user/bob@example.com"},
		"an ARN of a session":           {text: "arn:aws:sts::" + other + ":assumed-role/ci/pod-1", arn: "arn:aws:sts::" + other + ":assumed-role/ci/pod-1"},
		"an ARN of a root":              {text: "arn:aws:iam::" + other + ":root", arn: "arn:aws:iam::" + other + ":root", root: true},
		"an ARN of something":           {text: "arn:aws:codeartifact:local:" + owner + ":domain/d", err: registry.ErrInvalid},
		"an ARN with a wildcard":        {text: "arn:aws:iam::" + other + ":user/*", err: registry.ErrInvalid},
		"a namespace that another is":   {text: "serviceaccount:one/ci", err: registry.ErrAccessDenied},
		"a closed account":              {text: "user:closed/bob", err: registry.ErrAccessDenied},
		"a name made to give another's": {text: "serviceaccount:chosen/ci", err: registry.ErrAccessDenied},
		"a kind that there is not":      {text: "group:devs", err: registry.ErrInvalid},
		"no kind":                       {text: "ci", err: registry.ErrInvalid},
		"no name":                       {text: "user:", err: registry.ErrInvalid},
		"a path":                        {text: "user:a/b/c", err: registry.ErrInvalid},
		"an end of the ARN":             {text: "user:a:b", err: registry.ErrInvalid},
		"nothing":                       {err: registry.ErrInvalid},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := r.Principal(tt.text, owner)
			if !errors.Is(err, tt.err) || p.ARN != tt.arn || p.Root != tt.root {
				t.Errorf("got %+v, %v", p, err)
			}
		})
	}
}

package policy

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

func TestConditions(t *testing.T) {
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	base := Request{
		Principal: session(owner, "ci"), Action: "codeartifact:ReadFromRepository", Resource: repoARN("r"), Owner: owner,
		Context: Context{
			Time: now, SourceIP: netip.MustParseAddr("::ffff:10.1.2.3"), SecureTransport: true, Endpoint: "internal", TokenIssued: now.Add(-time.Hour),
			Region: "local", Organization: "o-abc", ResourceOrg: "o-def",
			ResourceTags: map[string]string{"Team": "web", "level": "7"}, RequestTags: map[string]string{"a": "1", "b": "2"}, PrincipalTags: map[string]string{"team": "web"},
		},
	}
	for _, tt := range []struct {
		operator, key, value string // value: JSON
		want                 bool
	}{
		{"StringEquals", "aws:ResourceTag/Team", `"web"`, true},
		{"StringEquals", "aws:ResourceTag/Team", `["x", "web"]`, true},
		{"StringEquals", "aws:ResourceTag/Team", `"Web"`, false},
		{"StringEquals", "AWS:resourcetag/team", `"web"`, true}, // names of keys do not depend on case
		{"StringEquals", "aws:ResourceTag/absent", `"web"`, false},
		{"StringEquals", "aws:ResourceTag/Team", `"w*"`, false},
		{"StringNotEquals", "aws:ResourceTag/Team", `["x", "web"]`, false},
		{"StringNotEquals", "aws:ResourceTag/Team", `["x", "y"]`, true},
		{"StringNotEquals", "aws:ResourceTag/absent", `"web"`, true},
		{"StringEqualsIgnoreCase", "aws:ResourceTag/Team", `"WEB"`, true},
		{"StringNotEqualsIgnoreCase", "aws:ResourceTag/Team", `"WEB"`, false},
		{"StringLike", "aws:ResourceTag/Team", `"w*"`, true},
		{"StringLike", "aws:ResourceTag/Team", `"w?b"`, true},
		{"StringLike", "aws:ResourceTag/Team", `"w?"`, false},
		{"StringNotLike", "aws:ResourceTag/Team", `"x*"`, true},
		{"StringEqualsIfExists", "aws:ResourceTag/absent", `"web"`, true},
		{"StringEqualsIfExists", "aws:ResourceTag/Team", `"other"`, false},
		{"StringNotEqualsIfExists", "aws:ResourceTag/Team", `"web"`, false},
		{"Null", "aws:ResourceTag/absent", `"true"`, true},
		{"Null", "aws:ResourceTag/Team", `true`, false},
		{"Null", "aws:ResourceTag/Team", `"false"`, true},
		{"NumericEquals", "aws:ResourceTag/level", `7`, true},
		{"NumericEquals", "aws:ResourceTag/level", `"7.0"`, true},
		{"NumericNotEquals", "aws:ResourceTag/level", `7`, false},
		{"NumericLessThan", "aws:ResourceTag/level", `7`, false},
		{"NumericLessThanEquals", "aws:ResourceTag/level", `7`, true},
		{"NumericGreaterThan", "aws:ResourceTag/level", `6.5`, true},
		{"NumericGreaterThanEquals", "aws:ResourceTag/level", `8`, false},
		{"NumericLessThan", "aws:ResourceTag/Team", `7`, false}, // no number
		{"NumericGreaterThan", "aws:EpochTime", `1700000000`, true},
		{"NumericEquals", "sts:DurationSeconds", `0`, false}, // of GetServiceBearerToken only
		{"DateGreaterThan", "aws:CurrentTime", `"2026-03-04T05:06:06Z"`, true},
		{"DateGreaterThan", "aws:CurrentTime", `"2026-03-04T07:06:07+02:00"`, false},
		{"DateEquals", "aws:CurrentTime", `"2026-03-04T07:06:07+02:00"`, true},
		{"DateNotEquals", "aws:CurrentTime", `"2026-03-04T05:06:07Z"`, false},
		{"DateLessThan", "aws:CurrentTime", `"2026-03-05"`, true},
		{"DateLessThanEquals", "aws:TokenIssueTime", `"2026-03-04T04:06:07Z"`, true},
		{"DateLessThan", "aws:TokenIssueTime", `1772600000`, true},
		{"DateGreaterThanEquals", "aws:EpochTime", `1700000000`, true},
		{"Bool", "aws:SecureTransport", `"true"`, true},
		{"Bool", "aws:SecureTransport", `false`, false},
		{"Bool", "aws:MultiFactorAuthPresent", `"false"`, true},
		{"IpAddress", "aws:SourceIp", `"10.0.0.0/8"`, true},
		{"IpAddress", "aws:SourceIp", `"10.1.2.3"`, true},
		{"IpAddress", "aws:SourceIp", `"::ffff:10.0.0.0/104"`, true},
		{"IpAddress", "aws:SourceIp", `["192.168.0.0/16", "2001:db8::/32"]`, false},
		{"NotIpAddress", "aws:SourceIp", `["192.168.0.0/16", "10.1.0.0/16"]`, false},
		{"NotIpAddress", "aws:SourceIp", `"192.168.0.0/16"`, true},
		{"ArnEquals", "aws:PrincipalArn", `"arn:aws:iam::111122223333:role/ci"`, true}, // a session's role
		{"ArnLike", "aws:PrincipalArn", `"arn:aws:iam::*:role/*"`, true},
		{"ArnLike", "aws:PrincipalArn", `"arn:aws:iam:*:role/ci"`, false}, // five parts are too few
		{"ArnLike", "aws:PrincipalArn", `"arn:*:iam::111122223333:*"`, true},
		{"ArnLike", "aws:PrincipalArn", `"*"`, true},
		{"ArnNotLike", "aws:PrincipalArn", `"arn:aws:iam::*:user/*"`, true},
		{"ArnNotEquals", "aws:PrincipalArn", `"arn:aws:iam::111122223333:role/ci"`, false},
		{"StringEquals", "aws:PrincipalAccount", `"111122223333"`, true},
		{"StringEquals", "aws:PrincipalType", `"AssumedRole"`, true},
		{"StringEquals", "aws:PrincipalOrgID", `"o-abc"`, true},
		{"StringEquals", "aws:ResourceOrgID", `"o-def"`, true},
		{"StringEquals", "aws:ResourceAccount", `"${aws:PrincipalAccount}"`, true},
		{"StringLike", "aws:userid", `"AROAEXAMPLE:*"`, true},
		{"Null", "aws:username", `true`, true}, // of users only
		{"StringEquals", "aws:SourceVpce", `"internal"`, true},
		{"StringEquals", "aws:RequestedRegion", `"local"`, true},
		{"StringEquals", "aws:ResourceTag/Team", `"${aws:PrincipalTag/team}"`, true},
		{"StringEquals", "aws:ResourceTag/Team", `"${aws:PrincipalTag/absent}"`, false},
		{"StringNotEquals", "aws:ResourceTag/Team", `"${aws:PrincipalTag/absent}"`, true},
		{"StringEquals", "aws:ResourceTag/Team", `"${aws:PrincipalTag/absent, 'web'}"`, true},
		{"StringLike", "aws:ResourceTag/Team", `"${*}"`, false},
		{"ForAnyValue:StringEquals", "aws:TagKeys", `["a", "x"]`, true},
		{"ForAnyValue:StringEquals", "aws:TagKeys", `["x"]`, false},
		{"ForAllValues:StringEquals", "aws:TagKeys", `["a", "b", "c"]`, true},
		{"ForAllValues:StringEquals", "aws:TagKeys", `["a"]`, false},
		{"ForAllValues:StringNotEquals", "aws:TagKeys", `["x"]`, true},
		{"ForAllValues:StringNotEquals", "aws:TagKeys", `["a"]`, false},
		{"ForAnyValue:StringNotEquals", "aws:TagKeys", `["a"]`, true},
		{"ForAnyValue:StringNotEquals", "aws:TagKeys", `["a", "b"]`, false},
		{"ForAllValues:StringEquals", "aws:RequestTag/absent", `"x"`, true},
		{"ForAnyValue:StringNotEquals", "aws:RequestTag/absent", `"x"`, false},
		{"ForAnyValue:StringLikeIfExists", "aws:RequestTag/absent", `"x"`, true},
	} {
		t.Run(fmt.Sprintf("%s %s %s", tt.operator, tt.key, tt.value), func(t *testing.T) {
			text := fmt.Sprintf(`{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {%q: {%q: %s}}}}`, tt.operator, tt.key, tt.value)
			p, err := Read("p", Identity, []byte(text))
			if tt.value == `"arn:aws:iam:*:role/ci"` {
				if err == nil {
					t.Fatal("an ARN of five parts is taken")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			r := base
			r.Policies.Identity = []*Policy{p}
			if d := Evaluate(r); d.Allowed() != tt.want {
				t.Errorf("allowed = %v, want %v", d.Allowed(), tt.want)
			}
		})
	}
}

// A request without a key has it not as an empty or a zero value.
func TestAbsentKeys(t *testing.T) {
	for _, k := range []string{"aws:CurrentTime", "aws:EpochTime", "aws:SourceIp", "aws:TokenIssueTime", "aws:SourceVpce", "aws:PrincipalOrgID", "aws:TagKeys", "aws:userid", "sts:DurationSeconds"} {
		p := mustRead(t, Identity, `{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"Null": {"`+k+`": "true"}}}}`)
		if d := Evaluate(ask(user(owner, "bob"), "codeartifact:DescribeDomain", domainARN(), func(r *Request) { r.Policies.Identity = []*Policy{p} })); !d.Allowed() {
			t.Errorf("%s is there", k)
		}
	}
}

func TestVolatile(t *testing.T) {
	statement := func(effect, condition string) string {
		return `{"Effect": "` + effect + `", "Action": "*", "Resource": "*", "Condition": {` + condition + `}}`
	}
	const (
		always  = `{"Effect": "Allow", "Action": "*", "Resource": "*"}`
		byIP    = `"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}`
		byOrg   = `"StringEquals": {"aws:PrincipalOrgID": "o-abc"}`
		noOrg   = `"StringEquals": {"aws:PrincipalOrgID": "o-other"}`
		byOwnIP = byIP + "," + noOrg
	)
	for name, tt := range map[string]struct {
		statements string
		want       Effect
		volatile   bool
	}{
		"no condition":                               {always, Allow, false},
		"nothing":                                    {statement("Allow", noOrg), ImplicitDeny, false},
		"condition on who":                           {statement("Allow", byOrg), Allow, false},
		"condition on where":                         {statement("Allow", byIP), Allow, true},
		"allowed anyway":                             {statement("Allow", byIP) + "," + always, Allow, false},
		"denied from somewhere":                      {always + "," + statement("Deny", byIP), ExplicitDeny, true},
		"not denied from here":                       {always + `,` + statement("Deny", `"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}`), Allow, true},
		"denied anyway":                              {statement("Allow", byIP) + `,{"Effect": "Deny", "Action": "*", "Resource": "*"}`, ExplicitDeny, false},
		"a condition on who fails already":           {always + "," + statement("Deny", byOwnIP), Allow, false},
		"could be denied, but is not allowed anyway": {statement("Deny", byIP), ExplicitDeny, false},
		"a variable of the request in the resource":  {`{"Effect": "Allow", "Action": "*", "Resource": "arn:aws:codeartifact:*:*:repository/my_domain/${aws:PrincipalTag/repo}"}`, ImplicitDeny, true},
	} {
		t.Run(name, func(t *testing.T) {
			p := mustRead(t, Identity, `{"Version": "2012-10-17", "Statement": [`+tt.statements+`]}`)
			r := ask(user(owner, "bob"), "codeartifact:ReadFromRepository", repoARN("my_repo"), func(r *Request) {
				r.Context.SourceIP, r.Context.Organization = netip.MustParseAddr("10.0.0.1"), "o-abc"
				r.Policies.Identity = []*Policy{p}
			})
			if d := Evaluate(r); d.Effect != tt.want || d.Volatile != tt.volatile {
				t.Errorf("%s, volatile %v; want %s, %v", d.Effect, d.Volatile, tt.want, tt.volatile)
			}
		})
	}
	// Cross-account: an identity policy that depends on the address changes nothing where no resource policy allows it.
	p := mustRead(t, Identity, `{"Statement": `+statement("Allow", byIP)+`}`)
	r := ask(user(other, "bob"), "codeartifact:ReadFromRepository", repoARN("my_repo"), func(r *Request) { r.Policies.Identity = []*Policy{p} })
	if d := Evaluate(r); d.Volatile {
		t.Error("a denial that nothing in the request can change is volatile")
	}
}

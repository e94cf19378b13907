package policy

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// What is wrong is said with statement and field, and nothing that is wrong is dropped.
func TestReadErrors(t *testing.T) {
	const rest = `"Effect": "Allow", "Action": "codeartifact:*", "Resource": "*"`
	for name, tt := range map[string]struct {
		kind       Kind
		text, want string
	}{
		"empty":                      {Identity, ``, "line 1: unexpected end of JSON input"},
		"no JSON":                    {Identity, "{\n\"Version\": *}", "line 2: invalid character '*' looking for beginning of value"},
		"text after the end":         {Identity, `{"Statement": []} {}`, "line 1: invalid character '{' after top-level value"},
		"no object":                  {Identity, `[]`, "must be an object"},
		"not UTF-8":                  {Identity, "{\"Id\": \"\xff\"}", "the document is not UTF-8"},
		"unknown element":            {Identity, `{"Statements": []}`, `a policy has no element "Statements"`},
		"case of an element":         {Identity, `{"statement": []}`, `a policy has no element "statement"`},
		"no statement":               {Identity, `{"Version": "2012-10-17"}`, "Statement: there is none"},
		"empty statements":           {Identity, `{"Statement": []}`, "Statement: there is none"},
		"version":                    {Identity, `{"Version": "2012-10-18", "Statement": {` + rest + `}}`, `Version: "2012-10-18" is neither 2012-10-17 nor 2008-10-17`},
		"version as a number":        {Identity, `{"Version": 2012}`, "Version: must be text"},
		"repeated element":           {Identity, `{"Statement": {"Effect": "Deny", ` + rest + `}}`, `statement 1: "Effect" is there twice`},
		"repeated statement list":    {Identity, `{"Statement": {` + rest + `}, "Statement": {` + rest + `}}`, `"Statement" is there twice`},
		"unknown element of one":     {Identity, `{"Statement": [{` + rest + `}, {"Sid": "two", ` + rest + `, "Resources": "*"}]}`, `statement 2 (two): a statement has no element "Resources"`},
		"effect":                     {Identity, `{"Statement": {"Effect": "allow", "Action": "*", "Resource": "*"}}`, `statement 1: Effect: "allow" is neither Allow nor Deny`},
		"no effect":                  {Identity, `{"Statement": {"Action": "*", "Resource": "*"}}`, `statement 1: Effect: "" is neither Allow nor Deny`},
		"no action":                  {Identity, `{"Statement": {"Effect": "Deny", "Resource": "*"}}`, "statement 1: Action: Action or NotAction is needed"},
		"empty action":               {Identity, `{"Statement": {"Effect": "Deny", "Action": [], "Resource": "*"}}`, "statement 1: Action: is empty"},
		"bad action":                 {Identity, `{"Statement": {"Effect": "Deny", "Action": "ReadFromRepository", "Resource": "*"}}`, `statement 1: Action: "ReadFromRepository" is no action: write codeartifact:ReadFromRepository, codeartifact:* or *`},
		"damaged action":             {Identity, `{"Statement": {"Effect": "Deny", "Action": "codeartifact>ListPackages", "Resource": "*"}}`, `statement 1: Action: "codeartifact>ListPackages" is no action: write codeartifact:ReadFromRepository, codeartifact:* or *`},
		"both actions":               {Identity, `{"Statement": {` + rest + `, "NotAction": "*"}}`, "statement 1: NotAction: there is Action already"},
		"no resource":                {Identity, `{"Statement": {"Effect": "Deny", "Action": "*"}}`, "statement 1: Resource: Resource or NotResource is needed"},
		"bad resource":               {Identity, `{"Statement": {"Effect": "Deny", "Action": "*", "NotResource": "repository-arn"}}`, `statement 1: NotResource: "repository-arn" is neither an ARN nor *`},
		"resource of a wrong type":   {Identity, `{"Statement": {"Effect": "Deny", "Action": "*", "Resource": [["*"]]}}`, "statement 1: Resource: must be text or a list of texts"},
		"principal of an identity":   {Identity, `{"Statement": {` + rest + `, "Principal": "*"}}`, "statement 1: Principal: an identity policy has none: it is about those to whom it is attached"},
		"no principal":               {Resource, `{"Statement": {` + rest + `}}`, "statement 1: Principal: Principal or NotPrincipal is needed"},
		"principal as text":          {Resource, `{"Statement": {` + rest + `, "Principal": "123456789012"}}`, `statement 1: Principal: must be "*" or an object like {"AWS": "123456789012"}`},
		"principal of a service":     {Resource, `{"Statement": {` + rest + `, "Principal": {"Service": "x.amazonaws.com"}}}`, `statement 1: Principal: principals of the kind "Service" do not exist here: write AWS`},
		"empty principal":            {Resource, `{"Statement": {` + rest + `, "Principal": {}}}`, "statement 1: Principal: is empty"},
		"no principals":              {Resource, `{"Statement": {` + rest + `, "Principal": {"AWS": []}}}`, "statement 1: Principal: is empty"},
		"principal with wildcard":    {Resource, `{"Statement": {` + rest + `, "Principal": {"AWS": "arn:aws:iam::123456789012:user/*"}}}`, `statement 1: Principal: "arn:aws:iam::123456789012:user/*": a principal cannot have wildcards; write "*" and a condition on aws:PrincipalArn`},
		"principal of 11 digits":     {Resource, `{"Statement": {` + rest + `, "NotPrincipal": {"AWS": "arn:aws:iam::12345678901:root"}}}`, `statement 1: NotPrincipal: "arn:aws:iam::12345678901:root" is no principal: write "*", a 12-digit account or an ARN like arn:aws:iam::123456789012:user/bob`},
		"principal that is a group":  {Resource, `{"Statement": {` + rest + `, "Principal": {"AWS": "arn:aws:iam::123456789012:group/g"}}}`, `statement 1: Principal: "arn:aws:iam::123456789012:group/g" is no principal: it names neither an account, nor a user, a role or a session of a role`},
		"session without its name":   {Resource, `{"Statement": {` + rest + `, "Principal": {"AWS": "arn:aws:sts::123456789012:assumed-role/ci"}}}`, `statement 1: Principal: "arn:aws:sts::123456789012:assumed-role/ci" is no principal: it names neither an account, nor a user, a role or a session of a role`},
		"unknown operator":           {Identity, `{"Statement": {` + rest + `, "Condition": {"StringIs": {"aws:userid": "x"}}}}`, `statement 1: Condition: StringIs: "StringIs" is no operator`},
		"NullIfExists":               {Identity, `{"Statement": {` + rest + `, "Condition": {"NullIfExists": {"aws:userid": "true"}}}}`, `statement 1: Condition: NullIfExists: "NullIfExists" is no operator`},
		"key that is not supported":  {Identity, `{"Statement": {` + rest + `, "Condition": {"StringEquals": {"aws:Referer": "x"}}}}`, `statement 1: Condition: StringEquals: the condition key "aws:Referer" is not supported`},
		"number":                     {Identity, `{"Statement": {` + rest + `, "Condition": {"NumericEquals": {"sts:DurationSeconds": "NaN"}}}}`, `statement 1: Condition: NumericEquals: sts:DurationSeconds: "NaN" is no number`},
		"date":                       {Identity, `{"Statement": {` + rest + `, "Condition": {"DateEquals": {"aws:CurrentTime": "tomorrow"}}}}`, `statement 1: Condition: DateEquals: aws:CurrentTime: "tomorrow" is no time: write 2026-01-31T12:00:00Z or seconds since 1970`},
		"address":                    {Identity, `{"Statement": {` + rest + `, "Condition": {"NotIpAddress": {"aws:SourceIp": "10.0.0.0/33"}}}}`, `statement 1: Condition: NotIpAddress: aws:SourceIp: "10.0.0.0/33" is no address and no range of addresses like 10.0.0.0/8`},
		"truth":                      {Identity, `{"Statement": {` + rest + `, "Condition": {"Bool": {"aws:SecureTransport": "yes"}}}}`, `statement 1: Condition: Bool: aws:SecureTransport: "yes" is neither true nor false`},
		"no values":                  {Identity, `{"Statement": {` + rest + `, "Condition": {"Bool": {"aws:SecureTransport": []}}}}`, `statement 1: Condition: Bool: aws:SecureTransport has no value`},
		"condition as text":          {Identity, `{"Statement": {` + rest + `, "Condition": "never"}}`, `statement 1: Condition: must be an object`},
		"same key in another case":   {Identity, `{"Statement": {` + rest + `, "Condition": {"Bool": {"aws:SecureTransport": "true", "aws:securetransport": "true"}}}}`, `statement 1: Condition: Bool of aws:securetransport is there twice: write all values into one`},
		"variable without an end":    {Identity, `{"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "*", "Resource": "arn:${aws:username"}}`, `statement 1: Resource: "arn:${aws:username": a variable has no end`},
		"variable of several values": {Identity, `{"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "*", "Resource": "arn:${aws:TagKeys}"}}`, `statement 1: Resource: "arn:${aws:TagKeys}": the variable aws:TagKeys may have several values`},
		"two of one Sid":             {Identity, `{"Statement": [{"Sid": "a", ` + rest + `}, {"Sid": "a", ` + rest + `}]}`, "statement 2 (a): Sid: another statement has it"},
		"too long":                   {Resource, `{"Id": "` + strings.Repeat("x", MaxResourceDocument) + `"}`, "the document has 7178 bytes; 7168 are allowed"},
		"deep":                       {Identity, strings.Repeat("[", 9000), "line 1: unexpected end of JSON input"},
		"nested statements":          {Identity, `{"Statement": [[{` + rest + `}]]}`, "statement 1: must be an object"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Read("p", tt.kind, []byte(tt.text))
			if err == nil || !errors.Is(err, ErrInvalid) {
				t.Fatalf("error = %v", err)
			}
			if d := cmp.Diff(tt.want, err.Error()); d != "" {
				t.Error(d)
			}
		})
	}
}

// A document of 2008 has no variables, and statements about other services may use keys that nobody here knows.
func TestReadTakes(t *testing.T) {
	old := mustRead(t, Identity, `{"Version": "2008-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "arn:${aws:username}"}}`)
	r := ask(user(owner, "bob"), "codeartifact:DescribeDomain", "arn:${aws:username}", func(r *Request) { r.Policies.Identity = []*Policy{old} })
	if !Evaluate(r).Allowed() {
		t.Error("2008: a variable is not literal")
	}
	mustRead(t, Identity, `{"Id": "x", "Statement": {"Sid": "with spaces", "Effect": "Allow", "Action": "s3:GetObject", "Resource": "*", "Condition": {"StringLike": {"s3:prefix": "x"}}}}`)
}

// Typed statements and documents are one thing: what is written reads as it was.
func TestDocumentRoundTrip(t *testing.T) {
	for _, text := range []string{protectButOne, organization, tagsExample1, twelveHours, someRepositories, ownPermissions, endpointPolicy} {
		doc, err := Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		out, err := doc.JSON()
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(out)
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if d := cmp.Diff(doc, again); d != "" {
			t.Error(d)
		}
	}
	double := &Document{Statements: []Statement{{Effect: "Allow", Actions: []string{"*"}, Resources: []string{"*"}, Conditions: []Condition{
		{"StringEquals", "aws:userid", []string{"a"}}, {"StringEquals", "AWS:UserID", []string{"b"}},
	}}}}
	if _, err := double.JSON(); !errors.Is(err, ErrInvalid) {
		t.Errorf("two conditions became one: %v", err)
	}
}

func FuzzRead(f *testing.F) {
	for _, text := range []string{protectAll, organization, tagsExample1, twelveHours, ownPermissions, endpointPolicy, `{"Statement": [{"Effect": "Deny", "NotAction": "*", "NotResource": "arn:${aws:username, 'x'}*?"}]}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, kind := range []Kind{Identity, Resource} {
			p, err := Read("p", kind, text)
			if err != nil {
				if !errors.Is(err, ErrInvalid) {
					t.Fatalf("error without its sentinel: %v", err)
				}
				continue
			}
			r := ask(session(other, "ci"), "codeartifact:ReadFromRepository", repoARN("my_repo"), requestTags("a", "b"))
			if kind == Identity {
				r.Policies.Identity = []*Policy{p}
			} else {
				r.Policies.Domain = p
			}
			if Evaluate(r).Allowed() {
				t.Fatal("one policy alone allowed it across accounts")
			}
			doc, err := Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			out, err := doc.JSON()
			if err != nil {
				t.Fatal(err)
			}
			again, err := Parse(out)
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			if _, err := Compile("p", kind, again); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
		}
	})
}

func FuzzMatch(f *testing.F) {
	f.Add("arn:*:r?po/*", "arn:aws:repo/x")
	f.Add("*a*b*c", "aabbcc")
	f.Fuzz(func(t *testing.T, raw, s string) {
		p, err := compilePattern(raw, true, false)
		if err != nil || len(raw) > 40 || len(s) > 40 {
			return
		}
		if got, want := p.match(nil, s, false), slowMatch([]rune(raw), []rune(s)); got != want && utf8.ValidString(raw) && utf8.ValidString(s) {
			t.Errorf("%q ~ %q = %v", raw, s, got)
		}
	})
}

// slowMatch says the same by dynamic programming.
func slowMatch(p, s []rune) bool {
	ok := make([]bool, len(s)+1)
	ok[0] = true
	for _, c := range p {
		next := make([]bool, len(s)+1)
		for j := range next {
			switch {
			case c == '*':
				next[j] = ok[j] || j > 0 && next[j-1]
			case j > 0:
				next[j] = ok[j-1] && (c == '?' || c == s[j-1])
			}
		}
		ok = next
	}
	return ok[len(s)]
}

package identity

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"reflect"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/ext"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/config"
	"packhouse.dev/packhouse/registry/policy"
)

// Bounds of what expressions are and give.
const (
	maxExpression = 4 << 10
	maxCost       = 100_000 // of one evaluation
	maxGroups     = 50
	maxTags       = 20
	maxValue      = 256 // of a tag, in bytes
)

func compileProvider(p *config.IdentityProvider) (*provider, error) {
	fail := func(field string, err error) (*provider, error) {
		return nil, fmt.Errorf("%w: %s: %w", registry.ErrInvalid, field, err)
	}
	out := &provider{
		name: fmt.Sprintf("%s %s/%s", p.Source.Kind, p.Source.Namespace, p.Source.Name), choice: p.Source.Namespace + "/" + p.Source.Name, account: p.Account,
		issuer: p.Issuer, audiences: p.Audiences, fetched: fetched{p.KeysURL, p.CA, p.AllowPrivateAddresses},
	}
	u, err := url.Parse(p.KeysURL)
	switch {
	case p.Issuer == "":
		return fail("issuer", errors.New("is needed"))
	case len(p.Audiences) == 0:
		return fail("audiences", errors.New("one is needed: tokens for others are not for us"))
	case !registry.IsAccount(p.Account):
		return fail("namespace", errors.New("has no account"))
	case (p.Keys == "") == (p.KeysURL == ""):
		return fail("keys", errors.New("either the keys are needed, or where they are"))
	case p.Keys != "":
		if out.keys, err = parseKeys([]byte(p.Keys)); err != nil {
			return fail("keys", err)
		}
	case err != nil || u.Scheme != "https" && !(u.Scheme == "http" && p.AllowPrivateAddresses) || u.Host == "" || u.User != nil:
		return fail("keysURL", errors.New("must be an https URL; http is for private addresses"))
	}
	m, field, err := compileMapping(p)
	if err != nil {
		return fail(field, err)
	}
	out.caller = m.caller
	return out, nil
}

// mapping turns claims into a principal of one account.
type mapping struct {
	account, source                             string
	condition, role, session, user, groups, tag cel.Program // nil: not said
}

func compileMapping(p *config.IdentityProvider) (_ *mapping, field string, err error) {
	if (p.Role == "") == (p.User == "") {
		return nil, "principal", errors.New("either a role or a user is needed")
	}
	if p.Session != "" && p.Role == "" {
		return nil, "session", errors.New("is of roles only")
	}
	env, err := cel.NewEnv(cel.Variable("claims", cel.MapType(cel.StringType, cel.DynType)), ext.Strings())
	if err != nil {
		return nil, "", err
	}
	m := &mapping{account: p.Account, source: p.Source.Voucher()}
	text := cel.StringType
	for _, e := range []struct {
		field, text string
		gives       *cel.Type
		to          *cel.Program
	}{
		{"condition", p.Condition, cel.BoolType, &m.condition},
		{"role", p.Role, text, &m.role},
		{"session", p.Session, text, &m.session},
		{"user", p.User, text, &m.user},
		{"groups", p.Groups, cel.ListType(text), &m.groups},
		{"tags", p.Tags, cel.MapType(text, text), &m.tag},
	} {
		if e.text == "" {
			continue
		}
		if *e.to, err = compileExpression(env, e.text, e.gives); err != nil {
			return nil, e.field, err
		}
	}
	return m, "", nil
}

func compileExpression(env *cel.Env, text string, gives *cel.Type) (cel.Program, error) {
	if len(text) > maxExpression {
		return nil, fmt.Errorf("is longer than %d bytes", maxExpression)
	}
	ast, issues := env.Compile(text)
	if err := issues.Err(); err != nil {
		return nil, err
	}
	if got := ast.OutputType(); !mayBe(got, gives) {
		return nil, fmt.Errorf("gives %s, not %s", got, gives)
	}
	return env.Program(ast, cel.CostLimit(maxCost), cel.InterruptCheckFrequency(100))
}

// mayBe says whether values of a type can be those of another, as far as that is known: what comes from a claim has no type before there
// is a token.
func mayBe(got, want *cel.Type) bool {
	if got.IsExactType(cel.DynType) {
		return true
	}
	parts, wanted := got.Parameters(), want.Parameters()
	if got.Kind() != want.Kind() || len(parts) != len(wanted) {
		return false
	}
	for i := range parts {
		if !mayBe(parts[i], wanted[i]) {
			return false
		}
	}
	return true
}

// caller implements provider.caller.
func (m *mapping) caller(p *Providers, claims map[string]any) (*Caller, error) {
	if m.condition != nil {
		if ok, err := evaluate[bool](m.condition, claims); err != nil || !ok {
			return nil, errors.Join(errors.New("its condition is not met"), err)
		}
	}
	out := &Caller{Source: m.source, Principal: policy.Principal{Account: m.account, UserID: text(claims, "sub")}}
	var err error
	if m.user != nil {
		name, err := name(m.user, claims)
		if err != nil {
			return nil, fmt.Errorf("user: %w", err)
		}
		out.Principal.ARN = p.names.User(m.account, name)
	} else {
		role, err := name(m.role, claims)
		if err != nil {
			return nil, fmt.Errorf("role: %w", err)
		}
		session := "oidc"
		if m.session != nil {
			if session, err = name(m.session, claims); err != nil {
				return nil, fmt.Errorf("session: %w", err)
			}
		}
		out.Principal.ARN = p.names.Session(m.account, role, session)
	}
	if m.groups != nil {
		if out.Groups, err = groups(m.groups, claims); err != nil {
			return nil, fmt.Errorf("groups: %w", err)
		}
	}
	if m.tag != nil {
		if out.Tags, err = tags(m.tag, claims); err != nil {
			return nil, fmt.Errorf("tags: %w", err)
		}
	}
	return out, nil
}

func groups(e cel.Program, claims map[string]any) ([]string, error) {
	list, err := evaluate[[]string](e, claims)
	if err != nil {
		return nil, err
	}
	if len(list) > maxGroups {
		return nil, fmt.Errorf("there are %d", len(list))
	}
	for _, g := range list {
		if !plain(g) {
			return nil, fmt.Errorf("%.100q is no name", g)
		}
	}
	return list, nil
}

func tags(e cel.Program, claims map[string]any) (map[string]string, error) {
	set, err := evaluate[map[string]string](e, claims)
	if err != nil {
		return nil, err
	}
	if len(set) > maxTags {
		return nil, fmt.Errorf("there are %d", len(set))
	}
	for k, v := range set {
		if k == "" || len(k) > maxValue || len(v) > maxValue {
			return nil, fmt.Errorf("%.100q is too long", k)
		}
	}
	return set, nil
}

// name evaluates an expression that gives the name of a principal. One with other characters could become another principal's ARN.
func name(e cel.Program, claims map[string]any) (string, error) {
	s, err := evaluate[string](e, claims)
	if err == nil && !plain(s) {
		err = fmt.Errorf("%.100q is no name: letters, digits and _+=,.@- are", s)
	}
	return s, err
}

func evaluate[T any](e cel.Program, claims map[string]any) (T, error) {
	var none T
	out, _, err := e.Eval(map[string]any{"claims": claims})
	if err != nil {
		return none, err
	}
	native, err := out.ConvertToNative(reflect.TypeFor[T]())
	if err != nil {
		return none, err
	}
	typed, ok := native.(T)
	if !ok {
		return none, fmt.Errorf("gives %T", native)
	}
	return typed, nil
}

// plainNumbers makes numbers of claims what expressions know: integers where they are, and else fractions.
func plainNumbers(claims map[string]any) map[string]any {
	for k, v := range claims {
		claims[k] = plainNumber(v)
	}
	return claims
}

func plainNumber(v any) any {
	switch x := v.(type) {
	case json.Number:
		if i, err := x.Int64(); err == nil {
			return i
		}
		f, err := x.Float64()
		if err != nil {
			return x.String()
		}
		return f
	case map[string]any:
		return plainNumbers(x)
	case []any:
		for i := range x {
			x[i] = plainNumber(x[i])
		}
	}
	return v
}

// Package identity finds out who a token of another issuer speaks for: a service account of the cluster, or whoever an identity
// provider of a namespace knows. Such tokens are never taken in place of the registry's own; they are exchanged for one.
//
// Tokens are JSON Web Tokens (RFC 7519) with the claims of OpenID Connect, signed with an asymmetric key that is named by its kid. Issuer
// and audience are compared exactly. Why a token is refused is for the log: whoever sent it learns only that it was.
package identity

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/config"
	"packhouse.dev/packhouse/registry/policy"
)

// maxToken is the length of the longest token that is looked at, in bytes.
const maxToken = 16 << 10

// leeway is how far clocks may differ.
const leeway = 30 * time.Second

// Caller is whom a token speaks for.
type Caller struct {
	Principal policy.Principal
	Groups    []string
	Tags      map[string]string
	ExpiresAt time.Time
	Source    string // what vouches, see Providers.Vouches
	Provider  string // for the log: "IdentityProvider team/github", "service accounts of the cluster"
}

// Refusal is why a token was refused. It unwraps to registry.ErrUnauthenticated, and its text, which is for whoever sent the token, is
// always the same one.
type Refusal struct{ Reason error }

// Error implements error.
func (r *Refusal) Error() string {
	return registry.ErrUnauthenticated.Error() + ": the token is not accepted"
}

// Unwrap makes errors.Is(err, registry.ErrUnauthenticated) true.
func (r *Refusal) Unwrap() error { return registry.ErrUnauthenticated }

func refuse(format string, args ...any) error { return &Refusal{fmt.Errorf(format, args...)} }

// Providers are those that a registry trusts, compiled. It is immutable.
type Providers struct {
	names     policy.Names
	accountOf func(namespace string) (string, error)
	list      []*provider
	accounts  map[config.ServiceAccount]struct{} // that there are
	keys      map[string]*AccessKey              // by id
	vouchers  map[string]struct{}
}

// Problem is a provider that cannot be used as it is. Its tokens are refused.
type Problem struct {
	Source config.Source
	Text   string
}

// Compile reads the registry's document. accountOf says which account a namespace is.
func Compile(doc *config.Registry, accountOf func(namespace string) (string, error)) (*Providers, []Problem) {
	p := &Providers{names: policy.Names{Partition: doc.Partition, Region: doc.Region}, accountOf: accountOf}
	var problems []Problem
	add := func(of *provider, source config.Source, err error) {
		if err != nil {
			problems = append(problems, Problem{source, err.Error()})
			return
		}
		p.list = append(p.list, of)
	}
	if doc.Cluster != nil {
		of, err := compileCluster(doc)
		add(of, doc.Source, err)
	}
	for i := range doc.Providers {
		of, err := compileProvider(&doc.Providers[i])
		add(of, doc.Providers[i].Source, err)
	}
	p.compileKeys(doc)
	p.compileVouchers(doc)
	return p, problems
}

// Check says what is wrong with a provider. Errors wrap registry.ErrInvalid.
func Check(p *config.IdentityProvider) error {
	_, err := compileProvider(p)
	return err
}

// compileVouchers collects what tokens may have been issued for.
func (p *Providers) compileVouchers(doc *config.Registry) {
	p.vouchers, p.accounts = map[string]struct{}{}, map[config.ServiceAccount]struct{}{}
	for i := range doc.Providers {
		p.vouchers[doc.Providers[i].Source.Voucher()] = struct{}{}
	}
	for i := range doc.AccessKeys {
		p.vouchers[doc.AccessKeys[i].Source.Voucher()] = struct{}{}
	}
	for _, a := range doc.ServiceAccounts {
		p.accounts[a] = struct{}{}
		p.vouchers[voucher(a.UID)] = struct{}{}
	}
}

// voucher is the Voucher of a service account.
func voucher(uid string) string {
	return config.Source{Kind: config.KindServiceAccount, UID: uid}.Voucher()
}

// Vouches says whether what a token was issued for is still there: an IdentityProvider, an AccessKey or a service account. Tokens that
// were issued for something else are not asked about.
func (p *Providers) Vouches(source string) bool {
	kind, _, _ := strings.Cut(source, " ")
	switch kind {
	case config.KindIdentityProvider, config.KindAccessKey, config.KindServiceAccount:
		_, ok := p.vouchers[source]
		return ok
	}
	return true
}

// provider is one issuer with what its tokens are turned into.
type provider struct {
	name      string // "IdentityProvider team/github"
	choice    string // "team/github"; "" for the cluster
	account   string // of its principals; "": of any
	issuer    string
	audiences []string
	keys      *keySet // nil: fetched
	fetched   fetched
	caller    func(p *Providers, claims map[string]any) (*Caller, error)
}

// Verifier verifies tokens. It is safe for concurrent use.
type Verifier struct {
	now    func() time.Time
	parser *jwt.Parser
	remote remoteKeys
}

// NewVerifier returns a Verifier. now nil: time.Now. fetch is asked for the documents of keys, within the bounds for addresses from
// outside; nil: none is fetched.
func NewVerifier(fetch Fetch, now func() time.Time) *Verifier {
	if now == nil {
		now = time.Now
	}
	return &Verifier{
		now: now, remote: remoteKeys{fetch: fetch, now: now, sets: map[fetched]*remoteSet{}},
		parser: jwt.NewParser(jwt.WithValidMethods(algorithms()), jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithLeeway(leeway),
			jwt.WithTimeFunc(now), jwt.WithStrictDecoding(), jwt.WithJSONNumber()),
	}
}

// Meant narrows the providers that are asked. The zero Meant is all.
type Meant struct {
	Provider string // NAMESPACE/NAME of an IdentityProvider; "": any
	Account  string // that principals have to be of; "": any
}

func (m Meant) has(p *provider) bool {
	return (m.Provider == "" || m.Provider == p.choice) && (m.Account == "" || p.account == "" || m.Account == p.account)
}

// Verify returns whom a token speaks for: what the only provider says that is meant and takes the token. Errors are a Refusal, or wrap registry.ErrUnavailable if the keys of its issuer cannot be fetched.
func (v *Verifier) Verify(ctx context.Context, trusted *Providers, token string, meant Meant) (*Caller, error) {
	if len(token) > maxToken {
		return nil, refuse("it has %d bytes", len(token))
	}
	claims := jwt.MapClaims{}
	unverified, _, err := v.parser.ParseUnverified(token, claims)
	if err != nil {
		return nil, refuse("%w", err)
	}
	issuer, err := claims.GetIssuer()
	if err != nil {
		return nil, refuse("%w", err)
	}
	audience, err := claims.GetAudience()
	if err != nil {
		return nil, refuse("%w", err)
	}
	if _, critical := unverified.Header["crit"]; critical { // RFC 7515, 4.1.11: we know no extension
		return nil, refuse("it has an extension that must be understood")
	}
	kid, _ := unverified.Header["kid"].(string)
	var found *Caller
	var unavailable error
	reasons := []error{fmt.Errorf("no provider has issuer %.200q and audience %.300q", issuer, audience)}
	for _, p := range trusted.list {
		if !meant.has(p) || p.issuer != issuer || !slices.ContainsFunc(audience, func(a string) bool { return slices.Contains(p.audiences, a) }) {
			continue
		}
		c, err := v.ask(ctx, trusted, p, token, kid)
		switch {
		case errors.Is(err, registry.ErrUnavailable): // one namespace's provider does not stand in the way of another's
			unavailable = err
		case err != nil:
			reasons = append(reasons, fmt.Errorf("%s: %w", p.name, err))
		case p.choice == "": // nobody else speaks for the cluster
			return c, nil
		case found != nil:
			return nil, refuse("both %s and %s take it; the request has to say which", found.Provider, c.Provider)
		default:
			found = c
		}
	}
	switch {
	case found != nil:
		return found, nil
	case unavailable != nil:
		return nil, unavailable
	default:
		return nil, &Refusal{errors.Join(reasons[min(1, len(reasons)-1):]...)}
	}
}

// ask verifies a token with the keys of one provider.
func (v *Verifier) ask(ctx context.Context, trusted *Providers, p *provider, token, kid string) (*Caller, error) {
	k, err := v.key(ctx, p, kid)
	if err != nil {
		return nil, err
	}
	claims := jwt.MapClaims{}
	_, err = v.parser.ParseWithClaims(token, claims, func(t *jwt.Token) (any, error) { return k.fits(t.Method.Alg()) })
	if err != nil {
		return nil, err
	}
	expires, err := claims.GetExpirationTime() // there is one: the parser wants it
	if err != nil {
		return nil, err
	}
	c, err := p.caller(trusted, plainNumbers(claims))
	if err != nil {
		return nil, err
	}
	c.ExpiresAt, c.Provider = expires.Time, p.name
	return c, nil
}

func (v *Verifier) key(ctx context.Context, p *provider, kid string) (*key, error) {
	if kid == "" {
		return nil, errors.New("it names no key")
	}
	if p.keys == nil {
		return v.remote.key(ctx, p.fetched, kid)
	}
	return p.keys.key(kid)
}

func compileCluster(doc *config.Registry) (*provider, error) {
	set, err := parseKeys([]byte(doc.Cluster.Keys))
	if err != nil {
		return nil, fmt.Errorf("%w: keys of the cluster's issuer: %w", registry.ErrInvalid, err)
	}
	p := &provider{name: "service accounts of the cluster", issuer: doc.Cluster.Issuer, keys: set, caller: serviceAccount}
	for _, e := range doc.Endpoints {
		if e.URL != "" {
			p.audiences = append(p.audiences, strings.TrimRight(e.URL, "/"))
		}
	}
	if p.issuer == "" {
		return nil, fmt.Errorf("%w: the cluster's issuer has no name", registry.ErrInvalid)
	}
	return p, nil
}

// serviceAccount is the caller of a bound token of a service account (Kubernetes, "Schema for service account private claims").
func serviceAccount(p *Providers, claims map[string]any) (*Caller, error) {
	about, _ := claims["kubernetes.io"].(map[string]any)
	account, _ := about["serviceaccount"].(map[string]any)
	pod, _ := about["pod"].(map[string]any)
	namespace, name, uid := text(about, "namespace"), text(account, "name"), text(account, "uid")
	if namespace == "" || name == "" || uid == "" || text(claims, "sub") != "system:serviceaccount:"+namespace+":"+name {
		return nil, errors.New("it is no bound token of a service account")
	}
	if !plain(name) {
		return nil, fmt.Errorf("%.100q is no name", name)
	}
	if _, ok := p.accounts[config.ServiceAccount{Namespace: namespace, Name: name, UID: uid}]; !ok {
		return nil, fmt.Errorf("there is no service account %.100q in namespace %.100q with that UID, or no policy lets it have tokens", name, namespace)
	}
	id, err := p.accountOf(namespace)
	if err != nil {
		return nil, err
	}
	session := text(pod, "name")
	if session == "" {
		session = "token"
	}
	if !plain(session) {
		return nil, fmt.Errorf("%.100q is no name of a pod", session)
	}
	return &Caller{Principal: policy.Principal{ARN: p.names.Session(id, name, session), Account: id, UserID: uid + ":" + session}, Source: voucher(uid)}, nil
}

func text(claims map[string]any, name string) string {
	s, _ := claims[name].(string)
	return s
}

// maxName is the length of the name of a principal, in bytes.
const maxName = 253

// plain says whether a name has only characters that names of principals can have (IAM, "IAM name requirements").
func plain(name string) bool {
	if name == "" || len(name) > maxName {
		return false
	}
	for i := range len(name) {
		c := name[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && strings.IndexByte("_+=,.@-", c) < 0 {
			return false
		}
	}
	return true
}

package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/access"
	"packhouse.dev/packhouse/registry/audit"
	"packhouse.dev/packhouse/registry/auth"
	"packhouse.dev/packhouse/registry/intent"
	"packhouse.dev/packhouse/registry/policy"
	"packhouse.dev/packhouse/registry/repository"
	"packhouse.dev/packhouse/registry/service/model"
	"packhouse.dev/packhouse/registry/service/sigv4"
	"packhouse.dev/packhouse/registry/throttle"
)

// Prefix is what all paths of the API begin with.
const Prefix = "/v1/"

// maxBody is the size of a request that is JSON, in bytes. The largest that the model allows has about 300 KB.
const maxBody = 1 << 20

// signingName is the service in the scope of signatures.
const signingName = "codeartifact"

// Options of an API. All but Configurator, Logger and Now are needed.
type Options struct {
	Door    *repository.Service
	Auth    *auth.Authenticator
	Issuer  *auth.Issuer
	Keys    sigv4.Keys
	PageKey []byte // signs page tokens
	// Configurator makes changes of what is declared; nil: there is nobody who does, and operations that need it are refused.
	Configurator intent.Configurator
	Audit        *audit.Log        // nil: no record is kept
	Throttle     *throttle.Limiter // counts requests, with the server; nil: one of its own
	Logger       *slog.Logger      // failures; default none
	Now          func() time.Time  // default time.Now
}

// API serves the operations. It is safe for concurrent use.
type API struct {
	door         *repository.Service
	auth         *auth.Authenticator
	issuer       *auth.Issuer
	signatures   *sigv4.Verifier
	pages        pages
	configurator intent.Configurator
	turns        turns
	audit        *audit.Log
	throttle     *throttle.Limiter
	log          *slog.Logger
	now          func() time.Time
	operations   map[string]map[string]*operation // by path and method
}

type operation struct {
	*model.Operation
	handle handler
}

// New returns an API.
func New(opt Options) (*API, error) {
	if opt.Door == nil || opt.Auth == nil || opt.Issuer == nil || opt.Keys == nil || len(opt.PageKey) == 0 {
		return nil, errors.New("service: Door, Auth, Issuer, Keys and PageKey are needed")
	}
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.DiscardHandler)
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Configurator == nil {
		opt.Configurator = nobody{}
	}
	a := &API{
		door: opt.Door, auth: opt.Auth, issuer: opt.Issuer, audit: opt.Audit, throttle: cmp.Or(opt.Throttle, new(throttle.Limiter)), log: opt.Logger, now: opt.Now, configurator: opt.Configurator,
		signatures: &sigv4.Verifier{Service: signingName, Keys: opt.Keys, Now: opt.Now},
		pages:      pages{opt.PageKey}, operations: map[string]map[string]*operation{},
	}
	all := handlers()
	for i := range model.Operations {
		op := &model.Operations[i]
		h, ok := all[op.Name]
		if !ok {
			return nil, fmt.Errorf("service: operation %s has no handler", op.Name)
		}
		if a.operations[op.Path] == nil {
			a.operations[op.Path] = map[string]*operation{}
		}
		a.operations[op.Path][op.Method] = &operation{op, h}
	}
	return a, nil
}

// Request is what the server knows of a request before the API looks at it.
type Request struct {
	Path    string         // below the base address, escaped
	Base    string         // absolute address of the registry, without a slash at the end
	Context policy.Context // time, address, transport and endpoint
	ID      string
}

// MaxBody says how large the body of a request may be, in bytes; 0: as large as an asset.
func (a *API) MaxBody(method, path string) int64 {
	if op := a.operations[path][method]; op != nil && op.Payload {
		return 0
	}
	return maxBody
}

// Serve answers a request. An error that it returns before it wrote anything is what ExceptionOf turns into an answer; after that it
// panics with http.ErrAbortHandler.
func (a *API) Serve(w http.ResponseWriter, r *http.Request, q Request) error {
	op := a.operations[q.Path][r.Method]
	if op == nil {
		return &Exception{Type: "UnknownOperationException", Status: http.StatusNotFound, Message: "There is no operation at this address."}
	}
	c := &call{api: a, op: op, request: q, agent: r.UserAgent()}
	status, err := c.serve(w, r)
	c.audit(status, err)
	return err
}

// call is one request under way.
type call struct {
	api     *API
	op      *operation
	request Request
	agent   string

	caller   access.Caller
	identity *auth.Identity // of a token; nil: the request is signed
	key      *sigv4.Key     // of a signature
	input    any            // the request as the model has it, once it is read
	decider  decider        // what it was decided on, once it is
	account  string         // that owns the domain, once it is known
	resource string         // ARN that the request is about, once it is known

	until   time.Time          // when waiting for changes of what is declared ends, once it began
	changed registry.DomainRef // that others have changed meanwhile
}

func (c *call) serve(w http.ResponseWriter, r *http.Request) (status int, err error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return 0, validation(reasonParse, "The query of the request is not escaped correctly.")
	}
	in := model.Input{Query: query, Header: r.Header}
	digest := ""
	if c.op.Payload {
		in.Payload = r.Body
	} else {
		if in.Body, err = io.ReadAll(r.Body); err != nil {
			return 0, err
		}
		digest = sigv4.Hash(in.Body)
	}
	if err := c.authenticate(r, query, digest); err != nil {
		return 0, err
	}
	if err := c.count(); err != nil {
		return 0, err
	}
	request := c.op.New()
	if err := model.Bind(request, in); err != nil {
		return 0, err
	}
	c.input = request
	out, err := c.handle(r.Context(), request)
	if err != nil {
		return 0, err
	}
	return http.StatusOK, write(w, out)
}

// authenticate finds out who is calling. That a token is for the domain of the request, and not revoked, is asked when that is known.
func (c *call) authenticate(r *http.Request, query url.Values, digest string) error {
	c.caller.Context = c.request.Context
	if sigv4.Signed(r, query) {
		key, err := c.api.signatures.Verify(r, query, digest)
		if err != nil {
			return err
		}
		c.key = key
		c.caller.Principal, c.caller.Groups = key.Principal, key.Groups
		c.caller.Context.PrincipalTags, c.caller.Context.TokenIssued = key.Tags, key.IssuedAt
		return nil
	}
	token, err := auth.Credentials(r.Header)
	if err != nil {
		if r.Header.Get("Authorization") == "" {
			missing := &Exception{Type: "MissingAuthenticationTokenException", Status: http.StatusForbidden, Message: "Missing Authentication Token"}
			return cmp.Or[error](c.api.throttle.Address(c.request.Context.Time, c.api.door.Limits().Rates, c.request.Context.SourceIP, 1), missing)
		}
		return err
	}
	id, err := c.api.auth.Verify(token)
	if err != nil {
		return err
	}
	c.identity = id
	c.caller.Principal, c.caller.Groups = id.Principal, id.Groups
	c.caller.Context.PrincipalTags, c.caller.Context.TokenIssued = id.Tags, id.IssuedAt
	return nil
}

// count counts the request against the quotas of its token, of its account and of the operation.
func (c *call) count() error {
	rates, limiter, now := c.api.door.Limits().Rates, c.api.throttle, c.request.Context.Time
	account := c.caller.Principal.Account
	if c.identity != nil {
		if err := limiter.Token(now, rates, c.identity.TokenID, 1); err != nil {
			return err
		}
	}
	if err := limiter.Operation(now, rates, account, c.op.Name); err != nil {
		return err
	}
	return limiter.Account(now, rates, account, !readOnly(c.op.Name), 1)
}

// domain enters a domain; without an owner it is the caller's own (readings 2.12). Whoever asks for one that does not exist is told so
// in his own account, and in others what he would be told of one that he may not see.
func (c *call) domain(ctx context.Context, owner, name, action string) (*repository.Domain, error) {
	if owner == "" {
		owner = c.caller.Principal.Account
	}
	ref := registry.DomainRef{Owner: owner, Name: name}
	c.account = owner
	d, err := c.api.door.Enter(ctx, ref)
	if err == nil {
		c.decider = d
	}
	switch {
	case err == nil && c.identity != nil:
		err = c.api.auth.Admit(ctx, c.identity, d.UID())
	case errors.Is(err, registry.ErrNotFound) && c.identity != nil:
		err = auth.Foreign()
	case errors.Is(err, registry.ErrNotFound):
		err = c.noDomain(ctx, ref, action)
	}
	if err != nil {
		return nil, err
	}
	c.resource = d.Names().Domain(owner, name)
	return d, nil
}

func (c *call) noDomain(ctx context.Context, ref registry.DomainRef, action string) error {
	if ref.Owner == c.caller.Principal.Account {
		return &repository.MissingError{What: repository.MissingDomain, Name: ref.Name, Text: "Domain not found: there is no domain " + ref.Name + " in account " + ref.Owner}
	}
	catalog, err := c.catalog(ctx)
	if err != nil {
		return err
	}
	return &repository.DeniedError{Principal: c.caller.Principal.ARN, Action: "codeartifact:" + action, Resource: catalog.Names().Domain(ref.Owner, ref.Name)}
}

// catalog is everything that is declared.
func (c *call) catalog(ctx context.Context) (*repository.Catalog, error) {
	catalog, err := c.api.door.Catalog(ctx)
	if err == nil {
		c.decider = catalog
	}
	return catalog, err
}

// holding enters a repository of a domain, which need not exist: the door says so once it has asked for permission.
func (c *call) holding(ctx context.Context, owner, domain, name string) (*repository.Domain, *repository.Holding, error) {
	d, err := c.domain(ctx, owner, domain, c.op.Name)
	if err != nil {
		return nil, nil, err
	}
	c.resource = d.Names().Repository(d.Ref().Owner, domain, name)
	return d, d.Holding(name, &c.caller), nil
}

// onDomain enters a domain and asks for the operation's own action on it.
func (c *call) onDomain(ctx context.Context, owner, name string) (*repository.Domain, error) {
	d, err := c.domain(ctx, owner, name, c.op.Name)
	if err != nil {
		return nil, err
	}
	return d, d.Authorize(d.Access().Domain(&c.caller, c.action(), ""))
}

// onRepository enters a domain, asks for the operation's own action on a repository of it, and finds that.
func (c *call) onRepository(ctx context.Context, owner, domain, name string) (*repository.Domain, repository.DeclaredRepository, error) {
	d, _, err := c.holding(ctx, owner, domain, name)
	if err != nil {
		return nil, repository.DeclaredRepository{}, err
	}
	if err := d.Authorize(d.Access().Repository(&c.caller, c.action(), name)); err != nil {
		return nil, repository.DeclaredRepository{}, err
	}
	r, err := d.Repository(name)
	return d, r, err
}

func (c *call) action() string { return "codeartifact:" + c.op.Name }

// write sends a response.
func write(w http.ResponseWriter, response any) error {
	body, payload, err := model.Encode(response, w.Header())
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if payload == nil {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		_, _ = w.Write(body) // the client is gone; there is nobody to tell
		return nil
	}
	defer payload.Close()
	w.Header().Set("Content-Type", "application/octet-stream")
	if sized, ok := payload.(interface{ Length() int64 }); ok && sized.Length() >= 0 {
		w.Header().Set("Content-Length", strconv.FormatInt(sized.Length(), 10))
	}
	w.WriteHeader(http.StatusOK)
	if _, err := io.Copy(w, payload); err != nil {
		panic(http.ErrAbortHandler) // a client must never take a part for the whole
	}
	return nil
}

// Package handler is the server side of the admin API. Whoever reaches it may do everything, so what it is mounted on decides who
// does: a unix socket that only its owner can open, or a port with mutual TLS. It never stands on the port of package endpoints.
package handler

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/admin"
	"packhouse.dev/packhouse/registry/auth"
	"packhouse.dev/packhouse/registry/config"
	"packhouse.dev/packhouse/registry/intent"
	"packhouse.dev/packhouse/registry/intent/queue"
	"packhouse.dev/packhouse/registry/metadata"
	"packhouse.dev/packhouse/registry/policy"
	"packhouse.dev/packhouse/registry/repository"
)

// How large requests may be, in bytes.
const (
	maxConfiguration = 64 << 20
	maxSecrets       = 16 << 20
	maxRequest       = 64 << 10
)

// Catalog is what the handler needs of package metadata.
type Catalog interface {
	Domains(ctx context.Context) ([]metadata.Domain, error)
	Repositories(ctx context.Context, d metadata.DomainID) ([]metadata.Repository, error)
	Document(ctx context.Context, d metadata.DomainID) (*metadata.Document, error)
	Remove(ctx context.Context, r metadata.Removal) error
	Revoke(ctx context.Context, r metadata.Revocation) error
}

// Secrets is where credentials are kept.
type Secrets interface {
	// Replace makes the secrets these, by name, and forgets all others.
	Replace(ctx context.Context, secrets map[string][]byte) error
}

// Service is what the handler needs of repository.Service.
type Service interface {
	Apply(ctx context.Context, docs repository.Documents) (*repository.Applied, error)
	Ready(ctx context.Context) error
	Endpoints() []config.Endpoint
	Principal(text, account string) (policy.Principal, error)
	Enter(ctx context.Context, ref registry.DomainRef) (*repository.Domain, error)
}

// Intents is where changes wait that clients of the service API want.
type Intents interface {
	Take(ctx context.Context, holding []string, wait time.Duration) ([]queue.Waiting, error)
	Answer(ctx context.Context, id string, r intent.Result) error
}

// Options of the handler. Catalog, Service, Secrets and Issuer are needed.
type Options struct {
	Catalog Catalog
	Service Service
	Secrets Secrets
	Issuer  *auth.Issuer
	Intents Intents                                                                     // nil: they do not wait for anybody here
	Collect func(ctx context.Context, q admin.CollectRequest) (*admin.Collected, error) // nil: there is no collection
	Version string
	Logger  *slog.Logger // audit records; default none
	Now     func() time.Time
}

type handler struct {
	Options
	started  time.Time
	instance string
}

// New returns the handler.
func New(opt Options) http.Handler {
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.DiscardHandler)
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	h := &handler{Options: opt, started: opt.Now(), instance: rand.Text()}
	mux := http.NewServeMux()
	mux.Handle("POST "+admin.PathTokens, answering(h, maxRequest, h.token))
	mux.Handle("PUT "+admin.PathConfiguration, answering(h, maxConfiguration, h.apply))
	mux.Handle("GET "+admin.PathConfiguration, answering(h, 0, h.configuration))
	mux.Handle("PUT "+admin.PathSecrets, answering(h, maxSecrets, h.secrets))
	mux.Handle("POST "+admin.PathRemovals, answering(h, maxRequest, h.remove))
	mux.Handle("GET "+admin.PathStatus, answering(h, 0, h.status))
	mux.Handle("GET "+admin.PathGroups, answering(h, 0, h.groups))
	mux.Handle("POST "+admin.PathCollect, answering(h, maxRequest, h.collect))
	mux.Handle("POST "+admin.PathRevocations, answering(h, maxRequest, h.revoke))
	mux.Handle("POST "+admin.PathTaken, answering(h, maxRequest, h.take))
	mux.Handle("POST "+admin.PathAnswers, answering(h, maxRequest, h.answer))
	mux.Handle("POST "+admin.PathWhyPermission, answering(h, maxRequest, h.whyPermission))
	mux.Handle("POST "+admin.PathWhyPackage, answering(h, maxRequest, h.whyPackage))
	return mux
}

// answering adapts a function from question to answer. A limit of 0: there is no question.
func answering[Q, A any](h *handler, limit int64, fn func(context.Context, *Q) (*A, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := new(Q)
		err := decode(w, r, limit, q)
		var a *A
		if err == nil {
			a, err = fn(r.Context(), q)
		}
		if err != nil {
			status, text := told(err)
			level := slog.LevelDebug // the caller is told
			if status >= http.StatusInternalServerError {
				level = slog.LevelWarn
			}
			h.Logger.Log(r.Context(), level, "admin request failed", "path", r.URL.Path, "status", status, "error", err)
			write(w, status, map[string]string{"error": text})
			return
		}
		write(w, http.StatusOK, a)
	})
}

func decode(w http.ResponseWriter, r *http.Request, limit int64, q any) error {
	if limit == 0 {
		return nil
	}
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, limit))
	dec.DisallowUnknownFields()
	if err := dec.Decode(q); err != nil {
		if _, secret := q.(*admin.Secrets); secret {
			return fmt.Errorf("%w: the request is not understood", registry.ErrInvalid) // the error quotes what it read
		}
		return fmt.Errorf("%w: the request is not understood: %w", registry.ErrInvalid, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: there is something behind the request", registry.ErrInvalid)
	}
	return nil
}

// statuses of errors. Unlike on package endpoints their text is always told: who administers the registry may know.
//
//nolint:gochecknoglobals // a constant table
var statuses = []struct {
	sentinel error
	status   int
}{
	{registry.ErrUnavailable, http.StatusServiceUnavailable},
	{registry.ErrStale, http.StatusPreconditionFailed},
	{registry.ErrConflict, http.StatusConflict},
	{registry.ErrInvalid, http.StatusBadRequest},
	{registry.ErrAccessDenied, http.StatusForbidden},
	{registry.ErrNotFound, http.StatusNotFound},
}

// told is the status and the text of an error, without the sentinel's own word in front, which the status says.
func told(err error) (int, string) {
	for _, s := range statuses {
		if errors.Is(err, s.sentinel) {
			return s.status, strings.TrimPrefix(err.Error(), s.sentinel.Error()+": ")
		}
	}
	return http.StatusInternalServerError, err.Error()
}

func write(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil { // our own types: it cannot
		status, b = http.StatusInternalServerError, []byte(`{"error":"the answer cannot be written"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n')) // the caller is gone; there is nobody to tell
}

func (h *handler) token(ctx context.Context, q *admin.TokenRequest) (*admin.Token, error) {
	d, err := h.domain(ctx, q.Domain, q.Owner)
	if err != nil {
		return nil, err
	}
	owner := d.Ref.Owner
	who, err := h.Service.Principal(cmp.Or(q.As, "root"), owner)
	if err != nil {
		return nil, err
	}
	tok, err := h.Issuer.Issue(auth.Grant{Principal: who, Groups: q.Groups, Domain: d.UID, Source: q.Source, Lifetime: time.Duration(q.Duration)})
	if err != nil {
		return nil, err
	}
	h.Logger.InfoContext(ctx, "token issued", "domain", d.Ref.String(), "principal", who.ARN, "token", tok.ID, "expires", tok.ExpiresAt)
	return &admin.Token{Token: tok.Value, ID: tok.ID, ExpiresAt: tok.ExpiresAt, Domain: d.Ref.Name, Owner: owner, Principal: who.ARN}, nil
}

// domain finds an active domain. What is left out must be clear without it.
func (h *handler) domain(ctx context.Context, name, owner string) (*metadata.Domain, error) {
	rows, err := h.Catalog.Domains(ctx)
	if err != nil {
		return nil, err
	}
	var found []*metadata.Domain
	var names []string
	for i := range rows {
		d := &rows[i]
		if d.State != metadata.Active {
			continue
		}
		names = append(names, d.Ref.String())
		if (name == "" || d.Ref.Name == name) && (owner == "" || d.Ref.Owner == owner) {
			found = append(found, d)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(names) == 0:
		return nil, fmt.Errorf("%w: no domain is declared", registry.ErrNotFound)
	case len(found) == 0:
		return nil, fmt.Errorf("%w: no domain of that name; there are %s", registry.ErrNotFound, strings.Join(names, ", "))
	default:
		return nil, fmt.Errorf("%w: which domain? There are %s", registry.ErrInvalid, strings.Join(names, ", "))
	}
}

func (h *handler) collect(ctx context.Context, q *admin.CollectRequest) (*admin.Collected, error) {
	if h.Collect == nil {
		return nil, fmt.Errorf("%w: this registry does not collect", registry.ErrNotFound)
	}
	return h.Collect(ctx, *q)
}

func (h *handler) revoke(ctx context.Context, q *admin.Revocation) (*struct{}, error) {
	kind, err := auth.ParseKind(q.Kind)
	if err != nil {
		return nil, err
	}
	if q.Value == "" && kind != auth.RevokeDomain {
		return nil, fmt.Errorf("%w: a revocation of a %s needs its name", registry.ErrInvalid, kind)
	}
	d, err := h.domain(ctx, q.Domain, q.Owner)
	if err != nil {
		return nil, err
	}
	now := h.Now()
	err = h.Catalog.Revoke(ctx, metadata.Revocation{
		Domain: d.ID, Kind: string(kind), Value: q.Value, IssuedBefore: now, ExpiresAt: now.Add(auth.MaxLifetime + time.Hour),
	})
	if err != nil {
		return nil, err
	}
	h.Logger.InfoContext(ctx, "tokens revoked", "domain", d.Ref.String(), "kind", string(kind), "value", q.Value)
	return &struct{}{}, nil
}

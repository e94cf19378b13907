// Package plane wires a data plane: drivers, the one door, the server, the admin socket and background work. The commands that run
// one differ only in where its configuration comes from.
//
// A data directory holds
//
//	packhouse.db     metadata, unless there is a PostgreSQL database
//	blobs/           bytes
//	spool/           files under way; emptied at the start
//	sealing.key      the key that others are derived from (mode 0600), unless Options.SealingKeyFile has it
//	admin.sock       the admin API, for the owner of the directory
package plane

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"golang.org/x/sync/errgroup"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/admin"
	"packhouse.dev/packhouse/registry/admin/handler"
	"packhouse.dev/packhouse/registry/audit"
	"packhouse.dev/packhouse/registry/auth"
	"packhouse.dev/packhouse/registry/blob/fs"
	"packhouse.dev/packhouse/registry/config"
	"packhouse.dev/packhouse/registry/content"
	"packhouse.dev/packhouse/registry/external"
	"packhouse.dev/packhouse/registry/format"
	"packhouse.dev/packhouse/registry/format/all"
	"packhouse.dev/packhouse/registry/gc"
	"packhouse.dev/packhouse/registry/identity"
	"packhouse.dev/packhouse/registry/intent"
	"packhouse.dev/packhouse/registry/intent/queue"
	"packhouse.dev/packhouse/registry/metadata"
	"packhouse.dev/packhouse/registry/metadata/sql"
	"packhouse.dev/packhouse/registry/repository"
	"packhouse.dev/packhouse/registry/secret"
	"packhouse.dev/packhouse/registry/server"
	"packhouse.dev/packhouse/registry/service"
	"packhouse.dev/packhouse/registry/service/sigv4"
	"packhouse.dev/packhouse/registry/service/sts"
	"packhouse.dev/packhouse/registry/throttle"
)

// Options of a Plane. DataDir is needed.
type Options struct {
	DataDir   string
	Database  string // PostgreSQL connection string; "": SQLite in DataDir
	Version   string
	Logger    *slog.Logger
	AccessLog bool
	// SealingKeyFile has the sealing key in base64, and is somebody else's to make; "": sealing.key in DataDir, made at the first start.
	SealingKeyFile string
	// AdminListen is where the admin API is beside the socket, for clients with a certificate of AdminTLSDir (tls.go); "": nowhere.
	AdminListen, AdminTLSDir string
	// Audit is the record of who did what; nil: none is kept.
	Audit *audit.Log
	// Configurator makes the changes of what is declared that come through the service API; nil: they wait for whoever takes them over
	// the admin API.
	Configurator intent.Configurator
	// AccessKeys are known beside those that were declared; may be nil.
	AccessKeys sigv4.Keys
	// DrainDelay is how long requests are still taken after readiness has said no: balancers need a while to notice.
	DrainDelay time.Duration
}

// Plane is a data plane that is open. It serves while Run runs.
type Plane struct {
	Service *repository.Service
	Issuer  *auth.Issuer
	Sealing []byte // what keys are derived from, with auth.Derive

	opt     Options
	log     *slog.Logger
	store   metadata.Store
	gc      *gc.Collector
	wishes  *queue.Queue // nil: there is another Configurator
	server  *server.Server
	admin   http.Handler
	secrets *secret.Vault
	outside *external.Client
	metrics *prometheus.Registry
	closers []io.Closer // in the order of opening

	adminTLS  *mutualTLS // nil: there is no admin port
	adminPort net.Listener
}

// Open opens everything and dials nothing. When it returns, the configuration that was last applied is in force.
func Open(ctx context.Context, opt Options) (_ *Plane, err error) {
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.DiscardHandler)
	}
	if err := os.MkdirAll(opt.DataDir, 0o700); err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	p := &Plane{opt: opt, log: opt.Logger, metrics: prometheus.NewRegistry()}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.Close())
		}
	}()
	if p.store, err = openStore(ctx, opt); err != nil {
		return nil, err
	}
	p.closing(p.store)
	key := keyFile{path: opt.SealingKeyFile, given: true}
	if opt.SealingKeyFile == "" {
		key = keyFile{path: filepath.Join(opt.DataDir, "sealing.key")}
	}
	if p.Sealing, err = key.read(ctx, p.store); err != nil {
		return nil, err
	}
	if p.secrets, err = secret.New(p.Sealing, p.store); err != nil {
		return nil, err
	}
	if err := p.openService(ctx); err != nil {
		return nil, err
	}
	if err := p.openServer(); err != nil {
		return nil, err
	}
	return p, p.openAdminPort()
}

func (p *Plane) openAdminPort() (err error) {
	if p.opt.AdminListen == "" {
		return nil
	}
	if p.adminTLS, err = openMutualTLS(p.opt.AdminTLSDir, p.log); err != nil {
		return err
	}
	l, err := net.Listen("tcp", p.opt.AdminListen)
	if err != nil {
		return fmt.Errorf("admin port: %w", err)
	}
	p.adminPort = tls.NewListener(l, p.adminTLS.config())
	p.closing(closer(func() { _ = p.adminPort.Close() })) // its server has closed it, if it ran
	return nil
}

// AdminAddr is the address of the admin port, nil if there is none.
func (p *Plane) AdminAddr() net.Addr {
	if p.adminPort == nil {
		return nil
	}
	return p.adminPort.Addr()
}

func openStore(ctx context.Context, opt Options) (metadata.Store, error) {
	o := sql.Options{Logger: opt.Logger}
	if opt.Database != "" {
		return sql.OpenPostgres(ctx, opt.Database, o)
	}
	return sql.OpenSQLite(ctx, filepath.Join(opt.DataDir, "packhouse.db"), o)
}

func (p *Plane) openService(ctx context.Context) error {
	spool, err := freshSpool(filepath.Join(p.opt.DataDir, "spool"))
	if err != nil {
		return err
	}
	blobs, err := fs.New(filepath.Join(p.opt.DataDir, "blobs"))
	if err != nil {
		return fmt.Errorf("blobs: %w", err)
	}
	p.gc = gc.New(gc.Options{Store: p.store, Blobs: blobs, Logger: p.log})
	keep := content.New(p.store, blobs, p.log)
	client, err := external.New(external.Options{
		Store: p.store, Keeper: repository.Bodies(keep), SpoolDir: spool, Logger: p.log, UserAgent: "packhouse/" + p.opt.Version,
		Secret: p.secrets.Open,
	})
	if err != nil {
		return err
	}
	p.closing(client)
	p.outside = client
	p.Service, err = repository.New(ctx, repository.Options{
		Store: p.store, Keeper: keep, External: client, Formats: all.Formats(), SpoolDir: spool, Logger: p.log,
	})
	if err != nil {
		return err
	}
	p.closing(closer(p.Service.Close))
	return nil
}

// freshSpool empties the folder for files under way: the store of the data directory is locked, so nobody else uses it.
func freshSpool(dir string) (string, error) {
	if err := os.RemoveAll(dir); err != nil {
		return "", fmt.Errorf("spool: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("spool: %w", err)
	}
	return dir, nil
}

func (p *Plane) openServer() error {
	keys, err := auth.NewKeys(p.Sealing)
	if err != nil {
		return err
	}
	p.Issuer = auth.NewIssuer(keys, nil)
	authenticator := auth.New(auth.Options{Keys: keys, Revocations: revocations{p.store}, Vouches: p.Service.Vouches})
	p.store.Follow(func(_ metadata.DomainID, changes []metadata.Change) {
		if revokes(changes) {
			authenticator.RevocationsChanged()
		}
	})
	pageKey, err := auth.Derive(p.Sealing, "service api page tokens 1", 32)
	if err != nil {
		return err
	}
	sessions, err := sts.NewSessions(p.Sealing, nil)
	if err != nil {
		return err
	}
	signed := accessKeys{declared: declaredKeys{p.Service, p.secrets}, also: p.opt.AccessKeys, sessions: sessions, service: p.Service}
	foreign := identity.NewVerifier(p.fetchKeys, nil)
	tokens, err := sts.New(sts.Options{Door: p.Service, Foreign: foreign, Keys: signed, Sessions: sessions, Logger: p.log})
	if err != nil {
		return err
	}
	limiter := new(throttle.Limiter)
	api, err := service.New(service.Options{
		Door: p.Service, Auth: authenticator, Issuer: p.Issuer, Keys: signed, PageKey: pageKey,
		Configurator: p.configurator(), Audit: p.opt.Audit, Throttle: limiter, Logger: p.log,
	})
	if err != nil {
		return err
	}
	p.server, err = server.New(server.Options{
		Service: server.Door(p.Service), Auth: authenticator, Formats: all.Formats(), API: api, Issuer: p.Issuer, Foreign: foreign, STS: tokens,
		Audit: p.opt.Audit, Throttle: limiter, Logger: p.log, AccessLog: p.opt.AccessLog, Metrics: p.metrics,
	})
	if err != nil {
		return err
	}
	for _, c := range []prometheus.Collector{collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})} {
		if err := p.metrics.Register(c); err != nil {
			return err
		}
	}
	admin := handler.Options{
		Catalog: p.store, Service: p.Service, Secrets: p.secrets, Issuer: p.Issuer, Version: p.opt.Version, Logger: p.log, Collect: p.collect,
	}
	if p.wishes != nil {
		admin.Intents = p.wishes
	}
	p.admin = handler.New(admin)
	return nil
}

// configurator is whoever makes the changes that come through the service API.
func (p *Plane) configurator() intent.Configurator {
	if p.opt.Configurator != nil {
		return p.opt.Configurator
	}
	p.wishes = queue.New(queue.Options{Store: p.store, Served: p.Service.Ready, Logger: p.log})
	return p.wishes
}

// fetchKeys reads the keys of an issuer with the client of external connections, which bounds where an address may lead.
func (p *Plane) fetchKeys(ctx context.Context, url, ca string, allowPrivate bool) ([]byte, error) {
	conn := &config.Connection{Name: "identity provider", URL: url, CA: ca, AllowPrivateAddresses: allowPrivate}
	doc, err := p.outside.Forward(ctx, conn, format.PassThrough{Method: http.MethodGet, Path: url})
	if err != nil {
		return nil, err
	}
	return doc.Body, nil
}

// collect is a collection that somebody asked for.
func (p *Plane) collect(ctx context.Context, q admin.CollectRequest) (*admin.Collected, error) {
	grace := time.Duration(q.Grace)
	if grace < 0 {
		grace = p.gc.Grace()
	}
	r, err := p.gc.Once(ctx, grace)
	if errors.Is(err, metadata.ErrHeld) {
		return nil, fmt.Errorf("%w: a collection is under way", registry.ErrConflict)
	}
	if err != nil {
		return nil, err
	}
	return &admin.Collected{Cleared: r.Cleared, Condemned: r.Condemned, Swept: r.Swept, Orphans: r.Orphans, Deleted: r.Deleted}, nil
}

// Listen opens the port for packages and, unless its address is empty, the one for health and metrics, which is nil then.
func Listen(packages, operations string) (p, o net.Listener, err error) {
	if p, err = net.Listen("tcp", packages); err != nil || operations == "" {
		return p, nil, err
	}
	if o, err = net.Listen("tcp", operations); err != nil {
		return nil, nil, errors.Join(err, p.Close())
	}
	return p, o, nil
}

// Run serves packages on the first listener, health and metrics on the second, which may be nil, and the admin API on the socket of
// the data directory and on the admin port, until ctx ends. Then readiness says no, Options.DrainDelay passes, requests under way
// finish, and at last the other ports close, so that whoever asks for health hears the truth to the end. started is called when
// everything listens.
func (p *Plane) Run(ctx context.Context, packages, operations net.Listener, started func() error) error {
	socket, err := admin.Listen(p.opt.DataDir)
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	serving, stopServing := context.WithCancel(context.WithoutCancel(ctx))
	others, stopOthers := context.WithCancel(context.WithoutCancel(ctx))
	g.Go(func() error {
		defer stopServing()
		<-ctx.Done()
		p.server.Drain()
		p.log.Info("stopping: not ready any more", "delay", p.opt.DrainDelay.String())
		time.Sleep(p.opt.DrainDelay)
		return nil
	})
	g.Go(func() error {
		defer stopOthers()
		return server.Run(serving, server.HTTP(p.server, p.log), server.DrainTime, packages)
	})
	g.Go(func() error { return server.Run(others, adminServer(p.admin, p.log), time.Second, socket) })
	if p.adminTLS != nil {
		g.Go(func() error { return server.Run(others, p.adminTLS.server(p.admin), time.Second, p.adminPort) })
	}
	g.Go(func() error {
		p.gc.Run(ctx)
		return nil
	})
	if operations != nil {
		g.Go(func() error {
			return server.Run(others, server.HTTP(p.server.Operations(p.metrics), p.log), time.Second, operations)
		})
	}
	if started != nil {
		g.Go(started)
	}
	return g.Wait()
}

// Close closes everything in the reverse order of opening.
func (p *Plane) Close() error {
	var errs []error
	for i := len(p.closers) - 1; i >= 0; i-- {
		errs = append(errs, p.closers[i].Close())
	}
	p.closers = nil
	return errors.Join(errs...)
}

func (p *Plane) closing(c io.Closer) { p.closers = append(p.closers, c) }

type closer func()

// Close implements io.Closer.
func (c closer) Close() error { c(); return nil }

// Remove deletes the content of a domain or of a repository for good. It must not be declared any more.
func (p *Plane) Remove(ctx context.Context, r metadata.Removal) error { return p.store.Remove(ctx, r) }

// DomainUID returns the identity of a domain that tokens name. registry.ErrNotFound if it is not served.
func (p *Plane) DomainUID(ctx context.Context, ref registry.DomainRef) (string, error) {
	d, err := p.Service.Enter(ctx, ref)
	if err != nil {
		return "", err
	}
	return d.UID(), nil
}

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"packhouse.dev/packhouse/cmd/internal/plane"
	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/audit"
	"packhouse.dev/packhouse/registry/auth"
	"packhouse.dev/packhouse/registry/config"
	"packhouse.dev/packhouse/registry/policy"
	"packhouse.dev/packhouse/registry/repository"
)

// renewEvery is how often the token in dev.json is replaced; it lives twice as long.
const renewEvery = auth.MaxLifetime / 2

// devFlags are the flags of "packhouse dev".
type devFlags struct {
	files     []string
	dataDir   string
	listen    string
	metrics   string
	upstreams []string // NAME=URL
	auditLog  string
	accessLog bool
	verbose   bool
	certFile  string
	keyFile   string

	auditReads uint32
}

func devCommand() *cobra.Command {
	var f devFlags
	c := &cobra.Command{
		Use: "dev -f PATH…", Short: "Run the registry here, from YAML files",
		Long: `Run the registry on this machine, with the manifests that a cluster takes: validated and defaulted by the same schemas,
and read again when they change. A manifest that is wrong is named with file, line and field, and what was in force
before stays in force.

Manifests without a namespace belong to account 111122223333. The data directory keeps everything that was published
and fetched; dev.json in it has what scripts need: endpoint, domain and an administrator's token.`,
		Example: `  packhouse dev -f config/samples
  packhouse dev -f registry.yaml -f repositories/ --listen 127.0.0.1:4873 --data-dir ~/packages
  packhouse dev -f config/samples --external-connection-url public:npmjs=https://npm.example.com/`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return f.run(c.Context(), c.OutOrStdout(), c.ErrOrStderr()) },
	}
	fl := c.Flags()
	fl.StringArrayVarP(&f.files, "filename", "f", nil, "a file with manifests, or a folder of them (`PATH`); may be repeated")
	fl.StringVar(&f.dataDir, "data-dir", dataDir(), "where content is kept; also PACKHOUSE_DATA_DIR")
	fl.StringVar(&f.listen, "listen", "127.0.0.1:8080", "`ADDRESS` to serve on; port 0 picks a free one")
	fl.StringVar(&f.certFile, "tls-cert-file", "", "serve https with the certificate in `FILE`, in PEM, with those that issued it; needs --tls-key-file")
	fl.StringVar(&f.keyFile, "tls-key-file", "", "the private key of --tls-cert-file (`FILE`)")
	fl.StringVar(&f.metrics, "metrics-listen", "", "`ADDRESS` for /metrics, /-/healthz and /-/readyz (default: none)")
	fl.StringArrayVar(&f.upstreams, "external-connection-url", nil, "another address for an external connection, for example a mirror (`NAME=URL`); may be repeated")
	fl.StringVar(&f.auditLog, "audit-log", "", "`FILE` for the record of who did what, a line of JSON each; - is standard output (default: none)")
	fl.Uint32Var(&f.auditReads, "audit-reads", audit.Sampled, "record one of so many `READS` of packages; 1: all, 0: none")
	fl.BoolVar(&f.accessLog, "access-log", false, "log every request, also reads")
	fl.BoolVarP(&f.verbose, "verbose", "v", false, "log more")
	return c
}

// dev is a running "packhouse dev".
type dev struct {
	devFlags
	out, err io.Writer
	log      *slog.Logger
	plane    *plane.Plane
	compiler *compiler
	endpoint string
	file     devFile
	key      devKeys

	mu       sync.Mutex // of what follows: changes of files and the renewal of the token come from different sides
	inForce  *manifests
	reported string // what was said to be wrong, "" if nothing is
}

func (f *devFlags) run(ctx context.Context, stdout, stderr io.Writer) (err error) {
	if len(f.files) == 0 {
		return errors.New("say where the manifests are: -f PATH")
	}
	level := slog.LevelInfo
	if f.verbose {
		level = slog.LevelDebug
	}
	d := &dev{devFlags: *f, out: stdout, err: stderr, log: slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level}))}
	if d.dataDir, err = filepath.Abs(f.dataDir); err != nil {
		return err
	}
	packages, operations, err := plane.Listen(d.listen, d.metrics)
	if err != nil {
		return err
	}
	defer packages.Close()
	if operations != nil {
		defer operations.Close()
	}
	packages, scheme, err := f.secure(packages)
	if err != nil {
		return err
	}
	endpoints := endpointsOf(packages.Addr(), scheme)
	d.endpoint = endpoints[0].URL
	if d.compiler, err = newCompiler(d.files, d.upstreams, endpoints); err != nil {
		return err
	}
	d.compiler.kept = filepath.Join(d.dataDir, keptDir)
	first, err := d.compiler.read(ctx, nil)
	if err != nil { // before anything is written
		fmt.Fprintln(d.err, err)
		return errSaid
	}
	opt := plane.Options{DataDir: d.dataDir, Version: version, Logger: d.log, AccessLog: d.accessLog, AccessKeys: &d.key, Configurator: d}
	record, err := plane.OpenAudit(d.auditLog)
	if err != nil {
		return fmt.Errorf("--audit-log: %w", err)
	}
	if record != nil {
		defer func() { err = errors.Join(err, record.Close()) }()
		opt.Audit = audit.New(record, d.auditReads, d.log)
	}
	d.plane, err = plane.Open(ctx, opt)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.plane.Close()) }()
	if err := d.file.keys(d.plane.Sealing); err != nil {
		return err
	}
	d.compiler.keyring.sealing = d.plane.Sealing
	if first, err = d.compiler.read(ctx, first); err != nil { // with access keys
		return err
	}
	if err := d.apply(ctx, first); err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return d.plane.Run(ctx, packages, operations, func() error { return d.started(ctx) }) })
	g.Go(func() error { return watch(ctx, d.files, func() { d.reload(ctx) }, d.complain) })
	g.Go(func() error { return d.renew(ctx) })
	return g.Wait()
}

// reload reads the manifests again. What is wrong is said once, and what was in force stays in force.
func (d *dev) reload(ctx context.Context) {
	d.mu.Lock()
	defer d.mu.Unlock()
	m, err := d.compiler.read(ctx, d.inForce)
	if err != nil {
		if text := err.Error(); text != d.reported {
			d.reported = text
			fmt.Fprintf(d.err, "%s\nNothing was changed: the configuration from before stays in force.\n", text)
		}
		return
	}
	mended := d.reported != ""
	d.reported = ""
	if bytes.Equal(m.canonical, d.inForce.canonical) {
		if mended {
			fmt.Fprintln(d.out, "The manifests are right again, and say what is in force already.")
		}
		return
	}
	if err := d.apply(ctx, m); err != nil {
		d.complain(err)
		return
	}
	fmt.Fprintf(d.out, "The configuration was changed.\n%s\n", m.summary())
	if err := d.writeFile(ctx); err != nil {
		d.complain(err)
	}
}

// apply puts manifests in force.
func (d *dev) apply(ctx context.Context, m *manifests) error {
	for _, notice := range m.set.Notices {
		fmt.Fprintln(d.err, notice)
	}
	for _, p := range m.problems {
		fmt.Fprintln(d.err, p)
	}
	if err := d.putKeys(ctx, m); err != nil {
		return err
	}
	if err := d.dateGroups(ctx, m, time.Now()); err != nil {
		return err
	}
	got, err := d.plane.Service.Apply(ctx, repository.Documents{Registry: m.registry, Domains: m.domains})
	if err != nil {
		return fmt.Errorf("apply the manifests: %w", err)
	}
	for _, p := range got.Problems {
		fmt.Fprintf(d.err, "%s %s/%s: %s\n", p.Source.Kind, p.Source.Namespace, p.Source.Name, p.Text)
	}
	d.inForce = m
	return d.writeKeys(m)
}

func (d *dev) complain(err error) { fmt.Fprintln(d.err, "packhouse:", err) }

// started says how to go on, when everything listens.
func (d *dev) started(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.writeFile(ctx); err != nil {
		return err
	}
	fmt.Fprintf(d.out, "Packhouse serves on %s, with data in %s\n", d.file.Endpoint, d.dataDir)
	if d.inForce.first == (registry.DomainRef{}) {
		fmt.Fprint(d.out, addDomain)
		return nil
	}
	fmt.Fprintf(d.out, "%s\n\n%s\n", d.inForce.summary(), d.next())
	return nil
}

// addDomain is said when there is nothing to serve.
const addDomain = `
No domain is declared yet. Add one with a repository to the manifests, for example:

apiVersion: packhouse.dev/v1alpha1
kind: Domain
metadata: {name: my-domain}
spec: {}
---
apiVersion: packhouse.dev/v1alpha1
kind: Repository
metadata: {name: my-repo}
spec:
  domainRef: {name: my-domain}
  externalConnections: [{name: "public:npmjs"}]

`

// next is what to type in another terminal.
func (d *dev) next() string {
	first := d.inForce.domain(d.inForce.first)
	if len(first.Repositories) == 0 {
		return "Next: declare a Repository in domain " + first.Name + "."
	}
	const client = "npm"
	words := []string{self(), "login", client, "--repository", lastInChain(first.Repositories)}
	if wd, err := os.Getwd(); err != nil || filepath.Join(wd, defaultDataDir) != d.dataDir {
		words = append(words, "--data-dir", d.dataDir)
	}
	if len(d.inForce.domains) > 1 {
		words = append(words, "--domain", first.Name)
	}
	others := make([]string, 0, len(tools))
	for _, t := range tools {
		if t.name != client {
			others = append(others, t.name)
		}
	}
	return "Next, in another terminal:\n\n  " + strings.Join(words, " ") + "\n  npm install express\n\nlogin also knows " + strings.Join(others, ", ") + "."
}

// self is how this very program is called from a shell here.
func self() string {
	const name = "packhouse"
	me, err := os.Executable()
	if found, lookErr := exec.LookPath(name); err == nil && lookErr == nil {
		if a, err := os.Stat(found); err == nil {
			if b, err := os.Stat(me); err == nil && os.SameFile(a, b) {
				return name
			}
		}
	}
	return os.Args[0]
}

// lastInChain is the repository that people mean: one that is no other's upstream.
func lastInChain(repos []config.Repository) string {
	for _, r := range repos {
		used := func(o config.Repository) bool { return slices.Contains(o.Upstreams, r.Name) }
		if !slices.ContainsFunc(repos, used) && len(r.Upstreams) > 0 {
			return r.Name
		}
	}
	return repos[0].Name
}

// writeFile writes dev.json with a fresh token.
func (d *dev) writeFile(ctx context.Context) error {
	f, m := &d.file, d.inForce
	d.key.set(f, m)
	f.Endpoint, f.Region, f.Domain, f.DomainOwner, f.Token = d.endpoint, m.registry.Region, m.first.Name, m.first.Owner, ""
	if m.first != (registry.DomainRef{}) {
		uid, err := d.plane.DomainUID(ctx, m.first)
		if err != nil {
			return err
		}
		root := policy.Principal{ARN: "arn:" + m.registry.Partition + ":iam::" + m.first.Owner + ":root", Account: m.first.Owner, Root: true}
		tok, err := d.plane.Issuer.Issue(auth.Grant{Principal: root, Domain: uid, Source: "packhouse dev"})
		if err != nil {
			return err
		}
		f.Token = tok.Value
	}
	return f.write(d.dataDir)
}

// renew replaces the token in dev.json long before it expires.
func (d *dev) renew(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(renewEvery):
		}
		d.mu.Lock()
		err := d.writeFile(ctx)
		d.mu.Unlock()
		if err != nil {
			d.complain(err)
		}
	}
}

// Command registry is the data plane as a server. Its configuration comes over the admin API and is kept in its database, so it
// restarts and serves whatever became of whoever configured it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"packhouse.dev/packhouse/cmd/internal/plane"
	"packhouse.dev/packhouse/registry/audit"
)

// version is set by the linker.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends it at once
	err := command().ExecuteContext(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "registry:", err)
		os.Exit(1)
	}
}

type flags struct {
	listen, metrics, dataDir, database string
	admin, adminTLS, sealingKey        string
	drainDelay                         time.Duration
	audit                              string
	auditReads                         uint32
	accessLog, verbose                 bool
}

func command() *cobra.Command {
	var f flags
	c := &cobra.Command{
		Use: "registry", Short: "Serve packages", Version: version, Args: cobra.NoArgs,
		Long: `Serve packages to npm and other clients. What is served is declared over the admin API, on the socket admin.sock in the
data directory and on --admin-listen, and kept in the database. SIGTERM ends it: /-/readyz says no, --drain-delay passes, requests
under way finish within 25 seconds.`,
		Example: `  registry --data-dir /var/lib/packhouse
  registry --data-dir /var/lib/packhouse --database-file /etc/packhouse/database --admin-listen :8443 --admin-tls-dir /etc/packhouse/admin`,
		SilenceUsage: true, SilenceErrors: true,
		RunE: func(c *cobra.Command, _ []string) error { return f.run(c.Context(), c.ErrOrStderr()) },
	}
	fl := c.Flags()
	fl.StringVar(&f.listen, "listen", ":8080", "address to serve packages on")
	fl.StringVar(&f.metrics, "metrics-listen", ":9090", "address for /metrics, /-/healthz and /-/readyz; empty: none")
	fl.StringVar(&f.dataDir, "data-dir", "/var/lib/packhouse", "folder for bytes, the sealing key and, without --database-file, metadata")
	fl.StringVar(&f.database, "database-file", "", "file with the connection string of a PostgreSQL database")
	fl.StringVar(&f.admin, "admin-listen", "", "address for the admin API with mutual TLS 1.3, beside the socket; empty: none")
	fl.StringVar(&f.adminTLS, "admin-tls-dir", "", "folder with tls.crt, tls.key and ca.crt for --admin-listen; files that change are read again")
	fl.StringVar(&f.sealingKey, "sealing-key-file", "", "file with the sealing key in base64, 32 bytes or more, that others cannot read (default: sealing.key in the data directory, made at the first start)")
	fl.DurationVar(&f.drainDelay, "drain-delay", 0, "how long requests are still taken after /-/readyz says no, for balancers to notice")
	fl.StringVar(&f.audit, "audit-log", "-", "file for the record of who did what, a line of JSON each; - is standard output, empty: none")
	fl.Uint32Var(&f.auditReads, "audit-reads", audit.Sampled, "record one of so many `READS` of packages; 1: all, 0: none. Changes and denials are always recorded")
	fl.BoolVar(&f.accessLog, "access-log", false, "log every request, also reads")
	fl.BoolVarP(&f.verbose, "verbose", "v", false, "log more")
	return c
}

func (f *flags) run(ctx context.Context, stderr io.Writer) (err error) {
	level := slog.LevelInfo
	if f.verbose {
		level = slog.LevelDebug
	}
	log := slog.New(slog.NewJSONHandler(stderr, &slog.HandlerOptions{Level: level}))
	if (f.admin == "") != (f.adminTLS == "") {
		return errors.New("--admin-listen and --admin-tls-dir go together: the admin API is not served without certificates")
	}
	opt := plane.Options{
		DataDir: f.dataDir, Version: version, Logger: log, AccessLog: f.accessLog,
		SealingKeyFile: f.sealingKey, AdminListen: f.admin, AdminTLSDir: f.adminTLS, DrainDelay: max(f.drainDelay, 0),
	}
	if f.database != "" {
		// In a file, because arguments and environment are read by others.
		text, err := os.ReadFile(f.database)
		if err != nil {
			return fmt.Errorf("--database-file: %w", err)
		}
		if opt.Database = strings.TrimSpace(string(text)); opt.Database == "" {
			return fmt.Errorf("--database-file: %s is empty", f.database)
		}
	}
	file, err := plane.OpenAudit(f.audit)
	if err != nil {
		return fmt.Errorf("--audit-log: %w", err)
	}
	if file != nil {
		defer func() { err = errors.Join(err, file.Close()) }()
		opt.Audit = audit.New(file, f.auditReads, log)
	}
	packages, operations, err := plane.Listen(f.listen, f.metrics)
	if err != nil {
		return err
	}
	defer packages.Close()
	if operations != nil {
		defer operations.Close()
	}
	p, err := plane.Open(ctx, opt)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	return p.Run(ctx, packages, operations, func() error {
		a := []any{"version", version, "listen", packages.Addr().String(), "data", f.dataDir}
		if operations != nil {
			a = append(a, "metrics", operations.Addr().String())
		}
		if addr := p.AdminAddr(); addr != nil {
			a = append(a, "admin", addr.String())
		}
		log.Info("serving", a...)
		return nil
	})
}
